//! Typing errors: two letters swapped, one lost, one doubled, at random places.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Where the next error comes. Words of fewer than five letters are spared.
#[derive(Clone, Debug)]
pub(crate) struct TypingErrors {
    rng: ChaCha8Rng,
    /// Mean distance of errors, in bytes.
    distance: f64,
    /// Bytes to the next.
    left: usize,
}

/// Letters of a word that can be misspelt.
const LETTERS: usize = 5;

impl TypingErrors {
    /// Makes about `rate` errors in a thousand bytes; none where it is 0.
    pub(crate) fn new(rate: f64, seed: u64) -> Option<Self> {
        (rate > 0.0).then(|| {
            let mut errors = Self { rng: ChaCha8Rng::seed_from_u64(seed), distance: 1000.0 / rate, left: 0 };
            errors.left = errors.next();
            errors
        })
    }

    /// Exponential, as if every letter had the same chance.
    fn next(&mut self) -> usize {
        let uniform: f64 = 1.0 - self.rng.random::<f64>();
        (-libm::log(uniform) * self.distance) as usize + 1
    }

    /// The text with an error in it, if one comes in its course.
    pub(crate) fn misspell(&mut self, text: &str) -> Option<String> {
        if self.left > text.len() {
            self.left -= text.len();
            return None;
        }
        let bytes = text.as_bytes();
        let from = self.left;
        // The first long word that begins there or later; none: the error waits for the next text.
        let mut at = from;
        while at < bytes.len() && bytes[at].is_ascii_alphabetic() {
            at += 1;
        }
        loop {
            while at < bytes.len() && !bytes[at].is_ascii_lowercase() {
                at += 1;
            }
            let end =
                (at..bytes.len()).find(|place| !bytes[*place].is_ascii_lowercase()).unwrap_or(bytes.len());
            if at >= bytes.len() {
                self.left = 1;
                return None;
            }
            if end - at >= LETTERS {
                // The first letter stays.
                let place = self.rng.random_range(at + 1..end - 1);
                let (before, after) = text.split_at(place);
                let letters = (&after[..1], &after[1..2]);
                let wrong = match self.rng.random_range(0..3) {
                    0 => format!("{before}{}{}{}", letters.1, letters.0, &after[2..]),
                    1 => format!("{before}{}", &after[1..]),
                    _ => format!("{before}{}{after}", letters.0),
                };
                self.left = self.next();
                return Some(wrong);
            }
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_at_about_their_rate_and_change_one_place() {
        let mut errors = TypingErrors::new(2.0, 7).unwrap();
        let text = "The patient was treated and improved, Ménière or not. ";
        let (mut wrong, mut bytes) = (0, 0);
        for _ in 0..2000 {
            bytes += text.len();
            if let Some(misspelt) = errors.misspell(text) {
                wrong += 1;
                assert!(misspelt.len().abs_diff(text.len()) <= 1, "{misspelt}");
                let same = misspelt.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
                assert!(same > 0, "{misspelt}");
            }
        }
        let rate = f64::from(wrong) / bytes as f64 * 1000.0;
        assert!((1.0..2.2).contains(&rate), "{rate}");
        assert!(TypingErrors::new(0.0, 7).is_none());
        // Short words and capitals are spared, and the error waits.
        let mut errors = TypingErrors::new(1000.0, 7).unwrap();
        assert_eq!(errors.misspell("CT of the leg"), None);
        assert!(errors.misspell(" showed nothing").is_some());
    }
}
