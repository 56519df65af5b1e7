-- Tells things of one job in their order; returns 1 or 0 for each. See publish.lua, which stands before this.
-- An error ends the script, so nothing later is ever published before something earlier.
local published = {}
for i = 1, next_number() do
    local delivery = read_delivery()
    check(delivery)
    published[i] = write(delivery)
end
return published
