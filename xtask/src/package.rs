//! `cargo xtask package`: the npm package, from Rust to what npm publishes.
//!
//! cargo (profile `wasm`) → wasm-bindgen → wasm-opt → the TypeScript build of `wasm/` → a table of sizes → the packed
//! package in webpack and Next
//!
//! What wasm-bindgen and wasm-opt leave lies in `wasm/generated/<variant>/`, and its stamp beside it: a step whose inputs
//! stayed is not run again.

use crate::{
    glue::{self, Size},
    npm, program,
    stamp::Inputs,
    wasm_target,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

/// The crate as cargo names its library, and its module.
const CRATE: &str = "bert_xml_wasm";
const MODULE: &str = "bert_xml_wasm.wasm";

/// One build of the crate `bert-xml-wasm`.
pub struct Variant {
    pub name: &'static str,
    feature: &'static str,
    /// Instructions of the processor beyond those of `.cargo/config.toml`.
    pub instructions: Option<&'static str>,
    /// What wasm-opt looks for: speed where the CPU computes, size elsewhere.
    pub optimise: &'static str,
    /// Bytes that JavaScript and wasm together may have after brotli.
    budget: u64,
}

pub const VARIANTS: &[Variant] = &[
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

/// Builds the variants that `--only A,B` names (all without it), then the TypeScript around them. `--dev` leaves
/// out wasm-opt. The whole package, optimised, is then tried in webpack and in Next, which come from the registry;
/// `--no-bundlers` leaves that out.
///
/// # Errors
/// A step that failed, by name, or a variant that is larger than it may be.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    let Told { chosen, dev, bundlers } = told(args)?;
    wasm_target::ensure()?;
    let package = root.join("wasm");
    let target = target_directory(root)?;
    npm::install(&package)?;
    let mut sizes = Vec::new();
    for variant in &chosen {
        let start = Instant::now();
        eprintln!("\n== {}: cargo build, feature `{}`", variant.name, variant.feature);
        let module = compile(root, &target, variant)?;
        let made = glue::make(root, variant, &module, dev)?;
        let kept = if made.kept { ", kept as it was" } else { "" };
        eprintln!("{}: {:.0} s{kept}", variant.name, start.elapsed().as_secs_f64());
        sizes.push((*variant, made.size));
    }
    // Variants that were not asked for may never have been built.
    let partial: &[&str] = if chosen.len() < VARIANTS.len() { &["--partial"] } else { &[] };
    build(root, &package, partial)?;
    print!("{}", table(&sizes));
    for (variant, size) in &sizes {
        let (name, budget) = (variant.name, variant.budget);
        ensure!(
            dev || size.brotli <= budget,
            "{name} has {} bytes after brotli, at most {budget}",
            size.brotli
        );
    }
    if bundlers && !dev && chosen.len() == VARIANTS.len() {
        eprintln!("\n== the package in webpack and Next");
        npm::run(&package, &["run", "--silent", "test:bundlers"])?;
    }
    Ok(())
}

/// What `package` was told.
struct Told {
    /// In their own order.
    chosen: Vec<&'static Variant>,
    /// wasm-opt is left out.
    dev: bool,
    /// Try the whole package in webpack and Next.
    bundlers: bool,
}

fn told(args: &[String]) -> Result<Told> {
    let mut chosen: Vec<&Variant> = VARIANTS.iter().collect();
    let (mut dev, mut bundlers) = (false, true);
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "--dev" => dev = true,
            "--no-bundlers" => bundlers = false,
            "--only" => {
                let list = rest.next().context("--only needs a list of variants")?;
                let names: Vec<&str> = list.split(',').collect();
                for name in &names {
                    let known = VARIANTS.iter().map(|variant| variant.name).collect::<Vec<_>>();
                    ensure!(known.contains(name), "no variant `{name}`; there are {}", known.join(", "));
                }
                chosen.retain(|variant| names.contains(&variant.name));
            }
            other => bail!("unknown argument `{other}`; `package` takes --only, --dev and --no-bundlers"),
        }
    }
    Ok(Told { chosen, dev, bundlers })
}

/// The TypeScript around the variants, into `wasm/dist/`.
fn build(root: &Path, package: &Path, partial: &[&str]) -> Result<()> {
    let mut inputs = Inputs::new("dist").word(&partial.join(" ")).folder(&package.join("js"), &[])?;
    for variant in VARIANTS {
        inputs = inputs.folder(&package.join("generated").join(variant.name), &[])?;
    }
    for file in ["build.mjs", "tsconfig.json", "package.json", "package-lock.json"] {
        inputs = inputs.file(&package.join(file))?;
    }
    let inputs = inputs.folder(&root.join("core/data"), &[])?;
    npm::build(package, partial, inputs)
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
    let mut cargo = program::cargo(root);
    cargo.args(["build", "--locked", "-p", "bert-xml-wasm", "--lib", "--profile", "wasm"]);
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

fn table(sizes: &[(&Variant, Size)]) -> String {
    let mut table = "JS + wasm       raw, MB  brotli, MB  at most\n".to_owned();
    for (variant, size) in sizes {
        let [raw, brotli, budget] = [size.raw, size.brotli, variant.budget].map(|bytes| bytes as f64 / 1e6);
        table += &format!("{:<14} {raw:>8.2} {brotli:>11.2} {budget:>8.2}\n", variant.name);
    }
    table
}

/// Where cargo builds.
///
/// # Errors
/// cargo's.
pub fn target_directory(root: &Path) -> Result<PathBuf> {
    let output = program::cargo(root)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cargo does not start")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(folder.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<(Vec<&'static str>, bool)> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        told(&args).map(|told| (told.chosen.iter().map(|variant| variant.name).collect(), told.dev))
    }

    #[test]
    fn variants_are_chosen_by_name_and_keep_their_order() {
        assert_eq!(names(&["--only", "codes,cpu", "--dev"]).unwrap(), (vec!["cpu", "codes"], true));
        assert_eq!(names(&[]).unwrap().0.len(), VARIANTS.len());
        assert!(names(&["--only", "gpu"]).is_err() && names(&["--only"]).is_err() && names(&["-x"]).is_err());
    }
}
