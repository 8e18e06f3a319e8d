#!/usr/bin/env python3
"""Writes captures from the format alone, and says what a reader must find in them.

It shares nothing with the program: slots are packed by the specifications' offsets
(protocol.md 1.2, 3.2), headers as sim/run/capture_format.h describes them, blocks as the pcapng draft
does. What is expected of a packet stands in `expected`, by the names of `xensock decode --json`.

    captures.py all FILE EXPECTED    every command of every dialect, every word, both sides
    captures.py variants             NAME.pcapng each: small, written in another way, or wrong
"""
import json
import struct
import sys

LINKTYPE = 147
KINDS = {"request": 1, "response": 2, "index": 3, "notify": 4}
SIDES = {"front": 0, "back": 1}
WORDS = {"in_prod": 0, "in_cons": 1, "out_prod": 2, "out_cons": 3, "in_error": 4, "out_error": 5}
ERRORS = {-22: "EINVAL", -104: "ECONNRESET", -107: "ENOTCONN", -111: "ECONNREFUSED",
          -524: "ENOTSUP"}


def pad(data):
    return data + bytes(-len(data) % 4)


class Capture:
    """A pcapng file, block by block."""

    def __init__(self, order="<"):
        self.order = order
        self.data = b""
        self.expected = []
        self.packets = 0

    def block(self, kind, body):
        length = len(body) + 12
        self.data += struct.pack(self.order + "II", kind, length) + body + \
            struct.pack(self.order + "I", length)

    def options(self, options):
        """[(code, bytes)], ended as the draft asks for."""
        if not options:
            return b""
        text = b"".join(struct.pack(self.order + "HH", code, len(value)) + pad(value)
                        for code, value in options)
        return text + struct.pack(self.order + "HH", 0, 0)

    def section(self, version=1):
        self.block(0x0a0d0d0a, struct.pack(self.order + "IHHq", 0x1a2b3c4d, version, 0, -1) +
                   self.options([(4, b"xensock")]))

    def interface(self, name, linktype=LINKTYPE, resolution=9, since_s=None):
        options = [(2, name.encode())]
        if resolution is not None:
            options.append((9, bytes([resolution])))
        if since_s is not None:
            options.append((14, struct.pack(self.order + "q", since_s)))
        self.block(1, struct.pack(self.order + "HHI", linktype, 0, 0) + self.options(options))

    def packet(self, interface, ticks, data, inbound=False, original=None):
        self.packets += 1
        at = len(self.data) + 8 + 20
        self.block(6, struct.pack(self.order + "IIIII", interface, ticks >> 32,
                                  ticks & 0xffffffff, len(data),
                                  len(data) if original is None else original) +
                   pad(data) + self.options([(2, struct.pack(self.order + "I",
                                                             1 if inbound else 2))]))
        return at

    def dropped(self, interface, count):
        self.block(5, struct.pack(self.order + "III", interface, 0, 0) +
                   self.options([(5, struct.pack(self.order + "Q", count))]))


def header(kind, side, moved, guest, ring, index, sockid=0, length=0, what=0, version=1):
    front, back, device, dialect = guest
    return struct.pack("<BBBBHHHBBIQIB3x", version, KINDS[kind], SIDES[side], moved, front, back,
                       device, dialect, ring, index, sockid, length, what)


def inet(ip, port):
    return struct.pack("<H", 2) + struct.pack(">H", port) + bytes(ip) + bytes(20)


def inet6(words, port):
    return struct.pack("<H", 10) + struct.pack(">HI", port, 0) + struct.pack(">8H", *words) + \
        bytes(4)


V4 = (inet((127, 0, 0, 1), 80), 16, "127.0.0.1:80")
V6 = (inet6((0x2001, 0xdb8, 0, 0, 0, 0xab, 0xcdef, 1), 443), 28, "[2001:db8::ab:cdef:1]:443")
ODD = (bytes(range(7, 35)), 28, bytes(range(7, 35)).hex())
SCOPED = (V6[0][:24] + b"\1\0\0\0", 28, (V6[0][:24] + b"\1\0\0\0").hex())
LONG = (V4[0], 28, V4[0].hex())  # an IPv4 address of another length than those have


class Xensock1:
    name, place, id, sock = "xensock1", 0, "id", "sockid"

    def request(self, code, ident, sockid, body=b""):
        return struct.pack("<IIQ", ident, code, sockid) + body.ljust(296, b"\0")

    def response(self, code, ident, sockid, ret):
        return struct.pack("<IIQi4x", ident, code, sockid, ret)

    def requests(self):
        """(command, code, bytes, fields of its own)"""
        refs = list(range(8, 72))
        few = [9, 10, 11, 40] + 60 * [0]
        for addr, length, text in (V4, V6, ODD):
            body = struct.pack("<28sII64II", addr, length, 0x802, *refs, 5)
            yield "CONNECT", 0, body, dict(addr=text, len=length, flags=0x802, ref=refs, evtchn=5)
        yield "RELEASE", 3, b"", {}
        yield "BIND", 4, struct.pack("<28sI", *V4[:2]), dict(addr=V4[2], len=16)
        yield "LISTEN", 5, b"", {}
        yield "ACCEPT", 6, struct.pack("<Q64II", 0x8070605040302010, *few, 0xffffffff), \
            {"accept.sockid": "0x8070605040302010", "ref": few, "evtchn": 0xffffffff}
        yield "POLL", 7, b"", {}
        for addr in (SCOPED, LONG):
            yield "BIND", 4, struct.pack("<28sI", *addr[:2]), dict(addr=addr[2], len=addr[1])


class Pvcalls1:
    name, place, id, sock = "pvcalls1", 1, "req_id", "id"

    def request(self, code, ident, sockid, body=b""):
        return struct.pack("<IIQ", ident, code, sockid) + body.ljust(48, b"\0")

    def response(self, code, ident, sockid, ret):
        return struct.pack("<IIi4xQ", ident, code, ret, sockid)

    def requests(self):
        yield "SOCKET", 0, struct.pack("<III", 2, 1, 0), dict(domain=2, type=1, protocol=0)
        yield "SOCKET", 0, struct.pack("<III", 77, 9, 6), dict(domain=77, type=9, protocol=6)
        for addr, length, text in (V4, V6, ODD):
            yield "CONNECT", 1, struct.pack("<28sIIII", addr, length, 7, 9, 5), \
                dict(addr=text, len=length, flags=7, ref=9, evtchn=5)
        yield "RELEASE", 2, struct.pack("<B", 1), dict(reuse=1)
        yield "BIND", 3, struct.pack("<28sI", *V6[:2]), dict(addr=V6[2], len=28)
        yield "LISTEN", 4, struct.pack("<I", 128), dict(backlog=128)
        yield "ACCEPT", 5, struct.pack("<QII", 0x2233445566778899, 70, 71), \
            dict(id_new="0x2233445566778899", ref=70, evtchn=71)
        yield "POLL", 6, b"", {}
        for addr in (SCOPED, LONG):
            yield "BIND", 3, struct.pack("<28sI", *addr[:2]), dict(addr=addr[2], len=addr[1])


class Compact:
    name, place, id, sock = "xensock1-compact", 2, "id", "sockid"

    def request(self, code, ident, sockid, body=(0, b"")):
        return struct.pack("<HBBI", ident, code, body[0], sockid) + body[1].ljust(36, b"\0")

    def response(self, code, ident, sockid, ret):
        return struct.pack("<HBxIhxx", ident, code, sockid, ret)

    def requests(self):
        for addr, length, text in (V4, V6, ODD):
            yield "CONNECT", 0, (length, struct.pack("<28sII", addr, 9, 5)), \
                dict(addr=text, len=length, ref=9, evtchn=5)
        yield "RELEASE", 3, (0, b""), {}
        yield "BIND", 4, (16, V4[0]), dict(addr=V4[2], len=16)
        yield "LISTEN", 5, (0, b""), {}
        yield "ACCEPT", 6, (0, struct.pack("<III", 0x99887766, 70, 71)), \
            {"accept.sockid": "0x99887766", "ref": 70, "evtchn": 71}
        yield "POLL", 7, (0, b""), {}
        for addr in (SCOPED, LONG):
            yield "BIND", 4, (addr[1], addr[0]), dict(addr=addr[2], len=addr[1])


class Story:
    """One device's packets, each with what is expected of it."""

    def __init__(self, capture, dialect, front, first_interface):
        self.capture = capture
        self.dialect = dialect
        self.guest = (front, 0, 3, dialect.place)
        self.interface = first_interface
        self.asked = {}  # (side, id): packet number and time

    def add(self, time_ns, data, side, moved, expected, ring="commands"):
        kind = expected["kind"]
        words = ("sent", "received") if kind == "notify" else ("published", "consumed")
        at = self.capture.packet(self.interface + SIDES[side], time_ns, data, moved == 1)
        self.capture.expected.append({
            "packet": self.capture.packets, "offset_bytes": at, "time_ns": time_ns,
            "front": self.guest[0], "back": 0, "device": 3, "dialect": self.dialect.name,
            "ring": ring, "side": side, "moved": words[moved], **expected})

    def request(self, time_ns, side, index, ident, sockid, row):
        command, code, body, own = row
        slot = self.dialect.request(code, ident, sockid, body)
        moved = 0 if side == "front" else 1
        self.add(time_ns, header("request", side, moved, self.guest, 0, index, 0, len(slot)) + slot,
                 side, moved,
                 {"kind": "request", "sockid": hex(sockid), "index": index, "command": command,
                  "req_id": ident, "fields": {self.dialect.id: ident, "cmd": code,
                                              self.dialect.sock: hex(sockid), **own}})
        self.asked[side, ident] = self.capture.packets, time_ns

    def response(self, time_ns, side, index, ident, sockid, row, ret):
        slot = self.dialect.response(row[1], ident, sockid, ret)
        moved = 0 if side == "back" else 1
        expected = {"kind": "response", "sockid": hex(sockid), "index": index, "command": row[0],
                    "req_id": ident, "ret": ret,
                    "fields": {self.dialect.id: ident, "cmd": row[1], "ret": ret,
                               self.dialect.sock: hex(sockid)}}
        if ret in ERRORS:
            expected["error"] = ERRORS[ret]
        if (side, ident) in self.asked:
            number, asked_ns = self.asked.pop((side, ident))
            expected.update(request_packet=number, response_ns=time_ns - asked_ns)
        self.add(time_ns, header("response", side, moved, self.guest, 0, index, 0, len(slot)) +
                 slot, side, moved, expected)

    def index(self, time_ns, side, sockid, word, value, moved_bytes=0):
        expected = {"kind": "index", "sockid": hex(sockid), "word": word, "value": value}
        if "error" not in word:
            expected["moved_bytes"] = moved_bytes
        elif value in ERRORS:
            expected["error"] = ERRORS[value]
        self.add(time_ns, header("index", side, 0, self.guest, 1, value & 0xffffffff, sockid,
                                 moved_bytes, WORDS[word]), side, 0, expected, "data")

    def notify(self, time_ns, side, moved, port, sockid=None):
        expected = {"kind": "notify", "port": port}
        if sockid is not None:
            expected["sockid"] = hex(sockid)
        self.add(time_ns, header("notify", side, moved, self.guest, 0 if sockid is None else 1, port,
                                 sockid or 0), side, moved, expected,
                 "commands" if sockid is None else "data")


def tell(capture, dialect, front, first_interface, start_ns):
    """Every command, answered in turn with success and with errors; then a data ring."""
    story = Story(capture, dialect, front, first_interface)
    rets = [0, -111, -22, -524, -3000 if dialect.place != 2 else -107, 111]
    now, sockid = start_ns, 0x1000001
    for number, row in enumerate(dialect.requests()):
        ident, index = 3 + 7 * number, 0xfffffffe + number & 0xffffffff
        story.request(now, "front", index, ident, sockid, row)
        story.notify(now + 10, "front", 0, 17)
        story.notify(now + 400, "back", 1, 4)
        story.request(now + 500, "back", index, ident, sockid, row)
        story.response(now + 9000 + number, "back", index, ident, sockid, row,
                       rets[number % len(rets)])
        story.response(now + 9900 + 3 * number, "front", index, ident, sockid, row,
                       rets[number % len(rets)])
        now += 20000
        sockid += 1
    story.response(now - 1, "front", 39, ident, sockid, row, 0)  # a second time
    # what no dialect has, and an answer to nothing
    unknown = ("UNKNOWN", 99, (0, b"") if dialect.place == 2 else b"", {})
    story.request(now, "front", 40, 1, 2, unknown)
    story.response(now + 1, "front", 40, 2, 2, unknown, -524)
    for word in WORDS:
        side = "front" if word in ("in_cons", "out_prod") else "back"
        if "error" in word:
            story.index(now + 30, side, 0x1000001, word, -107 if word == "in_error" else -104)
        else:
            story.index(now + 20, side, 0x1000001, word, 0xfffffff0, 1448)
            story.index(now + 21, side, 0x1000001, word, 16, 32)
    story.index(now + 31, "back", 0x1000001, "in_error", -4000)
    story.notify(now + 32, "back", 0, 9, 0x1000001)
    story.notify(now + 33, "front", 1, 18, 0x1000001)
    return now + 1000


def write_all(path, expected_path):
    capture = Capture()
    capture.section()
    dialects = (Xensock1(), Pvcalls1(), Compact())
    for front, dialect in enumerate(dialects, 1):
        for side in ("front", "back"):
            capture.interface(f"{front}/3 {dialect.name} commands {side}")
    now = 1_000_000
    for front, dialect in enumerate(dialects, 1):
        now = tell(capture, dialect, front, 2 * (front - 1), now)
    with open(path, "wb") as out:
        out.write(capture.data)
    with open(expected_path, "w") as out:
        json.dump(capture.expected, out)


GUEST = (1, 0, 0, 1)


def small(order="<", ticks=1_500_000_000, **how):
    """A section, an interface, a notification at 1.5 s."""
    capture = Capture(order)
    capture.section()
    capture.interface("1/0 pvcalls1 commands front", **how)
    capture.packet(0, ticks, header("notify", "front", 0, GUEST, 0, 17))
    return capture


def malformed():
    """Packets that are none, each in its own way, and a good one behind them."""
    capture = Capture()
    capture.section()
    capture.interface("1/0 pvcalls1 commands front")
    notify = header("notify", "front", 0, GUEST, 0, 17)
    slot, answer = Pvcalls1().request(6, 3, 0x11), Pvcalls1().response(6, 3, 0x11, 0)
    ask = header("request", "front", 0, GUEST, 0, 17, 0, len(slot))
    reply = header("response", "front", 1, GUEST, 0, 17, 0, len(answer))
    index = header("index", "front", 0, GUEST, 1, 17, 5, 1)

    def changed(data, at, value):
        return data[:at] + bytes([value]) + data[at + 1:]

    bad = [changed(notify, 0, 2), changed(notify, 1, 0), changed(notify, 1, 5),
           changed(notify, 2, 2), changed(notify, 3, 2), changed(notify, 10, 3),
           changed(notify, 11, 2), changed(index, 28, 6), changed(index, 11, 0),
           changed(ask, 11, 1) + slot, changed(reply, 11, 1) + answer,
           ask + slot + bytes(4), changed(ask, 24, 68) + slot + bytes(4), reply + answer[:-4], notify + bytes(4),
           changed(ask, 24, 63) + slot, index[:31], b""]
    for number, data in enumerate(bad):
        capture.packet(0, number, data)
    capture.packet(0, 100, notify, original=36)
    capture.packet(0, 101, notify)
    return capture


def sections():
    """A second one, of the other byte order, whose interface counts microseconds."""
    capture = small()
    capture.order = ">"
    capture.section()
    capture.interface("2/0 pvcalls1 commands back", resolution=None)
    capture.packet(0, 1_600_000, header("notify", "back", 1, (2, 0, 0, 1), 0, 4))
    return capture


def beside():
    """Packets of another link among ours."""
    capture = small()
    capture.interface("lo", linktype=1)
    capture.packet(1, 1_600_000_000, bytes(60))
    capture.packet(0, 1_700_000_000, header("notify", "front", 1, GUEST, 0, 17))
    return capture


def strangers():
    """Blocks that nothing is known of, and a packet without a time, which counts as one."""
    capture = small()
    capture.block(0x0bad, bytes(8000))
    capture.block(4, bytes(4))
    capture.block(3, struct.pack("<I", 4) + bytes(4))
    capture.packet(0, 1_700_000_000, header("notify", "front", 1, GUEST, 0, 17))
    return capture


def dropped():
    capture = small()
    capture.dropped(0, 70_000)
    return capture


def version_2():
    capture = Capture()
    capture.section(version=2)
    return capture


def no_interface():
    capture = Capture()
    capture.section()
    capture.packet(1, 0, bytes(32))
    return capture


def followed(data):
    """By something that is no block."""
    capture = small()
    capture.data += data
    return capture


def replaced(before, after):
    """With other bytes where `before` was last."""
    capture = small()
    at = capture.data.rindex(before)
    capture.data = capture.data[:at] + after + capture.data[at + len(before):]
    return capture


def long_option():
    capture = small()
    capture.block(1, struct.pack("<HHI", LINKTYPE, 0, 0) + struct.pack("<HH", 2, 9))
    return capture


VARIANTS = {
    "plain": small,
    "big-endian": lambda: small(">"),
    "microseconds": lambda: small(resolution=None, ticks=1_500_000),
    "picoseconds": lambda: small(resolution=12, ticks=1_500_000_000_000),
    "binary": lambda: small(resolution=0x80 | 63, ticks=3 << 62),  # 2^-63 s, the finest
    "seconds-since": lambda: small(since_s=-1_000, ticks=1_001_500_000_000),
    "sections": sections,
    "beside": beside,
    "strangers": strangers,
    "dropped": dropped,
    "ethernet": lambda: small(linktype=1),
    "too-fine": lambda: small(resolution=20),
    "too-late": lambda: small(resolution=0, ticks=1 << 35),
    "before": lambda: small(since_s=-2),
    "version-2": version_2,
    "no-interface": no_interface,
    "no-order": lambda: replaced(struct.pack("<I", 0x1a2b3c4d), b"abcd"),
    "huge-block": lambda: followed(struct.pack("<II", 6, 0xfffffffc)),
    "odd-length": lambda: followed(struct.pack("<II", 6, 33)),
    "short-block": lambda: followed(struct.pack("<II", 6, 28)),
    "long-packet": lambda: replaced(struct.pack("<II", 32, 32), struct.pack("<II", 200, 200)),
    "long-option": long_option,
    "other-length": lambda: replaced(struct.pack("<I", 76), struct.pack("<I", 64)),
    "malformed": malformed,
}

if __name__ == "__main__":
    if sys.argv[1] == "all":
        write_all(*sys.argv[2:])
    else:
        for name, make in VARIANTS.items():
            with open(name + ".pcapng", "wb") as file:
                file.write(make().data)
