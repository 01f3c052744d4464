import type { AddedCode, Row } from "../coding/review.ts";
import type { Codes } from "../model/start.ts";
import { CodeDetail } from "./CodeDetail.tsx";
import { Icon } from "./icons.tsx";

interface Props {
  row: Row;
  note: string;
  codes: Codes | undefined;
  open: boolean;
  /** In the tab order. */
  current: boolean;
  lit: boolean;
  onOpen: () => void;
  onFocus: () => void;
  light: (code: string | undefined) => void;
  decide: (decision: "accepted" | "rejected") => void;
  remove: () => void;
  replace: (code: AddedCode) => void;
}

/** Words of evidence on the row itself. */
const WORDS = 3;

/**
 * A code with its probability, its strongest words and the two decisions. Under the pointer or with the focus it lights
 * its words in the note.
 */
export function CodeRow(props: Props) {
  const { row, codes, open, current, lit, onOpen, onFocus, light, decide, remove } = props;
  const { code, description, suggestion, decision } = row;
  const billable = codes?.get(code)?.billable ?? true;
  const percent = suggestion && `${Math.round(suggestion.probability * 100)}%`;
  const strongest = [...(suggestion?.evidence ?? [])].sort((a, b) => b.weight - a.weight);
  const words = [...new Set(strongest.map(({ text }) => text))].slice(0, WORDS);
  const stops = current ? 0 : -1;
  return (
    <li
      class={`code ${row.suggested ? "" : "below"} ${lit ? "lit-row" : ""}`}
      data-code={code}
      data-decision={decision}
      onMouseEnter={() => light(code)}
      onMouseLeave={() => light(undefined)}
    >
      <button
        type="button"
        class="code-main"
        tabIndex={stops}
        aria-expanded={open}
        onClick={onOpen}
        onFocus={() => {
          onFocus();
          light(code);
        }}
        onBlur={() => light(undefined)}
      >
        <span class="probability">
          <span class="number">{percent ?? "added"}</span>
          {suggestion && (
            <span class="bar" aria-hidden="true">
              <i style={{ "--at": suggestion.probability }} />
            </span>
          )}
        </span>
        <span class="code-name">{code}</span>
        <span class="code-text">
          {description}
          {!billable && <span class="badge">not billable</span>}
          {row.insteadOf !== undefined && <span class="badge quiet">for {row.insteadOf}</span>}
        </span>
        {words.length > 0 && (
          <span class="why">
            <span class="for-readers">because of </span>
            {words.map((word) => (
              <mark key={word}>{word}</mark>
            ))}
          </span>
        )}
        {decision !== undefined && <span class="for-readers">{decision}</span>}
      </button>
      <span class="decide">
        {suggestion === undefined ? (
          <button type="button" class="round" tabIndex={stops} aria-label={`Remove ${code}`} title="Remove" onClick={remove}>
            <Icon name="cross" />
          </button>
        ) : (
          <>
            <button
              type="button"
              class="round accept"
              tabIndex={stops}
              aria-pressed={decision === "accepted"}
              aria-label={`Accept ${code}`}
              title="Accept (A)"
              onClick={() => decide("accepted")}
            >
              <Icon name="check" />
            </button>
            <button
              type="button"
              class="round reject"
              tabIndex={stops}
              aria-pressed={decision === "rejected"}
              aria-label={`Reject ${code}`}
              title="Reject (R)"
              onClick={() => decide("rejected")}
            >
              <Icon name="cross" />
            </button>
          </>
        )}
      </span>
      {open && codes && <CodeDetail {...props} codes={codes} billable={billable} />}
    </li>
  );
}
