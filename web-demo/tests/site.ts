/** A build of the page behind its own server, and a Chromium in front of it. */
import type { Server } from "node:http";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Locator, type Page } from "playwright-core";
import { serve } from "../serve.mjs";
import { LAUNCH } from "./browser.ts";

/** Said by tests/run.mjs: the build under test, and the model that it loads. */
export const DIST = process.env["PAGE_DIST"] ?? "dist";
export const MODEL = process.env["PAGE_MODEL"] ?? "../tests/fixtures/shipped_v1";

export class Site {
  private constructor(
    readonly url: string,
    readonly browser: Browser,
    private readonly server: Server,
  ) {}

  static async open(): Promise<Site> {
    const { server, url } = await serve({ port: 0, dist: DIST, model: MODEL });
    return new Site(url, await chromium.launch(LAUNCH), server);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.closeAllConnections();
    this.server.close();
  }

  /** A page of its own context, loaded and sealed. */
  async page(options: BrowserContextOptions = {}): Promise<{ page: Page; context: BrowserContext }> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    const page = await context.newPage();
    await page.goto(this.url);
    await sealed(page);
    return { page, context };
  }
}

export async function sealed(page: Page): Promise<void> {
  await page.locator(".sealed").waitFor({ timeout: 60_000 });
}

/** Writes a note and waits for its codes, all of them in sight. */
export async function codeNote(page: Page, note: string): Promise<void> {
  await page.getByLabel("Clinical note").fill(note);
  await page.getByRole("button", { name: "Code note" }).click();
  await page.locator(".note-text").waitFor({ timeout: 60_000 });
  await lowest(page);
}

/** The threshold to its lowest, so that a model of any kind has codes to show. */
export async function lowest(page: Page): Promise<void> {
  await page.getByLabel("Threshold").focus();
  await page.keyboard.press("Home");
  await page.locator(".code").first().waitFor();
}

export const NOTE =
  "Discharge summary. 71-year-old man with type 2 diabetes mellitus on metformin and hypertension, admitted with cough, fever and pneumonia. No asthma. Café, naïve, 😀 and 咳 stand here for their offsets.";

/** Opens a dialog by its button, and closes it with Escape. */
export async function lookInto(page: Page, button: Locator): Promise<void> {
  await button.click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

/** How many elements there are. */
export function count(page: Page, selector: string): Promise<number> {
  return page.locator(selector).count();
}

/** The line that counts codes to review, accepted and rejected. */
export function facts(page: Page): Promise<string> {
  return page.locator(".codes-pane .facts").innerText();
}

/** A file of tests/files. */
export function file(name: string): string {
  return new URL(`./files/${name}`, import.meta.url).pathname;
}
