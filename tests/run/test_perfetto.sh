#!/bin/bash
# Traces for Perfetto, of runs in both modes and each dialect: what a reader needs of the format
# (perfetto.py), as many commands, notifications and wake-ups as the capture has, no ring fuller than it
# is; the same twice in virtual time; bounds, windows, and only on failure; what cannot be written is told
# before anything runs.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
export PYTHONDONTWRITEBYTECODE=1

# shows FILE EXPRESSION...: they are true of the trace (perfetto.py).
shows()
{
    python3 "$SOURCE/tests/run/perfetto.py" "$@" || fail "$1 is not as it should be"
}

port=$(free_port)
cat >base.yaml <<YAML
schema: xensock/scenario/1
name: base
seed: 3
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    sink: {kind: sink}
    echo: {kind: echo}
    caller: {kind: client, connect_to: door, connections: 3, bytes: 20kB}
protocol: {order: 1}
workload:
  - {name: up, kind: stream, connect_to: sink, direction: up, bytes: 512KiB}
  - {name: ask, kind: request-response, connect_to: echo, request: 64, operations: 60}
  - {name: open, kind: connect-close, connect_to: sink, operations: 30}
  - {name: door, kind: serve, listen: "127.0.0.1:$port", accepts: 3}
YAML

# packets PATTERN OPTION...: how many lines of the capture, decoded, have it.
packets()
{
    local pattern=$1
    shift
    "$XENSOCK" decode a.pcapng --json "$@" >decoded
    grep -c "$pattern" decoded || true
}

# of_name NAME: so many slices.
of_name() { echo "sum(one['name'] == '$1' for one in x)"; }

rounds="[one for one in x if one['name'] == 'round']"
for mode in virtual emulated; do
    for dialect in xensock1 pvcalls1 xensock1-compact; do
        run=(run --quiet --set "mode=$mode" --set "protocol.dialect=$dialect" --out out)
        expect 0 "$XENSOCK" "${run[@]}" --capture a.pcapng --trace a.json base.yaml
        answered=(--kind response --side front --command)
        # a slice a command of the guest, and one of the backend; one each index that moved
        shows a.json 'sorted(p) == ["dom0 (domain 0)", "web (domain 1)"]' \
            "$(of_name CONNECT) == 2 * $(packets . "${answered[@]}" CONNECT) > 20" \
            "$(of_name RELEASE) == 2 * $(packets . "${answered[@]}" RELEASE) > 20" \
            "$(of_name ACCEPT) == 2 * $(packets . "${answered[@]}" ACCEPT) > 0" \
            "$(of_name woken) == $(packets received --kind notify) > 100" \
            "sum(one['name'] == 'notify' and 'args' in one for one in x) == $(packets sent --kind notify) > 100" \
            "sum(len(v) for (_, k), v in c.items() if 'ring' in k) == $(packets _prod --kind index) + $(packets _cons --kind index)" \
            "len($rounds) > 20 and all(one['dur'] > 0 for one in $rounds)" \
            "$(packets sent --kind notify) >= len(f) > 100" \
            "max(max(v) for (_, k), v in c.items() if 'out ring' in k) == 4096" \
            "all(v[-1] == 0 and 0 < max(v) <= 32 for (_, k), v in c.items() if k == 'slots')"
        [ "$(ls out)" = result.json ] || fail "left beside the result: $(ls out)"
    done
done

# The same to the byte, with the capture or without, by either way but for the names.
virtual=(run --quiet --set mode=virtual --out out)
expect 0 "$XENSOCK" "${virtual[@]}" --capture a.pcapng --trace a.json base.yaml
expect 0 "$XENSOCK" "${virtual[@]}" --trace b.json base.yaml
cmp a.json b.json || fail "not the same trace twice"
[ -z "$(compgen -G '*.part*')" ] || fail "left: $(compgen -G '*.part*')"
expect 0 "$XENSOCK" trace export a.pcapng -o c.json
sed -E 's/"(dom0|web) \((domain .)\)"/"\2"/' a.json | cmp - c.json || fail "another trace by export"
expect 0 "$XENSOCK" trace export a.pcapng
cmp out.log c.json || fail "another trace on standard output"

# Windows, and limits, which say what they leave out.
expect 0 "$XENSOCK" trace export a.pcapng -o d.json --from 4ms --to 5ms
shows d.json 'len(x) > 50' 'len(f) > 5' 'all(4_000_000 <= one["ts"] for one in e)' \
    'all(one["ts"] <= 5_000_000 for one in e if one["ph"] in "sC" or "port" in one.get("args", ()))' \
    'any(one["ts"] > 5_000_000 for one in x)' # what has begun is there to its end
expect 0 "$XENSOCK" trace export a.pcapng -o d.json --limit 500
shows d.json '400 < len(e) <= 500'
left=$(sed -n 's/.* of the trace \([0-9]*\) more events, from 0\.[0-9]* s on, .*/\1/p' err.log)
all=$(grep -c '^{"ph":"[XsfC]' c.json)
if [ -z "$left" ] || [ "$left" -lt 1000 ] || [ "$left" -gt "$((all - 400))" ]; then
    fail "left out: '$left' of $all"
fi
expect 0 "$XENSOCK" trace export a.pcapng -o d.json --limit 0
shows d.json 'e == []'

# Only of a run that failed: nobody listens there.
port=$(free_port)
cat >bad.yaml <<YAML
schema: xensock/scenario/1
name: bad
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {other: {kind: external, address: "127.0.0.1:$port"}}
workload:
  - {name: put, kind: stream, connect_to: other, bytes: 1MiB}
YAML
expect 0 "$XENSOCK" "${virtual[@]}" --trace e.json --trace-on failure base.yaml
[ ! -e e.json ] || fail "a trace of a run that did not fail"
expect 1 "$XENSOCK" run --out out --trace e.json --trace-on failure bad.yaml
shows e.json "$(of_name CONNECT) == 2"

# What cannot be.
refuses()
{
    local words=$1
    shift
    expect 2 "$XENSOCK" "$@"
    grep -qF -e "$words" err.log || fail "not said: $words: $(cat err.log)"
}
refuses 'error[E0704]: cannot write the trace none/a.json: No such file' run --out out --trace none/a.json base.yaml
mkdir here.json
refuses 'error[E0704]: cannot write the trace here.json: Is a directory' run --out out --trace here.json base.yaml
refuses "--trace-on takes always or failure, not 'never'" run --trace-on never base.yaml
refuses 'error[E0706]: base.yaml: offset 0' trace export base.yaml
refuses 'error[E0706]: none: offset 0: cannot be read' trace export none -o f.json
[ ! -e f.json ] || fail "a trace of nothing"
refuses "--from takes a duration" trace export a.pcapng --from ten
head -c 20000 a.pcapng >cut.pcapng
refuses 'error[E0706]: cut.pcapng: offset' trace export cut.pcapng -o f.json
[ ! -e f.json ] || fail "a trace of half a capture"
nothing_left
