//! All that a reproduction has to tell, as data: what report.json holds, and report.md and report.html show.

use anyhow::Result;
use bert_xml_core::data::Split;
use bert_xml_core::metrics::{Interval, Report};
use serde::{Deserialize, Serialize};

use super::Reproduction;
use super::claims::{self, Judgement};
use super::corpus::judged_split;
use super::figures::Figures;
use super::known::Known;
use super::outcome::{self, Siblings};
use super::rows::ROWS;
use super::suite::{Scale, Suite};
use super::training::Standing;

/// Codes that Table 4 lists.
const TOP_CODES: usize = 45;
/// Bars of Figure 2.
const BARS: usize = 20;

/// A reproduction as far as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproduced {
    /// The data.
    pub suite: Suite,
    /// The machine.
    pub scale: Scale,
    /// What the notes are.
    pub about: String,
    /// Facts: name and value.
    pub facts: Vec<(String, String)>,
    /// Shapes in place of the paper's: what and what.
    pub shapes: Vec<(String, String)>,
    /// Table 2.
    pub rows: Vec<ToldRow>,
    /// The bands of Table 3 and how many labels each has.
    pub bands: Vec<(String, usize)>,
    /// Codes of fewer training notes are rare.
    pub rare_below: u64,
    /// Table 4.
    pub codes: Vec<ToldCode>,
    /// Every claim.
    pub claims: Vec<Judgement>,
    /// Figures 1, 3 and 4.
    pub figures: Option<Figures>,
    /// The command that made it.
    pub command: String,
}

/// A row of Table 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldRow {
    /// Its number or name.
    pub id: String,
    /// What it is.
    pub name: String,
    /// The paper's micro and macro AUC.
    pub paper: [Option<f64>; 2],
    /// Ours; none where it is not done.
    pub done: Option<DoneRow>,
    /// Why it is not done.
    pub why: String,
}

/// A row that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoneRow {
    /// Micro AUC.
    pub auc_micro: Option<Interval>,
    /// Macro AUC.
    pub auc_macro: Option<Interval>,
    /// Macro AUC of the rare codes, over how many.
    pub rare: Option<(Interval, usize)>,
    /// Macro AUC of each band.
    pub bands: Vec<Option<Interval>>,
    /// Everything else.
    pub report: Report,
    /// Codes against others of their category.
    pub siblings: Option<Siblings>,
    /// Figure 2: codes by AUC, 20 bars from 0 to 1.
    pub distribution: Vec<usize>,
    /// Calibration error after a line fitted on dev.
    pub ece_calibrated: Option<f64>,
    /// What was trained.
    pub trained: String,
    /// Seconds of training and judging.
    pub seconds: f64,
    /// Tokens a second in training.
    pub tokens_per_second: Option<f64>,
    /// Dev AUC by step.
    pub dev_curve: Vec<(u64, f64)>,
}

/// A code of Table 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldCode {
    /// The code.
    pub code: String,
    /// Its description.
    pub description: String,
    /// Training notes.
    pub notes: u64,
    /// AUC of the rows in `Reproduced::code_rows`' order: logistic regression, and the best BERT-XML.
    pub auc: Vec<(String, Option<f64>)>,
}

impl Reproduction<'_> {
    /// Gathers what is done.
    pub(super) fn tell(&self) -> Result<Reproduced> {
        let rare = self.bands.rare(self.shapes.rare_below());
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        for row in &ROWS {
            let standing = self.standing(row)?;
            let why = match &standing {
                Standing::Done(_) => String::new(),
                Standing::NotApplicable(why) => format!("not applicable: {why}"),
                Standing::NotRun => "not done yet".into(),
            };
            let done = standing.outcome().cloned();
            let influences = match &done {
                Some(outcome) => outcome::read_influences(&self.place.row(row.id)?, outcome)?,
                None => None,
            };
            let of_rare = influences.as_ref().and_then(|influences| influences.over(&rare));
            let of_rare = of_rare.and_then(|estimate| Some((estimate.interval()?, estimate.codes)));
            rows.push(ToldRow {
                id: row.id.into(),
                name: row.name.into(),
                paper: row.paper,
                done: done.as_ref().map(|outcome| DoneRow {
                    auc_micro: outcome.auc_micro,
                    auc_macro: outcome.auc_macro,
                    rare: of_rare,
                    bands: outcome.bands.iter().map(|band| band.auc).collect(),
                    report: outcome.report.clone(),
                    siblings: outcome.siblings,
                    distribution: distribution(&outcome.per_code),
                    ece_calibrated: outcome.ece_calibrated,
                    trained: outcome.trained.clone(),
                    seconds: outcome.seconds,
                    tokens_per_second: outcome.tokens.map(|(_, speed)| speed),
                    dev_curve: outcome.dev_curve.clone(),
                }),
                why,
            });
            outcomes.extend(done.map(|outcome| (outcome, influences)));
        }
        let figures = self.known_figures()?;
        let known = Known {
            suite: self.settings.suite,
            scale: self.settings.scale,
            rows: outcomes.iter().map(|(outcome, influences)| (outcome, influences.clone())).collect(),
            rare,
            figures: figures.as_ref(),
        };
        let claims = claims::judge(&known);
        let labels = self.corpus.labels();
        let shown: Vec<_> = ["1", "2", "10", "14"]
            .into_iter()
            .filter_map(|id| outcomes.iter().find(|(outcome, _)| outcome.row == id))
            .collect();
        let codes = labels.iter().zip(self.corpus.label_counts()).take(TOP_CODES).enumerate();
        let codes = codes.map(|(at, (label, &notes))| ToldCode {
            code: label.code.clone(),
            description: label.description.clone(),
            notes,
            auc: shown.iter().map(|(outcome, _)| (outcome.row.clone(), outcome.per_code[at])).collect(),
        });
        let of_band = |band: usize| self.bands.of_label.iter().filter(|&&of| of as usize == band).count();
        let bands = self.bands.all.iter().enumerate().map(|(at, band)| (band.printed(), of_band(at)));
        Ok(Reproduced {
            suite: self.settings.suite,
            scale: self.settings.scale,
            about: self.settings.suite.notes().into(),
            facts: self.facts(),
            shapes: self.shapes.printed().into_iter().map(|(of, is)| (of.to_owned(), is)).collect(),
            rows,
            bands: bands.collect(),
            rare_below: self.shapes.rare_below(),
            codes: codes.collect(),
            claims,
            figures,
            command: self.command(),
        })
    }

    fn facts(&self) -> Vec<(String, String)> {
        let corpus = &self.corpus;
        let counts = |split: Split| {
            let (notes, patients) =
                corpus.manifest().splits.get(&split).map_or((0, 0), |counts| (counts.notes, counts.patients));
            format!("{notes} of {patients} patients")
        };
        let judged = judged_split(self.settings.suite);
        let support: usize = self.notes.gold.iter().map(Vec::len).sum();
        let mean = support as f64 / self.notes.gold.len().max(1) as f64;
        let pair = |name: &str, value: String| (name.to_owned(), value);
        vec![
            pair("Training notes", counts(Split::Train)),
            pair("Development notes", counts(Split::Dev)),
            pair("Judged notes", format!("{} ({judged})", counts(judged))),
            pair("Codes", corpus.labels().len().to_string()),
            pair("Codes a judged note", format!("{mean:.2}")),
            pair("Device", format!("{} ({} threads)", self.device.1, rayon::current_num_threads())),
            pair("Seed", self.context.seed.to_string()),
            pair("Made by", format!("bert-xml {}", env!("CARGO_PKG_VERSION"))),
        ]
    }

    fn command(&self) -> String {
        let settings = self.settings;
        let mut command = format!(
            "bert-xml reproduce --suite {} --scale {} --seed {} --out DIR",
            settings.suite.name(),
            settings.scale.name(),
            self.context.seed
        );
        let given = [
            ("--input", "FILE", &settings.input),
            ("--bert", "HF_DIR", &settings.bert),
            ("--biobert", "HF_DIR", &settings.biobert),
            ("--discharge-bert", "HF_DIR", &settings.discharge_bert),
        ];
        for (flag, value, _) in given.iter().filter(|(_, _, path)| path.is_some()) {
            command += &format!(" {flag} {value}");
        }
        command
    }
}

/// How many codes have an AUC in each of 20 equal stretches from 0 to 1.
fn distribution(per_code: &[Option<f64>]) -> Vec<usize> {
    let mut bars = vec![0; BARS];
    for auc in per_code.iter().flatten() {
        bars[((auc * BARS as f64) as usize).min(BARS - 1)] += 1;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_is_present_is_in_one_bar() {
        let bars = distribution(&[Some(0.0), None, Some(0.5), Some(0.974), Some(1.0), Some(0.999)]);
        assert_eq!((bars[0], bars[10], bars[19], bars.iter().sum::<usize>()), (1, 1, 3, 5));
    }
}
