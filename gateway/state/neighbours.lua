-- Which earlier posts are near-copies of a new one: functions for the scripts that come after this.
--
-- `near:<row>` is a row of the table of prints, as in prints.py: entries of eight bytes, a print
-- and the number of a post that is remembered under it, the newest last. The client names the rows
-- (neighbours.py): putting keys together is dear here. `near:post:<number>` is a post: its write's
-- id, a zero, all its prints. Rows may name posts that are gone: they are passed over, and cut off
-- when the row is next written. So forgetting a post is deleting its key, or letting it expire.

local REMEMBERED, LISTED, CANDIDATES, AT_LEAST = 16, 16, 24, 2

local function near_post(site, number) return site .. ':near:post:' .. number end

-- Give the posts that share the most prints with a new one; also what its rows hold, and how many
-- posts are listed there under its print, for `near_add`.
--
-- `keys` are the rows of all its `prints`, which are four bytes each.
local function near_find(site, keys, prints)
  local rows = redis.call('MGET', unpack(keys))
  local hits, often, listed = {}, {}, {}
  for i = 1, #keys do
    local row = rows[i]
    if row then
      local print, list = string.sub(prints, 4 * i - 3, 4 * i), 0
      local from = string.find(row, print, 1, true)
      while from do
        if from % 8 == 1 then
          list = list + 1
          local post = string.sub(row, from + 4, from + 7)
          hits[post] = (hits[post] or 0) + 1
          if hits[post] == AT_LEAST then often[#often + 1] = post end
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
  for _, post in ipairs(often) do
    found[#found + 1] = redis.call('GET', near_post(site, struct.unpack('<I4', post))) or nil
    if #found == CANDIDATES then break end
  end
  return found, rows, listed
end

-- Give the number below which all posts are gone, having looked at a few more.
local function near_first(site, last)
  local first = tonumber(redis.call('GET', site .. ':near:first') or '1')
  local number = first
  while number <= last and number < first + 4
    and redis.call('EXISTS', near_post(site, number)) == 0 do
    number = number + 1
  end
  if number > first then redis.call('SET', site .. ':near:first', number) end
  return number
end

-- Take a print's oldest entry out of a row.
local function near_without_oldest(row, print)
  for at = 1, #row, 8 do
    if string.sub(row, at, at + 3) == print then
      return string.sub(row, 1, at - 1) .. string.sub(row, at + 8)
    end
  end
  return row
end

-- Remember a post under its smallest prints for some seconds, and give its number.
--
-- `rows` and `listed` are of `near_find`, in the same call.
local function near_add(site, keys, prints, id, rows, listed, seconds)
  local number = redis.call('INCR', site .. ':near:last')
  local first, written = near_first(site, number - 1), {}
  for i = 1, math.min(#keys, REMEMBERED) do
    local print, row, from = string.sub(prints, 4 * i - 3, 4 * i), written[keys[i]] or rows[i] or '', 1
    while from < #row and struct.unpack('<I4', row, from + 4) < first do from = from + 8 end
    if from > 1 then row = string.sub(row, from) end
    if (listed[i] or 0) >= LISTED then row = near_without_oldest(row, print) end
    written[keys[i]] = row .. print .. struct.pack('<I4', number)
    redis.call('SET', keys[i], written[keys[i]], 'EX', seconds)
  end
  redis.call('SET', near_post(site, number), id .. '\0' .. prints, 'EX', seconds)
  return number
end
