#!/bin/bash
# A guest started by hand whose device does not come up says what it waits for, and goes on waiting:
# the hypervisor made the device for another dialect, or there is no backend.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >wait.yaml <<'EOF'
schema: xensock/scenario/1
name: wait
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo, listen: 127.0.0.1:9}}
workload: [{name: ask, kind: request-response, connect_to: echo, operations: 1}]
EOF

# waits NAME TEXT COMMAND...: it says so, and ends in good order when it is interrupted.
waits()
{
    local name=$1 text=$2 code=$3
    shift 3
    start "$name" "$XENSOCK" "$@"
    within 10 grep -qF -- "still waiting: $text" "$name.err.log"
    within 10 grep -qxF "'xensock ps --runtime here' shows what there is" "$name.err.log"
    kill -INT "$pid"
    ended "$pid" "$code" 10
}

start hypervisor "$XENSOCK" hypervisor --runtime here --device 1:0:pvcalls1 --device 2:0:pvcalls1
hypervisor=$pid
within 10 test -S here/domain-2.sock
waits frontend "domain 1 has no device 'xensock'; does the hypervisor make one of that dialect" 130 \
    frontend --runtime here wait.yaml
waits forward "the backend, domain 0, does not answer on device 'pvcalls'; is it running?" 0 \
    forward --runtime here --domid 2 --dialect pvcalls1 -L 9731:127.0.0.1:9
kill -INT "$hypervisor"
ended "$hypervisor" 0 10
nothing_left
