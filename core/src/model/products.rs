//! In which numbers matrix products run: mixed precision.
//!
//! Weights, gradients that are summed up, the residual stream, softmax, LayerNorm and losses are in f32 always.
//! With [`Products::Bf16`] both sides of a product are rounded to bf16 on their way into it, as PyTorch's autocast
//! does, and what lies between two products of a block (GELU, dropout) stays in bf16. bf16 has the range of f32, so
//! that no loss has to be scaled.

use burn::nn::Linear;
use burn::tensor::module::linear;
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// The numbers that matrix products take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// Single precision.
    #[default]
    F32,
    /// 8 bits of precision and the range of f32; sums in f32 on every card that has it.
    Bf16,
}

impl Products {
    /// Their type in burn.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }

    /// A tensor on its way into a product.
    pub fn round<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 => tensor,
            Self::Bf16 => tensor.cast(DType::BF16),
        }
    }

    /// What came of products, in f32.
    pub fn widen<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 => tensor,
            Self::Bf16 => tensor.cast(DType::F32),
        }
    }

    /// A linear layer; its output stays in the numbers of the product.
    pub fn linear<const D: usize>(self, layer: &Linear, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 => layer.forward(input),
            Self::Bf16 => {
                let bias = layer.bias.as_ref().map(|bias| self.round(bias.val()));
                linear(self.round(input), self.round(layer.weight.val()), bias)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_product_in_bf16_is_the_one_of_rounded_numbers_and_its_gradients_are_f32() {
        let device = Device::flex().autodiff();
        let mut layer = LinearConfig::new(2, 1).init(&device);
        // Between 1 and 1 + 2⁻⁷ bf16 has no number: 1 + 2⁻⁹ goes to 1.
        let weights = Tensor::<2>::from_data([[1.001_953_1_f32], [2.0]], &device);
        layer.weight = layer.weight.map(|_| weights.require_grad());
        layer.bias = layer.bias.map(|bias| bias.map(|_| Tensor::zeros([1], &device).require_grad()));
        let input = Tensor::<2>::from_data([[3.0_f32, 0.5]], &device).require_grad();
        let exact: f32 = Products::F32.linear(&layer, input.clone()).into_scalar();
        assert!((exact - 4.005_859).abs() < 1e-5, "{exact}");
        let rounded = Products::Bf16.linear(&layer, input.clone());
        assert_eq!(rounded.dtype(), DType::BF16);
        let sum = Products::Bf16.widen(rounded).sum();
        assert_eq!(sum.clone().into_scalar::<f32>(), 4.0);
        let gradients = sum.backward();
        let of_weight = layer.weight.val().grad(&gradients).unwrap();
        assert_eq!(of_weight.dtype(), DType::F32);
        assert_eq!(of_weight.into_data().try_to_vec::<f32>().unwrap(), [3.0, 0.5]);
        assert_eq!(input.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
    }
}
