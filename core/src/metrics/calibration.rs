//! Do the probabilities mean what they say: expected calibration error.

use super::predictions::Predictions;

/// Number of bins that [`super::evaluate`] uses.
pub const BINS: usize = 15;

/// Expected calibration error over all cells in `bins` bins of equal mass: the mean over cells of
/// |mean probability − share of gold| of the cell's bin. `None` without cells.
///
/// A cell's bin is ⌊bins · (cells with a smaller probability) / cells⌋, so that equal probabilities share
/// a bin and the order of notes changes nothing.
///
/// # Panics
/// If `bins` is 0.
pub fn expected_calibration_error<T>(predictions: &Predictions<'_, T>, bins: usize) -> Option<f64>
where
    T: Copy + Into<f64> + PartialOrd,
{
    assert!(bins > 0, "bins must be at least 1");
    let edges = edges(predictions.probabilities(), bins);
    let cells = predictions.probabilities().len();
    // Sum of (probability − gold) a bin; the bin's size cancels.
    let mut gaps = vec![0.0f64; bins];
    predictions.for_each(|_, _, probability, is_gold| {
        let bin = edges.partition_point(|&edge| edge < probability);
        gaps[bin] += probability - f64::from(u8::from(is_gold));
    });
    (cells > 0).then(|| gaps.iter().map(|gap| gap.abs()).sum::<f64>() / cells as f64)
}

/// `bins - 1` rising edges; a cell is in bin b or above if its probability is above `edges[b - 1]`.
/// Found by selection, without sorting the table.
fn edges<T: Copy + Into<f64> + PartialOrd>(probabilities: &[T], bins: usize) -> Vec<f64> {
    let mut scratch = probabilities.to_vec();
    let mut edges = Vec::with_capacity(bins - 1);
    let mut from = 0;
    for bin in 1..bins {
        // At least this many cells must be smaller: ⌈bin · cells / bins⌉.
        let smaller = (bin * scratch.len()).div_ceil(bins);
        if smaller == 0 {
            continue; // no cells at all
        }
        let at = smaller - 1;
        if at >= from {
            let rest = &mut scratch[from..];
            rest.select_nth_unstable_by(at - from, |a, b| a.partial_cmp(b).expect("checked: no NaN"));
            from = at + 1;
        }
        edges.push(scratch[at].into());
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bins_by_hand() {
        // Lower bin {.1, .3}: mean .2 against ½; upper {.6, .8}: mean .7 against 1: (.3 + .3) / 2.
        let gold = [vec![0], vec![], vec![0], vec![0]];
        let predictions = Predictions::new(&[0.3, 0.1, 0.8, 0.6], &gold, 1).unwrap();
        let ece = expected_calibration_error(&predictions, 2).unwrap();
        assert!((ece - 0.3).abs() < 1e-12, "{ece}");
        // One bin: mean .45 against ¾.
        let ece = expected_calibration_error(&predictions, 1).unwrap();
        assert!((ece - 0.3).abs() < 1e-12, "{ece}");
    }

    #[test]
    fn equal_probabilities_share_a_bin() {
        let gold = [vec![0], vec![], vec![], vec![]];
        let constant = Predictions::new(&[0.25; 4], &gold, 1).unwrap();
        assert_eq!(expected_calibration_error(&constant, BINS), Some(0.0));
    }

    #[test]
    fn no_cells_no_error_value() {
        let none = Predictions::<f32>::new(&[], &[], 3).unwrap();
        assert_eq!(expected_calibration_error(&none, BINS), None);
    }

    #[test]
    fn fewer_cells_than_bins() {
        let predictions = Predictions::new(&[0.25, 0.5], &[vec![0], vec![]], 1).unwrap();
        assert_eq!(expected_calibration_error(&predictions, BINS), Some((0.75 + 0.5) / 2.0));
    }
}
