//! The demo, small: every step for real, in seconds.

use std::fs;
use std::path::Path;

use bert_xml_trainer::commands::demo::{Options, run};
use bert_xml_trainer::context::Context;
use bert_xml_trainer::report::Page;

fn demo(out: &Path) -> anyhow::Result<()> {
    let options = Options { out: out.to_owned(), patients: 60, codes: 20, max_steps: Some(6) };
    run(&Context::default(), &options)
}

#[test]
fn the_story_ends_in_a_report_that_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    demo(&out).unwrap();

    let page: Page = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let models: Vec<&str> = page.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(models, ["xml", "cls", "constant"]);
    for model in &page.models {
        let metrics = &model.metrics;
        assert!(metrics.notes > 10 && metrics.codes > 10, "{}: {metrics:?}", model.id);
        assert!(metrics.auc_micro.is_some_and(|auc| (0.0..=1.0).contains(&auc)), "{}", model.id);
    }
    // The constant guesser ranks within a code like a coin.
    assert_eq!(page.models[2].metrics.auc_macro, Some(0.5));

    assert_eq!(fs::read_to_string(out.join("sample-note.txt")).unwrap(), page.note.text);
    assert_eq!((page.codes.len(), page.planted.len()), (10, 5));
    assert!(
        page.codes.windows(2).all(|pair| pair[0].prediction.probability >= pair[1].prediction.probability)
    );
    let characters: Vec<char> = page.note.text.chars().collect();
    for code in &page.codes {
        assert!(!code.prediction.evidence.is_empty(), "{} has no evidence", code.prediction.code);
        for evidence in &code.prediction.evidence {
            let slice: String = characters[evidence.start..evidence.end].iter().collect();
            assert_eq!(evidence.text, slice);
        }
    }

    let html = fs::read_to_string(out.join("report.html")).unwrap();
    for fetched in ["http://", "https://", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(fetched), "{fetched}");
    }
    for model in &page.models {
        assert!(html.contains(&model.name));
    }
    assert!(html.contains("default-src 'none'"));

    // A demo that runs again replaces the first; a folder that is not a demo's stays.
    fs::write(out.join("mine.txt"), "mine").unwrap();
    let error = demo(&out).unwrap_err().to_string();
    assert!(error.contains("holds mine.txt, which no demo wrote"), "{error}");
    assert!(out.join("report.html").exists());
}
