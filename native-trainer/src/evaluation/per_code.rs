//! One line a code: how often it occurs and how well it is found.

use bert_xml_core::codes::LabelSet;
use bert_xml_core::metrics::auc::{auc, average_precision};
use bert_xml_core::metrics::confusion::Confusion;

/// A tab-separated table: code, description, gold notes, AUC, average precision, precision, recall and F1.
/// An undefined value is empty.
///
/// # Shapes
/// `probabilities` row-major `[notes, labels]`; `gold` a list of label indices a note; `assigned(cell)` says
/// whether the code of a cell (note × labels + label) was assigned.
///
pub fn per_code_tsv<T: Copy + Into<f64>>(
    probabilities: &[T],
    gold: &[Vec<u32>],
    labels: &LabelSet,
    assigned: impl Fn(usize) -> bool,
) -> String {
    let mut notes_of = vec![Vec::new(); labels.len()];
    for (note, list) in gold.iter().enumerate() {
        for &label in list {
            notes_of[label as usize].push(note);
        }
    }
    let mut text = String::from("code\tdescription\tgold_notes\tauc\tap\tprecision\trecall\tf1\n");
    let mut column = Vec::with_capacity(gold.len());
    for (label, notes) in notes_of.iter().enumerate() {
        column.clear();
        column.extend((0..gold.len()).map(|note| probabilities[note * labels.len() + label].into()));
        let mut is_gold = vec![false; gold.len()];
        notes.iter().for_each(|&note| is_gold[note] = true);
        let mut counts = Confusion::default();
        for (note, &is_gold) in is_gold.iter().enumerate() {
            match (assigned(note * labels.len() + label), is_gold) {
                (true, true) => counts.true_positives += 1,
                (true, false) => counts.false_positives += 1,
                (false, true) => counts.false_negatives += 1,
                (false, false) => {}
            }
        }
        let metrics = [
            auc::<f64>(&column, &is_gold),
            average_precision(&column, &is_gold),
            counts.precision(),
            counts.recall(),
            counts.f1(),
        ];
        let metrics = metrics.map(|value| value.map_or_else(String::new, |value| format!("{value:.6}")));
        let of = &labels.labels()[label];
        text += &format!("{}\t{}\t{}\t{}\n", of.code, of.description, notes.len(), metrics.join("\t"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_hand() {
        let labels = LabelSet::from_tsv(b"system\tcode\tdescription\nx\tA\tfirst\nx\tB\t\n").unwrap();
        let table = [0.9f32, 0.1, 0.8, 0.2, 0.4, 0.3];
        let text = per_code_tsv(&table, &[vec![0], vec![], vec![0]], &labels, |cell| table[cell] >= 0.5);
        let lines: Vec<_> = text.lines().collect();
        // A: .9+ .8− .4+: AUC ½, AP (1 + 2/3) / 2; assigned {.9, .8}: 1 hit, 1 false, 1 missed.
        assert_eq!(lines[1], "A\tfirst\t2\t0.500000\t0.833333\t0.500000\t0.500000\t0.500000");
        assert_eq!(lines[2], "B\t\t0\t\t\t\t\t");
        assert_eq!(lines.len(), 3);
    }
}
