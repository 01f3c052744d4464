//! The slots of the deep hospital's sentences, and the sentences themselves.

use crate::synth::templates::{Banks, SlotName};

/// What a slot stands for; the scene fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Condition,
    Age,
    Sex,
    He,
    HeCapital,
    His,
    HisCapital,
    Medicine,
    Sign,
    Date,
    /// A date that de-identification took out.
    Day,
    /// A year that it took out.
    Year,
    Name,
    Doctor,
    Place,
    Phone,
    Type,
    Side,
    OtherSide,
}

impl SlotName for Slot {
    const CONDITION: Self = Self::Condition;

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "#" => Self::Condition,
            "AGE" => Self::Age,
            "SEX" => Self::Sex,
            "he" => Self::He,
            "He" => Self::HeCapital,
            "his" => Self::His,
            "His" => Self::HisCapital,
            "MED" => Self::Medicine,
            "SIGN" => Self::Sign,
            "DATE" => Self::Date,
            "DAY" => Self::Day,
            "YEAR" => Self::Year,
            "NAME" => Self::Name,
            "DR" => Self::Doctor,
            "PLACE" => Self::Place,
            "PHONE" => Self::Phone,
            "TYPE" => Self::Type,
            "SIDE" => Self::Side,
            "OTHERSIDE" => Self::OtherSide,
            _ => return None,
        })
    }
}

/// Reads all sentences of the deep hospital.
pub(super) fn banks() -> Banks<Slot> {
    Banks::read(&[
        ("mentions.txt", include_str!("sentences/mentions.txt")),
        ("distractors.txt", include_str!("sentences/distractors.txt")),
        ("general.txt", include_str!("sentences/general.txt")),
        ("ancillary.txt", include_str!("sentences/ancillary.txt")),
        ("systems.txt", include_str!("sentences/systems.txt")),
    ])
}

/// Banks whose sentences name a condition.
#[cfg(test)]
pub(super) fn names_a_condition(bank: &str) -> bool {
    let first = bank.split(' ').next().unwrap_or(bank);
    ["present", "negated", "family", "history", "recent", "hypothetical"].contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_of_sentences_can_be_read_and_mentions_name_one_condition() {
        let banks = banks();
        let (mut sentences, mut mentions) = (0, 0);
        for (name, bank) in banks.iter() {
            sentences += bank.len();
            for sentence in bank {
                let wanted = usize::from(names_a_condition(name));
                assert_eq!(sentence.conditions(), wanted, "{name}: {sentence:?}");
                mentions += wanted;
            }
        }
        assert!(sentences > 550, "{sentences}");
        assert!(mentions > 170, "{mentions}");
    }
}
