//! Forward and backward of a head, chunk by chunk over the labels, so that 75,000 codes need no more memory
//! than a chunk of them.
//!
//! Chunks in a forward pass free nothing under autodiff: the graph of every chunk lives until the backward
//! pass. So each chunk is a graph of its own over detached hidden states H; its backward pass gives the
//! gradients of the head and a share of dL/dH. The encoder's backward pass comes once, at the end, from the
//! scalar Σ H · dL/dH with dL/dH held constant ([`HeadPass::encoder_objective`]), whose gradient at H is dL/dH.

use burn::tensor::{Bool, Gradients, Tensor};

use super::bert_xml::Head;
use super::gradients::GradientMap;
use super::label_attention::{LabelAttention, LabelPart};
use super::loss::binary_cross_entropy;

/// What a head's pass over one micro-batch gives. No tensor carries a graph.
#[derive(Clone, Debug)]
pub struct HeadPass {
    /// The loss times its weight, `[1]`.
    pub loss: Tensor<1>,
    /// dL/dH, `[batch, seq, d_model]`; none unless asked for.
    pub hidden: Option<Tensor<3>>,
    /// Gradients of the head's own parameters, under `head.`.
    pub parameters: GradientMap,
}

impl HeadPass {
    /// The scalar whose backward pass carries dL/dH into the encoder, `[1]`; `hidden` is the encoder's output
    /// with its graph.
    pub fn encoder_objective(&self, hidden: Tensor<3>) -> Option<Tensor<1>> {
        self.hidden.clone().map(|gradient| (hidden * Tensor::from_inner(gradient)).sum())
    }
}

/// Mean binary cross-entropy over batch and labels times `weight`, and its gradients.
///
/// # Shapes
/// - `hidden`: `[batch, seq, d_model]`, on an autodiff device; its own graph is left alone
/// - `real`: `[batch, seq]`, true at word pieces of the note
/// - `targets`: `[batch, labels]`, 0 or 1
pub fn loss_and_gradients(
    head: &Head,
    hidden: Tensor<3>,
    real: Tensor<2, Bool>,
    targets: Tensor<2>,
    chunk: usize,
    weight: f64,
    with_hidden: bool,
) -> HeadPass {
    assert!(chunk > 0, "a chunk needs at least one label");
    let hidden = hidden.inner();
    let leaf = |hidden: &Tensor<3>| {
        let leaf = Tensor::<3>::from_inner(hidden.clone());
        if with_hidden { leaf.require_grad() } else { leaf }
    };
    match head {
        Head::Cls(cls) => {
            let hidden = leaf(&hidden);
            let loss = binary_cross_entropy(cls.forward(hidden.clone()), targets).mul_scalar(weight);
            let mut gradients = loss.backward();
            HeadPass {
                hidden: hidden.grad_remove(&mut gradients),
                parameters: GradientMap::take(head, "head.", &mut gradients),
                loss: loss.inner(),
            }
        }
        Head::Xml(xml) => label_chunks(xml, head, || leaf(&hidden), real, targets, chunk, weight),
    }
}

fn label_chunks(
    xml: &LabelAttention,
    head: &Head,
    leaf: impl Fn() -> Tensor<3>,
    real: Tensor<2, Bool>,
    targets: Tensor<2>,
    chunk: usize,
    weight: f64,
) -> HeadPass {
    let all = xml.part().map(Tensor::inner, Tensor::inner);
    let [labels, _] = all.embeddings.dims();
    let mut of_labels = LabelGradients::default();
    let (mut loss_sum, mut hidden_sum): (Option<Tensor<1>>, Option<Tensor<3>>) = (None, None);
    let mut parameters = GradientMap::default();
    for start in (0..labels).step_by(chunk) {
        let count = chunk.min(labels - start);
        let hidden = leaf();
        let part = all.narrow(start, count).map(
            |inner| Tensor::from_inner(inner).require_grad(),
            |inner| Tensor::from_inner(inner).require_grad(),
        );
        let logits = xml.attend(hidden.clone(), real.clone(), part.clone()).logits;
        // The chunk's share of the mean over all labels.
        let share = weight * count as f64 / labels as f64;
        let loss = binary_cross_entropy(logits, targets.clone().narrow(1, start, count)).mul_scalar(share);
        let mut gradients = loss.backward();
        of_labels.take(&part, &mut gradients);
        if let Some(gradient) = hidden.grad_remove(&mut gradients) {
            hidden_sum = Some(hidden_sum.map_or(gradient.clone(), |sum| sum + gradient));
        }
        parameters.add_all(GradientMap::take(head, "head.", &mut gradients));
        let loss = loss.inner();
        loss_sum = Some(loss_sum.map_or(loss.clone(), |sum| sum + loss));
    }
    of_labels.add_to(&mut parameters);
    let loss = loss_sum.expect("a head has at least one label");
    HeadPass { loss, hidden: hidden_sum, parameters }
}

/// Gradients of what labels have for themselves, a tensor a chunk.
#[derive(Default)]
struct LabelGradients {
    embeddings: Vec<Tensor<2>>,
    weights: Vec<Tensor<2>>,
    bias: Vec<Tensor<1>>,
}

impl LabelGradients {
    fn take(&mut self, part: &LabelPart, gradients: &mut Gradients) {
        const DEPENDS: &str = "logits depend on their labels";
        self.embeddings.push(part.embeddings.grad_remove(gradients).expect(DEPENDS));
        self.weights
            .extend(part.weights.as_ref().map(|weights| weights.grad_remove(gradients).expect(DEPENDS)));
        self.bias.extend(part.bias.as_ref().map(|bias| bias.grad_remove(gradients).expect(DEPENDS)));
    }

    fn add_to(self, map: &mut GradientMap) {
        map.add("head.Xml.labels".to_owned(), Tensor::cat(self.embeddings, 0));
        if !self.weights.is_empty() {
            map.add("head.Xml.weights".to_owned(), Tensor::cat(self.weights, 0));
        }
        if !self.bias.is_empty() {
            map.add("head.Xml.bias".to_owned(), Tensor::cat(self.bias, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::model::{Products, XmlOptions};

    /// Peers' training diverges where the attention's softmax overflows in half precision.
    #[test]
    fn scores_fifty_times_as_large_give_no_nan_in_bf16() {
        let device = Device::flex().autodiff();
        let (batch, seq, d_model, labels) = (2, 12, 16, 9);
        let real: Vec<bool> = (0..batch * seq).map(|at| at % seq != 0 && at < 20).collect();
        let real = Tensor::<1, Bool>::from_data(real.as_slice(), &device).reshape([batch, seq]);
        for seed in 0..100 {
            device.seed(seed);
            let mut xml = LabelAttention::new(d_model, d_model, labels, XmlOptions::default(), 1.0, &device);
            xml.products = Products::Bf16;
            let large = xml.labels.val().inner().mul_scalar(50.0);
            xml.labels = xml.labels.map(|_| Tensor::from_inner(large).require_grad());
            let hidden = Tensor::<3>::random([batch, seq, d_model], Distribution::Normal(0.0, 1.0), &device);
            let targets = Tensor::<2>::random([batch, labels], Distribution::Bernoulli(0.3), &device);
            let scores = hidden.clone().inner().matmul(xml.labels.val().inner().transpose().unsqueeze());
            assert!(scores.abs().max().into_scalar::<f32>() > 200.0, "they are large");
            let pass = loss_and_gradients(&Head::Xml(xml), hidden, real.clone(), targets, 4, 1.0, true);
            let to_hidden = pass.hidden.unwrap().into_data().try_to_vec::<f32>().unwrap();
            let gradients = pass.parameters.to_values();
            let all = gradients.values().flat_map(|values| &values.data).chain(&to_hidden);
            assert!(all.clone().all(|value| value.is_finite()), "seed {seed}");
            assert!(all.clone().any(|value| *value != 0.0) && pass.loss.into_scalar::<f32>().is_finite());
        }
    }
}
