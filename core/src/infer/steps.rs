//! One note, window by window: for a page that shows progress, can be stopped, and must never block.

use super::coder::{Coder, EmptyNote, NotePrediction, PredictOptions};
use super::group::Group;
use super::reading::DeviceError;

/// A note between its first window and its codes. Drop it to stop.
///
/// ```text
/// let mut steps = coder.steps(note, 4096)?;
/// while !steps.step(&coder).await? {}
/// let prediction = steps.finish(&coder, &options).await?;
/// ```
pub struct Steps {
    group: Group,
    windows: usize,
}

impl Coder {
    /// Tokenizes a note and cuts it into windows, each of which is a step; `chunk`: labels a piece of the XML head.
    /// Hidden states are kept until the end, for the evidence.
    ///
    /// # Errors
    /// A note without tokens.
    pub fn steps(&self, text: &str, chunk: usize) -> Result<Steps, EmptyNote> {
        let note = self.tokenizer().encode(text);
        if note.is_empty() {
            return Err(EmptyNote);
        }
        // One token a batch: every window stands alone.
        let options = PredictOptions { chunk, batch_tokens: 1, ..PredictOptions::default() };
        let group = Group::new(vec![note], self, self.plan(&options), true);
        Ok(Steps { windows: group.batches_left(), group })
    }
}

impl Steps {
    /// Windows of the note.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// Tokens of the note, special ones not counted.
    pub fn tokens(&self) -> usize {
        self.group.notes()[0].len()
    }

    /// Sends one window through encoder and labels; true when none is left. `coder` is the one that made this.
    ///
    /// # Errors
    /// A device that fails; the prediction is lost.
    pub async fn step(&mut self, coder: &Coder) -> Result<bool, DeviceError> {
        if let Some((batch, logits)) = self.group.encode_next(coder) {
            let logits = logits.read_async().await?;
            self.group.add(batch, &logits);
        }
        Ok(self.group.batches_left() == 0)
    }

    /// Steps that are left, then the codes with their evidence: what [`Coder::predict`] says of the note with one
    /// window a batch. Of the options, `chunk` and `batch_tokens` are not read: the start has set them.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn finish(
        mut self,
        coder: &Coder,
        options: &PredictOptions,
    ) -> Result<NotePrediction, DeviceError> {
        while !self.step(coder).await? {}
        let mut predictions = self.group.rank(coder, options);
        let questions = if options.evidence > 0 { self.group.questions(&predictions) } else { Vec::new() };
        for question in questions {
            let attention = self.group.ask(coder, &question).read_async().await?;
            self.group.answer(&question, &attention, options.evidence, &mut predictions);
        }
        Ok(predictions.remove(0))
    }
}
