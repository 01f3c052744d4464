//! From a code that is not billable (any more) to the billable one that says the same and no more.
//!
//! Older corpora carry codes that were divided since (`R05` is `R05.9` now), and stems without their last character
//! (`W19.XXX`). What they say is what the "unspecified" code below them says.

use bert_xml_core::codes::table::Entry;
use bert_xml_core::codes::{Code, IcdTable};

/// The billable code for a code: itself, or the unspecified one of those below it, with the seventh character of an
/// initial encounter where one is asked for. None where nothing below is unspecified, and for codes that the table does
/// not know even without the `X`s at their end.
pub fn billable(table: &IcdTable, code: &str) -> Option<Code> {
    let known = |text: &str| table.lookup(text).ok().flatten();
    let stem = code.trim_end_matches(['X', 'x']).trim_end_matches('.');
    let mut entry = known(code).or_else(|| known(stem))?;
    while !entry.is_billable() {
        entry = unspecified_child(&entry)?;
    }
    entry.code()
}

fn unspecified_child<'t>(entry: &Entry<'t>) -> Option<Entry<'t>> {
    let children: Vec<Entry<'t>> = entry.children().collect();
    let text = |entry: &Entry<'_>| entry.description().to_lowercase();
    let last = |entry: &Entry<'_>| entry.name().chars().last();
    let parent = text(entry);
    // An only child says what its parent says; of seventh characters the initial encounter's is `A`.
    match children.as_slice() {
        [only] => return Some(*only),
        all if all.iter().all(|child| child.name().chars().filter(|c| *c != '.').count() == 7) => {
            return all.iter().find(|child| last(child) == Some('A')).copied();
        }
        _ => {}
    }
    // "…, unspecified" before words that are unspecified in the parent too; of several, that with the last digit.
    let more = |child: &Entry<'_>| {
        text(child).matches("unspecified").count() > parent.matches("unspecified").count()
    };
    children.iter().filter(|child| more(child)).max_by_key(|child| last(child)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_divided_becomes_unspecified() {
        let table = crate::corpus::builtin::icd10cm().unwrap();
        let of = |code: &str| billable(&table, code).map(|code| code.dotted());
        for (old, new) in [
            ("I10", "I10"),
            ("R05", "R05.9"),
            ("R51", "R51.9"),
            ("M54.5", "M54.50"),
            ("W19.XXX", "W19.XXXA"),
            ("T14.90", "T14.90XA"),
            ("E87.2", "E87.20"),
            ("K56.60", "K56.609"),
            ("I48.2", "I48.20"),
            ("T81.4XX", "T81.40XA"),
        ] {
            assert_eq!(of(old).as_deref(), Some(new), "{old}");
        }
        assert_eq!(of("R74.0"), None, "two kinds of enzymes, none unspecified");
        assert_eq!(of("Z9Z"), None);
    }
}
