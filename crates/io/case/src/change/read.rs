//! From a change file to a change: kinds, names of fields, ranges.

use super::{Action, Change, Failure, Parameters};
use bgp::Prefix;
use core::net::IpAddr;
use preflight::FlowRule;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// Depth of changes inside changes.
const DEPTH_MAX: u8 = 4;

/// The twelve actions with the parameters that each takes: all that are named must be there.
const ACTIONS: [(&str, &[&str]); 12] = [
    ("LOCAL_PREF_ADJUST", &["local_pref"]),
    ("MED_ADJUST", &["med"]),
    ("COMMUNITY_TAG", &["community"]),
    ("AS_PATH_PREPEND", &["count"]),
    ("NEXT_HOP_CHANGE", &["next_hop"]),
    ("PEER_ACTIVATE", &[]),
    ("PEER_DEACTIVATE", &[]),
    ("PREFIX_FILTER", &[]),
    ("ISP_FAILOVER", &["from", "to"]),
    ("FULL_REROUTE", &["steps"]),
    ("DEPEER", &[]),
    ("NO_ACTION", &[]),
];

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        change(Value::deserialize(deserializer)?, DEPTH_MAX).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionFile {
    action: String,
    #[serde(default)]
    router: String,
    neighbor: Option<IpAddr>,
    prefixes: Option<Vec<Prefix>>,
    #[serde(default)]
    parameters: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    router: String,
    config: Vec<String>,
    undo: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailFile {
    fail: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnnounceFile {
    announce: crate::beside::Generated,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowFile {
    router: String,
    flowspec: FlowRule,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FailureFile {
    Link(String),
    Router(String),
    Session(String, IpAddr),
}

fn change(value: Value, depth: u8) -> Result<Change, String> {
    let Some(deeper) = depth.checked_sub(1) else { return Err(format!("changes inside changes go {DEPTH_MAX} deep at most")) };
    let has = |field: &str| value.get(field).is_some();
    if let Value::Array(all) = value {
        if all.is_empty() {
            return Err("the list of changes is empty; an intended one that does nothing is {\"action\": \"NO_ACTION\"}".to_owned());
        }
        return Ok(Change::Several(all.into_iter().map(|c| change(c, deeper)).collect::<Result<_, _>>()?));
    }
    if has("action") {
        action(of(value)?, deeper).map(Change::Action)
    } else if has("config") {
        let ConfigFile { router, config, undo } = of(value)?;
        if config.iter().all(|line| line.trim().is_empty()) {
            return Err(format!("`config` for {router} has no lines"));
        }
        Ok(Change::Config { router, config, undo })
    } else if has("fail") {
        let FailFile { fail } = of(value)?;
        Ok(Change::Fail(failures(fail)?))
    } else if has("announce") {
        let AnnounceFile { announce } = of(value)?;
        Ok(Change::Announce(announce))
    } else if has("flowspec") {
        let FlowFile { router, flowspec } = of(value)?;
        match preflight::check::filter::illegal(&flowspec) {
            Some(why) => Err(why),
            None => Ok(Change::Flow { router, rule: flowspec }),
        }
    } else {
        Err("a change has `action`, `router` and `config`, `fail`, `announce`, or `router` and `flowspec`; several stand in a list"
            .to_owned())
    }
}

fn of<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

fn failures(value: Value) -> Result<Vec<Failure>, String> {
    let list = if let Value::Array(list) = value { list } else { vec![value] };
    if list.is_empty() {
        return Err("`fail` names nothing".to_owned());
    }
    let failure = |v| {
        of(v).map(|f| match f {
            FailureFile::Link(name) => Failure::Link(name),
            FailureFile::Router(name) => Failure::Router(name),
            FailureFile::Session(router, neighbor) => Failure::Session(router, neighbor),
        })
    };
    list.into_iter().map(failure).collect()
}

fn action(file: ActionFile, depth: u8) -> Result<Action, String> {
    let ActionFile { action: name, router, neighbor, prefixes, parameters } = file;
    let Some((_, takes)) = ACTIONS.iter().find(|(n, _)| *n == name) else {
        let known = ACTIONS.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
        return Err(format!("there is no action {name:?}; there are {known}"));
    };
    // a selection that came out empty must not become every prefix of the session
    if prefixes.as_ref().is_some_and(Vec::is_empty) {
        return Err(format!("{name}: `prefixes` is empty; name some, or leave it out for all"));
    }
    // a name that differs by a letter must not become a default
    if let Some(stray) = parameters.keys().find(|k| !takes.contains(&k.as_str())) {
        let wanted = if takes.is_empty() { "none".to_owned() } else { takes.join(", ") };
        return Err(format!("{name} takes no parameter {stray:?}; it takes {wanted}"));
    }
    let mut out = Parameters::default();
    for key in *takes {
        let Some(value) = parameters.get(*key).cloned() else {
            let what = if *key == "count" { "parameters.count, one or more".to_owned() } else { format!("parameters.{key}") };
            return Err(format!("{name} needs {what}"));
        };
        let wrong = |e: String| format!("{name}, parameters.{key}: {e}");
        match *key {
            "local_pref" => out.local_pref = Some(of(value).map_err(wrong)?),
            "med" => out.med = Some(of(value).map_err(wrong)?),
            "community" => out.community = Some(of(value).map_err(wrong)?),
            "next_hop" => out.next_hop = Some(of(value).map_err(wrong)?),
            "from" => out.from = Some(of(value).map_err(wrong)?),
            "to" => out.to = Some(of(value).map_err(wrong)?),
            "count" => {
                out.count = Some(of::<u8>(value).map_err(&wrong)?).filter(|c| *c > 0);
                out.count.ok_or_else(|| format!("{name} needs parameters.count, one or more"))?;
            }
            _ => {
                let list: Vec<Value> = of(value).map_err(wrong)?;
                if list.is_empty() {
                    return Err(format!("{name} needs parameters.steps, one or more"));
                }
                out.steps = list.into_iter().map(|c| change(c, depth)).collect::<Result<_, _>>()?;
            }
        }
    }
    Ok(Action { name, router, neighbor, prefixes: prefixes.unwrap_or_default(), parameters: out })
}
