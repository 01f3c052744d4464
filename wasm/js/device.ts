// Which device computes: asked for, remembered, or measured.

import { buildOf, cpuBuild, moduleOf } from "./builds.js";
import { IcdCoderError, orAborted } from "./errors.js";
import type { Adapter } from "./host.js";
import { parsed } from "./model_file.js";
import type { ProgressLine } from "./progress.js";
import { Session, type SessionParts } from "./session.js";
import type { DeviceReport } from "./types.js";
import { VERSION } from "./version.js";
import { type Timing, time } from "./warmup.js";

/** A session, and why it runs where it runs. */
export interface Chosen {
  readonly session: Session;
  readonly report: DeviceReport;
}

/** Runs of the warm-up note that count, where two devices are compared. */
const RUNS = 2;

/** What an earlier visit measured on this machine, with this model and this version. */
interface Remembered {
  readonly kind: "cpu" | "webgpu";
  readonly cpuMs: number;
  readonly webgpuMs: number;
  readonly tokens: number;
}

const CLOSED = new IcdCoderError("disposed", "the slower device was given up");

/** Opens the model on the device that was asked for, or on the faster one. */
export async function choose(
  parts: SessionParts,
  asked: "auto" | "webgpu" | "cpu",
  progress: ProgressLine,
  signal: AbortSignal | undefined,
): Promise<Chosen> {
  if (asked === "cpu") {
    return onCpu(parts, progress, signal, "asked", "the caller asked for the CPU");
  }
  const adapter = await orAborted(parts.host.adapter(), signal);
  if (asked === "webgpu") {
    return onWebGpu(parts, progress, signal, adapter);
  }
  if (adapter === undefined) {
    return onCpu(parts, progress, signal, "no-adapter", "no GPU adapter is offered here");
  }
  if (adapter.software) {
    const text = `the only GPU adapter, ${adapter.name}, computes in software`;
    return onCpu(parts, progress, signal, "software-adapter", text, adapter);
  }
  const key = await memoryKey(parts, adapter, signal);
  const before = key === undefined ? undefined : remembered(await parts.folder.recall(key));
  return before === undefined
    ? compare(parts, progress, signal, adapter, key)
    : asBefore(parts, progress, signal, adapter, before);
}

async function onCpu(
  parts: SessionParts,
  progress: ProgressLine,
  signal: AbortSignal | undefined,
  why: DeviceReport["why"],
  reason: string,
  adapter?: Adapter,
): Promise<Chosen> {
  const session = await Session.open(parts, cpuBuild(), progress, signal);
  progress.enter("warmup");
  const { ms, tokens } = await timed(session, 1, false, signal);
  const text = `CPU: ${reason}. ${tokens} tokens took ${ms} ms at first.`;
  return { session, report: { device: session.device, why, text, cpuMs: ms, tokens, ...named(adapter) } };
}

async function onWebGpu(
  parts: SessionParts,
  progress: ProgressLine,
  signal: AbortSignal | undefined,
  adapter: Adapter | undefined,
): Promise<Chosen> {
  if (adapter === undefined) {
    throw new IcdCoderError("webgpu-unavailable", "WebGPU was asked for, and no GPU adapter is offered here");
  }
  const session = await Session.open(parts, buildOf("webgpu"), progress, signal);
  progress.enter("warmup");
  const { ms, tokens } = await timed(session, 1, true, signal);
  await standBy(parts, session, signal);
  const text = `WebGPU on ${adapter.name}: the caller asked for it. ${tokens} tokens take ${ms} ms.`;
  const report = {
    device: session.device,
    why: "asked",
    text,
    webgpuMs: ms,
    tokens,
    adapter: adapter.name,
  } as const;
  return { session, report };
}

/** Starts on the CPU, times both devices on the same note, and gives the slower one up. */
async function compare(
  parts: SessionParts,
  progress: ProgressLine,
  signal: AbortSignal | undefined,
  adapter: Adapter,
  key: string | undefined,
): Promise<Chosen> {
  parts.folder.hold(); // the second device takes the same files
  try {
    const cpu = await Session.open(parts, cpuBuild(), progress, signal);
    progress.enter("warmup");
    const onCpu = await timed(cpu, RUNS, true, signal);
    let gpu: Session;
    let onGpu: Timing;
    try {
      gpu = await Session.open(parts, buildOf("webgpu"), progress, signal);
      onGpu = await timed(gpu, RUNS, true, signal, 2 * onCpu.ms);
    } catch (error) {
      if (!(error instanceof IcdCoderError) || error.code === "aborted") {
        cpu.close(CLOSED);
        throw error;
      }
      const text = `CPU: WebGPU on ${adapter.name} failed (${error.code}). ${said(onCpu)}`;
      return {
        session: cpu,
        report: { device: cpu.device, why: "webgpu-failed", text, ...spread(onCpu, adapter) },
      };
    }
    const kind = onGpu.ms < onCpu.ms ? "webgpu" : "cpu";
    const [session, slower] = kind === "webgpu" ? [gpu, cpu] : [cpu, gpu];
    slower.close(CLOSED);
    const numbers: Remembered = { kind, cpuMs: onCpu.ms, webgpuMs: onGpu.ms, tokens: onCpu.tokens };
    if (key !== undefined) {
      await parts.folder.remember(key, numbers);
    }
    return { session, report: measured(session, "measured", numbers, adapter) };
  } finally {
    parts.folder.release();
  }
}

/** Opens what an earlier visit found faster; a GPU that fails since then is given up. */
async function asBefore(
  parts: SessionParts,
  progress: ProgressLine,
  signal: AbortSignal | undefined,
  adapter: Adapter,
  before: Remembered,
): Promise<Chosen> {
  let session: Session | undefined;
  if (before.kind === "webgpu") {
    try {
      session = await Session.open(parts, buildOf("webgpu"), progress, signal);
      progress.enter("warmup");
      await timed(session, 0, true, signal);
      await standBy(parts, session, signal);
    } catch (error) {
      if (!(error instanceof IcdCoderError) || error.code === "aborted") {
        throw error;
      }
      const reason = `WebGPU on ${adapter.name}, faster at an earlier visit, failed (${error.code})`;
      return onCpu(parts, progress, signal, "webgpu-failed", reason, adapter);
    }
  } else {
    session = await Session.open(parts, cpuBuild(), progress, signal);
    progress.enter("warmup");
    await timed(session, 0, true, signal);
  }
  return { session, report: measured(session, "remembered", before, adapter) };
}

/** Has the CPU build at hand for when the GPU is lost: the page may have forbidden itself every fetch by then. */
async function standBy(
  { host }: SessionParts,
  session: Session,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await orAborted(
      moduleOf(cpuBuild(), host, signal).catch(() => undefined),
      signal,
    );
  } catch (error) {
    session.close(error as IcdCoderError);
    throw error;
  }
}

/** Times a session, and closes it if that fails. */
async function timed(
  session: Session,
  runs: number,
  settle: boolean,
  signal: AbortSignal | undefined,
  enough?: number,
): Promise<Timing> {
  try {
    return await time(session, runs, settle, signal, enough);
  } catch (error) {
    session.close(error as IcdCoderError);
    throw error;
  }
}

function measured(
  session: Session,
  why: "measured" | "remembered",
  numbers: Remembered,
  adapter: Adapter,
): DeviceReport {
  const { kind, cpuMs, webgpuMs, tokens } = numbers;
  const place = kind === "webgpu" ? `WebGPU on ${adapter.name}` : "CPU";
  const when = why === "measured" ? "just now" : "at an earlier visit";
  const text = `${place}: the faster of the two, measured ${when}. ${tokens} tokens: CPU ${cpuMs} ms, WebGPU ${webgpuMs} ms.`;
  return { device: session.device, why, text, cpuMs, webgpuMs, tokens, adapter: adapter.name };
}

/** Where the choice is kept: another model, adapter or version measures anew. */
async function memoryKey(
  { folder }: SessionParts,
  adapter: Adapter,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const manifest = parsed(await folder.manifest(signal)) as { model_id?: unknown } | null | undefined;
  const model = manifest?.model_id;
  return typeof model === "string"
    ? `device/${VERSION}/${encodeURIComponent(model)}/${encodeURIComponent(adapter.name)}`
    : undefined;
}

function remembered(value: unknown): Remembered | undefined {
  const before = value as Remembered | null | undefined;
  const whole =
    (before?.kind === "cpu" || before?.kind === "webgpu") &&
    [before.cpuMs, before.webgpuMs, before.tokens].every(Number.isFinite);
  return whole ? before : undefined;
}

function said({ ms, tokens }: Timing): string {
  return `${tokens} tokens take ${ms} ms.`;
}

function spread(
  { ms, tokens }: Timing,
  adapter: Adapter,
): { cpuMs: number; tokens: number; adapter: string } {
  return { cpuMs: ms, tokens, adapter: adapter.name };
}

function named(adapter: Adapter | undefined): { adapter?: string } {
  return adapter === undefined ? {} : { adapter: adapter.name };
}
