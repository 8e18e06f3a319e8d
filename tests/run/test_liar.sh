#!/bin/bash
# A guest that lies, as a process, in each dialect, beside one that does not: the backend answers each
# lie as support/lies.h says, serves the other all the while, and keeps nothing of the liar's; nor do
# the hypervisor's tables.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

liar=${LIAR-}
[ -x "$liar" ] || { echo "skipped: LIAR does not name tests/run/liar"; exit 77; }
mapfile -t dialects < <("$liar")
[ "${#dialects[@]}" -gt 1 ] || fail "there are ${#dialects[@]} dialects"

cat >beside.yaml <<'EOS'
schema: xensock/scenario/1
name: beside
duration: 40s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - {name: ask, kind: request-response, connect_to: echo}
EOS

# the honest guest is domain 1, the stranger 2, the liars from 3 on
devices=(--device 1:0 --device 2:0)
for i in "${!dialects[@]}"; do
    devices+=(--device "$((3 + i)):0:${dialects[i]}")
done
start echo "$XENSOCK" peer beside.yaml echo
echo_pid=$pid
within 10 grep -qs "^echo listens on 127.0.0.1:" echo.log
at=$(sed -n 's/^echo listens on //p' echo.log)
start hypervisor "$XENSOCK" hypervisor --runtime here "${devices[@]}"
hypervisor=$pid
start backend "$XENSOCK" backend --runtime here
backend=$pid
start frontend "$XENSOCK" frontend --runtime here --set "topology.peers.echo.listen=$at" beside.yaml
frontend=$pid

# of_liars WHAT: what a look says of domains from 2 on that still have something.
of_liars()
{
    "$XENSOCK" "$1" --runtime here >"look.$1"
    grep -q '^domain 2 ' "look.$1" || fail "$1 says nothing of domain 2"
    sed -n '/^domain \([2-9]\|[1-9][0-9]\)/{/: 0 of /!p}' "look.$1"
}

connected()
{
    "$XENSOCK" ps --runtime here 2>/dev/null | grep -q Connected
}
within 10 connected
for i in "${!dialects[@]}"; do
    expect 0 "$liar" here $((3 + i)) 2 "${dialects[i]}" "${at##*:}"
    grep -q "^${dialects[i]}: [1-9][0-9]* lies, 0 answered otherwise$" out.log || fail "it says $(cat out.log)"
    cat out.log
    for look in grants ports; do
        [ -z "$(of_liars $look)" ] || fail "left in $look: $(of_liars $look)"
    done
    ! is_over "$frontend" || fail "the honest guest has ended"
    ! is_over "$backend" || fail "the backend has ended"
done

kill -INT "$frontend"
ended "$frontend" 130 10
grep -q '^ask .* [1-9][0-9]* operations .* interrupted$' frontend.log || fail "it was not served"
expect 0 "$XENSOCK" frontend --runtime here --set "topology.peers.echo.listen=$at" \
    --set workload.ask.operations=100 beside.yaml
grep -q '^ask .* 100 operations .* ok$' out.log || fail "nobody is served any more"
kill -INT "$backend"
ended "$backend" 0 10
python3 -c 'import json; c = json.load(open("backend.log"))
assert c["requests"] == c["replies"], c
assert all(c[name] == 0 for name in c if name.endswith("_left")), c' || fail "backend counters"
for one in "$hypervisor" "$echo_pid"; do
    kill -INT "$one"
    ended "$one" 0 10
done
nothing_left
