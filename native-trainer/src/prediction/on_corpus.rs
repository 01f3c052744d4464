//! A trained model judged on a split of a corpus.

use anyhow::Result;
use bert_xml_core::codes::LabelSet;
use bert_xml_core::data::Split;
use bert_xml_core::infer::{Coder, PredictOptions};
use bert_xml_core::metrics::codiesp::Rules;
use bert_xml_core::text::Note;

use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::evaluation::codiesp::{TaskCodes, documents, score};
use crate::evaluation::{Assignment, AucIntervals, Judgement, Outside, judge};
use crate::progress::Unit;

/// Notes that are batched together.
const GROUP: usize = 256;

/// A judgement and the table that it is about.
#[derive(Debug)]
pub struct Judged {
    /// The metrics.
    pub judgement: Judgement,
    /// Row-major `[notes, labels]`. A note without tokens has 0 everywhere.
    pub probabilities: Vec<f32>,
    /// Label indices by note.
    pub gold: Vec<Vec<u32>>,
}

/// Judges a model with its own threshold (tuned on dev when it was trained) or a given one. `codiesp`: its
/// metrics too, over all codes of the notes, whether they are labels or not.
///
/// # Errors
/// A model whose labels are not those of the corpus; a damaged corpus.
pub fn judge_model(
    context: &Context,
    coder: &Coder,
    corpus: &Corpus,
    split: Split,
    threshold: Option<f64>,
    codiesp: Option<(Rules, TaskCodes)>,
) -> Result<Judged> {
    check_labels(coder, corpus)?;
    let labels = coder.labels();
    let mut progress = context.start(&format!("judge {split}"), Some(corpus.count(split)), Unit::Notes);
    let (mut probabilities, mut gold, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    let mut patients: Vec<String> = Vec::new();
    let mut outside = 0;
    let mut notes = corpus.notes(split)?;
    loop {
        let group: Vec<Note> = notes.by_ref().take(GROUP).collect::<Result<_>>()?;
        if group.is_empty() {
            break;
        }
        let count = group.len() as u64;
        probabilities.extend(probabilities_of(coder, &group));
        for note in group {
            let (indices, others) = labels.indices(&note.codes);
            outside += others;
            gold.push(indices);
            codes.push(note.codes);
            patients.push(note.patient_id);
        }
        progress.advance(count);
    }
    progress.finish();
    let cut = threshold.unwrap_or(coder.manifest().threshold);
    let mut judgement = judge(&probabilities, &gold, labels, cut)?;
    judgement.assignment = threshold.map_or(Assignment::of_model(cut), Assignment::given);
    judgement.outside = Outside { gold: outside, predicted: 0 };
    judgement.chronic_imputation = Some(corpus.manifest().chronic_imputation());
    let patients = patients.iter().map(String::as_str);
    judgement.intervals = Some(AucIntervals::new(&probabilities, &gold, labels.len(), patients)?);
    if let Some((rules, task)) = codiesp {
        let ranked = documents(&probabilities, labels, &codes, 0.0);
        let assigned = documents(&probabilities, labels, &codes, cut);
        judgement.codiesp = Some(score(&ranked, &assigned, &task, rules));
    }
    Ok(Judged { judgement, probabilities, gold })
}

fn probabilities_of(coder: &Coder, notes: &[Note]) -> Vec<f32> {
    let labels = coder.labels().len();
    let ids: Vec<Vec<u32>> = notes.iter().map(|note| coder.tokenizer().encode(&note.text).ids).collect();
    let filled: Vec<usize> = (0..ids.len()).filter(|&at| !ids[at].is_empty()).collect();
    let rows: Vec<&[u32]> = filled.iter().map(|&at| ids[at].as_slice()).collect();
    let mut table = vec![0f32; notes.len() * labels];
    if rows.is_empty() {
        return table;
    }
    let found = coder.probabilities_of_tokens(&rows, &PredictOptions::default());
    for (at, row) in filled.into_iter().zip(found.chunks_exact(labels)) {
        table[at * labels..(at + 1) * labels].copy_from_slice(row);
    }
    table
}

/// Checks that a model and a corpus have the same labels.
///
/// # Errors
/// They differ; a code that one of them lacks is named.
pub fn check_labels(coder: &Coder, corpus: &Corpus) -> Result<()> {
    let (model, corpus) = (coder.labels(), corpus.labels());
    let missing = |a: &LabelSet, b: &LabelSet| {
        a.iter().find(|label| b.index(&label.code).is_none()).map(|label| label.code.clone())
    };
    let difference = match (missing(model, corpus), missing(corpus, model)) {
        (None, None) => return Ok(()),
        (Some(code), _) => format!("`{code}` is in the model only"),
        (_, Some(code)) => format!("`{code}` is in the corpus only"),
    };
    Err(hinted(
        format!(
            "label sets do not match: the model has {} codes, the corpus {}; {difference}",
            model.len(),
            corpus.len()
        ),
        "judge it by files instead: `bert-xml predict --top all`, then `evaluate --predictions --gold`",
    ))
}
