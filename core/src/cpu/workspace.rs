//! Memory that a model works in, kept from note to note.

use super::attention::{AttentionScratch, KeysValues};
use super::quantize::QuantizedRows;
use super::workers::Workers;

/// Room for one caller: threads, and buffers that grow to the longest window and stay.
///
/// To code many windows at once give each thread a workspace of one thread; to code one window fast give one
/// workspace many. Results have the same bits either way.
#[derive(Debug)]
pub struct Workspace {
    pub(super) workers: Workers<Room>,
    /// Queries, keys and values by blocks of rows, then heads; the hidden states after `W_b`.
    pub(super) projected: Vec<f32>,
    /// Contexts, `[heads, seq, d_head]`.
    pub(super) context: Vec<f32>,
    /// The hidden states as keys and values of the labels.
    pub(super) window: KeysValues,
}

/// One worker's buffers.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub quantized: QuantizedRows,
    pub keys_values: KeysValues,
    pub attention: AttentionScratch,
    /// `[rows, d_model]`
    pub narrow: Vec<f32>,
    /// `[rows, intermediate]`
    pub wide: Vec<f32>,
}

impl Workspace {
    /// A workspace of `threads` threads, at least one; in a browser, one.
    pub fn new(threads: usize) -> Self {
        Self {
            workers: Workers::new(threads),
            projected: Vec::new(),
            context: Vec::new(),
            window: KeysValues::default(),
        }
    }

    /// Threads that work.
    pub fn threads(&self) -> usize {
        self.workers.count()
    }

    /// Bytes of memory: buffers never shrink, so this is the peak.
    pub fn bytes(&self) -> usize {
        let rooms = self.workers.rooms().iter().map(Room::bytes).sum::<usize>();
        rooms + 4 * (self.projected.capacity() + self.context.capacity()) + self.window.bytes()
    }
}

impl Room {
    fn bytes(&self) -> usize {
        self.quantized.bytes()
            + self.keys_values.bytes()
            + self.attention.bytes()
            + 4 * (self.narrow.capacity() + self.wide.capacity())
    }
}
