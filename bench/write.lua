-- Questions of 2 KiB, each with words and a token of its own: none is much like another. The words
-- are letters alone, because posts that differ in numbers only are one event.
local random = io.open("/dev/urandom", "rb")
local run = random:read(8):gsub(".", function(byte)
  return string.char(97 + byte:byte() % 26)
end)
random:close()
local seed = 0
for place = 1, #run do seed = (seed * 26 + run:byte(place)) % 2147483647 end
math.randomseed(seed)

local words = {}
for number = 1, 4000 do
  local letters = {}
  for place = 1, math.random(3, 9) do letters[place] = string.char(math.random(97, 122)) end
  words[number] = table.concat(letters)
end

local function text(count)
  local said = {}
  for place = 1, count do said[place] = words[math.random(#words)] end
  return table.concat(said, " ")
end

local count = 0

local function word()
  local letters, left = {}, count
  repeat
    letters[#letters + 1] = string.char(97 + left % 26)
    left = math.floor(left / 26)
  until left == 0
  return run .. table.concat(letters)
end

function request()
  count = count + 1
  local own = word()
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. own,
    ["X-Explicit-Action"] = "true",
    ["User-Agent"] = "bench/1.0 (bench@example.com)",
  }, '{"title":"How do I mend ' .. own .. '?","body":"' .. text(280) .. '","tags":["agent"]}')
end
