//! A variant of the package from cargo's module to what is loaded: wasm-bindgen, wasm-opt, sizes.
//!
//! Minutes for the larger modules, and the same for the same module: a stamp says whether it is to be done.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    package::Variant,
    program,
    stamp::{Inputs, Step},
};

/// The base name of the files that wasm-bindgen writes.
const NAME: &str = "bert_xml";

/// What the modules use, for wasm-opt: a browser with SIMD has all of them.
const WASM_FEATURES: &[&str] = &[
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The step from a variant's module to `generated/<variant>/`: the module, the tools' versions, and what they are told.
fn step(root: &Path, variant: &Variant, module: &Path, dev: bool) -> Result<Step> {
    let generated = root.join("wasm/generated");
    let lock = fs::read_to_string(root.join("wasm/package-lock.json")).context("wasm/package-lock.json")?;
    let lock: serde_json::Value = serde_json::from_str(&lock).context("wasm/package-lock.json")?;
    let binaryen = lock["packages"]["node_modules/binaryen"]["version"].as_str();
    let inputs = Inputs::new("generate")
        .file(module)?
        .word(bindgen_version()?)
        .word(binaryen.context("wasm/package-lock.json names no binaryen")?)
        .word(&flags(variant).join(" "))
        .word(if dev { "dev" } else { "optimised" })
        // What wasm-bindgen is told, and how sizes are measured, stand in this file.
        .word(include_str!("glue.rs"));
    let stamp = generated.join(format!("{}.stamp.json", variant.name));
    Ok(Step::new(stamp, generated.join(variant.name), inputs))
}

/// The version of wasm-bindgen that this program was built with.
fn bindgen_version() -> Result<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, entry) =
        lock.split_once("name = \"wasm-bindgen-cli-support\"").context("Cargo.lock has no wasm-bindgen")?;
    entry.split('"').nth(1).context("Cargo.lock gives no version of wasm-bindgen")
}

/// A variant's folder, and whether it was there.
pub struct Made {
    pub size: Size,
    pub kept: bool,
}

/// wasm-bindgen's glue for a module, optimised but for `dev`: `wasm/generated/<variant>/`, unless it lies there already.
///
/// # Errors
/// wasm-bindgen's, wasm-opt's, and files that cannot be read or written.
pub fn make(root: &Path, variant: &Variant, module: &Path, dev: bool) -> Result<Made> {
    let package = root.join("wasm");
    let folder = package.join("generated").join(variant.name);
    let step = step(root, variant, module, dev)?;
    if let Some(size) = step.done().and_then(|facts| serde_json::from_value(facts).ok()) {
        return Ok(Made { size, kept: true });
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    Bindgen::new()
        .input_path(module)
        .out_name(NAME)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_producers_section(true)
        .generate(&folder)
        .with_context(|| format!("wasm-bindgen on {}", module.display()))?;
    if !dev {
        optimise(&package, variant, &folder)?;
    }
    let size = size_of(&folder)?;
    step.record(serde_json::to_value(&size)?)?;
    Ok(Made { size, kept: false })
}

/// wasm-opt in place; what only linkers and debuggers read is stripped.
fn optimise(package: &Path, variant: &Variant, folder: &Path) -> Result<()> {
    let wasm = folder.join(format!("{NAME}_bg.wasm"));
    let mut command = Command::new("node");
    command.arg(package.join("node_modules/binaryen/bin/wasm-opt")).arg(&wasm).args(flags(variant));
    program::run(command.arg("-o").arg(&wasm))
}

/// What wasm-opt is told of a variant.
fn flags(variant: &Variant) -> Vec<&'static str> {
    let relaxed: &[&str] = if variant.instructions.is_some() { &["--enable-relaxed-simd"] } else { &[] };
    let strip = ["--strip-debug", "--strip-producers", "--strip-target-features"];
    [&[variant.optimise][..], WASM_FEATURES, relaxed, &strip].concat()
}

/// Bytes of a variant's JavaScript and wasm.
#[derive(Serialize, Deserialize)]
pub struct Size {
    pub raw: u64,
    pub brotli: u64,
}

/// Node has brotli; a server compresses once, at the highest level.
fn size_of(folder: &Path) -> Result<Size> {
    const SCRIPT: &str = "
        const { readFileSync } = require('node:fs');
        const { brotliCompressSync, constants } = require('node:zlib');
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
        for (const file of process.argv.slice(1)) {
            const bytes = readFileSync(file);
            console.log(bytes.length, brotliCompressSync(bytes, { params }).length);
        }";
    let files = [format!("{NAME}.js"), format!("{NAME}_bg.wasm")].map(|file| folder.join(file));
    let output =
        Command::new("node").arg("-e").arg(SCRIPT).args(files).output().context("node does not start")?;
    ensure!(output.status.success(), "measuring sizes: {}", String::from_utf8_lossy(&output.stderr));
    let mut size = Size { raw: 0, brotli: 0 };
    for line in String::from_utf8(output.stdout)?.lines() {
        let (raw, brotli) = line.split_once(' ').context("node prints two sizes a file")?;
        size.raw += raw.parse::<u64>()?;
        size.brotli += brotli.parse::<u64>()?;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::VARIANTS;

    #[test]
    fn another_module_flag_or_mode_is_another_step() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let module = root.join("module.wasm");
        let folder = root.join("wasm/generated/cpu");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("bert_xml_bg.wasm"), "optimised").unwrap();
        let lock = |binaryen: &str| {
            let text = format!(r#"{{"packages": {{"node_modules/binaryen": {{"version": "{binaryen}"}}}}}}"#);
            fs::write(root.join("wasm/package-lock.json"), text).unwrap();
        };
        lock("132.0.0");
        fs::write(&module, "module").unwrap();
        let done = |dev| step(root, &VARIANTS[0], &module, dev).unwrap().done().is_some();
        step(root, &VARIANTS[0], &module, false).unwrap().record(serde_json::json!({})).unwrap();
        assert!(done(false) && !done(true));
        lock("133.0.0");
        assert!(!done(false));
        lock("132.0.0");
        fs::write(&module, "another").unwrap();
        assert!(!done(false));
        assert!(bindgen_version().unwrap().starts_with("0.2."));
    }
}
