#!/bin/bash
# Sockets that a guest has no room for: where it is sure, the scenario is faulty and nothing is begun;
# where an open loop asks for them, each fails, and which table they had to do without is said.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
cat >room.yaml <<'EOF'
schema: xensock/scenario/1
name: room
mode: virtual
duration: 10ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
protocol: {order: 6}
workload:
  - name: doors
    kind: connect-close
    connect_to: echo
    sockets: 600
    arrivals: {kind: fixed, rate: 1000000/s}
EOF
for dialect in xensock1 pvcalls1; do
    room=$([ $dialect = xensock1 ] && echo 511 || echo 503)
    expect 1 "$XENSOCK" run --out result --set protocol.dialect=$dialect room.yaml
    grep -qE "^error\[E0401\]: doors: $((600 - room)) failed: connect to [0-9.:]+: ENOSPC \(grants: at \
order 6 of $dialect there is room for $room sockets\)$" out.log || fail "another reason, or number"
    holds result/result.json 'e == ["E0401"]' "0 < c['frontend.grants_peak'] <= 32760" \
        'all(c[name] == 0 for name in c if name.endswith("_left"))'
done

# Closed, they all begin at once. At order 5 there is room.
sed -i '/arrivals/d' room.yaml
expect 3 "$XENSOCK" run --out nothing room.yaml
[ "$(sed -n 1p err.log)" = "room.yaml:13:14: error[E0118]: with workload 'doors' guest 'web' has 600 \
sockets at once; at order 6 of xensock1 its grants have room for 511" ] || fail "said: $(cat err.log)"
grep -q "\^\^\^ fewer, or an 'order' of at most 5$" err.log || fail "no suggestion: $(cat err.log)"
[ ! -e nothing ] || fail "something was begun"
expect 0 "$XENSOCK" run --out result --set protocol.order=5 room.yaml
holds result/result.json 'e == []' "c['frontend.grants_peak'] == 600 * 32 + 1"
nothing_left
