//! How a code is written in a note: its official wording, the list's inclusion terms, and rewriting rules.

/// Wordings of a code, the official description first; no two are equal, case aside.
pub(crate) fn phrasings(description: &str, inclusion_terms: &[&str]) -> Vec<String> {
    let mut all = vec![description.to_owned()];
    let (core, visit) = split_visit(description);
    let plain = simplify(core);
    let with_visit = |text: &str| match visit {
        Visit::None => text.to_owned(),
        Visit::Initial => format!("{text}, initial visit"),
        Visit::Subsequent => format!("{text}, follow-up visit"),
        Visit::Sequela => format!("late effect of {text}"),
    };
    all.push(with_visit(&plain));
    if let Some(reordered) = reorder(&plain) {
        all.push(with_visit(&reordered));
    }
    if let Some(short) = abbreviate_side(&plain) {
        all.push(with_visit(&short));
    }
    all.extend(inclusion_terms.iter().take(4).map(|term| simplify(term)));
    let mut kept: Vec<String> = Vec::new();
    for text in all {
        // Very long wordings say nothing that the official one does not.
        let usable = kept.is_empty() || (3..=90).contains(&text.len());
        if usable && !kept.iter().any(|other| other.eq_ignore_ascii_case(&text)) {
            kept.push(text);
        }
    }
    kept
}

/// What the seventh character says of the visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visit {
    None,
    Initial,
    Subsequent,
    Sequela,
}

/// Takes the visit off the end of a description.
fn split_visit(description: &str) -> (&str, Visit) {
    let marks = [
        (", initial encounter", Visit::Initial),
        (", subsequent encounter", Visit::Subsequent),
        (", sequela", Visit::Sequela),
    ];
    marks
        .into_iter()
        .find_map(|(mark, visit)| Some((&description[..description.rfind(mark)?], visit)))
        .unwrap_or((description, Visit::None))
}

/// Drops what clinicians leave out: "unspecified", brackets, "not elsewhere classified", "NOS".
fn simplify(text: &str) -> String {
    let mut depth = 0usize;
    let open: String = text
        .chars()
        .filter(|c| match c {
            '(' | '[' => {
                depth += 1;
                false
            }
            ')' | ']' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    let mut short = open;
    if let Some((head, what)) = short.rsplit_once(", unspecified ")
        && what.split_whitespace().count() <= 2
    {
        short.truncate(head.len());
    }
    for dropped in [
        ", not elsewhere classified",
        " not elsewhere classified",
        ", site not specified",
        " of unspecified part",
        " of unspecified site",
        ", unspecified",
        " unspecified",
        "Unspecified ",
        " NOS",
        " NEC",
    ] {
        if let Some(at) = short.find(dropped) {
            short.replace_range(at..at + dropped.len(), "");
        }
    }
    let words: Vec<&str> = short.split_whitespace().collect();
    words.join(" ").trim_matches([',', ' ', ':', ';']).to_owned()
}

/// `Fracture of left ulna` as `left ulna fracture`, where the wording is that simple.
fn reorder(text: &str) -> Option<String> {
    let (head, rest) = text.split_once(" of ")?;
    let simple = !text.contains(',')
        && !rest.contains(" of ")
        && [" with ", " without ", " due ", " in ", " to ", " by ", " from ", " for "]
            .iter()
            .all(|word| !text.contains(word))
        && head.split(' ').count() <= 2
        && rest.split(' ').count() <= 4
        && !head.starts_with("Other")
        && !head.starts_with("Encounter");
    let rest = rest.strip_prefix("the ").unwrap_or(rest);
    simple.then(|| format!("{rest} {}", lower_first(head)))
}

/// `right` as `rt`, `left` as `lt`, `bilateral` as `bilat`.
fn abbreviate_side(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(' ')
        .map(|word| match word {
            "right" => "rt",
            "left" => "lt",
            "bilateral" => "bilat",
            other => other,
        })
        .collect();
    let short = words.join(" ");
    (short != text).then_some(short)
}

/// With a small first letter, unless the first word is an abbreviation or a name's possessive.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first_word = text.split(' ').next().unwrap_or("");
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() && !first_word.contains('\'') => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// With a capital first letter.
pub(crate) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_words_are_rewritten_as_clinicians_write() {
        assert_eq!(
            phrasings("Fracture of left ulna, initial encounter for closed fracture", &[]),
            [
                "Fracture of left ulna, initial encounter for closed fracture",
                "Fracture of left ulna, initial visit",
                "left ulna fracture, initial visit",
                "Fracture of lt ulna, initial visit",
            ]
        );
        assert_eq!(
            phrasings("Pneumonia, unspecified organism", &["Chest thing NOS"]),
            ["Pneumonia, unspecified organism", "Pneumonia", "Chest thing"]
        );
        assert_eq!(phrasings("Essential (primary) hypertension", &[])[1], "Essential hypertension");
        assert_eq!(phrasings("Burn of hand, sequela", &[])[2], "late effect of hand burn");
    }

    #[test]
    fn first_letters_change_but_not_those_of_names_and_abbreviations() {
        assert_eq!(lower_first("Cholera"), "cholera");
        assert_eq!(lower_first("COPD"), "COPD");
        assert_eq!(lower_first("Crohn's disease"), "Crohn's disease");
        assert_eq!(upper_first("élan"), "Élan");
    }
}
