#!/bin/bash
# BIND through the SOCKS5 door: servers connect to programs beside the guest, as in active FTP; and
# what is told where that cannot be. See bind.py.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

ports server door
bind()
{
    expect 0 python3 "$SOURCE/tests/forward/bind.py" "$door" "$server" "$@"
}

carry socks --hold 50ms "$door"
bind down 1
bind up 1
bind down 24
forwarded
[ "$(counter joined)" = $((2 * 26 + 3)) ] || fail "joined: $(counter joined)"
nothing_left

# An address that is not the backend's: a failure in SOCKS's words.
carry socks --bind-address 192.0.2.1 "$door"
bind
[ "$(cat out.log)" = 1 ] || fail "the answer is $(cat out.log), not 1"
forwarded
nothing_left

# A backend of somebody else's, which does not allow it.
start hypervisor "$XENSOCK" hypervisor --dialect "${FORWARD_DIALECT-xensock1}" --runtime here
hypervisor=$pid
start backend "$XENSOCK" backend --runtime here
backend=$pid
within 10 test -S here/domain-1.sock
carry socks --runtime here --bind-address 192.0.2.1 "$door"
bind
[ "$(cat out.log)" = 2 ] || fail "the answer is $(cat out.log), not 2"
interrupted "$forward"
interrupted "$backend"
interrupted "$hypervisor"
