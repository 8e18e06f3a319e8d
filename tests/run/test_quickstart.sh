#!/bin/bash
# The scenario of the first minutes: it is quick, its numbers are there, all bytes arrived, and the
# backend's TCP connections are real ones, seen from outside.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# The address a peer of the run listens on, as the kernel knows it.
listening()
{
    ss -Htlnp | grep "pid=$1," | tr -s ' ' | cut -d ' ' -f 4
}

# The backend has a connection to each of the two peers.
connected()
{
    local backend peer
    backend=$(part "$run" backend) || return 1
    for peer in sink echo; do
        address=$(listening "$(part "$run" peer "$peer")") || return 1
        [[ $address == 127.0.0.1:* ]] || fail "$peer listens on $address"
        ss -Htnp state established dst "$address" | grep -q "pid=$backend," || return 1
    done
}

began=$EPOCHREALTIME
start run "$XENSOCK" run --out result "$SOURCE/scenarios/quickstart.yaml"
ended "$pid" 0 20
took_us=$((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}))
[ "$took_us" -lt 10000000 ] || fail "it took $took_us us"

holds result/result.json 'r["complete"] is True' 'e == []' 'r["seed"] == 42' \
    'm["throughput.bulk"]["value"] > 0' 'm["throughput.bulk"]["unit"] == "bytes_per_s"' \
    'm["throughput.ask"]["value"] > 0' 'm["operations.ask"]["value"] > 0' \
    'm["latency.ask"]["count"] == m["operations.ask"]["value"]' \
    '0 < m["latency.ask"]["min"] <= m["latency.ask"]["p50"] <= m["latency.ask"]["p90"]' \
    'm["latency.ask"]["p90"] <= m["latency.ask"]["p99"] <= m["latency.ask"]["p99_9"]' \
    'm["latency.ask"]["p99_9"] <= m["latency.ask"]["max"]' \
    'c["peer.sink.bytes_in"] >= m["bytes.bulk"]["value"] > 0' \
    'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] >= 64 * m["operations.ask"]["value"]' \
    'all(c[f"peer.{peer}.{what}"] == 0 for peer in ("sink", "echo") for what in
         ("mismatches", "short_streams", "protocol_errors", "resets", "connect_failures"))' \
    'set(p) == {"frontend", "backend", "hypervisor", "peer.sink", "peer.echo"}' \
    'all(one["cpu_user_ns"] + one["cpu_system_ns"] > 0 and one["memory_peak_bytes"] > 0
         for one in p.values())' \
    'c["frontend.notifications"] > 0 and c["backend.wakeups"] > 0'
grep -q '^bulk .*B/s' run.log || fail "there is no table"

# Looked at for as long as it takes, which beside much else may be longer than those two seconds.
start looked_at "$XENSOCK" run --out looked-at --set duration=40s "$SOURCE/scenarios/quickstart.yaml"
run=$pid
within 30 connected
kill -INT "$run"
ended "$run" 130 20
nothing_left
