import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { pieces } from "../coding/evidence.ts";
import type { Session } from "../app/session.ts";
import { CodesPane } from "./CodesPane.tsx";
import { ExportDialog } from "./ExportDialog.tsx";
import { Header } from "./Header.tsx";
import { ModelDialog } from "./ModelDialog.tsx";
import { NotePane } from "./NotePane.tsx";
import { NotesRail } from "./NotesRail.tsx";
import { PrivacyDialog } from "./PrivacyDialog.tsx";
import { takeFiles } from "./files.ts";
import { useSession } from "./useSession.ts";

/** The dialog that is open. */
export type Shown = "export" | "model" | "privacy" | undefined;
type Pane = "notes" | "note" | "codes";

/** A word of the note that was clicked: the codes that it speaks for stay in the light. */
export interface Picked {
  start: number;
  text: string;
  codes: ReadonlySet<string>;
}

/** The whole page: notes, the one on the screen, its codes. A narrow screen shows one of the three at a time. */
export function App({ session }: { session: Session }) {
  const state = useSession(session);
  const { note } = session;
  const [shown, show] = useState<Shown>();
  const [lit, light] = useState<string>();
  const [picked, pick] = useState<Picked>();
  const [pane, setPane] = useState<Pane>("note");
  const [dragged, setDragged] = useState(false);
  const depth = useRef(0);
  const rows = session.rows();
  const many = state.notes.length > 1;

  useEffect(() => {
    pick(undefined);
    light(undefined);
  }, [note.id, note.coding]);

  // On a phone the codes come to the front by themselves when they are there.
  const status = note.status;
  const before = useRef(status);
  useEffect(() => {
    if (before.current === "coding" && status === "coded") setPane("codes");
    before.current = status;
  }, [status]);

  const evidence = useMemo(() => {
    const visible = rows.filter((row) => row.decision === "accepted" || (row.suggested && row.decision !== "rejected"));
    return pieces(note.text.length, visible.flatMap(({ suggestion }) => (suggestion ? [suggestion] : [])));
  }, [note.text, note.coding, note.review, state.threshold]);

  const onDrop = useCallback((event: DragEvent) => {
    event.preventDefault();
    depth.current = 0;
    setDragged(false);
    if (event.dataTransfer) void takeFiles(session, event.dataTransfer);
  }, []);

  return (
    <div
      class="app"
      data-pane={pane}
      onDragEnter={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        depth.current += 1;
        setDragged(true);
      }}
      onDragLeave={() => {
        depth.current -= 1;
        if (depth.current <= 0) setDragged(false);
      }}
      onDrop={onDrop}
    >
      <a class="skip" href="#codes" onClick={skipTo}>
        Skip to the codes
      </a>
      <Header session={session} state={state} show={show} />
      <main class="work" data-many={many}>
        {many && <NotesRail session={session} state={state} onOpen={() => setPane("note")} />}
        <NotePane session={session} state={state} evidence={evidence} lit={lit} picked={picked} pick={pick} toCodes={() => setPane("codes")} />
        <CodesPane
          session={session}
          state={state}
          rows={rows}
          lit={lit}
          light={light}
          picked={picked}
          pick={pick}
          onExport={() => show("export")}
        />
      </main>
      <nav class="tabs" aria-label="Panes">
        {many && <Tab name="notes" label={`Notes (${state.notes.length})`} pane={pane} set={setPane} />}
        <Tab name="note" label="Note" pane={pane} set={setPane} />
        <Tab name="codes" label={`Codes (${rows.filter(({ suggested }) => suggested).length})`} pane={pane} set={setPane} />
      </nav>
      {dragged && (
        <div class="dropzone" aria-hidden="true">
          <p>Drop notes here</p>
          <p>.txt, FHIR .json, C-CDA .xml, or a folder of them</p>
        </div>
      )}
      {shown === "export" && <ExportDialog session={session} state={state} close={() => show(undefined)} />}
      {shown === "model" && <ModelDialog session={session} state={state} close={() => show(undefined)} />}
      {shown === "privacy" && <PrivacyDialog state={state} close={() => show(undefined)} />}
      <p class="for-readers" role="status" aria-live="polite">
        {state.said}
      </p>
    </div>
  );
}

/** The address stays as it is: a fragment would be a navigation. */
function skipTo(event: MouseEvent): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#codes")?.focus();
}

function Tab({ name, label, pane, set }: { name: Pane; label: string; pane: Pane; set: (pane: Pane) => void }) {
  return (
    <button type="button" aria-pressed={pane === name} onClick={() => set(name)}>
      {label}
    </button>
  );
}
