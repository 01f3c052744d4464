//! AUC with the influence of every patient on it, over tables that need not fit into memory.
//!
//! A pass over the rows finds the positives' scores, a second one places every other cell among them: for each code
//! (macro: the mean over codes, by groups) and for all codes pooled (micro). What a negative cell contributes depends on
//! the positives above it alone, so that it is added to its patient at once; what a positive contributes is known at
//! the end. Memory: the positives (a note has a few among thousands of codes) and some numbers a patient. Sources: see
//! [`super::estimate`]. The finite-sample factors are DeLong's (m / (m − 1), n / (n − 1)), with patients in place of
//! notes; a code whose positives are all of one patient has no variance from them, and counts what it can.

use super::estimate::Estimate;
use super::ladder::{Ladder, Place};
use super::predictions::Predictions;
use super::{MetricsError, sparse};

/// Stretches of labels that are worked on side by side. Fixed, so that the same table gives the same bits on any
/// number of cores.
const PARTS: usize = 4;
/// Rows of a block that are transposed together.
const ROWS: usize = 1024;
/// Labels of a tile: a cache line of f32.
const TILE: usize = 16;

/// Gold codes, patients and groups of codes: what the influences are about.
#[derive(Clone, Debug)]
pub struct Clusters {
    gold: Vec<Vec<u32>>,
    of_note: Vec<u32>,
    clusters: usize,
    group_of: Vec<u32>,
    groups: usize,
    /// Positives of each label.
    support: Vec<u32>,
}

impl Clusters {
    /// `of_note` names the patient of each note, any numbers; `group_of` the group of each label, from 0: their union
    /// is all codes.
    ///
    /// # Errors
    /// [`MetricsError::Shape`] where `of_note` has another length than `gold`; [`MetricsError::UnknownLabel`].
    pub fn new(gold: &[Vec<u32>], of_note: &[u32], group_of: &[u32]) -> Result<Self, MetricsError> {
        let labels = group_of.len();
        if gold.len() != of_note.len() {
            return Err(MetricsError::Shape { found: of_note.len(), notes: gold.len(), labels: 1 });
        }
        let gold = sparse(gold, labels)?;
        // Patients get consecutive numbers, in the order in which they come.
        let mut numbers = std::collections::HashMap::new();
        let of_note = of_note
            .iter()
            .map(|name| {
                let next = numbers.len() as u32;
                *numbers.entry(*name).or_insert(next)
            })
            .collect();
        let mut support = vec![0; labels];
        gold.iter().flatten().for_each(|&label| support[label as usize] += 1);
        let groups = group_of.iter().max().map_or(0, |&last| last as usize + 1);
        Ok(Self { gold, of_note, clusters: numbers.len(), group_of: group_of.to_vec(), groups, support })
    }

    /// Number of patients.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Number of notes.
    pub fn notes(&self) -> usize {
        self.gold.len()
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.group_of.len()
    }

    fn present(&self, label: usize) -> bool {
        (1..self.notes()).contains(&(self.support[label] as usize))
    }
}

/// AUC of each code and, with the influence of each patient, of groups of codes and of the pooled cells.
#[derive(Clone, Debug, PartialEq)]
pub struct AucInfluence {
    /// `[labels]`; none for codes that are in no note's gold, or in every note's.
    pub per_code: Vec<Option<f64>>,
    /// Pooled cells of the codes present; none where no code is.
    pub micro: Option<Estimate>,
    /// Mean over the codes present of each group; a group without any has a value of 0 over 0 codes.
    pub groups: Vec<Estimate>,
}

impl AucInfluence {
    /// Mean over all codes present; none where no code is.
    pub fn macro_mean(&self) -> Option<Estimate> {
        Estimate::mean(&self.groups)
    }
}

/// The first pass: the positives' scores.
#[derive(Debug)]
pub struct Positives<'a> {
    of: &'a Clusters,
    scores: Vec<Vec<f64>>,
}

impl<'a> Positives<'a> {
    /// No row yet.
    pub fn new(of: &'a Clusters) -> Self {
        Self { of, scores: vec![Vec::new(); of.labels()] }
    }

    /// Reads rows `[notes, labels]` of consecutive notes; every note must come once, in any order of blocks.
    pub fn add<T: Copy + Into<f64>>(&mut self, first_note: usize, rows: &[T]) {
        let labels = self.of.labels().max(1);
        for (at, row) in rows.chunks_exact(labels).enumerate() {
            for &label in &self.of.gold[first_note + at] {
                self.scores[label as usize].push(row[label as usize].into());
            }
        }
    }

    /// On to the second pass.
    pub fn sorted(self) -> Placement<'a> {
        let of = self.of;
        let labels = of.labels();
        let of_present = (0..labels).filter(|&label| of.present(label));
        let pooled = Ladder::new(of_present.flat_map(|label| self.scores[label].iter().copied()).collect());
        let ladders: Vec<Ladder> = self.scores.into_iter().map(Ladder::new).collect();
        let scales = Scales::new(of);
        let share = labels.div_ceil(PARTS).max(1);
        let pooled_above = pooled.shares_above();
        let mut ladders = ladders.into_iter();
        let parts = (0..labels).step_by(share).map(|first| {
            let columns = ladders.by_ref().take(share).enumerate().map(|(at, ladder)| {
                let above = ladder.shares_above();
                let weight = scales.negative[first + at];
                Column {
                    between: vec![0; ladder.rungs() + 1],
                    tied: vec![0; ladder.rungs()],
                    above,
                    ladder,
                    weight,
                }
            });
            Part {
                first,
                columns: columns.collect(),
                groups: vec![Vec::new(); of.groups],
                micro: vec![0.0; of.clusters],
                between: vec![0; pooled.rungs() + 1],
                tied: vec![0; pooled.rungs()],
            }
        });
        Placement { of, parts: parts.collect(), pooled, pooled_above, scales }
    }
}

/// Factors by which placements count: 1 / m and 1 / n with the finite-sample correction of each.
#[derive(Debug)]
struct Scales {
    positive: Vec<f64>,
    negative: Vec<f64>,
    micro: [f64; 2],
}

impl Scales {
    fn new(of: &Clusters) -> Self {
        let labels = of.labels();
        let mut notes_of = vec![0u32; of.clusters];
        of.of_note.iter().for_each(|&cluster| notes_of[cluster as usize] += 1);
        // Clusters with positives of each label, and those with nothing else.
        let (mut with, mut only) = (vec![0usize; labels], vec![0usize; labels]);
        let mut cells: Vec<(u32, u32)> = of
            .gold
            .iter()
            .zip(&of.of_note)
            .flat_map(|(list, &cluster)| list.iter().map(move |&label| (label, cluster)))
            .collect();
        cells.sort_unstable();
        for run in cells.chunk_by(|a, b| a == b) {
            let (label, cluster) = (run[0].0 as usize, run[0].1 as usize);
            with[label] += 1;
            only[label] += usize::from(run.len() == notes_of[cluster] as usize);
        }
        let corrected = |clusters: usize, cells: u64| {
            let factor = if clusters > 1 { clusters as f64 / (clusters - 1) as f64 } else { 1.0 };
            // The common factor C / (C − 1) comes with the standard error.
            let all = of.clusters as f64;
            let common = if of.clusters > 1 { all / (all - 1.0) } else { 1.0 };
            (factor / common).sqrt() / cells as f64
        };
        let notes = of.notes() as u64;
        let support = |label: usize| u64::from(of.support[label]);
        let positive = (0..labels).map(|label| corrected(with[label], support(label))).collect();
        let negative =
            (0..labels).map(|label| corrected(of.clusters - only[label], notes - support(label))).collect();
        let present: Vec<usize> = (0..labels).filter(|&label| of.present(label)).collect();
        let all: u64 = present.iter().map(|&label| support(label)).sum();
        let mut of_cluster = vec![0usize; of.clusters];
        let counted = cells.iter().filter(|(label, _)| of.present(*label as usize));
        counted.for_each(|(_, cluster)| of_cluster[*cluster as usize] += 1);
        let with_any = of_cluster.iter().filter(|&&cells| cells > 0).count();
        let all_cells = |cluster: usize| notes_of[cluster] as usize * present.len();
        let without_any =
            (0..of.clusters).filter(|&cluster| of_cluster[cluster] < all_cells(cluster)).count();
        let micro = [corrected(with_any, all), corrected(without_any, notes * present.len() as u64 - all)];
        Self { positive, negative, micro }
    }
}

/// One label: its positives, and how many negatives have come where.
#[derive(Debug)]
struct Column {
    ladder: Ladder,
    above: Vec<f64>,
    between: Vec<u64>,
    tied: Vec<u64>,
    weight: f64,
}

/// A stretch of labels with sums of its own.
#[derive(Debug)]
struct Part {
    first: usize,
    columns: Vec<Column>,
    /// `[groups][clusters]`, made where a group has labels here.
    groups: Vec<Vec<f64>>,
    micro: Vec<f64>,
    between: Vec<u64>,
    tied: Vec<u64>,
}

/// The second pass: every negative cell among the positives.
#[derive(Debug)]
pub struct Placement<'a> {
    of: &'a Clusters,
    parts: Vec<Part>,
    pooled: Ladder,
    pooled_above: Vec<f64>,
    scales: Scales,
}

impl Placement<'_> {
    /// Reads rows `[notes, labels]` of consecutive notes, the same as in the first pass.
    pub fn add<T: Copy + Into<f64> + Sync>(&mut self, first_note: usize, rows: &[T]) {
        let Self { of, pooled, pooled_above, scales, parts } = self;
        let labels = of.labels();
        if labels == 0 {
            return;
        }
        let pooled = (&*pooled, &pooled_above[..], scales.micro[1]);
        let work = |part: &mut Part| {
            for (block, rows) in rows.chunks(ROWS * labels).enumerate() {
                part.add(of, pooled, first_note + block * ROWS, rows);
            }
        };
        #[cfg(not(target_arch = "wasm32"))]
        {
            use rayon::prelude::*;
            parts.par_iter_mut().for_each(work);
        }
        #[cfg(target_arch = "wasm32")]
        parts.iter_mut().for_each(work);
    }

    /// What came out; `positives` gives the rows a third time, for the positives' own places (their cells only).
    pub fn finish<T: Copy + Into<f64>>(self, score: impl Fn(usize, usize) -> T) -> AucInfluence {
        let Self { of, parts, pooled, scales, .. } = self;
        let clusters = of.clusters;
        let sizes = {
            let mut sizes = vec![0.0; clusters];
            of.of_note.iter().for_each(|&cluster| sizes[cluster as usize] += 1.0);
            sizes
        };
        let mut between = vec![0; pooled.rungs() + 1];
        let mut tied = vec![0; pooled.rungs()];
        let mut micro = vec![0.0; clusters];
        let empty = Estimate { value: 0.0, codes: 0, influence: vec![0.0; clusters] };
        let mut groups = vec![empty; of.groups];
        // What a note of a group's labels takes off if all its cells are negative.
        let mut constant = vec![0.0; of.groups];
        let mut columns: Vec<Option<Shares>> = Vec::with_capacity(of.labels());
        for part in parts {
            micro.iter_mut().zip(&part.micro).for_each(|(sum, by)| *sum += by);
            between.iter_mut().zip(&part.between).for_each(|(sum, by)| *sum += by);
            tied.iter_mut().zip(&part.tied).for_each(|(sum, by)| *sum += by);
            for (group, sums) in groups.iter_mut().zip(&part.groups) {
                group.influence.iter_mut().zip(sums).for_each(|(sum, by)| *sum += by);
            }
            for (label, column) in (part.first..).zip(part.columns) {
                let read = column.ladder.read(&column.between, &column.tied).filter(|_| of.present(label));
                if let Some((auc, _)) = &read {
                    let group = of.group_of[label] as usize;
                    groups[group].value += auc;
                    groups[group].codes += 1;
                    constant[group] += auc * column.weight;
                }
                columns.push(read.map(|(auc, below)| Shares { auc, below, ladder: column.ladder }));
            }
        }
        for (group, constant) in groups.iter_mut().zip(&constant) {
            group.influence.iter_mut().zip(&sizes).for_each(|(e, size)| *e -= size * constant);
        }
        let pooled_read = pooled.read(&between, &tied);
        let present = columns.iter().flatten().count() as f64;
        if let Some((auc, _)) = &pooled_read {
            micro.iter_mut().zip(&sizes).for_each(|(e, size)| *e -= size * present * auc * scales.micro[1]);
        }
        for (note, (list, &cluster)) in of.gold.iter().zip(&of.of_note).enumerate() {
            for &label in list {
                let (label, cluster) = (label as usize, cluster as usize);
                let Some(column) = &columns[label] else { continue };
                let score: f64 = score(note, label).into();
                let below = column.below[column.ladder.place(score).at];
                let of_group = &mut groups[of.group_of[label] as usize].influence[cluster];
                *of_group +=
                    scales.positive[label] * (below - column.auc) + scales.negative[label] * column.auc;
                if let Some((auc, below)) = &pooled_read {
                    let below = below[pooled.place(score).at];
                    micro[cluster] += scales.micro[0] * (below - auc) + scales.micro[1] * auc;
                }
            }
        }
        for group in &mut groups {
            let codes = group.codes.max(1) as f64;
            group.value /= codes;
            group.influence.iter_mut().for_each(|e| *e /= codes);
        }
        let codes = present as usize;
        AucInfluence {
            per_code: columns.iter().map(|column| column.as_ref().map(|column| column.auc)).collect(),
            micro: pooled_read.map(|(value, _)| Estimate { value, codes, influence: micro }),
            groups,
        }
    }
}

/// A label when all is counted.
struct Shares {
    auc: f64,
    /// For each rung, the share of negatives below.
    below: Vec<f64>,
    ladder: Ladder,
}

impl Part {
    /// Places the negatives of one block of rows.
    fn add<T: Copy + Into<f64>>(
        &mut self,
        of: &Clusters,
        (pooled, pooled_above, pooled_weight): (&Ladder, &[f64], f64),
        first_note: usize,
        rows: &[T],
    ) {
        let labels = of.labels();
        let count = rows.len() / labels;
        let mut tile = vec![[0.0f64; ROWS]; TILE];
        let of_note = &of.of_note[first_note..first_note + count];
        for start in (0..self.columns.len()).step_by(TILE) {
            let width = TILE.min(self.columns.len() - start);
            let range = self.first + start..self.first + start + width;
            for (row, cells) in rows.chunks_exact(labels).enumerate() {
                for (column, &value) in tile.iter_mut().zip(&cells[range.clone()]) {
                    column[row] = value.into();
                }
                // Positives are not placed.
                let gold = &of.gold[first_note + row];
                let from = gold.partition_point(|&label| (label as usize) < range.start);
                for &label in gold[from..].iter().take_while(|&&label| (label as usize) < range.end) {
                    tile[label as usize - range.start][row] = f64::NAN;
                }
            }
            for (at, scores) in tile[..width].iter().enumerate() {
                let label = range.start + at;
                if !of.present(label) {
                    continue;
                }
                let column = &mut self.columns[start + at];
                let sums = &mut self.groups[of.group_of[label] as usize];
                if sums.is_empty() {
                    sums.resize(of.clusters, 0.0);
                }
                for (&score, &cluster) in scores[..count].iter().zip(of_note) {
                    if score.is_nan() {
                        continue;
                    }
                    let own = column.ladder.place(score);
                    let share = counted(own, &mut column.between, &mut column.tied, &column.above);
                    sums[cluster as usize] += column.weight * share;
                    let place = pooled.place(score);
                    let share = counted(place, &mut self.between, &mut self.tied, pooled_above);
                    self.micro[cluster as usize] += pooled_weight * share;
                }
            }
        }
    }
}

/// Counts a negative at its place and gives the share of positives above it, those at it counting one half.
fn counted(place: Place, between: &mut [u64], tied: &mut [u64], above: &[f64]) -> f64 {
    let Place { at, tied: at_rung } = place;
    if at_rung {
        tied[at] += 1;
        0.5 * (above[at] + above[at + 1])
    } else {
        between[at] += 1;
        above[at]
    }
}

/// Both passes over a table in memory.
pub fn clustered_auc<T: Copy + Into<f64> + Sync>(
    predictions: &Predictions<'_, T>,
    clusters: &Clusters,
) -> AucInfluence {
    let (table, labels) = (predictions.probabilities(), predictions.labels());
    let mut positives = Positives::new(clusters);
    positives.add(0, table);
    let mut placement = positives.sorted();
    placement.add(0, table);
    placement.finish(|note, label| table[note * labels + label])
}

#[cfg(test)]
#[path = "clustered_tests.rs"]
mod tests;
