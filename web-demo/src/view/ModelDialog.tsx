import type { Session, State } from "../app/session.ts";
import { Dialog } from "./Dialog.tsx";

/** The model's card, its device and why, and its times. */
export function ModelDialog({ session, state, close }: { session: Session; state: State; close: () => void }) {
  const { model } = state;
  if (model.phase !== "ready") {
    return (
      <Dialog title="Model" close={close}>
        <p>{model.phase === "loading" ? "The model is loading." : "There is no model."}</p>
      </Dialog>
    );
  }
  const { card, device, why, loadMs, codes } = model.model;
  const { coding } = session.note;
  return (
    <Dialog title="Model card" close={close}>
      <p class="warning">Not a medical device. It suggests codes to people who check them.</p>
      <dl class="card">
        <Fact name="Name">{card.name}</Fact>
        <Fact name="Hash">
          <code>{card.id}</code>
        </Fact>
        <Fact name="Licence">{card.licence}</Fact>
        <Fact name="Language">{card.language === "und" ? "not stated" : card.language}</Fact>
        <Fact name="Codes">
          {card.labels.toLocaleString("en")} that it can suggest; {codes.size.toLocaleString("en")} of ICD-10-CM{" "}
          {codes.release} to search
        </Fact>
        <Fact name="Size">
          {(card.bytes / 1e6).toFixed(1)} MB of weights, {card.precision}; windows of {card.window} tokens
        </Fact>
        <Fact name="Trained on">{card.trainedOn}</Fact>
        <Fact name="Meant for">{card.intendedUse}</Fact>
        <Fact name="Limits">{card.limits}</Fact>
        <Fact name="Device">{device}</Fact>
        {why !== "" && <Fact name="Why this device">{why}</Fact>}
        <Fact name="Time">
          {(loadMs / 1000).toFixed(2)} s to load
          {coding && `; ${Math.round(coding.elapsedMs)} ms for this note of ${coding.tokens} tokens`}
        </Fact>
      </dl>
    </Dialog>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
