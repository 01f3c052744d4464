//! Rows that hold several notes on a device, and each note's hidden states out of them again.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::bert_xml::BertXml;
use super::encoder::{Encoder, Unseen};
use crate::data::PackedBatch;

/// A packed batch on a device.
#[derive(Clone, Debug)]
pub struct PackedInputs {
    /// Token ids, `[batch, seq]`.
    pub ids: Tensor<2, Int>,
    /// Segments, `[batch, seq]`.
    pub segments: Tensor<2, Int>,
    /// Position of each token in its note, `[batch, seq]`.
    pub positions: Tensor<2, Int>,
    /// What a token does not see: other notes and padding.
    pub unseen: Unseen,
    /// Where each note's tokens lie in the flattened `[batch · seq]`, `[notes · longest]`; 0 beyond a note's end.
    places: Tensor<1, Int>,
    /// True at word pieces of the note, `[notes, longest]`.
    pub real: Tensor<2, Bool>,
}

impl PackedInputs {
    /// Copies a batch to a device.
    pub fn new(batch: &PackedBatch, device: &Device) -> Self {
        let shape = [batch.rows.batch, batch.rows.seq];
        let int = |values: &[u32]| {
            let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
            Tensor::<2, Int>::from_data(TensorData::new(values, shape), device)
        };
        let longest = batch.places.iter().map(|place| place.len).max().expect("a batch has a note");
        let notes = batch.places.len();
        let (mut places, mut real) = (vec![0i32; notes * longest], vec![false; notes * longest]);
        for (note, place) in batch.places.iter().enumerate() {
            let from = place.row * batch.rows.seq + place.start;
            for at in 0..place.len {
                places[note * longest + at] = (from + at) as i32;
                real[note * longest + at] = batch.rows.real[from + at];
            }
        }
        let unseen =
            if batch.is_whole() { Unseen::nothing() } else { Unseen::other_notes(int(&batch.notes)) };
        Self {
            ids: int(&batch.rows.ids),
            segments: int(&batch.rows.segments),
            positions: int(&batch.positions),
            unseen,
            places: Tensor::from_data(TensorData::new(places, [notes * longest]), device),
            real: Tensor::from_data(TensorData::new(real, [notes, longest]), device),
        }
    }

    /// Hidden states by note, `[notes, longest, d_model]`, of those by row, `[batch, seq, d_model]`. What lies beyond
    /// a note's end is another's, and `real` is false there.
    pub fn by_note(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, seq, d_model] = hidden.dims();
        let [notes, longest] = self.real.dims();
        hidden
            .reshape([batch * seq, d_model])
            .select(0, self.places.clone())
            .reshape([notes, longest, d_model]) // [notes, longest, d_model]
    }
}

impl Encoder {
    /// Hidden states by row, `[batch, seq, d_model]`.
    pub fn forward_rows(&self, inputs: &PackedInputs) -> Tensor<3> {
        let (ids, segments) = (inputs.ids.clone(), inputs.segments.clone());
        self.forward_packed(ids, segments, inputs.positions.clone(), &inputs.unseen)
    }
}

impl BertXml {
    /// Hidden states by note, `[notes, longest, d_model]`.
    pub fn encode_packed(&self, inputs: &PackedInputs) -> Tensor<3> {
        inputs.by_note(self.encoder.forward_rows(inputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{lay_out, pad_windows};
    use crate::model::loss::{binary_cross_entropy, cross_entropy};
    use crate::model::pretrain::PretrainModel;
    use crate::model::{EncoderConfig, HeadKind, Inputs, ModelConfig, Size};
    use crate::text::SpecialTokens;

    const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

    fn windows() -> Vec<Vec<u32>> {
        let note = |length: u32, first: u32| {
            [2].into_iter().chain((0..length).map(|at| 5 + (first + 7 * at) % 60)).chain([3]).collect()
        };
        vec![note(9, 1), note(4, 20), note(12, 33), note(0, 0), note(6, 50)]
    }

    fn config() -> EncoderConfig {
        EncoderConfig { vocab_size: 70, max_position_embeddings: 32, ..EncoderConfig::of_size(Size::Tiny) }
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_note_has_the_same_states_loss_and_logits_in_a_packed_row_as_alone() {
        let device = Device::flex();
        let (windows, config) = (windows(), ModelConfig::new(config(), HeadKind::Xml, 7));
        let model = config.init(&device).unwrap();
        let rows = [vec![&windows[0], &windows[1], &windows[2]], vec![&windows[3]], vec![&windows[4]]]
            .map(|row| row.into_iter().cloned().collect::<Vec<_>>());
        let packed = PackedInputs::new(&lay_out(&rows, &SPECIAL, 8, 32), &device);
        let together = model.encode_packed(&packed);
        let [_, longest, d_model] = together.dims();
        let all = numbers(together.clone());
        for (note, window) in windows.iter().enumerate() {
            let alone =
                numbers(model.encode(&Inputs::new(&pad_windows(&[window], &SPECIAL, 1, 32), &device)));
            let found = &all[note * longest * d_model..][..window.len() * d_model];
            let worst = alone.iter().zip(found).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst <= 1e-5, "note {note}: {worst:e}");
        }
        let padded = Inputs::new(&pad_windows(&windows, &SPECIAL, 8, 32), &device);
        let targets: Vec<f32> = (0..35u8).map(|at| f32::from(u8::from(at % 3 == 0))).collect();
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [5, 7]), &device);
        let loss = |hidden, real| {
            numbers(binary_cross_entropy(model.head.forward(hidden, real, 3), targets.clone()))[0]
        };
        let (one, other) = (loss(together, packed.real), loss(model.encode(&padded), padded.real));
        assert!((one - other).abs() <= 1e-6, "{one} {other}");
    }

    #[test]
    fn the_masked_loss_of_packed_rows_is_that_of_the_padded_notes() {
        let device = Device::flex();
        let model = PretrainModel::new(&config(), &device).unwrap();
        let windows: Vec<Vec<u32>> = windows().into_iter().filter(|window| window.len() > 2).collect();
        // The second token of every note is to be found.
        let targets: Vec<i32> = windows.iter().map(|window| window[2] as i32).collect();
        let ints = |values: Vec<i32>| Tensor::<1, Int>::from_data(values.as_slice(), &device);
        let padded = pad_windows(&windows, &SPECIAL, 8, 32);
        let at = (0..windows.len()).map(|row| (row * padded.seq + 2) as i32).collect();
        let inputs = Inputs::new(&padded, &device);
        let hidden = model.encoder.forward(inputs.ids, inputs.segments, inputs.keep);
        let expected = numbers(cross_entropy(model.mlm_logits(hidden, ints(at)), ints(targets.clone())))[0];
        let batch = lay_out(&[windows[..2].to_vec(), windows[2..].to_vec()], &SPECIAL, 8, 32);
        let at = batch.places.iter().map(|place| (place.row * batch.rows.seq + place.start + 2) as i32);
        let hidden = model.encoder.forward_rows(&PackedInputs::new(&batch, &device));
        let found = numbers(cross_entropy(model.mlm_logits(hidden, ints(at.collect())), ints(targets)))[0];
        assert!((expected - found).abs() <= 1e-5, "{expected} {found}");
    }
}
