//! The figures of `pilotctl bench twin` without the rest of the program: `timing SCENARIO PREFIXES [distinct]`, `timing made ROUTERS PREFIXES
//! [distinct]`, or `timing table PREFIXES [THREADS]`.

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use case::scale::{Scenario, full_tables};
use case::timing::Bench;
use routing::Blueprint;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let distinct = words.last() == Some(&"distinct");
    match words.as_slice() {
        ["table", prefixes, rest @ ..] => {
            let network = full_tables(prefixes.parse()?);
            let (bench, ms) = Bench::converged(&network, 1, rest.first().map_or(Ok(1), |n| n.parse())?);
            shown(&bench, ms, vec![bench.lp_on_session()]);
        }
        ["made", routers, prefixes, ..] => all(&Scenario::made(routers.parse()?).blueprint(prefixes.parse()?, distinct)),
        [file, prefixes, ..] => all(&Scenario::read(&std::fs::read_to_string(file)?)?.blueprint(prefixes.parse()?, distinct)),
        _ => return Err("timing SCENARIO PREFIXES [distinct] | made ROUTERS PREFIXES [distinct] | table PREFIXES [THREADS]".into()),
    }
    Ok(())
}

fn all(network: &Blueprint) {
    let (bench, ms) = Bench::converged(network, 3, 1);
    let what_ifs = bench.what_ifs();
    shown(&bench, ms, what_ifs);
}

fn shown(bench: &Bench<'_>, ms: f64, what_ifs: Vec<case::timing::WhatIf>) {
    println!("{} destinations: {ms:.2} ms, {} messages", bench.base().classes.len(), bench.plane().messages(bench.base()));
    for w in what_ifs {
        println!("  {:<32} {:>9.3} ms, of it the fork {:.3} ms; {} choices change", w.name, w.ms, w.fork_ms, w.changed);
    }
}
