-- The table of rows tells which numbers stand under a mark of four bytes: the beginning of a digest, of
-- what an id is hashed to, or a print. Eighteen bits of the mark name the row, a field of the hash
-- `rows`: fewer and longer rows would take less memory, but each write writes eleven anew. Entries of
-- a row are the mark's other half and a number, oldest first. They are taken out with their write, or
-- cut off when all that is that old is gone.

local OLDEST, LISTED = 4, 12  -- of the writes under a print: so many of the oldest, so many in all
local SAME = 32               -- of the writes under a digest: as many as stand in a row
local MOVED = '\255\255\255\255'  -- the entry that says that they stand in `same:<mark>`

local ROWS = site .. ':rows'

local function row_name(mark)
  return string.sub(mark, 1, 2) .. string.char(string.byte(mark, 3) % 4)
end

local function entry(number) return struct.pack('<I4', number) end

-- Where in a row the entries of a mark begin; `tag` is the mark's second half.
local function entries(row, tag)
  local found, from = {}, string.find(row, tag, 1, true)
  while from do
    if from % 6 == 1 then found[#found + 1] = from end
    from = string.find(row, tag, from + 1, true)
  end
  return found
end

local function number_at(row, from) return (struct.unpack('<I4', row, from + 2)) end

local function without(row, from) return string.sub(row, 1, from - 1) .. string.sub(row, from + 6) end

local function trimmed(row, first)
  local from = 1
  while from < #row and number_at(row, from) < first do from = from + 6 end
  return from > 1 and string.sub(row, from) or row
end

-- Change the rows of some marks, each by its function of row, tag and mark. What is older than the
-- number `first` is cut off there.
local function change_rows(marks, changes, first)
  local names, rows, changed = {}, {}, {}
  for i, mark in ipairs(marks) do names[i] = row_name(mark) end
  for i, row in ipairs(redis.call('HMGET', ROWS, unpack(names))) do rows[names[i]] = row or '' end
  for i, mark in ipairs(marks) do
    local name = names[i]
    local row = changes[i](trimmed(rows[name], first), string.sub(mark, 3, 4), mark)
    if row ~= rows[name] then rows[name], changed[name] = row, true end
  end
  local set, gone = {}, {}
  for name in pairs(changed) do
    if rows[name] == '' then
      gone[#gone + 1] = name
    else
      set[#set + 1], set[#set + 2] = name, rows[name]
    end
  end
  if #set > 0 then redis.call('HSET', ROWS, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', ROWS, unpack(gone)) end
end

local function append(marks, changes, more, change)
  for _, mark in ipairs(more) do marks[#marks + 1], changes[#changes + 1] = mark, change end
end

local function is_moved(row, found)
  for _, from in ipairs(found) do
    if string.sub(row, from + 2, from + 5) == MOVED then return true end
  end
  return false
end

local function member(number) return string.format('%010d', number) end

local function add_same(mark, number, at)
  redis.call('ZADD', site .. ':same:' .. mark, text(at), member(number))
end

-- Under a digest stand all writes with it, however many they are.
local function list_digest(write, keep, seconds)
  local own = entry(write.number)
  return function(row, tag, mark)
    local found = entries(row, tag)
    if not is_moved(row, found) then
      if #found < SAME then return row .. tag .. own end
      for i = #found, 1, -1 do
        local other = number_at(row, found[i])
        local bytes = read(other)
        if bytes then add_same(mark, other, at_of(bytes)) end
        row = without(row, found[i])
      end
      row = row .. tag .. MOVED
    end
    local same = site .. ':same:' .. mark
    redis.call('ZREMRANGEBYSCORE', same, '-inf', text(write.at - keep))
    add_same(mark, write.number, write.at)
    redis.call('EXPIRE', same, seconds)
    return row
  end
end

-- Under a print stand the oldest few and the newest: phrases stand in very many posts. Which one was
-- pushed out in flight is noted: it is listed again if it is kept.
local function list_print(write)
  local own = entry(write.number)
  return function(row, tag)
    local found = entries(row, tag)
    for _, from in ipairs(found) do
      if string.sub(row, from + 2, from + 5) == own then return row end
    end
    if #found >= LISTED then
      local middle = found[OLDEST + 1]
      if string.sub(row, middle + 2, middle + 5) == MOVED then middle = found[OLDEST + 2] end
      local pushed = number_at(row, middle)
      local bytes = read(pushed)
      if bytes and outcome_of(bytes) == '' then redis.call('SET', site .. ':pushed:' .. pushed, '1', 'EX', 600) end
      row = without(row, middle)
    end
    return row .. tag .. own
  end
end

local function digests_of(core)
  local one, other = string.sub(core, TEXT - 9, TEXT - 2), string.sub(core, EVENT - 9, EVENT - 2)
  local marks = {}
  if one ~= NO_DIGEST then marks[1] = string.sub(one, 1, 4) end
  if other ~= NO_DIGEST and other ~= one then marks[#marks + 1] = string.sub(other, 1, 4) end
  return marks
end

local function mark_of(core) return string.sub(core, 25, 28) end

-- The prints under which a write is listed: with the salt of its scope, and if it was asked for
-- across teams also without.
local function prints_of(core)
  local listed, across = string.byte(core, 29, 30)
  local prints, salt = {}, across == 1 and struct.unpack('<I4', core)
  for from = HEAD - 8, HEAD - 9 + listed, 4 do
    local print = string.sub(core, from, from + 3)
    prints[#prints + 1] = print
    if salt then
      prints[#prints + 1] = struct.pack('<i4', bit.bxor((struct.unpack('<I4', print)), salt))
    end
  end
  return prints
end

-- List a write again under its prints, if it was pushed out under one of them.
local function list_again(write)
  if redis.call('DEL', site .. ':pushed:' .. write.number) == 0 then return end
  local marks, changes = {}, {}
  append(marks, changes, prints_of(write.core), list_print(write))
  if #marks > 0 then change_rows(marks, changes, 0) end
end

-- List a write under its id, its digests and its prints.
local function list(write, first, keep)
  local own, seconds = entry(write.number), math.ceil(keep) + 60
  local marks, changes = {mark_of(write.core)}, {function(row, tag) return row .. tag .. own end}
  append(marks, changes, digests_of(write.core), list_digest(write, keep, seconds))
  append(marks, changes, prints_of(write.core), list_print(write))
  change_rows(marks, changes, first)
  redis.call('EXPIRE', ROWS, seconds)
end

-- Take a write out of the rows of its text, and if it goes as a whole, of its id.
local function unlist(write, goes)
  local own, marks, changes = entry(write.number), {}, {}
  local function change(row, tag, mark)
    local found = entries(row, tag)
    if is_moved(row, found) then redis.call('ZREM', site .. ':same:' .. mark, member(write.number)) end
    for i = #found, 1, -1 do
      if string.sub(row, found[i] + 2, found[i] + 5) == own then row = without(row, found[i]) end
    end
    return row
  end
  append(marks, changes, digests_of(write.core), change)
  append(marks, changes, prints_of(write.core), change)
  if goes then append(marks, changes, {mark_of(write.core)}, change) end
  if #marks > 0 then change_rows(marks, changes, 0) end
end

-- The write with an id, whose mark is given.
local function find(id, mark)
  local row = redis.call('HGET', ROWS, row_name(mark)) or ''
  local found = entries(row, string.sub(mark, 3, 4))
  for i = #found, 1, -1 do
    local number = number_at(row, found[i])
    local bytes = read(number)
    if bytes and id_of(bytes) == id then return opened(number, bytes) end
  end
end
