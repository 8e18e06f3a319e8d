#!/bin/bash
# What `xensock decode` prints of a capture, as text, as JSON, added up and filtered; and what it says of
# files that are odd, damaged, or none. captures.py writes the files from the format alone and says
# what must be found in them, so that a mistake of the reader is not shared.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"
captures=$SOURCE/tests/decode/captures.py

# is FILE: it holds exactly what stands on stdin.
is()
{
    cat >wanted
    diff -u wanted "$1" || fail "$1 is not as it should be"
}

# decode ARGUMENT...: without complaint.
decode()
{
    expect 0 "$XENSOCK" decode "$@"
    [ ! -s err.log ] || fail "something on stderr: $(cat err.log)"
}

python3 "$captures" all all.pcapng expected.json
python3 "$captures" variants

# Every packet, field by field.
decode --json all.pcapng
cp out.log all.json
python3 - <<'END' || fail "the JSON is not what was written"
import json
expected = json.load(open("expected.json"))
got = [json.loads(line) for line in open("all.json")]
for number, (one, other) in enumerate(zip(expected, got), 1):
    words = other.pop("text")
    assert words, number
    if one != other:
        raise SystemExit(f"packet {number}:\n{one}\n{other}")
assert len(expected) == len(got) > 190, len(got)
# the file has each command of each dialect, each kind, each word
for dialect, count in (("xensock1", 6), ("pvcalls1", 7), ("xensock1-compact", 6)):
    assert len({p["command"] for p in got if p["dialect"] == dialect and "command" in p}) == count + 1
assert len({p["kind"] for p in got}) == 4 and len({p["word"] for p in got if "word" in p}) == 6
END

# Words.
decode all.pcapng
cut -c 19- out.log >words.log
# shows LINE: it is among those printed.
shows()
{
    grep -Fqx -- "$1" words.log || fail "not shown: $1"
}
shows "1/3   commands   front published  request   CONNECT id 3 sockid 0x1000001 addr 127.0.0.1:80 \
flags 2050 ref 8..71 evtchn 5"
shows "1/3   commands   back  consumed   request   CONNECT id 10 sockid 0x1000002 addr \
[2001:db8::ab:cdef:1]:443 flags 2050 ref 8..71 evtchn 5"
shows "1/3   commands   front published  request   ACCEPT id 45 sockid 0x1000007 accept.sockid \
0x8070605040302010 ref 9..11,40 evtchn 4294967295"
shows "1/3   commands   front published  request   UNKNOWN id 1 cmd 99 sockid 0x2"
shows "2/3   commands   front published  request   SOCKET req_id 3 id 0x1000001 domain AF_INET type \
SOCK_STREAM protocol 0"
shows "2/3   commands   front published  request   SOCKET req_id 10 id 0x1000002 domain 77 type 9 \
protocol 6"
shows "2/3   commands   front published  request   CONNECT req_id 31 id 0x1000005 addr \
0708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122 len 28 flags 7 ref 9 evtchn 5"
shows "2/3   commands   back  published  response  CONNECT req_id 24 ret -ENOTSUP id 0x1000004  (8.50 us)"
shows "2/3   commands   front consumed   response  CONNECT req_id 31 ret -3000 id 0x1000005  (9.91 us)"
shows "3/3   commands   front published  request   BIND id 31 sockid 0x1000005 addr 127.0.0.1:80"
shows "3/3   commands   front sent       notify    port 17"
shows "3/3   0x1000001  back  published  index     in_prod +1448 to 4294967280"
shows "3/3   0x1000001  front published  index     in_cons +32 to 16"
shows "3/3   0x1000001  front published  index     out_prod +32 to 16"
shows "3/3   0x1000001  back  published  index     out_cons +32 to 16"
shows "3/3   0x1000001  back  published  index     in_error -ENOTCONN"
shows "3/3   0x1000001  back  published  index     in_error -4000"
shows "3/3   0x1000001  back  published  index     out_error -ECONNRESET"
shows "3/3   0x1000001  front received   notify    port 18"
[[ $(head -n 1 out.log) == "     0.001000000  1/3 "* ]] || fail "the time is not first, or not as it was"

# The same from a pipe.
cp out.log all.log
timeout 50 "$XENSOCK" decode - <all.pcapng >out.log || fail "not from a pipe"
cmp out.log all.log || fail "from a pipe it is not the same"

# chosen EXPRESSION OPTION...: exactly those packets p of all are shown for which it is true.
choices=0
chosen()
{
    choices=$((choices + 1))
    echo "$1" >"choice.$choices"
    shift
    decode --json "$@" all.pcapng
    mv out.log "chosen.$choices"
}
chosen 'p["front"] == 2' --guest 2
chosen 'p["front"] == 2' --guest 2/3
chosen 'p["side"] == "back"' --side back
chosen 'p["kind"] == "notify"' --kind notify
chosen 'p["kind"] in ("request", "index")' --kind request,index
chosen 'get("command") in ("POLL", "ACCEPT")' --command POLL,ACCEPT
chosen 'get("sockid") == "0x1000001"' --socket 0x1000001
chosen 'get("sockid") == "0x1000001"' --socket 16777217
chosen '"0x99887766" in get("fields", {}).values()' --socket 0x99887766
chosen 'p["front"] == 3 and p["kind"] == "response" and p["side"] == "front"' \
    --guest 3 --kind response --side front
chosen 'p["packet"] <= 7' --limit 7
chosen 'p["packet"] in (1, 4)' --kind request --limit 2
python3 - "$choices" <<'END' || fail "options do not choose what they should"
import json, sys
packets = [(line, json.loads(line)) for line in open("all.json")]
for number in range(1, int(sys.argv[1]) + 1):
    expression = open(f"choice.{number}").read()
    wanted = [line for line, p in packets if eval(expression, {"p": p, "get": p.get})]
    if wanted != list(open(f"chosen.{number}")) or not 0 < len(wanted) < 190:
        raise SystemExit(f"{len(wanted)} wanted: {expression}")
END
decode --guest 2/0 all.pcapng
[ ! -s out.log ] || fail "device 0 has no packets"
decode --socket 0 all.pcapng
[ ! -s out.log ] || fail "no socket has the id 0, and a packet without an id is none of it"

# Added up: the figures of one ring by hand, and all of them from the packets.
decode --summary --guest 2 all.pcapng
is out.log <<'END'
88 packets in 0.000240033 s

2/3 pvcalls1, back 0, commands
  command   requests     taken responses     taken    errors       p50 ns       p99 ns       max ns
  CONNECT          3         3         3         3         3         9909         9912         9912
  RELEASE          1         1         1         1         0         9915         9915         9915
  BIND             3         3         3         4         1         9930         9933         9933
  LISTEN           1         1         1         1         1         9921         9921         9921
  ACCEPT           1         1         1         1         1         9924         9924         9924
  POLL             1         1         1         1         1         9927         9927         9927
  SOCKET           2         2         2         2         1         9900         9903         9903
  UNKNOWN          1         0         0         1         0            -            -            -
  notifications: front 12 sent, 0 received; back 0 sent, 12 received

2/3 pvcalls1, back 0, sockets
  socket                in bytes       taken   out bytes       taken front sent   received  back sent   received
  0x1000001                 1480        1480        1480        1480          0          1          1          0  in_error -4000  out_error -ECONNRESET
END
decode --summary --json all.pcapng
python3 - <<'END' || fail "the summary is not the sum of the packets"
import collections, json
packets = [json.loads(line) for line in open("all.json")]
rings = [json.loads(line) for line in open("out.log")]
assert len(rings) == 6, len(rings)
for ring in rings:
    own = [p for p in packets if (p["front"], p["ring"]) == (ring["front"], ring["ring"])]
    for side in ("front", "back"):
        for moved in ("sent", "received"):
            count = sum((p["side"], p["moved"]) == (side, moved) for p in own)
            assert ring[f"{side}_{moved}"] == count, (ring, side, moved)
    if ring["ring"] == "data":
        for word in ("in_prod", "in_cons", "out_prod", "out_cons"):
            moved = sum(p["moved_bytes"] for p in own if p.get("word") == word)
            assert ring[word + "_bytes"] == moved > 0, (ring, word)
        assert ring["in_error"] == -4000 and ring["out_error"] == -104
        continue
    for name, command in ring["commands"].items():
        for kind in ("request", "response"):
            for side in ("front", "back"):
                count = sum((p["kind"], p["side"], p.get("command")) == (kind, side, name) for p in own)
                assert command[f"{side}_{kind}s"] == count, (name, kind, side)
        waits = sorted(p["response_ns"] for p in own if p["side"] == "front" and
                       p.get("command") == name and "response_ns" in p)
        if waits:
            ranks = [waits[(len(waits) * percent + 99) // 100 - 1] for percent in (50, 99, 100)]
            assert [command[key] for key in ("p50_ns", "p99_ns", "max_ns")] == ranks, (name, ranks)
        else:
            assert name == "UNKNOWN" and "p50_ns" not in command
END

# Files written otherwise say the same.
for what in plain big-endian microseconds picoseconds binary seconds-since; do
    decode "$what.pcapng"
    is out.log <<'END'
     1.500000000  1/0   commands   front sent       notify    port 17
END
done
decode sections.pcapng
is out.log <<'END'
     1.500000000  1/0   commands   front sent       notify    port 17
     1.600000000  2/0   commands   back  received   notify    port 4
END

# notes TEXT WHAT: the capture is read to its end, and this is said of it.
notes()
{
    expect 0 "$XENSOCK" decode "$2.pcapng"
    grep -Fqx "xensock decode: note: $2.pcapng: $1" err.log || fail "not said: $1"
}
notes "packets of other link types left out: 1" beside
[ "$(wc -l <out.log)" = 2 ] || fail "not both packets beside those of others"
decode --json strangers.pcapng
[[ $(sed -n 2p out.log) == '{"packet":3,'* ]] || fail "packets are not counted as Wireshark does"
notes "packets not captured, for want of room: 70000" dropped

# refuses TEXT ARGUMENT...: exit code 2, and this is said.
refuses()
{
    local text=$1
    shift
    expect 2 "$XENSOCK" decode "$@"
    [[ $(cat err.log) == *"$text"* ]] || fail "not said: $text but $(cat err.log)"
}
# damaged LINES WHAT TEXT: what is whole is printed, so many lines, and then the fault.
damaged()
{
    refuses "xensock decode: error[E0706]: $2.pcapng: offset $3" "$2.pcapng"
    [ "$(wc -l <out.log)" = "$1" ] || fail "not $1 packets of $2"
}
damaged 0 ethernet "44: a capture of link type 1; those of xensock have 147"
damaged 0 too-fine "44: an interface whose clock ticks every 10^-20 s"
damaged 0 too-late "120: a time that 64 bits of nanoseconds cannot hold"
damaged 0 before "132: a time that 64 bits of nanoseconds cannot hold"
damaged 0 version-2 "12: pcapng of version 2; this xensock reads version 1"
damaged 0 no-interface "52: interface 1; the section has named 0 until here"
damaged 0 no-order "8: 0x61626364 is no byte order"
damaged 1 short-block "188: no block of this kind has 28 bytes"
damaged 0 long-packet "128: a packet of 200 bytes; its block has 44"
damaged 1 huge-block "188: a block of 4294967292 bytes; at most 16777216"
damaged 1 odd-length "188: no block of this kind has 33 bytes"
damaged 1 long-option "200: an option of 9 bytes; its block has 0 more"
damaged 0 other-length "180: the block that begins at 108 has 64 bytes at its end, and 76 at its start"
damaged 1 malformed "136: a packet of version 2; this xensock reads 1"
cut -d ' ' -f 6- err.log >faults.log
is faults.log <<'END'
136: a packet of version 2; this xensock reads 1
213: there is no kind 0
289: there is no kind 5
366: there is no side 2
443: there is no way to move 2
526: there is no dialect 3
603: there is no ring 2
696: there is no word of a ring 6
755: a ring of commands has no index
831: a ring of data has no request
971: a ring of data has no response
1092: a request of pvcalls1 of 68 bytes; it has 64
1236: a request of pvcalls1 of 68 bytes; it has 64
1380: a response of pvcalls1 of 20 bytes; it has 24
1476: a notify of pvcalls1 of 4 bytes; it has 0
1548: 63 bytes are said to follow; it is 64
1664: a packet of 31 bytes; its header has 32
1740: a packet of 0 bytes; its header has 32
1784: a packet cut to 32 of its 36 bytes
END
cat malformed.pcapng malformed.pcapng >twice.pcapng
refuses "xensock decode: 18 more errors" twice.pcapng
[ "$(wc -l <err.log)" = 21 ] || fail "not 20 errors and a number"
head -c 181 plain.pcapng >cut.pcapng
refuses "cut.pcapng: offset 181: the file ends in the block that begins at 108" cut.pcapng
head -c 111 plain.pcapng >cut.pcapng
refuses "cut.pcapng: offset 111: the file ends in the block that begins at 108" cut.pcapng
: >empty
refuses "empty: offset 0: no capture: it does not begin as a pcapng file does" empty
refuses "all.log: offset 0: no capture: it does not begin as a pcapng file does" all.log
refuses "none.pcapng: cannot be read: No such file or directory" none.pcapng
refuses ".: offset 0: cannot be read: Is a directory" .

refuses "--guest D[/I] takes a number up to 32751, not 'x'" --guest x all.pcapng
refuses "--guest D/I takes a number up to 65535, not '65536'" --guest 1/65536 all.pcapng
refuses "--guest takes D or D/I, not '1111111111111111/1'" --guest 1111111111111111/1 all.pcapng
refuses "--socket takes an id, decimal or 0x1f, not '0x'" --socket 0x all.pcapng
refuses "--socket takes an id, decimal or 0x1f, not '-1'" --socket -1 all.pcapng
refuses "--socket takes an id, decimal or 0x1f, not '18446744073709551616'" \
    --socket 18446744073709551616 all.pcapng
refuses "--kind does not know 'requests'; it knows: request response index notify" \
    --kind index,requests all.pcapng
refuses "--command does not know ''; it knows: CONNECT RELEASE BIND" --command POLL, all.pcapng
refuses "--side takes front or back, not 'left'" --side left all.pcapng
refuses "--limit takes a number" --limit -1 all.pcapng
refuses "xensock decode: unrecognized option '--bad'" --bad all.pcapng
refuses "usage: xensock decode"
refuses "usage: xensock decode" all.pcapng all.pcapng
expect 0 "$XENSOCK" decode --help
[[ $("$XENSOCK" --help) == *"  decode FILE "* ]] || fail "xensock --help does not name it"
if [ -w /dev/full ]; then
    status=0
    "$XENSOCK" decode all.pcapng >/dev/full 2>full.log || status=$?
    [ "$status" = 1 ] || fail "exit code $status for a full standard output"
fi
