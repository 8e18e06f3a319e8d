#!/bin/bash
# A forward that is told to end, or whose hypervisor or backend is, says which and why, and leaves
# no process and no file.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

port=$(free_port)

is_ready()
{
    is_over "$forward" || grep -sqx ready forward.log
}

# begin: a forward, whose parts are there.
begin()
{
    start forward "$XENSOCK" forward -L "$port:127.0.0.1:9"
    forward=$pid
    within 10 is_ready
    part "$forward" hypervisor >/dev/null || fail "it has no hypervisor"
}

# ends CODE ERROR: it has ended so, and said that.
ends()
{
    local got=0
    within 10 is_over "$forward"
    wait "$forward" || got=$?
    [ "$got" = "$1" ] || fail "exit code $got instead of $1"
    [ "$(cat forward.err.log)" = "$2" ] || fail "it said: $(cat forward.err.log)"
    within 10 nobody_left
    nothing_left
}

nobody_left()
{
    local pid
    for pid in $(ours); do
        is_over "$pid" || return 1
    done
}

begin
kill -INT "$forward"
ends 0 ""
begin
kill -TERM -- -"$forward" # all of it, as a service manager does
ends 0 ""
begin
kill -HUP -- -"$forward" # as a terminal that is closed
ends 0 ""
begin
kill -TERM "$(part "$forward" backend)"
ends 1 "xensock forward: error[E0603]: the backend was told to end by signal 15 (Terminated)"
begin
kill -TERM "$(part "$forward" hypervisor)"
ends 1 "xensock forward: error[E0603]: the hypervisor was told to end by signal 15 (Terminated)"
begin
kill -KILL "$(part "$forward" backend)"
ends 1 "xensock forward: error[E0603]: the backend died of signal 9 (Killed)"
begin
kill -KILL "$(part "$forward" hypervisor)"
ends 1 "xensock forward: error[E0602]: the hypervisor has gone away"

# The second signal ends it at once, though a peer has a minute to take what was sent.
cat >slow.py <<'END'
import signal, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer, _ = server.accept()
client.setblocking(False)
while True:
    try:
        client.settimeout(0.3)
        client.send(bytes(1 << 16))
    except TimeoutError:
        break
print("full", flush=True)
client.settimeout(30)
try:
    while client.recv(1):
        pass
except ConnectionResetError:
    pass
print("closed", flush=True)
signal.pause()
END
target=$(free_port)
start forward "$XENSOCK" forward -L "$port:127.0.0.1:$target"
forward=$pid
within 10 is_ready
start slow python3 slow.py "$port" "$target"
slow=$pid
within 10 grep -sqx full slow.log
kill -INT "$forward"
within 10 grep -sqx closed slow.log # beside the guest; the peer is still there
! is_over "$forward" || fail "it ended although a peer has not taken all"
kill -INT "$forward"
within 10 is_over "$forward"
kill -TERM "$slow"
ended "$slow" 143 10
ends 130 ""

# Somebody has the port.
start holder socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr" STDIO
within 10 listens "$port"
expect 1 "$XENSOCK" forward -L "$port:127.0.0.1:9"
grep -qx "xensock forward: error\[E0609\]: cannot listen on 127.0.0.1:$port: EADDRINUSE" err.log ||
    fail "it said: $(cat err.log)"
