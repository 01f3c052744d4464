import type { Failure } from "../model/start.ts";

/** What a person can do about a failure, by its stable code. */
const HINTS: Record<string, string> = {
  "not-found": "There is no model beside this page: put the model's folder at model/ on the same host.",
  network: "The model could not be fetched. Look at the connection to this page's host and try again.",
  integrity: "A file of the model is not what its manifest says: it was damaged or changed. Copy the folder again.",
  "model-version": "The model is of a newer format than this page reads. Update the page.",
  "out-of-memory": "There is not enough memory. Close other tabs, or use a smaller model.",
  "bad-input": "The note has no word that the model can read.",
  "webgpu-unavailable": "The GPU cannot be used here.",
  worker: "The model's worker stopped. Load the page again.",
  aborted: "Stopped.",
};

/** A failure in words for people; a code without words shows its own message. */
export function describe({ code, message }: Failure): string {
  return HINTS[code] ?? (message === "" ? "Something failed that should not." : message);
}
