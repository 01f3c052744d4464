//! Data parallelism: the micro-batches of a step are shared over several devices, each with a replica of the model.
//!
//! weights → a replica a device → micro-batches in turn (0 to the first device, 1 to the second, …), a thread a device →
//! gradients added up on the first device → one step of the optimizer
//!
//! Every micro-batch carries its share of the mean over the global batch already, and draws its random numbers from
//! (seed, step, micro-batch) on whatever device it falls. So several devices take the same steps as one, but for the
//! order in which gradients are added.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bert_xml_core::model::gradients::{Gradient, GradientMap};
use burn::module::Module;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, StreamId, Tensor};

use crate::device::{DeviceChoice, has_nccl};
use crate::devices::Devices;
use crate::remote::lost;
use crate::talk;

/// What one micro-batch gives: its share of the step's gradients and losses.
pub struct MicroStep<const LOSSES: usize> {
    /// By parameter path, on the device that computed them.
    pub gradients: GradientMap,
    /// `[1]` each, without a graph.
    pub losses: [Tensor<1>; LOSSES],
    /// Tokens read, padding not counted.
    pub tokens: usize,
}

/// What a whole step gives.
pub struct Step<const LOSSES: usize> {
    /// By parameter path, on the first device.
    pub gradients: GradientMap,
    /// Sums over the micro-batches, added in their order.
    pub losses: [f64; LOSSES],
    /// Tokens read, padding not counted.
    pub tokens: usize,
}

/// Devices at work on the steps of one training.
pub struct Replicas {
    seats: Vec<Seat>,
    /// One a stream of random numbers.
    turns: Vec<Mutex<()>>,
    /// Whether a micro-batch draws random numbers.
    draws: bool,
    /// Whether the weights are there: burn draws them in the first forward pass.
    begun: AtomicBool,
    sum: Sum,
}

/// A device at work.
struct Seat {
    /// With autodiff.
    device: Device,
    choice: DeviceChoice,
    /// Its stream of random numbers, an index into `turns`.
    stream: usize,
    /// Whether another seat draws from the same stream.
    shares_stream: bool,
}

/// How gradients of several devices become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    /// They are sent to the first device and added there.
    OnFirst,
    /// By NCCL, among the cards.
    AmongCards,
}

/// What one device gives to a step.
struct Share<const LOSSES: usize> {
    gradients: GradientMap,
    /// By micro-batch.
    losses: Vec<(usize, [f64; LOSSES])>,
    tokens: usize,
}

impl Replicas {
    /// Devices for a training whose micro-batches draw random numbers (dropout) or not.
    pub fn new(devices: &Devices, draws: bool) -> Self {
        let choices: Vec<DeviceChoice> = devices.all().iter().map(|(_, choice)| *choice).collect();
        // The first device of each stream stands for it.
        let stream_of = |choice: DeviceChoice| {
            choices
                .iter()
                .position(|&other| one_stream(choice, other))
                .expect("a device shares its own stream")
        };
        let seat = |(device, choice): &(Device, DeviceChoice)| Seat {
            device: device.clone().autodiff(),
            choice: *choice,
            stream: stream_of(*choice),
            shares_stream: choices.iter().filter(|&&other| one_stream(*choice, other)).count() > 1,
        };
        let cards = choices.iter().all(|choice| matches!(choice, DeviceChoice::Cuda(_)));
        let sum = if choices.len() > 1 && cards && has_nccl() { Sum::AmongCards } else { Sum::OnFirst };
        Self {
            seats: devices.all().iter().map(seat).collect(),
            turns: choices.iter().map(|_| Mutex::new(())).collect(),
            draws,
            begun: AtomicBool::new(false),
            sum,
        }
    }

    /// The first device, with autodiff: where the model that learns lies.
    pub fn first(&self) -> &Device {
        &self.seats[0].device
    }

    /// Gradients and losses of a step of `count` micro-batches. `micro_step` is told a replica, its device and which
    /// micro-batch; it seeds the device itself.
    ///
    /// # Panics
    /// As burn does where a device fails; of a worker that is lost, [`crate::remote::lost`] makes an error.
    pub fn step<M: Module, const LOSSES: usize>(
        &self,
        model: &M,
        count: usize,
        micro_step: impl Fn(&M, &Device, usize) -> MicroStep<LOSSES> + Sync,
    ) -> Step<LOSSES> {
        let share = |seat: &Seat, model: &M, micro: &mut dyn Iterator<Item = usize>| {
            let mut share = Share { gradients: GradientMap::default(), losses: Vec::new(), tokens: 0 };
            for at in micro {
                let turn = self.turn(seat);
                let done = micro_step(model, &seat.device, at);
                end_turn(seat, turn);
                share.gradients.add_all(done.gradients);
                share.tokens += done.tokens;
                share.losses.push((at, done.losses.map(|loss| f64::from(loss.into_scalar::<f32>()))));
            }
            share
        };
        let devices = self.seats.len();
        if devices == 1 {
            let share = share(&self.seats[0], model, &mut (0..count));
            return Step::of(vec![share], |mut all| all.remove(0));
        }
        let begun = self.begun.swap(true, Ordering::Relaxed);
        if !begun && count < devices {
            talk::warn(&format!(
                "a step has {count} micro-batches: {} of {devices} devices stand idle; a smaller --micro-batch gives \
                 them work",
                devices - count
            ));
        }
        // The weights are drawn between the first dropouts, as on one device: before there are replicas of them.
        let mut shares: Vec<_> =
            if begun { Vec::new() } else { vec![share(&self.seats[0], model, &mut (0..count.min(1)))] };
        let first = usize::from(!begun) * devices;
        let replicas: Vec<M> =
            self.seats[..devices.min(count)].iter().map(|seat| model.clone().fork(&seat.device)).collect();
        // One stream of work a device over all steps, whatever thread brings it: memory is kept for each.
        let stream = StreamId::current();
        let (share, seats) = (&share, &self.seats);
        let ended = std::thread::scope(|scope| {
            let threads: Vec<_> = seats
                .iter()
                .zip(replicas)
                .enumerate()
                .map(|(at, (seat, replica))| {
                    let from = if at == 0 { first } else { at };
                    let work = move || share(seat, &replica, &mut (from..count).step_by(devices));
                    scope.spawn(move || stream.executes(work))
                })
                .collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for (seat, ended) in seats.iter().zip(ended) {
            match ended {
                Ok(share) => shares.push(share),
                Err(panic) => lost::on(seat.choice, panic),
            }
        }
        Step::of(shares, |gradients| self.add_up(gradients))
    }

    /// Waits until no other device draws from the seat's stream of random numbers.
    fn turn(&self, seat: &Seat) -> Option<MutexGuard<'_, ()>> {
        let shared = self.draws && seat.shares_stream;
        shared.then(|| self.turns[seat.stream].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The sum of all gradients, on the first device.
    fn add_up(&self, gradients: Vec<GradientMap>) -> GradientMap {
        match self.sum {
            Sum::OnFirst => sum_on(&self.first().clone().inner(), gradients),
            Sum::AmongCards => self.sum_among_cards(gradients),
        }
    }

    /// Every card holds every sum in the end; that of the first is taken.
    fn sum_among_cards(&self, gradients: Vec<GradientMap>) -> GradientMap {
        let devices: Vec<Device> = self.seats.iter().map(|seat| seat.device.clone().inner()).collect();
        let mut cards = vec![GradientMap::default(); devices.len()];
        for map in gradients {
            let at = map
                .0
                .values()
                .next()
                .and_then(|found| devices.iter().position(|device| *device == found.flat.device()));
            cards[at.unwrap_or(0)].add_all(map);
        }
        let shapes = filled_up(&mut cards, &devices);
        // All of them are begun before one is waited for: a card's part ends only when the others have begun theirs.
        let begun: Vec<Vec<_>> = cards
            .into_iter()
            .map(|map| {
                let begin =
                    |gradient: Gradient| all_reduce(gradient.flat, ReduceOperation::Sum, devices.clone());
                map.0.into_values().map(begin).collect()
            })
            .collect();
        let mut done =
            begun.into_iter().map(|card| card.into_iter().map(|sum| sum.resolve()).collect::<Vec<_>>());
        let first = done.next().expect("there is a first card");
        done.for_each(drop);
        let named =
            shapes.into_iter().zip(first).map(|((path, shape), flat)| (path, Gradient { shape, flat }));
        GradientMap(named.collect())
    }
}

impl<const LOSSES: usize> Step<LOSSES> {
    fn of(shares: Vec<Share<LOSSES>>, add_up: impl FnOnce(Vec<GradientMap>) -> GradientMap) -> Self {
        let tokens = shares.iter().map(|share| share.tokens).sum();
        let mut by_micro: Vec<(usize, [f64; LOSSES])> =
            shares.iter().flat_map(|share| share.losses.iter().copied()).collect();
        by_micro.sort_by_key(|&(at, _)| at);
        let mut losses = [0.0; LOSSES];
        for (_, found) in by_micro {
            losses.iter_mut().zip(found).for_each(|(sum, loss)| *sum += loss);
        }
        Self { gradients: add_up(shares.into_iter().map(|share| share.gradients).collect()), losses, tokens }
    }
}

/// Whether two devices draw from one stream of random numbers: burn has one a process for the CPU, one for all cards.
fn one_stream(one: DeviceChoice, other: DeviceChoice) -> bool {
    use DeviceChoice::{Auto, Cpu, Cuda, Remote, Wgpu};
    match (one, other) {
        (Remote(one), Remote(other)) => one.same_worker(other),
        (Cuda(_) | Wgpu(_), Cuda(_) | Wgpu(_)) | (Cpu, Cpu) | (Auto, Auto) => true,
        _ => false,
    }
}

/// Ends a device's turn: what it draws is drawn, though not computed. A worker draws when it computes, so there the turn
/// lasts as long.
fn end_turn(seat: &Seat, turn: Option<MutexGuard<'_, ()>>) {
    if turn.is_some() {
        let drawn = match seat.choice {
            DeviceChoice::Remote(_) => seat.device.sync(),
            _ => seat.device.flush(),
        };
        drawn.expect("the device takes its work");
    }
    drop(turn);
}

/// Adds gradients up on one device, in their order.
fn sum_on(device: &Device, gradients: Vec<GradientMap>) -> GradientMap {
    let mut sum = GradientMap::default();
    for map in gradients {
        let moved = map.0.into_iter().map(|(path, gradient)| {
            let flat = if gradient.flat.device() == *device {
                gradient.flat
            } else {
                gradient.flat.to_device(device)
            };
            (path, Gradient { flat, ..gradient })
        });
        sum.add_all(GradientMap(moved.collect()));
    }
    sum
}

/// Gives every map every path, with zeros where it had none: all cards must take part in all sums. Returns paths and
/// shapes.
fn filled_up(maps: &mut [GradientMap], devices: &[Device]) -> BTreeSet<(String, Vec<usize>)> {
    let all: BTreeSet<(String, Vec<usize>)> = maps
        .iter()
        .flat_map(|map| map.0.iter().map(|(path, gradient)| (path.clone(), gradient.shape.clone())))
        .collect();
    for (map, device) in maps.iter_mut().zip(devices) {
        for (path, shape) in &all {
            map.0.entry(path.clone()).or_insert_with(|| Gradient {
                shape: shape.clone(),
                flat: Tensor::zeros([shape.iter().product::<usize>()], device),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use burn::nn::{Linear, LinearConfig};

    use super::*;
    use crate::devices::DeviceList;

    /// Rows of a global batch, two numbers each, in micro-batches of these lengths.
    const ROWS: [[f32; 2]; 7] =
        [[1.0, 2.0], [-1.0, 0.5], [0.25, 4.0], [3.0, -2.0], [0.0, 1.0], [2.0, 2.0], [-4.0, 1.5]];

    fn replicas(words: &str) -> Replicas {
        Replicas::new(&words.parse::<DeviceList>().unwrap().open_all().unwrap(), false)
    }

    /// The mean of (w · row)² over all rows, and its gradient, from micro-batches of these lengths.
    fn square(replicas: &Replicas, model: &Linear, lengths: &[usize]) -> Step<1> {
        let starts: Vec<usize> =
            lengths.iter().scan(0, |at, len| Some(std::mem::replace(at, *at + len))).collect();
        let micro_step = |model: &Linear, device: &Device, at: usize| {
            let data: Vec<f32> = ROWS[starts[at]..][..lengths[at]].concat();
            let rows = Tensor::<1>::from_floats(data.as_slice(), device).reshape([lengths[at], 2]);
            let weight = lengths[at] as f64 / ROWS.len() as f64;
            let loss = model.forward(rows).square().mean().mul_scalar(weight);
            let mut gradients = loss.backward();
            let gradients = GradientMap::take(model, "", &mut gradients);
            MicroStep { gradients, losses: [loss.inner()], tokens: lengths[at] }
        };
        replicas.step(model, lengths.len(), micro_step)
    }

    fn model(device: &Device) -> Linear {
        let mut linear = LinearConfig::new(2, 1).with_bias(false).init(device);
        linear.weight = linear.weight.map(|_| Tensor::from_floats([[0.5], [-1.5]], device).require_grad());
        linear
    }

    #[test]
    fn gradients_are_the_mean_over_the_global_batch_however_it_is_shared() {
        // By hand: 2 / 7 · Σ (w · row) row.
        let mut expected = [0f32; 2];
        for row in ROWS {
            let score = 0.5 * row[0] - 1.5 * row[1];
            expected.iter_mut().zip(row).for_each(|(sum, value)| *sum += 2.0 / 7.0 * score * value);
        }
        for words in ["cpu", "cpu,cpu", "cpu,cpu,cpu"] {
            let replicas = replicas(words);
            let model = model(replicas.first());
            for lengths in [&[7][..], &[3, 4], &[2, 1, 4], &[1, 2, 1, 1, 2]] {
                // The second step has replicas of weights that are there already.
                for _ in 0..2 {
                    let step = square(&replicas, &model, lengths);
                    let found: Vec<f32> = step.gradients.to_values()["weight"].data.clone();
                    let close =
                        found.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < 1e-5);
                    assert!(close, "{words} {lengths:?}: {found:?}, not {expected:?}");
                    assert_eq!(step.tokens, 7);
                    let scores = ROWS.map(|row| 0.5 * row[0] - 1.5 * row[1]);
                    let wanted = scores.iter().map(|score| score * score).sum::<f32>() / 7.0;
                    assert!((step.losses[0] as f32 - wanted).abs() < 1e-5, "{words} {lengths:?}");
                }
            }
        }
    }

    #[test]
    fn every_micro_batch_is_taken_once_and_in_turn() {
        let replicas = replicas("cpu,cpu,cpu");
        let model = model(replicas.first());
        let taken: Vec<AtomicUsize> = (0..8).map(|_| AtomicUsize::new(0)).collect();
        for round in 1..=3 {
            let step: Step<1> = replicas.step(&model, 8, |_, device, at| {
                taken[at].fetch_add(1, Ordering::Relaxed);
                let losses = [Tensor::from_floats([at as f32], &device.clone().inner())];
                MicroStep { gradients: GradientMap::default(), losses, tokens: 1 }
            });
            assert_eq!((step.losses, step.tokens), ([28.0], 8));
            assert!(taken.iter().all(|taken| taken.load(Ordering::Relaxed) == round), "{taken:?}");
        }
    }

    #[test]
    fn devices_take_turns_at_one_stream_of_random_numbers() {
        let choice = |word: &str| word.parse::<DeviceChoice>().unwrap();
        for (one, other, same) in [
            ("cpu", "cpu", true),
            ("cuda:0", "cuda:1", true),
            ("cpu", "cuda:0", false),
            ("remote:ws://a:1", "remote:ws://a:1#1", true),
            ("remote:ws://a:1", "remote:ws://b:1", false),
            ("remote:ws://a:1", "cpu", false),
        ] {
            assert_eq!(one_stream(choice(one), choice(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn a_card_without_a_gradient_takes_part_with_zeros() {
        let device = Device::flex();
        let mut one = GradientMap::default();
        one.add("a".to_owned(), Tensor::<2>::ones([2, 3], &device));
        let mut maps = [one, GradientMap::default()];
        let all = filled_up(&mut maps, &[device.clone(), device]);
        assert_eq!(all, BTreeSet::from([("a".to_owned(), vec![2, 3])]));
        let values = maps[1].to_values();
        assert_eq!((values["a"].shape.as_slice(), values["a"].data.as_slice()), (&[2, 3][..], &[0.0; 6][..]));
    }
}
