//! The report as one HTML file that fetches nothing and runs nothing.

use std::fmt::Write;

use super::claims::Verdict;
use super::figures::Figures;
use super::markdown::{difference, duration, errors, optional, shown};
use super::svg;
use super::told::{DoneRow, Reproduced};
use crate::report::{SHEET, escape};

/// What this page has beyond the house's style.
const OWN: &str = "
.wide { overflow-x: auto; }
.wide table { font-size: .86rem; min-width: 46rem; }
.numbers td { white-space: nowrap; } .numbers td:nth-child(2) { white-space: normal; }
.verdict { font-weight: 600; white-space: nowrap; }
.confirmed { color: var(--good); }
.not-confirmed { color: #b3261e; }
.inconclusive, .by-construction, .not-applicable, .open { color: var(--soft); }
svg { width: 100%; height: auto; max-width: 760px; font: 12px system-ui, sans-serif; fill: var(--ink); margin-top: .6rem; }
svg .grid { stroke: var(--line); } svg .tick { fill: var(--soft); font-size: 11px; }
svg .bar { stroke: var(--accent); stroke-width: 2; } svg .dot, svg .cell { fill: var(--accent); }
svg .paper { fill: none; stroke: #b26a00; stroke-width: 1.5; }
svg .m0 { fill: #9aa5af; } svg .m1 { fill: #c79a3b; } svg .m2 { fill: #5aa37e; } svg .m3 { fill: var(--accent); }
.heads { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1rem; margin-top: .8rem; }
.heads figure { margin: 0; } .heads svg { background: var(--track); max-width: 130px; }
.guess { border-bottom: 2px solid var(--accent); } .guess small { color: var(--soft); }
mark { background: hsl(38 90% 60% / var(--w)); color: inherit; border-radius: 3px; }
td .soft { font-size: .85em; }
";

/// The page.
pub(super) fn page(told: &Reproduced) -> String {
    let title = format!("BERT-XML, every row and claim: {}, {}", told.suite.name(), told.scale.name());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>\n{SHEET}{OWN}</style>\n</head>\n\
         <body>\n<main>\n<header>\n<h1>{title}</h1>\n<p class=\"soft\">{}</p>\n</header>\n<div class=\"stack\">\n",
        escape(&told.about)
    );
    claims(&mut out, told);
    table_2(&mut out, told);
    table_3(&mut out, told);
    if let Some(figures) = &told.figures {
        masked(&mut out, figures);
    }
    figure_2(&mut out, told);
    if let Some(figures) = &told.figures {
        attention(&mut out, figures);
        heads(&mut out, figures);
    }
    table_4(&mut out, told);
    made_from(&mut out, told);
    out + "</div>\n<footer class=\"soft small\"><p>Nothing on this page was fetched and nothing on it runs: it is one file. \
           Made by bert-xml.</p></footer>\n</main>\n</body>\n</html>\n"
}

/// Opens a section with its title and what stands under it.
fn section(out: &mut String, id: &str, title: &str, text: &str) {
    let _ = write!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n<p class=\"soft small\">{}</p>\n",
        escape(title),
        escape(text)
    );
}

/// A table in a box of its own that scrolls sideways.
fn table(out: &mut String, class: &str, heads: &[String], rows: &[Vec<String>]) {
    let _ = write!(out, "<div class=\"wide {class}\" tabindex=\"0\"><table>\n<thead><tr>");
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let element = if at == 0 { "th scope=\"row\"" } else { "td" };
            let _ = write!(out, "<{element}>{cell}</{}>", &element[..2]);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn words(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|&head| head.to_owned()).collect()
}

fn claims(out: &mut String, told: &Reproduced) {
    let count = |verdict: Verdict| told.claims.iter().filter(|claim| claim.verdict == verdict).count();
    let all = [
        Verdict::Confirmed,
        Verdict::NotConfirmed,
        Verdict::Inconclusive,
        Verdict::ByConstruction,
        Verdict::NotApplicable,
        Verdict::Open,
    ];
    out.push_str("<ul class=\"tiles\">\n");
    for verdict in all.into_iter().filter(|verdict| count(*verdict) > 0) {
        let _ = writeln!(
            out,
            "<li><strong>{}</strong><span class=\"soft small\">{}</span></li>",
            count(verdict),
            verdict.printed()
        );
    }
    out.push_str("</ul>\n");
    section(
        out,
        "claims",
        "What the paper claims",
        "A difference is that of two models on the same notes, with its 95 % interval clustered by patient. Confirmed: the \
         interval lies on the claim’s side. Inconclusive: it holds 0.",
    );
    let rows: Vec<Vec<String>> = told
        .claims
        .iter()
        .map(|claim| {
            let class = claim.verdict.printed().replace(' ', "-");
            vec![
                escape(&claim.claim),
                escape(&claim.paper),
                escape(&claim.ours),
                difference(claim.difference),
                format!(
                    "<span class=\"verdict {class}\">{}</span> <span class=\"soft\">{}</span>",
                    claim.verdict.printed(),
                    escape(&claim.why)
                ),
            ]
        })
        .collect();
    table(out, "claims", &words(&["Claim", "Paper", "Ours", "Difference", "Verdict"]), &rows);
    out.push_str("</section>\n");
}

fn table_2(out: &mut String, told: &Reproduced) {
    section(
        out,
        "table-2",
        "Table 2: all models",
        "AUC over the codes present, with 95 % intervals clustered by patient; the other numbers by the threshold tuned on \
         development notes. ECE: calibration error, before → after a line fitted on development notes. A diamond is the paper’s value, on its own data.",
    );
    let heads = words(&[
        "Row",
        "Model",
        "Paper",
        "AUC micro",
        "AUC macro",
        "AUPRC",
        "F1",
        "P@8",
        "R-prec.",
        "MAP",
        "Exact",
        "ECE",
        "Time",
    ]);
    let rows: Vec<Vec<String>> = told
        .rows
        .iter()
        .map(|row| {
            let paper = format!("{} / {}", optional(row.paper[0]), optional(row.paper[1]));
            let mut name = escape(&row.name);
            if row.done.is_none() {
                let _ = write!(name, "<br><span class=\"soft\">{}</span>", escape(&row.why));
            }
            let mut cells = vec![escape(&row.id), name, paper];
            match &row.done {
                // As many cells as the others have.
                None => cells.resize(heads.len(), String::new()),
                Some(done) => {
                    let report = &done.report;
                    cells.extend([shown(done.auc_micro), shown(done.auc_macro)]);
                    let more = [
                        report.auprc_macro,
                        report.f1_micro,
                        report.p_at_8,
                        report.r_precision,
                        report.map,
                        report.exact_match,
                    ];
                    cells.extend(more.map(optional));
                    cells.push(errors(done));
                    cells.push(duration(done.seconds));
                }
            }
            cells
        })
        .collect();
    table(out, "numbers", &heads, &rows);
    let lines: Vec<_> = told
        .rows
        .iter()
        .filter_map(|row| {
            Some((format!("{} {}", row.id, row.name), row.done.as_ref()?.auc_macro?, row.paper[1]))
        })
        .collect();
    out.push_str(&svg::intervals(&lines, "Macro AUC of each row with its interval, and the paper's"));
    out.push_str("</section>\n");
}

fn done(told: &Reproduced) -> impl Iterator<Item = (&str, &str, &DoneRow)> {
    told.rows.iter().filter_map(|row| Some((row.id.as_str(), row.name.as_str(), row.done.as_ref()?)))
}

fn table_3(out: &mut String, told: &Reproduced) {
    let text = format!(
        "Macro AUC of codes by how many training notes carry them. Rare: fewer than {} (the paper: 2,000).",
        told.rare_below
    );
    section(out, "table-3", "Table 3: rare and frequent codes", &text);
    let mut heads = words(&["Row", "Model", "Rare"]);
    heads.extend(told.bands.iter().map(|(band, codes)| format!("{band} ({codes} codes)")));
    let rows: Vec<Vec<String>> = done(told)
        .map(|(id, name, done)| {
            let mut cells = vec![escape(id), escape(name), shown(done.rare.map(|(interval, _)| interval))];
            cells.extend(done.bands.iter().map(|band| shown(*band)));
            cells
        })
        .collect();
    table(out, "numbers", &heads, &rows);
    out.push_str("</section>\n");
}

fn figure_2(out: &mut String, told: &Reproduced) {
    section(out, "figure-2", "Figure 2: how AUC is distributed over codes", "Number of codes by their AUC.");
    let wanted = ["1", "2", "12", "14"];
    let models: Vec<(String, Vec<usize>)> = done(told)
        .filter(|(id, ..)| wanted.contains(id))
        .map(|(_, name, done)| (name.to_owned(), done.distribution.clone()))
        .collect();
    out.push_str(&svg::bars(&models, "Number of codes by AUC"));
    out.push_str("</section>\n");
}

fn masked(out: &mut String, figures: &Figures) {
    if !figures.masked.is_empty() {
        section(
            out,
            "figure-1",
            "Figure 1: masked words and what the encoder guesses",
            "Underlined words were hidden; behind them the three best guesses.",
        );
        out.push_str("<p class=\"note\">");
        for word in &figures.masked {
            if word.guesses.is_empty() {
                let _ = write!(out, "{} ", escape(&word.word));
                continue;
            }
            let guess = |(guess, p): &(String, f32)| format!("{} {:.0} %", escape(guess), 100.0 * p);
            let guesses: Vec<String> = word.guesses.iter().map(guess).collect();
            let _ = write!(
                out,
                "<span class=\"guess\">{} <small>({})</small></span> ",
                escape(&word.word),
                guesses.join(", ")
            );
        }
        out.push_str("</p>\n</section>\n");
    }
}

fn attention(out: &mut String, figures: &Figures) {
    if let Some(attention) = &figures.attention {
        let text = format!(
            "{}, {}: probability {:.2}. The darker, the more of the code’s attention (row {}).",
            attention.code, attention.description, attention.probability, figures.row
        );
        section(out, "figure-3", "Figure 3: the attention of a code over a note", &text);
        let most = attention.pieces.iter().map(|piece| piece.1).fold(f32::MIN_POSITIVE, f32::max);
        out.push_str("<div class=\"note\">");
        for (text, weight) in &attention.pieces {
            if *weight > 0.0 {
                let strength = 0.2 + 0.8 * weight / most;
                let _ = write!(out, "<mark style=\"--w:{strength:.2}\">{}</mark>", escape(text));
            } else {
                out.push_str(&escape(text));
            }
        }
        out.push_str("</div>\n</section>\n");
    }
}

fn heads(out: &mut String, figures: &Figures) {
    if figures.heads.is_empty() {
        return;
    }
    let text = format!(
        "Attention from each token (down) to the others (across) of a note of {} tokens. Local: more than half of it within \
         four tokens. Global: spread over the note.",
        figures.tokens
    );
    section(out, "figure-4", "Figure 4: heads of the last layer", &text);
    out.push_str("<div class=\"heads\">\n");
    for head in &figures.heads {
        let _ = writeln!(
            out,
            "<figure>{}<figcaption class=\"small\">Head {}, {}<br><span class=\"soft\">near {:.2}, spread {:.2}</span></figcaption></figure>",
            svg::square(&head.cells, &format!("Attention of head {}", head.head)),
            head.head,
            escape(&head.kind),
            head.near,
            head.spread
        );
    }
    out.push_str("</div>\n</section>\n");
}

fn table_4(out: &mut String, told: &Reproduced) {
    section(
        out,
        "table-4",
        "Table 4: the most frequent codes",
        "Training notes that carry them, and their AUC.",
    );
    let mut heads = words(&["Code", "Meaning", "Training notes"]);
    if let Some(first) = told.codes.first() {
        heads.extend(first.auc.iter().map(|(row, _)| format!("Row {row}")));
    }
    let rows: Vec<Vec<String>> = told
        .codes
        .iter()
        .map(|code| {
            let mut cells = vec![escape(&code.code), escape(&code.description), code.notes.to_string()];
            cells.extend(code.auc.iter().map(|(_, auc)| optional(*auc)));
            cells
        })
        .collect();
    table(out, "numbers", &heads, &rows);
    out.push_str("</section>\n");
}

fn made_from(out: &mut String, told: &Reproduced) {
    section(out, "made-from", "What it was made from", "The same command goes on where it stopped.");
    let _ = write!(out, "<pre class=\"commands\" tabindex=\"0\">{}</pre>\n<dl>\n", escape(&told.command));
    for (name, value) in told.facts.iter().chain(&told.shapes) {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    out.push_str("</dl>\n<h2>Rows</h2>\n<dl>\n");
    for (id, name, done) in done(told) {
        let speed = done.tokens_per_second.map_or(String::new(), |speed| format!("; {speed:.0} tokens/s"));
        let _ = writeln!(
            out,
            "<dt>{} {}</dt><dd>{}{speed}</dd>",
            escape(id),
            escape(name),
            escape(&done.trained)
        );
    }
    out.push_str("</dl>\n</section>\n");
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
