/** A Chromium with a fresh profile that cannot take a step unseen, and the answer to: who saw this word? */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { FLAGS, LAUNCH } from "../browser.ts";
import { forms, holds, sift } from "./canary.ts";
import { UdpSink, Wire } from "./wires.ts";

/** Larger files of a profile are Chromium's own models and lists; none of them was written by a page. */
const MOST_BYTES = 256 << 20;

const ORACLES = ["own host", "other host", "UDP", "requests", "netlog", "console", "storage", "disk"] as const;
export type Oracle = (typeof ORACLES)[number];

export class Watched {
  private readonly requests: Buffer[] = [];
  private readonly console: Buffer[] = [];
  /** What each oracle holds that could be a canary; filled by `close`. */
  private readonly kept = new Map<Oracle, Buffer>();
  /** Words found in storages, gathered before the browser closes. */
  private readonly stored = new Set<string>();

  private constructor(
    readonly context: BrowserContext,
    private readonly folder: string,
    readonly own: Wire,
    readonly other: Wire,
    readonly udp: UdpSink,
  ) {
    context.on("request", (request) => {
      const parts = [request.method(), request.url(), JSON.stringify(request.headers()), request.postData() ?? ""];
      this.requests.push(Buffer.from(parts.join(" ")));
    });
    context.on("console", (message) => this.console.push(Buffer.from(message.text())));
    context.on("weberror", (error) => this.console.push(Buffer.from(String(error.error()))));
  }

  /**
   * `originPort` is where the page's own server listens; the browser sees it only through a wire. Names below .invalid
   * are not mapped to the sink, so that looking one up is seen in the netlog.
   */
  static async open(originPort: number, allowlist = false): Promise<Watched> {
    const folder = mkdtempSync(join(tmpdir(), "page-privacy-"));
    const [own, other, udp] = await Promise.all([Wire.before(originPort), Wire.sink(), UdpSink.open()]);
    const context = await chromium.launchPersistentContext(join(folder, "profile"), {
      ...LAUNCH,
      viewport: { width: 1280, height: 860 },
      args: [
        ...FLAGS,
        `--host-resolver-rules=MAP * 127.0.0.1:${other.port}, EXCLUDE 127.0.0.1, EXCLUDE *.invalid`,
        `--log-net-log=${join(folder, "netlog.json")}`,
        "--net-log-capture-mode=Everything",
        "--allow-loopback-in-peer-connection",
        // Said either way, so that the outcome does not hang on the browser's version: it is on from Chrome 152.
        allowlist ? "--enable-features=ConnectionAllowlists,OverrideConnectionAllowlistOriginTrial" : "--disable-features=ConnectionAllowlists",
      ],
    });
    return new Watched(context, folder, own, other, udp);
  }

  get url(): string {
    return `http://127.0.0.1:${this.own.port}/`;
  }

  /** Looks through all that a page can keep, its own address and title included. */
  async lookIntoStorages(page: Page, canaries: string[]): Promise<void> {
    const words = canaries.map((canary) => ({ canary, forms: forms(canary).map((form) => form.toString("latin1")) }));
    const found = await page.evaluate(dump, words);
    for (const canary of found) this.stored.add(canary);
  }

  /** Ends the browser, so that everything is written that will be. */
  async close(): Promise<void> {
    await this.context.close();
    this.own.close();
    this.other.close();
    this.kept.set("own host", sift(this.own.bytes));
    this.kept.set("other host", sift(this.other.bytes));
    this.kept.set("requests", sift(Buffer.concat(this.requests)));
    this.kept.set("netlog", sift(readFileSync(join(this.folder, "netlog.json"))));
    this.kept.set("console", sift(Buffer.concat(this.console)));
    this.kept.set("disk", Buffer.concat(filesBelow(join(this.folder, "profile")).map((file) => sift(readFileSync(file)))));
  }

  /** After `close`: which oracles saw a canary. */
  seenBy(canary: string): Oracle[] {
    return ORACLES.filter((oracle) =>
      oracle === "storage" ? this.stored.has(canary) : holds(this.kept.get(oracle) ?? Buffer.alloc(0), canary),
    );
  }

  /** That the oracles were awake: each has something of an ordinary visit. */
  get awake(): Record<"own host" | "requests" | "netlog" | "disk", number> {
    return {
      "own host": this.own.bytes.length,
      requests: this.requests.length,
      netlog: statSync(join(this.folder, "netlog.json")).size,
      disk: filesBelow(join(this.folder, "profile")).length,
    };
  }

  forget(): void {
    this.udp.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size < MOST_BYTES);
}

/** Runs in the page. Gives back the canaries that it finds in any form. */
async function dump(words: { canary: string; forms: string[] }[]): Promise<string[]> {
  const texts: string[] = [
    document.cookie,
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    location.href,
    document.title,
    window.name,
    JSON.stringify(history.state),
  ];
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise<IDBDatabase>((done, fail) => {
      const request = indexedDB.open(name!);
      request.onsuccess = () => done(request.result);
      request.onerror = () => fail(request.error);
    });
    for (const store of database.objectStoreNames) {
      const all = database.transaction(store).objectStore(store).getAll();
      texts.push(name!, await new Promise<string>((done) => (all.onsuccess = () => done(JSON.stringify(all.result)))));
    }
    database.close();
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      const bytes = new Uint8Array((await response?.arrayBuffer()) ?? new ArrayBuffer(0));
      texts.push(name, request.url, new TextDecoder("latin1").decode(bytes));
    }
  }
  const folders = [await navigator.storage.getDirectory()];
  for (const folder of folders) {
    for await (const [name, handle] of folder as unknown as AsyncIterable<[string, FileSystemHandle]>) {
      texts.push(name);
      if (handle.kind === "directory") folders.push(handle as FileSystemDirectoryHandle);
      else texts.push(await (await (handle as FileSystemFileHandle).getFile()).text());
    }
  }
  return words.filter((word) => word.forms.some((form) => texts.some((text) => text.includes(form)))).map((word) => word.canary);
}
