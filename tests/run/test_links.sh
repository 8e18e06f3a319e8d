#!/bin/bash
# Links have no effect on processes, which is said once, by the command and not by its parts.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cp "$SOURCE/scenarios/quickstart.yaml" .
sed -i 's/^protocol:/  links:\n    - {to: echo, delay: 200ms}\n&/; s/^duration: .*/duration: 100ms/' quickstart.yaml
note=": note: 'links' has no effect in mode 'emulated'"

# notes COUNT ARGUMENT...: the command succeeds and notes so often.
notes()
{
    local count=$1
    shift
    expect 0 "$XENSOCK" "$@"
    [ "$(grep -c "^quickstart.yaml:[0-9]*:3$note" err.log)" = "$count" ] || fail "not $count notes: $*"
}
notes 1 check quickstart.yaml
notes 0 check --quiet quickstart.yaml
notes 0 check --set mode=virtual quickstart.yaml
notes 1 run quickstart.yaml
holds out/quickstart/result.json "r['complete'] and not e" "m['latency.ask']['p50'] < 400000000"
notes 0 run --quiet quickstart.yaml
notes 0 run --format json quickstart.yaml

# In virtual time a request takes there and back.
notes 0 run --set mode=virtual --set duration=1s quickstart.yaml
holds out/quickstart/result.json "r['complete'] and not e" "m['latency.ask']['p50'] > 400000000"

# What a slow link takes minutes to carry is not dropped when the workload is over.
cat >slow.yaml <<'EOF'
schema: xensock/scenario/1
name: slow
mode: virtual
duration: 10ms
timeout: 60min
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {sink: {kind: sink}}
  links:
    - {to: sink, rate: 8kbit/s}
workload:
  - {name: bulk, kind: stream, connect_to: sink}
EOF
expect 0 "$XENSOCK" run slow.yaml
holds out/slow/result.json "r['complete'] and not e" "c['peer.sink.bytes_in'] > 512 * 1024 + 120000"
nothing_left
