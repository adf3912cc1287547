//! Prints the decisions of a capture and the state at the end, as `pilotctl replay FILE --decisions` does, without the rest of the program:
//! small enough to be built at every optimisation level and compared.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: replay FILE");
        return ExitCode::from(2);
    };
    match print(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn print(file: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let mut lines = Vec::new();
    let replay = capture::Replay::run(file, None, |event| lines.push(serde_json::to_string(event)))?;
    for line in lines {
        writeln!(out, "{}", line?)?;
    }
    writeln!(out, "{}", replay.ending())?;
    Ok(())
}
