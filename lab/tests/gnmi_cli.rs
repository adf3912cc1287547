//! A gNMI client that is not ours reads a node face: openconfig's `gnmi_cli`.

#[allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod face_bench;

use face_bench::{Bench, PASSWORD, USER};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Finds the client in `PILOTHOUSE_PEERS` or `PATH`; says so when there is none.
fn gnmi_cli() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = std::env::var("PILOTHOUSE_PEERS").ok().into_iter().chain(path.split(':').map(String::from));
    let found = dirs.map(|d| PathBuf::from(d).join("gnmi_cli")).find(|p| p.is_file());
    if found.is_none() {
        println!("skipped: no gnmi_cli on this machine (set PILOTHOUSE_PEERS to the directory that holds it)");
    }
    found
}

/// Runs it against a face. It asks for user and password on a terminal, so `script` gives it one.
fn ask(bench: &Bench, cli: &std::path::Path, password: &str, arguments: &str) -> anyhow::Result<Output> {
    use std::io::Write;
    let command = format!(
        "{} -address {} -ca_crt {} -server_name localhost -with_user_pass -timeout 10s {arguments}",
        cli.display(),
        bench.gnmi,
        bench.ca().display()
    );
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or_else(|| anyhow::anyhow!("no standard input"))?;
    writeln!(stdin, "{USER}")?;
    // the prompt for the password empties the terminal's input first
    std::thread::sleep(std::time::Duration::from_millis(700));
    writeln!(stdin, "{password}")?;
    Ok(child.wait_with_output()?)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gnmi_cli_reads_capabilities_values_and_a_stream() -> anyhow::Result<()> {
    let Some(cli) = gnmi_cli() else { return Ok(()) };
    let Some(bench) = Bench::start_tls("cli").await? else { return Ok(()) };
    let said = tokio::task::block_in_place(|| ask(&bench, &cli, PASSWORD, "-capabilities"))?;
    assert!(said.status.success() && text(&said).contains("openconfig-network-instance"), "{}", text(&said));
    let session = "network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors";
    let query = format!("-query_type once -display_type single -query '{session}'");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    // the session comes up meanwhile
    loop {
        let said = tokio::task::block_in_place(|| ask(&bench, &cli, PASSWORD, &query))?;
        assert!(said.status.success(), "{}", text(&said));
        if text(&said).contains("ESTABLISHED") {
            break;
        }
        assert!(std::time::Instant::now() < until, "no session in {}", text(&said));
    }
    let streamed = format!("-query_type streaming -streaming_duration 3s -display_type single -query '{session}'");
    let said = tokio::task::block_in_place(|| ask(&bench, &cli, PASSWORD, &streamed))?;
    assert!(text(&said).contains("session-state"), "{}", text(&said));
    let said = tokio::task::block_in_place(|| ask(&bench, &cli, "wrong", "-capabilities"))?;
    assert!(text(&said).contains("Unauthenticated"), "{}", text(&said));
    Ok(())
}
