#!/bin/bash
# What a message costs: no allocation, and no system call but the notification, the wake-up and the
# socket's own. Runs that differ by thousands of requests are compared, so that set-up cancels out.
set -euo pipefail

readonly FEW=1000 MANY=6000
readonly MORE=$((MANY - FEW))

if nm -D "$XENSOCK" 2>/dev/null | grep -E "__(a|t)san_init" >/dev/null; then
    echo "a sanitizer replaces the allocator: skipped"
    exit 77
fi
if ! command -v strace >/dev/null; then
    echo "no strace: skipped"
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/s.yaml" <<'YAML'
schema: xensock/scenario/1
name: cost
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - {name: ask, kind: request-response, connect_to: echo, request: 64, operations: 1}
YAML

run() # run OPERATIONS
{
    "$XENSOCK" run --quiet --out "$dir/out" --set "workload.ask.operations=$1" "$dir/s.yaml"
}

fail()
{
    echo "FAIL: $*"
    exit 1
}

cc -O1 -shared -fPIC -o "$dir/count.so" "$SOURCE/tests/run/alloc_count.c"
for n in $FEW $MANY; do
    ALLOC_COUNT=$dir/allocs.$n LD_PRELOAD=$dir/count.so run "$n"
done
for process in backend frontend; do
    few=$(awk -v p=$process '$1 == p {print $2}' "$dir/allocs.$FEW")
    many=$(awk -v p=$process '$1 == p {print $2}' "$dir/allocs.$MANY")
    echo "$process: $few allocations for $FEW requests, $many for $MANY"
    # the guest tells its progress a few times a second, which allocates a little
    [ $((many - few)) -lt $((MORE / 20)) ] || fail "$process allocates per message"
done

# strace -f -c of the whole run would mix the processes: one file each, calls by name. What a run
# takes beside its requests is that of a run of one: in a longer one notifications may coalesce on a
# loaded host, and what that saves would be counted against the other.
for n in 1 $MANY; do
    mkdir "$dir/trace.$n"
    strace -qq -ff -o "$dir/trace.$n/t" -e trace=all -e signal=none \
        "$XENSOCK" run --quiet --out "$dir/out" --set "workload.ask.operations=$n" "$dir/s.yaml"
done
count_calls() # count_calls REQUESTS PROCESS: "NAME COUNT" a line
{
    local file
    file=$(grep -l "execve.*\"$2\"" "$dir/trace.$1"/t.* | head -n 1)
    sed -E 's/^([a-z0-9_]+)\(.*/\1/' "$file" | sort | uniq -c | awk '{print $2, $1}'
}
for process in backend frontend; do
    count_calls 1 $process >"$dir/few"
    count_calls $MANY $process >"$dir/many"
    awk -v more=$((MANY - 1)) -v process=$process '
        FNR == NR { few[$1] = $2; next }
        {
            each = ($2 - few[$1]) / more
            if (each < 0.05) next
            printf "%s: %.2f %s a request\n", process, each, $1
            if ($1 !~ /^(read|write|readv|sendmsg|epoll_wait|epoll_pwait)$/) bad = 1
            sum += each
        }
        END {
            printf "%s: %.2f system calls a request\n", process, sum
            # a request is a message each way, and draft 1 notifies of each index change: the guest is
            # woken for "taken" and for the answer (write, 2 read, 2 epoll_wait), the backend for the
            # ring and for the socket (the same, 2 writes, sendmsg and readv)
            # a hundredth beside: the guest tells its progress five times a second
            exit bad || sum > (process == "backend" ? 8 : 5) * 1.01
        }' "$dir/few" "$dir/many" || fail "$process makes system calls it need not"
done
echo "1 passed, 0 failed"
