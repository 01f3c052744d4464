/**
 * Pictures of every state of the page, for people to look at: `npx tsx tests/shots.ts OUT [DIST] [MODEL]`. No test: those
 * take one picture a screen and colour scheme (picture.ts).
 */
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { serve } from "../serve.mjs";
import { LAUNCH } from "./browser.ts";

const [out = "tests/out/shots", dist = "tests/out/page", model = "../tests/fixtures/shipped_v1"] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const { server, url } = await serve({ port: 0, dist, model });
const browser = await chromium.launch(LAUNCH);
for (const scheme of ["light", "dark"] as const) {
  for (const [name, viewport] of [
    ["desktop", { width: 1440, height: 900 }],
    ["phone", { width: 390, height: 844 }],
  ] as const) {
    const context = await browser.newContext({ viewport, colorScheme: scheme, deviceScaleFactor: 1, hasTouch: name === "phone" });
    const page = await context.newPage();
    page.on("console", (message) => console.log(name, scheme, message.type(), message.text()));
    page.on("pageerror", (error) => console.log(name, scheme, "error", error.message));
    const shot = (what: string) => page.screenshot({ path: `${out}/${name}-${scheme}-${what}.png` });
    // The model waits, so that there is something to see of its loading.
    let go = (): void => {};
    const asked = new Promise<void>((done) => (go = done));
    await context.route("**/model/weights-*", async (route) => {
      await asked;
      await route.continue();
    });
    await page.goto(url);
    await page.waitForTimeout(1500);
    await shot("0-loading");
    go();
    await page.locator(".sealed").waitFor({ timeout: 60_000 });
    await shot("1-first");
    await page.getByRole("button", { name: /Internal medicine/ }).click();
    await page.locator(".code").first().waitFor({ timeout: 60_000 });
    await shot("2-coded");
    await page.locator(".code-main").nth(1).click();
    await page.locator(".accept").first().click();
    await page.locator(".reject").nth(2).click();
    await page.locator(".code-main").nth(1).focus();
    await shot("3-detail");
    if (name === "phone") await page.getByRole("button", { name: "Note", exact: true }).click();
    await page.locator(".word").nth(2).click();
    await shot("4-picked");
    if (name === "phone") await page.getByRole("button", { name: /^Codes/ }).click();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByRole("combobox").fill("asthma");
    await shot("5-search");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Export" }).click();
    await shot("6-export");
    await page.keyboard.press("Escape");
    await page.locator(".pill").nth(1).click();
    await shot("7-model");
    await page.keyboard.press("Escape");
    await page.locator(".pill").nth(0).click();
    await shot("9-privacy");
    await page.keyboard.press("Escape");
    if (name === "phone") await page.getByRole("button", { name: "Note", exact: true }).click();
    await page.getByRole("button", { name: "New" }).click();
    await page.getByRole("button", { name: /Code all/ }).click();
    await page.waitForTimeout(300);
    if (name === "phone") await page.getByRole("button", { name: /^Notes/ }).click();
    await shot("8-batch");
    await context.close();
    const broken = await browser.newContext({ viewport, colorScheme: scheme, serviceWorkers: "block" });
    const failed = await broken.newPage();
    await failed.route("**/model/**", (route) => route.fulfill({ status: 404 }));
    await failed.goto(url);
    await failed.waitForTimeout(7000);
    if (name === "phone") await failed.getByRole("button", { name: /^Codes/ }).click();
    await failed.screenshot({ path: `${out}/${name}-${scheme}-10-failed.png` });
    await broken.close();
  }
}
await browser.close();
server.close();
