//! Which codes become labels.

use anyhow::Result;
use bert_xml_core::codes::{Label, LabelSet};

use super::code_table::{CodeTable, Standing};
use super::settings::Settings;
use super::statistics::Tally;
use super::writer::LabelCount;
use crate::error::hinted;

/// The codes that more than `more_than` training notes carry, by falling count, then by code. A malformed
/// code stays in its notes, but is no label.
pub(super) fn choose_labels(
    tally: &Tally,
    table: &CodeTable,
    settings: &Settings,
) -> Result<(LabelSet, Vec<LabelCount>)> {
    let mut candidates = tally.ranked();
    candidates
        .retain(|(code, counts)| counts[0] > 0 && !matches!(table.canonical(code).1, Standing::Malformed(_)));
    if tally.is_empty() {
        let reasons: Vec<String> =
            tally.dropped.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        return Err(hinted(
            format!("no label: no note is left of the records ({})", reasons.join("; ")),
            "see --min-chars, --drop-types, --skip-split and --text-field",
        ));
    }
    let Some(most) = candidates.first().map(|(_, counts)| counts[0]) else {
        return Err(hinted(
            "no label: no training note carries a code",
            "name the field with the codes with --codes-field, and what they are with --system",
        ));
    };
    candidates.retain(|(_, counts)| counts[0] > settings.more_than);
    candidates.truncate(settings.max_labels.unwrap_or(usize::MAX));
    if candidates.is_empty() {
        return Err(hinted(
            format!("no label: no code has more than {} training notes (--more-than)", settings.more_than),
            format!("the largest usable one is --more-than {}", most - 1),
        ));
    }
    let label = |code: &str| Label {
        system: table.system().clone(),
        code: code.to_owned(),
        description: table.description(code).replace(['\t', '\n', '\r'], " "),
    };
    let labels = LabelSet::new(candidates.iter().map(|(code, _)| label(code)).collect())?;
    Ok((labels, candidates.into_iter().map(|(_, counts)| counts).collect()))
}

#[cfg(test)]
mod tests {
    use bert_xml_core::codes::CodeSystem;
    use bert_xml_core::data::Split;

    use super::*;

    #[test]
    fn the_label_set_follows_counts_and_names_the_largest_usable_threshold() {
        let table = CodeTable::open(CodeSystem::Icd10cm, None, None).unwrap();
        let mut tally = Tally::default();
        tally.add(Split::Train, &bert_xml_core::text::Note::default());
        for (code, counts) in
            [("I10", [3, 0, 1]), ("E11.9", [3, 1, 0]), ("250.00", [9, 0, 0]), ("Z66", [1, 5, 5])]
        {
            tally.by_code.insert(code.into(), counts);
        }
        let choose = |more_than, max_labels| {
            choose_labels(&tally, &table, &Settings { more_than, max_labels, ..Settings::default() })
        };
        let codes =
            |labels: &LabelSet| labels.iter().map(|label| label.code.clone()).collect::<Vec<_>>().join(" ");
        let (labels, counts) = choose(0, None).unwrap();
        assert_eq!(
            (codes(&labels).as_str(), &counts[..]),
            ("E11.9 I10 Z66", &[[3, 1, 0], [3, 0, 1], [1, 5, 5]][..])
        );
        assert_eq!(labels.get(1).unwrap().description, "Essential (primary) hypertension");
        assert_eq!(codes(&choose(1, None).unwrap().0), "E11.9 I10");
        assert_eq!(codes(&choose(2, Some(1)).unwrap().0), "E11.9");
        let error = choose(3, None).unwrap_err();
        assert_eq!(error.to_string(), "no label: no code has more than 3 training notes (--more-than)");
        let hint = &error.downcast_ref::<crate::error::Hint>().unwrap().hint;
        assert_eq!(hint, "the largest usable one is --more-than 2");
        tally.by_code.clear();
        let error = choose_labels(&tally, &table, &Settings::default()).unwrap_err();
        assert_eq!(error.to_string(), "no label: no training note carries a code");
        let mut tally = Tally::default();
        tally.drop_record("empty text");
        let error = choose_labels(&tally, &table, &Settings::default()).unwrap_err();
        assert_eq!(error.to_string(), "no label: no note is left of the records (empty text: 1)");
    }
}
