//! Incidents as cases (`tests/cases/incidents`): a change that must be stopped, by which check, with which sentence; and for each one that is
//! like it and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use case::Case;
use case::beside::Beside;
use case::change::{Change, Effect};
use preflight::Verdict;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `expected.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// What happened, or what is shown.
    incident: String,
    /// `pass`, `warn`, `block`, or `not block`.
    #[serde(default)]
    verdict: String,
    /// Lowest tier that may decide.
    tier: Option<u8>,
    /// Checks with what their sentence or rows hold.
    #[serde(default)]
    checks: Vec<ExpectedCheck>,
    /// The change is refused when it is read.
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedCheck {
    id: String,
    verdict: String,
    sentence: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/cases/incidents")
}

fn effect(dir: &Path) -> Result<Effect, String> {
    let text = std::fs::read_to_string(dir.join("change.json")).unwrap();
    let change: Change = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let (case, beside) = (Case::load(dir).unwrap(), Beside::load(dir).unwrap());
    case.effect_with(&change, &beside).map_err(|e| e.to_string())
}

/// Returns what differs from what is expected.
fn differences(dir: &Path) -> Vec<String> {
    let expected: Expected = serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let mut out = Vec::new();
    let effect = match (effect(dir), &expected.error) {
        (Err(error), Some(wanted)) if error.contains(wanted) => return out,
        (Err(error), _) => return vec![format!("refused: {error}")],
        (Ok(_), Some(wanted)) => return vec![format!("not refused: {wanted}")],
        (Ok(effect), None) => effect,
    };
    let verdict = effect.verdict();
    let fits = if expected.verdict == "not block" { verdict != Verdict::Block } else { verdict.word() == expected.verdict };
    if !fits {
        out.push(format!("verdict {} instead of {} ({})", verdict.word(), expected.verdict, expected.incident));
        out.extend(effect.checks.iter().filter(|c| c.verdict == verdict).map(ToString::to_string));
    }
    if expected.tier.is_some() && effect.tier != expected.tier {
        out.push(format!("tier {:?} instead of {:?}", effect.tier, expected.tier));
    }
    for wanted in &expected.checks {
        let Some(check) = effect.checks.iter().find(|c| c.id.to_string() == wanted.id) else {
            out.push(format!("no check {}", wanted.id));
            continue;
        };
        let told = check.sentence.contains(&wanted.sentence) || check.rows.iter().any(|r| r.to_string().contains(&wanted.sentence));
        if check.verdict.word() != wanted.verdict || !told {
            out.push(format!("{check}\n      instead of {} {:?}", wanted.verdict, wanted.sentence));
        }
    }
    out
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path());
    let mut out: Vec<PathBuf> = entries.filter(|p| p.join("change.json").is_file()).collect();
    out.sort();
    out
}

#[test]
fn every_incident_is_stopped_by_its_check_and_its_twin_passes() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for dir in &cases {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        wrong.extend(differences(dir).into_iter().map(|d| format!("{name}: {d}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
