#!/bin/bash
# The backend is killed under many connections: each of them breaks beside the guest, none hangs, and
# the forwarding ends. It is killed itself: nobody of its own survives it.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
count=50
many=$SOURCE/tests/forward/many.py

# echoing PORT WHAT: so many connections through PORT, which have echoed and are there. Sets `server`,
# `client`. The sockets of who is killed end as the kernel likes: then WHAT is stay, not hold.
echoing()
{
    start server python3 "$many" serve "$target" $count
    server=$pid
    within 10 listens "$target"
    start client python3 "$many" "$2" "$1" $count
    client=$pid
    within 20 grep -qsx 'all have echoed' client.log
}

# died SIDE: what is beside the guest sees each connection break, what is far sees its end.
died()
{
    ended "$client" 0 10
    ended "$server" 0 10
    [ "$1" = near ] || [ "$(grep -cx reset server.log)" = $count ] ||
        fail "the server saw $(grep -cx reset server.log) connections break"
}

ports target near far
for side in near far; do
    forward -L "$near:127.0.0.1:$target" -R "$far:127.0.0.1:$target"
    echoing "${!side}" "$([ "$side" = near ] && echo hold || echo stay)"
    kill -KILL "$(part "$forward" backend)"
    ended "$forward" 1 10
    grep -q 'the backend died of signal 9' forward.err.log || fail "said: $(cat forward.err.log)"
    died $side
    nothing_left
done

# gone: of the processes of the forwarding none is left.
gone()
{
    local one
    for one in "${family[@]}"; do
        is_over "$one" || return 1
    done
}

forward -L "$near:127.0.0.1:$target"
echoing "$near" stay
family=("$forward" "$(part "$forward" hypervisor)" "$(part "$forward" backend)")
kill -KILL "$forward"
within 2 gone
wait "$forward" || true
died near
