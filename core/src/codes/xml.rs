//! The published XML files as trees: elements with attributes, own text and children.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Why a published XML file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed XML, or cut off.
    #[error("line {line}: not well-formed XML: {problem}")]
    Malformed {
        /// Line in the file, from 1.
        line: usize,
        /// What the reader says.
        problem: String,
    },
    /// Another file: the root element is not the one expected.
    #[error("the root element is `{found}`, not `{wanted}`: another file")]
    Foreign {
        /// The root element's name; empty where there is none.
        found: String,
        /// The name that it must have.
        wanted: &'static str,
    },
    /// An element breaks a rule of the file's layout.
    #[error("line {line}: `{value}`: {rule}")]
    Element {
        /// Line in the file at which the element starts, from 1.
        line: usize,
        /// The value, or the element's name.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
}

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// Text directly inside, not in children.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
    /// Line at which it starts, from 1.
    pub(super) line: usize,
}

impl Element {
    /// Children of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of this name.
    pub(super) fn first(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text with single spaces.
    pub(super) fn clean(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The text of the first child of this name, with single spaces; empty where there is none.
    pub(super) fn child_text(&self, name: &str) -> String {
        self.first(name).map(Self::clean).unwrap_or_default()
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// An error at this element.
    pub(super) fn wrong(&self, value: impl Into<String>, rule: impl Into<String>) -> XmlError {
        XmlError::Element { line: self.line, value: value.into(), rule: rule.into() }
    }
}

/// The published files are less than 20 deep; a tree is walked by recursion.
const DEEPEST: usize = 64;

/// Reads a whole file into a tree.
///
/// # Errors
/// [`XmlError::Malformed`] with the line, [`XmlError::Foreign`] for another root element.
pub(super) fn read_tree(xml: &str, root: &'static str) -> Result<Element, XmlError> {
    let xml = xml.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(xml);
    let (mut line, mut counted) = (1, 0);
    // The lowest element stands for the file and receives the root.
    let mut open = vec![Element::default()];
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(xml.len());
        line += xml.as_bytes()[counted..at].iter().filter(|byte| **byte == b'\n').count();
        counted = at;
        let malformed = |problem: String| XmlError::Malformed { line, problem };
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(xml.len()).min(xml.len());
            let line = 1 + xml.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            XmlError::Malformed { line, problem: error.to_string() }
        })?;
        let depth = open.len();
        let top = open.last_mut().expect("the file itself is never closed");
        match event {
            Event::Start(_) if depth > DEEPEST => {
                return Err(malformed(format!("elements lie more than {DEEPEST} deep")));
            }
            Event::Start(start) => open.push(element(&start, line).map_err(malformed)?),
            Event::Empty(start) => top.children.push(element(&start, line).map_err(malformed)?),
            Event::Text(text) => top.text.push_str(&text.xml10_content()),
            Event::CData(text) => top.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|error| malformed(error.to_string()))?;
                match (character, quick_xml::escape::resolve_xml_entity(&reference)) {
                    (Some(character), _) => top.text.push(character),
                    (None, Some(text)) => top.text.push_str(text),
                    (None, None) => return Err(malformed("an entity that XML does not define".into())),
                }
            }
            Event::End(_) => {
                let closed = open.pop().expect("the reader checks that tags match");
                open.last_mut().expect("the reader checks that tags match").children.push(closed);
            }
            Event::Eof if open.len() > 1 => {
                let problem = format!("the file ends inside `{}`", open[open.len() - 1].name);
                return Err(malformed(problem));
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let file = open.pop().expect("the file itself is never closed");
    match file.children.into_iter().next() {
        Some(found) if found.name == root => Ok(found),
        other => {
            Err(XmlError::Foreign { found: other.map(|found| found.name).unwrap_or_default(), wanted: root })
        }
    }
}

fn element(start: &BytesStart<'_>, line: usize) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        attributes.push((attribute.key.0.to_owned(), value.into_owned()));
    }
    Ok(Element { name: start.name().0.to_owned(), attributes, line, ..Element::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bottomless_file_is_refused() {
        let xml = format!("<r>{}", "<a>".repeat(100_000));
        assert!(read_tree(&xml, "r").unwrap_err().to_string().contains("more than 64 deep"));
    }

    #[test]
    fn text_entities_and_lines_are_read() {
        let xml =
            "<?xml version=\"1.0\"?>\n<r>\n <a k=\"1 &lt; 2\">x &amp; y<b/>\n &#233;<!-- no --></a>\n</r>\n";
        let root = read_tree(xml, "r").unwrap();
        let a = root.first("a").unwrap();
        assert_eq!((a.clean().as_str(), a.attribute("k"), a.line), ("x & y é", Some("1 < 2"), 3));
        assert_eq!((a.all("b").count(), root.child_text("none")), (1, String::new()));
    }

    #[test]
    fn broken_and_foreign_files_are_refused() {
        let problem = |xml: &str| read_tree(xml, "r").unwrap_err().to_string();
        assert_eq!(problem("<r>\n<a>\n"), "line 3: not well-formed XML: the file ends inside `a`");
        assert!(problem("<r>\n<a></b></r>").starts_with("line 2: not well-formed XML: "));
        assert_eq!(problem("<html/>"), "the root element is `html`, not `r`: another file");
        assert_eq!(problem(""), "the root element is ``, not `r`: another file");
        assert!(problem("<r>&nbsp;</r>").contains("an entity that XML does not define"));
    }
}
