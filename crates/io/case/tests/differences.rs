//! Differences between the tables of real routers and ours that were found with random networks, each made small and kept with what FRR
//! 8.4.4 showed (`twin-diff --case CASE --record`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says no by panicking")]

use case::{Case, answer, diff, frr::Shown};
use std::collections::BTreeMap;
use std::path::Path;

fn kept() -> Vec<std::path::PathBuf> {
    let all = diff::cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/differences")).unwrap();
    assert!(!all.is_empty());
    all
}

#[test]
fn differences_that_were_found_are_gone() {
    for dir in kept() {
        let Ok(text) = std::fs::read_to_string(dir.join(diff::TABLES)) else { continue };
        let answer = answer::solve(&Case::load(&dir).unwrap());
        let shown: BTreeMap<String, Shown> = serde_json::from_str(&text).unwrap();
        let (rows, different) = case::compare::tables(&answer, &shown);
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let lines: Vec<String> = different.iter().map(|d| format!("{} {}: {}", d.router, d.prefix, d.what.join("; "))).collect();
        assert!(rows > 0 && lines.is_empty(), "{name}: {lines:?}");
        assert!(answer.converged && answer.unmodelled.is_empty(), "{name}: {:?}", answer.unmodelled);
    }
}

/// Next hops that are reached by the routes which they make best: FRR never comes to rest, and there is no table to compare.
#[test]
fn what_never_rests_on_real_routers_is_said_not_to() {
    let restless: Vec<_> = kept().into_iter().filter(|d| !d.join(diff::TABLES).exists()).collect();
    assert!(!restless.is_empty());
    for dir in restless {
        let answer = answer::solve(&Case::load(&dir).unwrap());
        assert!(!answer.converged, "{}", dir.display());
        let mut text = Vec::new();
        answer.write(&mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("no stable state"), "{}", dir.display());
    }
}

/// Two paths of one neighbour that are equal in all, and a third that the router compared last (random network 118; FRR 8.4.4 kept the other one).
#[test]
fn a_tie_is_told_whatever_was_compared_last() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ties/further-paths-of-one-neighbour");
    let answer = answer::solve(&Case::load(&dir).unwrap());
    let prefix = "198.51.100.0/24".parse().unwrap();
    let told = answer.order_dependent.iter().find(|o| o.router == "r2" && o.prefix == prefix);
    assert!(told.is_some_and(|o| o.candidates.len() > 2), "{:#?}", answer.order_dependent);
}
