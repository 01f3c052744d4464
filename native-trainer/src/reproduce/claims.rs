//! What the paper claims, as data, and how each claim fares here.

use bert_xml_core::metrics::Interval;
use serde::{Deserialize, Serialize};

use super::known::Known;
use super::rows::RowId;

/// How a claim fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every difference that it needs has an interval on its side.
    Confirmed,
    /// A difference has an interval on the other side.
    NotConfirmed,
    /// An interval holds 0.
    Inconclusive,
    /// The data were made so that it holds.
    ByConstruction,
    /// These data or this scale cannot carry it.
    NotApplicable,
    /// A row that it needs is not done.
    Open,
}

impl Verdict {
    /// For people.
    pub fn printed(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotConfirmed => "not confirmed",
            Self::Inconclusive => "inconclusive",
            Self::ByConstruction => "by construction",
            Self::NotApplicable => "not applicable",
            Self::Open => "open",
        }
    }
}

/// A claim, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// A word for it.
    pub id: String,
    /// What is claimed.
    pub claim: String,
    /// The paper's numbers; `—` where we know none.
    pub paper: String,
    /// Ours.
    pub ours: String,
    /// The difference that decided, with its interval.
    pub difference: Option<Interval>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where the numbers do not say it.
    pub why: String,
}

/// Which codes a comparison is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    All,
    Rare,
}

/// What decides a claim.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// The first of each pair has the greater macro AUC.
    Above(&'static [(RowId, RowId)], Over),
    /// Every encoder of the paper is above both other models.
    EveryBert,
    /// The last row is above the better of rows 1 and 2, on rare codes.
    RareCodes,
    /// From all codes to the rare ones the best other model falls and the best encoder rises.
    RareTrend,
    /// The first is above the second by no more than .005.
    NoMore(RowId, RowId),
    /// Words a note that a vocabulary does not hold.
    Words,
    /// What the longer window costs.
    Cost,
    /// Codes with an AUC of .98 or more.
    WellFound,
    /// Codes are told from those of their own category less well.
    Siblings,
    /// The last layer has local and global heads.
    Heads,
    /// Where labels start as descriptions, dev AUC gets to where it gets otherwise in half of the steps.
    Start,
    /// Evidence lies where the hospital says it does.
    Evidence,
    /// The widest interval.
    Width,
}

pub(super) struct Claim {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
    pub(super) paper: &'static str,
    pub(super) ask: Ask,
    /// Whether it is about the length of notes.
    pub(super) long: bool,
    /// Why it holds in the synthetic hospital whatever is trained.
    pub(super) constructed: Option<&'static str>,
}

const fn claim(id: &'static str, text: &'static str, paper: &'static str, ask: Ask) -> Claim {
    Claim { id, text, paper, ask, long: false, constructed: None }
}

const CLAIMS: [Claim; 21] = [
    claim("bert", "Every BERT is above logistic regression and multi-head attention", "—", Ask::EveryBert),
    claim(
        "vocabulary",
        "Own vocabulary and pretraining from scratch are above BERT off the shelf",
        ".918 and .925 against .895 and .898",
        Ask::Above(&[("9", "3"), ("9", "4"), ("12", "3"), ("12", "4")], Over::All),
    ),
    claim(
        "further",
        "… and above BERT pretrained further on the same notes",
        ".918 and .925 against .903",
        Ask::Above(&[("9", "5"), ("12", "5")], Over::All),
    ),
    claim("xml-small", "XML is above CLS, small", ".918 → .924", Ask::Above(&[("10", "9")], Over::All)),
    claim("xml-big", "XML is above CLS, big", ".925 → .927", Ask::Above(&[("14", "12")], Over::All)),
    Claim {
        long: true,
        ..claim(
            "longer",
            "1,024 tokens are above 512",
            "—",
            Ask::Above(&[("9", "8"), ("12", "11"), ("14", "13")], Over::All),
        )
    },
    claim(
        "bigger",
        "Big is above small",
        ".918 → .925 (CLS), .924 → .927 (XML)",
        Ask::Above(&[("12", "9"), ("14", "10")], Over::All),
    ),
    claim(
        "rare",
        "On rare codes the best BERT is far above the best other model",
        ".825 → .933",
        Ask::RareCodes,
    ),
    claim(
        "rare-trend",
        "From all codes to the rare ones the best other model falls, the best BERT rises",
        "to .825 and .933",
        Ask::RareTrend,
    ),
    Claim {
        constructed: Some("the hospital's notes are written from the words of ICD-10-CM"),
        ..claim("words", "Fewer words a note are unknown to the own vocabulary", "49.2 → .93", Ask::Words)
    },
    Claim { long: true, ..claim("cost", "1,024 tokens cost 3.5 times as much as 512", "3.5", Ask::Cost) },
    Claim {
        constructed: Some("the hospital's notes name their conditions, whatever the model"),
        ..claim(
            "well-found",
            "A fifth of the codes have an AUC of .98 or more",
            "467 of 2,292",
            Ask::WellFound,
        )
    },
    claim("l1", "An L1 penalty brings logistic regression nothing", "—", Ask::NoMore("1-l1", "1")),
    claim(
        "siblings",
        "Codes of one category are taken for each other",
        "G44.029 at .57, taken for G44.329",
        Ask::Siblings,
    ),
    Claim { long: true, ..claim("heads", "The last layer has local and global heads", "seen", Ask::Heads) },
    claim("start", "Labels that start as their descriptions learn faster", "seen", Ask::Start),
    Claim {
        constructed: Some("the hospital's notes hold the words of their codes"),
        ..claim("evidence", "The attention of a code finds its key terms", "seen", Ask::Evidence)
    },
    claim("width", "Intervals are narrow: the widest", "4e-5", Ask::Width),
    claim(
        "rival",
        "Beyond the paper: a readout of its own a label is above the shared one",
        "no such row",
        Ask::Above(&[("15", "14")], Over::All),
    ),
    claim(
        "ours",
        "Beyond the paper: ours is above big + XML",
        "no such row",
        Ask::Above(&[("16", "14")], Over::All),
    ),
    claim("ours-rare", "… and on rare codes", "no such row", Ask::Above(&[("16", "14")], Over::Rare)),
];

/// Judges all claims.
pub(super) fn judge(known: &Known<'_>) -> Vec<Judgement> {
    CLAIMS.iter().map(|claim| known.judge(claim)).collect()
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
