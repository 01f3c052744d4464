//! Colours of the page: one hue a code, and the rules that join a code's row to its words without a script.

use std::fmt::Write;

/// The style sheet that every page has.
pub(crate) const SHEET: &str = include_str!("page.css");

/// Hues of the colour circle, neighbours in the list far apart on it.
const HUES: [u32; 10] = [212, 32, 145, 320, 265, 55, 185, 0, 95, 290];

/// The hue of the code at a place of the table.
fn hue(at: usize) -> u32 {
    HUES[at % HUES.len()]
}

/// Stripes of a piece, at most: more could not be told apart.
const STRIPES: usize = 3;

/// The background of a piece of the note with these codes: one colour, or stripes of the first few.
pub(super) fn background(codes: &[usize]) -> String {
    let codes = &codes[..codes.len().min(STRIPES)];
    let colour = |at: usize| format!("hsl({} var(--s) var(--l))", hue(at));
    match codes {
        [] => "none".to_owned(),
        [only] => colour(*only),
        several => {
            let share = 100.0 / several.len() as f64;
            let stripe = |(place, &at): (usize, &usize)| {
                let (from, to) = (share * place as f64, share * (place + 1) as f64);
                format!("{} {from:.0}% {to:.0}%", colour(at))
            };
            let stripes: Vec<String> = several.iter().enumerate().map(stripe).collect();
            format!("linear-gradient(180deg,{})", stripes.join(","))
        }
    }
}

/// Rules for each code: its swatch; pointing at its row or its words dims the others and shows its own.
pub(super) fn rules(codes: usize) -> String {
    let mut out = String::new();
    for at in 0..codes {
        let (row, words, hue) = (format!(".r{at}"), format!(".k{at}"), hue(at));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{row}{{--h:{hue}}}\n\
             main:has({row}:is(:hover,:focus-within)) .e{{background:none;color:var(--soft)}}\n\
             main:has({row}:is(:hover,:focus-within)) {words}{{background:hsl({hue} var(--s) var(--strong));color:var(--ink)}}\n\
             main:has(a{words}:is(:hover,:focus-visible)) {row}{{background:hsl({hue} var(--s) var(--l) / .4)}}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_codes_are_stripes() {
        assert_eq!(background(&[]), "none");
        assert_eq!(background(&[1]), "hsl(32 var(--s) var(--l))");
        assert_eq!(
            background(&[0, 11]),
            "linear-gradient(180deg,hsl(212 var(--s) var(--l)) 0% 50%,hsl(32 var(--s) var(--l)) 50% 100%)"
        );
        assert_eq!(rules(3).matches("main:has(.r2:is(").count(), 2);
    }
}
