//! What is known of codes: their canonical spelling, whether the system lists them, their descriptions.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bert_xml_core::codes::label_set::HEADER;
use bert_xml_core::codes::{
    Chronic, Code, CodeSystem, IcdTable, Indicator, LabelSet, OrderFile, OrderSystem, TabularSources,
    table_from_tabular,
};

/// Codes of one system. ICD-10-CM has a table; other systems have a list of descriptions, or nothing, and
/// then no code is unknown.
#[derive(Debug)]
pub struct CodeTable {
    system: CodeSystem,
    icd: Option<IcdTable>,
    /// Descriptions that the user gave, by canonical code.
    given: HashMap<String, String>,
}

/// Files of another release than the built-in one.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// A table in this project's format, or the tabular list as CDC publishes it, in XML.
    pub table: &'a Path,
    /// With the tabular list: the order file of the same release, which says what seventh characters each code has.
    pub order: Option<&'a Path>,
    /// With the tabular list: AHRQ's chronic indicators, CCIR or CCI.
    pub chronic: Option<&'a Path>,
}

impl Release<'_> {
    fn read(self) -> Result<IcdTable> {
        let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
        let bytes = read(self.table)?;
        let told = || self.table.display().to_string();
        let begin = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
        if !begin.starts_with(b"<") {
            if let Some(path) = self.order.or(self.chronic) {
                bail!(
                    "{}: goes with a tabular list in XML; {} is a table with all of it",
                    path.display(),
                    told()
                );
            }
            return IcdTable::from_bytes(&bytes).with_context(told);
        }
        let xml = text(self.table, bytes)?;
        let order = |path: &Path| -> Result<_> {
            let order = OrderFile::from_bytes(&read(path)?, OrderSystem::Icd10cm);
            Ok(order.with_context(|| path.display().to_string())?.icd10cm_codes())
        };
        let codes = self.order.map(order).transpose()?;
        let chronic = self.chronic.map(read_chronic).transpose()?;
        let sources = TabularSources { release: None, codes: codes.as_ref(), chronic: chronic.as_ref() };
        let table = table_from_tabular(&xml, sources).with_context(told)?;
        IcdTable::from_bytes(table.as_bytes()).with_context(told)
    }
}

/// AHRQ's chronic indicators, CCIR or CCI, as published.
///
/// # Errors
/// The file cannot be read or is another one.
pub(super) fn read_chronic(path: &Path) -> Result<Chronic> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Chronic::from_csv(&text(path, bytes)?).with_context(|| path.display().to_string())
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// How a code stands to its system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Listed, or of a system without a list.
    Known,
    /// Well-formed, but not in the list.
    Unlisted,
    /// Cannot be a code of the system; the rule it breaks.
    Malformed(String),
}

impl CodeTable {
    /// The codes of `system`, with the built-in table or another release if it is ICD-10-CM, and the
    /// descriptions of a tab-separated file if there is one.
    ///
    /// # Errors
    /// A file that cannot be read or breaks a rule, with its line; a table for a system that has none.
    pub fn open(
        system: CodeSystem,
        release: Option<Release<'_>>,
        descriptions: Option<&Path>,
    ) -> Result<Self> {
        let icd = match (&system, release) {
            (CodeSystem::Icd10cm, None) => Some(super::builtin::icd10cm()?),
            (CodeSystem::Icd10cm, Some(release)) => Some(release.read()?),
            (_, None) => None,
            (_, Some(_)) => bail!("--table is for --system icd10cm; {system} takes --descriptions"),
        };
        let mut open = Self { system, icd, given: HashMap::new() };
        if let Some(path) = descriptions {
            let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            open.read_descriptions(&bytes).with_context(|| path.display().to_string())?;
        }
        Ok(open)
    }

    /// Reads `code<TAB>description` lines (a first line `code<TAB>description` is a header) or a label set.
    fn read_descriptions(&mut self, bytes: &[u8]) -> Result<()> {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
        if first.trim_ascii_end() == HEADER.as_bytes() {
            for label in &LabelSet::from_tsv(bytes)? {
                if label.system != self.system {
                    bail!("`{}` is a code of {}, not of {}", label.code, label.system, self.system);
                }
                self.given.insert(label.code.clone(), label.description.clone());
            }
            return Ok(());
        }
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = at + 1;
            let line = std::str::from_utf8(line).with_context(|| format!("line {number}: not UTF-8"))?;
            let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
            if line.trim().is_empty() || (at == 0 && line == "code\tdescription") {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let &[code, description] = fields.as_slice() else {
                bail!("line {number}: {} fields; a line is a code, a tab and its description", fields.len());
            };
            let (code, standing) = self.canonical(code);
            if let Standing::Malformed(rule) = standing {
                bail!("line {number}: {rule}");
            }
            if self.given.insert(code.clone(), description.to_owned()).is_some_and(|old| old != description) {
                bail!("line {number}: `{code}`: an earlier line describes it otherwise");
            }
        }
        Ok(())
    }

    /// The system.
    pub fn system(&self) -> &CodeSystem {
        &self.system
    }

    /// What lists the codes, for messages.
    pub fn name(&self) -> String {
        match &self.icd {
            Some(table) => format!("ICD-10-CM table of {}", table.release()),
            None => format!("list of {} descriptions", self.system),
        }
    }

    /// The code in the spelling of labels, and how it stands: ICD-10-CM dotted in upper case, others as
    /// they are. A malformed code keeps its spelling.
    pub fn canonical(&self, code: &str) -> (String, Standing) {
        let listed = |known: bool| if known { Standing::Known } else { Standing::Unlisted };
        let Some(table) = &self.icd else {
            return (code.to_owned(), listed(self.given.is_empty() || self.given.contains_key(code)));
        };
        match Code::parse(code) {
            Ok(parsed) => {
                let dotted = parsed.dotted();
                let known = table.get(parsed).is_some() || self.given.contains_key(&dotted);
                (dotted, listed(known))
            }
            Err(error) => (code.to_owned(), Standing::Malformed(error.to_string())),
        }
    }

    /// The billable code for an ICD-10-CM code ([`super::billable::billable`]); none for other systems.
    pub fn billable(&self, code: &str) -> Option<String> {
        super::billable::billable(self.icd.as_ref()?, code).map(|code| code.dotted())
    }

    /// Whether this is ICD-10-CM.
    pub fn has_icd10cm(&self) -> bool {
        self.icd.is_some()
    }

    /// Whether the table says of any code whether it is chronic.
    pub fn has_chronic(&self) -> bool {
        self.icd.as_ref().is_some_and(|table| table.codes().any(|entry| entry.chronic().is_some()))
    }

    /// AHRQ's chronic indicator of a canonical code; none where the table has none.
    pub fn chronic(&self, code: &str) -> Option<Indicator> {
        self.icd.as_ref()?.lookup(code).ok().flatten()?.chronic()
    }

    /// The description of a canonical code; empty if none is known.
    pub fn description(&self, code: &str) -> String {
        if let Some(description) = self.given.get(code) {
            return description.clone();
        }
        let entry = self.icd.as_ref().and_then(|table| table.lookup(code).ok().flatten());
        entry.map(|entry| entry.description().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(system: &str, descriptions: &str) -> Result<CodeTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.tsv");
        fs::write(&path, descriptions).unwrap();
        CodeTable::open(system.to_owned().into(), None, Some(&path))
    }

    fn of(table: &Path) -> Release<'_> {
        Release { table, order: None, chronic: None }
    }

    /// In the layout that CDC, CMS and AHRQ publish, with words of our own.
    #[test]
    fn another_release_is_read_as_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let diag = |name: &str, below: &str| {
            format!("<diag><name>{name}</name><desc>About {name}</desc>{below}</diag>")
        };
        let seventh = "<sevenChrDef><extension char=\"A\">first</extension><extension char=\"S\">late</extension></sevenChrDef>";
        let diags =
            diag("Q99", &diag("Q99.1", "")) + &diag("S01", &format!("{seventh}{}", diag("S01.1", "")));
        let xml = format!(
            "<?xml version=\"1.0\"?><ICD10CM.tabular><version>2031</version><chapter><name>1</name><desc>One</desc>\
             <section id=\"Q99-S01\"><desc>Two</desc>{diags}</section></chapter></ICD10CM.tabular>"
        );
        let table = write("icd10cm_tabular_2031.xml", &xml);
        let open = |release| CodeTable::open(CodeSystem::Icd10cm, Some(release), None);
        let plain = open(of(&table)).unwrap();
        assert_eq!(plain.name(), "ICD-10-CM table of 2031");
        let standing = |table: &CodeTable, code: &str| table.canonical(code).1;
        assert_eq!(
            (plain.description("Q99.1"), standing(&plain, "I10")),
            ("About Q99.1".into(), Standing::Unlisted)
        );
        assert_eq!(
            standing(&plain, "S011XXS"),
            Standing::Known,
            "every seventh character where nothing says which"
        );

        let line = |number: u32, code: &str, billable: u8| {
            format!("{number:05} {code:<7} {billable} {:<60} About it\n", "About it")
        };
        let lines = line(1, "Q99", 0)
            + &line(2, "Q991", 1)
            + &line(3, "S01", 0)
            + &line(4, "S011", 0)
            + &line(5, "S011XXA", 1);
        let order = write("order.txt", &lines);
        let chronic = write(
            "ccir.csv",
            "'ICD-10-CM CODE','ICD-10-CM CODE DESCRIPTION','CHRONIC INDICATOR'\n'Q991','About','1'\n",
        );
        let full = open(Release { table: &table, order: Some(&order), chronic: Some(&chronic) }).unwrap();
        assert_eq!(
            (standing(&full, "S011XXA"), standing(&full, "S011XXS")),
            (Standing::Known, Standing::Unlisted)
        );
        assert_eq!(full.chronic("Q99.1"), Some(Indicator::Chronic));
        assert!(full.has_chronic() && !plain.has_chronic(), "only one came with indicators");

        let own = write("own.tsv", "no table");
        let error = open(Release { order: Some(&order), ..of(&own) }).unwrap_err().to_string();
        assert!(error.contains("goes with a tabular list in XML"), "{error}");
        fs::write(&table, "<other/>").unwrap();
        assert!(open(of(&table)).is_err());
    }

    fn message(system: &str, descriptions: &str) -> String {
        format!("{:#}", with(system, descriptions).unwrap_err()).split_once("d.tsv: ").unwrap().1.to_owned()
    }

    #[test]
    fn icd_codes_are_dotted_and_looked_up() {
        let table = CodeTable::open(CodeSystem::Icd10cm, None, None).unwrap();
        assert_eq!(table.canonical("e119"), ("E11.9".into(), Standing::Known));
        assert_eq!(table.canonical("T81.4XX"), ("T81.4XX".into(), Standing::Unlisted));
        assert!(matches!(table.canonical("250.00"), (code, Standing::Malformed(_)) if code == "250.00"));
        assert_eq!(table.description("I10"), "Essential (primary) hypertension");
        assert_eq!(table.description("T81.4XX"), "");
        assert_eq!(table.name(), "ICD-10-CM table of 2026-04");
    }

    #[test]
    fn other_systems_take_descriptions_or_know_every_code() {
        let open = CodeTable::open(CodeSystem::Meddra, None, None).unwrap();
        assert_eq!(open.canonical("Pain, left arm"), ("Pain, left arm".into(), Standing::Known));
        let listed = with("local", "code\tdescription\r\nA\tAnkle\r\n\nB\t\n").unwrap();
        assert_eq!((listed.canonical("A").1, listed.canonical("C").1), (Standing::Known, Standing::Unlisted));
        assert_eq!(listed.description("A"), "Ankle");
        let labels = with("local", "system\tcode\tdescription\nlocal\tA\tArm\n").unwrap();
        assert_eq!(labels.description("A"), "Arm");
        let icd = with("icd10cm", "t81.4xx\tInfection following a procedure\n").unwrap();
        assert_eq!(icd.canonical("T814XX"), ("T81.4XX".into(), Standing::Known));
    }

    #[test]
    fn wrong_files_say_where() {
        assert_eq!(
            message("local", "A\tb\nC\n"),
            "line 2: 1 fields; a line is a code, a tab and its description"
        );
        assert_eq!(message("local", "A\tb\nA\tc\n"), "line 2: `A`: an earlier line describes it otherwise");
        assert_eq!(
            message("icd10cm", "A1\tb\n"),
            "line 1: `A1` has 2 characters without the dot; an ICD-10-CM code has 3 to 7"
        );
        assert_eq!(
            message("icd9cm", "system\tcode\tdescription\nmeddra\tA\tb\n"),
            "`A` is a code of meddra, not of icd9cm"
        );
        let error = CodeTable::open(CodeSystem::Icd9cm, Some(of(Path::new("x"))), None).unwrap_err();
        assert!(error.to_string().starts_with("--table is for --system icd10cm"));
    }
}
