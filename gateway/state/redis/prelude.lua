-- What the scripts share, with rows.lua and endings.lua behind it. KEYS[1]: the site's prefix with its
-- hash tag.
--
-- Keys of a site: `meta` (epoch, last stamp, seq, identity, where posts are put), `posts:<block>`,
-- `rows` and `same:<4 bytes>` (rows.lua); by score of their stamp `cap:<counter>`, `uses:<name>`
-- (uses.lua) and `request:<digest>`; `key:<digest>` and `again:<request>` hold answers, and `answers`
-- their names by age; `lost` and `accepted` name epochs; `gone:<id>` turns back what comes too late,
-- and `pushed:<number>` was pushed out of a row while it was in flight; notes stand in notes.lua.
--
-- A write has a number: its place in the lists `posts:<block>`, which Redis packs tightly and which
-- expire as a whole. There it is one string of bytes, as records.py writes it; where it was, when it
-- is gone, an empty one. So numbers rise, and are never used twice.

local site = KEYS[1]
local BLOCK = 128    -- writes in a list
local PERIODS = 16   -- a list takes writes of this part of the time that they are kept
local HEAD = 47      -- bytes, by this format: what comes after its end is as long as it says
local FORMAT = '<dBc4c4c8c8c4BBHHHH'
local TEXT, EVENT = 18, 26
local NO_DIGEST = string.rep('\0', 8)
local CODES = {[''] = 0, ok = 1, refused = 2, failed = 3, unknown = 4}
local OUTCOMES = {[0] = '', 'ok', 'refused', 'failed', 'unknown'}

local function text(number) return string.format('%.17g', number) end

local function lost() return redis.error_reply('LOST: the data that was kept here is gone') end

-- Look whose data this is, for who asks: `ask` says what he knows of them. Gives an error where he is not
-- to be answered; then the epoch, the last stamp, and the number of the newest write or ending.
local function admit(ask)
  local meta = redis.call('HMGET', site .. ':meta', 'epoch', 'last', 'seq', 'identity', 'opens')
  local epoch, seq, identity = meta[1], tonumber(meta[3] or '0'), meta[4]
  if (ask.epoch ~= '' and epoch ~= ask.epoch) or redis.call('EXISTS', site .. ':lost') == 1 then
    return lost()
  end
  if meta[5] then
    local time = redis.call('TIME')
    if tonumber(time[1]) + tonumber(time[2]) / 1000000 < tonumber(meta[5]) then
      return redis.error_reply('MENDING: what was lost is being put back')
    end
    redis.call('HDEL', site .. ':meta', 'opens')
  end
  if seq < ask.seq then return redis.error_reply('BEHIND: the newest writes are gone') end
  if identity and identity ~= '' and ask.identity ~= '' and identity ~= ask.identity then
    return redis.error_reply('STRANGER: who shares a state shares one audit.key')
  end
  if not epoch then
    epoch = ask.new_epoch
    redis.call('HSET', site .. ':meta', 'epoch', epoch)
  end
  if ask.identity ~= '' and (identity or '') == '' then  -- new, or operators made it, or accepted a loss
    redis.call('HSET', site .. ':meta', 'identity', ask.identity)
  end
  return nil, epoch, meta[2], seq
end

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

-- The id and the request of a `core`, which begins behind so many bytes.
local function names_of(bytes, before)
  local listed, _, id, request = struct.unpack('BB<HH', bytes, before + 29)
  local start = before + HEAD - 9 + listed
  return string.sub(bytes, start + 1, start + id), string.sub(bytes, start + id + 1, start + id + request)
end

local function id_of(bytes) return (names_of(bytes, 9)) end

-- A write as a table. `core` is what never changes; `key`, `caps`, `replaces` and `uses` are kept while it
-- may be taken back.
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
    place = place, key = open[1], caps = open[2], replaces = open[3], uses = open[4] or {},
  }
end

local function packed(write)
  local is_over = write.outcome == 'ok'
    or write.key == '' and #write.caps == 0 and #write.replaces == 0 and #write.uses == 0
  return struct.pack('<dB', write.at, CODES[write.outcome]) .. write.core
    .. struct.pack('<I2c0', #write.place, write.place)
    .. (is_over and '' or cmsgpack.pack({write.key, write.caps, write.replaces, write.uses}))
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
    local far = math.min(block, first + 64)  -- so that no call pays for many
    while first < far and redis.call('EXISTS', site .. ':posts:' .. first) == 0 do first = first + 1 end
    redis.call('HSET', site .. ':meta', 'block', block, 'began', text(at), 'first', first)
  end
  local list = site .. ':posts:' .. block
  local length = redis.call('RPUSH', list, bytes)
  if length == 1 then redis.call('EXPIRE', list, math.ceil(keep + keep / PERIODS) + 60) end
  if length == BLOCK then redis.call('HDEL', site .. ':meta', 'began') end
  return block * BLOCK + length - 1, first * BLOCK
end

-- What a write keeps when its text is forgotten: neither digests, prints nor sketch.
local function without_text(core)
  local team, author, _, _, mark, listed, _, id, request, facts = struct.unpack('<c4c4c8c8c4BBHHH', core)
  local start = HEAD - 9 + listed
  local head = {team, author, NO_DIGEST, NO_DIGEST, mark, 0, 0, id, request, facts, 0}
  return struct.pack('<c4c4c8c8c4BBHHHH', unpack(head))
    .. string.sub(core, start + 1, start + id + request + facts)
end
