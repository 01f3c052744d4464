import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces, strength } from "../../src/coding/evidence.ts";
import { add, decide, exported, NO_REVIEW, remove, replace, rows, tally } from "../../src/coding/review.ts";
import { isSuggested, type Coding, type Suggestion } from "../../src/coding/suggestion.ts";

const suggestion = (code: string, probability: number, spans: [number, number, number][] = []): Suggestion => ({
  code,
  description: `about ${code}`,
  probability,
  threshold: 0.4,
  evidence: spans.map(([start, end, weight]) => ({ start, end, text: "", weight })),
});
const coding: Coding = {
  suggestions: [suggestion("J18.9", 0.9), suggestion("E11.9", 0.5), suggestion("I10", 0.2)],
  windows: 1,
  tokens: 9,
  elapsedMs: 1,
};

test("pieces join to the note again, whatever overlaps", () => {
  const found = pieces(20, [suggestion("A", 1, [[2, 8, 0.5], [15, 30, 0.1]]), suggestion("B", 1, [[5, 10, 0.7]])]);
  assert.equal(found[0]!.start, 0);
  assert.equal(found.at(-1)!.end, 20);
  found.slice(1).forEach((piece, at) => assert.equal(piece.start, found[at]!.end));
  const codes = (start: number): string[] => found.find((piece) => piece.start === start)!.codes.map(({ code }) => code);
  assert.deepEqual([codes(0), codes(2), codes(5), codes(8), codes(10), codes(15)], [[], ["A"], ["B", "A"], ["B"], [], ["A"]]);
});

test("a code that names the same words twice counts once, with its larger weight", () => {
  const found = pieces(4, [suggestion("A", 1, [[0, 4, 0.1], [0, 4, 0.6]])]);
  assert.deepEqual(found, [{ start: 0, end: 4, codes: [{ code: "A", weight: 0.6 }] }]);
});

test("an empty note has no pieces", () => assert.deepEqual(pieces(0, []), []));

test("the strongest word is lit fully, a weak one faintly", () => {
  assert.deepEqual([0.9, 0.5, 0.3, 0.1].map((weight) => strength(weight, 0.9)), [4, 3, 2, 1]);
  assert.equal(strength(0, 0), 1);
});

test("the tuned threshold is each code's own, a number is for all", () => {
  const low = { ...suggestion("A", 0.3), threshold: 0.25 };
  assert.equal(isSuggested(low, "tuned"), true);
  assert.equal(isSuggested(low, 0.31), false);
  assert.equal(isSuggested(low, 0.3), true);
});

test("deciding the same twice takes the decision back", () => {
  const once = decide(NO_REVIEW, "J18.9", "accepted");
  assert.equal(once.decisions.get("J18.9"), "accepted");
  assert.equal(decide(once, "J18.9", "rejected").decisions.get("J18.9"), "rejected");
  assert.equal(decide(once, "J18.9", "accepted").decisions.size, 0);
  assert.equal(NO_REVIEW.decisions.size, 0);
});

test("an added code stands first, is accepted, and can be taken away", () => {
  const review = add(NO_REVIEW, { code: "M10.9", description: "Gout" }, false);
  const all = rows(coding, review, "tuned");
  assert.deepEqual(all.map(({ code }) => code), ["M10.9", "J18.9", "E11.9", "I10"]);
  assert.deepEqual([all[0]!.decision, all[0]!.added, all[0]!.suggestion], ["accepted", true, undefined]);
  assert.equal(add(review, { code: "M10.9", description: "Gout" }, false).added.length, 1);
  assert.deepEqual(remove(review, "M10.9"), NO_REVIEW);
});

test("adding a code that the model suggested only accepts it", () => {
  const all = rows(coding, add(NO_REVIEW, { code: "I10", description: "" }, true), "tuned");
  assert.equal(all.length, 3);
  assert.deepEqual([all[2]!.decision, all[2]!.added], ["accepted", false]);
});

test("a more specific code takes the place of the one that cannot be billed", () => {
  const review = replace(NO_REVIEW, "J18.9", { code: "J18.1", description: "Lobar" }, false);
  const all = rows(coding, review, "tuned");
  assert.deepEqual([all[0]!.code, all[0]!.decision, all[0]!.insteadOf], ["J18.1", "accepted", "J18.9"]);
  assert.equal(all.find(({ code }) => code === "J18.9")!.decision, "rejected");
});

test("the tally counts every row once, and an export takes what was asked for", () => {
  const all = rows(coding, decide(NO_REVIEW, "I10", "accepted"), "tuned");
  assert.deepEqual(tally(all), { undecided: 2, accepted: 1, rejected: 0, below: 0 });
  assert.deepEqual(tally(rows(coding, NO_REVIEW, 0.95)), { undecided: 0, accepted: 0, rejected: 0, below: 3 });
  assert.deepEqual(exported(all, false).map(({ code }) => code), ["I10"]);
  assert.deepEqual(exported(all, true).map(({ code }) => code), ["J18.9", "E11.9", "I10"]);
});
