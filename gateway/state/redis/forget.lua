-- Forget the text of the versions of a post; what they were charged to stays.
-- ARGV[1]: the post; then the ids of writes, of which some may be of it. Returns how many were.

local forgotten = 0
for i = 2, #ARGV do
  local write = read(ARGV[i])
  if write and write[TEXT] ~= '' and (write[POST] == ARGV[1] or write[FACTS][7] == ARGV[1]) then
    forget_text(ARGV[i], write)
    write[TEXT], write[EVENT] = '', ''
    write_again(ARGV[i], write)
    forgotten = forgotten + 1
  end
end
return forgotten
