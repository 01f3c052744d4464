import { useEffect, useRef, useState } from "preact/hooks";
import type { AddedCode } from "../coding/review.ts";
import type { Codes } from "../model/start.ts";
import { Icon } from "./icons.tsx";

/** Hits shown. */
const LIMIT = 40;

/**
 * A combobox over all codes of the release (ARIA 1.2 pattern, list with manual selection). A code that cannot be billed
 * is not added: choosing it shows what is below it.
 */
export function CodeSearch({ codes, add }: { codes: Codes; add: (code: AddedCode) => void }) {
  const [query, setQuery] = useState("");
  const [below, setBelow] = useState<string>();
  const [active, setActive] = useState(0);
  const [open, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const hits = !open || query.trim() === "" ? [] : below === undefined ? codes.search(query, LIMIT) : codes.moreSpecific(below, LIMIT);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = (event.target as HTMLElement).matches?.("input, textarea, select");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    list.current?.querySelector(`#hit-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const close = (): void => {
    setQuery("");
    setBelow(undefined);
    setOpen(false);
    setActive(0);
  };
  const choose = (at: number): void => {
    const hit = hits[at];
    if (hit === undefined) return;
    if (hit.billable) {
      add({ code: hit.code, description: hit.description });
      close();
    } else {
      setBelow(hit.code);
      setActive(0);
    }
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setActive(Math.min(active + 1, hits.length - 1));
    else if (event.key === "ArrowUp") setActive(Math.max(active - 1, 0));
    else if (event.key === "Enter") choose(active);
    else if (event.key === "Escape") below === undefined ? close() : setBelow(undefined);
    else return;
    event.preventDefault();
  };
  const shown = hits.length > 0;
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label={`Add a code: search ${codes.size.toLocaleString("en")} codes by word or code`}
        aria-expanded={shown}
        aria-controls="hits"
        aria-autocomplete="list"
        aria-activedescendant={shown ? `hit-${active}` : undefined}
        placeholder="Add a code by word or number"
        autocomplete="off"
        spellcheck={false}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setBelow(undefined);
          setActive(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
      {shown && (
        <div class="hits">
          {below !== undefined && (
            <p class="fine">
              Below <span class="code-name">{below}</span>: codes that can be billed. <kbd>Esc</kbd> goes back.
            </p>
          )}
          <ul id="hits" role="listbox" aria-label="Codes found" ref={list}>
            {hits.map((hit, at) => (
              <li
                key={hit.code}
                id={`hit-${at}`}
                role="option"
                aria-selected={at === active}
                onMouseDown={(event) => event.preventDefault()}
                onMouseMove={() => setActive(at)}
                onClick={() => choose(at)}
              >
                <span class="code-name">{hit.code}</span>
                <span class="hit-text">
                  {hit.description}
                  {hit.matched !== null && <small>{hit.matched}</small>}
                </span>
                {!hit.billable && (
                  <span class="badge quiet">
                    more specific <Icon name="chevron" />
                  </span>
                )}
              </li>
            ))}
          </ul>
        </div>
      )}
      {open && query.trim() !== "" && !shown && (
        <div class="hits">
          <p class="fine">No code has all these words.</p>
        </div>
      )}
    </div>
  );
}
