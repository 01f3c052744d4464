//! What came out, as a page.

use std::path::Path;

use bert_xml_core::codes::IcdTable;
use bert_xml_core::data::Split;
use bert_xml_core::infer::PredictionRecord;
use bert_xml_core::metrics::Report;
use bert_xml_core::model_folder::ModelFolder;
use bert_xml_core::text::Note;

use crate::corpus::Corpus;
use crate::report::{Fact, JudgedModel, Page, PlantedCode, ReportedCode, SampleNote, Step};

/// Codes that the page lists.
const SHOWN: usize = 10;

/// All that the page is made from.
pub(super) struct Told<'a> {
    pub(super) note: &'a Note,
    /// Of all codes.
    pub(super) prediction: &'a PredictionRecord,
    pub(super) model: &'a ModelFolder,
    pub(super) corpus: &'a Corpus,
    pub(super) table: &'a IcdTable,
    /// On test: XML, CLS, constant.
    pub(super) judged: [Report; 3],
    pub(super) device: String,
    pub(super) seed: u64,
    pub(super) out: &'a Path,
    pub(super) steps: Vec<Step>,
}

/// Tells it.
pub(super) fn tell(told: Told<'_>) -> Page {
    let (facts, next) = (facts(&told), next(told.out));
    let Told { note, prediction, judged, steps, .. } = told;
    let (codes, planted) = ranked(note, prediction);
    let [xml, cls, constant] = judged;
    let model = |id: &str, name: &str, remark: &str, metrics| JudgedModel {
        id: id.into(),
        name: name.into(),
        remark: remark.into(),
        metrics,
    };
    Page {
        title: "Codes for a clinical note, with the words that speak for them".into(),
        summary: "A model that learnt to assign ICD-10-CM codes from the notes of one small hospital. The hospital is \
                  invented: every patient, note and number of it was drawn by a program, and the scores say nothing \
                  about real notes."
            .into(),
        note: SampleNote {
            note_id: note.note_id.clone(),
            note_type: note.note_type.clone().unwrap_or_default(),
            date: note.date.clone().unwrap_or_default(),
            text: note.text.clone(),
        },
        codes,
        planted,
        models: vec![
            model("xml", "BERT-XML", "one attention query a code", xml),
            model("cls", "BERT + CLS", "one vector for the whole note", cls),
            model("constant", "Constant guess", "each code’s share of the training notes", constant),
        ],
        facts,
        steps,
        next,
    }
}

/// The first codes, and the places of the note's own ones.
fn ranked(note: &Note, prediction: &PredictionRecord) -> (Vec<ReportedCode>, Vec<PlantedCode>) {
    let reported = |code: &bert_xml_core::infer::CodeRecord| ReportedCode {
        prediction: code.clone(),
        planted: note.codes.contains(&code.code),
    };
    let codes = prediction.codes.iter().take(SHOWN).map(reported).collect();
    let planted = note.codes.iter().map(|code| PlantedCode {
        code: code.clone(),
        rank: prediction.codes.iter().position(|found| found.code == *code).map(|at| at + 1),
    });
    (codes, planted.collect())
}

fn facts(told: &Told<'_>) -> Vec<Fact> {
    let (corpus, manifest) = (told.corpus, &told.model.manifest);
    let splits = &corpus.manifest().splits;
    let patients: u64 = splits.values().map(|counts| counts.patients).sum();
    let notes: u64 = splits.values().map(|counts| counts.notes).sum();
    let shares = Split::ALL.map(|split| format!("{split} {}", corpus.count(split))).join(", ");
    let encoder = &manifest.model.encoder;
    let weights: usize = told.model.parameters.values().map(|values| values.data.len()).sum();
    vec![
        Fact::new("Notes", format!("{notes} of {patients} patients ({shares})")),
        Fact::new(
            "Left out",
            format!("{} records (very short, or of a type that is not coded)", corpus.manifest().dropped),
        ),
        Fact::new(
            "Codes",
            format!("{} of ICD-10-CM, release {}", corpus.labels().len(), told.table.release()),
        ),
        Fact::new(
            "Vocabulary",
            format!("{} tokens, learnt from the training notes", told.model.tokenizer.vocab_size()),
        ),
        Fact::new(
            "Encoder",
            format!(
                "{} layers of {} units, {} heads, windows of {} tokens",
                encoder.num_hidden_layers, encoder.hidden_size, encoder.num_attention_heads, manifest.max_len
            ),
        ),
        Fact::new("Weights", format!("{:.2} million", weights as f64 / 1e6)),
        Fact::new(
            "A code is assigned",
            format!("from a probability of {:.3}, tuned on dev", manifest.threshold),
        ),
        Fact::new("Device", format!("{} ({} threads)", told.device, threads())),
        Fact::new("Seed", told.seed),
        Fact::new("Made by", format!("bert-xml {}", env!("CARGO_PKG_VERSION"))),
    ]
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Commands that go on from here.
fn next(out: &Path) -> Vec<String> {
    let at = |name: &str| quoted(&out.join(name).display().to_string());
    vec![
        format!("bert-xml predict --model {} --text {} --top 5", at("xml"), at("sample-note.txt")),
        format!("bert-xml evaluate --model {} --corpus {}", at("xml"), at("corpus")),
        format!(
            "bert-xml baseline --corpus {} --out {}",
            at("corpus"),
            quoted(&format!("{}-tfidf", out.display()))
        ),
        format!(
            "bert-xml export --model {} --out {}",
            at("xml"),
            quoted(&format!("{}-python", out.display()))
        ),
        "bert-xml synth --patients 5000 --codes 1000 --out notes.jsonl.zst".into(),
        "bert-xml prepare --input notes.jsonl.zst --more-than 50 --out corpus".into(),
    ]
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:\\".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::infer::CodeRecord;

    use super::*;

    #[test]
    fn the_notes_own_codes_keep_their_places() {
        let code = |code: &str, probability| CodeRecord {
            code: code.into(),
            description: String::new(),
            probability,
            assigned: false,
            evidence: Vec::new(),
        };
        let all = (0..12).map(|at| code(&format!("C{at}"), 1.0 / (at + 1) as f32));
        let prediction =
            PredictionRecord { note_id: "n".into(), tokens: 1, windows: 1, codes: all.collect() };
        let note = Note { codes: ["C1", "C11", "Z9"].map(str::to_owned).to_vec(), ..Note::default() };
        let (codes, planted) = ranked(&note, &prediction);
        assert_eq!(codes.len(), SHOWN);
        assert_eq!(codes.iter().position(|code| code.planted), Some(1));
        assert_eq!(planted.iter().map(|it| it.rank).collect::<Vec<_>>(), [Some(2), Some(12), None]);
    }

    #[test]
    fn folders_with_spaces_are_quoted() {
        assert_eq!(quoted("out/demo-1"), "out/demo-1");
        assert_eq!(quoted("my demo's"), r"'my demo'\''s'");
    }
}
