import { rows, tally } from "../coding/review.ts";
import type { Note, Session, State } from "../app/session.ts";
import { Icon } from "./icons.tsx";

/** The notes of this sitting, their state, and the run that goes through them. */
export function NotesRail({ session, state, onOpen }: { session: Session; state: State; onOpen: () => void }) {
  const { run } = state;
  const waiting = session.waiting;
  return (
    <nav class="pane rail" aria-labelledby="rail-title">
      <div class="pane-head">
        <h2 id="rail-title">{state.notes.length} notes</h2>
        <div class="actions">
          {run ? (
            <button type="button" class="button" onClick={() => session.stop()}>
              <Icon name="stop" /> Stop
            </button>
          ) : (
            waiting > 0 &&
            state.model.phase === "ready" && (
              <button type="button" class="button" onClick={() => void session.run()}>
                <Icon name="play" /> Go on ({waiting})
              </button>
            )
          )}
          <button type="button" class="button" aria-label="Clear all notes" title="Clear all notes" onClick={() => session.clear()}>
            <Icon name="trash" />
          </button>
        </div>
      </div>
      {run && run.total > 1 && (
        <div class="run">
          <progress aria-label="Notes coded" max={run.total} value={run.done} />
          <span>
            {run.done} of {run.total}
          </span>
        </div>
      )}
      <ul class="rail-list">
        {state.notes.map((note) => (
          <li key={note.id} data-status={note.status}>
            <button
              type="button"
              class="rail-note"
              aria-current={note.id === state.current ? "true" : undefined}
              onClick={() => {
                session.open(note.id);
                onOpen();
              }}
            >
              <span class="rail-name">{note.title}</span>
              <span class="rail-state">{standing(note, state)}</span>
            </button>
            <button type="button" class="bare" aria-label={`Close ${note.title}`} onClick={() => session.close(note.id)}>
              <Icon name="cross" />
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function standing(note: Note, state: State): string {
  switch (note.status) {
    case "draft":
      return note.text.trim() === "" ? "Empty" : "Not coded yet";
    case "waiting":
      return "Waiting";
    case "coding":
      return "Coding …";
    case "failed":
      return "Failed";
    case "coded": {
      const { accepted, undecided } = tally(rows(note.coding, note.review, state.threshold));
      return accepted > 0 ? `${accepted} accepted, ${undecided} open` : `${undecided} suggested`;
    }
  }
}
