// The script of a report's page (sim/run/html_page.h): draws charts from the data block, sorts
// tables, copies the command. The page is whole without it. It loads nothing, and shows texts by
// textContent alone.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const COLOURS = 8; // for more lines, one colour turns into another over all of them

// ---- quantities: three digits, as in the tables -------------------------------------------------

function digits(value) {
    return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value, step, units) {
    let unit = 0;
    while (Math.abs(value) >= step * 0.9995 && unit < units.length - 1) {
        value /= step;
        unit++;
    }
    return `${unit === 0 && Number.isInteger(value) ? value : digits(value)} ${units[unit]}`;
}

function quantity(unit, value) {
    if (value === null || value === undefined) return "";
    if (unit === "ns") return scaled(value, 1000, ["ns", "us", "ms", "s"]);
    if (unit === "bytes_per_s") return scaled(value, 1000, ["B/s", "kB/s", "MB/s", "GB/s"]);
    if (unit === "bytes") return scaled(value, 1024, ["B", "KiB", "MiB", "GiB"]);
    const text = Number.isInteger(value) || Math.abs(value) >= 100
        ? Math.round(value).toLocaleString("en").replaceAll(",", "\u202f") : digits(value);
    return unit.includes("per_s") ? `${text}/s` : text;
}

function tick(unit, value) {
    return quantity(unit, value).replace(/\.0+(?=\D|$)|(\.\d*[1-9])0+(?=\D|$)/, "$1");
}

// ---- elements -----------------------------------------------------------------------------------

function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
}

function colour(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
}

function seriesColour(i, count) {
    if (count <= COLOURS) return colour(`--s${i}`);
    const part = (at) => Number.parseInt(at, 16);
    const mix = [1, 3, 5].map((from) => [colour("--s0"), colour("--s1")].map((c) => part(c.slice(from, from + 2))))
        .map(([a, b]) => Math.round(a + (b - a) * i / (count - 1)).toString(16).padStart(2, "0"));
    return `#${mix.join("")}`;
}

// `choices`: [value, text, group]. Calls `chosen` with the value, now and at each change.
function picker(host, label, choices, chosen) {
    const select = make("select");
    const groups = new Map();
    for (const [value, text, group] of choices) {
        const option = make("option", "", text);
        option.value = value;
        if (group && !groups.has(group)) {
            groups.set(group, make("optgroup"));
            groups.get(group).label = group;
            select.append(groups.get(group));
        }
        (group ? groups.get(group) : select).append(option);
    }
    select.addEventListener("change", () => chosen(select.value));
    const wrapper = make("label", "", `${label} `);
    wrapper.append(select);
    host.append(wrapper);
}

function pointText(point) {
    const where = data.axes.map((name, i) => `${name}=${point.at[i]}`).join(" ");
    return where ? `${point.id}: ${where}` : `${point.id}`;
}

// ---- charts -------------------------------------------------------------------------------------

// Each: {host, draw}. One is drawn when it is first seen, and again when its looks change.
const charts = new Map();
const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "300px" });

function draw(host) {
    const chart = charts.get(host);
    if (host.clientWidth === 0) return;
    chart.drawn = true;
    for (const plot of chart.plots) plot.destroy();
    chart.plots = [];
    host.replaceChildren(make("div")); // an empty one would have no width
    chart.draw(host, chart.plots);
}

function redraw(all) {
    for (const [host, chart] of charts) if (chart.drawn || all) draw(host);
}

function addChart(host, drawIt) {
    charts.set(host, { draw: drawIt, plots: [], drawn: false });
    host.textContent = "\u00a0";
    seen.observe(host);
}

// What lies under the cursor, of each line.
function tips(title, unit, labels) {
    let tip;
    return {
        hooks: {
            init: (plot) => {
                tip = make("div", "tip");
                tip.hidden = true;
                plot.over.append(tip);
            },
            setCursor: (plot) => {
                const at = plot.cursor.idx;
                tip.hidden = at === null || at === undefined || plot.cursor.left < 0;
                if (tip.hidden) return;
                const rows = [make("strong", "", title(plot.data[0][at]))];
                labels.forEach((label, i) => {
                    const value = label && plot.data[i + 1][at];
                    if (!label || value === null || value === undefined || rows.length > 16) return;
                    const row = make("div");
                    row.append(make("span", "", label), make("span", "", quantity(unit, value)));
                    rows.push(row);
                });
                tip.hidden = rows.length === 1;
                tip.replaceChildren(...rows);
                const right = plot.cursor.left > plot.over.clientWidth / 2;
                tip.style.left = right ? "auto" : `${plot.cursor.left + 14}px`;
                tip.style.right = right ? `${plot.over.clientWidth - plot.cursor.left + 14}px` : "auto";
                tip.style.top = "8px";
            },
        },
    };
}

// `lines`: {label, values, low, high, dashed, colour}; `x`: {values, splits, text, range};
// `y`: {unit, log}.
function plotLines(host, plots, { x, y, lines, height, shade, sync }) {
    const grid = { stroke: colour("--line"), width: 1 };
    const ink = colour("--muted");
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const series = [{}], columns = [x.values], bands = [], labels = [];
    lines.forEach((line, i) => {
        const stroke = line.colour;
        if (line.low && lines.length <= COLOURS) {
            for (const edge of [line.high, line.low]) {
                series.push({ stroke: "transparent", width: 0, points: { show: false } });
                columns.push(edge);
                labels.push(null);
            }
            bands.push({ series: [series.length - 2, series.length - 1], fill: `${stroke}2e` });
        }
        series.push({
            stroke, width: 1.75, spanGaps: true, dash: line.dashed ? [5, 4] : [],
            points: { show: !line.smooth && x.values.length < 60, size: 5, fill: stroke },
        });
        columns.push(line.values);
        labels.push(line.label);
    });
    const wrapper = make("div", "chart");
    host.append(wrapper);
    const plot = new uPlot({
        width: host.clientWidth, height: height ?? 220, legend: { show: false }, bands, series,
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 },
                  sync: sync ? { key: sync } : undefined },
        scales: {
            x: { time: false, range: x.range ? () => x.range : undefined },
            y: y.log ? { distr: 3, range: (_, low, high) => logRange(low, high) } : { range: (_, low, high) => [0, high > 0 ? high * 1.06 : 1] },
        },
        axes: [
            { stroke: ink, font, grid: { show: false }, ticks: grid, size: 34, space: 76, label: x.label,
              labelFont: font, labelSize: 20, labelGap: 0, splits: x.splits && (() => x.splits),
              values: (_, at) => at.map(x.text) },
            { stroke: ink, font, grid, ticks: { show: false }, size: 74,
              incrs: y.unit === "bytes" ? Array.from({ length: 40 }, (_, i) => 2 ** i) : undefined,
              splits: y.log ? (plot, _, low, high) => logSplits(low, high) : undefined,
              filter: (_, splits) => splits,
              values: (_, at) => at.map((value) => value === null ? "" : tick(y.unit, value)) },
        ],
        hooks: { drawClear: shade ? [shade] : [] },
        plugins: [tips(x.title ?? x.text, y.unit, labels)],
    }, columns, wrapper);
    plots.push(plot);
    if (lines.length > 1) addLegend(host, lines);
}

// Of many lines the first and the last.
function addLegend(host, lines) {
    const isRamp = lines.length > 2 * COLOURS;
    const legend = make("ul", "legend");
    for (const line of isRamp ? [lines[0], lines[lines.length - 1]] : lines) {
        const item = make("li"), key = make("span", line.dashed ? "key dashed" : "key");
        key.style.color = line.colour;
        item.append(key, line.label);
        legend.append(item);
    }
    if (isRamp) legend.children[0].after(make("li", "", "\u2026"));
    host.append(legend);
}

// Of a logarithmic axis: 1, 2, 5 of each decade, or over many decades its beginning alone.
function logSplits(low, high) {
    const splits = [];
    const steps = high / low > 2000 ? [1] : [1, 2, 5];
    for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10)
        for (const step of steps)
            if (decade * step >= low * 0.999 && decade * step <= high * 1.001) splits.push(decade * step);
    return splits;
}

// From a little below the least to a little above the most.
function logRange(low, high) {
    return [Math.max(low, 1e-3) / 1.25, Math.max(high, 1e-3) * 1.25];
}

function isWide(values) {
    const there = values.filter((value) => value > 0);
    return there.length > 0 && there.length === values.filter((value) => value !== null).length &&
        Math.max(...there) > 30 * Math.min(...there);
}

// ---- the sweep ----------------------------------------------------------------------------------

const filters = new Map(); // axis from the third on: its chosen text

function distinct(axis) {
    return [...new Set(data.points.map((point) => point.at[axis]))];
}

// Places of the first axis' values: their numbers, their logarithms if they lie far apart, or
// else one beside the other.
function places() {
    const texts = distinct(0);
    const numbers = texts.map((text) => data.points.find((point) => point.at[0] === text).x[0]);
    let at = numbers;
    if (numbers.some((number) => number === null)) at = texts.map((_, i) => i);
    else if (isWide(numbers)) at = numbers.map((number) => Math.log2(number));
    const order = at.map((_, i) => i).sort((a, b) => at[a] - at[b]);
    return order.map((i) => ({ text: texts[i], at: at[i] }));
}

function drawSweep(chart, host, plots) {
    const all = places();
    const lines = new Map();
    const mine = data.points.map((_, i) => i).filter((i) =>
        [...filters].every(([axis, text]) => data.points[i].at[axis] === text));
    const isZipped = data.points.length === all.length;
    for (const i of mine) {
        const point = data.points[i];
        const label = data.axes.length > 1 && !isZipped ? `${data.axes[1]}=${point.at[1]}` : chart.name;
        if (!lines.has(label)) lines.set(label, new Array(all.length).fill(-1));
        lines.get(label)[all.findIndex((place) => place.text === point.at[0])] = i;
    }
    const pick = (from, points) => points.map((i) => i < 0 ? null : from[i]);
    const drawn = [];
    let number = 0;
    for (const [label, points] of lines) {
        const own = seriesColour(number++, lines.size);
        drawn.push({ label, values: pick(chart.y, points), low: pick(chart.low, points),
                     high: pick(chart.high, points), colour: own });
        if (chart.other.length > 0)
            drawn.push({ label: `${label}, other`, values: pick(chart.other, points), dashed: true,
                         colour: own });
    }
    const every = Math.ceil(all.length / Math.max(2, Math.floor(host.clientWidth / 70)));
    const text = (at) => all.find((place) => place.at === at)?.text ?? "";
    const pad = (all[all.length - 1].at - all[0].at) * 0.03 || 1;
    plotLines(host, plots, {
        x: { values: all.map((place) => place.at), label: data.axes[0], text,
             title: (at) => `${data.axes[0]}=${text(at)}`,
             splits: all.filter((_, i) => i % every === 0).map((place) => place.at),
             range: [all[0].at - pad, all[all.length - 1].at + pad] },
        y: { unit: chart.unit, log: isWide(chart.y.concat(chart.low, chart.high)) },
        lines: drawn,
    });
}

function setUpSweep() {
    const host = document.getElementById("filters");
    for (let axis = 2; host && axis < data.axes.length; axis++) {
        const texts = distinct(axis);
        if (texts.length < 2) continue;
        filters.set(axis, texts[0]);
        picker(host, data.axes[axis], texts.map((text) => [text, text]), (text) => {
            filters.set(axis, text);
            redraw();
        });
    }
    for (const element of document.querySelectorAll("[data-chart]"))
        if (data.axes.length > 0 && data.points.length > 1)
            addChart(element, drawSweep.bind(null, data.charts[element.dataset.chart]));
}

// ---- latency by percentile ----------------------------------------------------------------------

const NINES = [[0, "0"], [0.30103, "50"], [1, "90"], [2, "99"], [3, "99.9"], [4, "99.99"],
               [5, "99.999"], [6, "99.9999"]];

// A curve is [count, values at steps of an eighth of a nine..., the largest].
function curvePoints([count, ...values]) {
    const largest = values.pop();
    const points = values.map((value, i) => [i / 8, value]);
    points.push([Math.max(Math.log10(Math.max(count, 1)), (values.length - 1) / 8 + 0.001), largest]);
    return points;
}

function chosenCurves(list, choice) {
    const [kind, number] = choice.split(":");
    const all = kind === "point"
        ? list.map(({ name, of, other }) => ({ label: name, curve: of[number], other: other?.[number] }))
        : list[number].of.map((curve, i) => ({ label: pointText(data.points[i]), curve,
                                              other: list[number].other?.[i] }));
    const there = all.filter(({ curve }) => curve);
    return there.flatMap(({ label, curve, other }, i) => {
        // points have an order, which a ramp of colours shows; histograms have none
        const own = kind === "point" ? seriesColour(i % COLOURS, 1) : seriesColour(i, there.length);
        const lines = [{ label, curve, colour: own, dashed: kind === "point" && i >= COLOURS }];
        if (other) lines.push({ label: `${label}, other`, curve: other, dashed: true, colour: own });
        return lines;
    });
}

function drawCurves(list, choice, host, plots) {
    const curves = chosenCurves(list, choice.value);
    const parts = curves.map(({ curve }) => curvePoints(curve));
    const xs = [...new Set(parts.flatMap((part) => part.map(([x]) => x)))].sort((a, b) => a - b);
    if (xs.length === 0) return;
    const percent = (x) => {
        const share = 100 - 100 / 10 ** x;
        return `${share.toFixed(Math.max(0, Math.ceil(x) - 1)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")} %`;
    };
    plotLines(host, plots, {
        x: { values: xs, splits: NINES.map(([x]) => x).filter((x) => x <= xs[xs.length - 1]),
             text: (x) => `${NINES.find(([at]) => at === x)?.[1] ?? ""} %`,
             title: percent, range: [0, xs[xs.length - 1]] },
        y: { unit: "ns", log: true },
        lines: curves.map(({ label, dashed, colour: own }, i) => {
            const at = new Map(parts[i]);
            return { label, dashed, colour: own, smooth: true,
                     values: xs.map((x) => at.get(x) > 0 ? at.get(x) : null) };
        }),
        height: 320,
    });
}

function setUpCurves() {
    for (const element of document.querySelectorAll("[data-curves]")) {
        const key = element.dataset.curves, list = data[key];
        const choice = { value: "point:0" };
        if (data.points.length > 1)
            picker(document.querySelector(`[data-pick=${key}]`), "Show",
                data.points.map((point, i) => [`point:${i}`, `point ${pointText(point)}`, "One point"])
                    .concat(list.map(({ name }, i) => [`name:${i}`, `${name} at every point`, "Every point"])),
                (value) => {
                    choice.value = value;
                    draw(element);
                });
        addChart(element, drawCurves.bind(null, list, choice));
    }
}

// ---- time line ----------------------------------------------------------------------------------

const PANELS = [
    ["Throughput", "bytes_per_s", (unit, level) => unit === "bytes" && !level],
    ["Bytes in rings", "bytes", (unit, level) => unit === "bytes" && level],
    ["Slots of the command ring", "", (unit, level) => unit !== "bytes" && level],
    ["Events", "per_s", (unit, level) => unit !== "bytes" && !level],
];

function shadeFaults(faults) {
    return (plot) => {
        const { left, width, top, height } = plot.bbox;
        plot.ctx.save();
        plot.ctx.fillStyle = colour("--shade");
        for (const [from, to] of faults) {
            const begin = Math.max(left, plot.valToPos(from / 1e9, "x", true));
            const end = Math.min(left + width, plot.valToPos(to / 1e9, "x", true));
            if (end > left && begin < left + width)
                plot.ctx.fillRect(begin, top, Math.max(end - begin, 1), height);
        }
        plot.ctx.restore();
    };
}

function drawTime(choice, host, plots) {
    const line = data.time[choice.value];
    if (!line) {
        host.append(make("p", "absent", "This point has no time line."));
        return;
    }
    const count = Math.max(0, ...line.series.map(([, , , values]) => values.length));
    const xs = Array.from({ length: count }, (_, i) => (line.from + (i + 0.5) * line.step) / 1e9);
    for (const [title, unit, fits] of PANELS) {
        const series = line.series.filter(([, of, level]) => fits(of, level));
        if (series.length === 0) continue;
        host.append(make("figcaption", "", title));
        plotLines(host, plots, {
            x: { values: xs, text: (x) => tick("ns", x * 1e9) },
            y: { unit },
            lines: series.map(([label, , level, values], i) => ({
                label, smooth: true, colour: seriesColour(i, series.length),
                values: level ? values : values.map((value) => value * 1e9 / line.step),
            })),
            height: 170, shade: shadeFaults(line.faults), sync: "time",
        });
    }
}

function setUpTime() {
    for (const element of document.querySelectorAll("[data-lines]")) {
        const choice = { value: Math.max(0, data.time.findIndex((line) => line)) };
        if (data.points.length > 1)
            picker(document.querySelector("[data-pick=time]"), "Point",
                data.points.map((point, i) => [i, pointText(point)]).filter(([i]) => data.time[i]),
                (value) => {
                    choice.value = value;
                    draw(element);
                });
        addChart(element, drawTime.bind(null, choice));
    }
}

// ---- tables -------------------------------------------------------------------------------------

function sortKey(row, column) {
    const cell = row.cells[column];
    const exact = cell?.querySelector("data");
    if (exact) return Number(exact.value);
    const text = cell?.textContent.trim() ?? "";
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

// Numbers before texts, nothing last, whatever the direction.
function compareKeys(a, b, sign) {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
}

function sortBy(header) {
    const table = header.closest("table"), body = table.tBodies[0];
    const column = [...header.parentNode.cells].indexOf(header);
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [sortKey(row, column), row]);
    rows.sort(([a], [b]) => compareKeys(a, b, sign));
    body.append(...rows.map(([, row]) => row));
}

function setUpTables() {
    for (const header of document.querySelectorAll("table.sortable > thead th")) {
        const button = make("button");
        button.type = "button";
        button.append(...header.childNodes);
        header.append(button);
    }
    document.addEventListener("click", (event) => {
        const header = event.target.closest?.("table.sortable > thead th");
        if (header) sortBy(header);
    });
    document.addEventListener("mouseover", (event) => {
        const exact = event.target.closest?.("data");
        if (exact) exact.title = exact.value;
    });
}

// ---- the rest -----------------------------------------------------------------------------------

function setUpCopy() {
    for (const button of document.querySelectorAll("[data-copy]")) {
        button.hidden = false;
        button.addEventListener("click", async () => {
            const source = document.getElementById(button.dataset.copy);
            try {
                await navigator.clipboard.writeText(source.textContent);
                button.textContent = "Copied";
            } catch {
                getSelection().selectAllChildren(source); // for the keyboard to copy
                button.textContent = "Selected";
            }
        });
    }
}

// A link into closed details opens them.
function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
    target?.scrollIntoView();
}

// Paper is light, whatever the screen is, and shows every chart.
function setUpPrinting() {
    addEventListener("beforeprint", () => {
        root.classList.add("printing");
        redraw(true);
    });
    addEventListener("afterprint", () => {
        root.classList.remove("printing");
        redraw();
    });
}

setUpTables();
setUpCopy();
setUpPrinting();
addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
if (typeof uPlot === "function") {
    setUpSweep();
    setUpCurves();
    setUpTime();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
    let width = innerWidth;
    addEventListener("resize", () => {
        if (innerWidth !== width) redraw();
        width = innerWidth;
    });
}
})();
