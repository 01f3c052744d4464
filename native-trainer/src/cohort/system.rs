//! Body systems, and the banks of sentences that each has.

use bert_xml_core::codes::Code;

/// A body system, whose sentences a note may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum System {
    Circulatory,
    Respiratory,
    Digestive,
    Genitourinary,
    Musculoskeletal,
    Nervous,
    Mental,
    Endocrine,
    Skin,
    EyeEar,
    Pregnancy,
    Newborn,
    Neoplasm,
    Infection,
    Blood,
    Injury,
    General,
}

impl System {
    /// By the first characters of a code.
    pub(super) fn of(code: Code) -> Self {
        let bytes = code.undotted().as_bytes();
        match bytes[0] {
            b'A' | b'B' | b'U' => Self::Infection,
            b'C' => Self::Neoplasm,
            b'D' if bytes[1] < b'5' => Self::Neoplasm,
            b'D' => Self::Blood,
            b'E' => Self::Endocrine,
            b'F' => Self::Mental,
            b'G' => Self::Nervous,
            b'H' => Self::EyeEar,
            b'I' => Self::Circulatory,
            b'J' => Self::Respiratory,
            b'K' => Self::Digestive,
            b'L' => Self::Skin,
            b'M' => Self::Musculoskeletal,
            b'N' => Self::Genitourinary,
            b'O' => Self::Pregnancy,
            b'P' => Self::Newborn,
            b'S'..=b'T' => Self::Injury,
            b'V'..=b'Y' => Self::Injury,
            _ => Self::General,
        }
    }
}

/// Names of a bank for each body system.
macro_rules! banks_by_system {
    ($name:ident, $part:literal) => {
        pub(super) fn $name(system: System) -> &'static str {
            match system {
                System::Circulatory => concat!($part, " circulatory"),
                System::Respiratory => concat!($part, " respiratory"),
                System::Digestive => concat!($part, " digestive"),
                System::Genitourinary => concat!($part, " genitourinary"),
                System::Musculoskeletal => concat!($part, " musculoskeletal"),
                System::Nervous => concat!($part, " nervous"),
                System::Mental => concat!($part, " mental"),
                System::Endocrine => concat!($part, " endocrine"),
                System::Skin => concat!($part, " skin"),
                System::EyeEar => concat!($part, " eye ear"),
                System::Pregnancy => concat!($part, " pregnancy"),
                System::Newborn => concat!($part, " newborn"),
                System::Neoplasm => concat!($part, " neoplasm"),
                System::Infection => concat!($part, " infection"),
                System::Blood => concat!($part, " blood"),
                System::Injury => concat!($part, " injury"),
                System::General => concat!($part, " general"),
            }
        }
    };
}

banks_by_system!(story, "story");
banks_by_system!(exam, "exam");
banks_by_system!(labs, "labs");
banks_by_system!(orders, "plan");
