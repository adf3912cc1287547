//! A network in a directory.
//!
//! `case.json` names routers, wires (a switch and the routers on it, in interface order, or as `router:interface`) and configuration files;
//! configurations stand under `configs/<router>/`, each router's in the language of its software, which is told by content; `profiles` names
//! another decision process than that software's (`{"r1": "ios"}`). [`Case::load`] reads it, [`Case::blueprint`] makes a network of it, [`answer`](mod@answer) prints what the routers
//! make of it, and [`frr`] reads tables that real routers showed.

pub mod amend;
pub mod answer;
pub mod beside;
pub mod change;
pub mod compare;
pub mod diff;
pub mod frr;
pub mod generate;
pub mod live;
pub mod order;
pub mod saved;
pub mod scale;
mod show;
pub mod space;
pub mod steps;
pub mod timing;

use config::{Condition, RouterConfig, WiderCondition};
use routing::{Blueprint, Failures, Links, Profile, Router};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of one configuration file read.
const CONFIG_BYTES_MAX: u64 = 64 << 20;
/// Cases that stand on each other.
pub(crate) const BASES_MAX: u8 = 4;
/// Routers of a case.
const ROUTERS_MAX: usize = 4096;

/// What can be wrong with a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `case.json` is not what it should be.
    #[error("{path}: {source}; a case names `routers`, `links` (switch: routers on it, in interface order) and `config_files`")]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A router has no configuration.
    #[error("{path}: no configuration of {router}; expected *.conf under configs/{router}/")]
    NoConfig {
        /// Where it was looked for.
        path: PathBuf,
        /// Router.
        router: String,
    },
    /// A link names a router that is not there.
    #[error("{path}: link {link} names {router}, which is not among `routers`")]
    NoRouter {
        /// The file.
        path: PathBuf,
        /// Link.
        link: String,
        /// Router.
        router: String,
    },
    /// A configuration in no language that is read, or in two.
    #[error("{path}: router {router}: {source}")]
    Vendor {
        /// Where the files stand.
        path: PathBuf,
        /// Router.
        router: String,
        /// File and what was tried.
        source: config::ReadError,
    },
    /// A decision profile that is not known, or of a router that is not there.
    #[error("{path}: profiles: {router}: {why}")]
    Profile {
        /// The file.
        path: PathBuf,
        /// Router.
        router: String,
        /// What is wrong.
        why: String,
    },
    /// More than is read.
    #[error("{path}: {what} is more than {limit}")]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
        /// Bound.
        limit: u64,
    },
}

/// One step of a case.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    /// `config`, `expect`, …
    pub kind: String,
    /// Router it is done at.
    #[serde(default)]
    pub router: String,
    /// Configuration lines.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Command whose output is expected.
    #[serde(default)]
    pub cmd: String,
    /// What it must hold.
    #[serde(default)]
    pub expected: serde_json::Value,
    /// Prefixes that must be in it.
    #[serde(default)]
    pub keys: Vec<String>,
    /// `true`: the expectation must not hold.
    #[serde(default)]
    pub want: serde_json::Value,
}

#[derive(Deserialize)]
struct Description {
    routers: Vec<String>,
    #[serde(default)]
    links: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    config_files: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    profiles: BTreeMap<String, String>,
}

/// A router's configuration as files.
#[derive(Clone, Debug)]
pub struct Text {
    /// Name and content, in the order they are read.
    pub files: Vec<(String, String)>,
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Routers in order, with their configurations.
    pub routers: Vec<(String, Text)>,
    /// Wires.
    pub links: BTreeMap<String, Vec<String>>,
    /// Steps.
    pub steps: Vec<Step>,
    /// Names of decision processes ([`Profile::NAMED`]) of routers that decide otherwise than the software their configuration is written for.
    pub profiles: BTreeMap<String, String>,
}

fn read(path: &Path) -> Result<String, CaseError> {
    let fail = |source| CaseError::Read { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(fail)?.len();
    if length > CONFIG_BYTES_MAX {
        return Err(CaseError::TooMuch { path: path.to_owned(), what: format!("{length} bytes"), limit: CONFIG_BYTES_MAX });
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads `case.json` over that of its base (`base`: another case's directory): fields of its own stand for the base's, those of `context` one by
/// one. Returns it with the directories to look for configurations in, its own first.
pub(crate) fn told(dir: &Path, bases: u8) -> Result<(serde_json::Value, Vec<PathBuf>), CaseError> {
    let path = dir.join("case.json");
    let told: serde_json::Value = serde_json::from_str(&read(&path)?).map_err(|source| CaseError::Json { path: path.clone(), source })?;
    let Some(base) = told.get("base").and_then(serde_json::Value::as_str).map(|b| dir.join(b)) else {
        return Ok((told, vec![dir.to_owned()]));
    };
    let Some(fewer) = bases.checked_sub(1) else {
        return Err(CaseError::TooMuch { path, what: "bases of bases".to_owned(), limit: u64::from(BASES_MAX) });
    };
    let (mut under, mut dirs) = self::told(&base, fewer)?;
    dirs.insert(0, dir.to_owned());
    if let (Some(under), serde_json::Value::Object(over)) = (under.as_object_mut(), told) {
        for (key, value) in over {
            match (key.as_str(), under.get_mut(&key).and_then(|v| v.as_object_mut()), value) {
                ("context", Some(there), serde_json::Value::Object(fields)) => there.extend(fields),
                (_, _, value) => drop(under.insert(key, value)),
            }
        }
    }
    Ok((under, dirs))
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// [`CaseError`], with the file.
    pub fn load(dir: &Path) -> Result<Self, CaseError> {
        let path = dir.join("case.json");
        let (told, dirs) = told(dir, BASES_MAX)?;
        let description: Description = serde_json::from_value(told).map_err(|source| CaseError::Json { path: path.clone(), source })?;
        if description.routers.len() > ROUTERS_MAX {
            let what = format!("{} routers", description.routers.len());
            return Err(CaseError::TooMuch { path, what, limit: ROUTERS_MAX as u64 });
        }
        for (link, ends) in &description.links {
            if let Some(router) = ends.iter().map(|e| end(e).0).find(|r| !description.routers.iter().any(|known| known == r)) {
                return Err(CaseError::NoRouter { path, link: link.clone(), router: router.to_owned() });
            }
        }
        for (router, name) in &description.profiles {
            let known = || Profile::NAMED.map(|(n, _)| n).join(", ");
            let why = match Profile::named(name) {
                _ if !description.routers.contains(router) => "is not among `routers`".to_owned(),
                None => format!("{name:?} is no profile; there are {}", known()),
                Some(_) => continue,
            };
            return Err(CaseError::Profile { path, router: router.clone(), why });
        }
        let mut routers = Vec::new();
        for name in &description.routers {
            let folders = dirs.iter().map(|d| d.join("configs").join(name));
            let folder = folders.clone().find(|f| f.is_dir()).unwrap_or_else(|| dir.join("configs").join(name));
            let files = match description.config_files.get(name).filter(|f| !f.is_empty()) {
                Some(named) => named.iter().map(|f| folder.join(f)).collect(),
                None => all_conf(&folder)?,
            };
            if files.is_empty() {
                return Err(CaseError::NoConfig { path: folder, router: name.clone() });
            }
            let named = |f: &Path| f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let files = files.iter().map(|f| Ok((named(f), read(f)?))).collect::<Result<_, _>>()?;
            let text = Text { files };
            config::read(&text.files).map_err(|source| CaseError::Vendor { path: folder, router: name.clone(), source })?;
            routers.push((name.clone(), text));
        }
        Ok(Self { routers, links: description.links, steps: description.steps, profiles: description.profiles })
    }

    /// Makes a network of it. The router's n-th link, in the order of the links' names, is its interface `<router>-eth<n-1>` unless the link
    /// names another.
    #[must_use]
    pub fn blueprint(&self) -> Blueprint {
        let position = |name: &str| self.routers.iter().position(|(r, _)| r == name);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut links = Links::new();
        for (link, ends) in &self.links {
            let ends = ends.iter().filter_map(|text| {
                let (router, named) = end(text);
                let n = counts.entry(router).or_default();
                let interface = named.map_or_else(|| format!("{router}-eth{n}"), str::to_owned);
                *n += 1;
                Some((position(router)?, interface))
            });
            links.insert(link.clone(), ends.collect());
        }
        let router = |(name, text): &(String, Text)| {
            let config = text.parse();
            let named = self.profiles.get(name).and_then(|p| Profile::named(p));
            let profile = named.unwrap_or_else(|| Profile::of(config.vendor));
            Router { name: name.clone(), config: Arc::new(config), profile }
        };
        Blueprint {
            routers: self.routers.iter().map(router).collect(),
            links: Some(Arc::new(links)),
            feeds: Vec::new(),
            failures: Failures::default(),
            starting: true,
            flaps: None,
            vrps: None,
            older: None,
        }
    }

    /// Lists what configurations ask for and the computation does not hold, what contradicts itself, and what was asked of origin validation
    /// while no VRPs are known: router, file, line, text, effect.
    #[must_use]
    pub fn unmodelled(&self, blueprint: &Blueprint) -> Vec<String> {
        let mut out = Vec::new();
        for ((name, text), router) in self.routers.iter().zip(&blueprint.routers) {
            for missing in router.config.unmodelled.iter().chain(&router.config.problems) {
                let (file, line) = text.place(missing.line);
                out.push(if text.files.len() == 1 {
                    format!("{name}: line {line}: {}: {}", missing.text, missing.effect())
                } else {
                    format!("{name}: {file} line {line}: {}: {}", missing.text, missing.effect())
                });
            }
            if blueprint.vrps.is_none() {
                out.extend(
                    asked_of_validation(&router.config.policy)
                        .map(|asked| format!("{name}: {asked}: no VRPs are known; what it decides is not known")),
                );
            }
        }
        out
    }
}

/// Conditions that ask what origin validation says: policy, term, line.
fn asked_of_validation(policy: &config::RoutingPolicy) -> impl Iterator<Item = String> {
    let terms = policy.definitions.iter().flat_map(|(name, d)| d.statements.iter().map(move |s| (name, s)));
    terms.flat_map(|(name, s)| {
        s.conditions.iter().filter_map(move |c| match c {
            Condition::Wider { what: WiderCondition::Rpki(_), line } => Some(format!("{name} {}: {line}", s.sequence)),
            _ => None,
        })
    })
}

/// An end of a link: router, and interface where it is named.
fn end(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(router, interface)| (router, Some(interface)))
}

fn all_conf(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let entries = std::fs::read_dir(folder).map_err(|source| CaseError::Read { path: folder.to_owned(), source })?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.extension().is_some_and(|e| e == "conf")).collect();
    // interfaces first, as the daemons start
    files.sort_by_key(|p| (p.file_name().is_none_or(|n| n != "zebra.conf"), p.clone()));
    Ok(files)
}

impl Text {
    /// One text of all files; each begins outside any block.
    pub(crate) fn joined(&self) -> String {
        let mut out = String::new();
        for (_, content) in &self.files {
            out.push_str(content);
            if !content.ends_with('\n') {
                out.push('\n');
            }
            out.push_str("end\n");
        }
        out
    }

    /// One text without what only our reader needs.
    pub(crate) fn joined_for_frr(&self) -> String {
        self.files.iter().map(|(_, content)| content.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Reads the configuration.
    #[must_use]
    pub fn parse(&self) -> RouterConfig {
        // what no reader takes was refused when the case was loaded; lines that were made here are FRR's
        config::read(&self.files).unwrap_or_else(|_| config::frr::parse(&self.joined()))
    }

    /// Returns the file and the line in it that a line of the joined text is.
    fn place(&self, line: u32) -> (&str, u32) {
        let mut before = 0;
        for (name, content) in &self.files {
            let lines = content.lines().count() as u32 + 1;
            if line <= before + lines {
                return (name, line - before);
            }
            before += lines;
        }
        ("", line)
    }
}
