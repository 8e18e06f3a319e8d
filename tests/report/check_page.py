#!/usr/bin/env python3
"""check_page.py RESULT PAGE [OTHER]: reads a report's page with Python's parser, without scripts.

Each table must say what RESULT says, in exact values and in rounded texts that are made here anew;
all markup must be of the few kinds a report has; nothing may be loaded, or begin by itself. Prints
what is wrong; exit code 1 then.
"""
import json
import re
import sys
from html.parser import HTMLParser

import results

VOID = {"meta", "rect"}
TAGS = VOID | set("""html head title style body a header h1 h2 h3 p strong span dl div dt dd code button nav ul
    li main section table caption thead tbody tr th td data small details summary figure figcaption svg bdi
    i pre footer script noscript""".split())
ATTRIBUTES = set("""lang charset http-equiv content name nonce class href id type data-copy hidden
    aria-label aria-hidden scope value open data-chart data-curves data-pick data-lines viewbox
    preserveaspectratio x width height tabindex role""".split())
UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
faults = []


def same(what, found, wanted):
    if found != wanted:
        faults.append(f"{what}: {found!r} instead of {wanted!r}")


class Cell:
    def __init__(self):
        self.text, self.exact, self.small = "", None, ""

    def value(self):
        if self.exact is not None:
            return int(self.exact)
        return int(self.text) if re.fullmatch(r"-?\d+", self.text) else self.text or None


class Page(HTMLParser):
    """Tables by the id of the section, or of the details with an id, that they stand in."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.places, self.tables, self.row, self.cell = [], [], {}, None, None
        self.scripts, self.ids, self.links, self.policy, self.text = [], [], [], "", {}
        self.feed(text)
        self.close()
        same("elements still open", self.stack, [])

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in TAGS:
            faults.append(f"a <{tag}>")
        faults.extend(f"<{tag} {name}>" for name, _ in attributes if name not in ATTRIBUTES)
        same(f"attributes of <{tag}> given twice", len(attributes), len(given))
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "script":
            self.scripts.append([given, ""])
        if tag not in VOID:
            self.stack.append(tag)
            self.places.append(given["id"] if tag in ("section", "details") and "id" in given
                               else self.places[-1] if self.places else "")
        if tag == "table":
            self.tables.setdefault(self.places[-1], []).append([])
        elif tag == "tr":
            self.row = []
            self.tables[self.places[-1]][-1].append(self.row)
        elif tag in ("td", "th"):
            self.cell = Cell()
            self.row.append(self.cell)
        elif tag == "data":
            self.cell.exact = given["value"]

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        same("closed", tag, self.stack[-1] if self.stack else None)
        if self.stack:
            self.stack.pop()
            self.places.pop()
        if tag in ("td", "th"):
            self.cell.text = self.cell.text.strip()
            self.cell = None

    def handle_data(self, text):
        tag = self.stack[-1] if self.stack else ""
        if tag == "script":
            self.scripts[-1][1] += text
            return
        self.text[tag] = self.text.get(tag, "") + text
        if self.cell is not None and tag == "small":
            self.cell.small += text
        elif self.cell is not None:
            self.cell.text += text

    def handle_comment(self, text):
        faults.append(f"a comment: {text!r}")


# ---- quantities, once more ----------------------------------------------------------------------

def three_digits(value, step, units):
    """Rounded half up, whole below the first unit's step."""
    if value < step:
        return f"{value} {units[0]}"
    unit, scale = 0, 1
    while value >= scale * step and unit < len(units) - 1:
        scale *= step
        unit += 1
    for decimals in (2, 1, 0):
        shown = (value * 10 ** decimals * 2 + scale) // (2 * scale)
        if shown < 1000 or decimals == 0:
            break
    if shown >= step and unit < len(units) - 1:
        return f"1.00 {units[unit + 1]}"
    whole = str(shown).rjust(decimals + 1, "0")
    return (whole[:-decimals] + "." + whole[-decimals:] if decimals else whole) + " " + units[unit]


def shown(unit, value):
    if unit == "ns":
        return three_digits(value, 1000, ["ns", "us", "ms", "s"])
    if unit == "bytes_per_s":
        return three_digits(value, 1000, ["B/s", "kB/s", "MB/s", "GB/s"])
    if unit == "bytes":
        if value < 1024:
            return f"{grouped(value)} B"
        scale = 1024 if value < 2 ** 20 else 2 ** 20 if value < 2 ** 30 else 2 ** 30
        return f"{value // scale}.{value % scale * 10 // scale} " + {1024: "KiB", 2 ** 20: "MiB"}.get(scale, "GiB")
    return grouped(value) + ("/s" if "per_s" in unit else "")


def grouped(value):
    return f"{value:,}".replace(",", "\u202f") if value >= 10000 else str(value)


# ---- tables -------------------------------------------------------------------------------------

def check_cell(what, cell, unit, value):
    if value is None:
        same(what, cell.text, "")
        return
    same(what, cell.value(), value)
    same(f"{what} in words", cell.text, shown(unit, value))


def check_sweep(page, result):
    """Each metric that differs has its column, by kind, with the summary's median in each row."""
    columns = {}
    for kind in {name.split(".")[0] for point in result["points"] for name in point["summary"]} - {"stage"}:
        for head, *rows in page.tables.get(f"metric-{kind}", []):
            for number, title in enumerate(cell.text for cell in head):
                columns[f"{kind}.{title.replace('p99.9', 'p99_9')}"] = [row[number] for row in rows]
    for name, first in result["points"][0]["summary"].items():
        if name.startswith("stage."):
            continue
        medians = [point["summary"][name] for point in result["points"]]
        if len({(m["least"], m["most"], m["median"]) for m in medians}) == 1 and medians[0]["least"] == medians[0]["most"]:
            same(f"{name} is the same at each point, with a column", name in columns, False)
            continue
        same(f"rows of {name}", len(columns.get(name, [])), len(medians))
        for cell, median in zip(columns.get(name, []), medians):
            check_cell(name, cell, first["unit"], median["median"])
            low, high = (shown(first["unit"], end) for end in median["ci95"])
            if low.split()[-1] == high.split()[-1]:
                low = low.split()[0]
            if shown(first["unit"], median["ci95"][0]) != high:
                same(f"interval of {name}", cell.small, f"[{low}\u2013{high}]")


def check_latency(page, result, slow, operations):
    """The percentiles of a point are those of all values of its repeats."""
    ppms = [500000, 900000, 990000, 999000, 999900, 999990]
    table = page.tables["latency"][0]
    rows = {(row[0].value(), row[3].text): row[4:] for row in table[1:]}
    for point in result["points"]:
        values = [value for i in range(5) for value in
                  results.latencies(i, point["axes"]["order"], point["axes"]["rate"], slow, operations)]
        wanted = [("", len(values)), ("ns", min(values))]
        wanted += [("ns", results.percentile(values, ppm) if len(values) * (10 ** 6 - ppm) >= 10 ** 6 else None)
                   for ppm in ppms]
        wanted.append(("ns", results.highest_of(max(values))))
        found = rows.get((point["id"], "latency.short"), [])
        same(f"cells of point {point['id']}", len(found), len(wanted))
        for cell, (unit, value) in zip(found[2:], wanted[2:]):
            check_cell(f"latency of point {point['id']}", cell, unit, value)
        check_cell("count", found[0], "", len(values))


def median(values):
    return sorted(values)[(len(values) - 1) // 2]


def check_counters(page, result):
    for point in result["points"]:
        table = next(t for t in page.tables[f"p{point['id']}"] if t[0][0].text == "counter")
        rows = {row[0].text: row[1:] for row in table[1:]}
        for name in point["repeats"][0]["counters"]:
            values = [repeat["counters"][name] for repeat in point["repeats"]]
            if any(values):
                check_cell(name, rows[name][0], "ns" if name.endswith("_ns") else "", median(values))
            elif name in rows:
                faults.append(f"{name} is 0 and has a row")
        same("counters at 0 are named", "frontend.peer_faults" in page.text["code"], True)


def check_costs(page, result):
    head, *rows = page.tables["cost"][0]
    names = [cell.text for cell in head[6:]]
    same("rows of costs", len(rows), 2 * len(result["points"]))
    for row in rows:
        point = next(p for p in result["points"] if p["id"] == row[0].value())
        costs = [median([r["counters"][f"{row[3].text}.cost.{n}_ns"] for r in point["repeats"]]) for n in names]
        check_cell("costs in all", row[5], "ns", sum(costs))
        for cell, cost in zip(row[6:], costs):
            check_cell("a cost", cell, "ns", cost)


def check_time(page, result):
    rows = {(row[0].value(), row[3].text): row[4:] for row in page.tables["time"][0][1:]}
    for point in result["points"]:
        for name, values in point["repeats"][0]["timeline"]["series"].items():
            unit = "bytes" if "_bytes" in name else ""
            whole, most = rows[(point["id"], name)]
            check_cell(name, whole, unit, None if "ring" in name else sum(values))
            check_cell(name, most, unit, max(values))
    faults_table = page.tables["time"][1]
    same("faults", len(faults_table) - 1, len(result["points"]))
    check_cell("recovery", faults_table[1][6], "ns", 12500000)


def check_expectations(page, result):
    rows = page.tables["expectations"][0][1:]
    for row, expectation in zip(rows, result["expectations"], strict=True):
        failing = [case for case in expectation["cases"] if case["result"] != "pass"] or expectation["cases"][:1]
        failing.sort(key=lambda case: -int(case["measured"].split()[0]))
        same("expectation", [row[i].text for i in (0, 1, 2, 4, 5, 6)],
             [expectation["name"], expectation["that"], expectation["result"], failing[0]["measured"],
              failing[0]["limit"], failing[0]["why"]])
        place = row[3].text.split(" ")[0]
        same("worst point", place, "all" if failing[0]["point"] is None else str(failing[0]["point"]))


def check_resources(page, result):
    rows = {(row[0].text, row[1].text): row for row in page.tables["resources"][0][1:]}
    orders = [point["axes"]["order"] for point in result["points"]]
    check_cell("grants", rows[("frontend", "grants")][2], "", 1 + 2 ** max(orders))
    check_cell("limit of grants", rows[("frontend", "grants")][3], "", 2 * 512 - 8)
    check_cell("limit of ports", rows[("frontend", "ports")][3], "", 63)
    same("what is left", "Nothing was left over" in page.text["p"], True)


# ---- all pages ----------------------------------------------------------------------------------

def check_safety(page, text):
    nonces = re.findall(r"'nonce-([0-9a-f]{32})'", page.policy)
    same("policy", re.sub(r"nonce-[0-9a-f]{32}", "NONCE", page.policy),
         "default-src 'none'; script-src 'NONCE'; style-src 'NONCE'; base-uri 'none'; form-action 'none'")
    data, *code = page.scripts
    same("the data block", data[0], {"type": "application/json", "id": "data"})
    for given, _ in code:
        same("a script", given, {"nonce": nonces[0]})
    same("scripts", len(code) <= 2, True)
    faults.extend(f"a link to {link!r}" for link in page.links if not re.fullmatch(r"#[\w.-]+", link))
    faults.extend(f"a link to nothing: {link}" for link in page.links if link[1:] not in page.ids)
    same("ids twice", sorted({i for i in page.ids if page.ids.count(i) > 1}), [])
    same("unseen characters", sorted(set(UNSEEN.findall(text))), [])
    return json.loads(data[1])


def check_hostile(page, data):
    """What tried to be markup is text, in words and in the charts' data."""
    whole = "".join(page.text.values())
    for evil in results.EVIL:
        seen = UNSEEN.sub(lambda m: f"[U+{ord(m.group()):04X}]", evil)
        same(f"{evil!r} is there as text", whole.count(seen) > 10, True)
        same(f"{evil!r} is in the data", f"throughput.{seen}" in [chart["name"] for chart in data["charts"]], True)
    same("left over", "Left over at the end" in page.text["p"], True)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    data = check_safety(page, text)
    if result["scenario"]["resolved"]["name"] == results.EVIL[0]:
        check_hostile(page, data)
    elif "axes" in result:
        many = len(result["points"]) > 100
        check_sweep(page, result)
        check_latency(page, result, 0, 100 if many else 2000)
        check_counters(page, result)
        check_costs(page, result)
        check_time(page, result)
        check_expectations(page, result)
        check_resources(page, result)
    else:
        metrics = result["points"][0]["repeats"][0]["metrics"]
        head, *rows = page.tables["metrics"][0]
        bulk = next(row for row in rows if row[0].text == "bulk")
        check_cell("throughput", bulk[[c.text for c in head].index("throughput")], "bytes_per_s",
                   metrics["throughput.bulk"]["value"])
        process = next(t for t in page.tables["p0"] if t[0][0].text == "process")[1]
        check_cell("CPU time", process[2], "ns", 381234567)
        check_cell("memory", process[7], "bytes", 5033165)
    print("\n".join(faults[:20]) or f"{len(page.tables)} places with tables, {len(text)} bytes")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main())
