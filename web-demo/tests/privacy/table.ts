/** The table of outcomes in PRIVACY.md, between two marks. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Oracle } from "./watched.ts";

const FILE = new URL("../../PRIVACY.md", import.meta.url);
const BEGIN = "<!-- outcomes: written by `node tests/run.mjs privacy --long --write` -->";
const END = "<!-- end of outcomes -->";

/** Where words are gone for good. What only the console or the list of requests shows was tried, and refused. */
const EXITS = new Set<Oracle>(["own host", "other host", "UDP", "netlog", "storage", "disk"]);

/** Of those who saw it, the ones that matter for this leak: the console counts for what goes there and nowhere else. */
export function exits({ control }: Outcome, seen: Oracle[]): Oracle[] {
  const onlyConsole = control.every((oracle) => oracle === "console");
  return seen.filter((oracle) => EXITS.has(oracle) || (onlyConsole && oracle === "console"));
}

export interface Outcome {
  name: string;
  /** On a page without a policy. */
  control: Oracle[];
  /** On this page, by the state in which it was. */
  states: Record<string, Oracle[] | undefined>;
}

/** Where a state has no worker yet, there is nothing to plant in. */
function cell(one: Outcome, seen: Oracle[] | undefined): string {
  if (seen === undefined) return "–";
  const out = exits(one, seen);
  return out.length === 0 ? "**blocked**" : `caught: ${out.join(", ")}`;
}

export function render(outcomes: Outcome[]): string {
  const states = Object.keys(outcomes[0]?.states ?? {});
  const head = ["planted leak", "without a policy, seen by", ...states];
  const lines = outcomes.map((one) => [one.name, one.control.join(", "), ...states.map((state) => cell(one, one.states[state]))]);
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export function write(table: string): void {
  const text = readFileSync(FILE, "utf8");
  const [before, after] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  writeFileSync(FILE, `${text.slice(0, before)}\n\n${table}\n\n${text.slice(after)}`);
}

/** What PRIVACY.md says: for each leak and state, whether it is blocked; undefined where there is nothing to plant in. */
export function published(): Map<string, Map<string, boolean | undefined>> {
  const text = readFileSync(FILE, "utf8");
  const lines = text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).trim().split("\n");
  const cells = (line: string): string[] => line.split("|").slice(1, -1).map((cell) => cell.trim());
  const head = cells(lines[0] ?? "");
  return new Map(
    lines.slice(2).map((line) => {
      const [name = "", , ...rest] = cells(line);
      return [name, new Map(rest.map((cell, at) => [head[at + 2] ?? "", cell === "–" ? undefined : cell === "**blocked**"]))];
    }),
  );
}
