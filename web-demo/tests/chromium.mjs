/** Where a Chromium is looked for; the environment variable CHROMIUM goes first. */
import { existsSync } from "node:fs";

const PLACES = [
  process.env.CHROMIUM,
  "/usr/lib/chromium/chromium",
  "/usr/lib/chromium-browser/chromium-browser",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export const CHROMIUM = PLACES.find((place) => place !== undefined && existsSync(place));
