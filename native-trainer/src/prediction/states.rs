//! Hidden states of notes as a safetensors file, in memory that does not grow with the notes.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use bert_xml_core::infer::WindowPlan;
use bert_xml_core::infer::scoring::{encode_batch, plan_batches};
use bert_xml_core::model::encoder::Encoder;
use bert_xml_core::text::Tokenizer;
use burn::tensor::Device;
use serde_json::{Map, json};

use super::stream::empty;
use crate::files::write_atomic_with;
use crate::ingest::Record;
use crate::progress::Progress;

/// Notes that are batched together.
const GROUP: usize = 32;

/// An encoder that is ready to read notes.
pub struct StateReader {
    /// The encoder, without autodiff.
    pub encoder: Encoder,
    /// Its vocabulary.
    pub tokenizer: Tokenizer,
    /// Where it lies.
    pub device: Device,
    /// Longest window in tokens.
    pub max_len: usize,
    /// Width of a hidden state.
    pub d_model: usize,
    /// Only the means.
    pub pooled_only: bool,
}

impl StateReader {
    /// Hidden states of one note's tokens, `[tokens, d_model]`, special tokens left out, for each note.
    ///
    /// A long note is cut into windows side by side; the last one is moved back to be full, and gives the states of
    /// the tokens that no window before it has: every token once.
    pub fn states(&self, notes: &[&[u32]]) -> Vec<Vec<f32>> {
        let content = self.max_len - 2;
        let plan = WindowPlan { max_len: self.max_len, stride: content, chunk: 1, batch_tokens: 8192 };
        let width = self.d_model;
        let mut states: Vec<Vec<f32>> = notes.iter().map(|ids| vec![0.0; ids.len() * width]).collect();
        for rows in plan_batches(notes, &plan) {
            let special = self.tokenizer.special();
            let batch = encode_batch(&self.encoder, notes, rows, &plan, &special, &self.device);
            let [_, seq, _] = batch.hidden.dims();
            let hidden = batch.hidden.into_data().convert::<f32>().try_to_vec::<f32>().expect("f32");
            for (row, window) in batch.rows.iter().enumerate() {
                let first = window.span.start.next_multiple_of(content).min(window.span.end);
                let from = (row * seq + 1 + first - window.span.start) * width;
                let count = (window.span.end - first) * width;
                states[window.note][first * width..][..count].copy_from_slice(&hidden[from..from + count]);
            }
        }
        states
    }

    /// Writes `<note_id>.hidden`, `[tokens, d_model]` (unless pooled only), and `<note_id>.mean`, `[d_model]`, of
    /// every note. Returns how many notes there were.
    ///
    /// # Errors
    /// The first record that cannot be read or has no tokens; whatever the disk says. Nothing is left then.
    pub fn write(
        &self,
        records: impl Iterator<Item = Result<Record>>,
        out: &Path,
        progress: &mut Progress,
    ) -> Result<u64> {
        let folder = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let spool = tempfile::tempfile_in(folder).with_context(|| format!("writing {}", out.display()))?;
        let mut file = Spool { data: BufWriter::new(spool), header: Map::new(), offset: 0 };
        let mut records = records.peekable();
        let mut done = 0;
        while records.peek().is_some() {
            let group: Vec<Record> = records.by_ref().take(GROUP).collect::<Result<_>>()?;
            let encoded: Vec<_> =
                group.iter().map(|record| self.tokenizer.encode(&record.note.text)).collect();
            if let Some(at) = encoded.iter().position(|note| note.is_empty()) {
                return Err(empty(&group[at]));
            }
            let ids: Vec<&[u32]> = encoded.iter().map(|note| note.ids.as_slice()).collect();
            for (record, states) in group.iter().zip(self.states(&ids)) {
                let note_id = &record.note.note_id;
                let tokens = states.len() / self.d_model;
                let mean = mean(&states, self.d_model);
                let write = if self.pooled_only {
                    Ok(())
                } else {
                    file.add(format!("{note_id}.hidden"), &[tokens, self.d_model], &states)
                };
                write
                    .and_then(|()| file.add(format!("{note_id}.mean"), &[self.d_model], &mean))
                    .with_context(|| format!("writing {}", out.display()))?;
            }
            done += group.len() as u64;
            progress.advance(group.len() as u64);
        }
        file.finish(out)?;
        Ok(done)
    }
}

fn mean(states: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; width];
    for row in states.chunks_exact(width) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let rows = (states.len() / width) as f64;
    sum.into_iter().map(|sum| (sum / rows) as f32).collect()
}

/// A safetensors file whose header is known only at the end.
struct Spool {
    data: BufWriter<File>,
    header: Map<String, serde_json::Value>,
    offset: usize,
}

impl Spool {
    fn add(&mut self, name: String, shape: &[usize], values: &[f32]) -> io::Result<()> {
        for value in values {
            self.data.write_all(&value.to_le_bytes())?;
        }
        let end = self.offset + size_of_val(values);
        let info = json!({"dtype": "F32", "shape": shape, "data_offsets": [self.offset, end]});
        self.header.insert(name, info);
        self.offset = end;
        Ok(())
    }

    fn finish(mut self, out: &Path) -> Result<()> {
        self.header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
        let mut header = serde_json::to_vec(&self.header).context("the header is plain JSON")?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut data = self
            .data
            .into_inner()
            .map_err(|error| error.into_error())
            .with_context(|| format!("writing {}", out.display()))?;
        write_atomic_with(out, |file| {
            data.rewind()?;
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            io::copy(&mut BufReader::new(data), file).map(|_| ())
        })
    }
}
