//! A corpus as token shards: the same bytes for any number of threads and interruptions, the same training as from the
//! corpus itself, and refusals by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{argument, call, command, fail, small_corpus, succeed};

struct Place {
    folder: tempfile::TempDir,
    corpus: String,
    vocab: String,
}

impl Place {
    fn new() -> Self {
        let made = small_corpus();
        let at = |name: &str| argument(&made.join(name)).to_owned();
        Self { folder: tempfile::tempdir().unwrap(), corpus: at("corpus"), vocab: at("vocab") }
    }

    fn at(&self, name: &str) -> String {
        argument(&self.folder.path().join(name)).to_owned()
    }

    /// Shards of a few notes each.
    fn tokenize<'a>(&'a self, out: &'a str) -> Vec<&'a str> {
        let inputs = ["--corpus", &self.corpus, "--vocab", &self.vocab];
        [&["tokenize"][..], &inputs, &["--out", out, "--shard-tokens", "1500"]].concat()
    }
}

/// Every file of a folder but the lock.
fn content(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| name != ".lock").collect()
}

#[test]
fn threads_and_kills_change_no_byte() {
    let place = Place::new();
    let (whole, one, cut) = (place.at("whole"), place.at("one"), place.at("cut"));
    let said = succeed(&place.tokenize(&whole)).stderr;
    assert!(said.contains(" tokens/s"), "{said}");
    let expected = content(&whole);
    assert!(expected.len() > 5 && expected.contains_key("train-00001.tokens"), "{:?}", expected.keys());
    assert!(!expected.contains_key("unfinished.json"));
    let mut single: Command = command(&place.tokenize(&one));
    assert!(single.env("RAYON_NUM_THREADS", "1").status().unwrap().success());
    assert!(content(&one) == expected, "threads decide bytes");

    // Killed wherever it is, and what a killed process was writing when it could not tidy up.
    for pause in [5, 15, 25] {
        let mut child = command(&place.tokenize(&cut)).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // As it stood before its last train shard: the rest is made again, and a shard that was lost with the power.
    fs::create_dir_all(&cut).unwrap();
    for (name, bytes) in &expected {
        fs::write(Path::new(&cut).join(name), bytes).unwrap();
    }
    fs::rename(Path::new(&cut).join("tokens.json"), Path::new(&cut).join("unfinished.json")).unwrap();
    fs::write(Path::new(&cut).join("train-00001.tokens"), b"BXTOKENS").unwrap();
    fs::write(Path::new(&cut).join(".writing-abc"), b"half").unwrap();
    let other = ["--shard-tokens", "1501"];
    let said = fail(&[&place.tokenize(&cut)[..place.tokenize(&cut).len() - 2], &other].concat());
    assert!(said.contains("has shards of 1500 tokens, not 1501"), "{said}");
    let said = fail(&[
        "pretrain",
        "--corpus",
        &place.corpus,
        "--vocab",
        &place.vocab,
        "--tokens",
        &cut,
        "--out",
        &place.at("x"),
    ]);
    assert!(said.contains("is not finished") && said.contains("hint: "), "{said}");
    let said = succeed(&place.tokenize(&cut)).stderr;
    assert!(said.contains("notes were done already"), "{said}");
    assert!(content(&cut) == expected, "a call that goes on decides bytes");
    assert!(succeed(&place.tokenize(&cut)).stderr.contains("finished already"));
}

#[test]
fn a_training_from_shards_is_that_from_the_corpus() {
    let place = Place::new();
    let tokens = place.at("tokens");
    succeed(&place.tokenize(&tokens));
    let steps = ["--epochs", "2", "--max-steps", "12", "--set", "checkpoint_every=5"];
    let weights = |run: &str, file: &str| fs::read(Path::new(run).join(file)).unwrap();
    for (kind, file, settings) in [
        ("pretrain", "encoder/model.safetensors", ["--batch", "8", "--max-len", "48"]),
        ("finetune", "model/weights.safetensors", ["--batch", "8", "--max-len", "64"]),
    ] {
        let (direct, mapped) = (place.at(&format!("{kind}-a")), place.at(&format!("{kind}-b")));
        let encoder: &[&str] = if kind == "finetune" { &["--encoder", "none"] } else { &[] };
        let train = |out: &str, more: &[&str]| {
            let inputs =
                ["--recipe", "demo", "--corpus", &place.corpus, "--vocab", &place.vocab, "--out", out];
            succeed(&[&[kind][..], &inputs, encoder, &settings, &steps, more].concat()).stderr
        };
        train(&direct, &[]);
        let said = train(&mapped, &["--tokens", &tokens]);
        assert!(said.contains("waited for batches "), "{said}");
        assert!(weights(&direct, file) == weights(&mapped, file), "{kind}: other weights from shards");
    }
}

#[test]
fn a_full_disk_leaves_whole_shards_only() {
    let place = Place::new();
    let (whole, full) = (place.at("whole"), place.at("full"));
    succeed(&place.tokenize(&whole));
    // A limit on the size of a file stands for a disk without room; the shell hands it on.
    let words = place.tokenize(&full);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let program = crate::process::program().display();
    let script = format!("trap '' XFSZ; ulimit -f 2; exec '{program}' --progress none {}", quoted.join(" "));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("writing ") && said.contains("train-00000.tokens"), "{said}");
    assert_eq!(content(&full).into_keys().collect::<Vec<_>>(), ["unfinished.json"]);
    succeed(&words);
    assert!(content(&full) == content(&whole));
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let place = Place::new();
    let (tokens, out) = (place.at("tokens"), place.at("out"));
    succeed(&place.tokenize(&tokens));
    let (notes, corpus, vocab) = (place.at("n.jsonl"), place.at("corpus"), place.at("vocab"));
    succeed(&["synth", "--patients", "30", "--codes", "12", "--length", "short", "--out", &notes]);
    succeed(&["prepare", "--input", &notes, "--more-than", "3", "--out", &corpus]);
    succeed(&["vocab", "--corpus", &corpus, "--size", "500", "--out", &vocab]);
    let train = |corpus: &str, vocab: &str, tokens: &str| {
        let inputs = ["--corpus", corpus, "--vocab", vocab, "--tokens", tokens];
        let said = fail(&[&["pretrain", "--recipe", "demo", "--out", &out][..], &inputs].concat());
        assert!(said.contains("hint: "), "{said}");
        said
    };
    let said = train(&corpus, &place.vocab, &tokens);
    assert!(said.contains("was tokenized from another corpus: SHA-256 "), "{said}");
    let said = train(&place.corpus, &vocab, &tokens);
    assert!(said.contains("was tokenized from another vocabulary: SHA-256 "), "{said}");
    let said = train(&place.corpus, &place.vocab, &corpus);
    assert!(said.contains("is no tokenized corpus: it has no tokens.json"), "{said}");
    assert!(!Path::new(&out).exists());
    // Going on in a folder of another corpus, or in one that holds something else.
    let again = ["tokenize", "--corpus", &corpus, "--vocab", &place.vocab, "--out"];
    assert!(fail(&[&again[..], &[&tokens]].concat()).contains("was tokenized from another corpus"));
    assert!(fail(&[&again[..], &[&corpus]].concat()).contains("is not empty"));

    let shard = Path::new(&tokens).join("train-00001.tokens");
    let mut bytes = fs::read(&shard).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&shard, &bytes).unwrap();
    let said = train(&place.corpus, &place.vocab, &tokens);
    assert!(said.contains("train-00001.tokens has another SHA-256 than tokens.json says"), "{said}");
    fs::remove_dir_all(&out).unwrap();
    fs::write(&shard, &bytes[..last]).unwrap();
    let said = train(&place.corpus, &place.vocab, &tokens);
    assert!(said.contains("train-00001.tokens has ") && said.contains("the shard is damaged"), "{said}");
    fs::remove_dir_all(&out).unwrap();
    let manifest = Path::new(&tokens).join("tokens.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    assert!(train(&place.corpus, &place.vocab, &tokens).contains("version is 2; this build reads 1"));
    assert_eq!(call(&["tokenize", "--corpus", &place.corpus]).code, Some(2));
}
