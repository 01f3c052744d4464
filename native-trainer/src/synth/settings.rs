//! What the synthetic hospital looks like, and what can be wrong with the wish for one.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How long notes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Median about 150 tokens; nine in ten fit 256 word pieces
    Short,
    /// Median about 500 tokens, some beyond 1,024
    #[default]
    Normal,
}

impl Length {
    /// Tokens (words and punctuation marks) at which half of the full notes aim.
    pub(super) fn median_tokens(self) -> f64 {
        match self {
            Self::Short => 140.0,
            Self::Normal => 560.0,
        }
    }

    /// Spread of the length: the product of eight factors that are drawn from 1..=1+spread and inverted
    /// half of the time, which is log-normal enough and needs no logarithm.
    pub(super) fn spread(self) -> f64 {
        match self {
            Self::Short => 0.15,
            Self::Normal => 0.45,
        }
    }

    /// Chance that a further section names again a condition that the note has named.
    pub(super) fn repetition(self) -> f64 {
        match self {
            Self::Short => 0.2,
            Self::Normal => 0.6,
        }
    }
}

/// Settings of the synthetic hospital. The defaults are ours, chosen by eye; no source gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynthSettings {
    /// Number of different codes, everyday ones first (default 1,000).
    pub codes: usize,
    /// Length of the notes (default normal).
    pub length: Length,
    /// Chance that a documented code is missing from a note's codes (default .03).
    pub missing_code_rate: f64,
    /// Chance that a note carries a code that nothing in it documents (default .02).
    pub extra_code_rate: f64,
    /// Mean number of mentions a full note that give no code: negated, family, past, hypothetical
    /// (default 1.5; twice as many in notes of normal length).
    pub distractors: f64,
    /// Chance that a full note ends with earlier notes of the patient copied forward (default .04; a tenth
    /// of it in short notes).
    pub copy_forward_rate: f64,
    /// A condition of rank r (from 0) is as common as 1 / (r + this): the greater, the more even (default 25).
    pub prevalence_offset: f64,
    /// Share of the notes that tell an outpatient visit in full sentences (default 0).
    pub visit_share: f64,
}

impl Default for SynthSettings {
    fn default() -> Self {
        Self {
            codes: 1000,
            length: Length::Normal,
            missing_code_rate: 0.03,
            extra_code_rate: 0.02,
            distractors: 1.5,
            copy_forward_rate: 0.04,
            prevalence_offset: 25.0,
            visit_share: 0.0,
        }
    }
}

impl SynthSettings {
    /// Checks that each value makes sense.
    ///
    /// # Errors
    /// [`SynthError::Setting`] with field, value and rule.
    pub fn validate(&self) -> Result<(), SynthError> {
        let rates = [
            ("missing_code_rate", self.missing_code_rate),
            ("extra_code_rate", self.extra_code_rate),
            ("copy_forward_rate", self.copy_forward_rate),
            ("visit_share", self.visit_share),
        ];
        for (field, value) in rates {
            if !(0.0..=1.0).contains(&value) {
                return Err(SynthError::Setting { field, value, rule: "a chance lies between 0 and 1" });
            }
        }
        if !(1.0..=1e6).contains(&self.prevalence_offset) {
            let (field, value) = ("prevalence_offset", self.prevalence_offset);
            return Err(SynthError::Setting { field, value, rule: "must be 1 to 1,000,000" });
        }
        if !(0.0..=20.0).contains(&self.distractors) {
            let (field, value) = ("distractors", self.distractors);
            return Err(SynthError::Setting { field, value, rule: "a mean number between 0 and 20" });
        }
        Ok(())
    }
}

/// Why there is no such hospital.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SynthError {
    /// A setting outside its range.
    #[error("{field} = {value}: {rule}")]
    Setting {
        /// The field of [`SynthSettings`].
        field: &'static str,
        /// Its value.
        value: f64,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Fewer or more codes than there can be.
    #[error(
        "{wanted} codes asked for; between 10 and {available} (the billable codes of the table) are possible"
    )]
    Codes {
        /// The number asked for.
        wanted: usize,
        /// The table's billable codes.
        available: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_outside_0_to_1_is_named() {
        let settings = SynthSettings { extra_code_rate: 1.5, ..SynthSettings::default() };
        let error = settings.validate().unwrap_err().to_string();
        assert_eq!(error, "extra_code_rate = 1.5: a chance lies between 0 and 1");
        let settings = SynthSettings { distractors: f64::NAN, ..SynthSettings::default() };
        assert!(settings.validate().is_err());
        assert_eq!(SynthSettings::default().validate(), Ok(()));
    }
}
