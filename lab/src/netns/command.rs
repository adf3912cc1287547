//! Running the programs a lab is built with; every failure says which call, where, and what it printed.

use super::LabError;
use std::io::Write;
use std::process::{Command, Stdio};

/// Seconds after which a helper program is ended: none of them has a reason to take longer.
const TIMEOUT_S: &str = "30";
/// Characters of a program's complaint that go into an error.
const MAX_COMPLAINT: usize = 600;

/// Runs a program to its end and returns what it printed.
pub(super) fn run<S: AsRef<str>>(program: &str, args: impl IntoIterator<Item = S>) -> Result<String, LabError> {
    run_with_input(program, args, "")
}

/// Runs a program with `input` on its standard input.
pub(super) fn run_with_input<S: AsRef<str>>(program: &str, args: impl IntoIterator<Item = S>, input: &str) -> Result<String, LabError> {
    let args: Vec<String> = args.into_iter().map(|a| a.as_ref().to_owned()).collect();
    let call = || format!("{program} {}", args.join(" "));
    let failed = |source| LabError::Spawn { call: call(), source };
    let mut child = Command::new("timeout")
        .args(["-k", "1", TIMEOUT_S, program])
        .args(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended early breaks the pipe; its exit status tells why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let complaint = format!("{} {}", String::from_utf8_lossy(&output.stderr).trim(), text.trim());
    Err(LabError::Command { call: call(), status: output.status.to_string(), said: complaint.chars().take(MAX_COMPLAINT).collect() })
}

/// Runs `ip` commands in a namespace as one batch; those that begin with `-6` as a second one, because `ip` takes that only for a whole batch.
pub(super) fn ip_batch(namespace: &str, lines: &[String]) -> Result<(), LabError> {
    let (six, any): (Vec<_>, Vec<_>) = lines.iter().map(String::as_str).partition(|l| l.starts_with("-6 "));
    let six: Vec<&str> = six.iter().filter_map(|l| l.strip_prefix("-6 ")).collect();
    for (family, lines) in [(None, any), (Some("-6"), six)] {
        if !lines.is_empty() {
            run_with_input("ip", family.into_iter().chain(["-n", namespace, "-batch", "-"]), &(lines.join("\n") + "\n"))?;
        }
    }
    Ok(())
}

/// Runs `work` for every item, a few at a time, and returns the first error.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R, LabError> + Sync) -> Result<Vec<R>, LabError> {
    /// Programs at once; more only wait for the processors.
    const AT_ONCE: usize = 4;
    let mut results = Vec::with_capacity(items.len());
    for chunk in items.chunks(AT_ONCE) {
        let batch = std::thread::scope(|scope| {
            let threads: Vec<_> = chunk.iter().map(|item| scope.spawn(|| work(item))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or(Err(LabError::Interrupted))).collect::<Vec<_>>()
        });
        for result in batch {
            results.push(result?);
        }
    }
    Ok(results)
}
