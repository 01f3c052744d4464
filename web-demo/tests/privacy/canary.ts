/** Words that nobody writes, and every form in which they could leave. */
import { randomBytes } from "node:crypto";

/** Letters and digits only, so that no encoding of addresses changes it. */
export function freshCanary(): string {
  return `quaxbi${randomBytes(7).toString("hex")}`;
}

/** Raw, hexadecimal, UTF-16 of both orders, and base64 at each of the three places where a word can begin in it. */
export function forms(canary: string): Buffer[] {
  const raw = Buffer.from(canary);
  const utf16 = Buffer.from(canary, "utf16le");
  const all = [raw, Buffer.from(raw.toString("hex")), utf16, Buffer.from(utf16).swap16()];
  for (const word of [raw, utf16]) {
    for (const before of [0, 1, 2]) {
      const text = Buffer.concat([Buffer.alloc(before), word]).toString("base64");
      // The first and the last letters depend on the neighbours: what is between them does not.
      const inner = text.slice(before === 0 ? 0 : before + 1, text.length - 4);
      all.push(Buffer.from(inner), Buffer.from(inner.replaceAll("+", "-").replaceAll("/", "_")));
    }
  }
  return all;
}

/** Whether any form of the canary is in the bytes; letters of either case count for the raw and hexadecimal forms. */
export function holds(bytes: Buffer, canary: string): boolean {
  if (forms(canary).some((form) => bytes.includes(form))) return true;
  const lower = Buffer.from(bytes.toString("latin1").toLowerCase(), "latin1");
  return forms(canary).slice(0, 2).some((form) => lower.includes(form));
}
