//! Splits by patient: all notes of a patient fall into one split, and always into the same one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::shown;

/// A part of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Weights, vocabulary and label set come from here.
    Train,
    /// Epochs, thresholds and settings are chosen here.
    Dev,
    /// Judged once.
    Test,
}

impl Split {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Dev, Self::Test];

    /// `train`, `dev` or `test`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is no split; it must be train, dev (or validation, valid, val) or test", shown(.0))]
pub struct SplitError(pub String);

impl FromStr for Split {
    type Err = SplitError;

    fn from_str(word: &str) -> Result<Self, SplitError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "dev" | "development" | "validation" | "valid" | "val" => Ok(Self::Dev),
            "test" => Ok(Self::Test),
            _ => Err(SplitError(word.to_owned())),
        }
    }
}

/// How large the splits are, in percent of the patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Percent of patients in train. Paper: 70.
    pub train: u8,
    /// Percent in dev. Paper: 10.
    pub dev: u8,
    /// Percent in test. Paper: 20.
    pub test: u8,
}

impl Default for Shares {
    fn default() -> Self {
        Self { train: 70, dev: 10, test: 20 }
    }
}

impl Shares {
    /// Whether the three add up to 100.
    pub fn is_valid(self) -> bool {
        u32::from(self.train) + u32::from(self.dev) + u32::from(self.test) == 100
    }

    /// The split of a patient: the first eight bytes of SHA-256(`seed`, `patient_id`), modulo 10,000,
    /// against the shares. The same for every release, platform, order and corpus size.
    ///
    /// # Panics
    /// If the shares do not add up to 100: settings are validated before they come here.
    pub fn split_of(self, patient_id: &str, seed: u64) -> Split {
        assert!(self.is_valid(), "shares must add up to 100");
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(patient_id).finalize();
        let first = <[u8; 8]>::try_from(&digest[..8]).expect("a SHA-256 has 32 bytes");
        let place = u64::from_le_bytes(first) % 10_000;
        if place < 100 * u64::from(self.train) {
            Split::Train
        } else if place < 100 * (u64::from(self.train) + u64::from(self.dev)) {
            Split::Dev
        } else {
            Split::Test
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_and_a_patient_stays_where_they_are() {
        let shares = Shares::default();
        let mut counts = [0usize; 3];
        for patient in 0..20_000 {
            counts[shares.split_of(&format!("p{patient}"), 7) as usize] += 1;
        }
        for (count, percent) in counts.into_iter().zip([70, 10, 20]) {
            assert!(count.abs_diff(200 * percent) < 200, "{counts:?}");
        }
        // Pinned: a change would move patients between the splits of existing corpora.
        let first: Vec<_> = (0..8).map(|i| shares.split_of(&format!("p{i}"), 0).as_str()).collect();
        assert_eq!(first, PINNED);
        assert_eq!(Shares { train: 0, dev: 0, test: 100 }.split_of("x", 1), Split::Test);
    }

    const PINNED: [&str; 8] = ["train", "train", "train", "train", "test", "train", "test", "train"];

    #[test]
    fn words_are_read() {
        assert_eq!("Validation".parse(), Ok(Split::Dev));
        assert_eq!(
            "dve".parse::<Split>().unwrap_err().to_string(),
            "`dve` is no split; it must be train, dev (or validation, valid, val) or test"
        );
    }
}
