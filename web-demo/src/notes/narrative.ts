import { Parser } from "htmlparser2";

/** Elements of XHTML and of the C-CDA narrative block that stand on lines of their own. */
const BLOCKS = new Set([
  "address", "article", "blockquote", "caption", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
  "header", "item", "li", "list", "main", "ol", "p", "paragraph", "pre", "section", "table", "tbody", "tfoot", "thead",
  "tr", "ul",
]);
/** Elements whose text is no part of a note. */
const SILENT = new Set(["head", "script", "style", "template", "title"]);

/** Writes the text of marked-up narrative as a person would read it aloud: blocks on lines, cells apart, items with a dash. */
export class Narrative {
  private out = "";
  private silent = 0;
  private cells = 0;
  private keepSpace = 0;

  open(name: string): void {
    if (SILENT.has(name)) this.silent += 1;
    if (name === "br") this.newLine(true);
    else if (BLOCKS.has(name)) this.newLine();
    if (name === "pre") this.keepSpace += 1;
    if (name === "tr") this.cells = 0;
    if (name === "td" || name === "th") {
      if (this.cells > 0) this.out = `${this.out.trimEnd()} | `;
      this.cells += 1;
    }
    if (name === "item" || name === "li") this.out += "- ";
  }

  text(text: string): void {
    if (this.silent > 0) return;
    if (this.keepSpace > 0) {
      this.out += text;
      return;
    }
    const flat = text.replace(/\s+/g, " ");
    this.out += /(^|\s)$/.test(this.out) ? flat.trimStart() : flat;
  }

  close(name: string): void {
    if (SILENT.has(name)) this.silent -= 1;
    if (name === "pre") this.keepSpace -= 1;
    if (BLOCKS.has(name)) this.newLine();
  }

  finish(): string {
    return this.out
      .split("\n")
      .map((line) => line.trimEnd())
      .join("\n")
      .replace(/^\s*\|\s*$/gm, "")
      .replace(/\n{3,}/g, "\n\n")
      .trim();
  }

  /** A block opens and closes at the same place often: one line end is enough. A `br` always makes one. */
  private newLine(always = false): void {
    const trimmed = this.out.replace(/[ \t]+$/, "");
    this.out = trimmed === "" || (!always && trimmed.endsWith("\n")) ? trimmed : `${trimmed}\n`;
  }
}

/** The text of an HTML or XHTML fragment. Nothing is rendered: markup never reaches the document. */
export function htmlToText(html: string): string {
  const narrative = new Narrative();
  const parser = new Parser({
    onopentag: (name) => narrative.open(name),
    ontext: (text) => narrative.text(text),
    onclosetag: (name) => narrative.close(name),
  });
  parser.end(html);
  return narrative.finish();
}
