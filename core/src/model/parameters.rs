//! Parameters of a module by their path (`encoder.layers.0.attention.query.weight`): what checkpoints, model
//! folders and foreign formats are made from.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData};
use thiserror::Error;

/// Dense f32 values with their shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Sizes of the axes, outermost first.
    pub shape: Vec<usize>,
    /// `shape.product()` values.
    pub data: Vec<f32>,
}

impl Values {
    /// Transposes a matrix: `[rows, columns]` to `[columns, rows]`.
    ///
    /// # Panics
    /// If there are not two axes.
    pub fn transposed(&self) -> Self {
        assert_eq!(self.shape.len(), 2, "only a matrix can be transposed");
        let (rows, columns) = (self.shape[0], self.shape[1]);
        let mut data = Vec::with_capacity(self.data.len());
        for column in 0..columns {
            data.extend((0..rows).map(|row| self.data[row * columns + column]));
        }
        Self { shape: vec![columns, rows], data }
    }
}

/// Parameters that do not fit a module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// The source lacks what the module has.
    #[error("parameter {0} is missing")]
    Missing(String),
    /// The shapes differ.
    #[error("parameter {path} has shape {found:?}, the model wants {wanted:?}")]
    Shape {
        /// The parameter.
        path: String,
        /// In the source.
        found: Vec<usize>,
        /// In the module.
        wanted: Vec<usize>,
    },
}

/// All float parameters of a module, in f32, by path.
///
/// # Errors
/// None; reading panics only where the device fails.
pub fn export<M: Module>(module: &M) -> BTreeMap<String, Values> {
    let mut visitor = Exporter { path: Vec::new(), values: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.values
}

/// Replaces every float parameter by the value of its path; parameter ids stay. What the module lacks is
/// left in `values` for the caller to judge.
///
/// # Errors
/// The first parameter (by the module's order) that is missing or has another shape; the module is lost then.
pub fn import<M: Module>(module: M, values: &mut BTreeMap<String, Values>) -> Result<M, ParameterError> {
    let mut mapper = Importer { path: Vec::new(), values, error: None };
    let module = module.map(&mut mapper);
    mapper.error.map_or(Ok(module), Err)
}

struct Exporter {
    path: Vec<String>,
    values: BTreeMap<String, Values>,
}

impl ModuleVisitor for Exporter {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let data = tensor.cast(DType::F32).into_data().try_to_vec::<f32>().expect("cast to f32 above");
        self.values.insert(self.path.join("."), Values { shape, data });
    }
}

struct Importer<'a> {
    path: Vec<String>,
    values: &'a mut BTreeMap<String, Values>,
    error: Option<ParameterError>,
}

impl ModuleMapper for Importer<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let path = self.path.join(".");
        let Some(values) = self.values.remove(&path) else {
            self.error = Some(ParameterError::Missing(path));
            return param;
        };
        param.map(|tensor| {
            if tensor.dims()[..] != values.shape[..] {
                let wanted = tensor.dims().to_vec();
                self.error = Some(ParameterError::Shape { path, found: values.shape, wanted });
                return tensor;
            }
            let tracked = tensor.is_require_grad();
            let loaded = Tensor::<D>::from_data(TensorData::new(values.data, values.shape), &tensor.device())
                .cast(tensor.dtype());
            loaded.set_require_grad(tracked)
        })
    }
}
