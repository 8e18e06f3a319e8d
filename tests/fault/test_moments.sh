#!/bin/bash
# SIGKILL at 50 random moments of each of guest, backend and hypervisor, under load, in real
# processes: the survivor goes on, nothing leaks, hangs, or is left. A moment is a number of ms; what
# the processes are at then differs from run to run. The seed is printed, and may be given.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
seed=${1-20261122}
echo "seed $seed"

# dies HOST SEED: 50 times, to be back soon.
dies()
{
    loaded load.yaml 2400ms
    for at in $(moments "$2" 50 5 30 60); do
        echo "  - {kind: restart, where: $1, at: ${at}ms, for: $((at % 7))ms}" >>load.yaml
    done
    expect 0 "$XENSOCK" run --out result load.yaml
    nothing_left
    right result/result.json 'len(f) >= 40' \
        'sum(one["recovery_ns"] is not None for one in f) >= 30' \
        'm["operations.ask"]["value"] > 0' 'm["bytes.put"]["value"] > 0' \
        'm["bytes.get"]["value"] > 0'
}

dies web "$seed"
dies dom0 $((seed + 1))
holds result/result.json 'm["resumed.ask"]["value"] >= 30' 'm["lost.ask"]["value"] >= 60'

# The hypervisor, in a process of its own: whoever has lost it says so and ends.
for at in $(moments $((seed + 2)) 25 0 1 4); do
    loaded load.yaml 4s
    echo "  - {kind: kill, where: hypervisor, at: ${at}ms}" >>load.yaml
    expect 0 "$XENSOCK" run --runtime "$work/stale" --out result load.yaml
    nothing_left
    holds result/result.json 'e == []' 'f[0]["where"] == "hypervisor"'
done

# All of `xensock run`, which is the hypervisor: every child ends by itself, within a second, even
# one that stands still; what is left in the directory stops no next run.
nobody()
{
    local pid
    for pid in $(ours); do
        is_over "$pid" || return 1
    done
}

loaded load.yaml 4s
for kind in $(moments $((seed + 3)) 4 1 1 9); do
    echo "  - {kind: pause, where: $([ $((kind % 2)) = 0 ] && echo web || echo dom0)," \
        "at: ${kind}ms, for: 30s}" >>load.yaml
done
for at in $(moments $((seed + 4)) 25 0 1 9); do
    expect 137 timeout -s KILL "$(printf '0.%03d' $((at + 1)))" \
        "$XENSOCK" run --runtime "$work/stale" --out result load.yaml
    within 2 nobody
done
sed -i '/pause/d; /faults:/d' load.yaml
sed -i 's/^duration: .*/duration: 20ms/' load.yaml
expect 0 "$XENSOCK" run --runtime "$work/stale" --out result load.yaml
nothing_left
