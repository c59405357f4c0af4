-- The writes of a list. ARGV[1]: its number.

return redis.call('LRANGE', site .. ':posts:' .. ARGV[1], 0, -1)
