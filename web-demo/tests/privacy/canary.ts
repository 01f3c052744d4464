/** Words that nobody writes, and every form in which they could leave. */
import { randomBytes } from "node:crypto";

/** All canaries begin with it. */
const PREFIX = "quaxbi";
/** Bytes that are kept on either side of a find: more than any form of a canary has. */
const AROUND = 256;

/** Letters and digits only, so that no encoding of addresses changes it. */
export function freshCanary(): string {
  return `${PREFIX}${randomBytes(7).toString("hex")}`;
}

/** The places where a canary of any kind could be, in any form: a netlog is too large to be searched for fifty words. */
export function sift(bytes: Buffer): Buffer {
  const lower = Buffer.from(bytes.toString("latin1").toLowerCase(), "latin1");
  const kept: Buffer[] = [];
  for (const form of new Set(forms(PREFIX).map((one) => one.toString("latin1")))) {
    for (const source of [bytes, lower]) {
      for (let at = source.indexOf(form, 0, "latin1"); at >= 0; at = source.indexOf(form, at + AROUND, "latin1")) {
        kept.push(source.subarray(Math.max(0, at - AROUND), at + 2 * AROUND));
      }
    }
  }
  return Buffer.concat(kept);
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
