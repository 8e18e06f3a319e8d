#!/usr/bin/env python3
"""Takes from result.json what is a function of program, scenario and seed, and compares two of it.

    golden.py of RESULT           print it
    golden.py diff GOLDEN RESULT  print what is different, a line each; exit code 1 if anything is

Left out is what names the host, the file and the version, and the time on the host's clock. A
histogram stands as a hash of its counts, since its compressed form depends on the compressor. All
numbers are integers: any other is an error. Of a study, which has many runs, counters and processes
are left out too: that each run went the same way is what its trace says.
"""
import base64
import hashlib
import json
import sys
import zlib

LEFT_OUT = {"tool", "host", "scenario", "wall_ns", "plan", "summary"}
LEFT_OUT_OF_MANY = {"counters", "processes", "cost_model"}
SHOWN = 40
LONG = "points.0.repeats.0."  # what nearly every path begins with


def load(path):
    def no_float(text):
        sys.exit(f"{path}: a number that is no integer: {text}")

    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=no_float, parse_constant=no_float)


def counts(text):
    """The hash of a histogram: of its V2 encoding, behind two words of compressed form."""
    encoding = zlib.decompress(base64.b64decode(text)[8:])
    return "blake2b-128 " + hashlib.blake2b(encoding, digest_size=16).hexdigest()


def of(value, left_out):
    if isinstance(value, dict):
        return {key: counts(one) if key == "hdr_v2" else of(one, left_out)
                for key, one in value.items() if key not in left_out}
    return [of(one, left_out) for one in value] if isinstance(value, list) else value


def of_result(result):
    many = sum(len(point["repeats"]) for point in result["points"]) > 1
    return of(result, LEFT_OUT | LEFT_OUT_OF_MANY if many else LEFT_OUT)


def check_costs(result):
    """What a role's CPUs were busy with, row by row of the cost model, is all they were busy."""
    counters = result["points"][0]["repeats"][0]["counters"]
    busy = [key.removesuffix("cpu_busy_ns") for key in counters if key.endswith(".cpu_busy_ns")]
    for role in busy:
        rows = [value for key, value in counters.items() if key.startswith(role + "cost.")]
        if not rows or sum(rows) != counters[role + "cpu_busy_ns"]:
            sys.exit(f"{role}cost.*: {len(rows)} rows of {sum(rows)} ns, but "
                     f"{role}cpu_busy_ns is {counters[role + 'cpu_busy_ns']}")
    if len(busy) < 2:
        sys.exit("no CPU was busy")


def leaves(value, path=""):
    """Path and value of all that is neither object nor list, and of those that are empty."""
    if not isinstance(value, (dict, list)) or not value:
        yield path[:-1], value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        yield from leaves(one, f"{path}{key}.")


def diff(golden, new):
    golden, new = dict(leaves(golden)), dict(leaves(new))
    keys = [*golden, *(key for key in new if key not in golden)]
    lines = [(key.removeprefix(LONG), golden.get(key, "(none)"), new.get(key, "(none)"))
             for key in keys if key not in golden or key not in new or golden[key] != new[key]]
    for key, was, now in lines[:SHOWN]:
        print(f"  {key:32}  golden {was}  now {now}")
    if len(lines) > SHOWN:
        print(f"  and {len(lines) - SHOWN} more")
    return bool(lines)


def main(what, *paths):
    values = [load(path) for path in paths]
    check_costs(values[-1])
    if what == "of":
        print(json.dumps(of_result(values[0]), indent=1, sort_keys=True, ensure_ascii=False))
    elif what == "diff":
        sys.exit(diff(values[0], of_result(values[1])))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
