-- Remember posts that stand on the site. ARGV[1]: {at, keep, posts: [record, …]}, as JSON.
-- Returns how many were new, or have another text.

if redis.call('EXISTS', site .. ':lost') == 1 then return lost() end
local ask = cjson.decode(ARGV[1])
local now = stamp(ask.at, redis.call('HGET', site .. ':meta', 'last'))
redis.call('HSET', site .. ':meta', 'last', text(now))
local new = 0
for _, post in ipairs(ask.posts) do
  local known = read(post.id)
  forget(post.id)  -- also what is known: it counts as written at this instant
  insert(post, now, ask.keep, 'ok', '', post.url)
  if not known or known[TEXT] ~= post.text or known[EVENT] ~= post.event then new = new + 1 end
end
return new
