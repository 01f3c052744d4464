/** Times of the page, for people to read: `npx tsx tests/measure.ts [DIST] [MODEL]`. No test. */
import { chromium, type Page } from "playwright-core";
import { serve } from "../serve.mjs";
import { LAUNCH } from "./browser.ts";
import { NOTE, sealed } from "./site.ts";

const [dist = "dist", model = "../model"] = process.argv.slice(2);
const KEYS = ["acute myocardial infarction of left", "type 2 diabetes with neph", "fracture radius dist", "s52.53", "pneum", "with"];
const { server, url } = await serve({ port: 0, dist, model });
const browser = await chromium.launch(LAUNCH);
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
const visit = async (what: string): Promise<void> => {
  const begun = performance.now();
  await page.goto(url);
  await sealed(page);
  console.log(`${what}: ${((performance.now() - begun) / 1000).toFixed(2)} s to sealed`);
};
await visit("first visit");
await visit("second visit");
await page.getByLabel("Clinical note").fill(NOTE);
await page.getByRole("button", { name: "Code note" }).click();
await page.locator(".note-text").waitFor();
const times = await keys(page, KEYS);
times.sort((a, b) => a - b);
const at = (share: number): string => times[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(1);
console.log(`search, key to list drawn, ${times.length} keys: median ${at(0.5)} ms, 95 % ${at(0.95)} ms, longest ${at(1)} ms`);
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
