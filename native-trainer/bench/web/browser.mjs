// A headless Chromium of its own with one page and one worker; what its renderer takes in memory and CPU time (Linux).

import { readFileSync, readdirSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export class Browser {
  static async open(executablePath, url) {
    const server = await chromium.launchServer({ executablePath, args: FLAGS });
    const browser = await chromium.connect(server.wsEndpoint());
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => "ask" in window);
    return Object.assign(new Browser(), { server, browser, page });
  }

  ask(message) {
    return this.page.evaluate((message) => window.ask(message), message);
  }

  version() {
    return this.browser.version();
  }

  /** The process with the page: of this browser's renderers the largest. */
  renderer() {
    const ours = this.server.process().pid;
    const found = processes().filter(({ pid, line }) => line.includes("--type=renderer") && descends(pid, ours));
    return found.map(({ pid }) => pid).sort((a, b) => peak(b) - peak(a))[0];
  }

  /** Greatest resident memory of the renderer in this and all earlier calls, bytes: the system may forget a peak. */
  peakBytes() {
    this.most = Math.max(this.most ?? 0, peak(this.renderer()));
    return this.most;
  }

  /** CPU time of all the renderer's threads so far, ms. */
  cpuMilliseconds() {
    const place = `/proc/${this.renderer()}/task`;
    return readdirSync(place).reduce((sum, thread) => sum + Number(read(`${place}/${thread}/schedstat`).split(" ")[0]) / 1e6, 0);
  }

  async close() {
    await this.browser.close();
    await this.server.close();
  }
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // a process that has ended
  }
}

function processes() {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => ({ pid: Number(pid), line: read(`/proc/${pid}/cmdline`) }));
}

function descends(pid, from) {
  while (pid > 1 && pid !== from) pid = Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
  return pid === from;
}

function peak(pid) {
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}
