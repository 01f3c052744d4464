import type { Session, State } from "../app/session.ts";
import type { Suggestion } from "../coding/suggestion.ts";

interface Props {
  session: Session;
  state: State;
  /** The model's own threshold for all codes that have none of their own. */
  tuned: number;
  suggestions: Suggestion[];
}

/** The slider under a strip with one tick a code, so that one sees what a move takes in. */
export function Threshold({ session, state, tuned, suggestions }: Props) {
  const value = state.threshold === "tuned" ? tuned : state.threshold;
  return (
    <div class="threshold">
      <label for="threshold">Threshold</label>
      <div class="scale">
        <div class="strip" aria-hidden="true">
          {suggestions.map(({ code, probability }) => (
            <i key={code} class={probability >= value ? "in" : ""} style={{ "--at": probability }} />
          ))}
        </div>
        <input
          id="threshold"
          type="range"
          min={1}
          max={99}
          step={1}
          value={Math.round(value * 100)}
          style={{ "--at": value }}
          aria-valuetext={`${Math.round(value * 100)} percent${state.threshold === "tuned" ? ", the model's own" : ""}`}
          onInput={(event) => session.setThreshold(Number(event.currentTarget.value) / 100)}
        />
      </div>
      <span class="value" aria-hidden="true">
        {Math.round(value * 100)}%
      </span>
      <button
        type="button"
        class="chip"
        aria-pressed={state.threshold === "tuned"}
        title="The thresholds that were tuned for this model"
        onClick={() => session.setThreshold("tuned")}
      >
        Tuned
      </button>
    </div>
  );
}
