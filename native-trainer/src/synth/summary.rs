//! What a synthetic corpus holds, counted as it is written.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::{MentionKind, SynthNote};

/// Counts over the notes of a hospital.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    patients: usize,
    last_patient: String,
    tokens: Vec<u32>,
    short: usize,
    codes: HashMap<String, usize>,
    types: BTreeMap<String, usize>,
    present: usize,
    other: usize,
    characters: usize,
}

impl Summary {
    /// Counts a note; a patient's notes come one after another.
    pub fn add(&mut self, written: &SynthNote) {
        let note = &written.note;
        if note.patient_id != self.last_patient {
            self.patients += 1;
            self.last_patient.clone_from(&note.patient_id);
        }
        self.tokens.push(u32::try_from(written.tokens).unwrap_or(u32::MAX));
        let characters = note.text.chars().count();
        self.characters += characters;
        self.short += usize::from(characters < 50);
        for code in &note.codes {
            match self.codes.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.codes.insert(code.clone(), 1)),
            }
        }
        *self.types.entry(note.note_type.clone().unwrap_or_default()).or_default() += 1;
        let present = written.evidence.iter().filter(|mention| mention.kind == MentionKind::Present).count();
        self.present += present;
        self.other += written.evidence.len() - present;
    }

    /// Number of notes.
    pub fn notes(&self) -> usize {
        self.tokens.len()
    }

    /// Mean number of codes a note; 0 without notes.
    pub fn codes_per_note(&self) -> f64 {
        self.codes.values().sum::<usize>() as f64 / self.notes().max(1) as f64
    }

    /// Codes that occur with the number of their notes, the most frequent first.
    pub fn code_counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> =
            self.codes.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        counts.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
        counts
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tokens = self.tokens.clone();
        tokens.sort_unstable();
        let at = |part: usize| tokens.get((tokens.len() * part / 100).min(tokens.len().saturating_sub(1)));
        let at = |part: usize| at(part).copied().unwrap_or(0);
        let beyond = |limit: u32| tokens.len() - tokens.partition_point(|count| *count <= limit);
        let counts = self.code_counts();
        writeln!(f, "{} notes of {} patients, {} characters", self.notes(), self.patients, self.characters)?;
        writeln!(
            f,
            "tokens a note: median {}, 90 % up to {}, longest {}; beyond 256: {}, 512: {}, 1,024: {}; {} notes of fewer than 50 characters",
            at(50),
            at(90),
            at(100),
            beyond(256),
            beyond(512),
            beyond(1024),
            self.short
        )?;
        write!(f, "codes: {} different, {:.2} a note", counts.len(), self.codes_per_note())?;
        if let (Some((first, most)), Some((last, least))) = (counts.first(), counts.last()) {
            let share = |count: usize| 100.0 * count as f64 / self.notes() as f64;
            let ten: usize = counts.iter().filter(|(_, count)| *count >= 10).count();
            write!(
                f,
                "; {first} in {:.1} % of notes, {last} the rarest with {least}; {ten} codes in 10 notes or more",
                share(*most)
            )?;
        }
        writeln!(f)?;
        writeln!(f, "mentions: {} present, {} that give no code", self.present, self.other)?;
        let types: Vec<String> = self.types.iter().map(|(name, count)| format!("{name} {count}")).collect();
        write!(f, "types: {}", types.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::text::Note;

    use super::*;

    #[test]
    fn counts_by_hand() {
        let written = |patient: &str, codes: &[&str], tokens| SynthNote {
            note: Note {
                patient_id: patient.into(),
                text: "short".into(),
                codes: codes.iter().map(|code| (*code).to_owned()).collect(),
                ..Note::default()
            },
            evidence: Vec::new(),
            tokens,
        };
        let mut summary = Summary::default();
        summary.add(&written("a", &["I10", "E11.9"], 300));
        summary.add(&written("a", &["I10"], 10));
        summary.add(&written("b", &[], 20));
        assert_eq!((summary.notes(), summary.codes_per_note()), (3, 1.0));
        assert_eq!(summary.code_counts(), [("I10", 2), ("E11.9", 1)]);
        let text = summary.to_string();
        assert!(
            text.starts_with(
                "3 notes of 2 patients, 15 characters\ntokens a note: median 20, 90 % up to 300"
            )
        );
        assert!(text.contains("beyond 256: 1, 512: 0") && text.contains("I10 in 66.7 % of notes"));
    }
}
