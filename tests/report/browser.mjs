// browser.mjs DIRECTORY: looks at the reports there with Chromium, started once, offline: sweep.html,
// with.html (another result laid over it), large.html, hostile.html, bare.html (without what draws charts).
// Each check prints what it found wrong; exit code 1 then. Every wait is for something, and bounded.
import { chromium } from "playwright-core";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = process.argv[2];
const OPEN_MS = 2000, SIZE_MAX = 5e6;
let faults = 0;

function check(what, found, wanted = true) {
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    faults++;
    console.log(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

// A page with everything that it asks for, says or pops up.
async function open(browser, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, offline: true, ...options });
    const page = await context.newPage();
    const log = { requests: [], finished: 0, said: [], dialogs: 0 };
    page.setDefaultTimeout(20000);
    page.on("request", (request) => log.requests.push(request.url()));
    page.on("requestfinished", () => log.finished++);
    page.on("console", (message) => log.said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => log.said.push(error.stack));
    page.on("dialog", (dialog) => { log.dialogs++; dialog.dismiss(); });
    const url = `file://${join(directory, name)}`;
    await page.goto(url);
    return { page, context, log, url };
}

function checkQuiet({ log, url }, name) {
    check(`${name}: requests`, log.requests, [url]);
    check(`${name}: said`, log.said, []);
    check(`${name}: dialogs`, log.dialogs, 0);
}

// Brings an element into view until its canvas is there; how many colours and how much ink it has.
async function ink(page, selector) {
    await page.locator(selector).first().scrollIntoViewIfNeeded();
    await page.waitForSelector(`${selector} canvas`);
    // what is drawn in a frame is on the canvas in the next
    return page.evaluate(async (wanted) => {
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const canvas = document.querySelector(`${wanted} canvas`);
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Map();
        let inked = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] < 250) continue; // nothing, or an edge
            inked++;
            const colour = `${data[i]},${data[i + 1]},${data[i + 2]}`;
            colours.set(colour, (colours.get(colour) ?? 0) + 1);
        }
        const main = [...colours].filter(([, count]) => count > 150).map(([colour]) => colour).sort();
        return { inked, main };
    }, selector);
}

const charts = ["#metric-throughput [data-chart]", "#metric-latency [data-chart]", "[data-curves=latency]",
                "[data-lines=time]", "[data-curves=stages]"];

// The first two colours of lines, as style.css has them.
const lines = { light: ["42,111,187", "209,112,31"], dark: ["107,168,234", "240,153,77"] };

async function checkCharts(browser) {
    const inks = {};
    for (const colorScheme of ["light", "dark"]) {
        const opened = await open(browser, "sweep.html", { colorScheme });
        const { page, context } = opened;
        inks[colorScheme] = [];
        for (const chart of charts) {
            const found = await ink(page, chart);
            check(`${colorScheme}: ${chart} has two lines`, lines[colorScheme].filter((line) => !found.main.includes(line)), []);
            inks[colorScheme].push(found.main.join(" "));
        }
        check(`${colorScheme}: background`, await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
            colorScheme === "light" ? "rgb(252, 252, 251)" : "rgb(20, 23, 26)");
        checkQuiet(opened, `sweep, ${colorScheme}`);
        await context.close();
    }
    charts.forEach((chart, i) => check(`${chart} is the same in dark`, inks.light[i] === inks.dark[i], false));
}

async function checkChoices(browser) {
    const { page, context } = await open(browser, "with.html");
    await ink(page, charts[0]);
    check("the other's lines", await page.locator(charts[0]).first().locator(".legend .dashed").count(), 3);
    const before = await ink(page, "[data-curves=latency]");
    await page.locator("[data-pick=latency] select").selectOption({ label: "latency.short at every point" });
    const after = await ink(page, "[data-curves=latency]");
    check("another choice is another picture", before.inked === after.inked, false);
    check("lines of every point, and the other's", await page.locator("[data-curves=latency] .legend li").count(), 3);

    await page.evaluate(() => { location.hash = "#p7"; });
    await page.waitForFunction(() => document.getElementById("p7").open);
    check("a link opens its point alone", await page.locator("details.point[open]").count(), 1);

    // an exact value, and a line's value under the cursor
    const cell = page.locator("#metric-throughput tbody data").first();
    await cell.hover();
    check("exact value", await cell.getAttribute("title"), await cell.getAttribute("value"));
    await page.locator(`${charts[0]} .u-over`).first().hover({ position: { x: 150, y: 40 } });
    await page.waitForFunction((chart) => /order=/.test(document.querySelector(`${chart} .tip:not([hidden])`)?.textContent), charts[0]);
    await context.close();
}

async function checkKeyboard(browser) {
    const { page, context } = await open(browser, "sweep.html");
    await page.keyboard.press("Tab");
    check("the first stop", await page.evaluate(() => document.activeElement.className), "skip");
    check("it is seen", await page.evaluate(() => document.activeElement.getBoundingClientRect().left >= 0));
    check("focus is seen", await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "solid");
    await page.keyboard.press("Enter");
    check("it leads to the content", await page.evaluate(() => location.hash), "#main");

    const button = page.locator("#metric-throughput thead button", { hasText: "bulk" });
    await button.focus();
    for (const [key, sort, sign] of [["Enter", "ascending", 1], [" ", "descending", -1]]) {
        await page.keyboard.press(key);
        check(sort, await page.locator("#metric-throughput th[aria-sort]").getAttribute("aria-sort"), sort);
        const values = await page.locator("#metric-throughput tbody tr td:nth-child(4) data").evaluateAll((cells) =>
            cells.map((cell) => Number(cell.value)));
        check(`${sort}: rows`, values, [...values].sort((a, b) => sign * (a - b)));
        check(`${sort}: count of rows`, values.length, 12);
    }
    await page.locator("#p3 > summary").focus();
    await page.keyboard.press("Enter");
    check("a point opens", await page.evaluate(() => document.getElementById("p3").open));

    await page.locator("[data-copy]").focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /Copied|Selected/.test(document.querySelector("[data-copy]").textContent));
    await context.close();
}

// The text of every table, as it is on the screen or would be.
const tables = () => [...document.querySelectorAll("table")].map((table) =>
    [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent)));

async function checkWithoutScripts(browser) {
    const off = await open(browser, "sweep.html", { javaScriptEnabled: false });
    const on = await open(browser, "sweep.html");
    // evaluate() works where the page's own scripts do not
    check("tables without scripts", await off.page.evaluate(tables), await on.page.evaluate(tables));
    check("canvases without scripts", await off.page.locator("canvas").count(), 0);
    check("it says so", await off.page.locator("noscript p").isVisible());
    check("no dead buttons", await off.page.locator("button:visible").count(), 0);
    checkQuiet(off, "sweep without scripts");
    await off.context.close();
    await on.context.close();

    const bare = await open(browser, "bare.html");
    check("without uPlot it says so", await bare.page.locator(".missing").innerText().then((text) => /tools\/report\/fetch/.test(text)));
    check("canvases without uPlot", await bare.page.locator("canvas").count(), 0);
    check("tables sort without uPlot", await bare.page.locator("thead button").count() > 0);
    checkQuiet(bare, "bare");
    await bare.context.close();
}

async function checkPrint(browser) {
    const { page, context } = await open(browser, "sweep.html", { colorScheme: "dark" });
    const pdf = await page.pdf();
    check("a PDF", pdf.subarray(0, 5).toString(), "%PDF-");
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    check("paper is light", await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(252, 252, 251)");
    check("no links in print", await page.locator("nav").isVisible(), false);
    check("nothing is cut off in print", await page.evaluate(() =>
        [...document.querySelectorAll(".scroll")].every((box) => getComputedStyle(box).maxHeight === "none")));
    await page.emulateMedia({ media: "screen", colorScheme: "dark" });
    await page.setViewportSize({ width: 390, height: 800 });
    check("on a telephone nothing but tables and charts scrolls sideways",
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    const found = await ink(page, charts[0]);
    check("lines in print have the colours of paper", found.main.includes(lines.light[0]));
    await context.close();
}

async function checkHostile(browser) {
    const opened = await open(browser, "hostile.html");
    const { page, context, log } = opened;
    check("title", await page.title(), "<script>alert(1)</script>: Failed \u00b7 xensock");
    check("heading", await page.locator("h1").innerText(), "<script>alert(1)</script>");
    check("scripts", await page.locator("script").count(), 3);
    check("strangers", await page.locator("img, iframe, b, [onerror], [onmouseover], [onfocus], a[href^=javascript]").count(), 0);
    await ink(page, charts[0]);
    await ink(page, "[data-curves=latency]");
    await ink(page, "[data-lines=time]");
    checkQuiet(opened, "hostile");

    // and if markup got in: neither its script nor a request
    const blocked = await page.evaluate(async () => {
        const script = document.createElement("script");
        script.textContent = "document.body.dataset.ran = 1";
        document.body.append(script);
        const image = document.createElement("img");
        const failed = new Promise((done) => { image.onerror = () => done("blocked"); });
        image.src = "hostile.html";
        document.body.append(image);
        return [document.body.dataset.ran ?? "not run", await failed, await fetch("hostile.html").then(() => "got", () => "blocked")];
    });
    check("the policy", blocked, ["not run", "blocked", "blocked"]);
    check("requests in spite of the policy", log.finished, 1);
    await context.close();
}

// How long it keeps the page's thread busy, not how long that waited for a CPU: other tests run.
async function checkLarge(browser) {
    const size = statSync(join(directory, "large.html")).size;
    check("bytes of 200 points x 5 repeats below 5 MB", size < SIZE_MAX);
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, offline: true });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const busy = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
    const before = await busy(), began = Date.now();
    await page.goto(`file://${join(directory, "large.html")}`);
    await ink(page, charts[0]);
    const after = await busy(), wall = Date.now() - began;
    const took = Math.round((after - before) * 1000);
    check(`opened within ${OPEN_MS} ms of the page's thread (${took} ms)`, took > 0 && took < OPEN_MS);
    check("rows of a table", await page.locator("#metric-throughput tbody tr").count(), 200);

    // more samples than a page may have: two become one, counts added up and levels by the larger
    const [line, cells] = await page.evaluate(() => [JSON.parse(document.getElementById("data").textContent).time[3],
        [...document.querySelector("#time tbody").rows].filter((row) => row.cells[0].textContent === "3")
            .map((row) => [...row.cells].slice(3).map((cell) => cell.querySelector("data")?.value ?? cell.textContent))]);
    check("series of a time line", line.series.map(([name]) => name), cells.map(([name]) => name));
    line.series.forEach(([name, , level, values], i) => {
        check(`samples of ${name}`, values.length, 80);
        check(`all of ${name}`, level ? "" : String(values.reduce((sum, value) => sum + value)), cells[i][1]);
        if (level) check(`most of ${name}`, String(Math.max(...values)), cells[i][2]);
    });
    console.log(`large.html: ${size} bytes, opened in ${took} ms (with waiting ${wall} ms)`);
    await context.close();
}

const profile = mkdtempSync(join(tmpdir(), "xensock-chromium."));
let browser;
try {
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, timeout: 30000, args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", `--disk-cache-dir=${profile}`] });
    for (const part of [checkCharts, checkChoices, checkKeyboard, checkWithoutScripts, checkPrint,
                        checkHostile, checkLarge])
        await part(browser);
} finally {
    await browser?.close();
    rmSync(profile, { recursive: true, force: true });
}
console.log(faults ? `${faults} faults` : "ok");
process.exitCode = faults ? 1 : 0;
