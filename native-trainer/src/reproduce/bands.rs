//! Bands of codes by how many training notes carry them: a decade each, cut where codes stop being rare.

use serde::{Deserialize, Serialize};

/// Codes from `from` to below `below` training notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Fewest training notes.
    pub from: u64,
    /// One more than the most.
    pub below: u64,
}

/// Bands that are not empty, and the band of each label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bands {
    /// By rising numbers.
    pub all: Vec<Band>,
    /// Index into `all`, `[labels]`.
    pub of_label: Vec<u32>,
}

impl Bands {
    /// Sorts codes by their training notes; codes with fewer than `rare_below` share no band with others.
    pub fn new(counts: &[u64], rare_below: u64) -> Self {
        let band = |count: u64| {
            let decade = 10u64.pow(count.max(1).ilog10());
            let (from, below) = (decade, decade * 10);
            match (from < rare_below && rare_below < below, count < rare_below) {
                (false, _) => Band { from, below },
                (true, true) => Band { from, below: rare_below },
                (true, false) => Band { from: rare_below, below },
            }
        };
        let of: Vec<Band> = counts.iter().map(|&count| band(count)).collect();
        let mut all = of.clone();
        all.sort_unstable_by_key(|band| band.from);
        all.dedup();
        let place = |band: &Band| all.iter().position(|found| found == band).unwrap_or(0) as u32;
        let of_label = of.iter().map(place).collect();
        Self { all, of_label }
    }

    /// The bands of rare codes.
    pub fn rare(&self, rare_below: u64) -> Vec<usize> {
        (0..self.all.len()).filter(|&at| self.all[at].below <= rare_below).collect()
    }
}

impl Band {
    /// For people.
    pub fn printed(&self) -> String {
        format!("{} to {}", self.from, self.below - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decade_is_cut_where_codes_stop_being_rare() {
        let bands = Bands::new(&[30_000, 2000, 1999, 1001, 150, 2500], 2000);
        let printed: Vec<String> = bands.all.iter().map(Band::printed).collect();
        assert_eq!(printed, ["100 to 999", "1000 to 1999", "2000 to 9999", "10000 to 99999"]);
        assert_eq!(bands.of_label, [3, 2, 1, 1, 0, 2]);
        assert_eq!(bands.rare(2000), [0, 1]);
        // On a boundary nothing is cut.
        assert_eq!(Bands::new(&[9, 10], 10).rare(10), [0]);
        assert!(Bands::new(&[], 10).all.is_empty());
    }
}
