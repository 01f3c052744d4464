//! TensorBoard's event file: every number of `metrics.jsonl` as a point of a curve.
//!
//! A file is a row of records (TFRecord): length in 8 bytes, its masked CRC-32C, a protobuf message `Event`, its masked
//! CRC-32C, all little-endian. Source: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use prost::Message;
use serde_json::Value;

/// The version of the format.
const VERSION: &str = "brain.Event:2";
/// What a session's status says of its start: points of later steps come again, and the old ones go.
const START: i32 = 1;
/// What orders points and is no curve.
const NO_CURVES: [&str; 4] = ["step", "epoch", "seconds", "tokens"];

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session: Option<Session>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Point>,
}

#[derive(Clone, PartialEq, Message)]
struct Point {
    /// The curve.
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    value: Option<f32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Session {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// An event file that is written.
pub struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Starts a file of its own in a run's folder, as each call of a command does.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn start(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("events.out.tfevents.{:.6}.bert-xml.{}", now(), std::process::id()));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let mut events = Self { file: file.with_context(|| format!("writing {}", path.display()))?, path };
        events.write(&Event { file_version: Some(VERSION.into()), ..Event::at(0) })?;
        Ok(events)
    }

    /// Says that steps after `step` come again.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn rewind(&mut self, step: u64) -> Result<()> {
        // TensorBoard drops points from this step on.
        self.write(&Event { session: Some(Session { status: START }), ..Event::at(step + 1) })
    }

    /// A line of `metrics.jsonl`: its numbers under `train/`, those of dev notes under `dev/`. A line without a step
    /// has no place on a curve.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn log(&mut self, line: &Value) -> Result<()> {
        let (Some(step), points) = (line["step"].as_u64(), points(line)) else { return Ok(()) };
        if points.is_empty() {
            return Ok(());
        }
        self.write(&Event { summary: Some(Summary { points }), ..Event::at(step) })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        // In one call: a kill leaves a whole record or none.
        let written = self.file.write_all(&record(&event.encode_to_vec()));
        written.with_context(|| format!("writing {}", self.path.display()))
    }
}

impl Event {
    fn at(step: u64) -> Self {
        Self { wall_time: now(), step: step as i64, ..Self::default() }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn points(line: &Value) -> Vec<Point> {
    let point = |part: &str, name: &str, value: &Value| {
        let value = value.as_f64()?;
        Some(Point { tag: format!("{part}/{name}"), value: Some(value as f32) })
    };
    let of = |(name, value): (&String, &Value)| match value {
        Value::Object(numbers) => {
            numbers.iter().filter_map(|(inner, value)| point(name, inner, value)).collect()
        }
        _ if NO_CURVES.contains(&name.as_str()) => Vec::new(),
        _ => {
            let (part, name) =
                name.strip_prefix("dev_").map_or(("train", name.as_str()), |name| ("dev", name));
            Vec::from_iter(point(part, name, value))
        }
    };
    line.as_object().into_iter().flatten().flat_map(of).collect()
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let sum = |bytes: &[u8]| masked(crc32c::crc32c(bytes)).to_le_bytes();
    [&length[..], &sum(&length), message, &sum(message)].concat()
}

/// A sum over bytes that hold sums would be weak, so it is turned and shifted.
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Reads a file back, every sum checked.
    fn events(folder: &Path) -> Vec<Event> {
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let bytes = std::fs::read(&files[0]).unwrap();
        let (mut rest, mut found) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[..16 + length].to_vec(), record(&rest[12..12 + length]));
            found.push(Event::decode(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn the_sum_is_crc_32c_masked_as_tensorflow_does() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(0x8a91_36aa), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        // The first record that TensorFlow writes: 24 bytes of message.
        assert_eq!(record(&[0; 24])[..8], 24u64.to_le_bytes());
        assert_eq!(record(&[0; 24])[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn every_number_of_a_line_is_a_point_of_its_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::start(folder.path()).unwrap();
        file.log(&json!({"step": 3, "epoch": 1, "loss": 0.5, "learning_rate": 0.0, "seconds": 9.0})).unwrap();
        file.log(&json!({"note": "no step"})).unwrap();
        file.log(&json!({"step": 3, "dev": {"auc_micro": 0.75, "name": "x"}, "dev_nsp_loss": 2.0})).unwrap();
        file.rewind(2).unwrap();
        let found = events(folder.path());
        assert_eq!(found[0].file_version.as_deref(), Some("brain.Event:2"));
        let points = |event: &Event| -> Vec<(String, f32)> {
            let points = event.summary.as_ref().unwrap().points.iter();
            points.map(|point| (point.tag.clone(), point.value.unwrap())).collect()
        };
        let named = |pairs: &[(&str, f32)]| -> Vec<(String, f32)> {
            pairs.iter().map(|&(tag, value)| (tag.to_owned(), value)).collect()
        };
        assert_eq!(points(&found[1]), named(&[("train/learning_rate", 0.0), ("train/loss", 0.5)]));
        assert_eq!(points(&found[2]), named(&[("dev/auc_micro", 0.75), ("dev/nsp_loss", 2.0)]));
        assert_eq!((found[1].step, found[2].step), (3, 3));
        assert_eq!((found[3].step, found[3].session), (3, Some(Session { status: START })));
        assert_eq!(found.len(), 4);
    }
}
