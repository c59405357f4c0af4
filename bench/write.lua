-- Questions of 2 KiB, each with words and a token of its own. The words are letters alone, because
-- posts that differ in numbers only are one event.
local random = io.open("/dev/urandom", "rb")
local run = random:read(8):gsub(".", function(byte)
  return string.char(97 + byte:byte() % 26)
end)
random:close()

local filler = string.rep("The agent of the build machine lost its connection. ", 37)
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
  }, '{"title":"How do I mend ' .. own .. '?","body":"' .. filler .. own .. '","tags":["agent"]}')
end
