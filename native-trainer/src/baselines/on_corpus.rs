//! A baseline from a corpus: train on train, tune the threshold on dev, judge a split.

use std::time::Instant;

use anyhow::Result;
use bert_xml_core::codes::LabelSet;
use bert_xml_core::data::Split;
use bert_xml_core::metrics::codiesp::Rules;

use super::{SparseRows, constant, logistic, one_vs_rest, stochastic, tfidf};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::evaluation::codiesp::{TaskCodes, documents, score};
use crate::evaluation::{
    Assignment, AucIntervals, Judgement, Outside, PredictedCode, PredictedNote, judge, tune,
};
use crate::progress::Unit;

/// Which baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Training prevalence of each code for every note.
    Constant,
    /// TF-IDF and one logistic regression a code.
    Tfidf(tfidf::Settings, logistic::Settings),
    /// Words, by stochastic gradients.
    Words(tfidf::Settings, stochastic::Penalty),
}

impl Kind {
    /// Plain bags of words, as the paper's first row: with the L2 penalty that libraries have unasked, or an
    /// L1 penalty in its place, both at scikit-learn's `C` = 1.
    pub fn bags_of_words(l1: bool) -> Self {
        let features = tfidf::Settings { pairs: false, counts: true, ..tfidf::Settings::default() };
        Self::Words(features, if l1 { stochastic::Penalty::L1 } else { stochastic::Penalty::VANILLA })
    }
}

/// What a baseline came to on one split.
#[derive(Debug)]
pub struct Outcome {
    /// Its metrics.
    pub judgement: Judgement,
    /// Probabilities of the split's notes, `[notes, labels]`.
    pub probabilities: Vec<f64>,
    /// Ids of the split's notes.
    pub note_ids: Vec<String>,
    /// What was fitted, for people.
    pub remark: String,
}

/// The notes of a split: texts only where they are asked for.
#[derive(Default)]
struct Notes {
    ids: Vec<String>,
    patients: Vec<String>,
    texts: Vec<String>,
    /// Label indices.
    gold: Vec<Vec<u32>>,
    /// All codes, labels or not.
    codes: Vec<Vec<String>>,
    outside: usize,
}

/// Trains and judges. `threshold`: instead of the one tuned on dev. `codiesp`: its metrics too, over all
/// gold codes of the notes, whether they are labels or not.
///
/// # Errors
/// A damaged corpus; no training note; no dev note with a label to tune the threshold on.
pub fn run(
    context: &Context,
    corpus: &Corpus,
    kind: Kind,
    split: Split,
    threshold: Option<f64>,
    codiesp: Option<(Rules, TaskCodes)>,
) -> Result<Outcome> {
    let labels = corpus.labels();
    let mut builder = tfidf::Builder::default();
    let with_text = kind != Kind::Constant;
    let train = read(context, corpus, Split::Train, |text| {
        if with_text {
            builder.add(text);
        }
        None
    })?;
    let keep = |text: &str| with_text.then(|| text.to_owned());
    let judged = read(context, corpus, split, keep)?;
    let dev = if split == Split::Dev || threshold.is_some() {
        Notes::default()
    } else {
        read(context, corpus, Split::Dev, keep)?
    };
    let (tables, remark) = predict(context, kind, builder, &train, labels.len(), [&judged, &dev])?;
    let [probabilities, dev_probabilities] = tables;
    let assignment = match threshold {
        Some(threshold) => Assignment::given(threshold),
        None if split == Split::Dev => tune(&probabilities, &judged.gold, labels.len())?,
        None => tune(&dev_probabilities, &dev.gold, labels.len())
            .map_err(|error| hinted(format!("{error:#}"), "give --threshold P"))?,
    };
    let cut = assignment.threshold.unwrap_or(0.5);
    let mut judgement = judge(&probabilities, &judged.gold, labels, cut)?;
    judgement.assignment = assignment;
    judgement.outside = Outside { gold: judged.outside, predicted: 0 };
    judgement.chronic_imputation = Some(corpus.manifest().chronic_imputation());
    let patients = judged.patients.iter().map(String::as_str);
    judgement.intervals = Some(AucIntervals::new(&probabilities, &judged.gold, labels.len(), patients)?);
    if let Some((rules, task)) = codiesp {
        let ranked = documents(&probabilities, labels, &judged.codes, 0.0);
        let assigned = documents(&probabilities, labels, &judged.codes, cut);
        judgement.codiesp = Some(score(&ranked, &assigned, &task, rules));
    }
    Ok(Outcome { judgement, probabilities, note_ids: judged.ids, remark })
}

fn read(
    context: &Context,
    corpus: &Corpus,
    split: Split,
    mut keep: impl FnMut(&str) -> Option<String>,
) -> Result<Notes> {
    let mut progress = context.start(&format!("read {split}"), Some(corpus.count(split)), Unit::Notes);
    let mut notes = Notes::default();
    for note in corpus.notes(split)? {
        let note = note?;
        let (gold, outside) = corpus.labels().indices(&note.codes);
        notes.outside += outside;
        notes.gold.push(gold);
        notes.texts.extend(keep(&note.text));
        if split != Split::Train {
            notes.ids.push(note.note_id);
            notes.patients.push(note.patient_id);
            notes.codes.push(note.codes);
        }
        progress.advance(1);
    }
    progress.finish();
    Ok(notes)
}

fn predict(
    context: &Context,
    kind: Kind,
    builder: tfidf::Builder,
    train: &Notes,
    labels: usize,
    others: [&Notes; 2],
) -> Result<([Vec<f64>; 2], String)> {
    anyhow::ensure!(!train.gold.is_empty(), "the corpus has no training notes");
    let start = Instant::now();
    let features = match kind {
        Kind::Constant => {
            let row = constant::prevalence(&train.gold, labels);
            let row: Vec<f64> = row.into_iter().map(one_vs_rest::nine_digits).collect();
            let tables = others.map(|notes| constant::predict(&row, notes.gold.len()));
            return Ok((tables, "Constant: each code's share of the training notes.".into()));
        }
        Kind::Tfidf(features, _) | Kind::Words(features, _) => features,
    };
    let (model, rows) = builder.finish(features);
    let others: [SparseRows; 2] = others.map(|notes| model.transform(&notes.texts));
    let vectorised = start.elapsed().as_secs_f64();
    let mut progress = context.start("regressions", Some(labels as u64), Unit::Codes);
    let others = [&others[0], &others[1]];
    let regression = match kind {
        Kind::Words(_, penalty) => {
            let all = rows.rows();
            let settings =
                stochastic::Settings { penalty, ..stochastic::Settings::for_notes(all, context.seed) };
            let tables =
                stochastic::fit_and_predict(&rows, &train.gold, labels, settings, &others, &mut progress);
            progress.finish();
            let remark = format!(
                "Bags of words: {all} notes, {} words, {vectorised:.1} s. {labels} regressions, {} passes, penalties L1 \
                 {} and L2 {}, {:.1} s.",
                rows.width(),
                settings.epochs,
                penalty.l1,
                penalty.l2,
                start.elapsed().as_secs_f64() - vectorised,
            );
            return Ok((<[Vec<f64>; 2]>::try_from(tables).expect("a table for each of the two"), remark));
        }
        Kind::Tfidf(_, regression) => regression,
        Kind::Constant => unreachable!("returned above"),
    };
    let (tables, fitted) =
        one_vs_rest::fit_and_predict(&rows, &train.gold, labels, regression, &others, &mut progress);
    progress.finish();
    let remark = format!(
        "TF-IDF: {} notes, {} features, {vectorised:.1} s. {} regressions, {} Newton steps, {:.1} s; \
         {} codes without one kind of note; {} stopped above the tolerance.",
        rows.rows(),
        rows.width(),
        fitted.codes,
        fitted.steps,
        start.elapsed().as_secs_f64() - vectorised,
        fitted.constant,
        fitted.unfinished
    );
    let tables = <[Vec<f64>; 2]>::try_from(tables).expect("a table for each of the two");
    Ok((tables, remark))
}

/// Label indices by falling probability; of equal ones the lower first.
fn ranking(row: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order
}

impl Outcome {
    /// The `top` codes of each note.
    pub fn predictions<'a>(
        &'a self,
        labels: &'a LabelSet,
        top: usize,
    ) -> impl Iterator<Item = PredictedNote> + 'a {
        let cut = self.judgement.assignment.threshold.unwrap_or(0.5);
        let rows = self.probabilities.chunks_exact(labels.len());
        rows.zip(&self.note_ids).map(move |(row, note_id)| {
            let code = |label: usize| PredictedCode {
                code: labels.labels()[label].code.clone(),
                description: labels.labels()[label].description.clone(),
                probability: row[label],
                assigned: Some(row[label] >= cut),
            };
            PredictedNote {
                note_id: note_id.clone(),
                codes: ranking(row).into_iter().take(top).map(code).collect(),
            }
        })
    }
}
