import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Note } from "../app/session.ts";
import { strength, type Piece } from "../coding/evidence.ts";
import type { Picked } from "./App.tsx";

interface Props {
  note: Note;
  evidence: Piece[];
  lit: string | undefined;
  picked: Picked | undefined;
  pick: (picked: Picked | undefined) => void;
  language: string | undefined;
}

/**
 * The note with its words of evidence as buttons. One of them is in the tab order; arrows go from one to the next
 * (roving focus), Enter picks, Escape lets go.
 */
export function NoteText({ note, evidence, lit, picked, pick, language }: Props) {
  const [stop, setStop] = useState(0);
  const text = useRef<HTMLDivElement>(null);
  const speaking = useMemo(() => evidence.filter(({ codes }) => codes.length > 0).map(({ start }) => start), [evidence]);
  const current = speaking.includes(stop) ? stop : speaking[0];
  const strongest = useMemo(() => {
    const weights = evidence.flatMap(({ codes }) => codes.filter(({ code }) => code === lit).map(({ weight }) => weight));
    return Math.max(0, ...weights);
  }, [evidence, lit]);

  // A code that has the focus brings its strongest word into sight; under a mere pointer the note stays where it is.
  useEffect(() => {
    if (lit === undefined || !document.activeElement?.classList.contains("code-main")) return;
    text.current?.querySelector(".lit-4")?.scrollIntoView({ block: "nearest" });
  }, [lit]);

  const move = (to: number | undefined): void => {
    if (to === undefined) return;
    setStop(to);
    text.current?.querySelector<HTMLElement>(`[data-start="${to}"]`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = speaking.indexOf(Number((event.target as HTMLElement).dataset["start"]));
    if (event.key === "Escape") pick(undefined);
    if (at < 0) return;
    if (event.key === "ArrowRight" || event.key === "ArrowDown") move(speaking[at + 1]);
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") move(speaking[at - 1]);
    else if (event.key === "Home") move(speaking[0]);
    else if (event.key === "End") move(speaking.at(-1));
    else if (event.key === "Enter" || event.key === " ") choose(evidence.find(({ start }) => start === speaking[at])!);
    else return;
    event.preventDefault();
  };
  const choose = ({ start, end, codes }: Piece): void => {
    if (picked?.start === start) pick(undefined);
    else pick({ start, text: note.text.slice(start, end), codes: new Set(codes.map(({ code }) => code)) });
  };

  return (
    <div class="note-scroll">
      <div
        class={`note-text ${lit !== undefined ? "one-lit" : ""}`}
        ref={text}
        lang={language}
        onKeyDown={onKeyDown}
        onClick={(event) => {
          if (event.target === event.currentTarget) pick(undefined);
        }}
      >
        {evidence.map((piece) => {
          const words = note.text.slice(piece.start, piece.end);
          if (piece.codes.length === 0) return words;
          const mine = piece.codes.find(({ code }) => code === lit);
          const level = mine && strength(mine.weight, strongest);
          return (
            <span
              key={piece.start}
              role="button"
              class={`word ${level ? `lit lit-${level}` : ""}`}
              data-start={piece.start}
              tabIndex={piece.start === current ? 0 : -1}
              aria-pressed={picked?.start === piece.start}
              title={piece.codes.map(({ code }) => code).join(", ")}
              onFocus={() => setStop(piece.start)}
              onClick={() => choose(piece)}
            >
              {words}
            </span>
          );
        })}
      </div>
      {speaking.length === 0 && <p class="fine">No word of this note speaks for a code at this threshold.</p>}
    </div>
  );
}
