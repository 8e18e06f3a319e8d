// Compares what hist_export prints (on stdin) with what hdr-histogram-js makes of the same values
// and of the exported text. Exit code 0: no difference; 1: differences, each printed.
import { createInterface } from "node:readline";
import { build, decodeFromCompressedBase64 } from "hdr-histogram-js";

let differences = 0;
let cases = 0;
let current;

function same(what, theirs, ours) {
  if (theirs === ours) return;
  differences++;
  console.log(`${current.name}: ${what}: HdrHistogram ${theirs}, ours ${ours}`);
}

// "index lowest greatest count" of each bucket in use.
function bucketsOf(histogram) {
  const buckets = [];
  for (let i = 0; i < histogram.countsArrayLength; i++) {
    const count = histogram.getCountAtIndex(i);
    const lowest = histogram.valueFromIndex(i);
    if (count > 0) buckets.push(`${i} ${lowest} ${histogram.highestEquivalentValue(lowest)} ${count}`);
  }
  return buckets;
}

function compare(way, histogram) {
  same(`${way} total`, histogram.totalCount, current.total);
  same(`${way} min`, current.total === 0 ? 0 : histogram.getValueAtPercentile(0), current.min);
  same(`${way} max`, histogram.highestEquivalentValue(histogram.maxValue), current.max);
  for (const [ppm, value] of current.percentiles)
    same(`${way} percentile ${ppm}`, histogram.getValueAtPercentile(ppm / 10000), value);
  const theirs = bucketsOf(histogram);
  same(`${way} buckets`, theirs.length, current.buckets.length);
  theirs.forEach((bucket, i) => same(`${way} bucket`, bucket, current.buckets[i]));
}

function endCase(text) {
  const { highest, records } = current;
  const recorded = build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highest,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });
  for (const [value, count] of records) recorded.recordValueWithCount(Math.min(value, highest), count);
  compare("recorded", recorded);

  const decoded = decodeFromCompressedBase64(text, 64);
  same("highest", decoded.highestTrackableValue, highest);
  compare("decoded", decoded);
  let saturated = 0;
  for (const [value, count] of records) if (value > highest) saturated += count;
  same("saturated", saturated, current.saturated);
  cases++;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...rest] = line.split(" ");
  const numbers = rest.map(Number);
  if (word === "case")
    current = { name: rest[0], highest: numbers[1], records: [], percentiles: [], buckets: [] };
  else if (word === "record") current.records.push(numbers);
  else if (word === "percentile") current.percentiles.push(numbers);
  else if (word === "bucket") current.buckets.push(rest.join(" "));
  else if (word === "v2") endCase(rest[0]);
  else current[word] = numbers[0];
}
if (cases === 0) differences++;
console.log(`hdr-histogram-js: ${cases} histograms, ${differences} differences`);
process.exitCode = differences > 0 ? 1 : 0;
