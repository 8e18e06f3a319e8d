#!/bin/bash
# A run in virtual time that stalls says who waits for what, and how to see it again. The stalls are
# planted: xensock is built with a core that forgets something (tests/plants/build.sh).
# shellcheck disable=SC1091,SC2154
. "$SOURCE/tests/run/common.sh"

build=$(dirname "$XENSOCK")
{ [ -e "$build/build.ninja" ] && command -v ninja >/dev/null; } || { echo "skipped: no ninja"; exit 77; }

cat >up.yaml <<'EOF'
schema: xensock/scenario/1
name: up
mode: virtual
seed: 7
duration: 3s
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    sink: {kind: sink}
protocol:
  dialect: xensock1
  order: 1
workload:
  - {name: bulk, kind: stream, connect_to: sink, direction: up, sockets: 2, bytes: 1MiB, write_size: 64KiB}
EOF

# plant NAME FILE EXPRESSION: the command NAME/xensock has the defect. (Compilers may keep
# files where a run does: not where the test looks for what is left.)
plant()
{
    mkdir "$1"
    env -u XDG_RUNTIME_DIR "$SOURCE/tests/plants/build.sh" "$build" xensock xensock "$2" "$3" \
        "$1/xensock" >build.log 2>&1 ||
        fail "$1 does not build"
}

# says PATTERN...: each is a line of the report, but for the blanks it begins with.
says()
{
    local pattern
    for pattern in "$@"; do
        grep -Eqx " *$pattern" out.log || fail "the report has no line: $pattern"
    done
}

# the_report FILE: the report in it, and the name of the run.
the_report()
{
    sed -n '/^trace /p; /^error/,/^ *reproduce/p' "$1"
}

# reproduced NAME OPTION...: what the run of NAME/xensock has told is enough to see it again.
reproduced()
{
    local command
    the_report out.log >told
    command=$(sed -n 's/^ *reproduce: //p' out.log)
    rm -f stall.trace
    (PATH=$work/$1:$PATH && eval "$command") >again.log 2>&1 && fail "it does not stall again: $command"
    the_report again.log | diff told - || fail "it stalls otherwise when it is reproduced"
    cmp first.trace stall.trace || fail "the trace is another when it is reproduced"
}

# stalls NAME OPTION...: and the result is a whole document, which says that the run was not whole.
stalls()
{
    local name=$1
    shift
    expect 5 "$name/xensock" run --trace first.trace "$@" up.yaml
    holds out/up/result.json "e == ['E0501']" "r['complete'] is False" \
        "m['bytes.bulk']['value'] > 0" \
        "c['frontend.sockets_left'] == 2" "c['peer.sink.bytes_in'] > 0"
    reproduced "$name"
}

at="[0-9]+\.[0-9]{9} s"
told="notified [0-9]+ times, last notified at $at, arrived at $at"
likely="likely +"

# nothing planted, nothing stalls
expect 0 "$XENSOCK" run up.yaml
unplanted=$(grep '^trace ' out.log)

# The guest sends its last two requests and does not notify.
plant mute_front frontend/fe_ring.c \
    's/any && cmdring_front_push(&fe->ring)/& \&\& fe->counters.requests < 3/'
stalls mute_front
says "web +waits: bulk: 2 of its sockets; socket 0 waits for the answer to RELEASE .*" \
    "web +command ring: req_prod 4 rsp_cons 2 rsp_prod 2 rsp_event 3; 2 unanswered, RELEASE id=0 among them; port 1, $told" \
    "dom0 +its other end: req_cons 2 rsp_prod 2 req_prod 4 req_event 3; port 1, notified 1 times, last notified at $at, arrived at $at" \
    "${likely}2 requests in the ring: the backend was not told of them, or did not look"
[ "$(grep -c likely out.log)" = 1 ] || fail "it is not the only thing that is likely"

# The backend takes bytes out of the ring and does not notify. How the run was asked for is told too.
plant mute_back backend/be_data.c '/^static void wrote/,/^}/s/^    notify(be, sock, out);//'
stalls mute_back --set "description=that's it" --set protocol.order=2 --allow 192.0.2.0/24 --notify immediate
says "reproduce: .* --set 'description=that'.*'s it' .*--allow 192.0.2.0/24 --notify immediate .*" \
    "web +waits: bulk: 2 of its sockets; socket 0 waits for room to send .*" \
    "web +data ring of that socket: out_prod 8192 out_cons 8192 error 0; in_prod 0 in_cons 0 error 0; port 2, never notified" \
    "dom0 +its other end: reads its socket and does not write it; port 2, notified 2 times, last notified at $at while one was under way, arrived at $at" \
    "${likely}8192 bytes of room: the guest was not told of it, or did not look"
[ "$(grep -c likely out.log)" = 1 ] || fail "it is not the only thing that is likely"

# The backend does not arm the ring, so the guest rightly does not notify it.
plant deaf_back backend/be_ring.c '/^void be_ring_port/,/^}/{/cmdring_back_arm/d}'
stalls deaf_back
says "dom0 +its other end: req_cons 2 rsp_prod 2 req_prod 4 req_event 1; port 1, .*" \
    "${likely}2 requests in the ring, which the backend did not ask to be told of"

# The backend takes a RELEASE and never answers it.
plant no_answer backend/be_calls.c '/^static int32_t handle_RELEASE/,/^}/s/^    be_sock_close.*$//'
stalls no_answer
says "web +waits: bulk: 2 of its sockets; socket 0 waits for the answer to RELEASE .*" \
    "dom0 +its other end: req_cons 4 rsp_prod 2 req_prod 4 req_event 5; port 1, $told" \
    "${likely}2 requests taken by the backend and not answered: .*"
[ "$(grep -c likely out.log)" = 1 ] || fail "it is not the only thing that is likely"

# A port that is never unmasked: its notification arrived, and nobody takes it.
plant masked sim/run/exec.c 's/^        hv_unmask(exec->config.hv, ev->port);/        ;/'
expect 5 masked/xensock run --trace first.trace up.yaml
holds out/up/result.json "e == ['E0501']" "r['complete'] is False"
reproduced masked
grep -Eq "last notified at $at, arrived at $at, and is not taken" out.log ||
    fail "nothing is said of a notification that nobody takes"

# A bus that never says that there is a device.
plant blind_bus backend/bus.c '/^static void saw/,/^}/s/tell(bus, ACT_DEVICE_NEW, device, out);/;/'
expect 5 blind_bus/xensock run --trace first.trace up.yaml
reproduced blind_bus
says "error\[E0501\]: stalled at virtual $at: nothing can happen any more" \
    "web +waits: for its device to connect" "web +device: state 1; at dom0 there is none"

# What a run whose steps are atomic cannot show: the look after arming finds nothing that the one
# before did not, so without it the run is the very same. (The swarm interleaves; tests/swarm.)
plant no_recheck backend/be_ring.c '/^void be_ring_port/,/^}/s/^    while (pass/    if (pass/'
expect 0 no_recheck/xensock run up.yaml
[ "$(grep '^trace ' out.log)" = "$unplanted" ] || fail "the look after arming shows"

# Waiting for time is no stall: for requests that come once a second, which is the least that an open
# loop can do; nor for the end of the duration, when all that is left is a listener.
cat >slow.yaml <<'EOF'
schema: xensock/scenario/1
name: slow
mode: virtual
seed: 7
duration: 60s
timeout: 2min
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    echo: {kind: echo}
    visitor: {kind: client, connect_to: serve}
protocol: {dialect: xensock1, order: 1}
workload:
  - {name: rare, kind: request-response, connect_to: echo, request: 64, arrivals: {kind: fixed, rate: 1/s}}
  - {name: serve, kind: serve, listen: 127.0.0.1:7001}
EOF
expect 0 "$XENSOCK" run slow.yaml
holds out/slow/result.json "m['operations.rare']['value'] == 60" "r['complete']"
sed -i '/name: rare/d; /echo:/d' slow.yaml
expect 0 "$XENSOCK" run slow.yaml
grep -Eq '^virtual 60\.[0-9] s' out.log || fail "it did not wait for its time"
nothing_left
