"""Results of studies as xensock-result(5) has them, made by hand, for the tests of what reads them.

    study_result.py [KIND]...         # KIND.json here, by default of all

KIND: `study`, two axes, everything met; `mixed`, failed, unknown and awaited things; `hostile`, every
text one that a format could trip over; `large`, 210 points; `shard`, half of a study.
"""
import json
import sys

HOSTILE = ("<script>&\"'|`*_[x](http://a.example)``` \\ # @you ~~no~~\r\n,\t= "
           "\u0001\u001f\u007f\ufffe\uffff\U0001f427 ]]> -->")


def histogram(base):
    return {"unit": "ns", "count": 100, "saturated": 0, "min": base // 2, "p50": base,
            "p90": base * 2, "p99": base * 3, "p99_9": base * 4, "max": base * 5, "hdr_v2": "HISTFA,\"x"}


def repeat(i, base, **more):
    return {"i": i, "seed": 42 + i, "code": 0, "wall_ns": 1500000 + i, "virtual_ns": 7000000,
            "trace": f"{i:032x}",
            "metrics": {"throughput.bulk": {"unit": "bytes_per_s", "value": base * 1000},
                        "latency.short": histogram(base),
                        "accepted.srv": {"unit": "connections", "value": 4, "listeners": 2,
                                         "least": 1, "most": 3}},
            "processes": [{"name": "peer.echo", "count": 1, "cpu_user_ns": 5, "cpu_system_ns": 6,
                           "switches_voluntary": 7, "switches_involuntary": 8, "faults_minor": 9,
                           "memory_peak_bytes": 4096}],
            "counters": {"frontend.notifications": 17, "frontend.cpu_busy_ns": 33,
                         "peer.echo.bytes_in": 44}, **more}


def numbers(unit, values):
    values = sorted(values)
    return {"unit": unit, "n": len(values), "median": values[(len(values) - 1) // 2],
            "least": values[0], "most": values[-1], "ci95": [values[0], values[-1]]}


def point(number, axes, repeats=3):
    runs = [repeat(i, 1000 * (number + 1) + 10 * i) for i in range(repeats)]
    return {"id": number, "axes": axes, "repeats": runs, "summary": {
        "throughput.bulk": numbers("bytes_per_s", [r["metrics"]["throughput.bulk"]["value"] for r in runs]),
        "latency.short.p50": numbers("ns", [r["metrics"]["latency.short"]["p50"] for r in runs]),
        "latency.short.p99": numbers("ns", [r["metrics"]["latency.short"]["p99"] for r in runs])}}


def study(axes=None, orders=(2, 6), rates=(5000, 20000)):
    axes = axes or [
        {"name": "order", "path": "protocol.order", "unit": None, "texts": [str(o) for o in orders]},
        {"name": "rate", "path": "workload.short.arrivals.rate", "unit": "per_s",
         "texts": [f"{r}/s" for r in rates]}]
    every = [{"order": o, "rate": r} for o in orders for r in rates]
    points = [point(i, one) for i, one in enumerate(every)]
    case = {"result": "pass", "failed": 0, "of": 3, "measured": "3 us", "limit": "250 us",
            "why": "3 us <= 250 us"}
    return {"schema": "xensock/result/1", "complete": True, "tool": {"version": "0.1.0"},
            "scenario": {"file": "x.yaml", "xxh3": "0b48f8a1c2d3e4f5",
                         "resolved": {"schema": "xensock/scenario/1", "name": "sizes"}},
            "host": {"cpu": "A CPU", "cores": 2, "kernel": "Linux 6.1", "machine": "x86_64",
                     "page_bytes": 4096},
            "mode": "virtual", "seed": 42,
            "plan": {"points": len(points), "repeats": 3, "runs": 3 * len(points), "shard": None,
                     "sets": ["protocol.dialect=xensock1"]},
            "axes": axes, "points": points,
            "expectations": [{"name": "tail", "that": "p99(latency.short) <= 250us", "line": 60,
                              "column": 5, "result": "pass",
                              "cases": [{"point": p["id"], **case} for p in points]}],
            "errors": []}


def mixed():
    result = study()
    case = result["expectations"][0]["cases"]
    case[2].update(result="fail", failed=3, measured="412 us",
                   why="412 us, wanted <= 250 us in 3 of 3")
    case[1].update(result="unknown", measured="", why="there is no metric 'latency.short'")
    case[3].update(result="unknown", measured="", why="repeat 1 failed")
    result["expectations"][0]["result"] = "fail"
    result["expectations"] += [
        {"name": "both", "that": "a < 1 && b > 2", "line": 61, "column": 5, "result": "fail",
         "cases": [{"point": None, "result": "fail", "failed": 1, "of": 1, "measured": "3",
                    "limit": "1", "why": "3, wanted < 1"}]},
        {"name": "slow", "that": "not p99(latency.short) <= 250us", "line": 62, "column": 5,
         "result": "fail",
         "cases": [{"point": 1, "repeat": 2, "result": "fail", "failed": 1, "of": 3,
                    "measured": "200 us", "limit": "250 us", "why": "200 us, wanted > 250 us"}]},
        {"name": "grows", "that": "p50(latency.short) @ order=3 > p50(latency.short)", "line": 62,
         "column": 5, "result": "fail",
         "cases": [{"point": 1, "repeat": 2, "result": "fail", "failed": 1, "of": 3,
                    "measured": "2 us", "limit": "3 us", "why": "2 us, wanted > 3 us"}]},
        {"name": "stalls", "that": "E0501", "line": 62, "column": 5, "result": "pass",
         "cases": [{"point": 0, "result": "pass", "failed": 0, "of": 3, "measured": "", "limit": "",
                    "why": " E0501"}]}]
    result["errors"] = [{"code": "E0501", "message": "stalled", "point": 0, "repeat": 0,
                         "expected": True},
                        {"code": "E0503", "message": "3 grants left", "point": 3, "repeat": 1},
                        {"code": "E0504", "message": "wrong bytes", "point": 3, "repeat": 2},
                        {"code": "E0701", "message": "cannot write"}]
    return result


def hostile():
    axes = [{"name": name, "path": "p", "unit": None, "texts": [HOSTILE]}
            for name in ("point", "field")]
    result = study(axes=axes, orders=(1,), rates=(1,))
    result["points"][0]["axes"] = {"point": HOSTILE, "field": "b,\"c\"\r\nd"}
    result["scenario"]["file"] = HOSTILE + "it's " + "\U0001f427" * 200
    result["scenario"]["resolved"]["name"] = HOSTILE
    result["plan"]["sets"] = ["a=" + HOSTILE]
    result["host"]["cpu"] = HOSTILE
    result["tool"]["version"] = HOSTILE
    for one in result["expectations"]:
        one.update(name=HOSTILE, that=HOSTILE + " <= 1", result="fail")
        one["cases"][0].update(result="fail", measured=HOSTILE, limit=HOSTILE, why=HOSTILE)
    metrics = result["points"][0]["repeats"][0]["metrics"]
    metrics["throughput." + HOSTILE] = {"unit": HOSTILE, "value": 1}
    result["errors"] = [{"code": "E0001", "message": HOSTILE, "file": HOSTILE, "line": 1, "column": 2}]
    return result


def shard():
    result = study()
    result["points"] = result["points"][:2]
    result["points"][1]["repeats"].pop()
    result["plan"]["shard"] = [1, 2]
    result["complete"] = False
    for one in result["expectations"][0]["cases"][1:]:
        one.update(result="unknown", measured="", why="not all repeats are there")
    result["expectations"][0]["result"] = "unknown"
    return result


KINDS = {"study": study, "mixed": mixed, "hostile": hostile, "shard": shard,
         "large": lambda: study(orders=range(7), rates=range(1, 31))}

if __name__ == "__main__":
    for kind in sys.argv[1:] or KINDS:
        with open(kind + ".json", "w", encoding="utf-8") as file:
            json.dump(KINDS[kind](), file, indent=1)
