import { IcdCoder, type Device } from "bert-xml";
import { CodeTable } from "bert-xml/codes";
import type { Coding } from "../coding/suggestion.ts";

type Coder = Awaited<ReturnType<typeof IcdCoder.load>>;
type Table = Awaited<ReturnType<typeof CodeTable.load>>;

/** The table of codes. A label of a model need not be a code of ICD-10-CM: nothing is found then, and nothing thrown. */
export type Codes = Pick<Table, "release" | "size" | "search" | "get" | "moreSpecific">;

/** Where the model lies, seen from the page. */
const MODEL = "./model/";
/** Codes a note; the slider goes down through them. */
const TOP = 60;

/** How far the start is. */
export interface Loading {
  /** In words for people. */
  step: string;
  /** 0 to 1. */
  share: number;
}

/** What went wrong, as the page shows it: view/failures.ts has words for the codes that it knows. */
export interface Failure {
  /** The stable `code` of an `IcdCoderError`, or `unknown`. */
  code: string;
  message: string;
}

/** What the model's maker says of it, and its sizes, out of `manifest.json`. */
export interface ModelCard {
  name: string;
  /** SHA-256 of the model, hexadecimal. */
  id: string;
  language: string;
  licence: string;
  trainedOn: string;
  intendedUse: string;
  limits: string;
  precision: string;
  labels: number;
  /** Tokens that the model reads at once. */
  window: number;
  /** Of the weights alone. */
  bytes: number;
  /** For codes that have none of their own. */
  threshold: number;
}

/** The model at work, reduced to what the page uses. */
export interface Model {
  card: ModelCard;
  codes: Codes;
  /** For people: the device and why it was chosen. */
  device: string;
  why: string;
  /** Model and table of codes, from the first request to ready. */
  loadMs: number;
  /** Throws an error that {@link failure} reads; a stop has the code `aborted`. */
  predict(note: string, signal: AbortSignal): Promise<Coding>;
  /** The model goes on on another device by itself. */
  onDeviceLost(tell: () => void): void;
}

const STEPS: Record<string, string> = {
  fetch: "Fetching the model",
  verify: "Checking its hashes",
  compile: "Compiling",
  warmup: "Warming up",
  ready: "Ready",
};

/**
 * Fetches and starts the model of this page and its table of codes, side by side.
 *
 * Throws what {@link failure} reads.
 */
export async function startModel(onLoading: (loading: Loading) => void, signal: AbortSignal): Promise<Model> {
  const begun = performance.now();
  const [coder, table] = await Promise.all([
    IcdCoder.load(new URL(MODEL, document.baseURI).href, {
      device: "auto",
      cache: true,
      signal,
      onProgress: ({ phase, loaded, total }) =>
        onLoading({ step: STEPS[phase] ?? phase, share: total > 0 ? loaded / total : 0 }),
    }),
    CodeTable.load({ signal }),
  ]);
  const loadMs = performance.now() - begun;
  return {
    card: readCard(coder.manifest),
    codes: {
      release: table.release,
      size: table.size,
      search: (query, limit) => table.search(query, limit),
      get: (code) => orNothing(() => table.get(code), undefined),
      moreSpecific: (code, limit) => orNothing(() => table.moreSpecific(code, limit), []),
    },
    get device() {
      return nameDevice(coder.device);
    },
    get why() {
      return coder.explainDevice().text;
    },
    loadMs,
    predict: (note, stop) => predict(coder, note, stop),
    onDeviceLost: (tell) => void coder.on("devicelost", tell),
  };
}

function orNothing<T>(look: () => T, nothing: T): T {
  try {
    return look();
  } catch {
    return nothing;
  }
}

async function predict(coder: Coder, note: string, signal: AbortSignal): Promise<Coding> {
  const result = await coder.predict(note, { topK: TOP, evidence: true, signal });
  return {
    suggestions: result.codes.map(({ code, description, probability, threshold, evidence }) => ({
      code,
      description,
      probability,
      threshold,
      evidence: [...evidence],
    })),
    windows: result.windows,
    tokens: result.tokens,
    elapsedMs: result.elapsedMs,
  };
}

/** What is read of `manifest.json`; the package has checked it. */
interface Manifest {
  model_id: string;
  card: Record<"name" | "language" | "licence" | "trained_on" | "intended_use" | "limits", string>;
  config: { labels: number };
  max_len: number;
  precision: string;
  threshold: number;
  shards: { bytes: number }[];
}

function readCard(manifest: unknown): ModelCard {
  const { model_id, card, config, max_len, precision, threshold, shards } = manifest as Manifest;
  return {
    name: card.name,
    id: model_id,
    language: card.language,
    licence: card.licence,
    trainedOn: card.trained_on,
    intendedUse: card.intended_use,
    limits: card.limits,
    precision,
    labels: config.labels,
    window: max_len,
    bytes: shards.reduce((sum, shard) => sum + shard.bytes, 0),
    threshold,
  };
}

function nameDevice(device: Device): string {
  if (device.kind === "cpu") return device.simd === "relaxed" ? "CPU (relaxed SIMD)" : "CPU (SIMD)";
  const parts = ["GPU", device.adapter.name, device.f16 ? "half precision" : ""];
  return parts.filter((part) => part !== "").join(", ");
}

/** An error of the package by its code; any other is `unknown`. Messages of the package hold no text of a note. */
export function failure(error: unknown): Failure {
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error instanceof Error ? error.message : "";
  return { code: typeof code === "string" ? code : "unknown", message };
}
