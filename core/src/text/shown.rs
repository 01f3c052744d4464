//! How a wrong value is shown in an error: as it is when it can be a code, a date or a word, else by its length,
//! for a column named by mistake may hold the note, and an error never contains note text.

/// Longest value that is shown, in characters.
const LONGEST: usize = 24;

/// The value in backticks where it is one short word, else how long it is.
pub fn shown(value: &str) -> String {
    let characters = value.chars().count();
    if characters <= LONGEST && !value.contains(char::is_whitespace) {
        format!("`{value}`")
    } else {
        format!("a value of {characters} characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_and_a_sentence_is_not() {
        assert_eq!(shown("I1O"), "`I1O`");
        assert_eq!(shown(""), "``");
        assert_eq!(shown("Mr Smith has a cough"), "a value of 20 characters");
        assert_eq!(shown(&"x".repeat(25)), "a value of 25 characters");
    }
}
