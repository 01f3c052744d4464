//! `statistics.md`: the statistics for people.

use std::fmt::Write;

use super::statistics::{Statistics, Summary};

/// The statistics as Markdown.
pub fn markdown(statistics: &Statistics) -> String {
    let mut out = String::from("# Corpus statistics\n\n");
    // Writing to a string cannot fail.
    let _ = render(&mut out, statistics);
    out
}

fn render(out: &mut String, statistics: &Statistics) -> std::fmt::Result {
    writeln!(
        out,
        "| split | notes | patients | words a note: mean, median, 90 %, 99 %, most | codes a note: mean, median, most | without codes | covered by labels |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
    for (split, of) in &statistics.splits {
        let Summary { mean, median, p90, p99, max, .. } = &of.words;
        let codes = &of.codes;
        writeln!(
            out,
            "| {split} | {} | {} | {mean:.1}, {median}, {p90}, {p99}, {max} | {:.2}, {}, {} | {} | {:.1} % |",
            of.notes,
            of.patients,
            codes.mean,
            codes.median,
            codes.max,
            of.notes_without_codes,
            100.0 * of.covered_by_labels
        )?;
    }
    writeln!(
        out,
        "\nWords are counted by white space. A note whose record names no patient counts as a patient of its"
    )?;
    writeln!(out, "own: {} of them.\n", statistics.notes_without_patient)?;
    writeln!(out, "## Codes\n\n{} labels of {} codes.\n", statistics.labels, statistics.codes)?;
    writeln!(out, "| training notes a code | codes |\n|---|---:|")?;
    for band in &statistics.bands {
        match band.to {
            Some(to) => writeln!(out, "| {}–{to} | {} |", band.from, band.codes)?,
            None => writeln!(out, "| {} and more | {} |", band.from, band.codes)?,
        }
    }
    writeln!(out, "\n| most frequent code | train | dev | test | description |\n|---|---:|---:|---:|---|")?;
    for code in &statistics.top_codes {
        let [train, dev, test] = code.notes;
        writeln!(out, "| {} | {train} | {dev} | {test} | {} |", cell(&code.code), cell(&code.description))?;
    }
    writeln!(out, "\nChronic imputation: {}.", statistics.chronic_imputation)?;
    for (split, of) in &statistics.splits {
        if let (Some(before), Some(notes)) = (&of.codes_before_imputation, of.notes_imputed) {
            writeln!(
                out,
                "{split}: {:.2} codes a note before, {:.2} after; {} codes in {notes} notes.",
                before.mean,
                of.codes.mean,
                of.codes.total - before.total
            )?;
        }
    }
    let unknown = &statistics.unknown_codes;
    writeln!(
        out,
        "\nCodes that the table does not list: {} in {} places (`--unknown-codes {}`; `unknown_codes.tsv`).\n",
        unknown.codes, unknown.occurrences, unknown.handling
    )?;
    writeln!(out, "## Notes by type\n\n| type | notes |\n|---|---:|")?;
    for (kind, count) in &statistics.note_types {
        let kind = if kind.is_empty() { "(none)".to_owned() } else { cell(kind) };
        writeln!(out, "| {kind} | {count} |")?;
    }
    writeln!(out, "\n## Dropped records\n\n| reason | records |\n|---|---:|")?;
    for (reason, count) in &statistics.dropped {
        writeln!(out, "| {} | {count} |", cell(reason))?;
    }
    Ok(())
}

/// A value that cannot break the table.
fn cell(value: &str) -> String {
    value.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::statistics::{UnknownCodes, tests::tally};
    use super::*;

    #[test]
    fn tables_show_what_was_counted() {
        let unknown = UnknownCodes { handling: "keep".into(), codes: 1, occurrences: 3 };
        let page = markdown(&tally().statistics([2, 0, 1], &[[2, 0, 0]], unknown, "off", |_| "a|b".into()));
        for line in [
            "| train | 3 | 2 | 1.7, 1, 3, 3, 3 | 1.00, 1, 2 | 1 | 66.7 % |",
            "1 labels of 3 codes.",
            "| 1–4 | 2 |",
            "| 10000 and more | 0 |",
            "| I10 | 2 | 0 | 0 | a\\|b |",
            "Codes that the table does not list: 1 in 3 places (`--unknown-codes keep`; `unknown_codes.tsv`).",
            "Chronic imputation: off.",
            "| (none) | 2 |",
            "| empty text | 2 |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
