#!/usr/bin/env python3
"""results.py KIND: a result.json of schema xensock/result/1 made up for tests of the report.

    sweep    two axes of 4 x 3 points, 5 repeats: with all a result can have
    other    the same, slower: to be laid over it
    large    200 points x 5 repeats
    hostile  one run whose every text tries to become markup, script, colours or another order
    plain    a run of an older version: no plan, axes, summaries, expectations

Histograms are written here from HdrHistogram's documentation, not with the project's code, so that
what the report makes of them is compared with something else. Nothing is random.
"""
import base64
import json
import struct
import sys
import zlib

SIGNIFICANT = 3
HIGHEST = 3600 * 10 ** 9
PERCENTILES = {"p50": 500000, "p90": 900000, "p99": 990000, "p99_9": 999000}


def bucket(value):
    """Index of the counts array, with a sub-bucket count of 2048 and a unit of 1."""
    shift = max(value.bit_length() - 11, 0)
    return (shift << 10) + (value >> shift)


def highest_of(value):
    shift = max(value.bit_length() - 11, 0)
    return ((value >> shift) + 1 << shift) - 1


def zigzag(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def hdr_v2(values):
    counts = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    payload, at = b"", 0
    for index in sorted(counts):
        if index > at:
            payload += zigzag(at - index)
        payload += zigzag(counts[index])
        at = index + 1
    head = struct.pack(">iiiiqqd", 0x1c849303 | 0x10, len(payload), 0, SIGNIFICANT, 1, HIGHEST, 1.0)
    packed = zlib.compress(head + payload)
    return base64.b64encode(struct.pack(">ii", 0x1c849304 | 0x10, len(packed)) + packed).decode()


def percentile(values, ppm):
    """The greatest value of the bucket that the value of rank ceil(n * ppm / 10^6) is in."""
    rank = max(-(-len(values) * ppm // 10 ** 6), 1)
    return highest_of(sorted(values)[rank - 1])


def histogram(values):
    metric = {"unit": "ns", "count": len(values), "saturated": 0, "min": min(values)}
    metric.update({name: percentile(values, ppm) for name, ppm in PERCENTILES.items()})
    metric.update({"max": highest_of(max(values)), "hdr_v2": hdr_v2(values)})
    return metric


def tail(base, count, seed, weight):
    """`count` values with a long tail, by a linear congruence."""
    values, state = [], seed * 2654435761 % 2 ** 32
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2 ** 32
        values.append(base + base * weight * 64 // (state // 2 ** 12 % 4096 + 1) // 16 + state % (base // 4))
    return values


def latencies(i, order, rate, slow, operations):
    base = (9000 + 40000 // (order + 1)) * (100 + slow) // 100
    return tail(base * (20000 + rate) // 20000, operations, 7 * i + order + rate, 1 + rate // 2000)


def repeat(i, order, rate, slow, operations):
    """One run: figures that depend on its place as one would expect."""
    latency = latencies(i, order, rate, slow, operations)
    bulk = (60 + 150 * order - 9 * order * order) * 10 ** 6 * (100 - slow) // 100
    bulk = bulk * 40000 // (40000 + rate) * (1000 - 7 * i) // 1000
    metrics = {
        "throughput.bulk": {"unit": "bytes_per_s", "value": bulk},
        "bytes.bulk": {"unit": "bytes", "value": bulk // 5},
        "operations.bulk": {"unit": "operations", "value": 0},
        "duration.bulk": {"unit": "ns", "value": 200000000},
        "throughput.short": {"unit": "bytes_per_s", "value": rate * 128 - i},
        "operations.short": {"unit": "operations", "value": operations},
        "latency.short": histogram(latency),
        "service.short": histogram([value * 3 // 4 for value in latency]),
    }
    counters = {"virtual.events": 150000 + i, "frontend.mapped_pages_left": 0}
    for role, share in (("frontend", 2), ("backend", 3)):
        costs = {"notify": 210 * order + 900, "copy": 900 + 20 * order, "map": 40, "wake": 500 - 30 * order}
        for name, cost in costs.items():
            counters[f"{role}.cost.{name}_ns"] = cost * 10000 * share + i
        counters[f"{role}.cpu_busy_ns"] = sum(cost * 10000 * share + i for cost in costs.values())
        counters[f"{role}.notifications"] = 20000 // (order + 1) + i
        counters[f"{role}.grants_peak"] = 1 + 2 ** order
        counters[f"{role}.ports_peak"] = 3
        counters[f"{role}.grants_left"] = 0
        counters[f"{role}.peer_faults"] = 0
    for n in range(24):
        counters[f"peer.echo.count_{n}"] = n * 1001 + i
    return {"i": i, "seed": 42 + i, "code": 0, "wall_ns": 51234567 + i, "virtual_ns": 200000000,
            "trace": f"{order:08x}{rate:08x}{i:016x}", "metrics": metrics, "processes": [],
            "counters": counters}


def with_all(run, order):
    """Stages, a time line and faults."""
    for number, name in enumerate(["out.ring", "out.wake", "out.socket", "peer", "in.ring", "in.wake"]):
        run["metrics"][f"stage.{name}"] = histogram(tail(800 + 700 * number, 100, number + run["i"], 1))
    wave = [abs(n % 40 - 20) + 5 for n in range(160)]
    cut = [0 if 60 <= n < 70 else 1 for n in range(160)]
    run["timeline"] = {"interval_ns": 1250000, "from_ns": 0, "series": {
        "sent_bytes": [w * c * 40000 * (order + 1) for w, c in zip(wave, cut)],
        "received_bytes": [w * c * 9000 for w, c in zip(wave, cut)],
        "notifications.frontend": [w * c for w, c in zip(wave, cut)],
        "notifications.backend": [w * c * 2 // 3 for w, c in zip(wave, cut)],
        "command_ring_slots": [w % 5 * c for w, c in zip(wave, cut)],
        "out_ring_bytes": [w * 1800 * c for w, c in zip(wave, cut)],
        "in_ring_bytes": [w * 300 * c for w, c in zip(wave, cut)]}}
    run["faults"] = [{"kind": "restart", "where": "dom0", "at_ns": 75000000, "recovery_ns": 12500000}]


def summary(repeats):
    """Medians of an odd number of repeats; the whole range stands for the interval."""
    flat = {}
    for run in repeats:
        for name, metric in run["metrics"].items():
            for member in ["value", *PERCENTILES, "max"]:
                if member in metric:
                    key = name if member == "value" else f"{name}.{member}"
                    flat.setdefault(key, (metric["unit"], []))[1].append(metric[member])
    return {name: {"unit": unit, "n": len(values), "median": sorted(values)[len(values) // 2],
                   "least": min(values), "most": max(values), "ci95": [min(values), max(values)]}
            for name, (unit, values) in flat.items()}


def frame(name, mode="virtual"):
    return {
        "schema": "xensock/result/1", "complete": True, "tool": {"version": "0.1.0"},
        "scenario": {"file": f"{name}.yaml", "xxh3": "0b481e6d91382b8e", "resolved": {
            "schema": "xensock/scenario/1", "name": name,
            "description": "Short requests beside a bulk stream, over growing data rings.",
            "mode": mode, "seed": 42, "duration_ns": 200000000,
            "topology": {"hosts": {
                "dom0": {"role": "backend", "count": 1, "cpu": None},
                "web": {"role": "frontend", "count": 1, "limits": {"grant_frames": 2, "ports": 64}}},
                "links": []},
            "workload": [{"name": "bulk", "kind": "stream"}, {"name": "short", "kind": "request-response"}],
            "faults": [{"kind": "restart", "where": "dom0", "for_ns": 5000000}]}},
        "host": {"cpu": "Example CPU", "cores": 2, "kernel": "Linux 6.1", "machine": "x86_64"},
        "mode": mode, "seed": 42, "points": [], "errors": []}


def sweep(orders, rates, operations, slow=0, everything=True):
    result = frame("connect-storm")
    result["plan"] = {"points": len(orders) * len(rates), "repeats": 5, "shard": None,
                      "runs": len(orders) * len(rates) * 5, "sets": ["mode=virtual"]}
    result["axes"] = [
        {"name": "order", "path": "protocol.order", "unit": None, "texts": [str(o) for o in orders]},
        {"name": "rate", "path": "workload.short.arrivals.rate", "unit": "per_s",
         "texts": [f"{r}/s" for r in rates]}]
    for order in orders:
        for rate in rates:
            repeats = [repeat(i, order, rate, slow, operations) for i in range(5)]
            if everything:
                with_all(repeats[0], order)
            result["points"].append({"id": len(result["points"]), "axes": {"order": order, "rate": rate},
                                     "repeats": repeats, "summary": summary(repeats)})
    return result


def expectations(result):
    cases = []
    for point in result["points"]:
        p99 = point["summary"]["latency.short.p99"]["median"]
        fails = p99 > 50000
        cases.append({"point": point["id"], "result": "fail" if fails else "pass",
                      "failed": 5 if fails else 0, "of": 5, "measured": f"{p99 // 1000} us",
                      "limit": "50 us", "why": f"{p99 // 1000} us <= 50 us in {0 if fails else 5} of 5 repeats"})
    failed = any(case["result"] == "fail" for case in cases)
    result["expectations"] = [
        {"name": "tail", "that": "p99(latency.short) <= 50us", "line": 60, "column": 5,
         "result": "fail" if failed else "pass", "cases": cases},
        {"name": "no-leaks", "that": "leaked(grants) == 0", "line": 61, "column": 5, "result": "pass",
         "cases": [{"point": None, "result": "pass", "failed": 0, "of": 60, "measured": "0",
                    "limit": "0", "why": "0 == 0 in all 60 runs"}]}]
    return result


EVIL = ["<script>alert(1)</script>", "</script><script>alert(2)</script>", "</style><b>", "<!--",
        "\" onmouseover=\"alert(3)", "' autofocus onfocus='alert(4)", "&lt;img src=x onerror=alert(5)&gt;",
        "<img src=x onerror=alert(6)>", "\x1b[31mred\x1b[0m", "a\u202egnp.exe", "javascript:alert(7)",
        "</pre></table><h1>", "]]>", "\u2028\u0085\ufeff\x7f"]


def hostile():
    evil = iter(EVIL * 9)
    result = frame("plain", "emulated")
    result["scenario"].update({"file": next(evil), "xxh3": next(evil)})
    result["scenario"]["resolved"].update({"name": EVIL[0], "description": EVIL[1], EVIL[2]: {EVIL[3]: EVIL[4]}})
    result["tool"]["version"] = next(evil)
    result["host"] = {"cpu": next(evil), "cores": 2, "kernel": next(evil), next(evil): next(evil)}
    result["plan"] = {"sets": [f"topology.hosts.{text}=1" for text in EVIL]}
    result["axes"] = [{"name": EVIL[0], "path": EVIL[1], "unit": None, "texts": [EVIL[1]]}]
    result["errors"] = [{"code": next(evil), "message": text, "point": 0} for text in EVIL]
    result["expectations"] = [{"name": text, "that": text, "result": text, "cases": [
        {"point": 0, "result": text, "measured": text, "limit": text, "why": text}] * 2} for text in EVIL]
    for order in (0, 1):
        run = repeat(0, order, 1000, 0, 100)
        with_all(run, 0)
        run["trace"] = next(evil)
        run["faults"] = [{"kind": text, "where": text, "at_ns": 1, "recovery_ns": 2} for text in EVIL]
        run["processes"] = [{"name": text, "count": 2, "cpu_user_ns": 1} for text in EVIL]
        for text in EVIL:
            run["metrics"][f"throughput.{text}"] = {"unit": text, "value": order}
            run["metrics"][f"latency.{text}"] = {**histogram([1, 2, 3 + order]), "unit": text}
            run["metrics"][f"stage.{text}"] = histogram([1, 2, 3])
            run["counters"].update({text: 1, f"{text}_peak": 2, f"{text}_left": 3,
                                    f"{text}.cost.{text}_ns": 4})
            run["timeline"]["series"][text] = [1, 2, 3]
        result["points"].append({"id": order, "axes": {EVIL[0]: EVIL[order + 1]}, "repeats": [run]})
    return result


def plain():
    result = frame("quickstart", "emulated")
    run = repeat(0, 6, 5000, 0, 5000)
    for key in ("seed", "code", "trace", "virtual_ns"):
        del run[key]
    run["processes"] = [{"name": "backend", "count": 1, "cpu_user_ns": 381234567, "cpu_system_ns": 212000000,
                         "switches_voluntary": 14556, "switches_involuntary": 221, "faults_minor": 30,
                         "memory_peak_bytes": 5033165}]
    result["points"] = [{"id": 0, "axes": {}, "repeats": [run]}]
    return result


KINDS = {
    "sweep": lambda: expectations(sweep([0, 2, 4, 6], [1000, 5000, 20000], 2000)),
    "other": lambda: expectations(sweep([0, 2, 4, 6], [1000, 5000, 20000], 2000, slow=20)),
    "large": lambda: expectations(sweep(list(range(10)), [1000 * n for n in range(1, 21)], 100)),
    "hostile": hostile,
    "plain": plain,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    print(json.dumps(KINDS[sys.argv[1]]()))
