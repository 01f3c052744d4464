//! The page: one HTML file that fetches nothing, runs nothing, and reads on screen, on paper and aloud.

use std::fmt::{self, Write};

use bert_xml_core::metrics::Report;

use super::content::{Page, ReportedCode};
use super::marks::marks;
use super::style::{SHEET, background, rules};

/// Numbers of codes behind a stretch of words, at most.
const NUMBERS: usize = 4;

/// Text as HTML: in an element, or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in HTML, nor shown by anyone.
            '\0' => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

/// The page as HTML.
///
/// # Panics
/// If a code's evidence is not of the page's note.
pub fn page(page: &Page) -> String {
    let mut out = String::new();
    render(&mut out, page).expect("writing to a string cannot fail");
    out
}

fn render(out: &mut String, page: &Page) -> fmt::Result {
    let title = escape(&page.title);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{SHEET}{}</style>\n</head>\n<body>\n<main>\n",
        rules(page.codes.len())
    )?;
    writeln!(out, "<header>\n<h1>{title}</h1>\n<p class=\"soft\">{}</p>\n</header>", escape(&page.summary))?;
    tiles(out, page)?;
    out.push_str("<div class=\"split\">\n");
    note(out, page)?;
    codes(out, page)?;
    out.push_str("</div>\n<div class=\"stack\">\n");
    models(out, page)?;
    out.push_str("<div class=\"split\">\n");
    facts(out, page)?;
    steps(out, page)?;
    out.push_str("</div>\n");
    next(out, page)?;
    out.push_str(
        "</div>\n<footer class=\"soft small\"><p>Nothing on this page was fetched and nothing on it runs: it is one \
         file. Made by bert-xml.</p></footer>\n</main>\n</body>\n</html>\n",
    );
    Ok(())
}

/// Seconds for people.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 59.95 => format!("{short:.1} s"),
        long => format!("{} min {:02} s", (long.round() / 60.0).floor(), long.round() % 60.0),
    }
}

/// A metric as the papers print it: `.934`.
pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.3}"))
}

fn tiles(out: &mut String, page: &Page) -> fmt::Result {
    out.push_str("<ul class=\"tiles\">\n");
    if let Some(first) = page.models.first() {
        tile(out, &figure(first.metrics.auc_micro), "micro AUC on notes it has not seen")?;
        tile(out, &figure(first.metrics.map), "mean average precision of its rankings")?;
    }
    let (within, all) = page.planted_within(5);
    if all > 0 {
        tile(out, &format!("{within} of {all}"), "codes of the note below among its first five")?;
    }
    tile(out, &duration(page.seconds()), "from the first record to this page")?;
    out.push_str("</ul>\n");
    Ok(())
}

fn tile(out: &mut String, value: &str, meaning: &str) -> fmt::Result {
    writeln!(
        out,
        "<li><strong>{}</strong><span class=\"soft small\">{}</span></li>",
        escape(value),
        escape(meaning)
    )
}

fn note(out: &mut String, page: &Page) -> fmt::Result {
    let note = &page.note;
    let about: Vec<&str> = [&note.note_type, &note.date, &note.note_id]
        .into_iter()
        .map(|it| it.as_str())
        .filter(|it| !it.is_empty())
        .collect();
    write!(
        out,
        "<section class=\"sticky\" aria-labelledby=\"the-note\">\n<h2 id=\"the-note\">The note</h2>\n\
         <p class=\"soft small\">{}. A colour marks the words that speak for a code, its number the code’s line.</p>\n\
         <div class=\"note\">",
        escape(&about.join(", "))
    )?;
    let lit = page.lit();
    for mark in marks(&note.text, &page.codes) {
        if mark.codes.is_empty() {
            out.push_str(&escape(mark.text));
            continue;
        }
        let shown: Vec<usize> = mark.codes.iter().copied().filter(|at| lit.contains(at)).collect();
        let numbers: Vec<String> =
            mark.ending.iter().filter(|at| lit.contains(at)).map(|at| (at + 1).to_string()).collect();
        let classes: String = mark.codes.iter().map(|at| format!(" k{at}")).collect();
        let element = if shown.is_empty() { "span" } else { "a" };
        write!(out, "<{element} class=\"e{classes}\"")?;
        if let Some(first) = shown.first() {
            let says: Vec<&str> = shown.iter().map(|&at| page.codes[at].prediction.code.as_str()).collect();
            write!(
                out,
                " href=\"#code-{}\" title=\"{}\" style=\"--b:{}\"",
                first + 1,
                escape(&says.join(", ")),
                background(&shown)
            )?;
        }
        if !numbers.is_empty() {
            let more = if numbers.len() > NUMBERS { " …" } else { "" };
            write!(out, " data-n=\"{}{more}\"", numbers[..numbers.len().min(NUMBERS)].join(" "))?;
        }
        write!(out, ">{}</{element}>", escape(mark.text))?;
    }
    out.push_str("</div>\n</section>\n");
    Ok(())
}

fn codes(out: &mut String, page: &Page) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"its-codes\">\n<h2 id=\"its-codes\">Its codes</h2>\n\
         <p class=\"soft small\">By falling probability. Point at a line, or step to it with the keyboard, and the note \
         shows its words alone. The planted codes are those that the note was written for.</p>\n<table class=\"codes\">\n<thead><tr><th scope=\"col\">#</th><th scope=\"col\">Code</th>\
         <th scope=\"col\">Meaning, and the words for it</th><th scope=\"col\">Probability</th>\
         <th scope=\"col\">Assigned</th><th scope=\"col\">Planted</th></tr></thead>\n<tbody>\n",
    );
    let lit = page.lit();
    for (at, code) in page.codes.iter().enumerate() {
        let off = if lit.contains(&at) { "" } else { " off" };
        let ReportedCode { prediction, planted } = code;
        let yes = |yes: bool, word: &str| match yes {
            true => format!("<span class=\"yes\">✓ {word}</span>"),
            false => "<span class=\"soft\">–</span>".to_owned(),
        };
        let percent = 100.0 * prediction.probability;
        writeln!(
            out,
            "<tr class=\"r{at}{off}\" id=\"code-{number}\" tabindex=\"0\"><td><span class=\"swatch\">{number}</span></td>\
             <th scope=\"row\" class=\"code\">{}</th><td>{}<span class=\"words\">{}</span></td>\
             <td>{percent:.1} %<span class=\"bar\" aria-hidden=\"true\"><span style=\"width:{percent:.1}%\"></span></span></td>\
             <td>{}</td><td>{}</td></tr>",
            escape(&prediction.code),
            escape(&prediction.description),
            escape(&words(code)),
            yes(prediction.assigned, "yes"),
            yes(*planted, "yes"),
            number = at + 1,
        )?;
    }
    out.push_str("</tbody>\n</table>\n");
    let shown = page.codes.len();
    let missing: Vec<String> = page
        .planted
        .iter()
        .filter(|planted| planted.rank.is_none_or(|rank| rank > shown))
        .map(|planted| match planted.rank {
            Some(rank) => format!("{} (place {rank})", planted.code),
            None => format!("{} (not among the codes it learnt)", planted.code),
        })
        .collect();
    if !missing.is_empty() {
        writeln!(
            out,
            "<p class=\"soft small\">Also in the note, further down its ranking: {}.</p>",
            escape(&missing.join(", "))
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// The words of a code's evidence with their share of its attention.
fn words(code: &ReportedCode) -> String {
    let one = |text: &str, weight: f32| {
        format!("“{}” {:.0} %", text.split_whitespace().collect::<Vec<_>>().join(" "), 100.0 * weight)
    };
    let evidence = &code.prediction.evidence;
    evidence.iter().map(|it| one(&it.text, it.weight)).collect::<Vec<_>>().join(" · ")
}

/// What each line of the metrics table is.
type Metric = (&'static str, &'static str, fn(&Report) -> Option<f64>);

pub(super) const METRICS: [Metric; 6] = [
    ("AUC micro", "how often a code that a note has outranks one it has not, over all pairs", |m| {
        m.auc_micro
    }),
    ("AUC macro", "the same within each code, then the mean over codes", |m| m.auc_macro),
    ("F1 micro", "precision and recall of the assigned codes together", |m| m.f1_micro),
    ("F1 macro", "the same for each code, then the mean over codes", |m| m.f1_macro),
    ("P@5", "share of a note’s first five codes that it has", |m| m.p_at_5),
    ("MAP", "how near the top a note’s codes stand in its ranking", |m| m.map),
];

fn models(out: &mut String, page: &Page) -> fmt::Result {
    let Some(first) = page.models.first() else { return Ok(()) };
    let count = &first.metrics;
    write!(
        out,
        "<section aria-labelledby=\"how-good\">\n<h2 id=\"how-good\">How good it is</h2>\n\
         <p class=\"soft small\">On {} test notes of patients that no model has seen, {} codes; AUC over the {} codes \
         that occur there. 1 is perfect; guessing has an AUC of 0.5 within a code.</p>\n<table>\n\
         <thead><tr><th scope=\"col\">Metric</th>",
        count.notes,
        count.codes,
        count.codes - count.codes_undefined
    )?;
    for model in &page.models {
        write!(
            out,
            "<th scope=\"col\">{}<span class=\"words\">{}</span></th>",
            escape(&model.name),
            escape(&model.remark)
        )?;
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (name, meaning, metric) in METRICS {
        write!(out, "<tr><th scope=\"row\">{name}<span class=\"words\">{meaning}</span></th>")?;
        let values: Vec<Option<f64>> = page.models.iter().map(|model| metric(&model.metrics)).collect();
        let best = values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        for (at, value) in values.into_iter().enumerate() {
            let class = match (value == Some(best), at) {
                (true, _) => " class=\"best\"",
                (false, 0) => "",
                (false, _) => " class=\"rest\"",
            };
            let width = 100.0 * value.unwrap_or(0.0).clamp(0.0, 1.0);
            write!(
                out,
                "<td{class}>{}<span class=\"bar\" aria-hidden=\"true\"><span style=\"width:{width:.1}%\"></span></span></td>",
                figure(value)
            )?;
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
    Ok(())
}

fn facts(out: &mut String, page: &Page) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"from-what\">\n<h2 id=\"from-what\">What it learnt from</h2>\n<dl>\n",
    );
    for fact in &page.facts {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(&fact.name), escape(&fact.value))?;
    }
    out.push_str("</dl>\n</section>\n");
    Ok(())
}

fn steps(out: &mut String, page: &Page) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"what-was-done\">\n<h2 id=\"what-was-done\">What was done</h2>\n<table>\n\
         <thead><tr><th scope=\"col\">Step</th><th scope=\"col\">Result</th>\
         <th scope=\"col\" class=\"number\">Time</th></tr></thead>\n<tbody>\n",
    );
    for step in &page.steps {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td></tr>",
            escape(&step.name),
            escape(&step.outcome),
            duration(step.seconds)
        )?;
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
    Ok(())
}

fn next(out: &mut String, page: &Page) -> fmt::Result {
    if page.next.is_empty() {
        return Ok(());
    }
    let commands: Vec<String> = page.next.iter().map(|command| escape(command)).collect();
    write!(
        out,
        "<section aria-labelledby=\"to-try\">\n<h2 id=\"to-try\">To try next</h2>\n\
         <pre class=\"commands\" tabindex=\"0\">{}</pre>\n</section>\n",
        commands.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::super::content::tests::page as example;
    use super::*;

    #[test]
    fn nothing_of_a_note_becomes_markup() {
        let html = page(&example());
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(html.contains("Codes &lt;of&gt; a note") && html.contains("Made &quot;up&quot;."));
        assert!(html.contains("n&lt;1&gt;") && html.contains("one &lt;b&gt;remark&lt;/b&gt;"));
        assert!(html.contains("predict --model &lt;DIR&gt;") && html.contains("X&lt;1 (not among"));
        let lower = html.to_ascii_lowercase();
        for forbidden in
            ["<script", "<b>", "<dir>", "src=", "http:", "https:", "@import", "url(", "<link", "onload"]
        {
            assert!(!lower.contains(forbidden), "{forbidden}");
        }
        assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'"));
    }

    #[test]
    fn overlapping_evidence_has_both_codes_and_their_numbers() {
        let html = page(&example());
        // hypertension (31..43) is I10's; R50.9's evidence starts inside it and ends with "fever".
        assert!(html.contains("class=\"e k0\" href=\"#code-1\" title=\"I10\""), "{html}");
        assert!(html.contains("class=\"e k0 k1\" href=\"#code-1\" title=\"I10, R50.9\""));
        assert!(html.contains("data-n=\"1\">tension</a>") && html.contains("data-n=\"2\">"));
        assert!(
            html.contains("<span class=\"e k2\">Été</span>"),
            "a code that is not assigned is not coloured"
        );
    }

    #[test]
    fn every_element_is_closed() {
        let html = page(&example());
        for name in
            ["section", "table", "tbody", "tr", "td", "th", "a", "span", "div", "ul", "li", "dl", "main", "p"]
        {
            let opened =
                html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
            assert_eq!(opened, html.matches(&format!("</{name}>")).count(), "{name}");
        }
    }

    #[test]
    fn the_best_of_a_line_is_marked_and_times_are_readable() {
        let html = page(&example());
        assert!(html.contains("<td class=\"best\">1.000<span"));
        assert_eq!((duration(59.94), duration(60.0)), ("59.9 s".into(), "1 min 00 s".into()));
        assert_eq!(duration(359.6), "6 min 00 s");
    }

    #[test]
    fn characters_of_markup_are_escaped() {
        assert_eq!(
            escape("<a href=\"x\" b='y'>&\0é"),
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\u{FFFD}é"
        );
    }
}
