//! Small pictures inside the page: no script, no file, colours from the page's style.

use std::fmt::Write;

use bert_xml_core::metrics::Interval;

use crate::report::escape;

/// Estimates with their intervals, one a line, on a common scale.
pub(super) fn intervals(lines: &[(String, Interval, Option<f64>)], title: &str) -> String {
    let ends = lines.iter().flat_map(|(_, i, paper)| [Some(i.low), Some(i.high), *paper]).flatten();
    let (low, high) = ends.fold((1.0f64, 0.0f64), |(low, high), end| (low.min(end), high.max(end)));
    let pad = ((high - low) * 0.05).max(0.005);
    let (low, high) = ((low - pad).max(0.0), (high + pad).min(1.0));
    let (left, width, step) = (300.0, 430.0, 22.0);
    let x = |value: f64| left + width * (value - low) / (high - low).max(1e-9);
    let height = 30.0 + step * lines.len() as f64 + 24.0;
    let mut out = start(760.0, height, title);
    for tick in 0..=4 {
        let value = low + (high - low) * f64::from(tick) / 4.0;
        let at = x(value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"14\" y2=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.3}</text>",
            height - 22.0,
            height - 6.0
        );
    }
    for (row, (name, interval, paper)) in lines.iter().enumerate() {
        let y = 28.0 + step * row as f64;
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <line class=\"bar\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>",
            left - 12.0,
            y + 4.0,
            escape(name),
            x(interval.low),
            x(interval.high),
            x(interval.value)
        );
        if let Some(paper) = paper {
            let at = x(*paper);
            let _ = write!(out, "<path class=\"paper\" d=\"M{at:.1} {:.1}l5 5l-5 5l-5 -5z\"/>", y - 5.0);
        }
    }
    out + "</svg>"
}

/// Bars of several models side by side over the same stretches of 0 to 1.
pub(super) fn bars(models: &[(String, Vec<usize>)], title: &str) -> String {
    let count = models.first().map_or(0, |(_, bars)| bars.len());
    let most = models.iter().flat_map(|(_, bars)| bars).copied().max().unwrap_or(0).max(1) as f64;
    // Codes hardly ever lie below a half: what is empty for all is left out.
    let first = (0..count).find(|&at| models.iter().any(|(_, bars)| bars[at] > 0)).unwrap_or(0);
    let (left, width, height) = (40.0, 700.0, 220.0);
    let step = width / (count - first).max(1) as f64;
    let thick = step * 0.8 / models.len().max(1) as f64;
    let mut out = start(760.0, height + 50.0, title);
    for (model, (_, bars)) in models.iter().enumerate() {
        for (at, &codes) in bars.iter().enumerate().skip(first) {
            let tall = height * codes as f64 / most;
            let x = left + step * ((at - first) as f64 + 0.1) + thick * model as f64;
            let _ = write!(
                out,
                "<rect class=\"m{model}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{thick:.1}\" height=\"{tall:.1}\"><title>{codes}</title></rect>",
                height + 10.0 - tall
            );
        }
    }
    for at in first..=count {
        let x = left + step * (at - first) as f64;
        let value = at as f64 / count.max(1) as f64;
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.2}</text>",
            height + 26.0
        );
    }
    for (model, (name, _)) in models.iter().enumerate() {
        let x = left + 180.0 * model as f64;
        let _ = write!(
            out,
            "<rect class=\"m{model}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            height + 36.0,
            x + 16.0,
            height + 45.0,
            escape(name)
        );
    }
    out + "</svg>"
}

/// A square of numbers from 0 to 1, `[side, side]`.
pub(super) fn square(cells: &[f32], title: &str) -> String {
    let side = (cells.len() as f64).sqrt() as usize;
    let mut out = start(side as f64 * 5.0, side as f64 * 5.0, title);
    for (at, &value) in cells.iter().enumerate().filter(|(_, value)| **value > 0.02) {
        let _ = write!(
            out,
            "<rect class=\"cell\" x=\"{}\" y=\"{}\" width=\"5\" height=\"5\" opacity=\"{value:.2}\"/>",
            at % side * 5,
            at / side * 5
        );
    }
    out + "</svg>"
}

fn start(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
        escape(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_whole_and_name_what_they_show() {
        let interval = Interval { value: 0.9, low: 0.88, high: 0.91 };
        let lines = [("a <b>".to_owned(), interval, Some(0.927)), ("c".to_owned(), interval, None)];
        let drawn = intervals(&lines, "macro");
        assert!(drawn.starts_with("<svg viewBox=\"0 0 760 98\"") && drawn.ends_with("</svg>"));
        assert!(drawn.contains("a &lt;b&gt;") && drawn.matches("class=\"paper\"").count() == 1);
        assert_eq!(drawn.matches("<circle").count(), 2);
        let drawn = bars(&[("x".to_owned(), vec![0, 1, 3]), ("y".to_owned(), vec![0, 0, 4])], "codes");
        assert_eq!(drawn.matches("<rect class=\"m0\"").count(), 3, "two bars and the key; nothing below");
        assert!(drawn.contains("height=\"220.0\"><title>4</title>"));
        assert_eq!(square(&[1.0, 0.0, 0.5, 0.01], "head").matches("<rect").count(), 2);
        assert!(intervals(&[], "none").ends_with("</svg>") && bars(&[], "none").ends_with("</svg>"));
    }
}
