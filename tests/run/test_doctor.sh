#!/bin/bash
# xensock doctor in machines that are not this one: below another root, with few descriptors, on one
# CPU, without programs. What it finds here is not judged, but that it is found, in time.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# finds EXPRESSION...: of the JSON in out.log. f: the findings by name, l: their levels, r: all of it.
finds()
{
    python3 - "$@" <<'EOS' || fail "not the findings of this machine"
import json, sys
r = json.load(open("out.log"))
assert sorted(r) == ["findings", "schema", "verdict", "version"], sorted(r)
assert r["schema"] == "xensock/doctor/1" and r["verdict"] in ("fine", "unreliable", "unusable")
f = {one["name"]: one for one in r["findings"]}
assert len(f) == len(r["findings"]), "a name twice"
for one in r["findings"]:
    assert set(one) | {"do"} == {"name", "level", "found", "means", "do"}, one
    assert one["level"] in ("ok", "missing", "note", "unreliable", "unusable"), one
    assert all(one.values()) and (one["level"] == "ok") == ("do" not in one), one
l = {name: one["level"] for name, one in f.items()}
worst = "unusable" if "unusable" in l.values() else "unreliable" if "unreliable" in l.values() else "fine"
assert r["verdict"] == worst, (r["verdict"], worst)
bad = [text for text in sys.argv[1:] if not eval(text)]
for text in bad:
    print("does not hold:", text)
if bad:
    print(json.dumps(r, indent=1))
sys.exit(bool(bad))
EOS
}

# file PATH TEXT...: below the root `machine`
file()
{
    mkdir -p "machine/$(dirname "$1")"
    printf '%s\n' "${@:2}" >"machine/$1"
}

cpu=sys/devices/system/cpu
clock=sys/devices/system/clocksource/clocksource0/current_clocksource

# This one: it has all of them, and takes less than two seconds of CPU time (and of any, but others may
# want the CPUs).
code=0
timeout 50 prlimit --cpu=2:2 "$XENSOCK" doctor --json >out.log || code=$?
[ "$code" -le 1 ] || fail "exit code $code"
finds "r['verdict'] == ('fine', 'unreliable')[$code]" \
    'set(f) >= {"cpus", "quota", "load", "clock-source", "descriptors", "memfd", "eventfd",
                "unix-sockets", "congestion-control", "perf-events", "gperftools", "probes", "perf",
                "google-pprof", "clock", "wake-up-one-cpu", "noise"}' \
    '(l["cpus"] == "ok") == ("wake-up-two-cpus" in f)'

# A quiet one. The files are as the kernel writes them.
file proc/loadavg "0.12 0.50 3.00 1/200 4711"
file proc/stat "cpu  100 0 100 800 0 0 0 1 0 0" "cpu0 100 0 100 800 0 0 0 1 0 0"
file proc/cpuinfo "processor	: 0" "flags		: fpu tsc sse2" "model name	: A"
file proc/meminfo "MemTotal:       8000000 kB" "MemAvailable:    4194304 kB"
file $clock tsc
file $cpu/cpu0/cpufreq/scaling_governor performance
file $cpu/intel_pstate/no_turbo 1
file $cpu/smt/active 0
file $cpu/cpuidle/current_driver intel_idle
file $cpu/cpu0/cpuidle/state0/latency 0
file $cpu/cpu0/cpuidle/state1/latency 200
file $cpu/cpu0/cpuidle/state1/disable 1
file proc/self/cgroup "0::/user.slice/a.scope"
file sys/fs/cgroup/user.slice/a.scope/cpu.max "max 100000"
file sys/class/net/lo/mtu 65536
file proc/sys/net/ipv4/tcp_congestion_control cubic
file proc/sys/net/ipv4/tcp_rmem "4096	131072	6291456"
file proc/sys/net/ipv4/tcp_wmem "4096	16384	4194304"
file proc/sys/kernel/perf_event_paranoid 1
expect 0 "$XENSOCK" doctor --json --root machine
finds 'r["verdict"] == "fine"' 'f["load"]["found"].startswith("0.12 in")' \
    'all(l[name] == "ok" for name in ("quota", "governor", "turbo", "idle", "smt", "load", "steal",
         "clock-source", "memory", "loopback", "congestion-control", "tcp_rmem", "busy-poll"))' \
    'f["governor"]["found"] == "performance"' 'f["quota"]["found"] == "none"' \
    'f["turbo"]["found"] == "off"' '"0 us" in f["idle"]["found"]' '"4096 MiB" in f["memory"]["found"]' \
    '"noise" not in f'

# The same in each way that moves results.
file proc/loadavg "40.50 0.50 3.00 1/200 4711"
file proc/stat "cpu  100 0 100 800 0 0 0 100 0 0"
file proc/cpuinfo "flags		: fpu tsc hypervisor sse2"
file proc/meminfo "MemAvailable:    4096 kB"
file $clock hpet
file $cpu/cpu0/cpufreq/scaling_governor powersave
file $cpu/intel_pstate/no_turbo 0
file $cpu/smt/active 1
file $cpu/cpu0/cpuidle/state1/disable 0
file sys/fs/cgroup/user.slice/cpu.max "50000 100000" # the parent's counts, too
file sys/class/net/lo/mtu 1500
file proc/sys/net/ipv4/tcp_congestion_control bbr
file proc/sys/net/ipv4/tcp_rmem "4096	131072	262144"
file proc/sys/net/core/busy_poll 50
file proc/sys/kernel/randomize_va_space 2
file proc/sys/vm/mmap_rnd_bits 32
file proc/sys/kernel/yama/ptrace_scope 3
file sys/kernel/mm/transparent_hugepage/shmem_enabled "[always] within_size advise never deny force"
expect 1 "$XENSOCK" doctor --json --root machine
finds 'r["verdict"] == "unreliable"' \
    '[name for name in l if l[name] == "unreliable"] == ["quota", "load", "steal", "clock-source", "memory"]' \
    'all(l[name] == "note" for name in ("governor", "turbo", "idle", "smt", "machine", "huge-pages",
         "loopback", "congestion-control", "tcp_rmem", "busy-poll", "ptrace"))' \
    'f["quota"]["found"].startswith("0.500 CPUs of ")' 'f["load"]["found"].startswith("40.50 in")' \
    'f["steal"]["found"].startswith("9.09 %")' '"200 us" in f["idle"]["found"]' \
    '"MTU 1500" == f["loopback"]["found"]' '"paces" in f["congestion-control"]["means"]' \
    '"cubic" in f["congestion-control"]["do"]' 'f["dev-shm"]["level"] == "missing"'

# In words: each finding with what it means, and the verdict last. No line is too long to read.
expect 1 "$XENSOCK" doctor --root machine
grep -q '^note        congestion-control  bbr$' out.log || fail "no congestion control"
grep -q '^  *-> sysctl net.ipv4.tcp_congestion_control=cubic' out.log || fail "nothing to do about it"
tail -n 1 out.log | grep -q '^unreliable: 5 unreliable [0-9]* note ' || fail "no verdict"
[ "$(awk '{if (length($0) > most) most = length($0)} END {print most}' out.log)" -le 130 ] ||
    fail "a line is too long"

# Files that are not what they should be.
file proc/loadavg ""
file proc/stat "cpu"
file $cpu/intel_pstate/no_turbo x
file $cpu/cpu0/cpufreq/scaling_governor $'\x01\xff'
rm -r machine/$clock machine/proc/self
expect 1 "$XENSOCK" doctor --json --root machine
finds 'f["governor"]["found"] == "??"' '"clock-source" not in f' 'l["turbo"] == "ok"'
expect 0 "$XENSOCK" doctor --json --root nowhere
finds 'l["cpus"] in ("ok", "note")' '"load" not in f'

# One CPU, no programs.
first=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
mkdir bare
expect 0 taskset -c "$first" env PATH="$work/bare" "$XENSOCK" doctor --json --root nowhere
finds 'l["cpus"] == "note"' 'f["cpus"]["found"].startswith("1 of ")' \
    'all(l[name] == "missing" for name in ("perf", "google-pprof", "gdb", "node", "tshark"))' \
    'f["perf"]["found"] == "not installed"' '"linux-perf" in f["perf"]["do"]'

# Few descriptors: as many as a scenario needs, and less than any does.
expect 0 prlimit --nofile=500:500 "$XENSOCK" doctor --json --root nowhere "$SOURCE/scenarios/quickstart.yaml"
finds 'l["descriptors"] == "note"' '"E0116" in f["descriptors"]["means"]' 'l["scenario"] == "ok"' \
    'f["descriptors"]["found"].startswith("500: ")'
expect 77 prlimit --nofile=500:500 "$XENSOCK" doctor --json --root nowhere --set topology.hosts.web.count=60 \
    "$SOURCE/scenarios/quickstart.yaml"
finds 'l["scenario"] == "unusable"' '"descriptors for" in f["scenario"]["means"]' \
    'f["scenario"]["found"] == "quickstart"'
expect 77 prlimit --nofile=40:40 "$XENSOCK" doctor --json --root nowhere
finds 'l["descriptors"] == "unusable"'

expect 2 "$XENSOCK" doctor a.yaml b.yaml
expect 3 "$XENSOCK" doctor none.yaml
grep -q 'error\[E0001\]' err.log || fail "a file that is not there"
nothing_left
