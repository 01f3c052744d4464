//! The tabular list as CDC publishes it (`icd10cm_tabular_YYYY.xml`), turned into this crate's table.
//!
//! `xtask/icd_table.py` made the committed table by the same rules; this reader is for other releases. The
//! list defines seventh characters (`sevenChrDef`) for all codes below, but not which of them exist at
//! each code: the order file of the same release says that.

use std::collections::{HashMap, HashSet};

use super::chronic::{Chronic, Indicator};
use super::icd::Code;
use super::xml::{Element, XmlError, read_tree};

/// What the table takes from beside the tabular list.
#[derive(Debug, Clone, Copy, Default)]
pub struct TabularSources<'a> {
    /// The release, such as `2026-04`; none for what the list says of itself, such as `2026`.
    pub release: Option<&'a str>,
    /// All codes of the release ([`super::order_file::OrderFile::icd10cm_codes`]). None: every seventh
    /// character exists at every code without codes below that has a rule.
    pub codes: Option<&'a HashSet<Code>>,
    /// AHRQ's chronic indicators; none leaves them out.
    pub chronic: Option<&'a Chronic>,
}

/// Turns the tabular list into the text of a table, which [`super::IcdTable::from_bytes`] reads.
///
/// # Errors
/// [`XmlError`] with line, value and rule.
pub fn table_from_tabular(xml: &str, sources: TabularSources<'_>) -> Result<String, XmlError> {
    let root = read_tree(xml, "ICD10CM.tabular")?;
    let mut builder = Builder { sources, rules: Vec::new(), numbers: HashMap::new(), rows: String::new() };
    for chapter in root.all("chapter") {
        builder.walk(chapter, 0, None, "")?;
    }
    if builder.rows.is_empty() {
        return Err(root.wrong("chapter", "the tabular list holds chapters"));
    }
    let version = root.child_text("version");
    let mut text = format!("#bert-xml-icd10cm\t1\n#release\t{}\n", sources.release.unwrap_or(&version));
    for (number, rule) in builder.rules.iter().enumerate() {
        text.push_str(&format!("#seventh\t{number}"));
        for seventh in rule {
            text.push_str(&format!("\t{}={}", seventh.character, seventh.meaning));
            for term in &seventh.terms {
                text.push_str(&format!("\t{}+{term}", seventh.character));
            }
        }
        text.push('\n');
    }
    text.push_str(&builder.rows);
    Ok(text)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seventh {
    character: char,
    meaning: String,
    terms: Vec<String>,
}

struct Builder<'a> {
    sources: TabularSources<'a>,
    rules: Vec<Vec<Seventh>>,
    numbers: HashMap<Vec<Seventh>, usize>,
    rows: String,
}

impl Builder<'_> {
    fn walk(
        &mut self,
        element: &Element,
        depth: usize,
        rule: Option<usize>,
        above: &str,
    ) -> Result<(), XmlError> {
        let kind = match element.name.as_str() {
            "chapter" => "c",
            "section" => "b",
            _ => "d",
        };
        let name = match kind {
            "b" => element.attribute("id").unwrap_or_default().trim().to_owned(),
            _ => element.child_text("name"),
        };
        let description = element.child_text("desc");
        if name.is_empty() || description.is_empty() {
            return Err(
                element.wrong(&element.name, "a chapter, section or diag has a name (or id) and a desc")
            );
        }
        let code = match kind {
            "d" => {
                let code = Code::parse(&name).map_err(|error| element.wrong(&name, error.to_string()))?;
                if code.len() > 3 && !name.starts_with(above) {
                    return Err(element.wrong(&name, format!("does not extend the code above it, `{above}`")));
                }
                Some(code)
            }
            _ => None,
        };
        let mut rule = rule;
        let mut seventh = String::new();
        if let Some(definition) = element.first("sevenChrDef") {
            let number = self.rule(definition)?;
            (rule, seventh) = (Some(number), number.to_string());
        }
        let below: Vec<&Element> = element
            .children
            .iter()
            .filter(|child| matches!(child.name.as_str(), "section" | "diag"))
            .collect();
        let mut chronic = code.map_or('-', |code| self.chronic(code)).to_string();
        if let (Some(code), Some(rule), true) = (code, rule, below.is_empty())
            && code.len() < 7
        {
            let known = |character: char| {
                let made = code.with_seventh(character as u8);
                self.sources.codes.is_none_or(|codes| codes.contains(&made)).then_some((character, made))
            };
            let made: Vec<(char, Code)> =
                self.rules[rule].iter().filter_map(|seventh| known(seventh.character)).collect();
            if !made.is_empty() {
                seventh.push(':');
                if made.len() == self.rules[rule].len() {
                    seventh.push('*');
                } else {
                    seventh.extend(made.iter().map(|(character, _)| character));
                }
                let values: Vec<char> = made.iter().map(|(_, code)| self.chronic(*code)).collect();
                let same = values.iter().all(|value| *value == values[0]);
                chronic = if same { values[0].to_string() } else { values.into_iter().collect() };
            }
        }
        let mut row = vec![
            kind.to_owned(),
            depth.to_string(),
            name.clone(),
            self.field(element, description)?,
            seventh,
            if chronic == "-" { String::new() } else { chronic },
        ];
        for list in ["inclusionTerm", "includes", "excludes1", "excludes2"] {
            let mut terms = Vec::new();
            for note in element.all(list).flat_map(|group| &group.children) {
                let term = self.field(note, note.clean())?;
                if !term.is_empty() {
                    terms.push(term);
                }
            }
            row.push(terms.join("|"));
        }
        self.rows.push_str(row.join("\t").trim_end_matches('\t'));
        self.rows.push('\n');
        for child in below {
            self.walk(child, depth + 1, rule, &name)?;
        }
        Ok(())
    }

    /// A text that may stand in a list.
    fn field(&self, element: &Element, text: String) -> Result<String, XmlError> {
        if text.contains('|') {
            return Err(element.wrong("|", "the table's list separator must not occur in a text"));
        }
        Ok(text)
    }

    fn rule(&mut self, definition: &Element) -> Result<usize, XmlError> {
        let mut rule: Vec<Seventh> = Vec::new();
        for item in &definition.children {
            let text = self.field(item, item.clean())?;
            match (item.name.as_str(), rule.last_mut()) {
                ("extension", _) => {
                    let given = item.attribute("char").unwrap_or_default();
                    let mut chars = given.chars();
                    match (
                        chars.next().filter(|c| c.is_ascii_digit() || c.is_ascii_uppercase()),
                        chars.next(),
                    ) {
                        (Some(character), None) if rule.iter().all(|known| known.character != character) => {
                            rule.push(Seventh { character, meaning: text, terms: Vec::new() });
                        }
                        _ => {
                            return Err(
                                item.wrong(given, "char is one upper-case letter or digit, each once")
                            );
                        }
                    }
                }
                ("note", Some(last)) if !text.is_empty() => last.terms.push(text),
                _ => {}
            }
        }
        if rule.is_empty() {
            return Err(definition.wrong("sevenChrDef", "defines at least one seventh character"));
        }
        let next = self.rules.len();
        let number = *self.numbers.entry(rule.clone()).or_insert(next);
        if number == next {
            self.rules.push(rule);
        }
        Ok(number)
    }

    fn chronic(&self, code: Code) -> char {
        match self.sources.chronic.and_then(|chronic| chronic.get(code)) {
            Some(Indicator::NotChronic) => '0',
            Some(Indicator::Chronic) => '1',
            Some(Indicator::Undetermined) => '9',
            None => '-',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::IcdTable;
    use super::*;

    /// In the layout of the published file; the words are ours.
    const LIST: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular>
  <version>2031</version>
  <introduction><introSection type="title"><title>LIST</title></introSection></introduction>
  <chapter>
    <name>20</name>
    <desc>Outer causes (V00-Y99)</desc>
    <notes><note>Read this first.</note></notes>
    <excludes2><note>inner causes</note></excludes2>
    <sectionIndex><sectionRef first="W00" last="W19" id="W00-W19">Falls</sectionRef></sectionIndex>
    <section id="W00-W19">
      <desc>Falls (W00-W19)</desc>
      <diag>
        <name>W07</name>
        <desc>Fall from
          chair</desc>
        <inclusionTerm><note>Tumble &amp; slip</note></inclusionTerm>
        <inclusionTerm><note>Second term</note></inclusionTerm>
        <sevenChrNote><note>The appropriate 7th character is to be added</note></sevenChrNote>
        <sevenChrDef>
          <extension char="A">first</extension>
          <note>start</note>
          <extension char="D">later</extension>
          <extension char="S">after</extension>
        </sevenChrDef>
      </diag>
      <diag>
        <name>W08</name>
        <desc>Other fall</desc>
        <excludes1><note>fall from chair (W07)</note><note>jump (W09)</note></excludes1>
        <diag><name>W08.1</name><desc>Other fall at home</desc><includes><note>garden</note></includes></diag>
      </diag>
    </section>
  </chapter>
</ICD10CM.tabular>
"#;

    #[test]
    fn the_list_becomes_a_table_with_the_codes_that_exist() {
        let codes: HashSet<Code> =
            ["W07.XXXA", "W07.XXXD", "W08.1"].iter().map(|code| Code::parse(code).unwrap()).collect();
        let chronic = Chronic::from_csv(
            "ICD-10-CM CODE,DESCRIPTION,CHRONIC INDICATOR\nW07XXXA,x,0\nW07XXXD,x,1\nW081,x,9\n",
        );
        let chronic = chronic.unwrap();
        let sources = TabularSources { release: None, codes: Some(&codes), chronic: Some(&chronic) };
        let text = table_from_tabular(LIST, sources).unwrap();
        let expected = "#bert-xml-icd10cm\t1\n#release\t2031\n#seventh\t0\tA=first\tA+start\tD=later\tS=after\n\
             c\t0\t20\tOuter causes (V00-Y99)\t\t\t\t\t\tinner causes\n\
             b\t1\tW00-W19\tFalls (W00-W19)\n\
             d\t2\tW07\tFall from chair\t0:AD\t01\tTumble & slip|Second term\n\
             d\t2\tW08\tOther fall\t\t\t\t\tfall from chair (W07)|jump (W09)\n\
             d\t3\tW08.1\tOther fall at home\t\t9\t\tgarden\n";
        assert_eq!(text, expected);
        let table = IcdTable::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(table.lookup("W07XXXD").unwrap().unwrap().description(), "Fall from chair, later");
        assert!(table.lookup("W07XXXS").unwrap().is_none());
    }

    #[test]
    fn without_an_order_file_every_defined_character_exists() {
        let sources = TabularSources { release: Some("2031-04"), ..TabularSources::default() };
        let text = table_from_tabular(LIST, sources).unwrap();
        let table = IcdTable::from_bytes(text.as_bytes()).unwrap();
        assert_eq!((table.release(), table.lookup("W07XXXS").unwrap().is_some()), ("2031-04", true));
        assert!(table.codes().all(|entry| entry.chronic().is_none()));
    }

    #[test]
    fn a_broken_list_is_named_with_line_value_and_rule() {
        let message = |from: &str, to: &str| {
            let xml = LIST.replace(from, to);
            table_from_tabular(&xml, TabularSources::default()).unwrap_err().to_string()
        };
        assert!(message("<name>W08</name>", "<name>8</name>").starts_with("line 27: `8`: "));
        assert_eq!(
            message("<name>W08.1<", "<name>W09.1<"),
            "line 31: `W09.1`: does not extend the code above it, `W08`"
        );
        assert_eq!(
            message("char=\"A\"", "char=\"AB\""),
            "line 21: `AB`: char is one upper-case letter or digit, each once"
        );
        assert!(
            message("<desc>Other fall</desc>", "").starts_with("line 27: `diag`: a chapter, section or diag")
        );
        assert!(
            message("garden", "gar|den").ends_with("the table's list separator must not occur in a text")
        );
        assert!(
            message("ICD10CM.tabular", "ICD10CM.index").starts_with("the root element is `ICD10CM.index`")
        );
    }
}
