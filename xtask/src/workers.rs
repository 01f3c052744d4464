//! The stage `remote`: two workers on this machine train what one device trains.
//!
//! a small hospital → pretraining on the CPU, on one worker, on two, over WebSocket and over Iroh → one curve of losses;
//! a worker that is killed ends its run with an error, and the run goes on from its checkpoint with a new one

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{package, program};

/// Largest difference of a loss: gradients are added in another order.
const NOISE: f64 = 1e-3;
/// What workers and trainings share here.
const TOKEN: &str = "a token of this check and no other";
/// Steps of every run.
const STEPS: usize = 6;
/// A run that is to be killed is at work by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// A `bert-xml worker`; it ends when this is dropped.
struct Worker {
    child: Child,
    /// What `--device remote:` takes.
    place: String,
}

impl Worker {
    fn start(binary: &Path, folder: &Path, listen: &str) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["--device", "cpu", "worker", "--listen", listen]).current_dir(folder);
        command.env("BERT_XML_TOKEN", TOKEN).env_remove("BERT_XML_TOKEN_FILE").env_remove("BERT_XML_RELAYS");
        // One panics when the other is killed.
        command.env("RUST_BACKTRACE", "0");
        let mut child = command.stdout(Stdio::piped()).spawn().context("bert-xml worker does not start")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line)?;
        let place = line.trim().to_owned();
        ensure!(!place.is_empty(), "bert-xml worker --listen {listen} ended: {}", child.wait()?);
        Ok(Self { child, place })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that was killed before is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The place of the check and the binary under it.
struct Check<'a> {
    binary: &'a Path,
    folder: PathBuf,
}

/// Trains with `binary`, which must have been built with the feature `remote`.
///
/// # Errors
/// A curve that differs, a worker that serves without the token, a lost worker that does not end its run, or ends it for
/// good.
pub fn check(root: &Path, binary: &Path) -> Result<()> {
    let folder = package::target_directory(root)?.join("remote-check");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let check = Check { binary, folder };
    check.corpus()?;
    let start = Instant::now();
    let local = check.curve("local", "cpu")?;
    ensure!(local.len() == 2 * STEPS, "{} losses of {STEPS} steps", local.len());
    let mut told = format!("{STEPS} steps: {:.1} s on the CPU", start.elapsed().as_secs_f64());
    let listen = || Worker::start(binary, &check.folder, "ws://127.0.0.1:0");
    let (one, two) = (listen()?, listen()?);
    let both = format!("remote:{},remote:{}", one.place, two.place);
    let of_one = format!("remote:{}", one.place);
    let iroh = Worker::start(binary, &check.folder, &format!("iroh:{}", free_port()?))?;
    let id = iroh.place.split('@').next().unwrap_or_default();
    let port = iroh.place.rsplit(':').next().unwrap_or_default();
    let by_iroh = format!("remote:{id}@127.0.0.1:{port}");
    for (name, devices) in
        [("one worker", &of_one), ("two workers", &both), ("one worker over Iroh", &by_iroh)]
    {
        let start = Instant::now();
        let worst = largest_difference(&local, &check.curve(name, devices)?)?;
        told += &format!("; {:.1} s on {name} (differs by {worst:.1e})", start.elapsed().as_secs_f64());
    }
    check.refuses(&of_one)?;
    check.goes_on(&local, (&one, two), listen)?;
    eprintln!("{told}");
    fs::remove_dir_all(&check.folder).with_context(|| format!("removing {}", check.folder.display()))
}

impl Check<'_> {
    fn corpus(&self) -> Result<()> {
        for words in [
            &["synth", "--patients", "40", "--codes", "12", "--length", "short", "--out", "notes.jsonl"][..],
            &["prepare", "--input", "notes.jsonl", "--more-than", "3", "--out", "corpus"],
            &["vocab", "--corpus", "corpus", "--size", "400", "--out", "vocab"],
        ] {
            program::run(self.command("cpu", TOKEN).args(words))?;
        }
        Ok(())
    }

    fn command(&self, devices: &str, token: &str) -> Command {
        let mut command = Command::new(self.binary);
        command.current_dir(&self.folder).args(["--progress", "none", "--device", devices]);
        command.env("BERT_XML_TOKEN", token).env_remove("BERT_XML_TOKEN_FILE").env_remove("BERT_XML_RELAYS");
        command
    }

    /// A training into the folder `run`.
    fn training(&self, run: &str, devices: &str, token: &str) -> Command {
        let mut command = self.command(devices, token);
        command.args(["pretrain", "--recipe", "demo", "--corpus", "corpus", "--vocab", "vocab", "--resume"]);
        command.args(["--batch", "6", "--max-len", "32", "--micro-batch", "64", "--max-steps"]);
        command.arg(STEPS.to_string()).args(["--set", "checkpoint_every=2", "--out", run]);
        command
    }

    fn curve(&self, run: &str, devices: &str) -> Result<Vec<f64>> {
        program::run(&mut self.training(run, devices, TOKEN))?;
        self.losses(run)
    }

    /// Losses that a run has written so far.
    fn losses(&self, run: &str) -> Result<Vec<f64>> {
        let text = fs::read_to_string(self.folder.join(run).join("metrics.jsonl")).unwrap_or_default();
        let mut losses = Vec::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).context("metrics.jsonl")?;
            losses.extend(["mlm_loss", "nsp_loss"].iter().filter_map(|name| line[name].as_f64()));
        }
        Ok(losses)
    }

    /// A worker keeps out whoever has another token.
    fn refuses(&self, devices: &str) -> Result<()> {
        let said = failure(self.training("refused", devices, "another token altogether").output()?)?;
        ensure!(said.contains("rejected the credential") && said.contains("hint: "), "{said}");
        Ok(())
    }

    /// A worker is killed while it trains; the run goes on with another.
    fn goes_on(
        &self,
        local: &[f64],
        (one, two): (&Worker, Worker),
        listen: impl Fn() -> Result<Worker>,
    ) -> Result<()> {
        let both = |two: &Worker| format!("remote:{},remote:{}", one.place, two.place);
        let mut training = self.training("killed", &both(&two), TOKEN);
        let child = training.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let start = Instant::now();
        // Behind the checkpoint of step 2, ahead of the last.
        while self.losses("killed")?.len() < 6 {
            ensure!(start.elapsed() < PATIENCE, "no third step within {PATIENCE:?}");
            sleep(Duration::from_millis(5));
        }
        drop(two);
        let said = failure(child.wait_with_output()?)?;
        ensure!(said.contains(" failed: ") && said.contains("go on with --resume"), "{said}");
        ensure!(!said.contains("panicked"), "{said}");
        let worst = largest_difference(local, &self.curve("killed", &both(&listen()?))?)?;
        eprintln!(
            "a killed worker ends the run:\n{said}and it goes on with another (differs by {worst:.1e})"
        );
        Ok(())
    }
}

/// What a call that failed says of it.
fn failure(output: Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{}, not an error of its own: {said}", output.status);
    Ok(said)
}

/// A UDP port that nobody listens at.
fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("0.0.0.0:0").context("no UDP port")?.local_addr()?.port())
}

/// The largest difference of two curves, if none is too large.
fn largest_difference(wanted: &[f64], found: &[f64]) -> Result<f64> {
    ensure!(wanted.len() == found.len(), "{} losses, not {}", found.len(), wanted.len());
    let mut worst = 0f64;
    for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        // Written so that NaN fails.
        let close = (wanted - found).abs() <= NOISE;
        ensure!(close, "loss {at} is {found}, on one device {wanted}");
        worst = worst.max((wanted - found).abs());
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_compared_loss_by_loss() {
        assert_eq!(largest_difference(&[2.0, 1.0], &[2.0, 1.0]).unwrap(), 0.0);
        assert!(largest_difference(&[2.0], &[2.0005]).unwrap() > 4e-4);
        let error = largest_difference(&[2.0, 1.0], &[2.0, 1.5]).unwrap_err().to_string();
        assert_eq!(error, "loss 1 is 1.5, on one device 1");
        assert!(largest_difference(&[2.0], &[f64::NAN]).is_err());
        assert!(largest_difference(&[2.0, 1.0], &[2.0]).is_err(), "a run that broke off");
    }

    #[test]
    #[cfg(unix)]
    fn a_call_that_succeeds_or_is_killed_is_no_failure() {
        let shell = |words: &str| Command::new("sh").args(["-c", words]).output().unwrap();
        assert_eq!(failure(shell("echo why >&2; exit 1")).unwrap(), "why\n");
        assert!(failure(shell("true")).is_err() && failure(shell("kill -9 $$")).is_err());
    }
}
