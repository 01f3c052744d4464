//! `cargo xtask demo`: from a fresh checkout to the page of a clinic, in one command.
//!
//! the machine → build → a story of training → a note coded by the bundled model → the npm package → the page, served

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    machine::{needs, table},
    npm, package, program,
    stamp::Inputs,
    wasm_target,
};

/// Longest that `rustup` may take for the wasm target, which the training can do without.
const RUSTUP: Duration = Duration::from_secs(60);
/// Where the story goes when nobody says otherwise; the trainer's own default.
const STORY: &str = "out/demo";
/// Steps that are named.
const STEPS: usize = 6;
/// What a story must have taught to be worth telling: the least micro AUC on its test notes, and the worst place of a
/// code that was planted in its sample note.
const LEAST_AUC: f64 = 0.90;
const WORST_PLACE: u64 = 5;
/// A note for the bundled model, invented.
const NOTE: &str = "Follow-up visit. 58-year-old woman with type 2 diabetes and hypertension, both well controlled on \
                    metformin and lisinopril. She has had a dry cough and a runny nose for three days, no fever. No chest \
                    pain. Her father had a stroke. Assessment: acute upper respiratory infection; diabetes; hypertension.";

/// What `demo` was told.
struct Told {
    /// Exit when all is done, instead of serving the page.
    once: bool,
    /// Tell the story of training even if it was told before.
    again: bool,
    /// What `bert-xml demo` takes.
    passed: Vec<String>,
}

/// Checks the machine, builds what the tests build, trains a small model, codes a note with the bundled one, builds
/// the npm package and the page, and serves it. What is there from an earlier call is kept.
///
/// # Errors
/// Something needed is missing; a step failed, by name; unknown arguments.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    let told = told(args)?;
    let target = package::target_directory(root)?;
    let mut steps = Steps::new();
    steps.step("the machine", "10 s", || check(&target))?;
    steps.step("cargo build", "cold 20 min", || build(root))?;
    let binary = target.join("debug").join(format!("bert-xml{}", env::consts::EXE_SUFFIX));
    let shown = binary.strip_prefix(root).unwrap_or(&binary).display().to_string();
    steps.step("a story of training", "3 min", || story(root, &binary, &told))?;
    steps.step("a note coded by the bundled model", "2 s", || code_a_note(root, &binary))?;
    if let Some(what) = npm::lacking() {
        bail!("the page is left out, all before it is done: {what}; the table above says what brings it");
    }
    steps.step("the npm package", "cold 13 min", || package::run(root, &["--no-bundlers".into()]))?;
    let page = root.join("web-demo");
    steps.step("the page", "30 s", || build_page(root, &page))?;
    println!("\n`bert-xml` is {shown}; the report of the training is {STORY}/report.html.");
    if told.once { serve_once(&page) } else { serve(&page) }
}

fn told(args: &[String]) -> Result<Told> {
    let (own, passed) = match args.iter().position(|word| word == "--") {
        Some(at) => (&args[..at], args[at + 1..].to_vec()),
        None => (args, Vec::new()),
    };
    let mut told = Told { once: false, again: !passed.is_empty(), passed };
    for word in own {
        match word.as_str() {
            "--once" => told.once = true,
            "--again" => told.again = true,
            _ => bail!(
                "`demo` takes --once, --again, and behind `--` what `bert-xml demo` takes; not `{word}`"
            ),
        }
    }
    Ok(told)
}

/// Names each step before it runs, and says what it took beside what it takes.
struct Steps {
    start: Instant,
    number: usize,
}

impl Steps {
    fn new() -> Self {
        Self { start: Instant::now(), number: 0 }
    }

    fn step(&mut self, name: &str, expected: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.number += 1;
        eprintln!("\n== {}/{STEPS} {name} (about {expected} on two cores)", self.number);
        let start = Instant::now();
        work().with_context(|| format!("step `{name}` failed"))?;
        let (took, all) = (start.elapsed().as_secs_f64(), self.start.elapsed().as_secs_f64());
        eprintln!("   {took:.0} s, {all:.0} s in all");
        Ok(())
    }
}

/// `bert-xml demo`, unless its report is there and newer than the program; with our own settings it must have taught
/// something.
fn story(root: &Path, binary: &Path, told: &Told) -> Result<()> {
    let changed = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    let report = changed(&root.join(STORY).join("report.html"));
    if !told.again && report.is_some() && report >= changed(binary) {
        eprintln!("told before: {STORY}/report.html; --again tells it anew");
        return Ok(());
    }
    program::run(Command::new(binary).arg("demo").args(&told.passed).current_dir(root))?;
    if told.passed.is_empty() {
        let report = fs::read(root.join(STORY).join("report.json")).context("reading the story's report")?;
        taught(&serde_json::from_slice(&report).context("reading the story's report")?)?;
    }
    Ok(())
}

/// Whether the story's first model, BERT-XML, has learnt what this demo is for.
fn taught(report: &serde_json::Value) -> Result<()> {
    let auc = report["models"][0]["metrics"]["auc_micro"].as_f64().context("the report has no micro AUC")?;
    ensure!(auc >= LEAST_AUC, "the story's model has a micro AUC of {auc:.3}, less than {LEAST_AUC}");
    let planted = report["planted"].as_array().context("the report has no planted codes")?;
    ensure!(!planted.is_empty(), "no code is planted in the story's sample note");
    for code in planted {
        let place = code["rank"].as_u64();
        ensure!(
            place.is_some_and(|place| place <= WORST_PLACE),
            "{} is planted in the story's sample note and is number {} of the codes found, not among the first {WORST_PLACE}",
            code["code"].as_str().unwrap_or_default(),
            place.map_or("none".to_owned(), |place| place.to_string()),
        );
    }
    Ok(())
}

/// The bundled model on an invented note: as a user would call it.
fn code_a_note(root: &Path, binary: &Path) -> Result<()> {
    println!("{NOTE}\n");
    let mut predict = Command::new(binary)
        .args(["predict", "--text", "-", "--top", "5", "--progress", "none"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("bert-xml does not start")?;
    // Dropped behind the note: that ends the input.
    predict.stdin.take().expect("piped").write_all(NOTE.as_bytes()).context("handing over the note")?;
    let output = predict.wait_with_output().context("reading the codes")?;
    ensure!(output.status.success(), "bert-xml predict: {}", output.status);
    let note: serde_json::Value = serde_json::from_slice(&output.stdout).context("reading the codes")?;
    for code in note["codes"].as_array().context("a prediction has codes")? {
        let word = code["evidence"][0]["text"].as_str().unwrap_or_default();
        println!(
            "  {:>4.0} %  {:<8} {}  ({word})",
            100.0 * code["probability"].as_f64().unwrap_or_default(),
            code["code"].as_str().unwrap_or_default(),
            code["description"].as_str().unwrap_or_default(),
        );
    }
    Ok(())
}

/// The page out of its sources and the npm package.
fn build_page(root: &Path, page: &Path) -> Result<()> {
    npm::install(page)?;
    let package = root.join("wasm");
    let inputs = Inputs::new("page")
        .folder(page, &["dist", "node_modules", "tests/out"])?
        .folder(&package.join("dist"), &[])?
        .file(&package.join("package.json"))?;
    npm::build(page, &[], inputs)
}

/// The server in the foreground until Ctrl-C, and a browser on it where there is a screen.
fn serve(page: &Path) -> Result<()> {
    let (mut server, address) = start_server(page)?;
    println!("\nThe page is at {address}; Ctrl-C ends its server.");
    if let Some(opener) = opener() {
        // The address stands above: a browser that does not come is no error.
        let _ = Command::new(opener).arg(&address).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }
    let status = server.wait().context("waiting for the server")?;
    ensure!(status.success(), "node serve.mjs: {status}");
    Ok(())
}

/// Starts the server, waits for its address, and ends it.
fn serve_once(page: &Path) -> Result<()> {
    let (mut server, address) = start_server(page)?;
    // It serves nobody: whether it was there to end is of no account.
    let _ = server.kill();
    let _ = server.wait();
    println!("The page is served by `node web-demo/serve.mjs --model model`, for example at {address}");
    Ok(())
}

/// A server that answers, and where.
fn start_server(page: &Path) -> Result<(Child, String)> {
    let mut server = Command::new("node")
        .args(["serve.mjs", "--model", "../model"])
        .current_dir(page)
        .stdout(Stdio::piped())
        .spawn()
        .context("node does not start")?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped"))
        .read_line(&mut line)
        .context("reading the server's address")?;
    let address = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
    let address = address.context("the server printed no address")?.to_owned();
    Ok((server, address))
}

/// What opens an address in the user's browser; nothing on a machine without a screen.
fn opener() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| env::var_os(name).is_some());
    (screen && program::on_path("xdg-open").is_some()).then_some("xdg-open")
}

/// Prints what is there and what is not, and adds the wasm target where that is safe.
fn check(target: &Path) -> Result<()> {
    let start = Instant::now();
    let found = needs(target);
    eprint!("{}", table(&found));
    eprintln!("checked in {:.1} s", start.elapsed().as_secs_f64());
    let lacking: Vec<&str> =
        found.iter().filter(|need| need.required && need.found.is_err()).map(|need| need.name).collect();
    ensure!(lacking.is_empty(), "missing: {}; the commands above bring it", lacking.join(", "));
    if !wasm_target::is_installed().unwrap_or(false) && program::on_path("rustup").is_some() {
        eprintln!("\nadding the wasm32 target (rustup, at most {} s)", RUSTUP.as_secs());
        if !add_wasm_target() {
            eprintln!("it was not added; the demo goes on without it");
        }
    }
    Ok(())
}

/// `rustup target add`, ended when it takes too long: a machine without network must not wait for it.
fn add_wasm_target() -> bool {
    let child = Command::new("rustup")
        .args(["target", "add", wasm_target::TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let start = Instant::now();
    while start.elapsed() < RUSTUP {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // It may have ended meanwhile; either way it is over.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// The build of the tests, features and all: one set of artifacts for both.
fn build(root: &Path) -> Result<()> {
    program::run(program::cargo(root).args(["build", "--locked", "--all-targets"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_that_taught_too_little_fails_and_says_what() {
        let report = |auc: f64, rank: Option<u64>| {
            serde_json::json!({
                "models": [{ "metrics": { "auc_micro": auc } }],
                "planted": [{ "code": "I10", "rank": 1 }, { "code": "E11.9", "rank": rank }],
            })
        };
        assert!(taught(&report(0.95, Some(5))).is_ok());
        let said = |report| taught(&report).unwrap_err().to_string();
        assert_eq!(said(report(0.89, Some(5))), "the story's model has a micro AUC of 0.890, less than 0.9");
        assert!(
            said(report(0.95, Some(6))).starts_with("E11.9 is planted"),
            "{}",
            said(report(0.95, Some(6)))
        );
        assert!(said(report(0.95, None)).contains("number none"), "{}", said(report(0.95, None)));
        assert!(taught(&serde_json::json!({})).is_err());
    }

    fn parse(args: &[&str]) -> Result<(bool, bool, Vec<String>)> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        told(&args).map(|told| (told.once, told.again, told.passed))
    }

    #[test]
    fn arguments_of_the_story_stand_behind_two_dashes_and_tell_it_anew() {
        assert_eq!(parse(&[]).unwrap(), (false, false, vec![]));
        assert_eq!(parse(&["--once"]).unwrap(), (true, false, vec![]));
        assert_eq!(parse(&["--once", "--", "--patients", "50"]).unwrap().2, ["--patients", "50"]);
        assert!(parse(&["--", "--patients"]).unwrap().1);
        assert!(parse(&["--twice"]).is_err());
    }
}
