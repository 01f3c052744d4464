//! The note and its codes on a terminal, in colour where that is wanted.

use std::io::IsTerminal;

use super::content::{Page, ReportedCode};
use super::html::{METRICS, figure};
use super::marks::marks;

/// Whether text may carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// ANSI escape sequences.
    Colour,
    /// Text alone.
    Plain,
}

/// Backgrounds of the 256-colour palette, calm enough for black letters.
const COLOURS: [u8; 8] = [153, 222, 157, 218, 189, 229, 159, 217];
/// Width of a probability bar.
const BAR: usize = 12;
/// Widest description.
const DESCRIPTION: usize = 44;

impl Ink {
    /// Colour on a terminal, unless `NO_COLOR` is set and not empty.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused { Self::Colour } else { Self::Plain }
    }

    fn on(self, text: &str, colour: u8) -> String {
        match self {
            Self::Colour => format!("\u{1b}[30;48;5;{colour}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        match self {
            Self::Colour => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// What a terminal must not be sent: control characters of the note, which could move its cursor.
fn harmless(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c };
    text.chars().map(safe).collect()
}

/// The note with its evidence marked, and its codes: one a line, then the words for it.
///
/// Without colour the words stand in brackets, with the numbers of their codes behind them.
///
/// # Panics
/// If a code's evidence is not of the page's note.
pub fn note_on_terminal(page: &Page, ink: Ink) -> String {
    let lit = page.lit();
    let mut out = String::new();
    let mut open = false;
    for mark in marks(&page.note.text, &page.codes) {
        let shown: Vec<usize> = mark.codes.iter().copied().filter(|at| lit.contains(at)).collect();
        let ending: Vec<String> =
            mark.ending.iter().filter(|at| lit.contains(at)).map(|at| (at + 1).to_string()).collect();
        let text = harmless(mark.text);
        let Some(first) = shown.first() else {
            out += &text;
            continue;
        };
        if ink == Ink::Plain && !open {
            out.push('[');
            open = true;
        }
        out += &ink.on(&text, COLOURS[first % COLOURS.len()]);
        if !ending.is_empty() {
            let close = if ink == Ink::Plain { "]" } else { "" };
            out += &format!("{close}{}", ink.bold(&format!("({})", ending.join(","))));
            open = false;
        }
    }
    out += "\n\n";
    let width = page.codes.iter().map(|code| code.prediction.code.chars().count()).max().unwrap_or(0).max(4);
    out += &format!(
        " #  {:width$}  {:DESCRIPTION$}  {:<18}  assigned  planted\n",
        "code", "meaning", "probability"
    );
    for (at, code) in page.codes.iter().enumerate() {
        out += &line(at, code, width, lit.contains(&at), ink);
    }
    out
}

fn line(at: usize, code: &ReportedCode, width: usize, lit: bool, ink: Ink) -> String {
    let ReportedCode { prediction, planted } = code;
    let yes = |yes: bool| if yes { "yes" } else { "–" };
    let number = format!("{:>2}", at + 1);
    let number = if lit { ink.on(&number, COLOURS[at % COLOURS.len()]) } else { number };
    let filled = (prediction.probability.clamp(0.0, 1.0) * BAR as f32).round() as usize;
    let bar = "█".repeat(filled) + &"·".repeat(BAR - filled);
    let head = format!("{:width$}", prediction.code);
    let mut out = format!(
        "{number}  {}  {:DESCRIPTION$}  {bar} {:.3}  {:^8}  {}\n",
        if lit { ink.bold(&head) } else { head },
        shortened(&prediction.description, DESCRIPTION),
        prediction.probability,
        yes(prediction.assigned),
        yes(*planted),
    );
    if lit {
        let words = prediction.evidence.iter().map(|evidence| {
            let text = evidence.text.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("“{}” {:.0} %", harmless(&text), 100.0 * evidence.weight)
        });
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            out += &format!("    {:width$}  {}\n", "", words.join(" · "));
        }
    }
    out
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The metrics of all models, a metric a line.
pub fn table_on_terminal(page: &Page, ink: Ink) -> String {
    let widths: Vec<usize> = page.models.iter().map(|model| model.name.chars().count().max(9)).collect();
    let mut out = format!("{:<10}", "");
    for (model, &width) in page.models.iter().zip(&widths) {
        out += &format!("  {:>width$}", model.name);
    }
    out.push('\n');
    for (name, _, metric) in METRICS {
        out += &format!("{name:<10}");
        let values: Vec<Option<f64>> = page.models.iter().map(|model| metric(&model.metrics)).collect();
        let best = values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        for (value, &width) in values.into_iter().zip(&widths) {
            let shown = format!("{:>width$}", figure(value));
            out += &format!("  {}", if value == Some(best) { ink.bold(&shown) } else { shown });
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::content::tests::page;
    use super::*;

    #[test]
    fn without_colour_words_are_in_brackets_with_their_numbers() {
        let text = note_on_terminal(&page(), Ink::Plain);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("Été <script>alert(1)</script>: [hypertension](1)"), "{text}");
        assert!(text.contains(" 1  I10    About I10 & more"), "{text}");
        assert!(text.contains("“hypertension” 25 %"), "{text}");
        assert!(!text.contains("“Été”"), "a code that is not assigned shows no words");
        let table = table_on_terminal(&page(), Ink::Plain);
        assert!(table.contains("AUC micro       1.000"), "{table}");
    }

    #[test]
    fn with_colour_every_stretch_is_closed() {
        let text = note_on_terminal(&page(), Ink::Colour);
        assert!(text.contains("\u{1b}[30;48;5;153mhyper\u{1b}[0m"), "{text}");
        let starts = text.matches("\u{1b}[").count();
        assert_eq!(starts, 2 * text.matches("\u{1b}[0m").count());
    }

    #[test]
    fn a_note_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\r\nb\tc\u{9b}"), "a\u{FFFD}[2J\u{FFFD}\nb\tc\u{FFFD}");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
