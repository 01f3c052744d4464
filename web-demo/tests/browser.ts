/** The system's Chromium under Playwright, and the page's own server in front of a build. */
import { existsSync } from "node:fs";
import { chromium, type BrowserContext, type LaunchOptions } from "playwright-core";

/** Where a Chromium is looked for; the environment variable goes first. */
const PLACES = [
  process.env["CHROMIUM"],
  "/usr/lib/chromium/chromium",
  "/usr/lib/chromium-browser/chromium-browser",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));

export const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--no-first-run",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-gpu-shader-disk-cache",
];

export const LAUNCH: LaunchOptions = {
  ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }),
  headless: true,
  ignoreDefaultArgs: ["--headless", "--enable-unsafe-swiftshader"],
  args: FLAGS,
};

export async function freshContext(options: Parameters<import("playwright-core").Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
  const browser = await chromium.launch(LAUNCH);
  return browser.newContext(options);
}
