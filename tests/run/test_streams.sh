#!/bin/bash
# A guest more leaves the others' random numbers as they were: when their requests are to begin, in an
# open loop with Poisson arrivals, counted from the start of their warm-up, does not depend on who
# else there is, nor on the place of their host or workload in the file. Only the seed changes it.
# When requests do begin depends on all that, or this test would show nothing.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

readonly c_host='    c: {role: frontend, cpu: 1}' \
    c_work='  - {name: more, kind: request-response, where: c, connect_to: echo, sockets: 8}'
cat >two.yaml <<'EOF'
schema: xensock/scenario/1
name: streams
mode: virtual
seed: 5
duration: 50ms
cost_model: xen-x86-shared
topology:
  hosts:
    dom0: {role: backend, cpu: 0}
    a: {role: frontend, cpu: 1}
    b: {role: frontend, count: 2, cpu: 1}
  peers:
    echo: {kind: echo}
workload:
  - name: ask
    kind: request-response
    where: a
    connect_to: echo
    operations: 200
    arrivals: {kind: poisson, rate: 5000/s}
  - name: ask-too
    kind: request-response
    where: b
    connect_to: echo
    operations: 100
    sockets: 4
    arrivals: {kind: poisson, rate: 8000/s}
EOF
sed "/  b: /a\\$c_host"$'\n'"\$a\\$c_work" two.yaml >after.yaml
sed "/  dom0: /i\\$c_host"$'\n'"/^workload/a\\$c_work" two.yaml >before.yaml

# arrivals RUN OPTION...: runs RUN's scenario, and writes for each guest X of it the numbers of its
# requests with their intended starts to RUN.X.intended, and with the actual ones to RUN.X.actual.
arrivals()
{
    local run=$1 guest
    shift
    expect 0 "$XENSOCK" run --out "$run" --trace "$run.trace" "$@"
    for guest in a b.0 b.1; do
        for point in phase arrival answer; do
            "$XENSOCK" trace show --format json --who "$guest" --point "$point" "$run.trace"
        done >records
        python3 - "$run.$guest" <<'END' || fail "$run: the records of $guest are not as they should be"
import json, sys
records = [json.loads(line) for line in open("records")]
at = {point: [r for r in records if r.get("point") == point] for point in ("phase", "arrival", "answer")}
start = next(r["now_ns"] for r in at["phase"] if r["text"] == "warmup")
asked, answered = at["arrival"], at["answer"]
assert [r["value"] for r in asked] == list(range(len(asked)))
due = [int(r["token"], 16) for r in asked]
assert all(start <= one <= r["now_ns"] for one, r in zip(due, asked))
# each is answered once, in whatever order, and its latency counts from when it was to begin
assert sorted(int(r["token"], 16) for r in answered) == due
assert all(r["value"] == r["now_ns"] - int(r["token"], 16) for r in answered)
with open(sys.argv[1] + ".intended", "w") as intended, open(sys.argv[1] + ".actual", "w") as actual:
    for one, r in zip(due, asked):
        print(r["value"], one - start, file=intended)
        print(r["value"], r["now_ns"] - start, file=actual)
END
    done
}

arrivals two two.yaml
[ "$(wc -l <two.a.intended)" = 200 ] || fail "not 200 requests of a"
[ "$(wc -l <two.b.1.intended)" = 100 ] || fail "not 100 requests of b.1"
! cmp -s two.b.0.intended two.b.1.intended || fail "two guests of a host have the same arrivals"

arrivals after after.yaml
arrivals before before.yaml
arrivals count --set topology.hosts.b.count=3 two.yaml
for run in after before count; do
    for guest in a b.0 b.1; do
        cmp "two.$guest.intended" "$run.$guest.intended" ||
            fail "$run: another guest has changed when requests of $guest are to begin"
        ! cmp -s "two.$guest.actual" "$run.$guest.actual" ||
            fail "$run: another guest has changed nothing for $guest"
    done
done

arrivals other --set seed=6 two.yaml
for guest in a b.0 b.1; do
    ! cmp -s "two.$guest.intended" "other.$guest.intended" || fail "the seed changes nothing for $guest"
done
nothing_left
