//! A table by the first characters of a code, of which the longest that fits holds.

use std::collections::HashMap;

/// Values by undotted prefix.
#[derive(Clone, Debug)]
pub(super) struct Prefixes<T>(HashMap<String, T>);

impl<T> Prefixes<T> {
    /// Reads lines of prefix, tab, value; `#` begins a comment.
    ///
    /// # Panics
    /// The table, which is built in, has a line that `value` cannot read, or a prefix twice (tests read all).
    pub(super) fn parse(file: &str, text: &str, value: impl Fn(&str) -> Option<T>) -> Self {
        let mut table = HashMap::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let read = line.split_once('\t').and_then(|(prefix, rest)| Some((prefix, value(rest)?)));
            let (prefix, read) = read.unwrap_or_else(|| panic!("{file}, line {}: not readable", at + 1));
            let twice = table.insert(prefix.replace('.', ""), read).is_some();
            assert!(!twice, "{file}, line {}: {prefix} stands twice", at + 1);
        }
        Self(table)
    }

    /// The value of the longest prefix of an undotted code.
    pub(super) fn get(&self, code: &str) -> Option<&T> {
        (0..=code.len()).rev().find_map(|end| self.0.get(&code[..end]))
    }
}

/// Reads `a|b|c`.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let words: Vec<String> = text.split('|').map(|word| word.trim().to_owned()).collect();
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_holds() {
        let table = Prefixes::parse("t", "# x\nI\ta|b\nI1.0\tc", words);
        assert_eq!(table.get("I109").unwrap(), &["c"]);
        assert_eq!(table.get("I2").unwrap().len(), 2);
        assert!(table.get("J").is_none());
    }

    #[test]
    fn the_built_in_tables_can_be_read_and_reach_every_chapter() {
        let medicines = Prefixes::parse("medicines.tsv", include_str!("words/medicines.tsv"), words);
        let signs = Prefixes::parse("signs.tsv", include_str!("words/signs.tsv"), words);
        // Every chapter has a code with a sign, and every chapter of diseases one with a medicine.
        for code in
            "A099 B029 C509 D509 E119 F329 G439 H109 I109 J189 K219 L209 M549 N390 O800 P599 Q210 R509 S720 \
                     T784 V892 W199 X500 Y929 Z000"
                .split_whitespace()
        {
            assert!(signs.get(code).is_some(), "{code}");
            assert!(medicines.get(code).is_some() || "V W X Y Z".contains(&code[..1]), "{code}");
        }
    }
}
