/** Pictures that the tests take of the page: kept in tests/out/pictures for people, and measured. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

const FOLDER = fileURLToPath(new URL("out/pictures/", import.meta.url));

export interface Picture {
  /** Pixels. */
  width: number;
  height: number;
  /** How many different colours. */
  colours: number;
  /** Share of the colour that covers most, 0 to 1: 1 is a blank picture. */
  most: number;
  /** Mean brightness, from 0, black, to 1, white. */
  brightness: number;
}

/** Takes what the screen shows, keeps it as `name`.png, and measures it. */
export async function picture(page: Page, name: string): Promise<Picture> {
  mkdirSync(FOLDER, { recursive: true });
  const png = await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  // The page itself may decode no picture: its policy forbids them.
  const blank = await page.context().browser()!.newPage();
  const measured = await blank.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const pixels = new Uint32Array(data.buffer);
    const counts = new Map<number, number>();
    for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    const sum = data.reduce((sum, value, at) => (at % 4 === 3 ? sum : sum + value), 0);
    return { width, height, colours: counts.size, most: Math.max(...counts.values()) / pixels.length, brightness: sum / (pixels.length * 3 * 255) };
  }, png.toString("base64"));
  await blank.close();
  return measured;
}
