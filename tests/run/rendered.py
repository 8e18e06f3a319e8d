"""Whether the renderings of a result say what it says, by readers that are not ours.

    rendered.py NAME...       # NAME.json in NAME.junit, NAME.csv and NAME.markdown
"""
import csv
import html
import json
import re
import sys
import xml.etree.ElementTree as ET


def told(text):
    """A text as XML can hold it: what it cannot is U+FFFD."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)


def awaited(error):
    return error.get("expected", False)


def junit(result, path):
    root = ET.parse(path).getroot()
    suite, = root
    cases = suite.findall("testcase")
    kinds = {kind: [c for c in cases if c.find(kind) is not None]
             for kind in ("failure", "error", "skipped")}
    for where in (root, suite):
        assert int(where.get("tests")) == len(cases)
        assert int(where.get("failures")) == len(kinds["failure"])
        assert int(where.get("errors")) == len(kinds["error"])
    assert int(suite.get("skipped")) == len(kinds["skipped"])

    wanted = [c for e in result.get("expectations", []) for c in e["cases"]]
    runs = [c for c in cases if c.get("name").startswith("run")]
    assert len(cases) == len(wanted) + len(runs)
    assert len(runs) - len(result.get("points", [])) in (0, 1)
    assert len(kinds["failure"]) == sum(c["result"] == "fail" for c in wanted)
    unknown = sum(c["result"] == "unknown" for c in wanted)
    run_errors = [c for c in runs if c in kinds["error"]]
    assert len(kinds["skipped"]) + len(kinds["error"]) - len(run_errors) == unknown
    said = " ".join(c.find("error").text or "" for c in run_errors)
    for error in result["errors"]:
        assert (told(error["message"]) in said) != awaited(error), error
    if not run_errors:
        assert result["complete"], "it is not complete, and no case says so"
    for c, w in zip(cases, wanted):
        failure = c.find("failure")
        assert (failure is not None) == (w["result"] == "fail")
        if failure is not None:
            assert failure.text == told(w["why"]), (failure.text, w["why"])
        assert c.find("system-out").text.startswith("xensock run ")
    wall = sum(r["wall_ns"] for p in result.get("points", []) for r in p["repeats"])
    assert abs(float(suite.get("time")) * 1e9 - wall) < 1000
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    if "scenario" in result:
        assert properties["scenario"] == told(result["scenario"]["file"])
        assert properties["seed"] == str(result["seed"])
    print(len(cases), "cases")


def integers(of):
    return {k: v for k, v in of.items() if isinstance(v, int) and not isinstance(v, bool)}


def numbers(result):
    """Each number of each run, by where it must stand."""
    for p in result.get("points", []):
        axes = tuple(str(p["axes"][a["name"]]) for a in result.get("axes", []))
        for r in p["repeats"]:
            at = (str(p["id"]), str(r["i"]), *axes)
            for name, m in r["metrics"].items():
                for field, value in integers(m).items():
                    yield at + (name, field), value
            for name, value in r["counters"].items():
                yield at + (name, "counter"), value
            for one in r["processes"]:
                for field, value in integers(one).items():
                    yield at + ("process." + one["name"], field), value
            for field, value in integers(r).items():
                if field != "i":
                    yield at + ("run", field), value


def rows(result, path):
    with open(path, newline="", encoding="utf-8") as file:
        text = file.read()
    head, *lines = csv.reader(text.splitlines(keepends=True), strict=True)
    assert text.endswith("\r\n")
    assert head[:2] == ["point", "repeat"] and head[-4:] == ["metric", "field", "unit", "value"]
    assert len(set(head)) == len(head)
    assert all(len(line) == len(head) for line in lines)
    got = {tuple(line[:-2]): int(line[-1]) for line in lines}
    assert len(got) == len(lines), "two rows for one number"
    assert got == dict(numbers(result))
    units = {tuple(line[-4:-2]): line[-2] for line in lines}
    for (metric, field), unit in units.items():
        end = metric if field == "counter" else field
        assert (unit == "ns") == (end.endswith("_ns") or field in ("p50", "p99", "min", "max", "p90", "p99_9", "sum")
                                  or metric.startswith(("duration.", "recovery.")) and field == "value"), (metric, field, unit)
        assert (unit == "bytes") == ("bytes" in end or field == "value" and metric.startswith(
            ("bytes.", "sent.", "received."))), (metric, field, unit)
    print(len(lines), "rows")


def cells(line):
    assert line.startswith("|") and line.endswith("|"), line
    return [html.unescape(cell).strip() for cell in line[1:-1].split("|")]


def markdown(result, path):
    with open(path, newline="", encoding="utf-8") as file:
        text = file.read()
    outside, *code = re.split(r"^(?:````*)(?:sh)?$", text, flags=re.M)
    assert len(code) in (0, 2)
    assert "<" not in outside and "@" not in outside and "[" not in outside and "\r" not in outside
    assert "://" not in outside, "it would be a link"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    tables = [[cells(line) for line in block.splitlines()]
              for block in re.findall(r"(?:^\|.*\n)+", outside, flags=re.M)]
    for table in tables:
        assert all(len(row) == len(table[0]) for row in table), table
    first = outside.splitlines()[0]
    bad = any(e["result"] == "fail" for e in result.get("expectations", [])) or \
        any(not awaited(e) for e in result["errors"])
    assert ("**failed**" in first) == bad
    assert not first.endswith("passed") or result["complete"]
    wanted = [c for e in result.get("expectations", []) for c in e["cases"]]
    if wanted:
        shown = tables.pop(0)[2:]
        assert len(shown) == min(len(wanted), 200)
        words = [row[0].strip("*") for row in shown]
        assert words == sorted(words, key=lambda w: w == "pass"), "what is not met comes first"
        if len(wanted) <= 200:
            assert sorted(words) == sorted(c["result"] for c in wanted)
    if result.get("points"):
        assert len(tables.pop(0)) - 2 == min(len(result["points"]), 200)
    assert not tables
    assert len(text) < 1 << 20
    print(len(text), "characters")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with open(name + ".json", encoding="utf-8") as given:
            made = json.load(given)
        for suffix, check in (("junit", junit), ("csv", rows), ("markdown", markdown)):
            print(name, suffix, end=" ")
            check(made, f"{name}.{suffix}")
