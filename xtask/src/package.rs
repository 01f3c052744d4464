//! `cargo xtask package`: the npm package, from Rust to what npm publishes.
//!
//! cargo (profile `wasm`) → wasm-bindgen → wasm-opt → the TypeScript build of `wasm/` → a table of sizes
//!
//! What wasm-bindgen and wasm-opt leave lies in `wasm/generated/<variant>/`.

use crate::{npm, wasm_target};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use wasm_bindgen_cli_support::Bindgen;

/// The base name of the files that wasm-bindgen writes.
const NAME: &str = "bert_xml";
/// The crate as cargo names its library, and its module.
const CRATE: &str = "bert_xml_wasm";
const MODULE: &str = "bert_xml_wasm.wasm";

/// One build of the crate `bert-xml-wasm`.
struct Variant {
    name: &'static str,
    feature: &'static str,
    /// Instructions of the processor beyond those of `.cargo/config.toml`.
    instructions: Option<&'static str>,
    /// What wasm-opt looks for: speed where the CPU computes, size elsewhere.
    optimise: &'static str,
    /// Bytes that JavaScript and wasm together may have after brotli.
    budget: u64,
}

const VARIANTS: &[Variant] = &[
    Variant {
        name: "cpu",
        feature: "coder",
        instructions: Some("+relaxed-simd"),
        optimise: "-O3",
        budget: 1_500_000,
    },
    Variant { name: "cpu-simd", feature: "coder", instructions: None, optimise: "-O3", budget: 1_500_000 },
    Variant { name: "codes", feature: "codes", instructions: None, optimise: "-Oz", budget: 500_000 },
    // 20 MB of shader generators: -Oz ends without a result there, -O1 takes a minute or two.
    Variant { name: "webgpu", feature: "webgpu", instructions: None, optimise: "-O1", budget: 3_500_000 },
];

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

/// Builds the variants that `--only A,B` names (all without it), then the TypeScript around them. `--dev` leaves
/// out wasm-opt.
///
/// # Errors
/// A step that failed, by name, or a variant that is larger than it may be.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    let (chosen, dev) = choose(args)?;
    wasm_target::ensure()?;
    let package = root.join("wasm");
    let target = target_directory(root)?;
    npm::install(&package)?;
    let mut sizes = Vec::new();
    for variant in &chosen {
        let start = Instant::now();
        let folder = package.join("generated").join(variant.name);
        generate(root, &target, variant, &folder)?;
        if !dev {
            optimise(&package, variant, &folder)?;
        }
        sizes.push((*variant, size_of(&folder)?));
        eprintln!("{}: {:.0} s", variant.name, start.elapsed().as_secs_f64());
    }
    // Variants that were not asked for may never have been built.
    let partial: &[&str] = if chosen.len() < VARIANTS.len() { &["--", "--partial"] } else { &[] };
    npm::run(&package, &[&["run", "build"], partial].concat())?;
    print!("{}", table(&sizes));
    for (variant, size) in &sizes {
        let (name, budget) = (variant.name, variant.budget);
        ensure!(
            dev || size.brotli <= budget,
            "{name} has {} bytes after brotli, at most {budget}",
            size.brotli
        );
    }
    Ok(())
}

/// The variants in their own order, and whether wasm-opt is left out.
fn choose(args: &[String]) -> Result<(Vec<&'static Variant>, bool)> {
    let mut chosen: Vec<&Variant> = VARIANTS.iter().collect();
    let mut dev = false;
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "--dev" => dev = true,
            "--only" => {
                let list = rest.next().context("--only needs a list of variants")?;
                let names: Vec<&str> = list.split(',').collect();
                for name in &names {
                    let known = VARIANTS.iter().map(|variant| variant.name).collect::<Vec<_>>();
                    ensure!(known.contains(name), "no variant `{name}`; there are {}", known.join(", "));
                }
                chosen.retain(|variant| names.contains(&variant.name));
            }
            other => bail!("unknown argument `{other}`; `package` takes --only and --dev"),
        }
    }
    Ok((chosen, dev))
}

/// cargo's build of a variant, and wasm-bindgen's glue for it.
fn generate(root: &Path, target: &Path, variant: &Variant, folder: &Path) -> Result<()> {
    eprintln!("\n== {}: cargo build, feature `{}`", variant.name, variant.feature);
    let wasm = compile(root, target, variant)?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    Bindgen::new()
        .input_path(&wasm)
        .out_name(NAME)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("wasm-bindgen on {}", wasm.display()))
}

/// The variant's module. cargo gives all variants one file name, and takes the file for a variant's that it built
/// before, whichever wrote it last: so each is kept under a name of its own.
fn compile(root: &Path, target: &Path, variant: &Variant) -> Result<PathBuf> {
    let built = target.join(wasm_target::TARGET).join("wasm");
    let kept = built.join("variants").join(format!("{}.wasm", variant.name));
    if cargo_build(root, variant)? == Freshness::Built {
        fs::create_dir_all(built.join("variants"))?;
        fs::copy(built.join(MODULE), &kept).with_context(|| format!("copying {MODULE}"))?;
    } else if !kept.is_file() {
        // Built by another command: again, so that the file is this variant's.
        for place in [built.join(MODULE), built.join("deps").join(MODULE)] {
            fs::remove_file(&place).with_context(|| format!("removing {}", place.display()))?;
        }
        ensure!(cargo_build(root, variant)? == Freshness::Built, "cargo does not build {MODULE} again");
        fs::create_dir_all(built.join("variants"))?;
        fs::copy(built.join(MODULE), &kept).with_context(|| format!("copying {MODULE}"))?;
    }
    Ok(kept)
}

/// Whether cargo had something to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Built,
    Fresh,
}

fn cargo_build(root: &Path, variant: &Variant) -> Result<Freshness> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--locked", "-p", "bert-xml-wasm", "--lib", "--profile", "wasm"]);
    cargo.args(["--target", wasm_target::TARGET, "--no-default-features", "--features", variant.feature]);
    cargo.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    if let Some(instructions) = variant.instructions {
        // Joined with the flags of .cargo/config.toml.
        let target = wasm_target::TARGET;
        cargo.arg("--config").arg(format!("target.{target}.rustflags=[\"-Ctarget-feature={instructions}\"]"));
    }
    let output = cargo.output().context("cargo does not start")?;
    ensure!(output.status.success(), "building the variant {}: {}", variant.name, output.status);
    let artifact = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == CRATE)
        .context("cargo tells nothing of bert-xml-wasm")?;
    Ok(if artifact["fresh"] == true { Freshness::Fresh } else { Freshness::Built })
}

/// wasm-opt in place; what only linkers and debuggers read is stripped.
fn optimise(package: &Path, variant: &Variant, folder: &Path) -> Result<()> {
    let wasm = folder.join(format!("{NAME}_bg.wasm"));
    let mut command = Command::new("node");
    command.arg(package.join("node_modules/binaryen/bin/wasm-opt")).arg(&wasm).arg(variant.optimise);
    command.args(WASM_FEATURES);
    if variant.instructions.is_some() {
        command.arg("--enable-relaxed-simd");
    }
    command.args(["--strip-debug", "--strip-producers", "--strip-target-features"]);
    run_command(command.arg("-o").arg(&wasm))
}

/// Bytes of a variant's JavaScript and wasm.
struct Size {
    raw: u64,
    brotli: u64,
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

fn table(sizes: &[(&Variant, Size)]) -> String {
    let mut table = "JS + wasm       raw, MB  brotli, MB  at most\n".to_owned();
    for (variant, size) in sizes {
        let [raw, brotli, budget] = [size.raw, size.brotli, variant.budget].map(|bytes| bytes as f64 / 1e6);
        table += &format!("{:<14} {raw:>8.2} {brotli:>11.2} {budget:>8.2}\n", variant.name);
    }
    table
}

fn target_directory(root: &Path) -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo does not start")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(folder.into())
}

fn run_command(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<(Vec<&'static str>, bool)> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        choose(&args).map(|(chosen, dev)| (chosen.iter().map(|variant| variant.name).collect(), dev))
    }

    #[test]
    fn variants_are_chosen_by_name_and_keep_their_order() {
        assert_eq!(names(&["--only", "codes,cpu", "--dev"]).unwrap(), (vec!["cpu", "codes"], true));
        assert_eq!(names(&[]).unwrap().0.len(), VARIANTS.len());
        assert!(names(&["--only", "gpu"]).is_err() && names(&["--only"]).is_err() && names(&["-x"]).is_err());
    }
}
