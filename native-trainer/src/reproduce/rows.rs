//! The rows of Table 2 as data: what each trains, and what the paper says of it.

use serde::{Deserialize, Serialize};

/// Which row. Its word is the row's folder and its name on the command line.
pub type RowId = &'static str;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number in the paper's order, with a word behind it where it is a variant.
    pub id: RowId,
    /// What stands in the table.
    pub name: &'static str,
    /// What is trained.
    pub kind: Kind,
    /// The paper's micro and macro AUC; none where it has no such row or we do not know the value.
    pub paper: [Option<f64>; 2],
}

/// What a row trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Logistic regression on bags of words.
    Logistic {
        /// With an L1 penalty.
        l1: bool,
    },
    /// Multi-head attention over a recurrent layer.
    Attention,
    /// An encoder with a head.
    Bert(Bert),
}

/// An encoder with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bert {
    /// Where the encoder comes from.
    pub start: Start,
    /// The longest window.
    pub window: Window,
    /// The head.
    pub head: Head,
}

/// Where an encoder comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As the user gives it.
    Given(Given),
    /// As the user gives it, pretrained further on the notes.
    Further(Given),
    /// Own vocabulary, from scratch: the small shape.
    Small,
    /// Own vocabulary, from scratch: the big shape.
    Big,
}

/// Encoders that others have pretrained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Given {
    /// BERT off the shelf (`--bert`).
    Bert,
    /// BioBERT v1.1 (`--biobert`).
    Biobert,
    /// Bio+Discharge Summary BERT (`--discharge-bert`).
    Discharge,
}

impl Given {
    /// The flag that names it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Bert => "--bert",
            Self::Biobert => "--biobert",
            Self::Discharge => "--discharge-bert",
        }
    }

    /// Its word in folder names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Biobert => "biobert",
            Self::Discharge => "discharge-bert",
        }
    }
}

/// The longest window of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The paper's 512.
    Short,
    /// The paper's 1,024.
    Long,
}

/// What reads the hidden states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Eq. 1.
    Cls,
    /// Eqs. 2–4, labels starting as their descriptions.
    Xml,
    /// Eqs. 2–4, labels starting at random.
    XmlRandom,
    /// One vector of its own a label behind the attention, at random, as in PLM-ICD and CAML.
    OwnReadout,
    /// Ours: readouts and queries start as the descriptions, biases at the codes' prevalence.
    Improved,
}

const fn bert(start: Start, window: Window, head: Head) -> Kind {
    Kind::Bert(Bert { start, window, head })
}

const fn row(id: RowId, name: &'static str, kind: Kind, paper: [Option<f64>; 2]) -> Row {
    Row { id, name, kind, paper }
}

/// All rows, in the order of the table. The paper's values are those that we are sure of.
pub const ROWS: [Row; 18] = [
    row("1", "Logistic regression", Kind::Logistic { l1: false }, [None, None]),
    row("1-l1", "Logistic regression, L1", Kind::Logistic { l1: true }, [None, None]),
    row("2", "Multi-head attention", Kind::Attention, [None, None]),
    row(
        "3",
        "BERT off the shelf, 512",
        bert(Start::Given(Given::Bert), Window::Short, Head::Cls),
        [None, Some(0.895)],
    ),
    row(
        "4",
        "BERT off the shelf, 1,024",
        bert(Start::Given(Given::Bert), Window::Long, Head::Cls),
        [None, Some(0.898)],
    ),
    row(
        "5",
        "BERT pretrained further",
        bert(Start::Further(Given::Bert), Window::Long, Head::Cls),
        [None, Some(0.903)],
    ),
    row("6", "BioBERT", bert(Start::Given(Given::Biobert), Window::Short, Head::Cls), [None, None]),
    row(
        "7",
        "Bio+Discharge Summary BERT",
        bert(Start::Given(Given::Discharge), Window::Short, Head::Cls),
        [None, None],
    ),
    row("8", "Small, 512", bert(Start::Small, Window::Short, Head::Cls), [None, None]),
    row("9", "Small, 1,024", bert(Start::Small, Window::Long, Head::Cls), [None, Some(0.918)]),
    row("10", "Small + XML, 1,024", bert(Start::Small, Window::Long, Head::Xml), [None, Some(0.924)]),
    row(
        "10-random",
        "Small + XML, 1,024, labels at random",
        bert(Start::Small, Window::Long, Head::XmlRandom),
        [None, None],
    ),
    row("11", "Big, 512", bert(Start::Big, Window::Short, Head::Cls), [None, None]),
    row("12", "Big, 1,024", bert(Start::Big, Window::Long, Head::Cls), [None, Some(0.925)]),
    row("13", "Big + XML, 512", bert(Start::Big, Window::Short, Head::Xml), [None, None]),
    row("14", "Big + XML, 1,024", bert(Start::Big, Window::Long, Head::Xml), [Some(0.970), Some(0.927)]),
    row("15", "Rival: own readout a label", bert(Start::Big, Window::Long, Head::OwnReadout), [None, None]),
    row(
        "16",
        "Ours: descriptions and prevalence",
        bert(Start::Big, Window::Long, Head::Improved),
        [None, None],
    ),
];

/// The row of a name.
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

impl Row {
    /// Whether it has an encoder.
    pub fn bert(&self) -> Option<Bert> {
        match self.kind {
            Kind::Bert(bert) => Some(bert),
            Kind::Logistic { .. } | Kind::Attention => None,
        }
    }

    /// Whether it is one of the paper's rows, and no variant or addition of ours.
    pub fn is_the_papers(&self) -> bool {
        self.id.parse::<u8>().is_ok_and(|number| number <= 14)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own_and_all_numbers_of_the_table() {
        for number in 1..=16 {
            assert!(find(&number.to_string()).is_some(), "row {number}");
        }
        let mut ids: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROWS.len());
        assert_eq!(ROWS.iter().filter(|row| row.is_the_papers()).count(), 14);
        assert!(find("10").unwrap().bert().unwrap().head == Head::Xml && find("17").is_none());
    }
}
