//! Tensors by name, as `--keep-f32` asks for them.

use anyhow::Result;

use crate::error::hinted;

/// Patterns of names; `*` stands for any characters, none included.
#[derive(Clone, Debug, Default)]
pub struct Names(
    /// The patterns.
    pub Vec<String>,
);

impl Names {
    /// Whether a pattern is that of the name.
    pub fn have(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// Checks that every pattern is that of some name.
    ///
    /// # Errors
    /// The first pattern that is not.
    pub fn check(&self, names: &[&str]) -> Result<()> {
        match self.0.iter().find(|pattern| !names.iter().any(|name| matches(pattern, name))) {
            None => Ok(()),
            Some(pattern) => Err(hinted(
                format!("--keep-f32 {pattern}: the model has no such tensor"),
                "report.md of an export lists the names; * stands for any characters: 'head.*', '*.layers.0.*'",
            )),
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(before) else { return false };
    loop {
        if matches(rest, left) {
            return true;
        }
        let mut characters = left.chars();
        if characters.next().is_none() {
            return false;
        }
        left = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, is_of_it) in [
            ("head.*", "head.Xml.labels", true),
            ("*.layers.0.*.weight", "encoder.layers.0.attention.key.weight", true),
            ("*.layers.0.*.weight", "encoder.layers.10.attention.key.weight", false),
            ("*", "", true),
            ("a*", "b", false),
            ("a", "ab", false),
            ("*b", "abb", true),
        ] {
            assert_eq!(matches(pattern, name), is_of_it, "{pattern} {name}");
        }
        let names = Names(vec!["a*".to_owned(), "x".to_owned()]);
        assert!(names.have("ab") && !names.have("y"));
        let error = names.check(&["ab", "y"]).unwrap_err().to_string();
        assert_eq!(error, "--keep-f32 x: the model has no such tensor");
    }
}
