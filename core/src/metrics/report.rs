//! All metrics of one run on one split, for people and for programs.

use serde::{Deserialize, Serialize};

use super::MetricsError;
use super::auc::area_under_curve;
use super::calibration::{BINS, expected_calibration_error};
use super::confusion::at_threshold;
use super::predictions::Predictions;
use super::ranking::ranking;

/// The metrics of [`evaluate`]. An undefined value is `None`, `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// AUC of the pooled cells of the codes present (≥ 1 note with and ≥ 1 without the code).
    pub auc_micro: Option<f64>,
    /// Mean AUC of the codes present.
    pub auc_macro: Option<f64>,
    /// AUC of the pooled cells of all codes; flattered by codes that do not occur.
    pub auc_micro_all: Option<f64>,
    /// Average precision of the pooled cells of the codes present.
    pub auprc_micro: Option<f64>,
    /// Mean average precision of the codes present.
    pub auprc_macro: Option<f64>,
    /// F1 of all codes' pooled counts at `threshold`.
    pub f1_micro: Option<f64>,
    /// Mean F1 at `threshold` of the codes with at least one gold note.
    pub f1_macro: Option<f64>,
    /// Mean share of gold codes among a note's first 5.
    pub p_at_5: Option<f64>,
    /// Mean share of gold codes among a note's first 8.
    pub p_at_8: Option<f64>,
    /// Mean share of gold codes among a note's first 15.
    pub p_at_15: Option<f64>,
    /// Mean precision among as many codes as the note has gold ones (notes with gold).
    pub r_precision: Option<f64>,
    /// Mean over notes with gold of the average precision of their ranking.
    pub map: Option<f64>,
    /// Share of notes whose assigned codes are exactly the gold ones.
    pub exact_match: Option<f64>,
    /// Expected calibration error over all cells, 15 equal-mass bins.
    pub ece: Option<f64>,
    /// Codes with `probability >= threshold` are assigned.
    pub threshold: f64,
    /// Number of notes.
    pub notes: usize,
    /// Number of codes.
    pub codes: usize,
    /// Codes without AUC: in no note's gold, or in every note's.
    pub codes_undefined: usize,
}

/// Judges `probabilities` against `gold`.
///
/// `threshold` comes from [`super::threshold::tune`] on the development split.
///
/// # Shapes
/// `probabilities` row-major `[notes, labels]` after the sigmoid; `gold` a list of label indices a note.
///
/// # Errors
/// Those of [`Predictions::new`], and [`MetricsError::Threshold`] if `threshold` is NaN or infinite.
pub fn evaluate<T>(
    probabilities: &[T],
    gold: &[Vec<u32>],
    labels: usize,
    threshold: f64,
) -> Result<Report, MetricsError>
where
    T: Copy + Into<f64> + PartialOrd + Sync,
{
    if !threshold.is_finite() {
        return Err(MetricsError::Threshold { value: threshold });
    }
    let predictions = Predictions::new(probabilities, gold, labels)?;
    let area = area_under_curve(&predictions);
    let sets = at_threshold(&predictions, threshold);
    let order = ranking(&predictions);
    Ok(Report {
        auc_micro: area.auc_micro,
        auc_macro: area.auc_macro,
        auc_micro_all: area.auc_micro_all,
        auprc_micro: area.auprc_micro,
        auprc_macro: area.auprc_macro,
        f1_micro: sets.f1_micro,
        f1_macro: sets.f1_macro,
        p_at_5: order.p_at_5,
        p_at_8: order.p_at_8,
        p_at_15: order.p_at_15,
        r_precision: order.r_precision,
        map: order.map,
        exact_match: sets.exact_match,
        ece: expected_calibration_error(&predictions, BINS),
        threshold,
        notes: predictions.notes(),
        codes: labels,
        codes_undefined: area.codes_undefined,
    })
}

impl Report {
    /// A Markdown table, one metric a line; undefined values read "undefined".
    pub fn to_markdown(&self) -> String {
        let present = self.codes - self.codes_undefined;
        let rows = [
            (format!("AUC micro ({present} codes present)"), self.auc_micro),
            (format!("AUC macro ({present} codes present)"), self.auc_macro),
            (format!("AUC micro (all {} codes)", self.codes), self.auc_micro_all),
            (format!("AUPRC micro ({present} codes present)"), self.auprc_micro),
            (format!("AUPRC macro ({present} codes present)"), self.auprc_macro),
            ("F1 micro".to_owned(), self.f1_micro),
            ("F1 macro".to_owned(), self.f1_macro),
            ("P@5".to_owned(), self.p_at_5),
            ("P@8".to_owned(), self.p_at_8),
            ("P@15".to_owned(), self.p_at_15),
            ("R-precision".to_owned(), self.r_precision),
            ("MAP".to_owned(), self.map),
            ("Exact match".to_owned(), self.exact_match),
            ("ECE (15 equal-mass bins)".to_owned(), self.ece),
            ("Threshold".to_owned(), Some(self.threshold)),
        ];
        let mut text = String::from("| Metric | Value |\n|---|---:|\n");
        for (name, value) in rows {
            let value = value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
            text.push_str(&format!("| {name} | {value} |\n"));
        }
        for (name, count) in
            [("Notes", self.notes), ("Codes", self.codes), ("Codes without AUC", self.codes_undefined)]
        {
            text.push_str(&format!("| {name} | {count} |\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_values_are_null_and_named() {
        let report = evaluate(&[0.2f32, 0.4], &[vec![], vec![]], 1, 0.5).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["auc_micro"].is_null() && json["map"].is_null());
        assert_eq!((json["exact_match"].as_f64(), json["codes_undefined"].as_u64()), (Some(1.0), Some(1)));
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
        let markdown = report.to_markdown();
        assert!(markdown.contains("| AUC micro (0 codes present) | undefined |"), "{markdown}");
        assert!(markdown.contains("| Exact match | 1.0000 |"), "{markdown}");
    }

    #[test]
    fn a_threshold_is_a_number() {
        let error = evaluate(&[0.2f32], &[vec![]], 1, f64::NAN).unwrap_err();
        assert!(matches!(error, MetricsError::Threshold { .. }));
    }
}
