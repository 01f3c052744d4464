//! `cargo xtask arm`: the engine's tests on an ARM processor that is emulated, where none is at hand.
//!
//! The engine has no tile of its own for NEON; what the compiler makes of the portable one has to find the same
//! integers, and of a quantized model the bits that `core/src/cpu/model.rs` has written down.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

use crate::program;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where Debian's cross compiler keeps the C library that the emulated program is linked with.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Builds core's tests for ARM and runs those of the engine and of quantization (minutes: core's dependencies are
/// built once for that target).
///
/// # Errors
/// Something is missing, named with the command that brings it; a test fails.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "arm takes no arguments");
    for program in [LINKER, EMULATOR] {
        ensure!(
            program::on_path(program).is_some(),
            "{program} is not there (Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)"
        );
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root).status();
    ensure!(
        added.is_ok_and(|status| status.success()),
        "std for {TARGET} is missing: rustup target add {TARGET}"
    );
    let mut cargo = program::cargo(root);
    cargo
        .args([
            "test",
            "--package",
            "bert-xml-core",
            "--lib",
            "--target",
            TARGET,
            "--",
            "cpu::",
            "quantization::",
        ])
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{EMULATOR} -L {LIBRARIES}"));
    program::run(&mut cargo)
}
