/** Everything that the page knows, in memory only: closing the tab forgets it. */
import { add, decide, NO_REVIEW, remove, replace, rows, type AddedCode, type Decision, type Review, type Row } from "../coding/review.ts";
import type { Coding, Threshold } from "../coding/suggestion.ts";
import type { IncomingNote } from "../notes/note_file.ts";
import { failure, type Failure, type Loading, type Model } from "../model/start.ts";

/** The page works without a model too: notes wait for it. `sealed` is what the browser said, not what was asked of it. */
export type ModelState =
  | { phase: "loading"; loading: Loading }
  | { phase: "failed"; failure: Failure }
  | { phase: "ready"; model: Model; sealed: boolean };

/** `waiting` stands in the queue of {@link Session.run}; `failed` may be coded again. */
export type NoteStatus = "draft" | "waiting" | "coding" | "coded" | "failed";

/** A note of this sitting, with all that was said and decided of it. */
export interface Note extends IncomingNote {
  id: number;
  status: NoteStatus;
  /** Only with status `failed`. */
  failure?: Failure;
  /** What the model said of exactly this text. */
  coding?: Coding;
  review: Review;
}

/** All that the page shows. A change makes a new object, so that components compare by identity. */
export interface State {
  model: ModelState;
  notes: readonly Note[];
  /** The note on the screen. */
  current: number;
  threshold: Threshold;
  /** Notes of the run that goes on: how many are done, of how many. */
  run?: { done: number; total: number };
  /** What a screen reader says next. */
  said: string;
  /** A refusal for the eyes, until it is closed. */
  notice?: string[];
  /** Decisions that no export has. */
  unsaved: boolean;
}

/** The page without its looks: every change of state goes through a method of this. */
export class Session {
  state: State;
  private readonly listeners = new Set<() => void>();
  private next = 1;
  private stopper: AbortController | undefined;

  constructor() {
    const first = this.emptyNote();
    this.state = {
      model: { phase: "loading", loading: { step: "Starting", share: 0 } },
      notes: [first],
      current: first.id,
      threshold: "tuned",
      said: "",
      unsaved: false,
    };
  }

  /** Calls back after every change; what comes back ends that. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private emptyNote(): Note {
    return { id: this.next++, title: "New note", text: "", status: "draft", review: NO_REVIEW };
  }

  /** The note on the screen. */
  get note(): Note {
    return this.state.notes.find(({ id }) => id === this.state.current) ?? this.state.notes[0]!;
  }

  /** The codes of a note, at the threshold of now. */
  rows(note = this.note): Row[] {
    return rows(note.coding, note.review, this.state.threshold);
  }

  setModel(model: ModelState): void {
    const said = model.phase === "ready" ? "The model is ready." : model.phase === "failed" ? "The model did not load." : this.state.said;
    this.set({ model, said });
    // Notes that came while the model was loading wait for it.
    if (model.phase === "ready" && this.state.notes.some(({ status }) => status === "waiting")) void this.run();
  }

  /** Hands a sentence to screen readers. */
  say(said: string): void {
    this.set({ said });
  }

  /** Shows a refusal until it is closed; `undefined` closes it. */
  notice(lines: string[] | undefined): void {
    const { notice: _, ...rest } = this.state;
    this.state = rest;
    this.set(lines === undefined ? {} : { notice: lines, said: lines.join(" ") });
  }

  private change(id: number, change: Partial<Note>): void {
    this.set({ notes: this.state.notes.map((note) => (note.id === id ? { ...note, ...change } : note)) });
  }

  /** Text typed into the note on the screen. What was decided stays, what the model said of the old text goes. */
  write(text: string): void {
    const { coding: _, failure: __, ...note } = this.note;
    const title = note.title === "New note" && text.trim() !== "" ? `Note ${note.id}` : note.title;
    const fresh: Note = { ...note, title, text, status: "draft" };
    this.set({ notes: this.state.notes.map((one) => (one.id === fresh.id ? fresh : one)) });
  }

  /** Back to writing. */
  edit(): void {
    this.write(this.note.text);
  }

  open(id: number): void {
    this.set({ current: id });
  }

  /** Opens an empty note: the one that is there, or a new one. */
  newNote(): void {
    const empty = this.state.notes.find(({ text, status }) => status === "draft" && text.trim() === "");
    const note = empty ?? this.emptyNote();
    this.set({ notes: empty ? this.state.notes : [...this.state.notes, note], current: note.id, said: "New note" });
  }

  /** Forgets one note. There is always one left to write in. */
  close(id: number): void {
    const at = this.state.notes.findIndex((note) => note.id === id);
    let notes = this.state.notes.filter((note) => note.id !== id);
    if (notes.length === 0) notes = [this.emptyNote()];
    const current = this.state.current === id ? notes[Math.min(at, notes.length - 1)]!.id : this.state.current;
    this.set({ notes, current, said: "Note closed" });
  }

  /** Forgets all notes and decisions. */
  clear(): void {
    this.stop();
    const note = this.emptyNote();
    const { run: _, ...rest } = this.state;
    this.state = rest;
    this.set({ notes: [note], current: note.id, unsaved: false, said: "All notes cleared" });
  }

  /** Takes notes in and codes them. An empty draft gives way to the first. */
  take(incoming: IncomingNote[]): void {
    const fresh = incoming.map((note): Note => ({ ...note, id: this.next++, status: "waiting", review: NO_REVIEW }));
    const first = fresh[0];
    if (first === undefined) return;
    const kept = this.state.notes.filter(({ text }) => text.trim() !== "");
    this.set({ notes: [...kept, ...fresh], current: first.id });
    void this.run();
  }

  /** Codes the note on the screen. */
  code(): void {
    const { id, text } = this.note;
    if (text.trim() === "") return;
    this.change(id, { status: "waiting" });
    void this.run();
  }

  /** Notes in the queue. */
  get waiting(): number {
    return this.state.notes.filter(({ status }) => status === "waiting").length;
  }

  /** Codes all notes that wait, one after the other; notes that come meanwhile join. */
  async run(): Promise<void> {
    if (this.state.model.phase !== "ready" || this.stopper !== undefined) return;
    const { model } = this.state.model;
    const stopper = new AbortController();
    this.stopper = stopper;
    let done = 0;
    while (!stopper.signal.aborted) {
      const waiting = this.state.notes.filter(({ status }) => status === "waiting");
      const next = waiting.find(({ id }) => id === this.state.current) ?? waiting[0];
      if (next === undefined) break;
      this.set({ run: { done, total: done + waiting.length } });
      this.change(next.id, { status: "coding" });
      const change = await codeOne(model, next.text, stopper.signal);
      done += change.status === "waiting" ? 0 : 1;
      // The note may have been closed or edited meanwhile: then the answer is about a text that is gone.
      const still = this.state.notes.find(({ id }) => id === next.id);
      if (still?.status === "coding" && still.text === next.text) this.change(next.id, change);
      if (this.state.current === next.id && change.status === "coded") this.sayCoded();
    }
    const stopped = stopper.signal.aborted;
    // Someone may have gone on before this run knew that it was stopped: the progress is the new run's then.
    if (this.stopper !== undefined && this.stopper !== stopper) return;
    this.stopper = undefined;
    const { run: _, ...rest } = this.state;
    this.state = rest;
    this.set(done > 1 || stopped ? { said: stopped ? "Stopped." : `${done} notes coded.` } : {});
    if (!stopped && this.waiting > 0) void this.run();
  }

  private sayCoded(): void {
    const count = this.rows().filter(({ suggested }) => suggested).length;
    this.set({ said: count === 1 ? "1 code suggested." : `${count} codes suggested.` });
  }

  /** Stops between two windows of the note that is being coded; the rest keeps waiting. */
  stop(): void {
    this.stopper?.abort();
    this.stopper = undefined;
  }

  /** For all notes: codes from this probability on are suggested. */
  setThreshold(threshold: Threshold): void {
    this.set({ threshold });
  }

  decide(code: string, decision: Decision): void {
    const review = decide(this.note.review, code, decision);
    const now = review.decisions.get(code);
    this.set({ said: now === undefined ? `${code} undecided` : `${code} ${now}`, unsaved: true });
    this.change(this.note.id, { review });
  }

  /** Accepts a code out of the table; with `insteadOf` that one is rejected for it. */
  add(code: AddedCode, insteadOf?: string): void {
    const { note } = this;
    const known = note.coding?.suggestions.some((one) => one.code === code.code) ?? false;
    const review = insteadOf === undefined ? add(note.review, code, known) : replace(note.review, insteadOf, code, known);
    this.set({ said: insteadOf === undefined ? `${code.code} added` : `${code.code} put in place of ${insteadOf}`, unsaved: true });
    this.change(note.id, { review });
  }

  remove(code: string): void {
    this.set({ said: `${code} removed`, unsaved: true });
    this.change(this.note.id, { review: remove(this.note.review, code) });
  }

  /** The decisions are in a file now: closing the tab need not ask. */
  exportedNow(): void {
    this.set({ unsaved: false, said: "Exported" });
  }
}

async function codeOne(model: Model, text: string, signal: AbortSignal): Promise<Partial<Note>> {
  try {
    return { status: "coded", coding: await model.predict(text, signal) };
  } catch (error) {
    const failed = failure(error);
    return failed.code === "aborted" ? { status: "waiting" } : { status: "failed", failure: failed };
  }
}
