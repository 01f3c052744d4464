//! Gradients of a module by parameter path: what accumulates over micro-batches and feeds the optimizer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor};

use super::parameters::Values;

/// A gradient, flattened; its shape is kept beside it.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// Sizes of the parameter's axes.
    pub shape: Vec<usize>,
    /// `[shape.product()]`, row-major, without autodiff.
    pub flat: Tensor<1>,
}

/// Gradients by parameter path, in the order of the paths.
#[derive(Clone, Debug, Default)]
pub struct GradientMap(pub BTreeMap<String, Gradient>);

impl GradientMap {
    /// Takes the gradients of a module's parameters out of a backward pass; `prefix` (such as `head.`) is put
    /// in front of the paths. Parameters that took no part are left out.
    pub fn take<M: Module>(module: &M, prefix: &str, gradients: &mut Gradients) -> Self {
        let mut visitor = Taker { path: Vec::new(), prefix, gradients, map: Self::default() };
        module.visit(&mut visitor);
        visitor.map
    }

    /// Adds one gradient to what is there.
    pub fn add<const D: usize>(&mut self, path: String, gradient: Tensor<D>) {
        let shape = gradient.dims().to_vec();
        self.add_flat(path, Gradient { flat: gradient.reshape([-1]), shape });
    }

    /// Adds another map's gradients to these.
    pub fn add_all(&mut self, other: Self) {
        for (path, gradient) in other.0 {
            self.add_flat(path, gradient);
        }
    }

    fn add_flat(&mut self, path: String, gradient: Gradient) {
        match self.0.entry(path) {
            Entry::Vacant(place) => {
                place.insert(gradient);
            }
            Entry::Occupied(mut there) => {
                let sum = there.get().flat.clone() + gradient.flat;
                there.get_mut().flat = sum;
            }
        }
    }

    /// The L2 norm over all gradients, `[1]`, in f32; none where there is no gradient.
    pub fn norm(&self) -> Option<Tensor<1>> {
        let squares = self.0.values().map(|gradient| gradient.flat.clone().cast(DType::F32).square().sum());
        squares.reduce(|sum, square| sum + square).map(Tensor::sqrt)
    }

    /// Multiplies all gradients by a factor, `[1]` (on the device, so that nothing waits for it).
    pub fn scale(&mut self, factor: &Tensor<1>) {
        for gradient in self.0.values_mut() {
            gradient.flat = gradient.flat.clone() * factor.clone().cast(gradient.flat.dtype());
        }
    }

    /// Copies all gradients from the device, in f32.
    ///
    /// # Panics
    /// Only where the device fails.
    pub fn to_values(&self) -> BTreeMap<String, Values> {
        let values = |gradient: &Gradient| Values {
            shape: gradient.shape.clone(),
            data: gradient.flat.clone().cast(DType::F32).into_data().try_to_vec().expect("cast to f32"),
        };
        self.0.iter().map(|(path, gradient)| (path.clone(), values(gradient))).collect()
    }
}

struct Taker<'a> {
    path: Vec<String>,
    prefix: &'a str,
    gradients: &'a mut Gradients,
    map: GradientMap,
}

impl ModuleVisitor for Taker<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.gradients) {
            self.map.add(format!("{}{}", self.prefix, self.path.join(".")), gradient);
        }
    }
}
