/** What a person decided about the codes of one note. Values are never changed in place. */
import { isSuggested, type Coding, type Suggestion, type Threshold } from "./suggestion.ts";

/** Of a person; without one a code is undecided. */
export type Decision = "accepted" | "rejected";

/** A code that a person found in the table. */
export interface AddedCode {
  code: string;
  description: string;
  /** The code in whose place it was put, where it is a more specific one. */
  insteadOf?: string;
}

/** Kept by code, so that it stays when the note is coded again. */
export interface Review {
  decisions: ReadonlyMap<string, Decision>;
  added: readonly AddedCode[];
}

/** Where every note begins. */
export const NO_REVIEW: Review = { decisions: new Map(), added: [] };

/** One line of the list of codes. */
export interface Row {
  code: string;
  description: string;
  /** Absent where the model said nothing of this code. */
  suggestion?: Suggestion;
  decision?: Decision;
  added: boolean;
  insteadOf?: string;
  /** At or above the threshold. */
  suggested: boolean;
}

/** Deciding the same twice takes the decision back. */
export function decide(review: Review, code: string, decision: Decision): Review {
  const decisions = new Map(review.decisions);
  if (decisions.get(code) === decision) decisions.delete(code);
  else decisions.set(code, decision);
  return { ...review, decisions };
}

/** Adds a code and accepts it; a code that is there already is only accepted. */
export function add(review: Review, code: AddedCode, known: boolean): Review {
  const decisions = new Map(review.decisions).set(code.code, "accepted");
  const there = known || review.added.some((one) => one.code === code.code);
  return { decisions, added: there ? review.added : [...review.added, code] };
}

/** Puts a more specific code in the place of one that cannot be billed. */
export function replace(review: Review, from: string, to: AddedCode, known: boolean): Review {
  const next = add(review, { ...to, insteadOf: from }, known);
  return { ...next, decisions: new Map(next.decisions).set(from, "rejected") };
}

/** Takes an added code away. */
export function remove(review: Review, code: string): Review {
  const decisions = new Map(review.decisions);
  decisions.delete(code);
  return { decisions, added: review.added.filter((one) => one.code !== code) };
}

/** All rows: added codes first, then the model's by falling probability. */
export function rows(coding: Coding | undefined, review: Review, threshold: Threshold): Row[] {
  const suggestions = coding?.suggestions ?? [];
  const suggested = new Set(suggestions.map(({ code }) => code));
  const added = review.added
    .filter(({ code }) => !suggested.has(code))
    .map((one): Row => ({ ...one, added: true, suggested: true, ...decisionOf(review, one.code) }));
  const given = suggestions.map((suggestion): Row => {
    const { code, description } = suggestion;
    const byHand = review.added.find((one) => one.code === code);
    return {
      code,
      description,
      suggestion,
      added: byHand !== undefined,
      suggested: isSuggested(suggestion, threshold),
      ...decisionOf(review, code),
      ...(byHand?.insteadOf !== undefined && { insteadOf: byHand.insteadOf }),
    };
  });
  return [...added, ...given];
}

function decisionOf(review: Review, code: string): { decision?: Decision } {
  const decision = review.decisions.get(code);
  return decision === undefined ? {} : { decision };
}

/** How many rows are in which state. */
export interface Tally {
  undecided: number;
  accepted: number;
  rejected: number;
  /** Undecided, and under the threshold. */
  below: number;
}

/** Counts every row once: a decision goes before the threshold. */
export function tally(all: Row[]): Tally {
  const count = { undecided: 0, accepted: 0, rejected: 0, below: 0 };
  for (const row of all) {
    if (row.decision !== undefined) count[row.decision] += 1;
    else if (row.suggested) count.undecided += 1;
    else count.below += 1;
  }
  return count;
}

/** What goes into an export: accepted codes, and those at the threshold that nobody decided, if asked for. */
export function exported(all: Row[], undecidedToo: boolean): Row[] {
  return all.filter((row) => row.decision === "accepted" || (undecidedToo && row.decision === undefined && row.suggested));
}
