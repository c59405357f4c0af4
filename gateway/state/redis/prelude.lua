-- What the scripts share. KEYS[1]: the site's prefix with its hash tag.
--
-- Keys of a site: `meta` (epoch, last stamp, seq, identity, where posts are put), `posts:<block>`,
-- `rows` and `same:<4 bytes>` (below); by score of their stamp `cap:<counter>` and
-- `request:<digest>`; `key:<digest>` and `again:<request>` hold answers, and `answers` their names by
-- age; `lost` and `accepted` name epochs; `gone:<id>` turns back what comes too late.
--
-- A write has a number: its place in the lists `posts:<block>`, which Redis packs tightly and which
-- expire as a whole. There it is one string of bytes, as records.py writes it; where it was, when it
-- is gone, an empty one. So numbers rise, and are never used twice.
--
-- The table of rows tells which numbers stand under a mark of four bytes: the beginning of a digest,
-- of what an id is hashed to, or a print. Two bytes of the mark name the row, a field of the hash
-- `rows`; its entries are the other two and a number, oldest first. Entries are taken out with their write, or cut off when all
-- that is that old is gone.

local site = KEYS[1]
local BLOCK = 128    -- writes in a list
local PERIODS = 16   -- a list takes writes of this part of the time that they are kept
local HEAD = 47      -- bytes, by this format: what comes after its end is as long as it says
local FORMAT = '<dBc4c4c8c8c4BBHHHH'
local TEXT, EVENT = 18, 26
local NO_DIGEST = string.rep('\0', 8)
local CODES = {[''] = 0, ok = 1, refused = 2, failed = 3, unknown = 4}
local OUTCOMES = {[0] = '', 'ok', 'refused', 'failed', 'unknown'}
local OLDEST, LISTED = 4, 12  -- of the writes under a print: so many of the oldest, so many in all
local SAME = 32               -- of the writes under a digest: as many as stand in a row
local REFUSED = 64            -- of them, so many are kept where the gateway refuses more of the kind
local MOVED = '\255\255\255\255'  -- the entry that says that they stand in `same:<mark>`

local function text(number) return string.format('%.17g', number) end

local function lost() return redis.error_reply('LOST: the data that was kept here is gone') end

-- The stamp of what comes now: of Redis's clock, or of the caller's where `at` is given.
local function stamp(at, last)
  if not at or at == cjson.null then
    local time = redis.call('TIME')
    at = tonumber(time[1]) + tonumber(time[2]) / 1000000
  end
  return math.max(at, tonumber(last or '0'))
end

-- ── writes ─────────────────────────────────────────────────────────────────────────────────────

local function posts(number) return site .. ':posts:' .. math.floor(number / BLOCK) end

-- The bytes of a write, or nil.
local function read(number)
  local bytes = redis.call('LINDEX', posts(number), number % BLOCK)
  return bytes and bytes ~= '' and bytes or nil
end

local function at_of(bytes) return (struct.unpack('<d', bytes)) end

local function outcome_of(bytes) return OUTCOMES[string.byte(bytes, 9)] end

local function id_of(bytes)
  local listed, _, id = struct.unpack('BB<H', bytes, 38)
  return string.sub(bytes, HEAD + listed + 1, HEAD + listed + id)
end

local function id_of_core(core) return id_of(string.rep('\0', 9) .. core) end

-- A write as a table. `core` is what never changes; `key`, `caps` and `replaces` are kept while it may be
-- taken back.
local function opened(number, bytes)
  local at, outcome, _, _, _, _, _, listed, _, id, request, facts, sketch = struct.unpack(FORMAT, bytes)
  local start = HEAD + listed
  local last = start + id + request + facts + sketch
  local place, rest = struct.unpack('<I2c0', bytes, last + 1)
  local open = rest <= #bytes and cmsgpack.unpack(string.sub(bytes, rest)) or {'', {}, {}}
  return {
    number = number, at = at, outcome = OUTCOMES[outcome], core = string.sub(bytes, 10, last),
    id = string.sub(bytes, start + 1, start + id),
    request = string.sub(bytes, start + id + 1, start + id + request),
    place = place, key = open[1], caps = open[2], replaces = open[3],
  }
end

local function packed(write)
  local is_over = write.outcome == 'ok' or write.key == '' and #write.caps == 0 and #write.replaces == 0
  return struct.pack('<dB', write.at, CODES[write.outcome]) .. write.core
    .. struct.pack('<I2c0', #write.place, write.place)
    .. (is_over and '' or cmsgpack.pack({write.key, write.caps, write.replaces}))
end

local function write_again(write)
  redis.call('LSET', posts(write.number), write.number % BLOCK, packed(write))
end

-- Put a write where the next one goes; all that is older than the first list is gone.
local function put(bytes, at, keep)
  local meta = redis.call('HMGET', site .. ':meta', 'block', 'began', 'first')
  local block, began, first = tonumber(meta[1] or '0'), tonumber(meta[2] or '-inf'), tonumber(meta[3] or '1')
  if not meta[2] or at - began > keep / PERIODS then
    block = block + 1
    while first < block and redis.call('EXISTS', site .. ':posts:' .. first) == 0 do first = first + 1 end
    redis.call('HSET', site .. ':meta', 'block', block, 'began', text(at), 'first', first)
  end
  local list = site .. ':posts:' .. block
  local length = redis.call('RPUSH', list, bytes)
  redis.call('EXPIRE', list, math.ceil(keep) + 60)
  if length == BLOCK then redis.call('HDEL', site .. ':meta', 'began') end
  return block * BLOCK + length - 1, first * BLOCK
end

-- What a write keeps when its text is forgotten: neither digests, prints nor sketch.
local function without_text(core)
  local team, author, _, _, mark, listed, _, id, request, facts = struct.unpack('<c4c4c8c8c4BBHHH', core)
  local start = HEAD - 9 + listed
  return struct.pack('<c4c4c8c8c4BBHHHH', team, author, NO_DIGEST, NO_DIGEST, mark, 0, 0, id, request, facts, 0)
    .. string.sub(core, start + 1, start + id + request + facts)
end

-- ── rows ───────────────────────────────────────────────────────────────────────────────────────

local ROWS = site .. ':rows'

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
  for i, mark in ipairs(marks) do names[i] = string.sub(mark, 1, 2) end
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

local function is_moved(row, found) return found[1] and string.sub(row, found[1] + 2, found[1] + 5) == MOVED end

local function add_same(mark, number, at) redis.call('ZADD', site .. ':same:' .. mark, text(at), string.format('%010d', number)) end

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

-- Under a print stand the oldest few and the newest: phrases stand in very many posts.
local function list_print(write)
  local own = entry(write.number)
  return function(row, tag)
    local found = entries(row, tag)
    for _, from in ipairs(found) do
      if string.sub(row, from + 2, from + 5) == own then return row end
    end
    if #found >= LISTED then row = without(row, found[OLDEST + 1]) end
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

-- List a write under its prints, where it is not listed.
local function list_prints(write)
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
    if is_moved(row, found) then redis.call('ZREM', site .. ':same:' .. mark, string.format('%010d', write.number)) end
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
  local row = redis.call('HGET', ROWS, string.sub(mark, 1, 2)) or ''
  local found = entries(row, string.sub(mark, 3, 4))
  for i = #found, 1, -1 do
    local number = number_at(row, found[i])
    local bytes = read(number)
    if bytes and id_of(bytes) == id then return opened(number, bytes) end
  end
end

-- ── what becomes of writes ─────────────────────────────────────────────────────────────────────

local function uncharge(write)
  for _, counter in ipairs(write.caps) do redis.call('ZREM', site .. ':cap:' .. counter, write.number) end
  redis.call('ZREM', site .. ':request:' .. write.request, write.number)
end

local function forget(write)
  uncharge(write)
  unlist(write, true)
  redis.call('LSET', posts(write.number), write.number % BLOCK, '')
end

local function add(key, member, at, keep)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(at - keep))
  redis.call('ZADD', key, text(at), member)
  redis.call('EXPIRE', key, math.ceil(keep) + 60)
end

local function charge_attempt(counter, id, at, keep)
  add(site .. ':cap:' .. counter, '!' .. id, at, keep)
end

-- Remember a write and what it is charged to; gives it as a table. What is written needs no
-- `request`: only a try of which nobody knows is looked for there.
local function insert(core, at, keep, outcome, place, key, caps, replaces)
  redis.call('HINCRBY', site .. ':meta', 'seq', 1)
  local bytes = packed({at = at, outcome = outcome, core = core, place = place, key = key, caps = caps, replaces = replaces})
  local number, first = put(bytes, at, keep)
  local write = opened(number, bytes)
  for _, counter in ipairs(caps) do add(site .. ':cap:' .. counter, number, at, keep) end
  if write.request ~= '' and (outcome == '' or outcome == 'failed' or outcome == 'unknown') then
    add(site .. ':request:' .. write.request, number, at, keep)
  end
  list(write, first, keep)
  return write
end

-- Keep at most so many answers: an older one is then told as not kept.
local function bound_answers(key, at, most)
  local all = site .. ':answers'
  redis.call('ZADD', all, text(at), key)
  redis.call('EXPIRE', all, 86400)
  for _ = 1, redis.call('ZCARD', all) - most do
    local oldest = redis.call('ZPOPMIN', all)
    redis.call('HDEL', oldest[1], 'answer')
  end
end

-- Keep a write, in place of the tries that it repeats; but what SOE took after all stays. It is
-- numbered too, so that a replica that has not heard of it is known to be behind. Where it was pushed
-- out of its rows meanwhile, it is listed again.
local function keep_write(write, outcome, place)
  for _, old in ipairs(write.replaces) do
    local bytes = read(old)
    if bytes and outcome_of(bytes) ~= 'ok' then forget(opened(old, bytes)) end
  end
  write.outcome, write.place, write.replaces = outcome, place, {}
  if outcome == 'ok' then redis.call('ZREM', site .. ':request:' .. write.request, write.number) end
  write_again(write)
  list_prints(write)
  return redis.call('HINCRBY', site .. ':meta', 'seq', 1)
end

-- Of a flood of one text, the newest are enough: an older one that was refused goes for each new one.
local function bound_refused(write)
  for _, mark in ipairs(digests_of(write.core)) do
    local same = site .. ':same:' .. mark
    if redis.call('ZCARD', same) > REFUSED then
      for _, member in ipairs(redis.call('ZRANGE', same, 0, 7)) do
        local bytes = read(tonumber(member))
        if not bytes then
          redis.call('ZREM', same, member)
        elseif outcome_of(bytes) == 'refused' then
          forget(opened(tonumber(member), bytes))
          return
        end
      end
    end
  end
end

-- Keep the text of a write that the gateway refused for it, and nothing else.
local function keep_text(write)
  uncharge(write)
  write.outcome, write.caps, write.key, write.replaces = 'refused', {}, '', {}
  write_again(write)
  list_prints(write)
  bound_refused(write)
  return redis.call('HINCRBY', site .. ':meta', 'seq', 1)
end

-- Free the key of a write, where it is still its.
local function free_key(write)
  local kept = site .. ':key:' .. write.key
  if write.key ~= '' and redis.call('HGET', kept, 'write') == write.id then redis.call('DEL', kept) end
end
