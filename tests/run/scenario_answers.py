"""What scenarios gave in other dialects, beside their golden results, which are draft 1's:

    scenario_answers.py GOLDEN RESULT...

GOLDEN is a directory with NAME.json, each RESULT one of the name MODE.DIALECT.NAME with result.json.

Everybody spoke the dialect, nothing is left over, and nobody found fault. Where a workload is bounded
by what it does, the same answers were counted (unless some came in a warm-up, which counts nothing),
and its peers, whose counts are of the whole run, counted the same connections and bytes; where it is
bounded by time, it did what it did in draft 1: something or nothing. An echo gave back what it got.
"""
import json
import sys
import traceback


def load(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    return result, result["points"][0]["repeats"][0]


def spoken(hosts, dialect, counters):
    """Each socket of the guest that had most has an index page, or none, beside its data."""
    index = 0 if dialect == "xensock1" else 1
    for name, host in hosts.items():
        if host["role"] == "backend":
            continue
        own, order = host["protocol"]["dialect"], host["protocol"]["order"]
        assert own == dialect, f"{name} speaks {own}"
        peak = counters.get(f"frontend.{name}.grants_peak", counters["frontend.grants_peak"])
        assert peak >= 1 and (peak - 1) % (2 ** order + index) == 0, f"{name}: {peak} grants"


def bounded(workload, hosts):
    """By what it does: the operations that makes, or None."""
    kind, guests = workload["kind"], hosts[workload["where"]]["count"]
    if kind == "stream" and workload["bytes"]:
        return workload["sockets"] * (workload["repeat"] or 1) * guests
    if kind in ("serve", "forward") and workload["accepts"]:
        return workload["accepts"] * guests
    return workload["operations"] * guests if workload.get("operations") else None


def beside(workload, peers):
    """Its peers: whom it connects to, and who comes to it."""
    return [name for name, peer in peers.items()
            if workload["name"] == peer.get("connect_to") or name == workload.get("connect_to")]


def answered(scenario, workload, new, old, exact):
    """How many counts of peers are as they were."""
    hosts, peers = scenario["topology"]["hosts"], scenario["topology"]["peers"]
    name, wanted = workload["name"], bounded(workload, hosts)
    done, before = ([one["metrics"][f"{what}.{name}"]["value"] for what in ("operations", "bytes")]
                    for one in (new, old))
    told = f"{name}: {done}, before {before}, wanted {wanted}"
    if wanted is None:
        some, were = [x > 0 for x in done], [x > 0 for x in before]
        assert some == were if exact else some[1] or not were[1], told
        return 0
    assert scenario["warmup_ns"] > 0 or done == before and done[0] == wanted, told
    keys = [f"peer.{peer}.{what}" for peer in beside(workload, peers)
            for what in ("connections", "bytes_in", "bytes_out", "short_streams", "resets")]
    for key in keys:
        assert new["counters"][key] == old["counters"][key], f"{key}: {new['counters'][key]}"
    return len(keys)


def judged(golden, where):
    """How many counts are the same."""
    mode, dialect, name = where.split(".")
    exact = mode == "virtual"  # as processes, what a time gives is not the same each time
    result, new = load(f"{where}/result.json")
    _, old = load(f"{golden}/{name}.json")
    scenario, counters = result["scenario"]["resolved"], new["counters"]
    peers = scenario["topology"]["peers"]
    assert result["complete"] and result["errors"] == [] and result["mode"] == mode
    assert not exact or counters.keys() == old["counters"].keys()
    assert new["metrics"].keys() == old["metrics"].keys()
    spoken(scenario["topology"]["hosts"], dialect, counters)
    for key, count in counters.items():
        if key.endswith(("_left", ".peer_faults", ".mismatches", ".protocol_errors")):
            assert count == 0, f"{key} is {count}"
    same = sum(answered(scenario, one, new, old, exact) for one in scenario["workload"])
    for peer in peers:
        if peers[peer]["kind"] == "echo" and peers[peer]["conduct"] == "good" \
                and not scenario.get("faults"):
            got, gave = (counters[f"peer.{peer}.bytes_{way}"] for way in ("in", "out"))
            assert got == gave > 0, f"{peer} got {got}, gave {gave}"
    return same


bad = False
for one in sys.argv[2:]:
    try:
        print(f"{one}: {judged(sys.argv[1], one)} counts as in draft 1")
    except AssertionError:
        traceback.print_exc(limit=-1, file=sys.stdout)
        print(f"{one}: not as it should be")
        bad = True
sys.exit(bad)
