/** A note, its codes, their words, and the review of them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { codeNote, count, facts, lowest, NOTE, Site } from "../site.ts";

let site: Site;
before(async () => {
  site = await Site.open();
});
after(() => site.close());

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

test("the model card says name, hash, licence, device and why, milliseconds, and no medical device", async () => {
  const { page, context } = await site.page();
  await codeNote(page, NOTE);
  await page.locator(".pill", { hasText: "CPU" }).click();
  const card = await page.getByRole("dialog").innerText();
  for (const part of [/Not a medical device/, /Hash\s+[0-9a-f]{64}/, /Licence/, /Device\s+CPU/, /Why this device/, /\d+ ms for this note/]) {
    assert.match(card, part);
  }
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await context.close();
});
