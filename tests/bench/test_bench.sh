#!/bin/bash
# tools/bench stream, rtt, connect: every arm carries all of its loads, what is printed is whole, and
# who loses bytes, or has other sockets than it should, is no result. No figure is asserted here.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

! sanitized || { echo "skipped: nothing is preloaded into a program with a sanitizer"; exit 77; }
build=$(dirname "$XENSOCK")
export BENCH_BUILD=$build TMPDIR=$work
bench=$SOURCE/tools/bench
load=$build/tests/bench/load

# said TEXT: it is in the errors of the last command.
said()
{
    grep -qF -- "$1" err.log || fail "not said: $1, but: $(cat err.log)"
}

# clean: nothing of a bench is left.
clean()
{
    nothing_left
    [ -z "$(ls -d "$work"/xensock-bench.* 2>/dev/null)" ] || fail "left: $(ls "$work")"
}

# ---- what is asked for ---------------------------------------------------------------------------

expect 2 "$bench"
said "names: virtual protocol stream rtt connect"
expect 2 "$bench" rtt latency
said "there is no 'latency' to measure"
said "names: virtual protocol stream rtt connect"
expect 2 "$bench" --only nginx,apache rtt
said "there is no arm 'apache'"
said "native nagle unix nginx haproxy socat calls forward"
expect 2 "$bench" --pairs 0 rtt
said "--pairs takes a number from 1 to 1000, not '0'"
expect 2 "$bench" --ms
said "--ms needs a value"
expect 2 "$bench" --yaml rtt
said "there is no option '--yaml'"
expect 2 "$bench" --markdown virtual
said "--markdown is for stream, rtt and connect"
expect 2 "$bench" rtt --dialect
said "--dialect needs a value"
expect 2 "$bench" rtt --dialect xensock1
said "--dialect names what is measured beside xensock1"
expect 2 "$bench" --dialect pvcalls2 --only calls rtt
said "there is no dialect 'pvcalls2'; there are: xensock1 pvcalls1 xensock1-compact"
expect 2 "$bench" --order 7 --only calls rtt
said "xensock1 has orders 1 to 6, not 7"
expect 0 "$bench" --help
for line in '--dialect NAME,' 'connect '; do
    grep -q "^  $line" out.log || fail "no help: $(cat out.log)"
done
! grep -q 'shellcheck' out.log || fail "more than help: $(cat out.log)"

# ---- what is missing -----------------------------------------------------------------------------

mkdir without
ln -s /usr/bin/* without
rm without/socat
PATH=$work/without expect 77 "$bench" --only socat rtt
said "socat is missing (Debian: socat; tools/packages.sh bench installs it)"
PATH=$PATH:/usr/sbin
for program in nginx haproxy; do
    command -v $program >/dev/null || { echo "skipped: $program is missing"; exit 77; }
done

# ---- all of it -----------------------------------------------------------------------------------

code=0
timeout -k 5 100 "$bench" --json --pairs 1 --ms 1 stream rtt connect </dev/null >all.json 2>err.log ||
    code=$?
if [ $code = 77 ]; then
    cat err.log
    exit 77
fi
[ $code = 0 ] || fail "exit code $code"
clean
python3 - all.json <<'END' || fail "the result is not as it should be"
import json, os, sys
with open(sys.argv[1]) as file:
    result = json.load(file)
assert result["schema"] == "xensock/bench/1"
conditions, rows = result["conditions"], result["rows"]
assert conditions["congestion"] and conditions["nodelay"] is True, conditions
assert (conditions["order"], conditions["in_bytes"], conditions["out_bytes"]) == (6, 65536, 131072)
assert conditions["notify"] == "coalesced" and conditions["sample_ns"] == 1000000
assert isinstance(conditions["nice"], int) and conditions["programs"]
for name in "busy_before_cpus", "foreign_cpus", "stolen_cpus":
    assert conditions[name] >= 0, name
arms = "native nagle unix nginx haproxy socat calls forward".split()
names = {f"stream.{way}.{size}": "bytes_per_s"
         for way in ("up", "down") for size in (64, 1024, 16384, 65536)}
names |= {f"rtt.{size}": "p50_ns" for size in (64, 1024, 16384)} | {"connect": "per_s"}
widths = (1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,)
wanted = [(width, name, arm) for width in widths for name in names for arm in arms]
assert sorted(wanted) == sorted((r["cpus"], r["name"], r["arm"]) for r in rows)
assert ("line_ns" in conditions) == (2 in widths)
native = {(r["cpus"], r["name"]): r for r in rows if r["arm"] == "native"}
def divided(row, what, ratio):
    wanted = row[what] / native[row["cpus"], row["name"]][what]
    assert abs(row[ratio] - wanted) < 0.001 + wanted / 1000, (row, what, wanted)
for row in rows:
    divided(row, names[row["name"]], "ratio")
    threes = [(names[row["name"]], "least_" + names[row["name"]], "greatest_" + names[row["name"]]),
              ("ratio", "least", "greatest")]
    if row["name"].startswith("rtt"):
        threes += [(name, "least_" + name, "greatest_" + name) for name in ("p99_ns", "p99_ratio")]
        divided(row, "p99_ns", "p99_ratio")
        assert row["p50_ns"] <= row["p99_ns"], row
    for middle, least, greatest in threes:
        assert 0 < row[least] <= row[middle] <= row[greatest], (row, middle)
    assert row["arm"] != "native" or row["ratio"] == 1, row
    assert row["pairs"] == 1 and row.get("information", False) == (row["cpus"] == 2), row
    known = {key for three in threes for key in three} | {"name", "arm", "cpus", "pairs", "information"}
    assert set(row) <= known, set(row) - known
END

expect 0 "$bench" --markdown --pairs 2 --ms 1 --only calls,unix rtt connect
[ "$(sed -n '1p;$p' out.log | paste -sd ' ')" = '<!-- bench --> <!-- /bench -->' ] ||
    fail "no marks around: $(cat out.log)"
grep -qxF '| | plain TCP | AF_UNIX | own calls |' out.log || fail "another head: $(cat out.log)"
lines='round trip, 64 B, p50|round trip, 64 B, p99|round trip, 16 KiB, p99|connect and close'
[ "$(grep -cE "^\\| ($lines) (\\| [^|]*[0-9][^|]*){3}\\|$" out.log)" = \
    $((4 * ($(nproc) > 1 ? 2 : 1))) ] || fail "not all lines: $(cat out.log)"
clean

# ---- other dialects, with options behind what is measured -----------------------------------------

expect 0 "$bench" rtt connect --json --pairs 2 --ms 1 --only calls,forward \
    --dialect pvcalls1,xensock1-compact --order 4
python3 - out.log <<'END' || fail "the result is not as it should be"
import json, sys
with open(sys.argv[1]) as file:
    result = json.load(file)
conditions, rows = result["conditions"], result["rows"]
assert (conditions["order"], conditions["in_bytes"], conditions["out_bytes"]) == (4, 16384, 32768)
assert (conditions["pvcalls1.in_bytes"], conditions["pvcalls1.out_bytes"]) == (32768, 32768)
of = {(row["cpus"], row["name"], row["arm"]): row for row in rows}
cells = {key[:2] for key in of}
arms = {kind + dialect for kind in ("calls", "forward")
        for dialect in ("", "-pvcalls1", "-xensock1-compact")} | {"native"}
assert len(rows) == len(cells) * len(arms) and {key[2] for key in of} == arms
for (cpus, name, arm), row in of.items():
    kind, _, dialect = arm.partition("-")
    assert row.get("dialect", "") == dialect, row
    assert ("of_draft1" in row) == (dialect != ""), row
    if not dialect:
        continue
    assert 0 < row["least_of_draft1"] <= row["of_draft1"] <= row["greatest_of_draft1"], row
    assert ("p99_of_draft1" in row) == name.startswith("rtt"), row
    what = "p50_ns" if name.startswith("rtt") else "per_s" if name == "connect" else "bytes_per_s"
    base = of[cpus, name, kind]
    least, greatest = (row["least_" + what] / base["greatest_" + what],
                       row["greatest_" + what] / base["least_" + what])
    assert least - 0.001 <= row["least_of_draft1"] and row["greatest_of_draft1"] <= greatest + 0.001
END
expect 0 "$bench" connect --markdown --pairs 1 --ms 1 --only forward --dialect pvcalls1
# shellcheck disable=SC2016
grep -qxF '| | plain TCP | `forward -L` |' out.log || fail "another head: $(cat out.log)"
# shellcheck disable=SC2016
grep -qxF '| | `forward -L`, draft 1 | pvcalls1 |' out.log || fail "no table: $(cat out.log)"
clean

# ---- who is no result ----------------------------------------------------------------------------

# Sockets as the programs make them: not those of the comparison.
mkdir -p bare/tests/bench
ln -s "$XENSOCK" bare/xensock
ln -s "$load" "$load"_guest bare/tests/bench
for arm in haproxy calls; do
    BENCH_BUILD=$work/bare expect 1 "$bench" --pairs 1 --ms 1 --only $arm rtt
    grep -qE "$arm.*(failed|has .* no socket with load_preload.so)" err.log ||
        fail "$arm, without the library: $(cat err.log)"
    clean
done

# relay HOW BYTES: between the client and the server, the last byte of a direction is lost, or comes
# twice; BYTES go up.
relay()
{
    cat >relay.py <<'END'
import socket, sys
server, how = int(sys.argv[1]), sys.argv[2]
HEADER = 24
def spoil(data, which):
    if how == which + " lost":
        return data[:-1]
    return data + data[-1:] if how == which + " twice" else data
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    front, _ = listener.accept()
    back = socket.create_connection(("127.0.0.1", server))
    data = b""
    while len(data) < HEADER + int(sys.argv[3]):
        data += front.recv(4096)
    back.sendall(spoil(data, "up"))
    data = b""
    while part := back.recv(4096):
        data += part
    front.sendall(spoil(data, "down"))
END
    start relay python3 relay.py "$(cat server.log)" "$@"
    within 10 test -s relay.log
}

start server "$load" serve 0
server=$pid
within 10 test -s server.log

# conversation CODE HOW WHAT BYTES: ten messages of 64 bytes through such a relay; BYTES go up.
conversation()
{
    relay "$2" "$4"
    expect "$1" "$load" "$(cat relay.log)" "$3" 64 10
    ended "$pid" 0 10
}
conversation 0 "none" up 640
conversation 0 "none" down 0
conversation 1 "down lost" down 0
said "receiving: end of stream"
conversation 1 "down twice" down 0
said "instead of the end of the stream: a byte"
conversation 1 "up twice" up 640
said "waiting for the server's byte: end of stream"
kill -TERM "$server"
ended "$server" 143 10

# ---- interrupted ---------------------------------------------------------------------------------

measuring()
{
    [ -s "$(echo xensock-bench.*/samples)" ]
}

start interrupted "$bench" --pairs 1000 --only forward,calls,nginx rtt
within 20 measuring
kill -INT "$pid"
ended "$pid" 130 20
clean
