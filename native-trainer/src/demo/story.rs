//! The steps, in their order.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bert_xml_core::codes::IcdTable;
use bert_xml_core::data::Split;
use bert_xml_core::infer::{Coder, PredictOptions, PredictionRecord};
use bert_xml_core::model::HeadKind;
use bert_xml_core::model::hf_folder::HfBert;
use bert_xml_core::model_folder::ModelFolder;
use bert_xml_core::text::{Note, Tokenizer, VocabConfig};
use burn::tensor::Device;
use serde_json::json;

use super::clock::Clock;
use super::place::Place;
use super::telling::{Told, tell};
use crate::baselines::on_corpus::{self as baseline, Kind};
use crate::context::Context;
use crate::corpus::{Corpus, builtin, prepare, vocabulary};
use crate::device::DeviceChoice;
use crate::evaluation::Judgement;
use crate::files::{FolderInTheMaking, sha256, write_atomic};
use crate::prediction::on_corpus::judge_model;
use crate::report::{Page, page};
use crate::synth::{Hospital, Length, SynthSettings, sample_note, write_hospital};
use crate::train::finetune::{Finetuned, finetune};
use crate::train::outcome::write_model;
use crate::train::pretrain::{PretrainInput, pretrain};
use crate::train::run::Run;
use crate::train::settings::{FinetuneSettings, PretrainSettings, load};
use crate::train::start::FinetuneInput;
use crate::train::tokens::{TokenizedSplit, tokenize};

/// The recipe that all steps follow.
const RECIPE: &str = "demo";
/// A code becomes a label when more training notes than this carry it, in a hospital of full size.
const MORE_THAN: u64 = 15;
/// Patients for each of them in a smaller one.
const PATIENTS_A_NOTE: u64 = 40;

/// What the demo is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that everything is written to.
    pub out: PathBuf,
    /// Patients of the hospital.
    pub patients: u64,
    /// Its codes.
    pub codes: usize,
    /// Steps after which each training stops, whatever the recipe says.
    pub max_steps: Option<u64>,
}

/// Tells the story and writes `report.html` and `report.json`.
///
/// # Errors
/// A folder that is not a demo's; a hospital that cannot be; whatever a step says;
/// [`crate::error::Interrupted`] after Ctrl-C.
pub fn run(context: &Context, settings: &Settings) -> Result<Page> {
    let table = builtin::icd10cm()?;
    let place = Place::take(&settings.out)?;
    let mut story =
        Story { context, settings, place, clock: Clock::new(context), device: context.device.open()? };
    let corpus = story.corpus(&table)?;
    let tokenizer = story.vocabulary(&corpus)?;
    story.pretrain(&corpus, &tokenizer)?;
    let tokens = story.tokens(&corpus, &tokenizer)?;
    let mut judged = Vec::new();
    for (head, name) in [(HeadKind::Xml, "xml"), (HeadKind::Cls, "cls")] {
        story.finetune(&corpus, &tokenizer, &tokens, head, name)?;
        judged.push(story.judge(&corpus, name)?);
    }
    let constant = story.constant(&corpus)?;
    let (note, prediction) = story.predict(&table)?;
    let Story { place, clock, device, .. } = story;
    let model = ModelFolder::read(&place.finetuned("xml").join("model"))?;
    let [xml, cls] = <[Judgement; 2]>::try_from(judged).expect("one of each head");
    let told = Told {
        note: &note,
        prediction: &prediction,
        model: &model,
        corpus: &corpus,
        table: &table,
        judged: [xml.report, cls.report, constant.report],
        device: device.1.to_string(),
        seed: context.seed,
        out: place.folder(),
        steps: clock.finish(),
    };
    let told = tell(told);
    write_atomic(&place.report_json(), (serde_json::to_string_pretty(&told)? + "\n").as_bytes())?;
    write_atomic(&place.report_html(), page(&told).as_bytes())?;
    Ok(told)
}

/// What every step needs.
struct Story<'a> {
    context: &'a Context,
    settings: &'a Settings,
    place: Place,
    clock: Clock,
    device: (Device, DeviceChoice),
}

impl Story<'_> {
    fn corpus(&mut self, table: &IcdTable) -> Result<Corpus> {
        let (context, place, settings) = (self.context, &self.place, self.settings);
        self.clock.step("Hospital", || {
            let wish =
                SynthSettings { codes: settings.codes, length: Length::Short, ..SynthSettings::default() };
            let hospital = Hospital::new(table, wish, context.seed)?;
            let written = write_hospital(context, &hospital, settings.patients, &place.notes(), None)?;
            let (notes, codes) = (written.summary.notes(), written.summary.codes_per_note());
            Ok((
                (),
                format!("{notes} invented notes of {} patients, {codes:.1} codes a note", settings.patients),
            ))
        })?;
        self.clock.step("Corpus", || {
            let more_than = (settings.patients / PATIENTS_A_NOTE).clamp(1, MORE_THAN);
            let wish = crate::corpus::Settings { more_than, ..Default::default() };
            let corpus = prepare(context, &[place.notes()], &wish, &place.corpus())?;
            let counts = Split::ALL.map(|split| format!("{split} {}", corpus.count(split))).join(", ");
            let labels = corpus.labels().len();
            Ok((corpus, format!("{counts}; {labels} codes in more than {more_than} training notes")))
        })
    }

    fn vocabulary(&mut self, corpus: &Corpus) -> Result<Tokenizer> {
        let (context, place) = (self.context, &self.place);
        self.clock.step("Vocabulary", || {
            let config: VocabConfig = load(RECIPE, "vocab", &[])?;
            let texts = corpus.notes(Split::Train)?.map(|note| Ok(note?.text));
            let (tokenizer, counter) =
                vocabulary::learn(context, texts, Some(corpus.count(Split::Train)), &config)?;
            let folder = FolderInTheMaking::start(&place.vocab())?;
            for (name, content) in
                [("tokenizer.json", tokenizer.to_json()?), ("vocab.txt", tokenizer.to_vocab_txt())]
            {
                let path = folder.path().join(name);
                fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
            }
            folder.finish()?;
            let (tokens, words) = (tokenizer.vocab_size(), counter.distinct());
            Ok((tokenizer, format!("{tokens} tokens of {words} different words")))
        })
    }

    /// What a run is made from, for its provenance.
    fn inputs(&self, corpus: &Corpus) -> Result<serde_json::Value> {
        let vocabulary = sha256(&self.place.vocab().join("tokenizer.json"))?;
        Ok(
            json!({"seed": self.context.seed, "corpus": corpus.digest(), "vocabulary": vocabulary, "recipe": RECIPE}),
        )
    }

    fn pretrain(&mut self, corpus: &Corpus, tokenizer: &Tokenizer) -> Result<()> {
        let inputs = self.inputs(corpus)?;
        let (context, place, device) = (self.context, &self.place, self.device.clone());
        let mut settings: PretrainSettings = load(RECIPE, "pretrain", &[])?;
        settings.max_steps = self.settings.max_steps.unwrap_or(settings.max_steps);
        self.clock.step("Pretraining", || {
            let train = tokenize(context, corpus, Split::Train, tokenizer)?;
            let dev = tokenize(context, corpus, Split::Dev, tokenizer)?;
            let mut run = Run::start(&place.pretrained(), "pretrain", &settings, inputs, false)?;
            let input = PretrainInput { train: &train, dev: &dev, tokenizer, start: None };
            pretrain(context, &settings, input, &mut run, device)?;
            let size = serde_json::to_value(settings.size)?;
            let size = size.as_str().unwrap_or_default();
            let most = match settings.max_steps {
                0 => String::new(),
                steps => format!(", {steps} steps at most"),
            };
            let passes = settings.epochs;
            let outcome =
                format!("a {size} encoder, {passes} passes over the training notes{most}; no codes involved");
            Ok(((), outcome))
        })
    }

    fn tokens(&self, corpus: &Corpus, tokenizer: &Tokenizer) -> Result<[TokenizedSplit; 2]> {
        let of = |split| tokenize(self.context, corpus, split, tokenizer);
        Ok([of(Split::Train)?, of(Split::Dev)?])
    }

    fn finetune(
        &mut self,
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        [train, dev]: &[TokenizedSplit; 2],
        head: HeadKind,
        name: &str,
    ) -> Result<Finetuned> {
        let inputs = self.inputs(corpus)?;
        let (context, place, device) = (self.context, &self.place, self.device.clone());
        let mut settings: FinetuneSettings = load(RECIPE, "finetune", &[])?;
        settings.head = head;
        settings.max_steps = self.settings.max_steps.unwrap_or(settings.max_steps);
        self.clock.step(&format!("Fine-tuning {}", name.to_uppercase()), || {
            let encoder = Some(HfBert::read(&place.pretrained().join("encoder"))?);
            let mut run = Run::start(&place.finetuned(name), "finetune", &settings, inputs, false)?;
            let labels = corpus.labels();
            let input = FinetuneInput { train, dev, tokenizer, labels, encoder };
            let done = finetune(context, &settings, input, &mut run, device)?;
            write_model(&run, &settings, &done, tokenizer, corpus)?;
            let auc = done.dev.as_ref().and_then(|report| report.auc_micro);
            let auc = auc.map_or("undefined".to_owned(), |auc| format!("{auc:.3}"));
            let outcome = format!("the model after pass {} was best on dev: AUC micro {auc}", done.epoch);
            Ok((done, outcome))
        })
    }

    fn coder(&self, name: &str) -> Result<Coder> {
        let folder = ModelFolder::read(&self.place.finetuned(name).join("model"))?;
        Ok(Coder::from_folder(&folder, &self.device.0)?)
    }

    fn judge(&mut self, corpus: &Corpus, name: &str) -> Result<Judgement> {
        let (context, coder) = (self.context, self.coder(name)?);
        self.clock.step(&format!("Judging {}", name.to_uppercase()), || {
            let judged = judge_model(context, &coder, corpus, Split::Test, None, None)?;
            let line = on_test(&judged.judgement);
            Ok((judged.judgement, line))
        })
    }

    fn constant(&mut self, corpus: &Corpus) -> Result<Judgement> {
        let context = self.context;
        self.clock.step("Judging a constant guess", || {
            let outcome = baseline::run(context, corpus, Kind::Constant, Split::Test, None, None)?;
            let line = on_test(&outcome.judgement);
            Ok((outcome.judgement, line))
        })
    }

    /// The codes of a note that is in no split, all of them by falling probability.
    fn predict(&mut self, table: &IcdTable) -> Result<(Note, PredictionRecord)> {
        let (coder, place, seed) = (self.coder("xml")?, &self.place, self.context.seed);
        self.clock.step("Coding a new note", || {
            let (note, _) = sample_note(table, seed)?;
            write_atomic(&place.sample_note(), note.text.as_bytes())?;
            let options = PredictOptions { top: None, ..PredictOptions::default() };
            let prediction = coder.predict(&[&note.text], &options).remove(0)?;
            let record = PredictionRecord::new(&note.note_id, &note.text, &prediction, coder.labels());
            let top: Vec<&str> = record.codes.iter().take(5).map(|code| code.code.as_str()).collect();
            let outcome = format!("{} tokens; first five codes {}", record.tokens, top.join(" "));
            Ok(((note, record), outcome))
        })
    }
}

fn on_test(judgement: &Judgement) -> String {
    let show = |value: Option<f64>| value.map_or("undefined".to_owned(), |value| format!("{value:.3}"));
    let report = &judgement.report;
    format!(
        "test AUC micro {}, macro {}, F1 micro {}, MAP {}",
        show(report.auc_micro),
        show(report.auc_macro),
        show(report.f1_micro),
        show(report.map)
    )
}
