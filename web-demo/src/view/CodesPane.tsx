import { useEffect, useRef, useState } from "preact/hooks";
import type { Session, State } from "../app/session.ts";
import { tally, type Row } from "../coding/review.ts";
import type { Picked } from "./App.tsx";
import { CodeRow } from "./CodeRow.tsx";
import { CodeSearch } from "./CodeSearch.tsx";
import { describe } from "./failures.ts";
import { Icon } from "./icons.tsx";
import { Threshold } from "./Threshold.tsx";
import { load } from "../app/load.ts";

interface Props {
  session: Session;
  state: State;
  rows: Row[];
  lit: string | undefined;
  light: (code: string | undefined) => void;
  picked: Picked | undefined;
  pick: (picked: Picked | undefined) => void;
  onExport: () => void;
}

/** The codes of the note: search, threshold, and the list with its arrows and letters. */
export function CodesPane({ session, state, rows, lit, light, picked, pick, onExport }: Props) {
  const { note } = session;
  const { model } = state;
  const [open, setOpen] = useState<string>();
  const [stop, setStop] = useState<string>();
  const [all, showAll] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const counts = tally(rows);
  const settled = rows.filter((row) => row.suggested || row.decision !== undefined || all);
  const visible = picked ? rows.filter(({ code }) => picked.codes.has(code)) : settled;
  const current = visible.some(({ code }) => code === stop) ? stop : visible[0]?.code;

  useEffect(() => {
    setOpen(undefined);
    setStop(undefined);
    showAll(false);
  }, [note.id]);

  const focus = (code: string | undefined): void => {
    if (code === undefined) return;
    setStop(code);
    list.current?.querySelector<HTMLElement>(`[data-code="${code}"] .code-main`)?.focus();
  };
  const decide = (code: string, decision: "accepted" | "rejected", byKey: boolean): void => {
    session.decide(code, decision);
    // With the keyboard the work goes on at the next code that nobody decided.
    if (!byKey) return;
    const at = visible.findIndex((row) => row.code === code);
    focus(visible.slice(at + 1).find((row) => row.decision === undefined)?.code ?? code);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (!target.classList.contains("code-main") || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = visible.findIndex((row) => row.code === current);
    const code = visible[at]?.code;
    if (code === undefined) return;
    const key = event.key.toLowerCase();
    if (key === "arrowdown") focus(visible[at + 1]?.code);
    else if (key === "arrowup") focus(visible[at - 1]?.code);
    else if (key === "home") focus(visible[0]?.code);
    else if (key === "end") focus(visible.at(-1)?.code);
    else if (key === "a") decide(code, "accepted", true);
    else if (key === "r") decide(code, "rejected", true);
    else if (key === "escape") pick(undefined);
    else return;
    event.preventDefault();
  };

  return (
    <section class="pane codes-pane" id="codes" tabIndex={-1} aria-labelledby="codes-title">
      <div class="pane-head">
        <h2 id="codes-title">Codes</h2>
        <p class="facts">
          {rows.length > 0 && (
            <>
              <span>{counts.undecided} to review</span>
              <span>{counts.accepted} accepted</span>
              {counts.rejected > 0 && <span>{counts.rejected} rejected</span>}
            </>
          )}
        </p>
        <div class="actions">
          <button type="button" class="button" disabled={rows.length === 0} onClick={onExport}>
            <Icon name="download" /> Export
          </button>
        </div>
      </div>
      {model.phase === "ready" && (
        <CodeSearch
          codes={model.model.codes}
          add={(code) => {
            session.add(code);
            pick(undefined);
          }}
        />
      )}
      {note.coding && model.phase === "ready" && (
        <Threshold session={session} state={state} tuned={model.model.card.threshold} suggestions={note.coding.suggestions} />
      )}
      {picked && (
        <p class="picked">
          <span>
            {visible.length === 1 ? "1 code" : `${visible.length} codes`} for <mark>{picked.text}</mark>
          </span>
          <button type="button" class="link" onClick={() => pick(undefined)}>
            Show all
          </button>
        </p>
      )}
      {visible.length > 0 ? (
        <ol class="codes" ref={list} aria-label="Codes of this note" onKeyDown={onKeyDown}>
          {visible.map((row) => (
            <CodeRow
              key={row.code}
              row={row}
              note={note.text}
              codes={model.phase === "ready" ? model.model.codes : undefined}
              open={open === row.code}
              current={row.code === current}
              lit={lit === row.code}
              onOpen={() => setOpen(open === row.code ? undefined : row.code)}
              onFocus={() => setStop(row.code)}
              light={light}
              decide={(decision) => decide(row.code, decision, false)}
              remove={() => session.remove(row.code)}
              replace={(code) => session.add(code, row.code)}
            />
          ))}
        </ol>
      ) : (
        <Nothing session={session} state={state} />
      )}
      {!picked && counts.below > 0 && (
        <button type="button" class="button more" aria-expanded={all} onClick={() => showAll(!all)}>
          {all ? `Hide the ${counts.below} below the threshold` : `Show ${counts.below} below the threshold`}
        </button>
      )}
      <p class="duty">Suggestions for a person who checks them. Not a medical device.</p>
    </section>
  );
}

/** What stands where codes will be. */
function Nothing({ session, state }: { session: Session; state: State }) {
  const { model } = state;
  const { status } = session.note;
  if (model.phase === "failed") {
    return (
      <div class="nothing failed" role="alert">
        <h3>The model did not load</h3>
        <p>{describe(model.failure)}</p>
        <p class="fine">Error: {model.failure.code}</p>
        <button type="button" class="button primary" onClick={() => void load(session)}>
          Try again
        </button>
      </div>
    );
  }
  if (status === "coding" || (status === "waiting" && model.phase === "ready")) {
    return (
      <div class="nothing" aria-busy="true">
        <ul class="bones" aria-hidden="true">
          <li />
          <li />
          <li />
          <li />
        </ul>
        <p>Reading the note …</p>
      </div>
    );
  }
  if (model.phase === "loading") {
    const { step, share } = model.loading;
    return (
      <div class="nothing">
        <h3>
          {step} <span class="number">{Math.round(share * 100)}%</span>
        </h3>
        <progress class="loading" aria-hidden="true" max={1} value={share} />
        <p>The model is fetched once and kept by this browser. You can write or paste already: coding begins when it is ready.</p>
      </div>
    );
  }
  if (status === "coded") {
    return (
      <div class="nothing">
        <h3>No code at this threshold</h3>
        <p>Lower the threshold, or add a code by search.</p>
      </div>
    );
  }
  return (
    <div class="nothing">
      <h3>No codes yet</h3>
      <p>Each comes with its probability and with the words of the note that speak for it.</p>
      <dl class="keys">
        <div>
          <dt>
            <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </dt>
          <dd>code the note</dd>
        </div>
        <div>
          <dt>
            <kbd>↑</kbd> <kbd>↓</kbd>
          </dt>
          <dd>go through codes, their words light up</dd>
        </div>
        <div>
          <dt>
            <kbd>A</kbd> <kbd>R</kbd>
          </dt>
          <dd>accept, reject</dd>
        </div>
        <div>
          <dt>
            <kbd>Enter</kbd>
          </dt>
          <dd>why, and what the code book says</dd>
        </div>
      </dl>
    </div>
  );
}
