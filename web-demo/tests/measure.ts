/**
 * Times of the page, for people to read: `npx tsx tests/measure.ts [DIST] [MODEL] [--json FILE]`. No test: they are of one
 * machine. The last measured are in ../native-trainer/bench/results/web-page.json.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright-core";
import { serve } from "../serve.mjs";
import { LAUNCH } from "./browser.ts";
import { NOTE, sealed } from "./site.ts";

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "string" } } });
const [dist = "dist", model = "../model"] = positionals;
const KEYS = ["acute myocardial infarction of left", "type 2 diabetes with neph", "fracture radius dist", "s52.53", "pneum", "with"];
const ROUNDS = 5;
const { server, url } = await serve({ port: 0, dist, model });
const browser = await chromium.launch(LAUNCH);
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
const load = loadavg()[0];
/** Milliseconds of a visit until the page is sealed. */
const visit = async (what: string): Promise<number> => {
  const begun = performance.now();
  await page.goto(url);
  await sealed(page);
  const ms = performance.now() - begun;
  console.log(`${what}: ${(ms / 1000).toFixed(2)} s to sealed`);
  return ms;
};
const [first, second] = [await visit("first visit"), await visit("second visit")];
await page.getByLabel("Clinical note").fill(NOTE);
await page.getByRole("button", { name: "Code note" }).click();
await page.locator(".note-text").waitFor();
const rounds: number[][] = [];
for (let round = 0; round < ROUNDS; round += 1) rounds.push(await keys(page, KEYS));
/** The value below which a share of all lies. */
const at = (share: number, times: number[]): number =>
  Number([...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(2));
const every = rounds.flat();
// A busy machine interrupts now this key, now that one: what a key costs is the median of its rounds.
const each = rounds[0]!.map((_, key) => at(0.5, rounds.map((round) => round[key]!)));
const search = { keys: each.length, rounds: ROUNDS, median: at(0.5, every), p95: at(0.95, every), longest: at(1, every), slowest_key: at(1, each) };
console.log(
  `search, key to list drawn, ${search.keys} keys, ${ROUNDS} rounds: median ${search.median} ms, 95 % ${search.p95} ms, ` +
    `longest ${search.longest} ms; the slowest key's median ${search.slowest_key} ms`,
);
if (options.json !== undefined) {
  const { model_id } = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8")) as { model_id: string };
  const report = {
    command: "npx tsx tests/measure.ts --json FILE (in web-demo/, after `npm run build`)",
    chromium: browser.version(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load,
    model_id,
    sealed_ms: { first_visit: Math.round(first), second_visit: Math.round(second) },
    // From a key to the list of codes that stands in the document after it, its layout included.
    search_key_ms: { searches: KEYS, ...search },
  };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
await browser.close();
server.close();

/** Milliseconds from a key to the list that stands in the document after it, layout included. */
function keys(page: Page, words: string[]): Promise<number[]> {
  return page.evaluate(async (all) => {
    const input = document.querySelector<HTMLInputElement>("[role=combobox]")!;
    input.focus();
    const times: number[] = [];
    for (const word of all) {
      for (let length = 1; length <= word.length; length += 1) {
        const begun = performance.now();
        input.value = word.slice(0, length);
        input.dispatchEvent(new Event("input", { bubbles: true }));
        // Preact draws in a microtask; reading a size makes the browser lay it out.
        await Promise.resolve().then(() => Promise.resolve());
        document.querySelector(".hits")?.getBoundingClientRect();
        times.push(performance.now() - begun);
        await new Promise((done) => setTimeout(done, 20));
      }
    }
    return times;
  }, words);
}
