-- Tells things of one job in their order; returns 1 or 0 for each. See script.lua, which stands before this.
-- An error ends the script, so nothing later is ever told before something earlier.
local told = {}
for i = 1, next_number() do
    local delivery = read_delivery()
    check(delivery)
    told[i] = write(delivery)
end
return told
