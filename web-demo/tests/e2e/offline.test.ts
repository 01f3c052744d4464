/** Without a network, with a newer version, without a model. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serve } from "../../serve.mjs";
import { violations } from "../axe.ts";
import { codeNote, count, DIST, MODEL, NOTE, sealed, Site } from "../site.ts";

let site: Site;
before(async () => {
  site = await Site.open();
});
after(() => site.close());

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
