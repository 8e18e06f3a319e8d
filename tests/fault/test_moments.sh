#!/bin/bash
# SIGKILL at 50 random moments of each of guest, backend and hypervisor, under load, in real
# processes: the survivor goes on, nothing leaks, hangs, or is left. A moment is a number of ms; what
# the processes are at then differs from run to run. The seed is printed, and may be given.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
seed=${1-20261122}
echo "seed $seed"

# dies HOST SEED EXPRESSION...: up to 50 times, to be back soon: a fault that finds its host dead does
# not happen, and how often one does is the machine's.
dies()
{
    loaded load.yaml 2400ms
    for at in $(moments "$2" 50 5 30 60); do
        echo "  - {kind: restart, where: $1, at: ${at}ms, for: $((at % 7))ms}" >>load.yaml
    done
    expect 0 "$XENSOCK" run --out result load.yaml
    nothing_left
    right result/result.json '0 < len(f) <= 50' 'm["operations.once"]["value"] == 6' \
        'm["bytes.up"]["value"] >= 64 << 10' 'm["bytes.down"]["value"] >= 64 << 10' "${@:3}"
}

# the last life had all to do
dies web "$seed" 'f[-1]["recovery_ns"] is not None'
# the guest lived on: each of its sockets failed once a device
dies dom0 $((seed + 1)) "m['resumed.ask']['value'] >= $recovered > 0" \
    '0 < m["lost.ask"]["value"] <= 3 * (m["resumed.ask"]["value"] + 1)'

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
    # in this group: one without a shell would be told by the kernel (SIGHUP) when it stands still
    code=0
    timeout --foreground -s KILL "$(printf '0.%03d' $((at + 1)))" \
        "$XENSOCK" run --runtime "$work/stale" --out result load.yaml >run.log 2>&1 || code=$?
    [ $code = 137 ] || fail "exit code $code instead of 137"
    within 2 nobody
done
sed -i '/pause/d; /faults:/d' load.yaml
# to the end of all that the client sends, however long it takes
sed -i 's/^duration: .*/duration: 20ms/; s/kind: serve,/kind: serve, accepts: 6,/' load.yaml
expect 0 "$XENSOCK" run --runtime "$work/stale" --out result load.yaml
nothing_left
