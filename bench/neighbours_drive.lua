-- driveA.lua
-- KEYS site; ARGV prints, id, at, at_least, before, expiry, prune
local site=KEYS[1]
local found, lists = near_find(site, ARGV[1], tonumber(ARGV[4]))
near_prune(site, tonumber(ARGV[5]), tonumber(ARGV[7]))
local number = near_add(site, tonumber(ARGV[3]), ARGV[2], ARGV[1], lists, tonumber(ARGV[6]))
return {number, found}
-- driveB.lua
-- KEYS site; ARGV prints, id, at, known, candidates packed, expiry
local site, known=KEYS[1], tonumber(ARGV[4])
local last=tonumber(redis.call('GET', site..':near:last') or '0')
if last-known>64 then return {0,last,{}} end
local found={}
for i=1,#ARGV[5],4 do
  local post=redis.call('GET', site..':near:post:'..struct.unpack('<I4',ARGV[5],i))
  if post then found[#found+1]=post end
end
local delta={}
for n=known+1,last do delta[#delta+1]=redis.call('GET', site..':near:post:'..n) or '' end
local number=redis.call('INCR', site..':near:last')
redis.call('SET', site..':near:post:'..number, struct.pack('<ds', tonumber(ARGV[3]), ARGV[2])..ARGV[1], 'EX', ARGV[6])
return {number,known,found,delta}
-- driveR.lua
local keys = {unpack(KEYS, 2)}
local found, rows, listed = near_find(KEYS[1], keys, ARGV[1], tonumber(ARGV[3]))
local number = near_add(KEYS[1], keys, ARGV[1], ARGV[2], rows, listed, ARGV[4])
return {number, found}
