import type { State } from "../app/session.ts";
import { Dialog } from "./Dialog.tsx";

/** Says where notes go, in the words of PRIVACY.md, by whether the page is sealed. */
export function PrivacyDialog({ state, close }: { state: State; close: () => void }) {
  const sealed = state.model.phase === "ready" && state.model.sealed;
  return (
    <Dialog title="Where your notes go" close={close}>
      <p class={sealed ? "warning good" : "warning"}>
        {sealed
          ? "Nowhere. This page is sealed: the browser refuses it every request, to its own host too."
          : "Nowhere. The page fetches its own files until the model is loaded; then the browser seals it."}
      </p>
      <ul class="plain">
        <li>The model runs in this browser. Notes, codes and decisions are in this tab's memory only.</li>
        <li>Nothing is stored: no cookie, no history, no address, no title. Closing the tab forgets all of it.</li>
        <li>Files go out only when you export, to the folder for downloads. Words of the note are in them only if you say so.</li>
        <li>Not in the page's hands: browser extensions, the clipboard, spelling services of the browser, malware, a person who looks on.</li>
      </ul>
      <p class="fine">PRIVACY.md of this project lists what is blocked, what is only noticed, and the headers that a host must send.</p>
    </Dialog>
  );
}
