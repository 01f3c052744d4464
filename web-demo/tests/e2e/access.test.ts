/** With a screen reader, with the keyboard alone, on a phone. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { violations } from "../axe.ts";
import { picture } from "../picture.ts";
import { codeNote, count, facts, file, lowest, NOTE, Site } from "../site.ts";

let site: Site;
before(async () => {
  site = await Site.open();
});
after(() => site.close());

test("axe finds nothing, light and dark, in every state", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, context } = await site.page({ colorScheme, reducedMotion: "reduce" });
    const check = async (state: string): Promise<void> => {
      assert.deepEqual(await violations(page), [], `${state}, ${colorScheme}`);
    };
    const show = async (screen: string): Promise<void> => {
      const { width, height, colours, most, brightness } = await picture(page, `${screen}-${colorScheme}`);
      assert.deepEqual({ width, height }, page.viewportSize(), `${screen}, ${colorScheme}`);
      assert.ok(colours >= 50 && most < 0.95, `${screen}, ${colorScheme}: ${colours} colours, one covers ${most}`);
      assert.equal(brightness > 0.5, colorScheme === "light", `${screen}, ${colorScheme}: brightness ${brightness}`);
    };
    await check("empty");
    await codeNote(page, NOTE);
    await page.locator(".accept").first().click();
    await page.locator(".reject").nth(1).click();
    await page.locator(".code-main").nth(2).click();
    await page.locator(".code-main").nth(2).focus();
    await check("coded, with a code opened and lit");
    await show("desktop");
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
    await page.getByRole("dialog").waitFor({ state: "detached" });
    for (const pill of [0, 1]) {
      await page.locator(".pill").nth(pill).click();
      await check(`dialog ${pill}`);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
    await page.locator("#files").setInputFiles(file("bundle.json"));
    await page.locator(".rail-note").nth(3).waitFor();
    await check("many notes and a notice");
    await page.setViewportSize({ width: 390, height: 844 });
    await check("phone");
    await show("phone");
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
  await page.getByRole("dialog").waitFor({ state: "detached" });
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

test("the reader's choice of colours overrules the system's, and can be taken back", async () => {
  const grounds: string[][] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, context } = await site.page({ colorScheme, reducedMotion: "reduce" });
    const found: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      found.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      await page.getByRole("button", { name: /^Colours: / }).click();
    }
    grounds.push(found);
    await context.close();
  }
  const [light, dark] = ["rgb(238, 241, 244)", "rgb(13, 19, 24)"];
  // Automatic, then each of the choices, then automatic again.
  assert.deepEqual(grounds, [
    [light, light, dark, light],
    [dark, light, dark, dark],
  ]);
});
