//! The codes of many encounters, 16 bytes a code: MIMIC-IV's six million diagnoses are 100 MB.

use crate::ingest::numbered::Numbered;

/// Codes by key while they come in, in any order.
#[derive(Debug, Default)]
pub(super) struct CodeLists {
    /// Key, place in the key's list, number of the code.
    rows: Vec<(u64, u32, u32)>,
    codes: Numbered,
    sorted: bool,
}

impl CodeLists {
    /// Adds a code to the list of a key, at a place; equal places keep their order of coming.
    pub(super) fn add(&mut self, key: u64, place: u32, code: &str) {
        let number = self.codes.number(code);
        self.rows.push((key, place, number));
        self.sorted = false;
    }

    /// All that were added.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The codes of a key by their place, each once.
    pub(super) fn of(&mut self, key: u64) -> Vec<String> {
        if !self.sorted {
            self.rows.sort_by_key(|(key, place, _)| (*key, *place));
            self.sorted = true;
        }
        let first = self.rows.partition_point(|row| row.0 < key);
        let mut numbers = Vec::new();
        for (_, _, number) in self.rows[first..].iter().take_while(|row| row.0 == key) {
            if !numbers.contains(number) {
                numbers.push(*number);
            }
        }
        numbers.into_iter().map(|number| self.codes.code(number).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_by_key_in_their_places_each_once() {
        let mut lists = CodeLists::default();
        for (key, place, code) in [(2, 2, "B"), (1, 1, "A"), (2, 1, "A"), (2, 3, "B"), (2, 3, "C")] {
            lists.add(key, place, code);
        }
        assert_eq!(lists.of(2), ["A", "B", "C"]);
        assert_eq!((lists.of(1), lists.of(3)), (vec!["A".to_owned()], vec![]));
        lists.add(3, 1, "D");
        assert_eq!((lists.of(3), lists.len()), (vec!["D".to_owned()], 6));
    }
}
