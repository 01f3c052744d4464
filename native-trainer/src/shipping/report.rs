//! What an export says of the model that it wrote.

use bert_xml_core::metrics::platt::Choice;
use bert_xml_core::quantization::Precision;
use serde::Serialize;

use super::agreement::{Agreement, Limits};
use super::remedy::{Contribution, Remedy};

/// A stored tensor against the one of training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// How it is stored.
    pub precision: Precision,
    /// Values and scales.
    pub bytes: usize,
    /// Greatest |error| of a weight.
    pub max_error: f64,
    /// Root of the mean squared error.
    pub rms_error: f64,
    /// Root of the mean squared weight, to compare with.
    pub rms_weight: f64,
}

/// How the probabilities were calibrated. ECE is over 15 bins of equal mass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// What was tried.
    #[serde(flatten)]
    pub choice: Choice,
    /// Of the model in f32, its logits' sigmoid.
    pub ece_before: Option<f64>,
    /// Of the shipped model, calibrated.
    pub ece_after: Option<f64>,
}

/// The report: `report.json` and, for people, `report.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShippingReport {
    /// The shipped model's id.
    pub model_id: String,
    /// What was asked for.
    pub precision: Precision,
    /// Bytes of the model's files, this report not counted.
    pub bytes: u64,
    /// Development notes that it is compared on, and those in the split.
    pub dev_notes: (usize, u64),
    /// Development notes in which the tokenizer finds nothing; left out.
    pub without_tokens: usize,
    /// Whether and how the codes that it learnt were imputed; none where the model does not say.
    pub chronic_imputation: Option<String>,
    /// Calibration.
    pub calibration: CalibrationReport,
    /// The threshold, on the calibrated scale; and the one of training, on the scale before.
    pub threshold: (f64, f64),
    /// Against f32, both calibrated alike.
    pub agreement: Agreement,
    /// What it may lose.
    pub limits: Limits,
    /// What goes beyond them.
    pub beyond: Vec<String>,
    /// What was stored finer so that nothing does; none where it was not needed or not asked for.
    pub remedy: Option<Remedy>,
    /// Where something does, or did before the remedy: parts by what they contribute, most first.
    pub contributions: Vec<Contribution>,
    /// Every tensor, in the order of names.
    pub tensors: Vec<TensorReport>,
}

impl ShippingReport {
    /// What standard output gets: everything but the tensors.
    pub fn summary(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
        let Agreement { top, overlap_mean, overlap_min, .. } = self.agreement;
        let change = self.agreement.auc_change();
        let line = match self.calibration.choice.calibration {
            Some(line) => format!("{:?}: sigmoid({} · logit + {})", line.method, line.slope, line.intercept),
            None => "none: the probabilities do best as they are".to_owned(),
        };
        let rows = [
            ("Model id", self.model_id.clone()),
            ("Precision", format!("{:?}", self.precision)),
            ("Size", format!("{:.2} MB", self.bytes as f64 / 1e6)),
            ("Chronic imputation", self.chronic_imputation.clone().unwrap_or_else(|| "not known".to_owned())),
            ("Development notes", format!("{} of {}", self.dev_notes.0, self.dev_notes.1)),
            ("Greatest change of a probability", format!("{:.4}", self.agreement.probability)),
            ("AUC macro in f32", number(self.agreement.auc_macro_f32)),
            ("AUC macro", format!("{} (changed by {})", number(self.agreement.auc_macro), number(change))),
            (
                "First codes that stay",
                format!("{overlap_mean:.2} of {top} on average, {overlap_min} at least"),
            ),
            ("Calibration", line),
            ("ECE before", number(self.calibration.ece_before)),
            ("ECE after", number(self.calibration.ece_after)),
            ("Threshold", format!("{} (before calibration {})", self.threshold.0, self.threshold.1)),
        ];
        let mut text = String::from("| Shipped model | |\n|---|---|\n");
        for (name, value) in rows {
            text += &format!("| {name} | {value} |\n");
        }
        if self.without_tokens > 0 {
            text += &format!("\nNotes without tokens, left out: {}.\n", self.without_tokens);
        }
        if let Some(remedy) = &self.remedy {
            let Remedy { parts, precision, bytes, before, sample, tried, judged } = remedy;
            text += &format!(
                "\nAs asked for it went beyond the limits: a probability changed by {:.4}, {:.2} of {top} codes stayed. \
                 So these parts are in {precision:?} and take {:.2} MB more:\n",
                before.probability,
                before.overlap_mean,
                *bytes as f64 / 1e6
            );
            parts.iter().for_each(|part| text += &format!("- {part}\n"));
            if parts.len() == self.contributions.len() {
                text += "None can stay in integers: it is as good as --quantize f16.\n";
            }
            text += &format!(
                "Found by putting each part alone in integers ({tried} models on the {sample} notes that changed most), \
                 most change a byte first, and judging {judged} on all development notes.\n"
            );
        }
        if self.beyond.is_empty() {
            text += "\nWithin the limits.\n";
        } else {
            text += "\nBEYOND THE LIMITS:\n";
            self.beyond.iter().for_each(|sentence| text += &format!("- {sentence}\n"));
        }
        if !self.contributions.is_empty() {
            text += "\n| Part alone in integers, on the notes that changed most | RMS Δ probability | Greatest | MB more in f16 |\n\
                     |---|---:|---:|---:|\n";
        }
        for Contribution { part, rms, greatest, bytes } in self.contributions.iter().take(5) {
            text += &format!("| {part} | {rms:.5} | {greatest:.4} | {:.2} |\n", *bytes as f64 / 1e6);
        }
        text
    }

    /// `report.md`.
    pub fn to_markdown(&self) -> String {
        let mut text = self.summary();
        text += "\n| Tensor | Size | Stored as | Bytes | Max error | RMS error | RMS weight |\n|---|---|---|---:|---:|---:|---:|\n";
        for tensor in &self.tensors {
            text += &format!(
                "| {} | {} × {} | {:?} | {} | {:.2e} | {:.2e} | {:.2e} |\n",
                tensor.name,
                tensor.shape.0,
                tensor.shape.1,
                tensor.precision,
                tensor.bytes,
                tensor.max_error,
                tensor.rms_error,
                tensor.rms_weight
            );
        }
        text
    }
}
