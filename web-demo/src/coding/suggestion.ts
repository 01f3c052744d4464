/** The words of a note that speak for a code: UTF-16 offsets into the note, end exclusive. */
export interface Evidence {
  start: number;
  end: number;
  text: string;
  /** Share of the code's attention, 0 to 1. */
  weight: number;
}

/** One code as the model gave it. */
export interface Suggestion {
  code: string;
  description: string;
  probability: number;
  /** The model's own threshold for this code. */
  threshold: number;
  evidence: Evidence[];
}

/** What the model said of one note. */
export interface Coding {
  suggestions: Suggestion[];
  windows: number;
  tokens: number;
  elapsedMs: number;
}

/** `tuned` takes the model's threshold of each code; a number takes the same for all. */
export type Threshold = "tuned" | number;

/** Whether a code is at or above the threshold. */
export function isSuggested(suggestion: Suggestion, threshold: Threshold): boolean {
  return suggestion.probability >= (threshold === "tuned" ? suggestion.threshold : threshold);
}
