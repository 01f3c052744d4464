//! The report as Markdown, for a repository.

use std::fmt::Write;

use bert_xml_core::metrics::Interval;

use super::told::{DoneRow, Reproduced};

/// An estimate with its interval, as papers print it.
pub(super) fn shown(interval: Option<Interval>) -> String {
    interval
        .map_or_else(|| "—".into(), |i| format!("{} ({}–{})", figure(i.value), figure(i.low), figure(i.high)))
}

/// `.934`.
pub(super) fn figure(value: f64) -> String {
    let text = format!("{value:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

/// A value that may be undefined.
pub(super) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "—".into(), figure)
}

/// Calibration error before and after.
pub(super) fn errors(done: &DoneRow) -> String {
    let shown = |error: f64| format!("{error:.4}").trim_start_matches('0').to_owned();
    let before = done.report.ece.map_or_else(|| "—".into(), shown);
    done.ece_calibrated.map_or(before.clone(), |after| format!("{before} → {}", shown(after)))
}

/// A difference with its sign.
pub(super) fn difference(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "—".into(), |i| format!("{:+.4} ({:+.4} to {:+.4})", i.value, i.low, i.high))
}

/// Seconds for people.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 100.0 => format!("{short:.0} s"),
        long if long < 6000.0 => format!("{:.0} min", long / 60.0),
        long => format!("{:.1} h", long / 3600.0),
    }
}

/// The page.
pub(super) fn page(told: &Reproduced) -> String {
    let mut out = format!(
        "# BERT-XML on the suite {}, scale {}\n\n{}\n\n```sh\n{}\n```\n\n",
        told.suite.name(),
        told.scale.name(),
        told.about,
        told.command
    );
    for (name, value) in told.facts.iter().chain(&told.shapes) {
        let _ = writeln!(out, "- {name}: {value}");
    }
    out += "\nIntervals are 95 %, clustered by patient. `—`: not known, not defined or not done.\n\n## Claims\n\n\
            | Claim | Paper | Ours | Difference | Verdict |\n|---|---|---|---|---|\n";
    for claim in &told.claims {
        let why = if claim.why.is_empty() { String::new() } else { format!(": {}", claim.why) };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | **{}**{why} |",
            claim.claim,
            claim.paper,
            claim.ours,
            difference(claim.difference),
            claim.verdict.printed()
        );
    }
    out += "\n## Table 2\n\n| Row | | Paper micro / macro | AUC micro | AUC macro | AUPRC macro | F1 micro | P@8 | R-prec | MAP | \
            exact | ECE | time |\n|---|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for row in &told.rows {
        let _ = write!(
            out,
            "| {} | {} | {} / {} |",
            row.id,
            row.name,
            optional(row.paper[0]),
            optional(row.paper[1])
        );
        let _ = match &row.done {
            None => writeln!(out, " {} | | | | | | | | | |", row.why),
            Some(done) => {
                let report = &done.report;
                let more = [
                    report.auprc_macro,
                    report.f1_micro,
                    report.p_at_8,
                    report.r_precision,
                    report.map,
                    report.exact_match,
                ];
                writeln!(
                    out,
                    " {} | {} | {} | {} | {} |",
                    shown(done.auc_micro),
                    shown(done.auc_macro),
                    more.map(optional).join(" | "),
                    errors(done),
                    duration(done.seconds)
                )
            }
        };
    }
    let done: Vec<(&str, &str, &DoneRow)> = told
        .rows
        .iter()
        .filter_map(|row| Some((row.id.as_str(), row.name.as_str(), row.done.as_ref()?)))
        .collect();
    let _ = write!(
        out,
        "\n## Table 3: macro AUC by training notes of a code\n\n| Row | | rare (below {}) |",
        told.rare_below
    );
    told.bands.iter().for_each(|(band, codes)| out += &format!(" {band} ({codes} codes) |"));
    out += &format!("\n|---|---|---|{}\n", "---|".repeat(told.bands.len()));
    for (id, name, done) in &done {
        let rare = done.rare.map(|(interval, _)| interval);
        let bands: Vec<String> = done.bands.iter().map(|band| shown(*band)).collect();
        let _ = writeln!(out, "| {id} | {name} | {} | {} |", shown(rare), bands.join(" | "));
    }
    let _ = write!(
        out,
        "\n## Table 4: the {} most frequent codes\n\n| Code | | Training notes |",
        told.codes.len()
    );
    if let Some(first) = told.codes.first() {
        first.auc.iter().for_each(|(row, _)| out += &format!(" AUC row {row} |"));
        out += &format!("\n|---|---|---:|{}\n", "---:|".repeat(first.auc.len()));
    }
    for code in &told.codes {
        let auc: String = code.auc.iter().map(|(_, auc)| format!(" {} |", optional(*auc))).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} |{auc}",
            code.code,
            code.description.replace('|', "\\|"),
            code.notes
        );
    }
    out += "\n## What was trained\n\n";
    for (id, name, done) in &done {
        let speed = done.tokens_per_second.map_or(String::new(), |speed| format!("; {speed:.0} tokens/s"));
        let _ = writeln!(out, "- {id}, {name}: {}{speed}", done.trained);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_papers() {
        let interval = Interval { value: 0.9271, low: 0.91, high: 1.0 };
        assert_eq!(shown(Some(interval)), ".927 (.910–1.000)");
        assert_eq!((figure(0.5), optional(None)), (".500".into(), "—".into()));
        let step = Interval { value: -0.01, low: -0.02, high: 0.0 };
        assert_eq!(difference(Some(step)), "-0.0100 (-0.0200 to +0.0000)");
        assert_eq!(
            (duration(61.4), duration(600.0), duration(7200.0)),
            ("61 s".into(), "10 min".into(), "2.0 h".into())
        );
    }
}
