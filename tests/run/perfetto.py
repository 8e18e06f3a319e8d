#!/usr/bin/env python3
"""Holds a trace in Chrome's format against what its readers need, knowing nothing of who wrote it.

    perfetto.py FILE [EXPRESSION...]

Python expressions must be true of it: x its complete events, f its flows as (start, end), c its
counters' values by name, n the names of its threads, p those of its processes, of all: e.
"""
import collections
import json
import sys


def fail(text, event=None):
    sys.exit(f"{sys.argv[1]}: {text}" + (f": {event}" if event else ""))


def ns(number):
    """Exactly, as the text has it: microseconds with three decimals."""
    whole, _, part = number.partition(".")
    if len(part) != 3:
        fail(f"a time without three decimals: {number}")
    return int(whole) * 1000 + int(part)


class Time(int):
    pass


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=lambda text: Time(ns(text)),
                         parse_constant=lambda text: fail(f"{text} is no number"))


def check_slices(slices):
    """Of a thread: ordered, and each within those that are open when it begins."""
    last, opened = 0, []
    for one in slices:
        begin, end = one["ts"], one["ts"] + one["dur"]
        if begin < last:
            fail("a time goes back", one)
        last = begin
        while opened and opened[-1] <= begin and not (begin == end == opened[-1]):
            opened.pop()
        if opened and end > opened[-1]:
            fail("a slice ends behind the one it is in", one)
        opened.append(end)


def check_flows(flows, slices):
    starts = {(one["pid"], one["tid"], one["ts"]) for one in slices}
    ends = collections.defaultdict(list)
    for one in flows:
        if (one["pid"], one["tid"], one["ts"]) not in starts:
            fail("an arrow's end is at no slice", one)
        ends[one["id"]].append(one)
    pairs = []
    for pair in ends.values():
        if [one["ph"] for one in pair] != ["s", "f"] or pair[1].get("bp") != "e":
            fail("an arrow has not both ends, in order", pair)
        if pair[0]["ts"] > pair[1]["ts"] or pair[0]["pid"] == pair[1]["pid"]:
            fail("an arrow goes back in time, or to where it is from", pair)
        pairs.append(tuple(pair))
    for end in range(2):
        ends = collections.Counter((pair[end]["tid"], pair[end]["ts"]) for pair in pairs)
        if ends and max(ends.values()) > 1:
            fail("two arrows from or to one slice", ends.most_common(1))
    return pairs


def main(path, *expressions):
    trace = load(path)
    if trace["displayTimeUnit"] != "ns":
        fail("times are not in ns")
    events = [one for one in trace["traceEvents"] if one["ph"] != "M"]
    meta = [one for one in trace["traceEvents"] if one["ph"] == "M"]
    processes = {one["pid"]: one["args"]["name"] for one in meta if one["name"] == "process_name"}
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in meta
               if one["name"] == "thread_name"}
    if len(processes) + len(threads) != len(meta) or len({t for _, t in threads}) != len(threads):
        fail("something is named twice")
    by_thread, counters, last = collections.defaultdict(list), collections.defaultdict(list), 0
    for one in events:
        if one["ph"] not in "XsfC" or one["pid"] not in processes or not isinstance(one["ts"], Time):
            fail("an event of no kind, process or time", one)
        if one["ts"] < last:
            fail("events are not in order of time", one)
        last = one["ts"]
        if one["ph"] == "C":
            if list(one["args"]) != ["value"] or not isinstance(one["args"]["value"], int) \
                    or one["args"]["value"] < 0:
                fail("a counter without one natural number", one)
            counters[one["pid"], one["name"]].append(one["args"]["value"])
            continue
        if (one["pid"], one["tid"]) not in threads:
            fail("an event of no thread", one)
        if one["ph"] == "X":
            if not isinstance(one["dur"], Time) or one["dur"] < 0:
                fail("a slice without a length", one)
            by_thread[one["tid"]].append(one)
    slices = [one for one in events if one["ph"] == "X"]
    for one in by_thread.values():
        check_slices(one)
    pairs = check_flows([one for one in events if one["ph"] in "sf"], slices)
    names = {"x": slices, "f": pairs, "c": counters, "n": list(threads.values()),
             "p": list(processes.values()), "e": events}
    for text in expressions:
        if not eval("(" + text + ")", names):
            fail(f"does not hold: {text}; {names['p']}, {names['n'][:20]}")


main(*sys.argv[1:])
