-- Forget the text of some writes; what they were charged to stays. ARGV: of each write its number, and
-- what it was when it was chosen. Returns how many were.

local forgotten = 0
for i = 1, #ARGV, 2 do
  local number = tonumber(ARGV[i])
  local bytes = read(number)
  if bytes and id_of(bytes) == id_of(ARGV[i + 1]) and #digests_of(string.sub(bytes, 10)) > 0 then
    local write = opened(number, bytes)
    unlist(write)
    write.core = without_text(write.core)
    write_again(write)
    forgotten = forgotten + 1
  end
end
return forgotten
