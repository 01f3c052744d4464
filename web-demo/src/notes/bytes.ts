/**
 * Bytes to text. Hospitals export UTF-8, UTF-16 with a byte order mark, and Windows-1252: the first two are known by
 * their bytes, what is neither is read as the third, in which every byte means something.
 */
export function decodeBytes(bytes: Uint8Array, charset?: string): string {
  if (charset !== undefined && charset !== "") {
    try {
      return new TextDecoder(charset).decode(bytes);
    } catch {
      // An unknown name of a charset: look at the bytes instead.
    }
  }
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Base64 (RFC 4648, white space allowed as FHIR and CDA write it) to bytes; undefined where it is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text.replace(/\s+/g, ""));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
