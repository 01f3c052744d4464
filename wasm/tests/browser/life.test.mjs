import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { makeModel, packageFolder } from "../fake_package.mjs";
import {
  clinicHeaders,
  fixture,
  freshProject,
  launch,
  open,
  serve,
  skipReason,
  workersLeft,
} from "./site.mjs";

const skip = skipReason("cpu");
const NOTE = "The patient has a fever and a cough since 3 days, no pain in the chest.";

let browser;
let site;

before(async () => {
  if (skip) {
    return;
  }
  const project = freshProject();
  writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
  const entry = "/node_modules/bert-xml/dist/index.js";
  writeFileSync(
    join(project, "main.js"),
    `import { IcdCoder, IcdCoderError } from "${entry}";\nwindow.bertXml = { IcdCoder, IcdCoderError };\n`,
  );
  copyFileSync(join(import.meta.dirname, "..", "fake", "faults.js"), join(project, "faults.js"));
  writeFileSync(
    join(project, "worker_with_faults.js"),
    'import "/faults.js";\nimport "/node_modules/bert-xml/dist/worker.js";\n',
  );
  const change = (path, bytes) => {
    if (path === "/models/damaged/weights-00001.bin") {
      bytes[100] ^= 1;
    }
    return path === "/models/slow/weights-00002.bin"
      ? new Promise((resolve) => setTimeout(resolve, 3000, bytes))
      : bytes;
  };
  const models = ["tiny", "damaged", "slow"].map((name) => [`/models/${name}/`, fixture]);
  const fakes = { "/fake/models/": makeModel(), "/fake/": packageFolder };
  site = await serve(
    { ...fakes, ...Object.fromEntries(models), "/": project },
    { headers: clinicHeaders(project), change },
  );
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** A page of a visitor who was never here. */
async function visit() {
  const context = await browser.newContext();
  const opened = await open(context, `${site.origin}/`);
  return { ...opened, context };
}

test(
  "the second load, after a reload too, asks the network for no file of the model but its manifest",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context, complaints } = await visit();
    const load = () =>
      page.evaluate(async (note) => {
        const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
        const { codes } = await coder.predict(note);
        await coder.dispose();
        return codes[0].probability;
      }, NOTE);
    const asked = () =>
      site.requests.filter((path) => path.startsWith("/models/")).map((path) => path.split("/").at(-1));
    site.requests.length = 0;
    const first = await load();
    assert.equal(asked().length, 7, "manifest, labels, tokenizer and four shards");
    site.requests.length = 0;
    assert.equal(await load(), first);
    await page.reload();
    await page.waitForTimeout(200);
    assert.equal(await load(), first);
    assert.deepEqual(asked(), ["manifest.json", "manifest.json"]);
    assert.deepEqual(complaints, []);
    const keys = await page.evaluate(async () =>
      (await (await caches.open("bert-xml-v1")).keys()).map(({ url }) => new URL(url).pathname),
    );
    assert.equal(keys.filter((key) => key.startsWith("/bert-xml/sha256/")).length, 6);
    await context.close();
  },
);

test(
  "a damaged shard is refused by name with code integrity, and not kept",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context } = await visit();
    const { code, message, kept } = await page.evaluate(async () => {
      const error = await window.bertXml.IcdCoder.load("/models/damaged/").catch((error) => error);
      const keys = await (await caches.open("bert-xml-v1")).keys();
      return { code: error.code, message: error.message, kept: keys.length };
    });
    assert.equal(code, "integrity");
    assert.match(message, /weights-00001\.bin/);
    assert.equal(kept, 3, "labels, tokenizer and the shard before it");
    assert.equal(await workersLeft(page), 0);
    await context.close();
  },
);

test("a signal stops a download at once and leaves no worker", { skip, timeout: 60_000 }, async () => {
  const { page, context } = await visit();
  const { code, ms, phases } = await page.evaluate(async () => {
    const stop = new AbortController();
    const phases = [];
    const start = performance.now();
    setTimeout(() => stop.abort(), 700);
    const options = { signal: stop.signal, onProgress: ({ phase }) => phases.push(phase) };
    const error = await window.bertXml.IcdCoder.load("/models/slow/", options).catch((error) => error);
    return { code: error.code, ms: performance.now() - start, phases: [...new Set(phases)] };
  });
  assert.equal(code, "aborted");
  assert.ok(ms < 2500, `${ms} ms: the shard that takes 3 s was not waited for`);
  assert.deepEqual(phases, ["fetch"]);
  assert.equal(await workersLeft(page), 0);
  await context.close();
});

test(
  "a signal stops a prediction between windows, and the coder goes on",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context } = await visit();
    const { code, share, after } = await page.evaluate(async (note) => {
      const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
      const long = `${note} `.repeat(400); // some hundred windows of sixteen tokens
      const { elapsedMs, windows } = await coder.predict(long);
      const stop = new AbortController();
      setTimeout(() => stop.abort(), elapsedMs / 10);
      const start = performance.now();
      const error = await coder.predict(long, { signal: stop.signal }).catch((error) => error);
      const share = (performance.now() - start) / elapsedMs;
      const after = (await coder.predict(note)).codes.length;
      await coder.dispose();
      return { code: error.code, share, after, windows };
    }, NOTE);
    assert.equal(code, "aborted");
    assert.ok(share < 0.8, `stopped after ${share} of the note's time`);
    assert.equal(after, 12);
    await context.close();
  },
);

test("what cannot be coded has a code and no text of the note", { skip, timeout: 60_000 }, async () => {
  const { page, context, complaints } = await visit();
  const errors = await page.evaluate(async () => {
    const { IcdCoder, IcdCoderError } = window.bertXml;
    const coder = await IcdCoder.load("/models/tiny/");
    const said = async (promise) => {
      const error = await promise.catch((error) => error);
      return [error instanceof IcdCoderError, error.code, error.message];
    };
    const errors = [
      await said(coder.predict(" \r\n\t ")),
      await said(coder.predict("secretname", { topK: -1 })),
      await said(IcdCoder.load("/models/nowhere/")),
      await said(IcdCoder.load("/models/tiny/", { device: "webgpu" })),
      await said(IcdCoder.load("/models/tiny/", { worker: new URL("/nowhere.js", location.href) })),
    ];
    await coder.dispose();
    errors.push(await said(coder.predict("secretname")));
    return errors;
  });
  assert.ok(errors.every(([ours, , message]) => ours && !message.includes("secretname")));
  assert.deepEqual(
    errors.map(([, code]) => code),
    ["bad-input", "bad-input", "not-found", "webgpu-unavailable", "worker", "disposed"],
  );
  assert.ok(
    complaints.every((text) => /404|Failed to load/.test(text)),
    String(complaints),
  );
  await context.close();
});

test(
  "an engine that traps is rebuilt, and nothing of the note reaches the console",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context, complaints } = await visit();
    const said = await page.evaluate(async () => {
      const { IcdCoder } = await import("/fake/index.js"); // an engine that traps when it is told to
      const coder = await IcdCoder.load("/fake/models/");
      const said = [];
      for (const word of ["TRAP", "TRAPLATER"]) {
        const { code, message } = await coder.predict(`secretname ${word}`).catch((error) => error);
        said.push(code, message.includes("secretname"), (await coder.predict("fever")).codes[0].code);
      }
      await coder.dispose();
      return said;
    });
    assert.deepEqual(said, ["trap", false, "fever", "trap", false, "fever"]);
    assert.deepEqual(complaints, []);
    assert.equal(await workersLeft(page), 0);
    await context.close();
  },
);

test(
  "the real engine traps, and nothing of the note reaches the console or the error",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context } = await visit();
    const lines = [];
    page.on("console", (message) => lines.push(message.text()));
    const { said, before, after } = await page.evaluate(async (note) => {
      const worker = new URL("/worker_with_faults.js", location.href);
      const coder = await window.bertXml.IcdCoder.load("/models/tiny/", { worker });
      const before = (await coder.predict(note)).codes;
      const said = {};
      const after = [];
      for (const word of ["OVERWRITE", "WIDELETTERS", "TAKEALL"]) {
        const secret = `secretname ${word} ${"secretname has a fever. ".repeat(2000)}`;
        const error = await coder.predict(secret).catch((error) => error);
        said[word] = [error.code, /secretname|fever/.test(`${error.message}${error.stack}${error.cause}`)];
        after.push((await coder.predict(note)).codes);
      }
      await coder.dispose();
      return { said, before, after };
    }, NOTE);
    assert.deepEqual(said, {
      OVERWRITE: ["trap", false],
      WIDELETTERS: ["trap", false],
      TAKEALL: ["out-of-memory", false],
    });
    for (const codes of after) {
      assert.deepEqual(codes, before, "the engine was rebuilt");
    }
    // The worker's console is the page's: the panic is there, without its message.
    assert.equal(
      lines.filter((text) => /^bert-xml panicked at \S+:\d+; the message is withheld/.test(text)).length,
      1,
    );
    assert.ok(!lines.some((text) => /secretname|fever/.test(text)), String(lines));
    assert.equal(await workersLeft(page), 0);
    await context.close();
  },
);

test("emoji, accents, CJK and CRLF keep their UTF-16 offsets", { skip, timeout: 60_000 }, async () => {
  const { page, context } = await visit();
  const note = "👩🏽‍⚕️ Fièvre, fever\r\nand cough 咳嗽; naïve café — no pain 🫁 in the chest.\r\n";
  const evidence = await page.evaluate(async (note) => {
    const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
    const { codes } = await coder.predict(note, { topK: null, evidence: 9 });
    await coder.dispose();
    return codes.flatMap(({ evidence }) => evidence);
  }, note);
  assert.ok(evidence.length >= 12, JSON.stringify(evidence));
  for (const { start, end, text } of evidence) {
    assert.equal(note.slice(start, end), text);
  }
  await context.close();
});

test("two coders work at once, and one outlives the other", { skip, timeout: 60_000 }, async () => {
  const { page, context } = await visit();
  const [one, two, later] = await page.evaluate(async (note) => {
    const { IcdCoder } = window.bertXml;
    const [a, b] = await Promise.all([IcdCoder.load("/models/tiny/"), IcdCoder.load("/models/tiny/")]);
    const [one, two] = await Promise.all([a.predict(note), b.predict(note)]);
    await a.dispose();
    const later = await b.predict(note);
    await b.dispose();
    return [one, two, later].map(({ codes }) => codes);
  }, NOTE);
  assert.deepEqual(one, two);
  assert.deepEqual(later, two);
  await context.close();
});

test(
  "a caller's own worker, URL or TrustedScriptURL serves as well",
  { skip, timeout: 60_000 },
  async (t) => {
    const { page, context } = await visit();
    const found = await page.evaluate(async (note) => {
      const { IcdCoder } = window.bertXml;
      const address = new URL("/node_modules/bert-xml/dist/worker.js", location.href);
      await (await IcdCoder.load("/models/tiny/")).dispose(); // from here on the policy `bert-xml` exists
      const byUrl = await IcdCoder.load("/models/tiny/", { worker: address });
      // A page that makes its own policy passes what that policy gives; this one allows only the package's.
      const refused = (() => {
        try {
          return new Worker(address, { type: "module" }) && "a plain Worker was allowed";
        } catch {
          return "refused";
        }
      })();
      const codes = (await byUrl.predict(note)).codes.length;
      await byUrl.dispose();
      return { codes, refused };
    }, NOTE);
    assert.deepEqual(found, { codes: 12, refused: "refused" });
    await context.close();

    const own = await serveLoosely();
    t.after(() => own.close());
    const loose = await open(await browser.newContext(), `${own.origin}/`);
    const shared = await loose.page.evaluate(async (note) => {
      const { IcdCoder } = window.bertXml;
      const address = new URL("/node_modules/bert-xml/dist/worker.js", location.href);
      const worker = new Worker(address, { type: "module" });
      // Two coders in one worker of the caller's: it is not ended with them.
      const [a, b] = await Promise.all([1, 2].map(() => IcdCoder.load("/models/tiny/", { worker })));
      const one = (await a.predict(note)).codes.length;
      await a.dispose();
      const two = (await b.predict(note)).codes.length;
      await b.dispose();
      const again = await IcdCoder.load("/models/tiny/", { worker });
      const three = (await again.predict(note)).codes.length;
      worker.terminate();
      const policy = trustedTypes.createPolicy("own", { createScriptURL: (url) => url });
      const typed = await IcdCoder.load("/models/tiny/", { worker: policy.createScriptURL(address.href) });
      const four = (await typed.predict(note)).codes.length;
      await typed.dispose();
      return [one, two, three, four];
    }, NOTE);
    assert.deepEqual(shared, [12, 12, 12, 12]);
  },
);

/** The same project without a policy. */
async function serveLoosely() {
  const project = freshProject();
  writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
  writeFileSync(
    join(project, "main.js"),
    'import { IcdCoder } from "/node_modules/bert-xml/dist/index.js";\nwindow.bertXml = { IcdCoder };\n',
  );
  return serve({ "/models/tiny/": fixture, "/": project });
}

test(
  "loading and disposing twenty times leaves no worker and no memory",
  { skip, timeout: 60_000 },
  async () => {
    const { page, context } = await visit();
    const cycle = (times) =>
      page.evaluate(
        async ([note, times]) => {
          for (let at = 0; at < times; at += 1) {
            const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
            await coder.predict(note);
            await coder.dispose();
          }
        },
        [NOTE, times],
      );
    await cycle(5); // caches of the browser and of its compiler are full by then
    const before = await rendererBytes(page);
    await cycle(20);
    const growth = (await rendererBytes(page)) - before;
    assert.equal(await workersLeft(page), 0);
    // One engine with the tiny model takes some 5 MB; twenty that stayed would show.
    assert.ok(growth < 40e6, `the renderer grew by ${(growth / 1e6).toFixed(1)} MB`);
    await context.close();
  },
);

/** Private memory of the page's process after a garbage collection. */
async function rendererBytes(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await page.waitForTimeout(500);
  const all = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  const sizes = all.processInfo
    .filter(({ type }) => type === "renderer")
    .map(
      ({ id }) => /Private_Dirty: +(\d+) kB/.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))[1] * 1024,
    );
  return Math.max(...sizes);
}
