/**
 * A stand-in for the package `bert-xml` with its public face, for tests of the page alone: it looks for words that stand
 * in this file. Vite takes it in place of the package only when `PAGE_FAKE=1` is set; what ships has nothing of it.
 */
const WORDS: [pattern: RegExp, code: string, description: string, probability: number][] = [
  [/community-acquired pneumonia|pneumonia|consolidation/gi, "J18.9", "Pneumonia, unspecified organism", 0.97],
  [/type 2 diabetes mellitus|type 2 diabetes|metformin|diabetes/gi, "E11.9", "Type 2 diabetes mellitus without complications", 0.94],
  [/essential hypertension|hypertension|hypertensive|lisinopril/gi, "I10", "Essential (primary) hypertension", 0.91],
  [/acute hypoxic respiratory failure|saturation 90%/gi, "J96.01", "Acute respiratory failure with hypoxia", 0.83],
  [/acute kidney injury|Creatinine rose/gi, "N17.9", "Acute kidney failure, unspecified", 0.79],
  [/hyperlipidemia|atorvastatin/gi, "E78.5", "Hyperlipidemia, unspecified", 0.72],
  [/Former smoker|pack-years/gi, "Z87.891", "Personal history of nicotine dependence", 0.58],
  [/dehydration/gi, "E86.0", "Dehydration", 0.44],
  [/insulin|Glucose ran high/gi, "E11.65", "Type 2 diabetes mellitus with hyperglycemia", 0.31],
  [/asthma/gi, "J45.9", "Other and unspecified asthma", 0.88],
  [/heart failure|ejection fraction/gi, "I50.2", "Systolic (congestive) heart failure", 0.93],
  [/atrial fibrillation|apixaban/gi, "I48.91", "Unspecified atrial fibrillation", 0.86],
  [/fracture|radius/gi, "S52.5", "Fracture of lower end of radius", 0.81],
  [/depression|depressive|low mood/gi, "F33.1", "Major depressive disorder, recurrent, moderate", 0.77],
  [/anemia|Hemoglobin/gi, "D64.9", "Anemia, unspecified", 0.52],
  [/fever|Temperature/gi, "R50.9", "Fever, unspecified", 0.18],
  [/cough/gi, "R05", "Cough", 0.22],
];

export class IcdCoderError extends Error {
  override readonly name = "IcdCoderError";

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface Progress {
  phase: "fetch" | "verify" | "compile" | "warmup" | "ready";
  loaded: number;
  total: number;
}

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (): void => reject(new IcdCoderError("aborted", "stopped by the caller"));
    if (signal?.aborted) return stop();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), stop()), { once: true });
  });

export class IcdCoder {
  readonly device = { kind: "cpu" as const, simd: "relaxed" as const };
  readonly manifest = {
    format: "bert-xml",
    model_id: "5f1d0c0ffee5f1d0c0ffee5f1d0c0ffee5f1d0c0ffee5f1d0c0ffee5f1d0c0ff",
    card: {
      name: "stand-in",
      language: "en",
      licence: "MIT OR Apache-2.0",
      trained_on: "Nothing: it looks for words.",
      intended_use: "Tests of the page.",
      limits: "Its codes mean nothing.",
    },
    threshold: 0.4,
    precision: "int8",
    config: { labels: WORDS.length },
    max_len: 512,
    shards: [{ file: "weights-00000.bin", bytes: 12_345_678, sha256: "00" }],
  };

  static async load(
    _url: string,
    options: { device?: string; cache?: boolean; onProgress?: (progress: Progress) => void; signal?: AbortSignal } = {},
  ): Promise<IcdCoder> {
    const total = 12_345_678;
    for (let step = 0; step <= 10; step += 1) {
      options.onProgress?.({ phase: step < 8 ? "fetch" : "warmup", loaded: (total * step) / 10, total });
      await sleep(30, options.signal);
    }
    options.onProgress?.({ phase: "ready", loaded: total, total });
    return new IcdCoder();
  }

  explainDevice() {
    return { device: this.device, why: "no-adapter" as const, text: "The CPU: no GPU adapter is offered here." };
  }

  on(_event: "devicelost", _tell: () => void): () => void {
    return () => {};
  }

  async predict(note: string, options: { topK?: number; evidence?: boolean; signal?: AbortSignal } = {}) {
    if (note.trim() === "") throw new IcdCoderError("bad-input", "the note has no word");
    await sleep(120, options.signal);
    const codes = WORDS.flatMap(([pattern, code, description, probability]) => {
      const evidence = [...note.matchAll(pattern)].map((match, index) => ({
        start: match.index,
        end: match.index + match[0].length,
        text: match[0],
        weight: 0.5 / (index + 1),
      }));
      if (evidence.length === 0) return [];
      return [{ code, system: "icd10cm", description, probability, threshold: 0.4, assigned: probability >= 0.4, evidence }];
    });
    codes.sort((a, b) => b.probability - a.probability);
    return {
      codes: codes.slice(0, options.topK ?? codes.length),
      windows: 1,
      tokens: note.split(/\s+/).length,
      device: this.device,
      elapsedMs: 120,
    };
  }

  async dispose(): Promise<void> {}
}
