//! AdamW (Loshchilov and Hutter 2019) with its moments keyed by parameter path.
//!
//! burn's own optimizer keys them by a random id that no weight file carries: a resume in a new process would
//! silently lose the moments. Here they are saved and loaded beside the weights.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use bert_xml_core::model::gradients::{Gradient, GradientMap};
use bert_xml_core::model::parameters::Values;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Settings of the optimizer and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSettings {
    /// Largest learning rate. Paper, fine-tuning: 2e-5; it does not give the pretraining rate (ours: 1e-4, BERT's).
    pub learning_rate: f64,
    /// Largest learning rate of the classification head. Ours; the paper has one rate (`learning_rate`).
    pub head_learning_rate: Option<f64>,
    /// Share of the steps in which the rate rises from 0; after them it falls linearly to 0. Paper: .1.
    pub warmup: f64,
    /// Decoupled weight decay, of matrices only. The paper does not give it; ours: .01, BERT's.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment. BERT: 1e-6.
    pub epsilon: f64,
    /// Largest L2 norm of all gradients together; 0 clips nothing. Ours: 1, BERT's.
    pub clip_norm: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            learning_rate: 2e-5,
            head_learning_rate: None,
            warmup: 0.1,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-6,
            clip_norm: 1.0,
        }
    }
}

impl OptimizerSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of range, with its value and the rule.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("head_learning_rate", self.head_learning_rate.unwrap_or(0.0)),
            ("weight_decay", self.weight_decay),
            ("clip_norm", self.clip_norm),
        ] {
            ensure!(value.is_finite() && value >= 0.0, "optimizer.{field} = {value}: must be at least 0");
        }
        for (field, value) in [("warmup", self.warmup), ("beta_1", self.beta_1), ("beta_2", self.beta_2)] {
            ensure!((0.0..1.0).contains(&value), "optimizer.{field} = {value}: must be at least 0 and below 1");
        }
        ensure!(self.epsilon > 0.0, "optimizer.epsilon = {}: must be positive", self.epsilon);
        Ok(())
    }

    /// The learning rate of a step (from 0) of `steps` as a share of its peak: linear warm-up, then linear
    /// down to 0.
    pub fn schedule(&self, step: u64, steps: u64) -> f64 {
        let warmup = (self.warmup * steps as f64).ceil();
        let done = step as f64 + 1.0;
        if done <= warmup {
            done / warmup
        } else {
            ((steps as f64 - step as f64) / (steps as f64 - warmup).max(1.0)).clamp(0.0, 1.0)
        }
    }
}

#[derive(Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// The optimizer's state.
pub struct AdamW {
    settings: OptimizerSettings,
    /// Steps taken, for the bias correction.
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// No step taken yet.
    pub fn new(settings: OptimizerSettings) -> Self {
        Self { settings, steps: 0, moments: BTreeMap::new() }
    }

    /// One step. Parameters without a gradient stay as they are. `rate` is the schedule's share of the peak.
    ///
    /// Gradients are clipped to `clip_norm` together. Returns the module and the norm before clipping, on the
    /// device.
    pub fn step<M: Module>(&mut self, module: M, mut gradients: GradientMap, rate: f64) -> (M, Option<Tensor<1>>) {
        let norm = gradients.norm();
        if let Some(norm) = norm.as_ref().filter(|_| self.settings.clip_norm > 0.0) {
            let factor = (norm.clone() + 1e-6).recip().mul_scalar(self.settings.clip_norm).clamp_max(1.0);
            gradients.scale(&factor);
        }
        self.steps += 1;
        let mut stepper = Stepper { path: Vec::new(), optimizer: self, gradients, rate };
        (module.map(&mut stepper), norm)
    }

    /// Steps taken and all moments as `first.PATH` and `second.PATH`.
    pub fn export(&self) -> (u64, BTreeMap<String, Values>) {
        let values = |tensor: &Tensor<1>| {
            let data: Vec<f32> = tensor.clone().cast(DType::F32).into_data().try_to_vec().expect("cast to f32");
            Values { shape: vec![data.len()], data }
        };
        let moments = self.moments.iter().flat_map(|(path, moments)| {
            [(format!("first.{path}"), values(&moments.first)), (format!("second.{path}"), values(&moments.second))]
        });
        (self.steps, moments.collect())
    }

    /// Goes on from an exported state; `device` without autodiff.
    ///
    /// # Errors
    /// A moment without its partner.
    pub fn import(
        settings: OptimizerSettings,
        steps: u64,
        mut values: BTreeMap<String, Values>,
        device: &Device,
    ) -> Result<Self> {
        let tensor = |values: Values| Tensor::from_data(TensorData::new(values.data, values.shape), device);
        let paths: Vec<String> =
            values.keys().filter_map(|key| key.strip_prefix("first.")).map(str::to_owned).collect();
        let mut moments = BTreeMap::new();
        for path in paths {
            let first = values.remove(&format!("first.{path}")).expect("listed above");
            let second = values.remove(&format!("second.{path}"));
            let second = second.ok_or_else(|| anyhow::anyhow!("optimizer state: second.{path} is missing"))?;
            ensure!(first.shape == second.shape, "optimizer state: the moments of {path} differ in shape");
            moments.insert(path, Moments { first: tensor(first), second: tensor(second) });
        }
        ensure!(values.is_empty(), "optimizer state: {:?} has no first moment", values.keys().next());
        Ok(Self { settings, steps, moments })
    }

    fn update(&mut self, path: &str, value: Tensor<1>, gradient: Gradient, rate: f64) -> Tensor<1> {
        let settings = &self.settings;
        let gradient_flat = gradient.flat;
        let (first, second) = match self.moments.remove(path) {
            Some(Moments { first, second }) => (first, second),
            None => (gradient_flat.zeros_like(), gradient_flat.zeros_like()),
        };
        let first = first.mul_scalar(settings.beta_1) + gradient_flat.clone().mul_scalar(1.0 - settings.beta_1);
        let second =
            second.mul_scalar(settings.beta_2) + gradient_flat.square().mul_scalar(1.0 - settings.beta_2);
        let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        let peak = match settings.head_learning_rate {
            Some(head) if path.starts_with("head.") => head,
            _ => settings.learning_rate,
        };
        let (rate, scale) = (rate * peak, correction(settings.beta_2).sqrt());
        // lr · (m / c1) / (√(v / c2) + ε), with the constants drawn together.
        let step = first.clone() / (second.clone().sqrt().add_scalar(settings.epsilon * scale));
        let step = step.mul_scalar(rate * scale / correction(settings.beta_1));
        let decay = if gradient.shape.len() >= 2 { rate * settings.weight_decay } else { 0.0 };
        self.moments.insert(path.to_owned(), Moments { first, second });
        let kept = if decay > 0.0 { value.mul_scalar(1.0 - decay) } else { value };
        kept - step
    }
}

struct Stepper<'a> {
    path: Vec<String>,
    optimizer: &'a mut AdamW,
    gradients: GradientMap,
    rate: f64,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(gradient) = self.gradients.0.remove(&path) else {
            return param;
        };
        param.map(|tensor| {
            let dims = tensor.dims();
            let value = self.optimizer.update(&path, tensor.inner().reshape([-1]), gradient, self.rate);
            Tensor::from_inner(value.reshape(dims)).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};

    #[test]
    fn the_schedule_rises_and_falls() {
        let settings = OptimizerSettings { warmup: 0.2, ..OptimizerSettings::default() };
        let rates: Vec<f64> = (0..10).map(|step| settings.schedule(step, 10)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]);
        let none = OptimizerSettings { warmup: 0.0, ..OptimizerSettings::default() };
        assert_eq!((none.schedule(0, 4), none.schedule(3, 4)), (1.0, 0.25));
    }

    /// The textbook's formulas on plain numbers.
    fn by_hand(settings: &OptimizerSettings, value: f64, gradients: &[f64]) -> f64 {
        let (mut value, mut m, mut v) = (value, 0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            m = settings.beta_1 * m + (1.0 - settings.beta_1) * g;
            v = settings.beta_2 * v + (1.0 - settings.beta_2) * g * g;
            let (m, v) = (m / (1.0 - settings.beta_1.powi(t)), v / (1.0 - settings.beta_2.powi(t)));
            value -= settings.learning_rate * settings.weight_decay * value;
            value -= settings.learning_rate * m / (v.sqrt() + settings.epsilon);
        }
        value
    }

    fn linear(value: f32, device: &Device) -> Linear {
        let mut linear = LinearConfig::new(1, 1).with_bias(false).init(device);
        linear.weight = Param::from_tensor(Tensor::full([1, 1], value, device));
        linear
    }

    fn gradient(value: f32, device: &Device) -> GradientMap {
        let mut map = GradientMap::default();
        map.add("weight".to_owned(), Tensor::<2>::full([1, 1], value, device));
        map
    }

    #[test]
    fn steps_are_the_textbooks_and_survive_export() {
        let device = Device::flex();
        let settings = OptimizerSettings { learning_rate: 0.1, clip_norm: 0.0, ..OptimizerSettings::default() };
        let mut module = linear(2.0, &device.clone().autodiff());
        let mut optimizer = AdamW::new(settings.clone());
        let gradients = [0.5f32, -0.25, 1.0, 0.125];
        for g in gradients {
            let (steps, state) = optimizer.export();
            optimizer = AdamW::import(settings.clone(), steps, state, &device).unwrap();
            module = optimizer.step(module, gradient(g, &device), 1.0).0;
        }
        let value: f32 = module.weight.val().inner().into_scalar();
        let expected = by_hand(&settings, 2.0, &gradients.map(f64::from));
        assert!((f64::from(value) - expected).abs() < 1e-6, "{value} {expected}");
        assert!(module.weight.val().is_require_grad());
    }

    #[test]
    fn gradients_are_clipped_together() {
        let device = Device::flex();
        let settings = OptimizerSettings { weight_decay: 0.0, ..OptimizerSettings::default() };
        let mut optimizer = AdamW::new(settings);
        let module = linear(0.0, &device.clone().autodiff());
        let (_, norm) = optimizer.step(module, gradient(4.0, &device), 1.0);
        assert_eq!(norm.unwrap().into_scalar::<f32>(), 4.0);
        let (_, state) = optimizer.export();
        // A first moment of .1 · g with g clipped to 1.
        assert!((state["first.weight"].data[0] - 0.1).abs() < 1e-6);
    }
}
