use super::*;
use crate::reproduce::evidence::CodeAttention;
use crate::reproduce::figures::{HeadPicture, MaskedWord};
use crate::reproduce::suite::{Scale, Suite};
use crate::reproduce::told::{ToldCode, ToldRow};
use bert_xml_core::metrics::{Interval, evaluate};

fn told() -> Reproduced {
    let interval = Interval { value: 0.9, low: 0.8, high: 0.95 };
    let done = DoneRow {
        auc_micro: Some(interval),
        auc_macro: Some(interval),
        rare: Some((interval, 3)),
        bands: vec![Some(interval), None],
        report: evaluate(&[0.2f32, 0.8], &[vec![], vec![0]], 1, 0.5).unwrap(),
        siblings: None,
        distribution: vec![0, 1],
        ece_calibrated: Some(0.0123),
        trained: "<script>alert(1)</script>".into(),
        seconds: 12.0,
        tokens_per_second: Some(1000.0),
        dev_curve: Vec::new(),
    };
    let row = |id: &str, done: Option<DoneRow>| ToldRow {
        id: id.into(),
        name: "Big <XML>".into(),
        paper: [None, Some(0.927)],
        why: if done.is_some() { String::new() } else { "not done yet".into() },
        done,
    };
    Reproduced {
        suite: Suite::Cohort,
        scale: Scale::Smoke,
        about: "made & drawn".into(),
        facts: vec![("Seed".into(), "1".into())],
        shapes: vec![("For 512".into(), "64".into())],
        rows: vec![row("14", Some(done)), row("15", None)],
        bands: vec![("10 to 19".into(), 3), ("20 to 99".into(), 2)],
        rare_below: 20,
        codes: vec![ToldCode {
            code: "I10".into(),
            description: "a | b".into(),
            notes: 7,
            auc: vec![("14".into(), Some(0.5))],
        }],
        claims: Vec::new(),
        figures: Some(Figures {
            row: "14".into(),
            masked: vec![MaskedWord { word: "<pain>".into(), guesses: vec![("fever".into(), 0.5)] }],
            attention: Some(CodeAttention {
                code: "I10".into(),
                description: "x".into(),
                probability: 0.9,
                pieces: vec![("a <b>".into(), 0.0), ("c".into(), 0.4)],
            }),
            heads: vec![HeadPicture {
                head: 1,
                kind: "local".into(),
                near: 0.7,
                spread: 0.1,
                cells: vec![1.0],
            }],
            tokens: 9,
            evidence: None,
            unknown_words: None,
        }),
        command: "bert-xml reproduce".into(),
    }
}

#[test]
fn the_page_is_closed_fetches_nothing_and_escapes_what_it_shows() {
    let html = page(&told());
    for name in [
        "section", "table", "tbody", "tr", "td", "th", "div", "figure", "svg", "mark", "span", "p", "dl",
        "dd",
    ] {
        let opened = html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
        assert_eq!(opened, html.matches(&format!("</{name}>")).count(), "{name}");
    }
    let lower = html.to_ascii_lowercase();
    for forbidden in ["<script", "src=", "http:", "https:", "url(", "@import", "<link", "<b>", "<pain>"] {
        assert!(!lower.contains(forbidden), "{forbidden}");
    }
    for shown in [
        "Big &lt;XML&gt;",
        ".900 (.800–.950)",
        "not done yet",
        "fever 50 %",
        "Head 1, local",
        "made &amp; drawn",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
}

#[test]
fn the_same_numbers_are_in_markdown() {
    let text = crate::reproduce::markdown::page(&told());
    assert!(text.contains("| 14 | Big <XML> | — / .927 | .900 (.800–.950) | .900 (.800–.950) |"), "{text}");
    assert!(text.contains("| 15 | Big <XML> | — / .927 | not done yet |"));
    assert!(text.contains("| I10 | a \\| b | 7 | .500 |"));
}
