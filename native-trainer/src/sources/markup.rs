//! Marked-up narrative (HTML, XHTML, C-CDA) as plain text, and bytes as characters.
//!
//! The rules are those of the page (`web-demo/src/notes/narrative.ts`), so that a note is the same text wherever it is
//! read.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use html5gum::{DefaultEmitter, Token, Tokenizer};

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "blockquote",
    "caption",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "item",
    "li",
    "list",
    "main",
    "ol",
    "p",
    "paragraph",
    "pre",
    "section",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
    "body",
    "form",
    "hr",
];
/// Elements whose text is no part of a note.
const SILENT: [&str; 5] = ["head", "script", "style", "template", "title"];

/// Writes narrative as a person would read it aloud: blocks on lines, cells apart, items with a dash.
#[derive(Debug, Default)]
pub(super) struct Narrative {
    out: String,
    silent: u32,
    cells: u32,
    keep_space: u32,
}

impl Narrative {
    pub(super) fn open(&mut self, name: &str) {
        if SILENT.contains(&name) {
            self.silent += 1;
        }
        match name {
            "br" => self.new_line(true),
            _ if BLOCKS.contains(&name) => self.new_line(false),
            _ => {}
        }
        match name {
            "pre" => self.keep_space += 1,
            "tr" => self.cells = 0,
            "td" | "th" => {
                if self.cells > 0 {
                    self.out.truncate(self.out.trim_end().len());
                    self.out += " | ";
                }
                self.cells += 1;
            }
            "item" | "li" => self.out += "- ",
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.silent > 0 {
            return;
        }
        if self.keep_space > 0 {
            self.out += &text.replace("\r\n", "\n").replace('\r', "\n");
            return;
        }
        for c in text.chars() {
            if !c.is_whitespace() {
                self.out.push(c);
            } else if self.out.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
                self.out.push(' ');
            }
        }
    }

    pub(super) fn close(&mut self, name: &str) {
        if SILENT.contains(&name) {
            self.silent = self.silent.saturating_sub(1);
        }
        if name == "pre" {
            self.keep_space = self.keep_space.saturating_sub(1);
        }
        if BLOCKS.contains(&name) {
            self.new_line(false);
        }
    }

    /// The text: no spaces at the end of lines, no more than one empty line.
    pub(super) fn finish(self) -> String {
        let mut out = String::with_capacity(self.out.len());
        let mut empty = 0;
        for line in self.out.lines().map(str::trim_end) {
            let line = if line.trim() == "|" { "" } else { line };
            empty = if line.is_empty() { empty + 1 } else { 0 };
            if empty < 2 {
                out += line;
                out.push('\n');
            }
        }
        out.trim().to_owned()
    }

    /// A block opens and closes at the same place often: one line end is enough. A `br` always makes one.
    fn new_line(&mut self, always: bool) {
        self.out.truncate(self.out.trim_end_matches([' ', '\t']).len());
        if !self.out.is_empty() && (always || !self.out.ends_with('\n')) {
            self.out.push('\n');
        }
    }
}

/// The text of an HTML or XHTML document or fragment.
pub(super) fn html_text(html: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    // The text of `script` and `style` is no markup.
    emitter.naively_switch_states(true);
    let mut narrative = Narrative::default();
    let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = of(&tag.name);
                narrative.open(&name);
                if tag.self_closing {
                    narrative.close(&name);
                }
            }
            Token::EndTag(tag) => narrative.close(&of(&tag.name)),
            Token::String(text) => narrative.text(&of(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    narrative.finish()
}

/// Bytes as text: in the encoding of that name, or UTF-8, or Windows-1252 where they are no UTF-8. A byte order mark
/// counts more than any name. None for a name that is no encoding's.
pub(super) fn decoded(bytes: &[u8], charset: Option<&str>) -> Option<String> {
    let named = match charset {
        None => None,
        Some(name) => Some(Encoding::for_label(name.trim_matches(['"', '\'', ' ']).as_bytes())?),
    };
    let encoding = match named {
        Some(encoding) if encoding != UTF_8 => encoding,
        _ if Encoding::for_bom(bytes).is_some() || std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => WINDOWS_1252,
    };
    Some(encoding.decode(bytes).0.into_owned())
}

/// An XML document as text: in the encoding that its declaration names.
pub(super) fn decoded_xml(bytes: &[u8]) -> Option<String> {
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let declaration =
        begin.trim_start_matches('\u{feff}').strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let charset = declaration.and_then(|declared| {
        let value = declared.split("encoding").nth(1)?.split('=').nth(1)?.trim_start();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
        value[1..].split(quote).next().map(str::to_owned)
    });
    // A declaration that was readable as ASCII is none of UTF-16, whatever it says: the text was converted since.
    let charset = charset.filter(|name| !name.to_ascii_lowercase().starts_with("utf-16"));
    decoded(bytes, charset.as_deref())
}

/// Line ends as notes have them.
pub(super) fn one_line_end(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_html_becomes_text_and_its_words_survive(before in "[<>&;a-z\"'/= !-]{0,40}", words in "[a-z]{1,8}( [a-z]{1,8}){0,3}") {
            let text = html_text(&format!("{before}--></script></style></title></head></template>\"'><p>{words}</p>"));
            prop_assert!(!text.contains("\n\n\n") && text.trim() == text);
            html_text(&before);
            prop_assert_eq!(html_text(&format!("<p>{words}</p>")), words);
        }
    }

    #[test]
    fn blocks_stand_on_lines_cells_apart_and_items_with_a_dash() {
        let html = "<html><head><title>x</title><style>p{a:b}</style></head><body><h1>Plan</h1><p>Rest,\n  then <b>walk</b>.</p>\
            <ul><li>Aspirin</li><li>BP &lt; 140&deg;</li></ul><table><tr><td>Na</td><td>140</td></tr>\
            <tr><td>K</td><td>4</td></tr></table>one<br>two<br/><br/><br/><br/>three<script>if (a<b) x();</script></body></html>";
        assert_eq!(
            html_text(html),
            "Plan\nRest, then walk.\n- Aspirin\n- BP < 140°\nNa | 140\nK | 4\none\ntwo\n\nthree"
        );
        assert_eq!(html_text("<pre>a\r\n  b</pre>"), "a\n  b");
        assert_eq!(html_text("BP < 120, <p>fine"), "BP < 120,\nfine");
        assert_eq!(html_text("<div xmlns='http://www.w3.org/1999/xhtml'>A<p/>B</div>"), "A\nB");
    }

    #[test]
    fn bytes_are_read_in_the_encoding_that_they_say() {
        assert_eq!(decoded(b"caf\xe9", Some("ISO-8859-1")).as_deref(), Some("café"));
        assert_eq!(decoded("café".as_bytes(), None).as_deref(), Some("café"));
        assert_eq!(decoded(b"caf\xe9", Some("utf-8")).as_deref(), Some("café"));
        assert_eq!(decoded(b"x", Some("klingon")), None);
        let declared = |encoding: &str, text: &[u8]| {
            let head = format!("<?xml version='1.0' encoding='{encoding}'?>");
            decoded_xml(&[head.as_bytes(), text].concat()).unwrap().split_off(head.len())
        };
        assert_eq!(declared("ISO-8859-1", b"<a>\xe9</a>"), "<a>é</a>");
        assert_eq!(declared("utf-16", "<a>é</a>".as_bytes()), "<a>é</a>");
        assert_eq!(decoded_xml("\u{feff}<a>é</a>".as_bytes()).as_deref(), Some("<a>é</a>"));
    }
}
