#!/bin/bash
# Captures of runs: what is in the file is what the result counts, in each dialect; processes that are
# killed leave theirs; what cannot be written, or does not fit, is told; and without one all is as it
# was. The files are read by capture.py, which knows the format and nothing of us.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
export PYTHONDONTWRITEBYTECODE=1

# shows FILE EXPRESSION...: they are true of the capture (capture.py).
shows()
{
    python3 "$SOURCE/tests/run/capture.py" "$@" || fail "$1 is not as it should be"
}

# gone NAME: nothing is beside a file but itself.
gone()
{
    [ -z "$(compgen -G "$1.parts-*")" ] || fail "left: $(compgen -G "$1.parts-*")"
}

cat >base.yaml <<'END'
schema: xensock/scenario/1
name: base
seed: 3
duration: 120ms
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    sink: {kind: sink}
    echo: {kind: echo}
protocol: {dialect: xensock1, order: 1}
workload:
  - {name: up, kind: stream, connect_to: sink, direction: up}
  - {name: ask, kind: request-response, connect_to: echo, request: 64}
  - {name: open, kind: connect-close, connect_to: sink}
END

# In virtual time, where the result counts to a turn at a known time; the file is the same twice, and
# trace and result are those without it.
virtual=(run --quiet --set mode=virtual --set duration=20ms)
for dialect in xensock1 pvcalls1 xensock1-compact; do
    set=protocol.dialect=$dialect
    expect 0 "$XENSOCK" "${virtual[@]}" --set "$set" --out without --trace without.trace base.yaml
    expect 0 "$XENSOCK" "${virtual[@]}" --set "$set" --out with --trace with.trace \
        --capture a.pcapng base.yaml
    expect 0 "$XENSOCK" "${virtual[@]}" --set "$set" --out with --capture b.pcapng base.yaml
    cmp a.pcapng b.pcapng || fail "$dialect: not the same file twice"
    cmp without.trace with.trace || fail "$dialect: another trace with a capture"
    end=$("$XENSOCK" trace show --format json --point phase with.trace |
        sed -n 's/{"now_ns":\([0-9]*\),.*"text":"drain"}/\1/p')
    python3 - a.pcapng "$end" <<END || fail "$dialect: the result counts otherwise"
import json, sys
sys.path.insert(0, "$SOURCE/tests/run")
import capture
names, packets, _ = capture.read(sys.argv[1])
end = int(sys.argv[2])
with open("with/result.json") as file:
    counters = json.load(file)["points"][0]["repeats"][0]["counters"]
with open("without/result.json") as file:
    before = json.load(file)["points"][0]["repeats"][0]["counters"]
assert counters.pop("capture.packets") == len(packets) > 1000
assert counters.pop("capture.lost") == 0
assert counters == before, (counters, before)
def some(side, test):
    times = [p.time_ns for p in packets if p.side == side and test(p)]
    return sum(t < end for t in times), sum(t <= end for t in times)
for side, name, replies in (0, "frontend", "responses"), (1, "backend", "replies"):
    for what, test in ("requests", lambda p: p.kind == 1), (replies, lambda p: p.kind == 2), \
            ("notifications", lambda p: p.kind == 4 and p.moved == 0), \
            ("wakeups", lambda p: p.kind == 4 and p.moved == 1):
        least, most = some(side, test)
        assert 50 < least <= counters[f"{name}.{what}"] <= most < least + 8, (name, what, least, most)
for name in names[0::2]:
    assert name.endswith(" front") and name[:-5] + "back" in names, name
END
    shows a.pcapng "all(' $dialect ' in name for name in names)" 'sum(dropped) == 0' \
        "sum(received) == len(packets)"
done

# Of processes. No byte or request is lost, and times are the wall clock's.
now=$(date +%s%N)
expect 0 "$XENSOCK" run --out result --capture e.pcapng base.yaml
grep -q '^capture: e.pcapng, [0-9]* packets$' out.log || fail "the capture is not told"
gone e.pcapng
shows e.pcapng 'n(kind=1, side=0) == n(kind=1, side=1) == n(kind=2, side=0) == n(kind=2, side=1) > 20' \
    's(kind=3, side=0, what=2) == s(kind=3, side=1, what=3) > 100000' \
    's(kind=3, side=1, what=0) == s(kind=3, side=0, what=1) > 0' \
    "$now < packets[0].time_ns <= packets[-1].time_ns < $(date +%s%N)" 'sum(dropped) == 0' \
    '20 < n(kind=4, side=1, moved=1) <= n(kind=4, side=0, moved=0) + len(names) // 2' # born pending
holds result/result.json 'c["capture.packets"] > 1000' 'c["capture.lost"] == 0'

# A backend that is killed, one that comes again, and a run that is interrupted leave what they had.
# The launcher's own name of a part is awaited in its own words: it measures.
measures()
{
    [ "$(stat -c %s "$1".parts-*/"$2".* 2>/dev/null || echo 0)" -gt 140000 ]
}
start killed "$XENSOCK" run --set duration=20s --out result --capture k.pcapng base.yaml
within 10 measures k.pcapng backend
kill -KILL "$(part "$pid" backend)"
ended "$pid" 1 10
gone k.pcapng
shows k.pcapng 'n(side=0) > 500' 'n(side=1) > 500' 'n(kind=2, side=1, moved=0) > 0'
holds result/result.json '"E0603" in e' 'c["capture.packets"] > 1000'

cat >faults.yaml <<'END'
faults:
  - {kind: restart, where: dom0, at: 20ms, for: 10ms}
  - {kind: restart, where: web, at: 200ms, for: 10ms}
END
cat base.yaml faults.yaml >restart.yaml
# (A slow machine may not come to the last.)
for mode in emulated virtual; do
    duration=400ms
    [ $mode = emulated ] || duration=230ms
    expect 0 "$XENSOCK" run --set mode=$mode --set duration=$duration --out result --capture r.pcapng restart.yaml
    gone r.pcapng
    python3 - $mode <<END || fail "$mode: not three lives of the ring"
import sys
sys.path.insert(0, "$SOURCE/tests/run")
import capture
names, packets, _ = capture.read("r.pcapng")
first = [p for p in packets if p.kind == 1 and p.side == 0 and p.index == 0]
assert len(first) in {"emulated": (2, 3), "virtual": (3,)}[sys.argv[1]], first
assert [p.time_ns for p in packets] == sorted(p.time_ns for p in packets)
END
done

start stopped "$XENSOCK" run --set duration=20s --out result --capture i.pcapng base.yaml
within 10 measures i.pcapng frontend
kill -INT "$pid"
ended "$pid" 130 10
gone i.pcapng
shows i.pcapng 'n(side=0) > 500' '0 <= n(kind=1, side=0) - n(kind=2, side=0) < 8'

# All of it is killed: the file is made of what is left, with the wall clock's times.
start lost "$XENSOCK" run --set duration=20s --out result --capture d.pcapng base.yaml
within 10 measures d.pcapng frontend
kill -KILL -- "-$pid"
ended "$pid" 137 10
[ ! -e d.pcapng ] || fail "a capture by nobody"
expect 0 "$XENSOCK" capture d.pcapng.parts-* d.pcapng
grep -q '^capture: d.pcapng, [0-9]* packets$' out.log || fail "it does not say how many"
shows d.pcapng 'n(side=0) > 500' 'n(side=1) > 500' '0 <= n(kind=1, side=0) - n(kind=2, side=0) < 8'
python3 - "$(date +%s)" <<END || fail "times of another clock"
import sys
sys.path.insert(0, "$SOURCE/tests/run")
import capture
names, packets, _ = capture.read("d.pcapng")
assert -5 < int(sys.argv[1]) - packets[-1].time_ns / 1e9 < 60, packets[-1]
END
rm -r d.pcapng.parts-*
expect 2 "$XENSOCK" capture nowhere d.pcapng
grep -qx 'xensock capture: error\[E0705\]: cannot read nowhere: No such file or directory' err.log || fail "$(cat err.log)"
mkdir parts taken
echo 0 >parts/backend.0
mkfifo fifo
ln -s nothing to-nothing
for file in taken fifo to-nothing none/x.pcapng ""; do
    expect 2 "$XENSOCK" capture parts "$file"
    grep -q "error\[E0705\]: cannot write $file: " err.log || fail "'$file' is not refused"
done
{ [ -p fifo ] && [ -L to-nothing ]; } || fail "they are replaced"
expect 2 "$XENSOCK" capture result d.pcapng
grep -qx 'xensock capture: error\[E0705\]: cannot read result: there are no parts of a capture in it' err.log || fail "$(cat err.log)"

# Less than there was: told, counted for each ring, and no failure. A disk that is full is one.
expect 0 "$XENSOCK" "${virtual[@]}" --out result --capture l.pcapng --capture-limit 64KiB base.yaml
grep -q 'xensock run: note: of the capture l.pcapng [0-9]* more packets did not fit into 64KiB a process (--capture-limit)' \
    err.log || fail "what was lost is not told"
shows l.pcapng 'len(packets) < 1366' 'sum(received) - sum(dropped) == len(packets)' 'sum(dropped) > 1000'
holds result/result.json 'c["capture.lost"] > 1000' 'e == []'
# (What guests share are files, too, of less than the 5 MiB.)
expect 1 bash -c 'ulimit -f 5120; exec "$@"' - "$XENSOCK" "${virtual[@]}" --set duration=600ms \
    --out result --capture f.pcapng base.yaml
grep -q 'error\[E0705\]: the capture f.pcapng is not whole: File too large' err.log || fail "a full disk is not told"
size=$(stat -c %s f.pcapng) # that it ends behind a block: tests/sim/run/test_capture
[ "$size" -gt 5000000 ] || fail "there are but $size bytes of it"
holds result/result.json 'e == ["E0705"]' 'c["capture.packets"] > 20000'
gone f.pcapng

# A disk of 300 KiB, which the parts alone fill: the file ends where there was room for it.
full_disk()
{
    mount -t tmpfs -o size=300k none full
    local status=0
    "$XENSOCK" "$@" --set duration=200ms --out result --capture full/d.pcapng few.yaml >out.log 2>err.log || status=$?
    cp full/* . && [ "$(ls full)" = d.pcapng ] && [ "$status" = 1 ]
}
mkdir full
sed '/name: open/d' base.yaml >few.yaml # each ring takes room for its name, if for nothing else
if unshare --mount --map-root-user mount -t tmpfs none full 2>skip.log; then
    export -f full_disk
    for mode in emulated virtual; do
        unshare --mount --map-root-user bash -ec 'full_disk "$@"' - run --set mode=$mode ||
            fail "$mode: not told, or nothing left: $(ls full) $(cat err.log)"
        grep -q 'error\[E0705\]: the capture full/d.pcapng is not whole: No space left on device' out.log ||
            fail "$mode: a full disk is not told"
        grep -q 'note: of the capture full/d.pcapng [0-9]* more packets did not fit$' err.log ||
            fail "$mode: what was lost is not told"
        shows d.pcapng 'len(packets) > 1500' 'n(side=0) > 600' 'n(side=1) > 600'
        expect 0 "$XENSOCK" decode d.pcapng
        holds result/result.json "c['capture.packets'] == $(wc -l <out.log)" 'c["capture.lost"] > 1000'
    done
fi

# What cannot be written is told before anything runs.
mkdir directory
mkfifo pipe
ln -s nothing dangling
for file in directory none/x.pcapng pipe dangling ""; do
    for mode in emulated virtual; do
        rm -rf result
        expect 2 "$XENSOCK" run --set mode=$mode --out result --capture "$file" base.yaml
        grep -q "error\[E0705\]: cannot write the capture $file: " err.log || fail "'$file' is not refused"
        [ ! -e result/result.json ] || fail "it ran"
    done
done
[ -p pipe ] || fail "the pipe is gone"
expect 2 "$XENSOCK" run --out result --format json --capture directory base.yaml
cp out.log errors.json
holds errors.json 'r["complete"] is False' 'e == ["E0705"]' '"Is a directory" in t'
for size in 1 65535 17GiB many; do
    expect 2 "$XENSOCK" run --capture x.pcapng --capture-limit $size base.yaml
    grep -q "capture-limit takes a size from 64KiB to 16GiB .*not '$size'" err.log || fail "$size is taken"
done
# A link stays one.
ln -s linked.pcapng link.pcapng
: >linked.pcapng
expect 0 "$XENSOCK" "${virtual[@]}" --out result --capture link.pcapng base.yaml
[ -L link.pcapng ] || fail "the link is replaced"
shows linked.pcapng 'len(packets) > 1000'

# By hand each process has a file of its own side.
start hypervisor "$XENSOCK" hypervisor --runtime rt
start sink "$XENSOCK" peer base.yaml sink
start echo "$XENSOCK" peer base.yaml echo
start backend "$XENSOCK" backend --runtime rt --capture back.pcapng
backend=$pid
address()
{
    sed -n 's/.*\(127\.0\.0\.1:[0-9]*\).*/\1/p' "$1.log" | head -n 1
}
has_address()
{
    [ -n "$(address "$1")" ]
}
within 10 has_address sink
within 10 has_address echo
expect 0 "$XENSOCK" frontend --runtime rt --capture front.pcapng \
    --set "topology.peers.sink.listen=$(address sink)" \
    --set "topology.peers.echo.listen=$(address echo)" base.yaml
kill -INT "$backend"
ended "$backend" 0 10
gone front.pcapng
gone back.pcapng
python3 - <<END || fail "both sides do not fit"
import sys
sys.path.insert(0, "$SOURCE/tests/run")
import capture
_, front, _ = capture.read("front.pcapng")
_, back, _ = capture.read("back.pcapng")
assert all(p.side == 0 for p in front) and all(p.side == 1 for p in back)
for kind in 1, 2:
    one = [p.slot for p in front if p.kind == kind]
    assert one == [p.slot for p in back if p.kind == kind] and len(one) > 20
END
expect 2 "$XENSOCK" backend --runtime rt --capture none/x.pcapng
grep -q 'error\[E0705\]: cannot write the capture none/x.pcapng' err.log || fail "it is not told"
