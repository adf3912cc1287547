//! Incidents as cases (`tests/cases/incidents`): a change that must be stopped, by which check, with which sentence; and for each one that is
//! like it and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use case::Case;
use case::beside::Beside;
use case::change::{Change, Effect};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `expected.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// What happened, or what is shown.
    incident: String,
    /// `pass`, `warn` or `block`.
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

/// A case that pins a word pins nothing.
const SENTENCE_MIN: usize = 12;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/cases/incidents")
}

/// An error with its causes, as the operator reads it.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn effect(dir: &Path) -> Result<Effect, String> {
    let text = std::fs::read_to_string(dir.join("change.json")).unwrap();
    let change: Change = serde_json::from_str(&text).map_err(|e| told(&e))?;
    let case = Case::load(dir).map_err(|e| told(&e))?;
    let beside = Beside::load(dir).map_err(|e| told(&e))?;
    case.effect_with(&change, &beside).map_err(|e| told(&e))
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
    if verdict.word() != expected.verdict {
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
        if wanted.sentence.len() < SENTENCE_MIN {
            out.push(format!("{} pins no sentence: {:?}", wanted.id, wanted.sentence));
        }
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

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// A row of the table: incident, what pins it, verdict.
fn rows(table: &str) -> Vec<[String; 3]> {
    let cells = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|c| c.trim().to_owned());
        [cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap()]
    };
    // a heading stands over a rule
    let is_rule = |l: &str| l.starts_with("|---");
    let pairs = table.lines().zip(table.lines().skip(1).chain([""]));
    pairs.filter(|(l, next)| l.starts_with('|') && !is_rule(l) && !is_rule(next)).map(|(l, _)| cells(l)).collect()
}

/// What a cell names between backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Returns what is wrong with what pins a row: `NAME`, a case of ours, or `FILE::TEST`.
fn missing(pin: &str) -> Option<String> {
    let Some((file, test)) = pin.split_once("::") else {
        return (!folder().join(pin).join("expected.json").is_file()).then(|| format!("no case {pin}"));
    };
    let Ok(text) = std::fs::read_to_string(project().join(file)) else { return Some(format!("no file {file}")) };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|l| l.trim_start_matches("async ").starts_with(&format!("fn {test}()")));
    let is_test = at.is_some_and(|at| lines[..at].iter().rev().take_while(|l| !l.is_empty()).any(|l| l.contains("test]")));
    (!is_test).then(|| format!("no test {test} in {file}"))
}

/// `docs/incidents.md` says what pins each incident: it names what is there, and everything that is there.
#[test]
fn the_table_of_incidents_names_what_pins_them() {
    let table = rows(&std::fs::read_to_string(project().join("docs/incidents.md")).unwrap());
    let pins: Vec<&str> = table.iter().flat_map(|[_, pins, _]| named(pins)).collect();
    let mut wrong: Vec<String> = pins.iter().filter_map(|pin| missing(pin)).collect();
    wrong.extend(table.iter().filter(|[_, pins, _]| named(pins).is_empty()).map(|[what, ..]| format!("nothing pins {what}")));
    // every incident of the series has a row, every case a place
    let incidents = (1..=13).map(|n| format!("N{n:02}")).chain((1..=11).map(|n| format!("T{n:02}")));
    wrong.extend(
        incidents.filter(|id| !table.iter().any(|[what, ..]| what.starts_with(&format!("{id} ")))).map(|id| format!("no row {id}")),
    );
    let cases = cases().into_iter().map(|dir| dir.file_name().unwrap().to_string_lossy().into_owned());
    wrong.extend(cases.filter(|case| !pins.contains(&case.as_str())).map(|case| format!("{case} is in no row")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The verdict that the table tells of a case is the one that the case expects.
#[test]
fn the_table_of_incidents_tells_the_verdict_of_its_first_case() {
    let mut wrong = Vec::new();
    for [what, pins, verdict] in rows(&std::fs::read_to_string(project().join("docs/incidents.md")).unwrap()) {
        let Some(case) = named(&pins).into_iter().find(|p| !p.contains("::")) else { continue };
        let expected: Expected =
            serde_json::from_str(&std::fs::read_to_string(folder().join(case).join("expected.json")).unwrap()).unwrap();
        let word = if expected.error.is_some() { "refused" } else { &expected.verdict };
        if verdict.split_whitespace().next().map(|w| w.trim_end_matches([',', ';', ':'])) != Some(word) {
            wrong.push(format!("{what}: {case} expects {word}, the table says {verdict}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pin_that_is_not_there_is_found() {
    assert_eq!(missing("N01"), None);
    assert_eq!(missing("crates/io/case/tests/incidents.rs::a_pin_that_is_not_there_is_found"), None);
    assert_eq!(missing("N99").as_deref(), Some("no case N99"));
    assert_eq!(missing("nowhere.rs::x").as_deref(), Some("no file nowhere.rs"));
    // a function that is no test pins nothing
    let (here, test) = ("crates/io/case/tests/incidents.rs", "folder");
    assert_eq!(missing(&format!("{here}::{test}")), Some(format!("no test {test} in {here}")));
}
