#!/bin/bash
# What is said about wrong command lines, and about addresses that cannot be had; and a testbed that
# runs already is joined.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# usage TEXT ARGUMENT...: exit code 2, and that is said.
usage()
{
    local text=$1
    shift
    expect 2 "$XENSOCK" forward "$@"
    grep -qF -- "$text" err.log || fail "not said: $text, but: $(cat err.log)"
    [ ! -s out.log ] || fail "it says more: $(cat out.log)"
}

good=8080:127.0.0.1:80
usage 'usage: xensock forward'
usage 'usage: xensock forward' -L $good more
usage 'usage: xensock forward' --order 4
usage "'8080' of -L: it has not the form" -L 8080
usage "'127.0.0.1:80' of -R: it has not the form" -R 127.0.0.1:80
usage "it has not the form" -L 1:2:3:4:5
usage "it has not the form" -L '[::1:8080:127.0.0.1:80'
usage "'x:127.0.0.1:80' of -L: a port is 1 to 65535" -L x:127.0.0.1:80
usage "a port is 1 to 65535" -R 0:127.0.0.1:80
usage "a port is 1 to 65535" -L 8080:127.0.0.1:65536
usage "a port is 1 to 65535" -L 8080:127.0.0.1:-1
usage "it names no host to forward to" -L 8080::80
usage "expected [listen-host:]port:host:port" -L 8080::80
usage "--allow takes" --allow 10.0.0.0/33 -L $good
usage "--order" --order 7 -L $good
usage "--order" --order 0 -L $good
usage "--connections" --connections 16385 -L $good
usage "--connections" --connections 0 -L $good
usage "ports have room for 511; a lower --order has more" --connections 3072 -L $good
usage "at order 9 the guest's grant table and ports have room for 63;" --dialect pvcalls1 --order 9 --connections 64 -L $good
usage "--order 7 is too large for xensock1, which has 1 to 6" --order 7 -L $good
usage "takes a dialect, not 'pvcalls'; there are: xensock1 pvcalls1" --dialect pvcalls -L $good
usage "fewer than the 2 forwardings" --connections 1 -L $good -R $good
usage "--hold takes a duration" --hold 1parsec -L $good
usage "--notify" --notify never -L $good
usage "--connect-timeout takes a duration" --connect-timeout 10 -L $good
usage "--connect-timeout 0" --connect-timeout 0s -L $good
usage "--bind-address takes an IP address" --bind-address localhost -L $good
usage "--bind-address takes an IP address" --bind-address 10.0.0.0/8 -L $good
usage "--domid" --domid x --runtime here -L $good
usage "that --runtime joins" --domid 2 -L $good
usage "that --runtime joins" --backend 3 -L $good
# shellcheck disable=SC2046
usage "more than 64 forwardings" $(printf -- "-L $good %.0s" {1..65})

# Somebody listens there already, on either side.
ports taken target near far
start taken socat -d -d "TCP-LISTEN:$taken,bind=127.0.0.1" PIPE
taken_pid=$pid
within 10 listens "$taken"
for rule in -L -R; do
    expect 1 "$XENSOCK" forward $rule "$taken:127.0.0.1:$target"
    grep -q "E0609.*cannot listen on 127.0.0.1:$taken" err.log || fail "said: $(cat err.log)"
done
kill -TERM "$taken_pid"
ended "$taken_pid" 143 10
nothing_left

# waiting_room PORT N: so many may wait there to be accepted, or what the system allows.
waiting_room()
{
    local most want=$2
    most=$(cat /proc/sys/net/core/somaxconn)
    [ "$want" -le "$most" ] || want=$most
    [ "$(ss -Hltn "sport = :$1" | awk '{print $3}')" = "$want" ] || fail "at port $1: $(ss -Hltn "sport = :$1")"
}
forward -L "$near:127.0.0.1:$target" -R "$far:127.0.0.1:$target"
waiting_room "$near" 1024
waiting_room "$far" 1024
forwarded

# Until there is a testbed to join, it ends as any process does.
start forward "$XENSOCK" forward --runtime nowhere -L $good
is_waiting()
{
    [ "$(cat "/proc/$pid/wchan" 2>/dev/null)" != 0 ] && [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$XENSOCK")" ]
}
within 10 is_waiting
kill -TERM "$pid"
ended "$pid" 143 5

# A testbed started by hand, and two guests that join it, which leave it running.
start hypervisor "$XENSOCK" hypervisor --runtime here --device 1:0 --device 2:0
hypervisor=$pid
start backend "$XENSOCK" backend --runtime here
backend=$pid
within 10 test -S here/domain-1.sock -a -S here/domain-2.sock
start echo socat -d -d "TCP-LISTEN:$target,bind=127.0.0.1,fork" PIPE
echo=$pid
within 10 listens "$target"
for domid in 1 2 1; do
    forward --runtime here --domid $domid --hold 50ms -L "$near:127.0.0.1:$target" \
        -R "$far:127.0.0.1:$target"
    waiting_room "$far" 10 # of draft 1
    for port in "$near" "$far"; do
        echo "through $port" >sent
        expect 0 socat -t 10 "TCP:127.0.0.1:$port" "SYSTEM:cat '$work/sent'; read -r line; echo \"\$line\" >'$work/got'"
        cmp sent got || fail "other bytes came back"
    done
    forwarded
    [ "$(counter joined)" = 2 ] || fail "joined: $(counter joined)"
done
for one in "$backend" "$hypervisor"; do
    interrupted "$one"
done
kill -TERM "$echo"
ended "$echo" 143 10
nothing_left
