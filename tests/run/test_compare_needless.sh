#!/bin/bash
# A needless notification, planted (tests/plants/build.sh), is found by xensock compare: exactly in
# virtual time, and by notifications per operation among runs in real time.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >ask.yaml <<'END'
schema: xensock/scenario/1
name: ask
mode: virtual
duration: 20ms
warmup: 5ms
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    echo: {kind: echo}
workload:
  - {name: ask, kind: request-response, connect_to: echo}
END

# The command once more, with a defect: each notification is followed by one that nobody needs.
build=$(dirname "$XENSOCK")
{ [ -e "$build/build.ninja" ] && command -v ninja >/dev/null; } || { echo "skipped: no ninja"; exit 77; }
mkdir planted
env -u XDG_RUNTIME_DIR "$SOURCE/tests/plants/build.sh" "$build" xensock xensock \
    sim/run/exec_actions.c \
    's/^        notify_now(exec, exec->marks\[i\], channel->port);$/& hv_notify(exec->config.hv, channel->port);/' \
    planted/xensock >build.log 2>&1 || fail "the defect does not build"

expect 0 "$XENSOCK" run --quiet --out one ask.yaml
expect 0 planted/xensock run --quiet --out loud ask.yaml
expect 4 "$XENSOCK" compare one loud
grep -q '^backend.notifications  *worse .* +100.00%$' out.log || fail "twice as many are not worse"
grep -q '^notifications_per_operation  *worse .* +100.00%$' out.log || fail "nor per operation"
grep -q '^trace  *different ' out.log || fail "the trace is the same"

# Complete separation of five runs from five: p is 2 of 252.
expect 4 "$XENSOCK" compare --runs 5 --out turns --metric notifications_per_operation \
    --set mode=emulated --set duration=40ms --set warmup=10ms --command-b planted/xensock ask.yaml
grep -q '^notifications_per_operation  *worse .* 0.0079 .* 5/5$' out.log || fail "$(cat out.log)"
expect 4 "$XENSOCK" compare --metric notifications_per_operation turns/a turns/b
nothing_left
