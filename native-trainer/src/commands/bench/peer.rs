//! Another engine in a process of its own, asked for one note or one step at a time by lines on a pipe.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::error::hinted;

/// A peer that runs; it ends with its standard input.
pub(super) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `command` (words parted by spaces, no shell) with `arguments` behind it.
    ///
    /// # Errors
    /// A program that does not start.
    pub fn start(command: &str, arguments: &[&str]) -> Result<Self> {
        let mut words = command.split_whitespace();
        let program =
            words.next().ok_or_else(|| hinted("--peer is empty", "name a program and its arguments"))?;
        let mut child = Command::new(program)
            .args(words)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("--peer: `{program}` does not start"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("--peer: no pipe")?);
        Ok(Self { child, input, output })
    }

    /// Wall and CPU milliseconds of what the line asks for.
    ///
    /// # Errors
    /// A peer that has ended, or an answer that is not two numbers.
    pub fn time(&mut self, question: &str) -> Result<[f64; 2]> {
        let input = self.input.as_mut().context("the peer's input is open until it is dropped")?;
        let mut line = String::new();
        // A peer that ended breaks the pipe or answers with nothing.
        let asked = writeln!(input, "{question}").and_then(|()| input.flush());
        if asked.is_ok() {
            self.output.read_line(&mut line).context("--peer: reading its answer")?;
        }
        if line.is_empty() {
            return Err(hinted("--peer ended before it answered", "its last words stand above"));
        }
        let numbers: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        match numbers[..] {
            [wall, cpu] if wall > 0.0 && cpu >= 0.0 => Ok([wall, cpu]),
            _ => Err(hinted(
                format!("--peer answered `{}`", line.trim_end()),
                "an answer is `WALL_MS CPU_MS`, two numbers",
            )),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
