//! What the figures show, computed once from the best XML row that is done: masked words and their predictions, the
//! attention of a code over a note, the heads of the last layer; and how well evidence lies.
//!
//! Figures that show a note are made of the synthetic hospital's alone: others' notes are not ours to print.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use bert_xml_core::data::{Purpose, mask_tokens, pad_windows, stream};
use bert_xml_core::model::Inputs;
use bert_xml_core::model::hf_folder::{HfBert, is_hf_folder};
use bert_xml_core::text::{Note, TokenSpan, build_window};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::Reproduction;
use super::corpus::judged_split;
use super::evidence::{CodeAttention, EvidenceQuality, judge_evidence};
use super::place::read_json;
use super::suite::Suite;
use crate::corpus::vocabulary::compare;
use crate::files::write_atomic;
use crate::prediction::ModelPlace;
use crate::prediction::open::open_coder;

const FILE: &str = "figures.json";
/// Rows whose model the figures are of, the first that is done.
const MODELS: [&str; 4] = ["14", "13", "10", "10-random"];
/// Tokens of Figure 1.
const MASKED_TOKENS: usize = 60;
/// Guesses a masked word.
const GUESSES: usize = 3;
/// Cells along each side of a head's picture.
const CELLS: usize = 24;
/// Tokens on either side that count as near.
const NEAR: usize = 4;
/// Notes whose evidence is judged, at most.
const EVIDENCE_NOTES: usize = 60;

/// What the figures show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The row whose model it is.
    pub row: String,
    /// Figure 1: words in order; a masked one with its guesses.
    pub masked: Vec<MaskedWord>,
    /// Figure 3.
    pub attention: Option<CodeAttention>,
    /// Figure 4: heads of the last layer.
    pub heads: Vec<HeadPicture>,
    /// Tokens of the note of Figure 4.
    pub tokens: usize,
    /// How well evidence lies on gold mentions.
    pub evidence: Option<EvidenceQuality>,
    /// Words a note that a given vocabulary and the own one do not hold whole.
    pub unknown_words: Option<[f64; 2]>,
}

/// A word of Figure 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedWord {
    /// The word that stood there.
    pub word: String,
    /// If it was masked: guesses with their probabilities, by falling probability.
    pub guesses: Vec<(String, f32)>,
}

/// A head over a long note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadPicture {
    /// From 1.
    pub head: usize,
    /// `local`, `global` or `mixed`.
    pub kind: String,
    /// Share of the attention within four tokens.
    pub near: f64,
    /// Entropy of the attention over its greatest possible value.
    pub spread: f64,
    /// Mean attention, `[24, 24]`, of a token (down) to others (across), each row's greatest 1.
    pub cells: Vec<f32>,
}

impl Reproduction<'_> {
    /// The figures' content, as far as it is there.
    pub(super) fn known_figures(&self) -> Result<Option<Figures>> {
        let path = self.place.at(FILE);
        if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// Computes the figures, unless those of the same row are there.
    pub(super) fn figures(&mut self) -> Result<()> {
        let done = |id: &&&str| self.place.at(&format!("rows/{id}/outcome.json")).is_file();
        let Some(&row) = MODELS.iter().find(done) else { return Ok(()) };
        if self.known_figures()?.is_some_and(|known| known.row == row) {
            return Ok(());
        }
        self.say("figures");
        let model = self.place.at(&format!("rows/{row}/run"));
        let coder = open_coder(&model, self.context.device)?;
        let notes: Vec<Note> = self
            .corpus
            .notes(judged_split(self.settings.suite))?
            .take(EVIDENCE_NOTES)
            .collect::<Result<_>>()?;
        let mut figures =
            Figures { row: row.to_owned(), unknown_words: self.unknown_words()?, ..Figures::default() };
        if let Some(note) = notes.iter().max_by_key(|note| note.text.len()) {
            (figures.heads, figures.tokens) = self.heads(&model, &note.text)?;
        }
        if self.settings.suite == Suite::Cohort {
            let gold = self.mentions(&notes)?;
            if let Some(note) = notes.iter().find(|note| note.text.len() > 400) {
                figures.masked = self.masked(&note.text)?;
            }
            (figures.evidence, figures.attention) = judge_evidence(&coder, &notes, &gold);
        }
        let json = serde_json::to_string_pretty(&figures)? + "\n";
        write_atomic(&self.place.at(FILE), json.as_bytes())
    }

    /// Words a note of the judged split that are not whole tokens: in the vocabulary of the given BERT, in the own.
    fn unknown_words(&self) -> Result<Option<[f64; 2]>> {
        let Some(bert) = &self.settings.bert else { return Ok(None) };
        let (other, own) = (HfBert::read(bert)?.tokenizer, self.vocabulary()?);
        let texts = self.corpus.notes(judged_split(self.settings.suite))?.map(|note| Ok(note?.text));
        let counts = compare(self.context, texts, None, &[&other, &own])?;
        Ok(counts[0].per_note().zip(counts[1].per_note()).map(|(other, own)| [other, own]))
    }

    /// Figure 1: words of a note hidden from the pretrained big encoder (or the small one), and what it guesses.
    fn masked(&self, text: &str) -> Result<Vec<MaskedWord>> {
        let folders = ["big", "small"].map(|name| self.place.at("encoders").join(name).join("encoder"));
        let Some(folder) = folders.iter().find(|folder| is_hf_folder(folder)) else { return Ok(Vec::new()) };
        let bert = HfBert::read(folder)?;
        let tokenizer = bert.tokenizer.clone();
        let device = self.device.0.clone();
        let ids = tokenizer.encode(text).ids;
        let count = ids.len().min(MASKED_TOKENS);
        let special = tokenizer.special();
        let window = build_window(&ids, TokenSpan::new(0, count), &special);
        let mut batch = pad_windows(&[window], &special, 1, count + 2);
        let before = batch.ids.clone();
        let mut random = stream(self.context.seed, Purpose::Masking, [u64::MAX, 0]);
        let masked = mask_tokens(&mut batch, &special, tokenizer.vocab_size(), &mut random);
        // All of them are hidden here: the picture is of guesses.
        masked.positions.iter().for_each(|&at| batch.ids[at as usize] = special.mask);
        let (model, _) = bert.into_pretrain(&device)?;
        let inputs = Inputs::new(&batch, &device);
        let places: Vec<i32> = masked.positions.iter().map(|&at| at as i32).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [masked.positions.len()]), &device);
        let (logits, _) = model.forward(inputs.ids, inputs.segments, inputs.keep, places);
        let vocab = logits.dims()[1];
        let probabilities: Vec<f32> =
            softmax(logits, 1).into_data().try_to_vec().context("reading guesses")?;
        let token = |id: u32| tokenizer.token(id).unwrap_or_default().to_owned();
        let mut guesses: HashMap<u32, Vec<(String, f32)>> = HashMap::new();
        for (&at, row) in masked.positions.iter().zip(probabilities.chunks_exact(vocab)) {
            let mut order: Vec<usize> = (0..vocab).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            let best = order.into_iter().take(GUESSES).map(|id| (token(id as u32), row[id]));
            guesses.insert(at, best.collect());
        }
        let words = before.iter().enumerate().skip(1).take(count);
        Ok(words
            .map(|(at, &id)| MaskedWord {
                word: token(id),
                guesses: guesses.remove(&(at as u32)).unwrap_or_default(),
            })
            .collect())
    }

    /// Figure 4: the heads of the last layer over the first window of a note.
    fn heads(&self, model: &std::path::Path, text: &str) -> Result<(Vec<HeadPicture>, usize)> {
        let bert = ModelPlace::read_encoder(model)?;
        let (config, tokenizer) = (bert.config.clone(), bert.tokenizer.clone());
        let device: Device = self.device.0.clone();
        let ids = tokenizer.encode(text).ids;
        let count = ids.len().min(self.shapes.long - 2);
        let window = build_window(&ids, TokenSpan::new(0, count), &tokenizer.special());
        let batch = pad_windows(&[window], &tokenizer.special(), 1, count + 2);
        let encoder = bert.into_encoder(&device)?;
        let inputs = Inputs::new(&batch, &device);
        let last = encoder.layers.len() - 1;
        let hidden = encoder.forward_first(inputs.ids, inputs.segments, inputs.keep, last);
        let (seq, heads) = (batch.seq, config.num_attention_heads);
        let d_head = config.hidden_size / heads;
        let split = |x: Tensor<3>| x.reshape([seq, heads, d_head]).swap_dims(0, 1); // [heads, seq, d_head]
        let attention = &encoder.layers[last].attention;
        let (query, key) = (attention.query.forward(hidden.clone()), attention.key.forward(hidden));
        let scores = split(query).matmul(split(key).transpose()).div_scalar((d_head as f64).sqrt());
        let table: Vec<f32> = softmax(scores, 2).into_data().try_to_vec().context("reading attention")?;
        let pictures = table.chunks_exact(seq * seq).enumerate();
        Ok((pictures.map(|(head, table)| picture(head + 1, table, seq)).collect(), count))
    }
}

/// A head's measure and its picture. Local: more than half of the attention within four tokens. Global: no more near
/// than an even spread would have twice, and an entropy above .7 of the greatest possible.
fn picture(head: usize, attention: &[f32], seq: usize) -> HeadPicture {
    let (mut near, mut entropy) = (0.0, 0.0);
    let side = CELLS.min(seq);
    let mut cells = vec![0f32; side * side];
    for (row, weights) in attention.chunks_exact(seq).enumerate() {
        for (column, &weight) in weights.iter().enumerate() {
            let weight = f64::from(weight);
            near += if row.abs_diff(column) <= NEAR { weight } else { 0.0 };
            entropy -= if weight > 0.0 { weight * weight.ln() } else { 0.0 };
            cells[row * side / seq * side + column * side / seq] += weight as f32;
        }
    }
    for row in cells.chunks_exact_mut(side) {
        let most = row.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        row.iter_mut().for_each(|cell| *cell /= most);
    }
    let (near, spread) = (near / seq as f64, entropy / seq as f64 / (seq as f64).ln().max(1e-9));
    let even = (2 * NEAR + 1) as f64 / seq as f64;
    let kind = match () {
        () if near > 0.5 => "local",
        () if near <= 2.0 * even && spread > 0.7 => "global",
        () => "mixed",
    };
    HeadPicture { head, kind: kind.into(), near, spread, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_named_by_where_they_look() {
        let seq = 40;
        let table = |of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            (0..seq * seq).map(|at| of(at / seq, at % seq)).collect()
        };
        let itself = picture(1, &table(&|row, column| f32::from(u8::from(row == column))), seq);
        assert_eq!((itself.kind.as_str(), itself.near, itself.spread), ("local", 1.0, 0.0));
        let even = picture(2, &table(&|_, _| 1.0 / 40.0), seq);
        assert_eq!(even.kind, "global");
        assert!((even.spread - 1.0).abs() < 1e-6 && even.cells.len() == CELLS * CELLS);
        let first = picture(3, &table(&|_, column| f32::from(u8::from(column == 0))), seq);
        assert_eq!(first.kind, "mixed", "one far token is neither");
        assert_eq!(first.cells[CELLS * 5], 1.0);
    }
}
