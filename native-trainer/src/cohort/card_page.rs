//! The data card as Markdown.

use std::fmt::Write;

use super::card::Card;

/// What the hospital cannot show, whatever a model scores on it.
const LIMITS: &[&str] = &[
    "The sentences were written by the project and are drawn at random. A model may learn their patterns instead of \
     medicine: no score here says how it does on real notes.",
    "Codes follow from what the text names, but for the label noise that the parameters state. Real coders read across \
     notes, follow rules of sequence and payment, and err in ways that depend on the case.",
    "A word that names a code does so in every note. Real abbreviations are ambiguous more often.",
    "Courses are rough: acute conditions come by chance, not by cause, but for the listed companions; numbers in vitals \
     and laboratory lines are drawn without regard to the conditions.",
    "Signs and medicines that stand without their condition are not marked as evidence.",
    "Frequency, notes a patient, codes a note, length, comorbidity, incomplete coding, copying forward and the share of \
     denied and considered conditions were set by us. A claim of the paper that only repeats these holds by construction.",
    "Ages, sexes and frequencies are plausible, not epidemiological.",
];

/// Writes the page.
pub(super) fn markdown(card: &Card) -> String {
    let mut page = String::new();
    let out = &mut page;
    let _ = writeln!(out, "# Data card: the deep synthetic hospital\n");
    let _ = writeln!(
        out,
        "Written by `bert-xml cohort` {} with seed {} and {} patients; ICD-10-CM {}; parameters {} (SHA-256 `{}`). No real \
         data went into it.\n",
        card.version,
        card.seed,
        thousands(card.patients),
        card.release,
        if card.frozen_parameters { "as frozen in `configs/cohort.toml`" } else { "of the caller" },
        card.parameters_sha256,
    );
    let _ = writeln!(
        out,
        "{} notes were written ({:.1} MB of text); {} remain after the paper's filter (student, erroneous and \
         miscellaneous notes, notes of fewer than 50 characters). Figures below are of these, codes after chronic \
         imputation by the paper's rule, unless they say otherwise.\n",
        thousands(card.notes_written),
        card.characters as f64 / 1e6,
        thousands(card.notes),
    );
    let _ = writeln!(out, "## Beside the paper\n\n| | paper | here |\n|---|---|---|");
    let mut row = |what: &str, paper: &str, here: String| {
        let _ = writeln!(out, "| {what} | {paper} | {here} |");
    };
    let [mean, median, high] = card.notes_per_patient;
    row("notes a patient, mean (median, 95 %)", "7.5", format!("{mean:.2} ({median:.0}, {high:.0})"));
    let first = format!("{:.2} ({:.2} of all)", card.codes_per_note_first_2292, card.codes_per_note);
    row("codes a note after imputation, of the 2,292 most frequent codes", "4.46", first);
    row("codes a note before imputation", "—", format!("{:.2}", card.codes_per_note_coded));
    let [lasting, of_lasting] = card.lasting_codes_per_note;
    let [acute, of_acute] = card.acute_codes_per_note;
    let of = format!("{lasting:.2} (aim {of_lasting:.2}), {acute:.2} (aim {of_acute:.2})");
    row("codes a note after imputation that stay with a patient, others", "—", of);
    row("codes", "—", format!("{} ({} of them occur)", thousands(card.codes as u64), card.codes_seen));
    row("chapters of ICD-10-CM", "—", card.chapters_seen.to_string());
    let above = thousands(card.codes_above_1000 as u64);
    row(
        "codes on more than 1,000 of 5.25 million training notes",
        "2,292",
        format!("{above} at these shares"),
    );
    let few = format!("{} at these shares", card.codes_above_1000_below_2000);
    row("of them on fewer than 2,000", "757", few);
    let [median, mean, p95, p99] = card.tokens;
    let tokens = format!("{median:.0} ({mean:.0}, {p95:.0}, {p99:.0})");
    row("tokens a note, median (mean, 95 %, 99 %): words and punctuation marks", "—", tokens);
    let [a, b, c] = card.longer.map(|share| share * 100.0);
    row("notes of more than 512, 1,024, 2,000 tokens, in %", "—", format!("{a:.1}, {b:.1}, {c:.1}"));
    let _ = writeln!(
        out,
        "\nIn a sample, codes in the tail are too few to count: their shares scatter, and so do the two rows of codes above \
         a limit.\n"
    );

    let _ = writeln!(out, "## Note types, before the filter\n\n| type | share in % |\n|---|---|");
    let mut types: Vec<(&String, &f64)> = card.types.iter().collect();
    types.sort_by(|a, b| b.1.total_cmp(a.1));
    for (kind, share) in types {
        let _ = writeln!(out, "| {kind} | {:.1} |", share * 100.0);
    }

    let _ = writeln!(out, "\n## What notes say and coders code\n\n| | |\n|---|---|");
    for (kind, count) in &card.mentions_per_note {
        let _ = writeln!(out, "| mentions a note, {kind} | {count:.2} |");
    }
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let _ = writeln!(
        out,
        "| of the codes that a note names in any way, those that are there | {} |",
        percent(card.named_is_present)
    );
    let _ = writeln!(out, "| of what a note documents, coded | {} |", percent(card.documented_coded));
    let _ = writeln!(out, "| … and after imputation | {} |", percent(card.documented_imputed));
    let _ = writeln!(
        out,
        "| of the codes after imputation, documented in the note itself | {} |",
        percent(card.codes_documented)
    );
    for (pair, lift) in &card.lifts {
        let _ = writeln!(out, "| {pair}: more often in a patient than by chance | {lift:.1} times |");
    }

    let _ = writeln!(
        out,
        "\n## The most frequent codes\n\n| | code | notes | share in % | aimed at | |\n|---|---|---|---|---|---|"
    );
    for (at, top) in card.top.iter().enumerate() {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} | {:.2} | {} |",
            at + 1,
            top.code,
            thousands(top.notes),
            top.share * 100.0,
            top.target * 100.0,
            top.description,
        );
    }
    let _ = writeln!(out, "\n## What it cannot show\n");
    for limit in LIMITS {
        let _ = writeln!(out, "- {limit}");
    }
    page
}

/// `12345` as `12,345`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            ["0", "999", "1,000", "1234567"].map(|t| thousands(t.replace(',', "").parse().unwrap())),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
