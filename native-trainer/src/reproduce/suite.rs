//! Which data a reproduction is on, how large it is, and the shapes that this means.

use bert_xml_core::model::{EncoderConfig, Size};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::synth::Length;

/// Data that anyone may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// The synthetic hospital, made here
    Cohort,
    /// Reports of adverse events with MedDRA terms (--input)
    Vaers,
    /// ClinicalTrials.gov records with MeSH conditions, long documents (--input)
    Trials,
    /// CodiEsp's case reports with ICD-10-CM codes (--input)
    Codiesp,
}

impl Suite {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cohort => "cohort",
            Self::Vaers => "vaers",
            Self::Trials => "trials",
            Self::Codiesp => "codiesp",
        }
    }

    /// What the notes are, for the report.
    pub fn notes(self) -> &'static str {
        match self {
            Self::Cohort => {
                "Notes of a synthetic hospital: every patient, note and number was drawn by a program. What it shows \
                 is how the methods compare on it; its scores say nothing about real notes."
            }
            Self::Vaers => {
                "Reports to the US Vaccine Adverse Event Reporting System, with MedDRA terms in place of ICD-10-CM \
                 codes. A report is its own patient. They are short."
            }
            Self::Trials => {
                "Records of ClinicalTrials.gov with MeSH conditions in place of ICD-10-CM codes; their fields \
                 `conditions` and `keywords` are not read. A record is its own patient."
            }
            Self::Codiesp => {
                "CodiEsp's clinical case reports with diagnosis codes, trained on its train part and judged on its \
                 development part, which also chose epochs and thresholds: its scores are a little flattered. A report is its own \
                 patient."
            }
        }
    }

    /// Whether its notes are long enough to tell windows of two lengths apart.
    pub fn has_long_notes(self) -> bool {
        self != Self::Vaers
    }
}

/// How much machine a reproduction may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Minutes on two cores: every step runs, the scores mean little
    Smoke,
    /// About two hours on two cores, with smaller encoders in place of the paper's
    Laptop,
    /// The paper's shapes: a card, and days
    Server,
}

impl Scale {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Laptop => "laptop",
            Self::Server => "server",
        }
    }
}

/// Everything that a scale decides. Kept with the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shapes {
    /// Patients of the synthetic hospital.
    pub patients: u64,
    /// Its codes.
    pub codes: usize,
    /// How long its notes are.
    pub length: Length,
    /// Codes of more than this many training notes are labels. Paper: 1,000. Codes of fewer than twice as many are
    /// its rare ones (757 of 2,292 with fewer than 2,000).
    pub more_than: u64,
    /// In place of the paper's small encoder.
    pub small: Size,
    /// In place of the paper's big encoder.
    pub big: Size,
    /// In place of 512 tokens.
    pub short: usize,
    /// In place of 1,024 tokens.
    pub long: usize,
    /// Tokens of the own vocabulary. Paper: 20,000.
    pub vocab: usize,
    /// How encoders are pretrained.
    pub pretrain: Budget,
    /// How encoders and heads are fine-tuned.
    pub finetune: Budget,
    /// Largest learning rate of a head, where it has one of its own.
    pub head_rate: Option<f64>,
    /// Factor on labels that start as their descriptions. Paper: 1.
    pub label_init_scale: f64,
    /// The recurrent baseline.
    pub attention: AttentionShape,
}

/// How long and fast something is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Passes over the training notes.
    pub epochs: u64,
    /// Steps after which it stops in any case; 0 for none.
    pub max_steps: u64,
    /// Rows of a step.
    pub batch: usize,
    /// Largest learning rate.
    pub rate: f64,
}

/// The multi-head attention baseline (row 2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionShape {
    /// Dimensions of the word embeddings. Paper: 300.
    pub embedding: usize,
    /// Units of the recurrent layer, both directions together. Paper: 512.
    pub hidden: usize,
    /// Attention heads. Paper: 200.
    pub heads: usize,
    /// Most tokens of a note. Paper: 512.
    pub max_len: usize,
    /// Passes that the embeddings are trained.
    pub embedding_epochs: usize,
    /// How it is trained. Paper: Adam, 1e-5, batch 8, up to 2 epochs.
    pub budget: Budget,
    /// Learning rates that are tried; the best on dev is kept.
    pub rates: Vec<f64>,
}

impl Shapes {
    /// The shapes of a scale.
    pub fn of(scale: Scale) -> Self {
        match scale {
            Scale::Smoke => Self {
                patients: 240,
                codes: 60,
                length: Length::Short,
                more_than: 10,
                small: Size::Nano,
                big: Size::Tiny,
                short: 64,
                long: 128,
                vocab: 2000,
                pretrain: Budget { epochs: 3, max_steps: 100, batch: 16, rate: 1e-3 },
                finetune: Budget { epochs: 4, max_steps: 120, batch: 16, rate: 2e-3 },
                head_rate: Some(5e-3),
                label_init_scale: 0.2,
                attention: AttentionShape {
                    embedding: 32,
                    hidden: 32,
                    heads: 8,
                    max_len: 64,
                    embedding_epochs: 3,
                    budget: Budget { epochs: 2, max_steps: 140, batch: 8, rate: 3e-3 },
                    rates: vec![3e-3],
                },
            },
            Scale::Laptop => Self {
                patients: 1200,
                codes: 300,
                length: Length::Short,
                more_than: 15,
                small: Size::Tiny,
                big: Size::Mini,
                short: 128,
                long: 256,
                vocab: 8000,
                pretrain: Budget { epochs: 4, max_steps: 800, batch: 16, rate: 1e-3 },
                finetune: Budget { epochs: 3, max_steps: 420, batch: 16, rate: 1e-3 },
                head_rate: Some(5e-3),
                label_init_scale: 0.2,
                attention: AttentionShape {
                    embedding: 100,
                    hidden: 96,
                    heads: 32,
                    max_len: 128,
                    embedding_epochs: 5,
                    budget: Budget { epochs: 2, max_steps: 400, batch: 8, rate: 1e-3 },
                    rates: vec![3e-4, 1e-3],
                },
            },
            Scale::Server => Self {
                patients: 200_000,
                codes: 3500,
                length: Length::Normal,
                more_than: 1000,
                small: Size::Small,
                big: Size::Big,
                short: 512,
                long: 1024,
                vocab: 20_000,
                pretrain: Budget { epochs: 2, max_steps: 0, batch: 32, rate: 1e-4 },
                finetune: Budget { epochs: 3, max_steps: 0, batch: 32, rate: 2e-5 },
                head_rate: None,
                label_init_scale: 1.0,
                attention: AttentionShape {
                    embedding: 300,
                    hidden: 512,
                    heads: 200,
                    max_len: 512,
                    embedding_epochs: 5,
                    budget: Budget { epochs: 2, max_steps: 0, batch: 8, rate: 1e-5 },
                    rates: vec![1e-5, 1e-4],
                },
            },
        }
    }

    /// Shapes of another kind of notes: the same machine, another cut.
    #[must_use]
    pub fn on(mut self, suite: Suite, scale: Scale) -> Self {
        let cut = |smoke, laptop, server| match scale {
            Scale::Smoke => smoke,
            Scale::Laptop => laptop,
            Scale::Server => server,
        };
        match suite {
            Suite::Cohort => {}
            Suite::Vaers => self.more_than = cut(500, 99, 49),
            Suite::Trials => self.more_than = cut(40, 9, 4),
            Suite::Codiesp => self.more_than = cut(10, 0, 0),
        }
        self
    }

    /// The ratios to the paper's shapes, a line each.
    pub fn printed(&self) -> Vec<(&'static str, String)> {
        let size = |size: Size| {
            let config = EncoderConfig::of_size(size);
            let (width, layers, heads) =
                (config.hidden_size, config.num_hidden_layers, config.num_attention_heads);
            format!(
                "{layers} layers of {width} units, {heads} heads, {} intermediate",
                config.intermediate_size
            )
        };
        let attention = &self.attention;
        vec![
            ("For the paper's small encoder (8 layers of 512, 8 heads, 2,048)", size(self.small)),
            ("For the paper's big encoder (12 layers of 768, 12 heads, 3,072)", size(self.big)),
            ("For 512 and 1,024 tokens", format!("{} and {}", self.short, self.long)),
            ("For a vocabulary of 20,000", self.vocab.to_string()),
            ("For codes of more than 1,000 training notes", format!("more than {}", self.more_than)),
            ("For rare codes of fewer than 2,000", format!("fewer than {}", self.rare_below())),
            (
                "For embeddings of 300, a recurrent layer of 512 and 200 heads",
                format!("{}, {} and {}", attention.embedding, attention.hidden, attention.heads),
            ),
        ]
    }

    /// Codes with fewer training notes are rare.
    pub fn rare_below(&self) -> u64 {
        2 * self.more_than.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_has_the_papers_shapes() {
        let shapes = Shapes::of(Scale::Server);
        assert_eq!(
            (shapes.small, shapes.big, shapes.short, shapes.long),
            (Size::Small, Size::Big, 512, 1024)
        );
        assert_eq!((shapes.more_than, shapes.rare_below(), shapes.vocab), (1000, 2000, 20_000));
        assert_eq!((shapes.finetune.rate, shapes.finetune.epochs, shapes.head_rate), (2e-5, 3, None));
        assert_eq!((shapes.attention.heads, shapes.attention.embedding), (200, 300));
        for scale in [Scale::Smoke, Scale::Laptop] {
            let scaled = Shapes::of(scale);
            assert!(scaled.long == 2 * scaled.short, "the lengths keep their ratio");
            let width = |size| EncoderConfig::of_size(size).hidden_size;
            assert!(width(scaled.small) < width(scaled.big));
        }
    }
}
