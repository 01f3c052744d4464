import { useState } from "preact/hooks";
import type { Session, State } from "../app/session.ts";
import type { Shown } from "./App.tsx";
import { Icon } from "./icons.tsx";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const THEME_ICON = { auto: "auto", light: "sun", dark: "moon" } as const;

/** The name, two buttons that say whether the page is sealed and what the model is, and the colours. */
export function Header({ state, show }: { session: Session; state: State; show: (what: Shown) => void }) {
  const { model } = state;
  const ready = model.phase === "ready";
  const name = ready ? `${model.model.card.name} · ${model.model.device}` : model.phase === "failed" ? "No model" : "Loading model";
  return (
    <header class="top">
      <h1 class="brand">
        <svg class="mark" viewBox="0 0 20 20" aria-hidden="true">
          <path class="mark-lines" d="M3 4.5h14M3 10h4M13.5 10H17M3 15.5h9" />
          <path class="mark-word" d="M7.6 10h5.2" />
        </svg>
        BERT-XML <span>codes for clinical notes</span>
      </h1>
      <div class="top-actions">
        <button type="button" class={`pill ${ready && model.sealed ? "sealed" : ""}`} onClick={() => show("privacy")}>
          <Icon name={ready && model.sealed ? "lock" : "unlock"} />
          <span>
            {ready ? (model.sealed ? "Sealed" : "Not sealed") : "Not sealed yet"}
            {ready && model.sealed && <span class="wide-words">: notes stay here</span>}
          </span>
        </button>
        <button type="button" class="pill" aria-label={`Model: ${name}`} onClick={() => show("model")}>
          <Icon name="chip" />
          <span>{name}</span>
        </button>
        <ThemeButton />
      </div>
      {model.phase === "loading" && (
        <progress class="load" aria-label={`Model: ${model.loading.step}`} max={1} value={model.loading.share} />
      )}
    </header>
  );
}

/** Automatic, light, dark. Forgotten with the tab, like everything else: nothing is stored. */
function ThemeButton() {
  const [theme, setTheme] = useState<Theme>("auto");
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  const change = (): void => {
    setTheme(next);
    if (next === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = next;
  };
  return (
    <button type="button" class="pill square" aria-label={`Colours: ${theme}. Change to ${next}`} onClick={change}>
      <Icon name={THEME_ICON[theme]} />
    </button>
  );
}
