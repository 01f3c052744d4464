//! `cargo xtask wasm-target`: the standard library for wasm32-unknown-unknown, from rustup or from source.

use crate::program;
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The target of everything that runs in a browser.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// An archive (`.tar.zst`) whose top folder `library/` holds the compiler's own standard library sources
/// with vendored dependencies, for machines that rustup cannot serve.
const SOURCE_VARIABLE: &str = "BERT_XML_RUST_SRC";

/// Makes sure that `cargo build --target wasm32-unknown-unknown` finds `std`: does nothing where it is
/// installed, else asks rustup, else builds it from the archive that `BERT_XML_RUST_SRC` names (about a
/// CPU-minute, once per toolchain).
///
/// # Errors
/// Neither way worked; the message says what to install.
pub fn ensure() -> Result<()> {
    let sysroot = sysroot()?;
    if installed(&sysroot) {
        return Ok(());
    }
    let by_rustup = Command::new("rustup").args(["target", "add", TARGET]).status();
    if by_rustup.is_ok_and(|status| status.success()) && installed(&sysroot) {
        return Ok(());
    }
    let Some(archive) = std::env::var_os(SOURCE_VARIABLE).map(PathBuf::from) else {
        bail!(
            "{TARGET} is missing and rustup did not add it: set {SOURCE_VARIABLE} to an archive of std's sources"
        );
    };
    eprintln!("building std for {TARGET} from {}", archive.display());
    build_std(&sysroot, &archive)?;
    ensure!(installed(&sysroot), "std for {TARGET} was built, but its libraries are not in the sysroot");
    Ok(())
}

/// Whether the compiler in use has it; builds and fetches nothing.
///
/// # Errors
/// No compiler.
pub fn is_installed() -> Result<bool> {
    Ok(installed(&sysroot()?))
}

fn sysroot() -> Result<PathBuf> {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("rustc does not start")?;
    ensure!(output.status.success(), "rustc --print sysroot: {}", output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn target_libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Whether the target's libraries hold `std`: a folder left by a broken install does not count.
fn installed(sysroot: &Path) -> bool {
    fs::read_dir(target_libraries(sysroot)).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

/// Unpacks the sources where `-Zbuild-std` looks for them, builds `std` by way of an empty crate and
/// copies what came out into the sysroot, so that plain builds find it from then on.
fn build_std(sysroot: &Path, archive: &Path) -> Result<()> {
    let sources = sysroot.join("lib/rustlib/src/rust");
    fs::create_dir_all(&sources).with_context(|| format!("creating {}", sources.display()))?;
    program::run(Command::new("tar").arg("-I").arg("zstd").arg("-xf").arg(archive).arg("-C").arg(&sources))
        .context("unpacking the standard library's sources (needs tar and zstd)")?;

    // Outside the workspace, so that neither its settings nor its lock file take part.
    let scratch = std::env::temp_dir().join(format!("bert-xml-std-{}", std::process::id()));
    let built = build_empty_crate(&scratch, &sources.join("library/vendor"))
        .and_then(|deps| copy_libraries(&deps, &target_libraries(sysroot)));
    // A leftover folder is only untidy.
    let _ = fs::remove_dir_all(&scratch);
    built
}

fn build_empty_crate(scratch: &Path, vendor: &Path) -> Result<PathBuf> {
    fs::create_dir_all(scratch.join("src"))?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(scratch.join("Cargo.toml"), manifest)?;
    fs::write(scratch.join("src/lib.rs"), "#![no_std]\n")?;
    let mut build = program::cargo(scratch);
    build
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,proc_macro,test"])
        // `-Zbuild-std` on a stable compiler, for this one build.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", scratch.join("target"));
    if vendor.is_dir() {
        build.args(["--offline", "--config", "source.crates-io.replace-with='vendored'", "--config"]);
        build.arg(format!("source.vendored.directory='{}'", vendor.display()));
    }
    program::run(&mut build).with_context(|| format!("building std for {TARGET}"))?;
    Ok(scratch.join("target").join(TARGET).join("release/deps"))
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|it| it == "rlib")) else {
            continue;
        };
        if name.to_string_lossy().starts_with("libempty-") {
            continue;
        }
        fs::copy(&path, to.join(name)).with_context(|| format!("copying to {}", to.display()))?;
    }
    Ok(())
}
