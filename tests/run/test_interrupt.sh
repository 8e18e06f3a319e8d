#!/bin/bash
# A run that is interrupted, that loses a part or that stalls ends in good order: the exit code, a
# result marked as partial, and no process, no file left behind.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >long.yaml <<'EOF'
schema: xensock/scenario/1
name: long
duration: 50s
warmup: 1ms
timeout: 2min
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    drain: {kind: sink}
    spring: {kind: source}
    echo: {kind: echo}
workload:
  - {name: put, kind: stream, connect_to: drain, sockets: 2}
  - {name: get, kind: stream, connect_to: spring, direction: down}
  - {name: ask, kind: request-response, connect_to: echo}
EOF

# Conditions on the run `run`.

# It is the command by now: what starts it still ignores the signal.
is_executed()
{
    [ "$(readlink "/proc/$run/exe")" = "$(readlink -f "$XENSOCK")" ]
}

is_begun()
{
    [ -n "$(ls -A "$XDG_RUNTIME_DIR")" ]
}

has_peers()
{
    part "$run" peer drain >/dev/null
}

has_backend()
{
    part "$run" backend >/dev/null
}

has_frontend()
{
    part "$run" frontend >/dev/null
}

# Bytes flow: the sink has two connections.
is_busy()
{
    local peer
    peer=$(part "$run" peer drain) && part "$run" frontend >/dev/null &&
        [ "$(ss -Htnp state established | grep -c "pid=$peer,")" = 2 ]
}

# begun [OPTION]...: a run, in the background.
begun()
{
    rm -rf result
    start run "$XENSOCK" run --out result "$@" long.yaml
    run=$pid
}

# What was measured is in a partial result; `*_left` are not asked: some of it was on its way.
partial='r["complete"] is False'

# interrupted CONDITION [OPTION]...: ^C, once, as soon as CONDITION holds.
interrupted()
{
    local condition=$1
    shift
    begun "$@"
    within 10 "$condition"
    kill -INT "$run"
    ended "$run" 130 10
    nothing_left
    [ ! -e result/result.json ] || holds result/result.json "$partial" 'e == []'
}

for condition in is_executed is_begun has_peers has_backend has_frontend; do
    interrupted $condition
done
interrupted is_busy
[ -e result/result.json ] || fail "no result"
holds result/result.json "$partial" 'm["throughput.put"]["value"] > 0' \
    'm["operations.ask"]["value"] > 0' \
    'c["peer.drain.mismatches"] == c["peer.echo.mismatches"] == 0'
interrupted is_busy --set warmup=40s
[ -e result/result.json ] || fail "no result"
holds result/result.json "$partial"

# In virtual time the workloads end, and the domains close in good order.
is_traced()
{
    [ -s run.trace ]
}

interrupted is_executed --set mode=virtual
interrupted is_traced --set mode=virtual --trace run.trace
[ -e result/result.json ] || fail "no result"
holds result/result.json "$partial" 'c["peer.drain.mismatches"] == c["peer.echo.mismatches"] == 0' \
    'c["frontend.requests"] == c["backend.requests"] == c["backend.replies"]'
"$XENSOCK" trace show run.trace | tail -n 1 | grep -q . || fail "the trace cannot be read"

# The whole foreground group, as a terminal does it.
begun
within 10 is_busy
kill -INT -- "-$run"
ended "$run" 130 10
nothing_left
holds result/result.json "$partial" 'e == []' 'm["throughput.put"]["value"] > 0'

# Twice, the second before the first can have been served.
begun
within 10 is_busy
kill -INT "$run"
kill -INT "$run"
ended "$run" 130 10
nothing_left
[ ! -e result/result.json ] || holds result/result.json "$partial"

# SIGTERM is no other, for the whole group either.
begun
within 10 is_busy
kill -TERM "$run"
ended "$run" 130 10
nothing_left
begun
within 10 is_busy
kill -TERM -- "-$run"
ended "$run" 130 10
nothing_left
holds result/result.json "$partial" 'e == []' 'm["throughput.put"]["value"] > 0'

# Nor is a closed terminal, but under nohup; in virtual time likewise.
begun
within 10 is_busy
kill -HUP -- "-$run"
ended "$run" 130 10
nothing_left
holds result/result.json "$partial" 'e == []' 'm["throughput.put"]["value"] > 0'
rm run.trace
begun --set mode=virtual --trace run.trace
within 10 is_traced
kill -HUP "$run"
ended "$run" 130 10
holds result/result.json "$partial" 'e == []'
start nohup nohup "$XENSOCK" run --out result --set duration=1s --set timeout=20s long.yaml
run=$pid
within 10 has_frontend
kill -HUP -- "-$run"
ended "$run" 0 10
holds result/result.json 'r["complete"] is True' 'e == []'

# lost WORD...: this part is killed; the run ends by itself and names it.
lost()
{
    local code=0 name=${*: -1}
    begun
    within 10 is_busy
    kill -KILL "$(part "$run" "$@")"
    within 10 is_over "$run"
    wait "$run" || code=$?
    case $code in
    0 | 12[4-9] | 13[0-9]) fail "exit code $code after $name was killed" ;;
    esac
    nothing_left
    holds result/result.json "$partial" 'len(e) > 0' \
        "any(one['message'].startswith('$name died of signal 9') for one in r['errors'])"
    grep -q "error\[E0603\]: $name died of signal 9" run.log || fail "$name is not named"
}
lost backend
lost frontend
lost peer drain
lost peer echo

# told WORD...: somebody sends this part SIGTERM; the run ends in good order, with what was measured,
# says whose end it was, and blames nobody.
told()
{
    local name=${*: -1}
    begun
    within 10 is_busy
    kill -TERM "$(part "$run" "$@")"
    ended "$run" 1 10
    nothing_left
    holds result/result.json "$partial" 'e == ["E0603"]' 'm["throughput.put"]["value"] > 0' \
        "r['errors'][0]['message'] == '$name was told to end early by signal 15 (Terminated)'" \
        'c["backend.sent_bytes"] > 0' 'c["peer.drain.bytes_in"] > 0'
}
told backend
told frontend
told peer echo

# Before it can have listened to signals it just dies of it; that is no other, either.
begun
within 10 has_frontend
kill -TERM "$(part "$run" frontend)"
ended "$run" 1 10
nothing_left
holds result/result.json "$partial" 'e == ["E0603"]'

# The launcher itself is killed: its parts see it, and go; only its directory stays.
begun
within 10 is_busy
kill -KILL "$run"
ended "$run" 137 10
all_gone()
{
    local one
    for one in $(ours); do
        is_over "$one" || return 1
    done
}
within 10 all_gone
rm -rf "${XDG_RUNTIME_DIR:?}"/*

# A server that takes the connection and nothing else.
start mute python3 -c 'import socket, time
one = socket.socket()
one.bind(("127.0.0.1", 0))
one.listen()
print(one.getsockname()[1], flush=True)
time.sleep(60)'
mute=$pid
within 10 grep -qs . mute.log
cat >mute.yaml <<EOF
schema: xensock/scenario/1
name: mute
timeout: 1s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {mute: {kind: external, address: "127.0.0.1:$(cat mute.log)"}}
workload:
  - {name: ask, kind: request-response, connect_to: mute, operations: 1}
  - {name: put, kind: stream, connect_to: mute, bytes: 64MiB}
EOF
start stalled "$XENSOCK" run --out result mute.yaml
ended "$pid" 5 10
grep -q 'error\[E0501\]: stalled' stalled.log || fail "the stall is not reported"
grep -q '^   web      waits: ask: 1 of its sockets; socket 0 waits for ' stalled.log ||
    fail "what is waited for is not told"
holds result/result.json "$partial" '"E0501" in e' 'm["operations.ask"]["value"] == 0' \
    'm["throughput.put"]["value"] >= 0'
kill "$mute"
within 10 is_over "$mute"
nothing_left
