#!/bin/bash
# Up to 1,000 connections at the same time, as many as have room, each with its own bytes, echoed on
# either side.
# shellcheck disable=SC1091,SC2154
: "${FORWARD_ORDER:=2}" # at the default one there is no room for so many
. "$(dirname "$0")/common.sh"
# The guest's tables have room for these, and for the three that the only -R always expects.
count=$(($(room) - 3))
[ "$count" -lt 1000 ] || count=1000
! brief || [ "$count" -lt 200 ] || count=200
[ "$(ulimit -Hn)" -ge 8192 ] || { echo "skipped: fewer than 8192 descriptors a process"; exit 77; }
ulimit -n "$(ulimit -Hn)"

ports target near far
forward -L "$near:127.0.0.1:$target" -R "$far:127.0.0.1:$target"
for port in "$near" "$far"; do
    start server python3 "$SOURCE/tests/forward/many.py" serve "$target" $count
    server=$pid
    within 10 listens "$target"
    expect 0 python3 "$SOURCE/tests/forward/many.py" talk "$port" $count
    ended "$server" 0 10
done

# Their ends all at once: the forwarding finds them in one go, and nothing else to do.
start server python3 "$SOURCE/tests/forward/many.py" serve "$target" $count
server=$pid
within 10 listens "$target"
start client python3 "$SOURCE/tests/forward/many.py" stay "$near" $count
client=$pid
within 20 grep -qsx 'all have echoed' client.log
kill -STOP "$forward"
kill -KILL "$client"
ended "$client" 137 10
kill -CONT "$forward"
ended "$server" 0 10
forwarded
[ "$(counter joined)" = $((3 * count)) ] || fail "joined: $(counter joined)"
[ "$(counter most)" -ge $count ] || fail "at most $(counter most) at once"
[ "$(counter resets)" = 0 ] || fail "$(counter resets) were reset"
nothing_left
