-- Wireshark's dissector of captures by `xensock run --capture`: commands, responses, index moves and
-- notifications of every dialect, as `xensock decode` prints them.
--
-- It knows no dialect: rows, numbers and names come from xensock_constants.lua, which stands beside it
-- and is printed from the program's own tables. Link type USER0 is taken for XenSock while this is
-- loaded. Needs Wireshark 4.0 or newer. See README.md for how to load it.

local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
local known = dofile(here .. "xensock_constants.lua")
local proto = Proto("xensock", "XenSock")

-- ---- fields ----

local fields = {}
local f = {}

-- keep(KEY, FIELD): under KEY in f, and registered.
local function keep(key, field)
    f[key] = field
    fields[#fields + 1] = field
end

local dialect_names = {}
for place, dialect in pairs(known.dialects) do
    dialect_names[place] = dialect.name
end

keep("version", ProtoField.uint8("xensock.version", "Version"))
keep("kind", ProtoField.uint8("xensock.kind", "Kind", base.DEC, known.kinds))
keep("side", ProtoField.uint8("xensock.side", "Seen by", base.DEC, known.sides))
keep("moved", ProtoField.uint8("xensock.moved", "What it did", base.DEC, known.moves))
keep("front", ProtoField.uint16("xensock.front", "Frontend's domid"))
keep("back", ProtoField.uint16("xensock.back", "Backend's domid"))
keep("device", ProtoField.uint16("xensock.device", "Device"))
keep("dialect", ProtoField.uint8("xensock.dialect", "Dialect", base.DEC, dialect_names))
keep("ring", ProtoField.uint8("xensock.ring", "Ring", base.DEC, known.rings))
keep("index", ProtoField.uint32("xensock.index", "Index of the slot"))
keep("port", ProtoField.uint32("xensock.port", "Port"))
keep("word", ProtoField.uint8("xensock.word", "Word", base.DEC, known.words))
keep("value", ProtoField.uint32("xensock.value", "New value"))
keep("moved_bytes", ProtoField.uint32("xensock.moved_bytes", "Moved by"))
keep("word_error", ProtoField.int32("xensock.word_error", "Error word"))
keep("bytes", ProtoField.uint32("xensock.bytes", "Length of the slot"))
keep("cmd", ProtoField.string("xensock.cmd", "Command"))
keep("req_id", ProtoField.uint32("xensock.req_id", "Request's id"))
keep("sockid", ProtoField.uint64("xensock.sockid", "Socket", base.HEX))
keep("new_sockid", ProtoField.uint64("xensock.new_sockid", "New socket", base.HEX))
keep("address", ProtoField.string("xensock.address", "Address"))
keep("ret", ProtoField.int32("xensock.ret", "Result"))
keep("error", ProtoField.string("xensock.error", "Error"))
keep("request_in", ProtoField.framenum("xensock.request_in", "Request in", base.NONE, frametype.REQUEST))
keep("response_in", ProtoField.framenum("xensock.response_in", "Response in", base.NONE, frametype.RESPONSE))
keep("response_time", ProtoField.relative_time("xensock.response_time", "Response time"))

local sized = {[1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32, [8] = ProtoField.uint64}
local sized_signed = {[2] = ProtoField.int16, [4] = ProtoField.int32}

-- The field of a row: xensock.DIALECT.GROUP.NAME, the group being request, response or the command.
local function row_field(dialect, group, row)
    local name = ("xensock.%s.%s.%s"):format(dialect.name, group, row.name)

    if row.role == "addr" then
        return ProtoField.bytes(name, row.name)
    elseif row.role == "ret" then
        return sized_signed[row.bytes](name, row.name)
    elseif row.role == "sockid" then
        return sized[row.bytes](name, row.name, base.HEX)
    elseif row.role == "family" then
        return sized[row.bytes](name, row.name, base.DEC, known.families)
    elseif row.role == "type" then
        return sized[row.bytes](name, row.name, base.DEC, known.types)
    end
    return sized[row.bytes](name, row.name)
end

local function add_rows(dialect, group, rows)
    for _, row in ipairs(rows) do
        keep(row, row_field(dialect, group, row))
    end
end

for _, dialect in pairs(known.dialects) do
    add_rows(dialect, "request", dialect.request)
    add_rows(dialect, "response", dialect.response)
    for _, command in pairs(dialect.commands) do
        add_rows(dialect, command.name:lower(), command.rows)
    end
end
proto.fields = fields

local malformed = ProtoExpert.new("xensock.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local failed = ProtoExpert.new("xensock.failed", "The command failed", expert.group.RESPONSE_CODE, expert.severity.NOTE)
local broken = ProtoExpert.new("xensock.broken", "The ring carries an error", expert.group.SEQUENCE, expert.severity.NOTE)
proto.experts = {malformed, failed, broken}

-- ---- values ----

local function hex(range)
    local digits = range:le_uint64():tohex():gsub("^0+", "")
    return "0x" .. (digits == "" and "0" or digits)
end

-- The i-th element of a row, from 0, below 2^53 or as text.
local function element(slot, row, i)
    local range = slot(row.at + i * row.bytes, row.bytes)
    return row.bytes == 8 and tostring(range:le_uint64()) or range:le_uint()
end

local function error_name(ret)
    return ret < 0 and known.errors[-ret] or nil
end

local function result_text(ret)
    local name = error_name(ret)
    return name and "-" .. name or ("%d"):format(ret)
end

-- Several numbers as text: runs as FIRST..LAST, without the zeros behind the last.
local function numbers_text(slot, row)
    local values, count, text = {}, row.count, {}

    for i = 1, count do
        values[i] = element(slot, row, i - 1)
    end
    while count > 1 and values[count] == 0 do
        count = count - 1
    end
    local i = 1
    while i <= count do
        local last = i
        while last < count and values[last + 1] == values[i] + (last + 1 - i) do
            last = last + 1
        end
        text[#text + 1] = last > i and ("%.0f..%.0f"):format(values[i], values[last]) or ("%.0f"):format(values[i])
        i = last + 1
    end
    return table.concat(text, ",")
end

-- The address of a command, and whether it is as it should: as call_addr_check has it.
local function address_of(slot, rows)
    local addr, len
    for _, row in ipairs(rows) do
        if row.role == "addr" then
            addr = slot(row.at, row.count)
        elseif row.role == "len" then
            len = element(slot, row, 0)
        end
    end
    if not addr then
        return nil, false
    end
    local family, port = addr(0, 2):le_uint(), addr(2, 2):uint()
    if known.families[family] == "AF_INET" and len == 16 then
        return ("%s:%d"):format(tostring(addr(4, 4):ipv4()), port), true
    elseif known.families[family] == "AF_INET6" and len == 28 and addr(24, 4):uint() == 0 then
        return ("[%s]:%d"):format(tostring(addr(8, 16):ipv6()), port), true
    end
    return tostring(addr:bytes()):lower(), false
end

-- ---- requests and their responses ----

local waiting, request_of, response_of

function proto.init()
    waiting = {}     -- by whose view, device and id: the frame of the request, and its time
    request_of = {}  -- by the frame of a response
    response_of = {} -- by the frame of a request
end

-- Remember a request, or find that of a response; frames are dissected in order the first time.
local function pair_up(head, pinfo, id)
    local key = ("%d/%d/%d/%d/%d/%d"):format(head.front, head.back, head.device, head.dialect, head.side, id)

    if pinfo.visited then
        return
    end
    if known.kinds[head.kind] == "request" then
        waiting[key] = {frame = pinfo.number, time = pinfo.rel_ts}
    elseif waiting[key] then
        request_of[pinfo.number] = waiting[key]
        response_of[waiting[key].frame] = pinfo.number
        waiting[key] = nil
    end
end

local function add_links(tree, pinfo)
    local request, response = request_of[pinfo.number], response_of[pinfo.number]

    if request then
        local ns = math.floor((pinfo.rel_ts - request.time) * 1e9 + 0.5)
        tree:add(f.request_in, request.frame):set_generated()
        if ns >= 0 then
            tree:add(f.response_time, NSTime.new(math.floor(ns / 1e9), ns % 1e9)):set_generated()
        end
    end
    if response then
        tree:add(f.response_in, response):set_generated()
    end
end

-- ---- slots ----

local function add_row(tree, slot, row)
    for i = 0, (row.role == "addr" and 1 or row.count) - 1 do
        if row.role == "addr" then
            tree:add(f[row], slot(row.at, row.count))
        else
            tree:add_le(f[row], slot(row.at + i * row.bytes, row.bytes))
        end
    end
end

-- What all dialects share, by what a row is for.
local function add_common(tree, slot, row, is_own)
    local range = slot(row.at, row.bytes)

    if row.role == "id" then
        tree:add_le(f.req_id, range):set_generated()
    elseif row.role == "sockid" then
        tree:add_le(is_own and f.new_sockid or f.sockid, range):set_generated()
    elseif row.role == "ret" then
        local ret = range:le_int()
        tree:add(f.ret, range, ret):set_generated()
        if ret < 0 then
            tree:add(f.error, range, error_name(ret) or "E?"):set_generated()
            tree:add_proto_expert_info(failed, "The command failed: " .. result_text(ret))
        end
    end
end

local function value_text(slot, row, address)
    local value = row.role ~= "addr" and element(slot, row, 0)

    if row.role == "addr" then
        return address
    elseif row.role == "sockid" then
        return hex(slot(row.at, row.bytes))
    elseif row.role == "family" then
        return known.families[value] or ("%.0f"):format(value)
    elseif row.role == "type" then
        return known.types[value] or ("%.0f"):format(value)
    elseif row.role == "ret" then
        return result_text(slot(row.at, row.bytes):le_int())
    end
    return numbers_text(slot, row)
end

-- The name of a row: a command's own that is also that of a common row has the command's before it.
local function row_name(row, common, command)
    for _, other in ipairs(command and common or {}) do
        if other.name == row.name then
            return command:lower() .. "." .. row.name
        end
    end
    return row.name
end

-- Add the rows of a slot; returns their words.
local function add_slot(tree, slot, common, command)
    local own = command and command.rows or {}
    local address, is_good = address_of(slot, own)
    local words = {command and command.name or "UNKNOWN"}

    local function add(rows, of)
        for _, row in ipairs(rows) do
            add_row(tree, slot, row)
            add_common(tree, slot, row, of ~= nil)
            if not (row.role == "code" and command or row.role == "len" and is_good) then
                words[#words + 1] = row_name(row, common, of) .. " " .. value_text(slot, row, address)
            end
        end
    end
    add(common)
    if address then
        tree:add(f.address, address):set_generated()
    end
    add(own, command and command.name)
    return table.concat(words, " ")
end

-- The value of the row with this role.
local function value_of(slot, rows, role)
    for _, row in ipairs(rows) do
        if row.role == role then
            return element(slot, row, 0)
        end
    end
end

local function dissect_slot(tree, slot, head, pinfo)
    local dialect, is_request = known.dialects[head.dialect], known.kinds[head.kind] == "request"
    local common = is_request and dialect.request or dialect.response
    local command = dialect.commands[value_of(slot, common, "code")]
    local shown = command

    if command and not is_request then
        shown = {name = command.name, rows = {}}
    end
    tree:add(f.cmd, slot(), command and command.name or "UNKNOWN"):set_generated()
    local under = tree:add(slot(), ("%s %s of %s"):format(command and command.name or "UNKNOWN",
                                                          known.kinds[head.kind], dialect.name))
    local words = add_slot(under, slot, common, shown)
    pair_up(head, pinfo, value_of(slot, common, "id"))
    add_links(tree, pinfo)
    return words
end

-- ---- headers ----

local function at(tvb, member)
    return tvb(known.header[member].at, known.header[member].bytes)
end

local function read_header(tvb)
    local head = {}
    for member in pairs(known.header) do
        if member ~= "sockid" then
            head[member] = at(tvb, member):le_uint()
        end
    end
    return head
end

-- What is wrong with a packet; nil if nothing is.
local function fault_of(tvb)
    if tvb:len() < tvb:reported_len() then
        return "cut to " .. tvb:len() .. " bytes"
    elseif tvb:len() < known.header_bytes then
        return "shorter than its header"
    end
    local head = read_header(tvb)
    local dialect, rest = known.dialects[head.dialect], tvb:len() - known.header_bytes
    if head.version ~= known.version then
        return "version " .. head.version
    end
    for member, list in pairs({kind = known.kinds, side = known.sides, moved = known.moves,
                               ring = known.rings, what = known.words, dialect = known.dialects}) do
        if not list[head[member]] then
            return ("there is no %s %d"):format(member, head[member])
        end
    end
    local kind, is_data = known.kinds[head.kind], known.rings[head.ring] == "data"
    if kind ~= "notify" and (kind == "index") ~= is_data then
        return ("a ring of %s has no %s"):format(known.rings[head.ring], kind)
    end
    local wanted = kind == "request" and dialect.request_bytes or kind == "response" and dialect.response_bytes or 0
    if rest ~= wanted or (kind ~= "index" and head.bytes ~= rest) then
        return ("%d bytes of a slot of %d"):format(rest, wanted)
    end
end

local function add_header(tree, tvb, head)
    for _, member in ipairs({"version", "kind", "side", "moved", "front", "back", "device", "dialect", "ring"}) do
        tree:add_le(f[member], at(tvb, member))
    end
    if known.rings[head.ring] == "data" then
        tree:add_le(f.sockid, at(tvb, "sockid"))
    end
end

local function dissect_index(tree, tvb, head)
    local word, range = known.words[head.what], at(tvb, "index")

    tree:add_le(f.word, at(tvb, "what"))
    if word:find("error", 1, true) then
        local code = range:le_int()
        tree:add_le(f.word_error, range)
        if code ~= 0 then
            tree:add(f.error, range, error_name(code) or "E?"):set_generated()
            tree:add_proto_expert_info(broken, word .. " " .. result_text(code))
        end
        return word .. " " .. result_text(code)
    end
    tree:add_le(f.value, range)
    tree:add_le(f.moved_bytes, at(tvb, "bytes"))
    return ("%s +%.0f to %.0f"):format(word, head.bytes, head.index)
end

local function dissect_kind(tree, tvb, head, pinfo)
    local kind = known.kinds[head.kind]

    if kind == "index" then
        return dissect_index(tree, tvb, head)
    elseif kind == "notify" then
        tree:add_le(f.port, at(tvb, "index"))
        return ("port %.0f"):format(head.index)
    end
    tree:add_le(f.index, at(tvb, "index"))
    tree:add_le(f.bytes, at(tvb, "bytes"))
    return dissect_slot(tree, tvb:range(known.header_bytes), head, pinfo)
end

-- Who moved it goes to the columns of addresses: the other side, where this one consumed.
local function set_columns(pinfo, tvb, head, words)
    local ends = {[0] = ("%d/%d"):format(head.front, head.device), [1] = ("back %d"):format(head.back)}
    local from = head.moved == 0 and head.side or 1 - head.side
    local did = known.moves[head.moved]
    local ring = "commands"

    if known.kinds[head.kind] == "notify" then
        did = head.moved == 0 and "sent" or "received"
    end
    if known.rings[head.ring] == "data" then
        ring = hex(at(tvb, "sockid"))
    end
    pinfo.cols.src = ends[from]
    pinfo.cols.dst = ends[1 - from]
    pinfo.cols.info = ("%s %s %s %s %s"):format(ring, known.sides[head.side], did, known.kinds[head.kind], words)
end

function proto.dissector(tvb, pinfo, root)
    local tree = root:add(proto, tvb())
    local fault = fault_of(tvb)

    pinfo.cols.protocol = "XenSock"
    if fault then
        pinfo.cols.info = "malformed: " .. fault
        tree:add_proto_expert_info(malformed, "Malformed: " .. fault)
        return tvb:len()
    end
    local head = read_header(tvb)
    add_header(tree, tvb, head)
    local words = dissect_kind(tree, tvb, head, pinfo)
    tree:append_text((", %d/%d %s, %s"):format(head.front, head.device, known.dialects[head.dialect].name, words))
    set_columns(pinfo, tvb, head, words)
    return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
