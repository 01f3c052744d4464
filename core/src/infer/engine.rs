//! What computes: burn on any of its backends, or the CPU engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::reading::Unread;
use super::scoring::{EncodedBatch, PlacedWindow, WindowPlan, encode_batch};
use crate::cpu::{CpuModel, CpuModelError, HeadShape, Workspace};
use crate::model::{BertXml, Head, LabelAttention, ModelConfig};
use crate::quantization::Matrix;
use crate::text::{SpecialTokens, build_window};

/// A model and where it runs.
// A coder holds one: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum Engine {
    /// On a burn backend, without autodiff: GPUs, and the reference.
    Burn(BertXml),
    /// On plain slices: the fastest way without a GPU.
    Cpu(Arc<CpuEngine>),
}

/// The CPU engine's model with its threads.
#[derive(Debug)]
pub struct CpuEngine {
    model: CpuModel,
    /// For few windows: one workspace of all threads.
    together: Mutex<Workspace>,
    /// For many: a workspace of one thread each.
    #[cfg(not(target_arch = "wasm32"))]
    apart: Option<Apart>,
}

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
struct Apart {
    pool: rayon::ThreadPool,
    workspaces: Vec<Mutex<Workspace>>,
}

/// Windows that went through an encoder.
// A group holds few: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
pub(super) enum Encoded {
    Burn(EncodedBatch),
    Cpu {
        rows: Vec<PlacedWindow>,
        /// `[seq, d_model]` each, `[CLS]` and `[SEP]` included, no padding.
        hidden: Vec<Vec<f32>>,
    },
}

impl Encoded {
    /// What stands in each row.
    pub fn rows(&self) -> &[PlacedWindow] {
        match self {
            Self::Burn(batch) => &batch.rows,
            Self::Cpu { rows, .. } => rows,
        }
    }
}

impl CpuEngine {
    /// Packs a model's matrices (paths of [`crate::model::parameters::export`], linear weights
    /// `[outputs, inputs]`, vectors one row) for `threads` threads.
    ///
    /// # Errors
    /// Matrices that do not make the model.
    pub fn new(
        config: &ModelConfig,
        matrices: BTreeMap<String, Matrix>,
        threads: usize,
    ) -> Result<Self, CpuModelError> {
        Ok(Self {
            model: CpuModel::new(config.into(), matrices)?,
            together: Mutex::new(Workspace::new(threads)),
            #[cfg(not(target_arch = "wasm32"))]
            apart: (threads > 1).then(|| Apart {
                pool: rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .expect("the system gives threads"),
                workspaces: (0..threads).map(|_| Mutex::new(Workspace::new(1))).collect(),
            }),
        })
    }

    /// The packed model.
    pub fn model(&self) -> &CpuModel {
        &self.model
    }

    /// Does `work` for each of `count` windows, the results in order: many windows a thread each, few by all
    /// threads one after the other. Results have the same bits either way.
    fn each<R: Send>(&self, count: usize, work: impl Fn(&mut Workspace, usize) -> R + Sync) -> Vec<R> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(Apart { pool, workspaces }) =
            self.apart.as_ref().filter(|apart| count >= apart.workspaces.len())
        {
            use rayon::prelude::*;
            return pool.install(|| {
                let one = |index| {
                    let thread = rayon::current_thread_index().expect("runs in the pool");
                    work(&mut taken(&workspaces[thread]), index)
                };
                (0..count).into_par_iter().with_max_len(1).map(one).collect()
            });
        }
        let mut workspace = taken(&self.together);
        (0..count).map(|index| work(&mut workspace, index)).collect()
    }
}

/// A workspace holds nothing that a panic could have left half-done: every use overwrites it.
fn taken(workspace: &Mutex<Workspace>) -> MutexGuard<'_, Workspace> {
    workspace.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Engine {
    /// Number of codes.
    pub fn labels(&self) -> usize {
        match self {
            Self::Burn(model) => model.labels(),
            Self::Cpu(engine) => engine.model.shape().labels,
        }
    }

    /// Whether the head attends to words: the CLS head does not.
    pub fn has_attention(&self) -> bool {
        match self {
            Self::Burn(model) => matches!(model.head, Head::Xml(_)),
            Self::Cpu(engine) => engine.model.shape().head != HeadShape::Cls,
        }
    }

    /// Sends one batch of [`super::scoring::plan_batches`] through the encoder.
    pub(super) fn encode(
        &self,
        notes: &[&[u32]],
        rows: Vec<PlacedWindow>,
        plan: &WindowPlan,
        special: &SpecialTokens,
    ) -> Encoded {
        match self {
            Self::Burn(model) => {
                let device: Device = model.device();
                Encoded::Burn(encode_batch(&model.encoder, notes, rows, plan, special, &device))
            }
            Self::Cpu(engine) => {
                let hidden = engine.each(rows.len(), |workspace, index| {
                    let ids = build_window(notes[rows[index].note], rows[index].span, special);
                    let (segments, mut hidden) = (vec![0; ids.len()], Vec::new());
                    engine.model.encode(&ids, &segments, workspace, &mut hidden);
                    hidden
                });
                Encoded::Cpu { rows, hidden }
            }
        }
    }

    /// Logits of all labels, `[rows, labels]`.
    pub(super) fn logits(&self, encoded: &Encoded, chunk: usize) -> Unread {
        match (self, encoded) {
            (Self::Burn(model), Encoded::Burn(batch)) => {
                let logits = model.head.forward(batch.hidden.clone(), batch.inputs.real.clone(), chunk);
                Unread::OnDevice(logits.flatten(0, 1))
            }
            (Self::Cpu(engine), Encoded::Cpu { rows, hidden }) => {
                let all = engine.each(rows.len(), |workspace, index| {
                    let mut logits = Vec::new();
                    let real = 1..=rows[index].span.len();
                    engine.model.logits(
                        &hidden[index],
                        *real.start()..real.end() + 1,
                        workspace,
                        &mut logits,
                    );
                    logits
                });
                Unread::Here(all.concat())
            }
            _ => unreachable!("an engine reads what it encoded"),
        }
    }

    /// Attention of some labels over the note's tokens in a row, `[labels, tokens]`, each row summing to 1.
    ///
    /// # Panics
    /// If the head has none: see [`Engine::has_attention`].
    pub(super) fn attention(&self, encoded: &Encoded, row: usize, labels: &[usize]) -> Unread {
        let tokens = encoded.rows()[row].span.len();
        match (self, encoded) {
            (Self::Burn(model), Encoded::Burn(batch)) => {
                let Head::Xml(head) = &model.head else { panic!("the CLS head has no attention") };
                // Token i of the window stands behind [CLS]; what is left out ([CLS], [SEP], padding) has none.
                let hidden = batch.hidden.clone().narrow(0, row, 1).narrow(1, 1, tokens);
                let real = batch.inputs.real.clone().narrow(0, row, 1).narrow(1, 1, tokens);
                let indices: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
                let indices =
                    Tensor::<1, Int>::from_data(TensorData::new(indices, [labels.len()]), &model.device());
                let attention = LabelAttention::attention(hidden, real, head.labels.val().select(0, indices));
                Unread::OnDevice(attention.flatten(0, 2))
            }
            (Self::Cpu(engine), Encoded::Cpu { hidden, .. }) => {
                let mut workspace = taken(&engine.together);
                let attention =
                    engine.model.attention_of(labels, &hidden[row], 1..tokens + 1, &mut workspace);
                Unread::Here(attention.expect("the CLS head has no attention"))
            }
            _ => unreachable!("an engine reads what it encoded"),
        }
    }
}
