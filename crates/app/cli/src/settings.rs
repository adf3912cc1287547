//! `pilotctl settings`: what is set, by whom, and setting it. An engine reads its settings when it starts, so they are set while none runs.

use crate::exit::{Context, Ended, Failure, Outcome};
use action::OperatorId;
use clap::Subcommand;
use runtime::{SETTINGS, Setting};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use store::{Store, StoredSetting};
use units::Timestamp;

/// Longest file of settings, bytes.
const FILE_MAX: u64 = 64 << 10;

/// Arguments of `settings`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: pilotctl settings show\n          pilotctl settings set telemetry.keep_raw_s 7d")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What holds: the value, who set it and when, or that it is the usual one.
    #[command(visible_aliases = ["list", "get"])]
    Show {
        /// Only this one.
        name: Option<String>,
    },
    /// Sets one; the next engine of this data folder starts with it.
    Set {
        /// Its name.
        name: String,
        /// A whole number within its bounds; `7d`, `90min`, `64MiB` where it counts time or room.
        value: String,
    },
    /// Lets the usual value hold again.
    Unset {
        /// Its name.
        name: String,
    },
    /// Prints what is set, as TOML.
    Export,
    /// Sets everything that a TOML file of `export` names, all or nothing.
    Import {
        /// The file.
        file: PathBuf,
    },
}

/// Runs `settings`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let folder = context.data_folder();
    match &arguments.verb {
        Verb::Show { name } => show(context, &folder, name.as_deref()),
        Verb::Set { name, value } => {
            let setting = named(name)?;
            change(&folder, &[(setting, Some(parsed(setting, value)?))])
        }
        Verb::Unset { name } => change(&folder, &[(named(name)?, None)]),
        Verb::Export => export(&folder),
        Verb::Import { file } => change(&folder, &from_file(file)?),
    }
}

fn named(name: &str) -> Result<&'static Setting, Failure> {
    Setting::named(name).ok_or_else(|| {
        let all = SETTINGS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
        Failure::new("PH-SET-001", format!("there is no setting {name:?}; there are: {all}"))
    })
}

fn parsed(setting: &Setting, value: &str) -> Result<u64, Failure> {
    setting.parse(value).map_err(|why| Failure::new("PH-SET-002", format!("{}: {why}", setting.name)))
}

fn stored(folder: &Path) -> Result<BTreeMap<String, StoredSetting>, Failure> {
    let all = store::read_settings(folder).map_err(|e| Failure::from_error("", &e))?;
    Ok(all.into_iter().map(|s| (s.name.clone(), s)).collect())
}

/// What holds of one setting: the value, where it is from, and why a stored one does not count.
fn holds(setting: &Setting, stored: Option<&StoredSetting>) -> (u64, Value, Option<String>) {
    match stored.map(|s| (setting.parse(&s.value), s)) {
        None => (setting.usual, json!("usual"), None),
        Some((Ok(value), s)) => (value, json!({"set_at": s.at.map(|t| t.to_string()), "set_by": s.by}), None),
        Some((Err(why), _)) => (setting.usual, json!("usual"), Some(why)),
    }
}

fn show(context: &Context, folder: &Path, name: Option<&str>) -> Ended {
    let wanted: Vec<&Setting> = match name {
        Some(name) => vec![named(name)?],
        None => SETTINGS.iter().collect(),
    };
    let stored = stored(folder)?;
    let mut rows = Vec::new();
    for setting in wanted {
        let found = stored.get(setting.name);
        let (value, origin, fault) = holds(setting, found);
        if context.json {
            let (least, most) = setting.bounds;
            rows.push(json!({
                "name": setting.name, "value": value, "usual": setting.usual, "min": least, "max": most, "origin": origin,
                "safety": setting.safety, "about": setting.about, "fault": fault,
            }));
            continue;
        }
        let from = match (found.filter(|_| fault.is_none()), &fault) {
            (Some(s), _) => {
                let by = s.by.as_deref().unwrap_or("somebody");
                let at = s.at.map_or_else(|| "before that was noted".to_owned(), |t| t.to_string());
                format!("set by {by}, {at}; usual {}", setting.words(setting.usual))
            }
            (None, Some(why)) => format!("usual; what is set does not count: {why}"),
            (None, None) => "usual".to_owned(),
        };
        println!("{:28} {:>10}  {from}\n{:28} {}", setting.name, setting.words(value), "", setting.about);
    }
    if context.json {
        crate::engine::print_json(&rows);
    }
    // of a version that knows more
    for other in stored.keys().filter(|n| name.is_none() && Setting::named(n).is_none()) {
        eprintln!("{other} is set, and this version does not know it");
    }
    Ok(Outcome::Done)
}

/// Writes changes, those that decide what may be done to the network into the audit chain first.
fn change(folder: &Path, changes: &[(&Setting, Option<u64>)]) -> Ended {
    let unusable = |e: store::StoreError| match e {
        e @ store::StoreError::Locked { .. } => {
            Failure::new("PH-SET-003", format!("{e}. Settings are read when an engine starts: stop it, set them, start it"))
        }
        e => Failure::from_error("", &e),
    };
    let store = Store::open(folder).map_err(unusable)?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let at = Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let by = runtime::operator_of_uid(runtime::own_uid());
    let mut chain = store.resume().map_err(unusable)?.audit;
    for (setting, value) in changes {
        let before = store.setting(setting.name).map_err(unusable)?;
        let text = value.map(|v| v.to_string());
        if before == text {
            println!("{} is that already", setting.name);
            continue;
        }
        if setting.safety {
            let body = json!({"event": "setting_changed", "setting": setting.name, "from": before, "to": text, "usual": setting.usual});
            let entry = audit::Entry {
                at,
                operator: Some(OperatorId::new(&by)),
                signature: None,
                mode: "STOPPED".to_owned(),
                kind: "setting_changed".to_owned(),
                body,
            };
            store.append_audit(&chain.append(entry)).map_err(unusable)?;
        }
        match text {
            Some(value) => {
                let stored = StoredSetting { name: setting.name.to_owned(), value, at: Some(at), by: Some(by.clone()) };
                store.set_setting(&stored).map_err(unusable)?;
            }
            None => drop(store.unset_setting(setting.name).map_err(unusable)?),
        }
        let now = value.unwrap_or(setting.usual);
        println!("{}: {}{}", setting.name, setting.words(now), if setting.safety { ", in the audit chain" } else { "" });
    }
    Ok(Outcome::Done)
}

fn export(folder: &Path) -> Ended {
    let set: BTreeMap<String, u64> =
        stored(folder)?.values().filter_map(|s| Some((s.name.clone(), Setting::named(&s.name)?.parse(&s.value).ok()?))).collect();
    println!("# settings of Pilothouse; what is not named here has its usual value");
    // names with dots are quoted keys: one table, no nesting
    set.iter().for_each(|(name, value)| println!("{name:?} = {value}"));
    Ok(Outcome::Done)
}

fn from_file(file: &Path) -> Result<Vec<(&'static Setting, Option<u64>)>, Failure> {
    let unreadable = |why: String| Failure::new("PH-SET-004", format!("{}: {why}", file.display()));
    let mut text = String::new();
    let mut read_all = |source: &mut dyn std::io::Read| source.take(FILE_MAX + 1).read_to_string(&mut text);
    let length = if file == Path::new("-") {
        read_all(&mut std::io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(|mut f| read_all(&mut f))
    };
    if length.map_err(|e| unreadable(e.to_string()))? as u64 > FILE_MAX {
        return Err(unreadable(format!("it is too long; at most {FILE_MAX} bytes are read")));
    }
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| unreadable(e.to_string()))?;
    let value = |(name, value): (&String, &toml::Value)| {
        let setting = named(name)?;
        let text = match value {
            toml::Value::Integer(n) => n.to_string(),
            toml::Value::String(text) => text.clone(),
            other => return Err(unreadable(format!("{name} is a {}, and a number is wanted", other.type_str()))),
        };
        Ok((setting, Some(parsed(setting, &text)?)))
    };
    table.iter().map(value).collect()
}
