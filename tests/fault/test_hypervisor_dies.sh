#!/bin/bash
# The hypervisor is killed while others are already struck: a domain that stands still goes on and
# ends, one that is away or just coming again is not waited for, nor is any struck later. Nobody is
# to blame, peers least of all. That it may die at any moment: test_moments.sh.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# dies FAULT...: beside these.
dies()
{
    loaded dies.yaml 20s
    sed -i '/name: \(once\|up\|down\)/d' dies.yaml # a backend killed for good leaves none done
    printf '  - {%s}\n' "$@" 'kind: kill, where: hypervisor, at: 50ms' >>dies.yaml
    expect 0 "$XENSOCK" run --out result dies.yaml
    nothing_left
    holds result/result.json 'e == []' 'f[-1]["where"] == "hypervisor"'
}

dies 'kind: pause, where: dom0, at: 10ms, for: 10s'
dies 'kind: pause, where: web, at: 10ms, for: 10s'
dies 'kind: kill, where: dom0, at: 10ms' 'kind: restart, where: web, at: 10ms, for: 10s'
dies 'kind: restart, where: web, at: 40ms, for: 9ms'
dies 'kind: restart, where: dom0, at: 40ms, for: 9ms, every: 20ms' \
    'kind: pause, where: web, at: 45ms, for: 2ms, every: 10ms'
