import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { r4 } from "../fhir_schema.ts";
import { serve } from "../../serve.mjs";
import { codeNote, DIST, lowest, MODEL, NOTE, sealed, Site } from "../site.ts";

let site: Site;
before(async () => {
  site = await Site.open();
});
after(() => site.close());

const files = (name: string): string => new URL(`../files/${name}`, import.meta.url).pathname;
const count = (page: Page, selector: string): Promise<number> => page.locator(selector).count();
const facts = (page: Page): Promise<string> => page.locator(".codes-pane .facts").innerText();

/** What axe has against the page as it is. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
  });
}

test("a pasted note gets codes at once, each with its probability and its words", async () => {
  const { page, context } = await site.page();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate((note) => navigator.clipboard.writeText(note), NOTE);
  await page.getByLabel("Clinical note").focus();
  await page.keyboard.press("Control+v");
  await page.locator(".note-text").waitFor();
  await lowest(page);
  assert.equal(await page.locator(".note-text").evaluate((element) => element.textContent), NOTE);
  assert.match(await page.locator(".code .number").first().innerText(), /^\d+%$/);
  assert.ok((await count(page, ".code .why mark")) > 0);
  assert.match(await page.getByRole("status").innerText(), /code/);
  await context.close();
});

test("words of evidence are those of the note at their place", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  await page.locator(".code-main").first().click();
  const quotes = await page.locator(".quotes mark").allInnerTexts();
  assert.ok(quotes.length > 0);
  for (const quote of quotes) assert.ok(NOTE.includes(quote), `not in the note: ${quote.length} letters`);
  await context.close();
});

test("a code under the pointer lights its words, and lets go of them", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  assert.equal(await count(page, ".word.lit"), 0);
  for (const at of [0, 1]) {
    const row = page.locator(".code").nth(at);
    await row.hover();
    await page.locator(".word.lit").first().waitFor();
    const code = await row.getAttribute("data-code");
    const titles = await page.locator(".word.lit").evaluateAll((words) => words.map((word) => word.getAttribute("title")));
    for (const title of titles) assert.ok(title?.split(", ").includes(code!), `${title} has no ${code}`);
  }
  await page.mouse.move(5, 5);
  await page.locator(".word.lit").first().waitFor({ state: "detached" });
  await context.close();
});

test("a clicked word shows the codes that it speaks for, and Escape shows all again", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  const all = await count(page, ".code");
  const word = page.locator(".word").first();
  const codes = (await word.getAttribute("title"))!.split(", ");
  await word.click();
  await page.locator(".codes-pane .picked").waitFor();
  const shown = await page.locator(".code").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-code")!));
  assert.deepEqual(shown.sort(), codes.sort());
  await page.keyboard.press("Escape");
  assert.equal(await count(page, ".code"), all);
  await context.close();
});

test("the threshold takes codes away and gives them back", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  const all = await count(page, ".code");
  await page.getByLabel("Threshold").focus();
  await page.keyboard.press("End");
  assert.ok((await count(page, ".code")) < all);
  const button = page.getByRole("button", { name: /below the threshold/ });
  await button.click();
  assert.equal(await count(page, ".code"), all);
  await page.getByRole("button", { name: "Tuned" }).click();
  assert.equal(await page.getByRole("button", { name: "Tuned" }).getAttribute("aria-pressed"), "true");
  await context.close();
});

test("codes are accepted and rejected, and a decision can be taken back", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  await page.locator(".accept").first().click();
  await page.locator(".reject").nth(1).click();
  assert.match(await facts(page), /1 accepted\s+1 rejected/);
  await page.locator(".accept").first().click();
  assert.match(await facts(page), /0 accepted\s+1 rejected/);
  await context.close();
});

test("search adds a code, and leads from one that cannot be billed to those that can", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  const search = page.getByRole("combobox");
  await search.fill("asthma");
  await page.getByRole("option").first().waitFor();
  await search.fill("J45");
  await page.getByRole("option", { name: /^J45 / }).click();
  await page.getByText("codes that can be billed").waitFor();
  const finer = await page.getByRole("option").allInnerTexts();
  assert.ok(finer.length > 0);
  for (const text of finer) assert.match(text, /^J45\.\w+/);
  const code = finer[0]!.split(/\s/)[0]!;
  await page.keyboard.press("Enter");
  const row = page.locator(`.code[data-code="${code}"]`);
  assert.equal(await row.getAttribute("data-decision"), "accepted");
  await row.getByRole("button", { name: `Remove ${code}` }).click();
  assert.equal(await row.count(), 0);
  await search.fill("qqqq");
  await page.getByText("No code has all these words.").waitFor();
  await context.close();
});

test("a code that cannot be billed is replaced by a more specific one", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  const row = page.locator(".code", { hasText: "not billable" }).first();
  await row.locator(".code-main").click();
  const use = row.locator(".finer button").first();
  const code = await use.locator(".code-name").innerText();
  await use.click();
  assert.equal(await page.locator(`.code[data-code="${code}"]`).getAttribute("data-decision"), "accepted");
  assert.match(await facts(page), /1 accepted\s+1 rejected/);
  await context.close();
});

test("accepted codes go out as CSV, JSON and FHIR that the R4 schema takes", async () => {
  const { page, context } = await site.page();
  await page.locator("#files").setInputFiles(files("document_reference.json"));
  await page.locator(".note-text").waitFor();
  await lowest(page);
  const code = await page.locator(".code").first().getAttribute("data-code");
  await page.locator(".accept").first().click();
  const save = async (format: string): Promise<{ name: string; text: string }> => {
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByLabel(format).check();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save file" }).click()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  const csv = await save("CSV");
  assert.match(csv.name, /^codes-[\dT-]+\.csv$/);
  assert.equal(csv.text.split("\r\n").length, 3);
  assert.ok(csv.text.includes(`,${code},`));
  const json = JSON.parse((await save("JSON")).text);
  assert.equal(json.notes[0].codes[0].code, code);
  const valid = r4();
  const bundle: { entry: { resource: Record<string, never> }[] } = JSON.parse((await save("FHIR R4")).text);
  assert.ok(valid(bundle), JSON.stringify(valid.errors));
  assert.deepEqual(bundle.entry[0]!.resource["subject"], { reference: "Patient/p-1" });
  assert.equal(JSON.stringify(bundle.entry[0]!.resource["code"]).includes(`"code":"${code}"`), true);
  await context.close();
});

test("FHIR and C-CDA files become notes, and what cannot be read is said by place and rule", async () => {
  const { page, context } = await site.page();
  await page.locator("#files").setInputFiles([files("bundle.json"), files("visit.xml")]);
  await page.locator(".rail-note").nth(4).waitFor();
  assert.equal(await count(page, ".rail-note"), 5);
  const notice = await page.locator(".notice").innerText();
  assert.match(notice, /bundle\.json, Bundle\.entry\[3\] \(DocumentReference\)\.content\[0\]: contentType is application\/pdf/);
  await page.locator("#files").setInputFiles({ name: "film.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF\0") });
  await page.locator(".notice", { hasText: "film.pdf: is no text" }).waitFor();
  await context.close();
});

test("dropped files and a chosen folder become notes; what is no note in a folder is passed over", async () => {
  const { page, context } = await site.page();
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["Gout of the left foot."], "dropped.txt", { type: "text/plain" }));
    document.querySelector(".note-pane")!.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  });
  await page.getByRole("heading", { name: "dropped.txt" }).waitFor();
  await page.locator(".note-text").waitFor();
  await page.locator("#folder").setInputFiles(files(""));
  await page.locator(".rail-note", { hasText: "Letter (unstructured.xml)" }).waitFor();
  assert.equal(await count(page, ".rail-note"), 1 + 1 + 4 + 1 + 1);
  assert.equal(page.url(), site.url);
  await context.close();
});

test("a tab with decisions that no export has asks before it is left", async () => {
  const { page, context } = await site.page();
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void dialog.accept();
  });
  await codeNote(page, NOTE);
  await page.reload();
  assert.deepEqual(asked, []);
  await sealed(page);
  await codeNote(page, NOTE);
  await page.locator(".accept").first().click();
  await page.reload();
  assert.deepEqual(asked, ["beforeunload"]);
  await context.close();
});

test("a folder's worth of notes is coded with progress, stops and goes on", async () => {
  const { page, context } = await site.page();
  const many = Array.from({ length: 120 }, (_, at) => ({
    name: `note ${at}.txt`,
    mimeType: "text/plain",
    buffer: Buffer.from(`${NOTE} Visit ${at}. ${"He is well and has pneumonia. ".repeat(40)}`),
  }));
  await page.locator("#files").setInputFiles(many);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: /^Go on/ }).waitFor();
  const done = await count(page, '.rail-list [data-status="coded"]');
  assert.ok(done < 120, `${done} of 120 after the stop`);
  await page.getByRole("button", { name: /^Go on/ }).click();
  await page.locator(".run").waitFor();
  await page.getByText("120 notes").waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.rail-list [data-status="coded"]').length === 120, undefined, {
    timeout: 120_000,
  });
  await page.getByRole("button", { name: "Clear all notes" }).click();
  assert.equal(await page.getByLabel("Clinical note").inputValue(), "");
  assert.equal(await count(page, ".rail-note"), 0);
  await context.close();
});

test("the model card says name, hash, licence, device and why, milliseconds, and no medical device", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  await page.locator(".pill", { hasText: "CPU" }).click();
  const card = await page.getByRole("dialog").innerText();
  for (const part of [/Not a medical device/, /Hash\s+[0-9a-f]{64}/, /Licence/, /Device\s+CPU/, /Why this device/, /\d+ ms for this note/]) {
    assert.match(card, part);
  }
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await context.close();
});

test("without a network the page opens again and codes", async () => {
  const { page, context } = await site.page();
  await context.setOffline(true);
  await page.reload();
  await sealed(page);
  await codeNote(page, NOTE);
  assert.ok((await count(page, ".code")) > 0);
  await context.close();
});

test("a newer version of the page is fetched in one visit and used from the next", async () => {
  const dist = mkdtempSync(join(tmpdir(), "page-dist-"));
  cpSync(DIST, dist, { recursive: true });
  const { server, url } = await serve({ port: 0, dist, model: MODEL });
  const context = await site.browser.newContext();
  const page = await context.newPage();
  const versions = (): Promise<string[]> => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("bert-xml-page-")));
  await page.goto(url);
  await sealed(page);
  const [before] = await versions();
  const script = readFileSync(join(dist, "sw.js"), "utf8");
  writeFileSync(join(dist, "sw.js"), script.replace(before!.slice("bert-xml-page-".length), "newer"));
  await page.reload();
  await sealed(page);
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await holds().catch(() => false)); tries += 1) {
      assert.ok(tries < 200, "it never came");
      await page.waitForTimeout(100);
    }
  };
  await until(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.waiting != null));
  await page.reload();
  await until(async () => (await versions()).join() === "bert-xml-page-newer");
  await sealed(page);
  await codeNote(page, NOTE);
  await context.close();
  server.closeAllConnections();
  server.close();
  rmSync(dist, { recursive: true });
});

test("a model that is not there is said in words, with a way to try again", async () => {
  const { context } = await site.page();
  await context.close();
  const fresh = await site.browser.newContext({ serviceWorkers: "block" });
  const page = await fresh.newPage();
  await page.route("**/model/**", (route) => route.fulfill({ status: 404 }));
  await page.goto(site.url);
  if (process.env["PAGE_FAKE"] !== "1") {
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /no model beside this page/);
    assert.deepEqual(await violations(page), []);
    await page.unroute("**/model/**");
    await page.getByRole("button", { name: "Try again" }).click();
    await sealed(page);
  }
  await fresh.close();
});

test("axe finds nothing, light and dark, in every state", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, context } = await site.page({ colorScheme, reducedMotion: "reduce" });
    const check = async (state: string): Promise<void> => {
      assert.deepEqual(await violations(page), [], `${state}, ${colorScheme}`);
    };
    await check("empty");
    await codeNote(page, NOTE);
    await page.locator(".accept").first().click();
    await page.locator(".reject").nth(1).click();
    await page.locator(".code-main").nth(2).click();
    await page.locator(".code-main").nth(2).focus();
    await check("coded, with a code opened and lit");
    await page.locator(".word").first().click();
    await check("a word picked");
    await page.keyboard.press("Escape");
    await page.getByRole("combobox").fill("asthma");
    await page.getByRole("option").first().waitFor();
    await check("search");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Export" }).click();
    await check("export");
    await page.keyboard.press("Escape");
    for (const pill of [0, 1]) {
      await page.locator(".pill").nth(pill).click();
      await check(`dialog ${pill}`);
      await page.keyboard.press("Escape");
    }
    await page.locator("#files").setInputFiles(files("bundle.json"));
    await page.locator(".rail-note").nth(3).waitFor();
    await check("many notes and a notice");
    await page.setViewportSize({ width: 390, height: 844 });
    await check("phone");
    await context.close();
  }
});

test("the whole work is done with the keyboard alone", async () => {
  const { page, context } = await site.page();
  const active = (): Promise<string> => page.evaluate(() => document.activeElement?.className ?? "");
  // The note has the focus when the page opens.
  await page.keyboard.type("Known hypertension and asthma, now pneumonia.");
  await page.keyboard.press("Control+Enter");
  await page.locator(".note-text").waitFor();
  const tabTo = async (reached: (className: string, name: string) => boolean): Promise<void> => {
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("Tab");
      const name = await page.evaluate(() => document.activeElement?.getAttribute("id") ?? document.activeElement?.textContent ?? "");
      if (reached(await active(), name)) return;
    }
    assert.fail("never reached by Tab");
  };
  await tabTo((_, name) => name === "threshold");
  await page.keyboard.press("Home");
  await tabTo((className) => className === "code-main");
  assert.ok((await count(page, ".word.lit")) > 0, "the focused code lights its words");
  await page.keyboard.press("a");
  await page.keyboard.press("r");
  assert.match(await facts(page), /1 accepted\s+1 rejected/);
  assert.equal(await page.locator(".code").nth(2).locator(".code-main").evaluate((element) => element === document.activeElement), true);
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.locator(".code").nth(1).locator(".code-main").evaluate((element) => element === document.activeElement), true);
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".code-main").nth(1).getAttribute("aria-expanded"), "true");
  // One code is in the tab order, with its two buttons.
  assert.equal(await count(page, '.code-main[tabindex="0"]'), 1);
  await page.keyboard.press("/");
  await page.keyboard.type("J45.901");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("Enter");
  assert.match(await facts(page), /2 accepted/);
  await page.keyboard.press("Escape");
  // Words of the note: one is in the tab order, arrows go on, Enter picks.
  await page.locator(".word").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".word").nth(1).evaluate((element) => element === document.activeElement), true);
  await page.keyboard.press("Enter");
  await page.locator(".codes-pane .picked").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Export" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  assert.match(await page.evaluate(() => document.activeElement?.textContent ?? ""), /Export/);
  await context.close();
});

test("on a phone the panes take turns, and nothing is wider than the screen", async () => {
  const { page, context } = await site.page({ viewport: { width: 360, height: 740 }, hasTouch: true });
  const wide = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await wide()) <= 0);
  await page.getByLabel("Clinical note").fill(NOTE);
  await page.getByRole("button", { name: "Code note" }).click();
  await page.locator("#codes").waitFor({ state: "visible" });
  await lowest(page);
  assert.equal(await page.locator(".note-pane").isVisible(), false);
  assert.ok((await wide()) <= 0);
  await page.getByRole("button", { name: "Note", exact: true }).click();
  await page.locator(".word").first().click();
  await page.locator(".note-pane .picked").getByRole("button", { name: "Show" }).click();
  assert.equal(await page.locator("#codes").isVisible(), true);
  await context.close();
});
