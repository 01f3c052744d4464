import type { AddedCode, Row } from "../coding/review.ts";
import type { Codes } from "../model/start.ts";

interface Props {
  row: Row;
  note: string;
  codes: Codes;
  billable: boolean;
  replace: (code: AddedCode) => void;
}

type Entry = NonNullable<ReturnType<Codes["get"]>>;

/** Letters of the note on either side of a word of evidence. */
const AROUND = 36;
const MOST = 12;

/** Why, in the note's words; and what the code book says. */
export function CodeDetail({ row, note, codes, billable, replace }: Props) {
  const entry = codes.get(row.code);
  const above = ancestors(codes, row.code);
  // What a code excludes is excluded from all codes below it.
  const inherited = (terms: (entry: Entry) => string[]): string[] => [...above, ...(entry ? [entry] : [])].flatMap(terms);
  const finer = billable ? [] : codes.moreSpecific(row.code, MOST);
  const evidence = [...(row.suggestion?.evidence ?? [])].sort((a, b) => b.weight - a.weight).slice(0, 5);
  const total = evidence.reduce((sum, { weight }) => sum + weight, 0);
  return (
    <div class="detail">
      {finer.length > 0 && (
        <section>
          <h3>More specific codes that can be billed</h3>
          <ul class="finer">
            {finer.map(({ code, description }) => (
              <li key={code}>
                <button type="button" onClick={() => replace({ code, description })}>
                  <span class="code-name">{code}</span> <span>{description}</span>
                  <span class="use">Use instead</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {evidence.length > 0 && (
        <section>
          <h3>Why</h3>
          <ul class="quotes">
            {evidence.map(({ start, end, weight }) => (
              <li key={start}>
                <span class="share number">{total > 0 ? Math.round((weight / total) * 100) : 0}%</span>
                <q>
                  {before(note, start)}
                  <mark>{note.slice(start, end)}</mark>
                  {after(note, end)}
                </q>
              </li>
            ))}
          </ul>
        </section>
      )}
      {row.suggestion && (
        <p class="fine">
          Probability {row.suggestion.probability.toFixed(3)}, the model's threshold for this code{" "}
          {row.suggestion.threshold.toFixed(3)}.
        </p>
      )}
      {entry === undefined ? (
        <p class="fine">This code is not in ICD-10-CM {codes.release}.</p>
      ) : (
        <dl class="book">
          <Terms
            name="In the book"
            terms={[`Chapter ${entry.chapter}, ${entry.block}`, ...above.map((one) => `${one.code} ${one.description}`)]}
          />
          <Terms name="Includes" terms={entry.inclusionTerms} />
          <Terms name="Excludes1: never together with" terms={inherited(({ excludes1 }) => excludes1)} />
          <Terms name="Excludes2: not part of it" terms={inherited(({ excludes2 }) => excludes2)} />
        </dl>
      )}
    </div>
  );
}

/** The codes above a code, the widest first. */
function ancestors(codes: Codes, code: string): Entry[] {
  const above: Entry[] = [];
  for (let entry = codes.get(code); entry?.parent; ) {
    entry = codes.get(entry.parent);
    if (entry) above.unshift(entry);
  }
  return above;
}

/** The words in front of an offset, whole ones. */
function before(note: string, start: number): string {
  if (start <= AROUND) return note.slice(0, start);
  const near = note.slice(start - AROUND, start);
  return `…\u00a0${near.slice(near.search(/\s|$/) + 1)}`;
}

/** The words behind an offset, whole ones. */
function after(note: string, end: number): string {
  if (end + AROUND >= note.length) return note.slice(end);
  const near = note.slice(end, end + AROUND);
  return `${near.slice(0, Math.max(0, near.search(/\s\S*$/)))}\u00a0…`;
}

function Terms({ name, terms }: { name: string; terms: readonly string[] }) {
  const some = terms.filter((term) => term !== "");
  if (some.length === 0) return null;
  return (
    <div>
      <dt>{name}</dt>
      {some.slice(0, MOST).map((term) => (
        <dd key={term}>{term}</dd>
      ))}
      {some.length > MOST && <dd>… and {some.length - MOST} more</dd>}
    </div>
  );
}
