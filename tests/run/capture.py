"""Reads captures, from the format alone: no line of this knows how they are written.

    capture.py FILE EXPRESSION...   Python expressions that must be true of FILE. packets is a list of
                                    them, names the interfaces, dropped and received their statistics;
                                    n(kind, side, moved, what) how many packets have
                                    these, those that are given; s(...) their bytes.
"""
import struct
import sys
from collections import namedtuple

Packet = namedtuple("Packet", "time_ns interface flags kind side moved front back device dialect ring "
                              "index sockid bytes what slot")


def options(body):
    found = {}
    while len(body) >= 4:
        code, size = struct.unpack_from("<HH", body)
        if code == 0:
            break
        found[code] = body[4:4 + size]
        body = body[4 + (size + 3) // 4 * 4:]
    return found


def packet_of(body):
    interface, high, low, size, whole = struct.unpack_from("<5I", body)
    data = body[20:20 + size]
    version, kind, side, moved, front, back, device, dialect, ring, index, sockid, count, what, a, b, c = \
        struct.unpack_from("<4B3H2BIQI4B", data)
    flags, = struct.unpack("<I", options(body[20 + (size + 3) // 4 * 4:])[2])
    assert (version, a, b, c) == (1, 0, 0, 0) and size == whole
    assert len(data) == 32 + (count if kind in (1, 2) else 0)
    assert flags == (1 if moved else 2)
    return Packet(high << 32 | low, interface, flags, kind, side, moved, front, back, device, dialect,
                  ring, index, sockid, count, what, data[32:])


def read(path):
    """Interface names, packets, and [received, dropped] of each interface."""
    with open(path, "rb") as file:
        text = file.read()
    names, packets, statistics, at = [], [], [], 0
    while at < len(text):
        kind, size = struct.unpack_from("<II", text, at)
        assert size % 4 == 0 and size >= 12 and at + size <= len(text), f"block at {at}"
        assert struct.unpack_from("<I", text, at + size - 4) == (size,)
        body = text[at + 8:at + size - 4]
        if kind == 0x0A0D0D0A:
            assert at == 0 and body[:4] == b"\x4d\x3c\x2b\x1a"
            assert options(body[16:]) == {4: b"xensock"}
        elif kind == 1:
            assert struct.unpack_from("<HHI", body) == (147, 0, 0) and not packets
            assert options(body[8:])[9] == b"\x09"
            names.append(options(body[8:])[2].decode())
        elif kind == 6:
            packets.append(packet_of(body))
        elif kind == 5:
            found = options(body[12:])
            assert struct.unpack_from("<I", body) == (len(statistics),)
            statistics.append([struct.unpack("<Q", found[code])[0] for code in (4, 5)])
        else:
            raise AssertionError(f"block {kind} at {at}")
        at += size
    return names, packets, statistics


def check(names, packets):
    """What holds of each capture: names fit their packets, times go up, nothing is consumed before it
    was published, and what is consumed is what was."""
    sides = ("front", "back")
    published, last, known = {}, 0, set()
    for p in packets:
        ring = (p.interface, p.front, p.device, p.dialect, p.ring, p.sockid, p.side)
        if ring not in known:
            known.add(ring)
            name = f"{p.front}/{p.device} {('xensock1', 'pvcalls1', 'xensock1-compact')[p.dialect]} "
            name += f"socket {p.sockid:#x}" if p.ring else "commands"
            assert names[p.interface] == f"{name} {sides[p.side]}", (names[p.interface], p)
        assert p.time_ns >= last, p
        last = p.time_ns
        if p.kind not in (1, 2):
            continue
        key = (p.front, p.device, p.kind, p.index)
        if p.moved == 0:
            published[key] = p.slot
        else:
            assert published[key] == p.slot, p
    assert len(set(names)) == len(names)


def main():
    names, packets, statistics = read(sys.argv[1])
    check(names, packets)

    # packets by all that distinguishes them but their moment
    sums = {}
    for p in packets:
        one = sums.setdefault((p.kind, p.side, p.moved, p.what), [0, 0])
        one[0] += 1
        one[1] += p.bytes

    def total(place, kind=None, side=None, moved=None, what=None):
        wanted = (kind, side, moved, what)
        return sum(one[place] for key, one in sums.items()
                   if all(want in (None, have) for want, have in zip(wanted, key)))

    known = {"names": names, "packets": packets, "received": [one[0] for one in statistics],
             "dropped": [one[1] for one in statistics], "statistics": statistics,
             "n": lambda **wanted: total(0, **wanted), "s": lambda **wanted: total(1, **wanted)}
    bad = 0
    for text in ["len(statistics) in (0, len(names))"] + sys.argv[2:]:
        try:
            good = eval(f"({text})", known)
        except Exception as error:  # told, as what does not hold
            good = None
            print(type(error).__name__, error)
        if not good:
            bad = 1
            print("does not hold:", text)
    if bad:
        print(len(packets), "packets,", names[:8], statistics[:8])
    sys.exit(bad)


if __name__ == "__main__":
    main()
