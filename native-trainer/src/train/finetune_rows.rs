//! Rows of windows on a device, padded or packed, as fine-tuning reads them.

use bert_xml_core::data::WindowBatch;
use bert_xml_core::model::encoder::Unseen;
use bert_xml_core::model::{BertXml, Inputs, PackedInputs};
use burn::tensor::{Bool, Device, Tensor};

use super::examples::RowsOfWindows;

/// Windows on the device.
// There is one at a time: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
pub(super) enum Placed<'a> {
    /// A row is a window.
    Padded(Inputs, &'a WindowBatch),
    /// A row is several.
    Packed(PackedInputs),
}

impl<'a> Placed<'a> {
    /// Copies them there.
    pub(super) fn new(rows: &'a RowsOfWindows, device: &Device) -> Self {
        match rows {
            RowsOfWindows::Padded(batch) => Self::Padded(Inputs::new(batch, device), batch),
            RowsOfWindows::Packed(batch) => Self::Packed(PackedInputs::new(batch, device)),
        }
    }

    /// What a token does not see.
    pub(super) fn unseen(&self) -> Unseen {
        match self {
            Self::Padded(inputs, _) => Unseen::padding(inputs.keep.clone()),
            Self::Packed(inputs) => inputs.unseen.clone(),
        }
    }

    /// Hidden states of the embeddings, `[rows, seq, d_model]`.
    pub(super) fn embed(&self, model: &BertXml) -> Tensor<3> {
        let embeddings = &model.encoder.embeddings;
        match self {
            Self::Padded(inputs, _) => embeddings.forward(inputs.ids.clone(), inputs.segments.clone()),
            Self::Packed(inputs) => {
                let (ids, segments) = (inputs.ids.clone(), inputs.segments.clone());
                embeddings.forward_at(ids, segments, inputs.positions.clone())
            }
        }
    }

    /// Hidden states by window, `[windows, longest, d_model]`, and which of them are word pieces.
    pub(super) fn by_note(&self, by_row: Tensor<3>) -> (Tensor<3>, Tensor<2, Bool>) {
        match self {
            Self::Padded(inputs, _) => (by_row, inputs.real.clone()),
            Self::Packed(inputs) => (inputs.by_note(by_row), inputs.real.clone()),
        }
    }
}
