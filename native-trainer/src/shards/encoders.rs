//! Token ids of many notes on all cores.

use std::sync::{Mutex, PoisonError};

use bert_xml_core::text::{Note, TokenIds, Tokenizer};
use rayon::prelude::*;

/// An encoder for each thread of rayon's pool; what one has learnt it keeps from group to group.
pub struct Encoders<'t>(Vec<Mutex<TokenIds<'t>>>);

impl<'t> Encoders<'t> {
    /// For this tokenizer.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        let threads = rayon::current_num_threads();
        Self((0..threads).map(|_| Mutex::new(TokenIds::new(tokenizer))).collect())
    }

    /// The ids of each note's text, without special tokens. The same for any number of threads.
    pub fn encode(&self, notes: &[Note]) -> Vec<Vec<u32>> {
        notes
            .par_iter()
            .map(|note| {
                let thread = rayon::current_thread_index().unwrap_or_default();
                // Nobody else's: the lock only tells the compiler so. What a panic leaves is still true.
                let mut encoder = self.0[thread].lock().unwrap_or_else(PoisonError::into_inner);
                encoder.encode(&note.text)
            })
            .collect()
    }
}
