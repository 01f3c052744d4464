// A generated build in Chromium, without the TypeScript around it.

import { chromiumPath, launch, serve } from "../browser/site.mjs";
import { folderOf, modelFolder } from "./builds.mjs";

export const noChromium = !chromiumPath && "no Chromium here: set CHROMIUM, or install it";

const PAGE = `<!doctype html><script type="module">
import init, { ModelLoader } from "/build/bert_xml.js";

const bytes = async (file) => new Uint8Array(await (await fetch("/model/" + file)).arrayBuffer());

window.load = async () => {
  await init();
  const loader = new ModelLoader(await bytes("manifest.json"));
  for (const { file } of loader.files()) {
    loader.add(file, await bytes(file));
  }
  return loader.finish();
};

/** Window by window, as the package's worker does it. */
window.predict = async (coder, note, options) => {
  const prediction = coder.start(note);
  while (!(await prediction.step()));
  return prediction.finish(options);
};
window.ready = true;
</script>`;

/** Pages with a build and the tiny model: \`load()\` and \`predict(coder, note, options)\` are theirs. */
export async function openBuild(name, { gpu = false } = {}) {
  const site = await serve({ "/build/": folderOf(name), "/model/": modelFolder });
  const browser = await launch({ gpu });
  const newPage = async (script) => {
    const page = await browser.newPage();
    if (script) {
      await page.addInitScript(script);
    }
    await page.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: PAGE }));
    await page.goto(`${site.origin}/page`);
    await page.waitForFunction(() => window.ready);
    return page;
  };
  const close = async () => {
    await browser.close();
    await site.close();
  };
  return { newPage, close };
}
