//! `pilotctl`: the command line face of Pilothouse.
//!
//! Translates arguments into use cases; holds no rule. Exit status: 0 done, 1 the answer is "no", 2 wrong usage or unreadable input,
//! 3 done but part of the input was bad, 130 cancelled.

mod agents;
mod audit;
mod bench;
mod client;
mod collect;
mod decode;
mod doctor;
mod engine;
mod exit;
mod exports;
mod import;
mod lab;
mod peers;
mod queue;
mod replay;
mod report;
mod secrets;
mod series;
mod settings;
mod subscriptions;
mod syslog;
mod tables;
mod topics;
mod twin;
mod volumes;

use clap::{Parser, Subcommand};
use exit::Outcome;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// A fifth of the time that a decision takes is for memory, with the system's own: it is asked for by every thread at once.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pilothouse on the command line.
#[derive(Debug, Parser)]
#[command(name = "pilotctl", version, about, max_term_width = 140)]
struct Arguments {
    /// Data folder; one engine a folder [default: $PILOTHOUSE_DATA, else the platform's data directory].
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Log filter on stderr, for example `collector=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "PILOTHOUSE_LOG", default_value = "warn")]
    log: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Decodes files into one JSON object a message.
    Decode(decode::Arguments),
    /// Says what files hold, what reading them would leave out, and which verb reads them.
    Import(import::Arguments),
    /// The routes after streams of BMP.
    Rib(tables::Arguments),
    /// Runs the collector alone.
    Collect(collect::Arguments),
    /// What a capture holds.
    Capture(replay::CaptureArguments),
    /// Runs the engine over a capture; the same input gives the same output.
    Replay(replay::Arguments),
    /// The live engine: state, devices, findings, probes.
    Status(engine::StatusArguments),
    /// Follows the live engine's events.
    Events(engine::EventsArguments),
    /// Runs the engine without a window.
    Serve(engine::ServeArguments),
    /// The agents of the live engine, one per device.
    Agents(agents::Arguments),
    /// Asks an agent a question; it answers from templates over what it reads.
    Chat(agents::ChatArguments),
    /// The approval queue of the live engine.
    Queue(queue::Arguments),
    /// The audit chain.
    Audit(audit::Arguments),
    /// Passwords in the key store of this session.
    Secrets(secrets::Arguments),
    /// What is set for the engine of a data folder.
    Settings(settings::Arguments),
    /// The twin: networks from their configurations, solved, changed, checked.
    Twin(twin::Arguments),
    /// Labs and scenarios.
    Lab(lab::Arguments),
    /// Plots what a scenario or a change did.
    Report(report::Arguments),
    /// Measures this build on this machine.
    Bench(bench::Arguments),
    /// What is missing on this machine and how to get it.
    Doctor,
}

fn main() -> ExitCode {
    // a reader that has seen enough (`| head`) is no fault: the standard library would panic
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to std") {
            if text.contains("Broken pipe") {
                std::process::exit(141);
            }
            // a full disk, for one; who reads neither stream is told by the status alone
            let _ = writeln!(std::io::stderr(), "PH-CLI-022 {text}; the output is not complete");
            std::process::exit(2);
        }
        usual(panic);
    }));
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new(&arguments.log))
        .init();
    let context = exit::Context { data: arguments.data, json: arguments.json };
    let outcome = match arguments.verb {
        Verb::Decode(a) => decode::decode(&context, &a),
        Verb::Import(a) => import::import(&context, &a),
        Verb::Rib(a) => tables::run(&context, &a),
        Verb::Collect(a) => collect::run(&context, a),
        Verb::Capture(a) => replay::capture(&context, &a),
        Verb::Replay(a) => replay::replay(&context, &a),
        Verb::Status(a) => engine::status(&context, &a),
        Verb::Events(a) => engine::events(&context, &a),
        Verb::Serve(a) => engine::serve(&context, a),
        Verb::Agents(a) => agents::run(&context, &a),
        Verb::Chat(a) => agents::chat(&context, a),
        Verb::Queue(a) => queue::run(&context, &a),
        Verb::Audit(a) => audit::run(&context, &a),
        Verb::Secrets(a) => secrets::run(&context, &a),
        Verb::Settings(a) => settings::run(&context, &a),
        Verb::Twin(a) => twin::run(&context, &a),
        Verb::Lab(a) => lab::run(&context, a),
        Verb::Report(a) => report::run(&context, &a),
        Verb::Bench(a) => bench::run(&context, &a),
        Verb::Doctor => doctor::run(&context),
    };
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            eprintln!("{failure}");
            Outcome::Unusable.into()
        }
    }
}
