"""Takes the examples out of the manual pages, so that they can be run; see test_manual.sh.

    manual.py blocks PAGE...        # NUMBER.KIND in the working directory, a file for each example
    manual.py keys PAGE PAGE2 SCHEMA RESULT...   # each key of a result is in PAGE, each counter in PAGE2

KIND is `scenario` (a part of one, or all: NUMBER.yaml is it in a whole one), `sets`, `model`, `sh`, or
`shown`, what is only to be looked at, or `session`, of a walk through tools in section 7. An example that is none of these is an error.
"""
import copy
import json
import re
import sys

from yaml12 import read_yaml

# What the parts refer to. Parts are laid over it: mappings key by key, anything else as a whole.
BASE = read_yaml("""
schema: xensock/scenario/1
name: part
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    echo: {kind: echo}
    drain: {kind: sink}
    spring: {kind: source}
    pages: {kind: responder}
workload:
  - {name: bulk, kind: stream, connect_to: drain}
  - {name: ask, kind: request-response, connect_to: echo}
""")
SERVES = {"name": "srv", "kind": "serve", "listen": "127.0.0.1:7001", "listeners": 2}
SWEEP = {"sweep": {"dialect": {"path": "protocol.dialect", "values": ["xensock1", "pvcalls1"]},
                   "order": {"path": "protocol.order", "values": [1, 3, 6]}}}
MORE = {"topology": {"hosts": {"web": {"count": 2}, "db": {"role": "frontend"}}}}


def lay(base, part):
    if not isinstance(base, dict) or not isinstance(part, dict):
        return part
    return {key: lay(base[key], part[key]) if key in base and key in part else part.get(key, base.get(key))
            for key in [*base, *(key for key in part if key not in base)]}


def whole(part):
    """The scenario that a part stands for."""
    if ("topology" in part and "workload" in part or "steps" in part) and "schema" in part:
        return part
    base = copy.deepcopy(BASE)
    peers = part.get("topology", {}).get("peers", {})
    if any(peer.get("connect_to") == "srv" for peer in peers.values()) and "workload" not in part:
        base["workload"].append(SERVES)
    if "faults" in part:
        base = lay(base, MORE)
    if "expect" in part and "sweep" not in part:
        base = lay(base, SWEEP)
    return lay(base, part)


def blocks(page):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^```\n(.*?)^```$", text, flags=re.M | re.S):
        line = text[:match.start()].count("\n") + 2
        # scdoc takes a backslash as it does elsewhere
        yield f"{page}:{line}", re.sub(r"\\(.)", r"\1", match.group(1))


def kind_of(text):
    first = text.split()[0]
    if first == "xensock" or first == "jq":
        return "sh"
    if first == "--set":
        return "sets"
    if first.startswith("deliver_"):
        return "model"
    if re.match(r"\S+:\d+:\d+: error|\d+\.\d{9}  |\{\"schema\"", text):
        return "shown"
    return "scenario" if isinstance(read_yaml(text), dict) else None


def take_blocks(pages):
    number = 0
    for page in pages:
        for where, text in blocks(page):
            kind = "session" if page.endswith(".7.scd") else kind_of(text)
            if not kind:
                sys.exit(f"{where}: no example that can be run")
            number += 1
            with open(f"{number}.{kind}", "w", encoding="utf-8") as file:
                file.write(text)
            print(number, kind, where)
            if kind == "scenario":
                with open(f"{number}.yaml", "w", encoding="utf-8") as file:
                    json.dump(whole(read_yaml(text)), file)


def names(schema):
    """The keys that a schema has anywhere."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from value
            yield from names(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from names(one)


def take_keys(page, counters_page, schema, results):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    with open(counters_page, encoding="utf-8") as file:
        counters_text = file.read()
    with open(schema, encoding="utf-8") as file:
        said = set(names(json.load(file)))
    metrics, counters = set(), set()
    for name in results:
        with open(name, encoding="utf-8") as file:
            result = json.load(file)
        for repeat in (r for p in result["points"] for r in p["repeats"]):
            metrics |= {metric.split(".")[0] for metric in repeat["metrics"]}
            # those of the cost model have its rows' names, which have a page of their own
            counters |= {"cost" if ".cost." in counter else counter.split(".")[-1]
                         for counter in repeat["counters"]}
    lost = [key for key in said if f"*{key}*" not in text and f"*{key}.W*" not in text]
    lost += [kind for kind in metrics if f"*{kind}." not in text]
    lost += [one for one in counters if not re.search(rf"\b{one}\b", counters_text)]
    if lost or len(counters) < 50 or len(metrics) < 10:
        sys.exit(f"not in the pages: {sorted(lost)}")
    print(len(said), "keys", len(metrics), "metrics", len(counters), "counters")


if __name__ == "__main__":
    if sys.argv[1] == "blocks":
        take_blocks(sys.argv[2:])
    else:
        take_keys(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
