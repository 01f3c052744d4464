// A short note of nobody, to warm a device up and to time it.

import { throwIfAborted } from "./errors.js";
import type { Session } from "./session.js";

/** About a hundred tokens; written for this purpose. */
const NOTE =
  "Adult seen for a routine visit. Type 2 diabetes and high blood pressure, both on tablets, fair control. Cough for " +
  "three days with a low fever, no chest pain, no shortness of breath. Old fracture of the left wrist, healed. Lungs " +
  "clear, heart regular, abdomen soft, no swelling of the legs. Plan: keep the tablets, drink enough, rest, blood " +
  "count and kidney values today, come back in two weeks or at once if the breath gets short.";

const REPORT = { topK: 15, threshold: null, evidence: 5 } as const;

/** How long the note took. */
export interface Timing {
  readonly ms: number;
  readonly tokens: number;
}

/**
 * The fastest of so many runs, after one that is not counted if `settle` says so. A run of `enough` milliseconds or more
 * ends it: the device is too slow to be worth more of the user's time.
 */
export async function time(
  session: Session,
  runs: number,
  settle: boolean,
  signal: AbortSignal | undefined,
  enough = Number.POSITIVE_INFINITY,
): Promise<Timing> {
  let best = Number.POSITIVE_INFINITY;
  let tokens = 0;
  const note = await session.oneWindow(NOTE); // a model with short windows would take many for it
  for (let run = settle ? -1 : 0; run < runs; run += 1) {
    throwIfAborted(signal);
    const start = performance.now();
    ({ tokens } = await session.predict(note, REPORT, signal));
    if (run >= 0) {
      best = Math.min(best, performance.now() - start);
      if (best >= enough) {
        break;
      }
    }
  }
  return { ms: Math.round(best * 10) / 10, tokens };
}
