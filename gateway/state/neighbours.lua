-- Which earlier posts are near-copies of a new one: functions for the scripts that come after this.
--
-- `near:<bucket>` is a row of the table of prints: entries of eight bytes, a print and the number
-- of a post that is remembered under it, the newest last. The client names the rows, for putting
-- keys together is what costs most here. `near:post:<number>` is a post: its write's id, a zero,
-- all its prints. A row may name posts that are gone; they are passed over, and cut off in time.

local REMEMBERED, LISTED, CANDIDATES = 16, 16, 24

-- Give the posts that share the most prints with a new one, and what its rows hold.
--
-- `keys` are the rows of all its `prints`, which are four bytes each.
local function near_find(site, keys, prints, at_least)
  local rows = redis.call('MGET', unpack(keys))
  local hits, often, listed = {}, {}, {}
  for i = 1, #keys do
    local row = rows[i]
    if row then
      local print = string.sub(prints, 4 * i - 3, 4 * i)
      local from = string.find(row, print, 1, true)
      local list = 0
      while from do
        if from % 8 == 1 then
          list = list + 1
          local post = string.sub(row, from + 4, from + 7)
          local n = (hits[post] or 0) + 1
          hits[post] = n
          if n == at_least then often[#often + 1] = post end
        end
        from = string.find(row, print, from + 1, true)
      end
      listed[i] = list
    end
  end
  if #often > 1 then
    table.sort(often, function(a, b)
      if hits[a] ~= hits[b] then return hits[a] > hits[b] end
      return struct.unpack('<I4', a) > struct.unpack('<I4', b)
    end)
  end
  local found = {}
  for _, packed in ipairs(often) do
    local post = redis.call('GET', site .. ':near:post:' .. struct.unpack('<I4', packed))
    if post then found[#found + 1] = post end
    if #found == CANDIDATES then break end
  end
  return found, rows, listed
end

-- Pass over the posts at the beginning that are gone by now, some at a time; give the first left.
local function near_first(site, last, most)
  local key = site .. ':near:first'
  local first = tonumber(redis.call('GET', key) or '1')
  local number = first
  while number <= last and number - first < most do
    if redis.call('EXISTS', site .. ':near:post:' .. number) == 1 then break end
    number = number + 1
  end
  if number ~= first then redis.call('SET', key, number) end
  return number
end

-- Remember a post under its smallest prints for some seconds, and give its number.
--
-- `rows` and `listed` are of `near_find` in the same call.
local function near_add(site, keys, prints, id, rows, listed, seconds)
  local number = redis.call('INCR', site .. ':near:last')
  local first = near_first(site, number - 1, 4)
  for i = 1, math.min(#keys, REMEMBERED) do
    local row, print, from = rows[i] or '', string.sub(prints, 4 * i - 3, 4 * i), 1
    while from < #row and struct.unpack('<I4', row, from + 4) < first do from = from + 8 end
    if from > 1 then row = string.sub(row, from) end
    if (listed[i] or 0) >= LISTED then
      local at = 1
      while at < #row and string.sub(row, at, at + 3) ~= print do at = at + 8 end
      row = string.sub(row, 1, at - 1) .. string.sub(row, at + 8)
    end
    redis.call('SET', keys[i], row .. print .. struct.pack('<I4', number), 'EX', seconds)
  end
  redis.call('SET', site .. ':near:post:' .. number, id .. '\0' .. prints, 'EX', seconds)
  return number
end
