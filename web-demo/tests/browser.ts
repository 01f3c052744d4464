/** How the system's Chromium is started under Playwright. */
import type { LaunchOptions } from "playwright-core";
import { CHROMIUM } from "./chromium.mjs";

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
