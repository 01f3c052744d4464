//! The alphabetic index as CDC publishes it (`icd10cm_index_YYYY.xml`; the external-cause index has the same
//! layout): terms, nested, with the code or the reference that each leads to.

use std::collections::HashMap;

use super::xml::{Element, XmlError, read_tree};

/// One term of the index that leads somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// The main term and the terms below it down to this one, without nonessential modifiers.
    pub path: Vec<String>,
    /// Nonessential modifiers of this term, as printed: `(acute) (chronic)`; empty where there are none.
    pub modifiers: String,
    /// The code, with its dot; one that ends in `-` needs further characters (a subcategory is given so).
    pub code: Option<String>,
    /// The manifestation code that goes with it, printed in brackets.
    pub manifestation: Option<String>,
    /// Terms to go to instead.
    pub see: Vec<String>,
    /// Terms to look at as well.
    pub see_also: Vec<String>,
}

impl IndexEntry {
    /// The path in one line: `Abscess, liver, amebic`.
    pub fn term(&self) -> String {
        self.path.join(", ")
    }

    /// Whether the code is printed in full; false without one.
    pub fn is_complete(&self) -> bool {
        self.code.as_ref().is_some_and(|code| !code.ends_with('-'))
    }
}

/// The alphabetic index of a release.
#[derive(Debug, Clone, Default)]
pub struct AlphabeticIndex {
    entries: Vec<IndexEntry>,
    by_code: HashMap<String, Vec<usize>>,
}

impl AlphabeticIndex {
    /// Reads the index from its XML.
    ///
    /// # Errors
    /// [`XmlError`] with line, value and rule.
    pub fn from_xml(xml: &str) -> Result<Self, XmlError> {
        let root = read_tree(xml, "ICD10CM.index")?;
        let mut index = Self::default();
        for letter in root.all("letter") {
            for term in letter.all("mainTerm") {
                index.walk(term, &mut Vec::new())?;
            }
        }
        if index.entries.is_empty() {
            return Err(root.wrong("letter", "the index holds letters with main terms"));
        }
        for (at, entry) in index.entries.iter().enumerate() {
            for code in entry.code.iter().chain(&entry.manifestation) {
                index.by_code.entry(spelled(code)).or_default().push(at);
            }
        }
        Ok(index)
    }

    /// All entries in the order of the index.
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// The entries that print this code, as code or manifestation, in the order of the index. Dot, case and
    /// a dash at the end do not matter: `k75.-` finds what is printed as `K75.-` and `K75`.
    pub fn of_code(&self, code: &str) -> impl Iterator<Item = &IndexEntry> {
        self.by_code.get(&spelled(code)).into_iter().flatten().map(|at| &self.entries[*at])
    }

    fn walk(&mut self, element: &Element, path: &mut Vec<String>) -> Result<(), XmlError> {
        let title =
            element.first("title").ok_or_else(|| element.wrong(&element.name, "a term has a title"))?;
        // The releases have titles that are a modifier alone, such as `(taser)`, and one that is blank: what
        // leads on from there belongs to the term above.
        let name = Some(title.clean()).filter(|name| !name.is_empty());
        let marked = || title.children.iter().map(Element::clean).collect::<Vec<_>>().join(" ");
        let name = name.unwrap_or_else(marked);
        let is_named = !name.is_empty();
        if is_named {
            path.push(name);
        }
        let one = |name: &str| Some(element.child_text(name)).filter(|text| !text.is_empty());
        let list = |name: &str| -> Vec<String> {
            element.all(name).map(Element::clean).filter(|text| !text.is_empty()).collect()
        };
        let modifiers: Vec<String> = title.all("nemod").map(Element::clean).collect();
        let entry = IndexEntry {
            path: path.clone(),
            modifiers: modifiers.join(" "),
            code: one("code").or_else(|| one("subcat").map(|code| format!("{code}-"))),
            manifestation: one("manif"),
            see: list("see"),
            see_also: list("seeAlso"),
        };
        let leads = entry.code.is_some()
            || entry.manifestation.is_some()
            || !entry.see.is_empty()
            || !entry.see_also.is_empty();
        if leads {
            self.entries.push(entry);
        }
        for term in element.all("term") {
            self.walk(term, path)?;
        }
        if is_named {
            path.pop();
        }
        Ok(())
    }
}

/// A code as it is looked up: upper case, no dot, no dash, no brackets.
fn spelled(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the layout of the published file; the words are ours.
    const INDEX: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <title>INDEX</title>
  <letter>
    <title>A</title>
    <mainTerm><title>Abandonment</title><see>Maltreatment</see></mainTerm>
    <mainTerm>
      <title>Abscess <nemod>(acute) (hot)</nemod></title>
      <code>L02.91</code>
      <seeAlso>Cellulitis</seeAlso>
      <term level="1">
        <title>liver</title>
        <term level="2"><title>amebic &amp; other</title><code>A06.4</code></term>
        <term level="2"><title>in</title>
          <term level="3"><title>foreign disease</title><code>B67.-</code><manif>K77</manif></term>
        </term>
      </term>
    </mainTerm>
  </letter>
</ICD10CM.index>
"#;

    #[test]
    fn terms_carry_their_path_and_lead_to_codes_or_terms() {
        let index = AlphabeticIndex::from_xml(INDEX).unwrap();
        let terms: Vec<_> = index.entries().iter().map(IndexEntry::term).collect();
        assert_eq!(
            terms,
            [
                "Abandonment",
                "Abscess",
                "Abscess, liver, amebic & other",
                "Abscess, liver, in, foreign disease"
            ]
        );
        assert_eq!(
            (index.entries()[0].see.as_slice(), index.entries()[0].is_complete()),
            (["Maltreatment".to_owned()].as_slice(), false)
        );
        let abscess = index.of_code("l0291").next().unwrap();
        assert_eq!(
            (abscess.modifiers.as_str(), abscess.see_also[0].as_str()),
            ("(acute) (hot)", "Cellulitis")
        );
        assert!(abscess.is_complete());
        let partial = index.of_code("B67").next().unwrap();
        assert_eq!((partial.code.as_deref(), partial.is_complete()), (Some("B67.-"), false));
        assert_eq!(index.of_code("K77").next(), Some(partial));
        assert_eq!(index.of_code("Z99").count(), 0);
    }

    /// Forms that the published files have here and there.
    #[test]
    fn odd_titles_and_subcategories_are_read() {
        let odd = r#"<ICD10CM.index><letter><title>S</title>
            <mainTerm><title>Shock<nemod>(sudden)</nemod> NEC</title>
                <term level="1"><title><nemod>(mild)</nemod></title><code>T75.4</code></term>
                <term level="1"><title/><code>T75.8</code></term>
                <term level="1"><title><nemod>(ball)</nemod>lightning</title><subcat>T75.0</subcat></term>
            </mainTerm></letter></ICD10CM.index>"#;
        let index = AlphabeticIndex::from_xml(odd).unwrap();
        let found: Vec<_> =
            index.entries().iter().map(|entry| (entry.term(), entry.code.as_deref().unwrap())).collect();
        let found: Vec<_> = found.iter().map(|(term, code)| (term.as_str(), *code)).collect();
        let wanted =
            [("Shock NEC, (mild)", "T75.4"), ("Shock NEC", "T75.8"), ("Shock NEC, lightning", "T75.0-")];
        assert_eq!(found, wanted);
        assert!(!index.entries()[2].is_complete() && index.of_code("T75.0").count() == 1);
    }

    #[test]
    fn a_broken_index_is_named() {
        let message = |xml: String| AlphabeticIndex::from_xml(&xml).unwrap_err().to_string();
        let untitled = INDEX.replace("<title>liver</title>", "");
        assert_eq!(message(untitled), "line 12: `term`: a term has a title");
        assert!(
            message(INDEX.replace("mainTerm", "other")).ends_with("the index holds letters with main terms")
        );
        assert!(message(INDEX.replace("</letter>", "")).starts_with("line 21: not well-formed XML"));
    }
}
