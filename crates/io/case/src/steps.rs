//! The steps of a case: lines typed in order, and what routers were expected to show in between.

use crate::show::View;
use crate::{Case, Step, Text, amend};
use routing::Blueprint;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What FRR shows and no configuration tells: host names, counters of the program, how the kernel was told.
const NOT_OURS: [&str; 13] = [
    "hostname",
    "flags",
    "internalFlags",
    "internalStatus",
    "table",
    "uptime",
    "inq",
    "outq",
    "version",
    "routerId",
    "interfaceName",
    "fib",
    "lastUpdate",
];

/// How an expectation fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// Our tables show it.
    Met,
    /// They show something else: where and what.
    NotMet(String),
    /// It is about something that is not computed.
    NotKnown(String),
}

/// An expectation of a case, judged by our tables.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Number of the step, from 0.
    pub step: usize,
    /// Router that is asked.
    pub router: String,
    /// Command.
    pub command: String,
    /// How it fares.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Case {
    /// Returns the case after its first `steps` steps: lines typed into the routers' configurations, each router in one text.
    #[must_use]
    pub fn after(&self, steps: usize) -> Self {
        let mut out = self.clone();
        for step in self.steps.iter().take(steps).filter(|s| s.kind == "config") {
            out.type_in(step);
        }
        out
    }

    fn type_in(&mut self, step: &Step) {
        // commands that configure nothing: sessions start anew by themselves where a setting needs it
        if step.lines.first().is_some_and(|l| l.starts_with("clear ")) {
            return;
        }
        let typed: Vec<String> =
            step.lines.iter().map(|l| if l == "conf t" { "configure terminal".to_owned() } else { l.clone() }).collect();
        if let Some((_, text)) = self.routers.iter_mut().find(|(name, _)| *name == step.router) {
            let content = amend::amended(&text.joined(), &typed);
            *text = Text { files: vec![("frr.conf".to_owned(), content)] };
        }
    }
}

/// Judges every expectation of a case, with the lines typed that stand before it.
#[must_use]
pub fn judge(case: &Case) -> Vec<Judged> {
    let mut out = Vec::new();
    let mut at = case.clone();
    let mut begin = 0;
    while begin < case.steps.len() {
        if case.steps[begin].kind == "config" {
            at.type_in(&case.steps[begin]);
            begin += 1;
            continue;
        }
        let asked = case.steps[begin..].iter().take_while(|s| s.kind != "config").count();
        judge_some(&at, &case.steps[begin..begin + asked], begin, &mut out);
        begin += asked;
    }
    out
}

fn judge_some(at: &Case, steps: &[Step], first: usize, out: &mut Vec<Judged>) {
    let blueprint = at.blueprint();
    let view = View::new(&blueprint);
    // what is in force only in the first seconds is over at some time
    let started = Blueprint { starting: false, ..blueprint.clone() };
    let started = View::new(&started);
    for (n, step) in steps.iter().enumerate() {
        let mut verdict = verdict(&view, step);
        if matches!(verdict, Verdict::NotMet(_)) && self::verdict(&started, step) == Verdict::Met {
            verdict = Verdict::Met;
        }
        out.push(Judged { step: first + n, router: step.router.clone(), command: step.cmd.clone(), verdict });
    }
}

fn verdict(view: &View<'_>, step: &Step) -> Verdict {
    let got = match view.ask(&step.router, &step.cmd) {
        Ok(got) => got,
        Err(why) => return Verdict::NotKnown(why),
    };
    if step.kind == "expect_route_keys" {
        let have: Vec<&String> = got["routes"].as_object().into_iter().flat_map(|o| o.keys()).collect();
        let (mut have, mut wanted): (Vec<&String>, Vec<&String>) = (have, step.keys.iter().collect());
        have.sort_unstable();
        wanted.sort_unstable();
        return if have == wanted { Verdict::Met } else { Verdict::NotMet(format!("prefixes {have:?}, expected {wanted:?}")) };
    }
    let found = differs(&step.expected, &got, "");
    // some tests want the expectation not to hold
    match (found, step.want == Value::Bool(true)) {
        (None, false) | (Some(_), true) => Verdict::Met,
        (Some(why), false) => Verdict::NotMet(why),
        (None, true) => Verdict::NotMet("holds, and should not".to_owned()),
    }
}

/// Says where `got` does not hold what is expected: members must be there, `null` must not; elements of a list in any order.
pub(crate) fn differs(expected: &Value, got: &Value, place: &str) -> Option<String> {
    match (expected, got) {
        (Value::Object(wanted), Value::Object(have)) => wanted.iter().find_map(|(key, value)| {
            if NOT_OURS.contains(&key.as_str()) {
                return None;
            }
            let place = format!("{place}/{key}");
            match (value, have.get(key)) {
                (Value::Null, None | Some(Value::Null)) => None,
                (Value::Null, Some(there)) => Some(format!("{place} is there: {}", short(there))),
                (_, None) => Some(format!("{place} is not there")),
                (value, Some(there)) => differs(value, there, &place),
            }
        }),
        (Value::Array(wanted), Value::Array(have)) => {
            let lists: BTreeMap<usize, Option<String>> = wanted
                .iter()
                .enumerate()
                .map(|(n, w)| {
                    (
                        n,
                        have.iter()
                            .map(|h| differs(w, h, &format!("{place}/{n}")))
                            .min_by_key(Option::is_some)
                            .unwrap_or_else(|| Some(format!("{place}/{n} is not there"))),
                    )
                })
                .collect();
            lists.into_values().flatten().next()
        }
        (wanted, have) if wanted == have => None,
        (wanted, have) => Some(format!("{place} is {}, expected {}", short(have), short(wanted))),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(120).collect()
}
