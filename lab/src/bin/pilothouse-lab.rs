//! `pilothouse-lab`: the processes a lab is made of, one subcommand each. `lab::netns` starts them; nobody needs to by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let subcommand = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let run: lab::Run = match subcommand.as_str() {
        "impair" => lab::impair::run,
        "relay" => lab::relay::run,
        "face" => lab::face::run,
        "reflector" => lab::reflector::run,
        "traffic" => lab::traffic::run,
        "sim" => lab::sim::run,
        other => {
            eprintln!(
                "pilothouse-lab: no subcommand {other:?}; there are impair, relay, face, reflector, traffic and sim, each with --config FILE"
            );
            return ExitCode::from(2);
        }
    };
    match run(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pilothouse-lab {subcommand}: {}", lab::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
