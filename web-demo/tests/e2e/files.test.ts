/** What comes in as files and goes out as exports; many notes at once. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { r4 } from "../fhir_schema.ts";
import { codeNote, count, file, lowest, NOTE, sealed, Site } from "../site.ts";

let site: Site;
before(async () => {
  site = await Site.open();
});
after(() => site.close());

test("accepted codes go out as CSV, JSON and FHIR that the R4 schema takes", async () => {
  const { page, context } = await site.page();
  await page.locator("#files").setInputFiles(file("document_reference.json"));
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
  await page.locator("#files").setInputFiles([file("bundle.json"), file("visit.xml")]);
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
  await page.locator("#folder").setInputFiles(file(""));
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
