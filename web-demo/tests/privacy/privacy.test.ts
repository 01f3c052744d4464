/**
 * The proof that a note stays in the page. First ordinary work with canary words in the note, its name and the search:
 * no oracle may see them. Then the same words leaked on purpose, in a page without a policy (there every leak must be
 * seen, or the oracles are blind) and in this page, where each must be blocked or seen, as PRIVACY.md says.
 *
 * The short form plants in the sealed page; the long one (PRIVACY_LONG=1) also while the page is loading, and in a
 * browser without service workers.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { serve, type Served } from "../../serve.mjs";
import { SEAL } from "../../src/model/seal.ts";
import { codeNote, DIST, lookInto, lowest, MODEL, sealed } from "../site.ts";
import { bare } from "./bare.ts";
import { forms, freshCanary, holds, sift } from "./canary.ts";
import { PLANTS, type Plant } from "./plants.ts";
import { exits, published, render, write, type Outcome } from "./table.ts";
import { Watched, type Oracle } from "./watched.ts";

const LONG = process.env["PRIVACY_LONG"] === "1";
const OTHER = "http://elsewhere.example/";
/** The stand-in has no worker of its own. */
const WORKERS = process.env["PAGE_FAKE"] !== "1";
const plants = PLANTS.filter(({ where }) => WORKERS || where !== "worker");

let site: Served;
const port = (served: Served): number => (served.server.address() as AddressInfo).port;
before(async () => {
  site = await serve({ port: 0, dist: DIST, model: MODEL });
});
after(() => {
  site.server.closeAllConnections();
  site.server.close();
});

test("a canary is found in every form, and only where it is", () => {
  const canary = freshCanary();
  for (const before of ["", "a", "ab", "abc"]) {
    const text = Buffer.from(`${before}${canary} and more`);
    for (const bytes of [text, Buffer.from(text.toString("hex")), Buffer.from(text.toString("base64")), Buffer.from(text.toString("base64url")), Buffer.from(text.toString(), "utf16le"), Buffer.from(Buffer.from(text.toString(), "utf16le").toString("base64")), Buffer.from(text.toString().toUpperCase())]) {
      assert.ok(holds(bytes, canary), bytes.toString("latin1"));
      const haystack = Buffer.concat([Buffer.alloc(5000, "x"), bytes, Buffer.alloc(5000, "y")]);
      assert.ok(holds(sift(haystack), canary), "sifted");
      assert.equal(holds(bytes, freshCanary()), false);
    }
  }
  assert.ok(forms(canary).every((form) => form.length >= 16));
});

test("ordinary work leaves no word of a note anywhere", async () => {
  const watched = await Watched.open(port(site));
  const [inNote, typed, inName, inFile, searched] = Array.from({ length: 5 }, freshCanary) as [string, string, string, string, string];
  const canaries = [inNote, typed, inName, inFile, searched];
  const page = await watched.context.newPage();
  await page.goto(watched.url);
  await sealed(page);
  await codeNote(page, `Seen today: Mr. ${inNote} has pneumonia and hypertension, asthma since childhood.`);
  await page.locator(".code").first().hover();
  await page.locator(".code-main").first().click();
  await page.locator(".accept").first().click();
  await page.locator(".word").first().click();
  await page.keyboard.press("Escape");
  await page.getByRole("combobox").fill(searched);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Clinical note").press("End");
  await page.keyboard.type(` ${typed}`);
  await page.getByRole("button", { name: "Code note" }).click();
  await page.locator(".note-text").waitFor();
  const attachment = { contentType: "text/plain", data: Buffer.from(`${inFile} has gout and pneumonia.`).toString("base64") };
  const resource = { resourceType: "DocumentReference", status: "current", content: [{ attachment }] };
  await page.locator("#files").setInputFiles([
    { name: `${inName}.txt`, mimeType: "text/plain", buffer: Buffer.from(`${inName} has asthma.`) },
    { name: `${inName}.json`, mimeType: "application/json", buffer: Buffer.from(JSON.stringify(resource)) },
  ]);
  await page.waitForFunction(() => document.querySelectorAll('.rail-list [data-status="coded"]').length === 3);
  await lowest(page);
  await lookInto(page, page.getByRole("button", { name: "Export" }));
  for (const pill of [0, 1]) await lookInto(page, page.locator(".pill").nth(pill));
  await watched.lookIntoStorages(page, canaries);
  assert.equal(page.url(), watched.url);
  assert.equal(await page.title(), "BERT-XML: codes for clinical notes");
  await page.reload();
  await sealed(page);
  await watched.lookIntoStorages(page, canaries);
  await watched.context.setOffline(true);
  await page.reload();
  await sealed(page);
  await codeNote(page, `Offline, ${inNote} has pneumonia.`);
  // Left open: what a browser keeps of a tab that is closed with it counts too.
  await page.waitForTimeout(500);
  await watched.close();
  for (const [oracle, amount] of Object.entries(watched.awake)) assert.ok(amount > 0, `${oracle} saw nothing at all`);
  for (const canary of canaries) assert.deepEqual(watched.seenBy(canary), []);
  assert.equal(watched.udp.packets, 0);
  watched.forget();
});

test("every planted leak is seen on a page without a policy; in this page it is blocked or seen, as PRIVACY.md says", async () => {
  const [control, inThisPage] = await Promise.all([plantAll(openBare, { policy: false }), plantAll(openSealed)]);
  const states: Record<string, Map<string, Oracle[]>> = { "in this page": inThisPage };
  if (LONG) {
    states["with Connection-Allowlist"] = await plantAll(openSealed, { allowlist: true });
    states["while it loads"] = await plantAll(openLoading);
    states["without a service worker"] = await plantAll(openWithoutServiceWorker);
  }
  const outcomes = plants.map(({ name }): Outcome => ({
    name,
    control: control.get(name) ?? [],
    states: Object.fromEntries(Object.entries(states).map(([state, seen]) => [state, seen.get(name)])),
  }));
  const table = render(outcomes);
  console.log(table);
  for (const { name, control: seen } of outcomes) assert.notDeepEqual(seen, [], `no oracle sees: ${name}`);
  if (process.env["PRIVACY_WRITE"] === "1") {
    assert.ok(LONG && WORKERS, "the table is written by the long form with the real package");
    return write(table);
  }
  const said = published();
  for (const one of outcomes) {
    for (const [state, oracles] of Object.entries(one.states)) {
      // A newer browser may block more than PRIVACY.md says, never less.
      if (said.get(one.name)?.get(state) === true) {
        assert.deepEqual(exits(one, oracles ?? []), [], `${one.name}, ${state}: PRIVACY.md says blocked`);
      }
    }
  }
  assert.deepEqual(WORKERS ? [...said.keys()] : [], WORKERS ? plants.map(({ name }) => name) : []);
});

test("PRIVACY.md tells the seal", () => {
  assert.ok(readFileSync(new URL("../../PRIVACY.md", import.meta.url), "utf8").includes(`\`${SEAL}\``));
});

/** Opens a page to plant in. */
type Open = (watched: Watched) => Promise<Page>;

/** Runs every plant, each with a canary of its own, and says who saw it. */
async function plantAll(open: Open, { policy = true, allowlist = false } = {}): Promise<Map<string, Oracle[]>> {
  const naked = await bare();
  const watched = await Watched.open(policy ? port(site) : naked.port, allowlist);
  const canaries = new Map(plants.map((plant) => [plant, freshCanary()]));
  const done = new Set<Plant>();
  const packets = new Map<Plant, number>();
  const run = async (page: Page, plant: Plant): Promise<void> => {
    const before = watched.udp.packets;
    const target = { canary: canaries.get(plant)!, own: watched.url, other: OTHER, udp: watched.udp.port };
    const where = plant.where === "worker" ? page.workers()[0] : page;
    if (where === undefined) return;
    done.add(plant);
    const planted = (where as Page).evaluate(plant.run as (target: unknown) => unknown, target).catch(() => {});
    // A plant may take the page away under its own feet, or wait for ever: it had its time.
    await Promise.race([planted, page.waitForTimeout(3000).catch(() => {})]);
    packets.set(plant, watched.udp.packets - before);
  };
  const shared = await open(watched);
  for (const plant of plants.filter(({ where }) => where !== "own page")) await run(shared, plant);
  await shared.waitForTimeout(500);
  await watched.lookIntoStorages(shared, [...canaries.values()]);
  for (const plant of plants.filter(({ where }) => where === "own page")) {
    const page = await open(watched);
    await run(page, plant);
    await page.waitForTimeout(500);
    await watched.lookIntoStorages(page, [canaries.get(plant)!]).catch(() => {});
    await page.close();
  }
  await watched.close();
  naked.server.closeAllConnections();
  naked.server.close();
  const seen = new Map([...done].map((plant) => [plant.name, watched.seenBy(canaries.get(plant)!)]));
  // STUN packets carry no word: any of them is a leak.
  for (const [{ name }, count] of packets) if (count > 0) seen.set(name, ["UDP", ...(seen.get(name) ?? [])]);
  watched.forget();
  return seen;
}

async function openBare(watched: Watched): Promise<Page> {
  const page = await watched.context.newPage();
  await page.goto(watched.url);
  return page;
}

async function openSealed(watched: Watched): Promise<Page> {
  const page = await watched.context.newPage();
  await page.goto(watched.url);
  await sealed(page);
  return page;
}

/** The model's manifest never comes: the page stays as it is while it loads. */
async function openLoading(watched: Watched): Promise<Page> {
  const page = await watched.context.newPage();
  await watched.context.route("**/model/manifest.json", () => {});
  await page.goto(watched.url);
  await page.getByText("Not sealed yet").waitFor();
  await page.waitForTimeout(1000);
  return page;
}

async function openWithoutServiceWorker(watched: Watched): Promise<Page> {
  const page = await watched.context.newPage();
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, "serviceWorker"));
  await page.goto(watched.url);
  await sealed(page);
  return page;
}
