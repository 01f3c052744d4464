//! What rows of one encoder share: the own vocabulary, pretrained encoders, and those that the user gives.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::model::Size;
use bert_xml_core::model::hf_folder::{HfBert, is_hf_folder};
use bert_xml_core::text::{Tokenizer, VocabConfig};
use serde_json::json;

use super::Reproduction;
use super::rows::{Given, Start};
use crate::corpus::vocabulary::{learn, open_vocabulary};
use crate::files::{FolderInTheMaking, sha256_of};
use crate::train::adamw::OptimizerSettings;
use crate::train::pretrain::{PretrainInput, pretrain};
use crate::train::run::Run;
use crate::train::settings::PretrainSettings;
use crate::train::tokens::{TokenizedSplit, tokenize};

/// An encoder to fine-tune, or why there is none.
pub(super) enum Found {
    /// It is here.
    Encoder(Box<HfBert>),
    /// The user gave none.
    NotGiven(String),
}

impl Reproduction<'_> {
    /// The own vocabulary, learnt once.
    pub(super) fn vocabulary(&self) -> Result<Tokenizer> {
        let folder = self.place.at("vocab");
        if folder.is_dir() {
            return open_vocabulary(&folder, false);
        }
        self.say("vocabulary");
        let config = VocabConfig { size: self.shapes.vocab, ..VocabConfig::default() };
        let corpus = &self.corpus;
        let texts = corpus.notes(Split::Train)?.map(|note| Ok(note?.text));
        let (tokenizer, _) = learn(self.context, texts, Some(corpus.count(Split::Train)), &config)?;
        let making = FolderInTheMaking::start(&folder)?;
        for (name, content) in
            [("tokenizer.json", tokenizer.to_json()?), ("vocab.txt", tokenizer.to_vocab_txt())]
        {
            let path = making.path().join(name);
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        }
        making.finish()?;
        Ok(tokenizer)
    }

    /// The folder of an encoder that the user gives, if he does.
    pub(super) fn given(&self, given: Given) -> Option<&PathBuf> {
        match given {
            Given::Bert => self.settings.bert.as_ref(),
            Given::Biobert => self.settings.biobert.as_ref(),
            Given::Discharge => self.settings.discharge_bert.as_ref(),
        }
    }

    /// The encoder that a row starts from; pretrained here where it must be.
    pub(super) fn encoder(&mut self, start: Start) -> Result<Found> {
        let given = match start {
            Start::Given(given) | Start::Further(given) => {
                let Some(folder) = self.given(given) else {
                    return Ok(Found::NotGiven(format!("no such encoder was given ({})", given.flag())));
                };
                let mut bert = HfBert::read(folder)?;
                // The paper lengthens the off-the-shelf encoder in the same way: new positions are random.
                let positions = bert.config.max_position_embeddings.max(self.shapes.long);
                bert.extend_positions(positions, self.context.seed)?;
                Some((given, bert))
            }
            Start::Small | Start::Big => None,
        };
        let (name, size, begin) = match (start, given) {
            (Start::Given(_), Some((_, bert))) => return Ok(Found::Encoder(Box::new(bert))),
            (Start::Further(_), Some((given, bert))) => {
                (format!("{}-further", given.word()), self.shapes.big, Some(bert))
            }
            (Start::Small, _) => ("small".to_owned(), self.shapes.small, None),
            _ => ("big".to_owned(), self.shapes.big, None),
        };
        let encoder = self.pretrained(&name, size, begin)?;
        Ok(Found::Encoder(Box::new(HfBert::read(&encoder)?)))
    }

    /// Pretrains an encoder, or finds it done; its folder.
    fn pretrained(&mut self, name: &str, size: Size, start: Option<HfBert>) -> Result<PathBuf> {
        let folder = self.place.at("encoders").join(name);
        let encoder = folder.join("encoder");
        if is_hf_folder(&encoder) {
            return Ok(encoder);
        }
        self.say(&format!("pretraining {name}"));
        let budget = self.shapes.pretrain;
        let positions = start.as_ref().map_or(self.shapes.long, |start| start.config.max_position_embeddings);
        let settings = PretrainSettings {
            size,
            max_positions: positions,
            max_len: self.shapes.long,
            epochs: budget.epochs,
            max_steps: budget.max_steps,
            batch: budget.batch,
            optimizer: OptimizerSettings { learning_rate: budget.rate, ..OptimizerSettings::default() },
            ..PretrainSettings::default()
        };
        let tokenizer = match &start {
            Some(start) => start.tokenizer.clone(),
            None => self.vocabulary()?,
        };
        let inputs = self.inputs(&tokenizer, name)?;
        self.tokens(&tokenizer)?;
        let mut run = Run::start(&folder, "pretrain", &settings, inputs, true)?;
        let [train, dev] = &self.tokenized.as_ref().expect("just made").1;
        let input = PretrainInput { train, dev, tokenizer: &tokenizer, start };
        pretrain(self.context, &settings, input, &mut run, self.device.clone())?;
        Ok(encoder)
    }

    /// What a run is made from, for its provenance.
    pub(super) fn inputs(&self, tokenizer: &Tokenizer, encoder: &str) -> Result<serde_json::Value> {
        Ok(json!({
            "seed": self.context.seed, "corpus": self.corpus.digest(),
            "vocabulary": sha256_of(tokenizer.to_json()?.as_bytes()), "encoder": encoder,
        }))
    }

    /// Training and dev notes as tokens, kept until another vocabulary is asked for.
    pub(super) fn tokens(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        let digest = sha256_of(tokenizer.to_json()?.as_bytes());
        if self.tokenized.as_ref().is_none_or(|(of, _)| *of != digest) {
            let of =
                |split| -> Result<TokenizedSplit> { tokenize(self.context, &self.corpus, split, tokenizer) };
            self.tokenized = Some((digest, [of(Split::Train)?, of(Split::Dev)?]));
        }
        Ok(())
    }
}
