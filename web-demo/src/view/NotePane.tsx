import { useEffect, useRef } from "preact/hooks";
import type { Session, State } from "../app/session.ts";
import type { Piece } from "../coding/evidence.ts";
import { ACCEPTED_FILES } from "../notes/read_file.ts";
import { SAMPLES } from "../notes/samples.ts";
import type { Picked } from "./App.tsx";
import { notesOfFolder, readFiles } from "./files.ts";
import { Icon } from "./icons.tsx";
import { NoteText } from "./NoteText.tsx";
import { describe } from "./failures.ts";

interface Props {
  session: Session;
  state: State;
  evidence: Piece[];
  lit: string | undefined;
  picked: Picked | undefined;
  pick: (picked: Picked | undefined) => void;
  /** Shows the codes, where only one pane fits. */
  toCodes: () => void;
}

/** The note: to write in, or, once it is coded, to read with its evidence lit. */
export function NotePane({ session, state, evidence, lit, picked, pick, toCodes }: Props) {
  const { note } = session;
  const { model } = state;
  const reading = note.status === "coded";
  const words = note.text.trim() === "" ? 0 : note.text.trim().split(/\s+/).length;
  return (
    <section class="pane note-pane" aria-labelledby="note-title">
      <div class="pane-head">
        <h2 id="note-title" title={note.title}>
          {note.title}
        </h2>
        <p class="facts">
          {words > 0 && <span>{words.toLocaleString("en")} words</span>}
          {note.coding && (
            <span title={`${note.coding.tokens} tokens in ${note.coding.windows === 1 ? "1 window" : `${note.coding.windows} windows`}`}>
              {Math.round(note.coding.elapsedMs)} ms
            </span>
          )}
        </p>
        <div class="actions">
          <FileButtons session={session} />
          {reading ? (
            <button type="button" class="button" onClick={() => session.edit()}>
              <Icon name="edit" /> Edit
            </button>
          ) : (
            <button
              type="button"
              class="button primary"
              disabled={words === 0 || note.status === "coding" || model.phase === "failed"}
              onClick={() => session.code()}
            >
              {note.status === "coding" ? "Coding …" : note.status === "waiting" ? "Waiting …" : "Code note"}
            </button>
          )}
          {(words > 0 || state.notes.length > 1) && (
            <button type="button" class="button" onClick={() => session.newNote()}>
              <Icon name="plus" /> New
            </button>
          )}
        </div>
      </div>
      {state.notice && (
        <div class="notice">
          <Icon name="warn" />
          <ul>
            {state.notice.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <button type="button" class="bare" aria-label="Close the notice" onClick={() => session.notice(undefined)}>
            <Icon name="cross" />
          </button>
        </div>
      )}
      {note.failure && (
        <div class="notice">
          <Icon name="warn" />
          <p>{describe(note.failure)}</p>
        </div>
      )}
      {reading ? (
        <NoteText note={note} evidence={evidence} lit={lit} picked={picked} pick={pick} language={language(state)} />
      ) : (
        <Writing session={session} state={state} empty={words === 0} />
      )}
      {picked && (
        <p class="picked narrow-only">
          <span>
            <mark>{picked.text}</mark> {[...picked.codes].slice(0, 4).join(", ")}
            {picked.codes.size > 4 && " …"}
          </span>
          <button type="button" class="link" onClick={toCodes}>
            Show
          </button>
        </p>
      )}
    </section>
  );
}

function language(state: State): string | undefined {
  return state.model.phase === "ready" ? state.model.model.card.language : undefined;
}

function Writing({ session, state, empty }: { session: Session; state: State; empty: boolean }) {
  const { note } = session;
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (!window.matchMedia("(pointer: coarse)").matches) area.current?.focus({ preventScroll: true });
  }, [note.id]);
  return (
    <div class={`writing ${empty ? "empty" : ""}`}>
      <textarea
        ref={area}
        aria-label="Clinical note"
        placeholder={"Paste or type a clinical note, or drop files.\n\nIts codes appear beside it. The model runs in this browser: nothing is sent anywhere."}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        lang={language(state)}
        value={note.text}
        onInput={(event) => session.write(event.currentTarget.value)}
        onPaste={(event) => {
          // Pasting into an empty pane is the whole of the work for most notes: code at once.
          const text = event.clipboardData?.getData("text/plain") ?? "";
          if (note.text.trim() !== "" || text.trim() === "") return;
          event.preventDefault();
          session.write(text.replace(/\r\n?/g, "\n"));
          session.code();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) session.code();
        }}
      />
      {empty && (
        <section class="samples" aria-labelledby="samples-title">
          <h3 id="samples-title">Or try a sample</h3>
          <ul>
            {SAMPLES.map((sample) => (
              <li key={sample.id}>
                <button
                  type="button"
                  onClick={() => session.take([{ title: `Sample: ${sample.specialty}`, text: sample.text }])}
                >
                  <strong>{sample.specialty}</strong>
                  <span>{sample.about}</span>
                </button>
              </li>
            ))}
          </ul>
          <p class="fine">
            Invented notes, nobody's.{" "}
            <button
              type="button"
              class="link"
              onClick={() => session.take(SAMPLES.map(({ specialty, text }) => ({ title: `Sample: ${specialty}`, text })))}
            >
              Code all {SAMPLES.length}
            </button>
          </p>
        </section>
      )}
    </div>
  );
}

function FileButtons({ session }: { session: Session }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const read = (input: HTMLInputElement, all: (list: FileList) => File[]): void => {
    const chosen = all(input.files!);
    // Empty again, or choosing the same file twice would do nothing.
    void readFiles(session, chosen).finally(() => (input.value = ""));
  };
  return (
    <>
      <button type="button" class="button" onClick={() => files.current?.click()}>
        <Icon name="file" /> Files
      </button>
      <button type="button" class="button wide-only" onClick={() => folder.current?.click()}>
        <Icon name="folder" /> Folder
      </button>
      <input
        ref={files}
        class="hidden-input"
        type="file"
        id="files"
        aria-label="Files with notes"
        tabIndex={-1}
        multiple
        accept={ACCEPTED_FILES}
        onChange={(event) => read(event.currentTarget, (list) => [...list])}
      />
      <input
        ref={folder}
        class="hidden-input"
        type="file"
        id="folder"
        aria-label="A folder with notes"
        tabIndex={-1}
        {...{ webkitdirectory: true }}
        onChange={(event) => read(event.currentTarget, notesOfFolder)}
      />
    </>
  );
}
