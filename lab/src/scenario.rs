//! Faults as values: what happens, where, and how it is undone.
//!
//! | Name | What happens | What shows it |
//! |---|---|---|
//! | `degrade` | delay, jitter and loss are added to the links of a provider | probes; BGP shows nothing |
//! | `fill` | traffic is added until a link is full | interface counters, volumes, then probes |
//! | `cut` | the carrier of a link goes | the session drops within a second |
//! | `cut-silent` | every packet of a link vanishes, its carrier stays | probes at once; BGP after the hold time |
//! | `flap` | the provider resets the sessions of an exit, several times | peer events |

use crate::impair::Direction;
use crate::netns::{Driver, LabError, LabInstance};
use crate::topology::{Exit, Link, Topology};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Resets of one `flap`, at most.
pub const MAX_FLAPS: u32 = 20;
/// Traffic of one `fill`, Mbit/s: about what a user-space link carries.
pub const MAX_FILL_MBIT: u64 = 200;
/// Added delay of one `degrade`, milliseconds.
pub const MAX_ADDED_MS: u64 = 5_000;

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Every exit of a provider.
    Provider(String),
    /// One exit.
    Exit(String),
    /// One link (`r1-r4`), also inside our network.
    Link(String),
    /// One of our routers.
    Router(String),
}

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Light goes: both ends see it.
    Carrier,
    /// Packets vanish: neither end sees it.
    Silent,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A path gets worse than its baseline. Probes measure one way, outbound; degrade outbound or both to be seen.
    Degrade {
        /// Added to the one-way delay, microseconds.
        added_us: u64,
        /// Jitter, microseconds.
        jitter_us: u64,
        /// Loss, parts per million.
        loss_ppm: u32,
        /// Which way.
        direction: Direction,
    },
    /// Traffic is added.
    Fill {
        /// Rate, Mbit/s.
        mbit: u64,
    },
    /// A link is cut.
    Cut(Cut),
    /// A router loses its power; simulated labs only.
    Unplug,
    /// Sessions are reset by the provider; [`Scenario::apply`] returns after the last one.
    Flap {
        /// How often.
        times: u32,
        /// Seconds between.
        every_s: u32,
    },
}

/// A fault at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What.
    pub fault: Fault,
    /// Where.
    pub place: Place,
}

/// One kind of scenario, for lists and help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Name.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// Parameters it takes, each with its default.
    pub parameters: &'static str,
}

/// Every kind there is.
pub const DESCRIPTIONS: [Description; 6] = [
    Description {
        name: "degrade",
        what: "Adds delay, jitter and loss to a path; its sessions stay up.",
        parameters: "provider=isp-a (or exit=, link=), delay=60 (ms added), jitter=0 (ms), loss=0 (percent), direction=both (or out, in)",
    },
    Description { name: "fill", what: "Adds traffic to an exit until it is full.", parameters: "exit=r1-ispa, mbit=95" },
    Description { name: "cut", what: "Takes the carrier of a link away.", parameters: "exit=r1-ispa (or provider=, link=)" },
    Description {
        name: "cut-silent",
        what: "Lets every packet of a link vanish while its carrier stays.",
        parameters: "exit=r1-ispa (or provider=, link=)",
    },
    Description { name: "unplug", what: "Takes the power from a router; in a simulated lab only.", parameters: "router=r2" },
    Description {
        name: "flap",
        what: "Has the provider reset the sessions of an exit.",
        parameters: "exit=r1-ispa (or provider=), times=3, every=6 (s)",
    },
];

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no such kind.
    #[error("there is no scenario {name:?}; there are degrade, fill, cut, cut-silent, unplug and flap")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// A parameter is not one of this kind, or cannot be.
    #[error("scenario {scenario}: {parameter}: {message}")]
    Parameter {
        /// The scenario.
        scenario: String,
        /// The parameter.
        parameter: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The topology has no such place.
    #[error("the topology has no {kind} {name:?}; it has {known}")]
    Place {
        /// Provider, exit or link.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The lab did not do it.
    #[error("the scenario could not be carried out")]
    Lab {
        /// Why.
        #[source]
        source: LabError,
    },
}

impl From<LabError> for ScenarioError {
    fn from(source: LabError) -> Self {
        Self::Lab { source }
    }
}

/// Parameters as they were given; every read takes one out, and what is left at the end was not known.
struct Parameters<'p> {
    scenario: &'p str,
    left: BTreeMap<String, String>,
}

impl Parameters<'_> {
    fn wrong(&self, parameter: &str, message: impl Into<String>) -> ScenarioError {
        ScenarioError::Parameter { scenario: self.scenario.to_owned(), parameter: parameter.to_owned(), message: message.into() }
    }

    /// Takes a number between 0 and `max`, scaled by `scale` and rounded.
    fn number(&mut self, name: &str, default: f64, max: f64, scale: f64) -> Result<u64, ScenarioError> {
        let value = match self.left.remove(name) {
            None => default,
            Some(text) => text.parse::<f64>().map_err(|_| self.wrong(name, format!("{text:?} is not a number")))?,
        };
        match value {
            v if v.is_finite() && (0.0..=max).contains(&v) => Ok((v * scale).round() as u64),
            v => Err(self.wrong(name, format!("{v}; it must be 0 to {max}"))),
        }
    }

    fn direction(&mut self) -> Result<Direction, ScenarioError> {
        match self.left.remove("direction").as_deref() {
            None | Some("both") => Ok(Direction::Both),
            Some("out") => Ok(Direction::Ab),
            Some("in") => Ok(Direction::Ba),
            Some(other) => Err(self.wrong("direction", format!("{other:?}; it must be both, out or in"))),
        }
    }

    fn place(&mut self, default: Place) -> Result<Place, ScenarioError> {
        let given = [("provider", Place::Provider as fn(String) -> Place), ("exit", Place::Exit), ("link", Place::Link)];
        let mut found: Vec<Place> = given.into_iter().filter_map(|(key, make)| self.left.remove(key).map(make)).collect();
        match found.len() {
            0 => Ok(default),
            1 => Ok(found.remove(0)),
            _ => Err(self.wrong("exit", "name one of provider, exit and link")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(id) => write!(f, "provider {id}"),
            Self::Exit(id) => write!(f, "exit {id}"),
            Self::Link(id) => write!(f, "link {id}"),
            Self::Router(id) => write!(f, "router {id}"),
        }
    }
}

/// As a sentence's middle: `provider isp-a: +40.0 ms, 2.00 % loss`.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.fault {
            Fault::Degrade { added_us, loss_ppm, direction, .. } => {
                let way = match direction {
                    Direction::Both => "",
                    Direction::Ab => ", outbound only",
                    Direction::Ba => ", inbound only",
                };
                write!(f, "+{:.1} ms, {:.2} % loss{way}", *added_us as f64 / 1000.0, f64::from(*loss_ppm) / 1e4)
            }
            Fault::Fill { mbit } => write!(f, "{mbit} Mbit/s added"),
            Fault::Cut(Cut::Carrier) => f.write_str("cut, with loss of light"),
            Fault::Cut(Cut::Silent) => f.write_str("cut, silently"),
            Fault::Unplug => f.write_str("unplugged"),
            Fault::Flap { times, every_s } => write!(f, "sessions reset {times} times, {every_s} s apart"),
        }
    }
}

impl Scenario {
    /// Makes a scenario from its name and parameters, as a command line gives them; see [`DESCRIPTIONS`].
    ///
    /// # Errors
    /// When there is no such scenario or parameter.
    pub fn parse(name: &str, parameters: &BTreeMap<String, String>) -> Result<Self, ScenarioError> {
        let mut p = Parameters { scenario: name, left: parameters.clone() };
        let first_exit = || Place::Exit("r1-ispa".to_owned());
        let (fault, place) = match name {
            "degrade" => {
                let fault = Fault::Degrade {
                    added_us: p.number("delay", 60.0, MAX_ADDED_MS as f64, 1000.0)?,
                    jitter_us: p.number("jitter", 0.0, MAX_ADDED_MS as f64, 1000.0)?,
                    loss_ppm: p.number("loss", 0.0, 100.0, 10_000.0)? as u32,
                    direction: p.direction()?,
                };
                (fault, p.place(Place::Provider("isp-a".to_owned()))?)
            }
            "fill" => (Fault::Fill { mbit: p.number("mbit", 95.0, MAX_FILL_MBIT as f64, 1.0)? }, p.place(first_exit())?),
            "cut" => (Fault::Cut(Cut::Carrier), p.place(first_exit())?),
            "cut-silent" => (Fault::Cut(Cut::Silent), p.place(first_exit())?),
            "unplug" => (Fault::Unplug, Place::Router(p.left.remove("router").unwrap_or_else(|| "r2".to_owned()))),
            "flap" => {
                let times = p.number("times", 3.0, f64::from(MAX_FLAPS), 1.0)? as u32;
                let fault = Fault::Flap { times, every_s: p.number("every", 6.0, 600.0, 1.0)? as u32 };
                (fault, p.place(first_exit())?)
            }
            _ => return Err(ScenarioError::Unknown { name: name.to_owned() }),
        };
        match p.left.keys().next() {
            Some(unknown) => Err(p.wrong(unknown, "not a parameter of this scenario")),
            None => Ok(Self { fault, place }),
        }
    }

    /// Lets the fault happen.
    ///
    /// # Errors
    /// When the lab has no such place or does not do it.
    pub fn apply(&self, lab: &LabInstance) -> Result<(), ScenarioError> {
        match &self.fault {
            Fault::Degrade { added_us, jitter_us, loss_ppm, direction } => self.each_link(lab, |link| {
                let mut worse = lab.baseline(link)?;
                (worse.delay_us, worse.jitter_us, worse.loss_ppm) = (worse.delay_us + added_us, *jitter_us, *loss_ppm);
                lab.impair(link, *direction, worse)
            }),
            Fault::Cut(Cut::Carrier) => self.each_link(lab, |link| lab.carrier(link, false)),
            Fault::Cut(Cut::Silent) => self.each_link(lab, |link| {
                let dead = crate::impair::Impairment { blackhole: true, ..lab.baseline(link)? };
                lab.impair(link, Direction::Both, dead)
            }),
            Fault::Fill { mbit } => self.each_exit(lab, |exit| lab.fill(exit, mbit * 1_000_000)),
            Fault::Unplug => self.each_router(lab, |router| lab.power(router, false)),
            Fault::Flap { times, every_s } => {
                for i in 0..*times {
                    if i > 0 {
                        std::thread::sleep(Duration::from_secs(u64::from(*every_s)));
                    }
                    self.each_exit(lab, |exit| lab.reset_sessions(exit))?;
                }
                Ok(())
            }
        }
    }

    /// Undoes it: baseline on its links, carrier on, extra traffic ended.
    ///
    /// # Errors
    /// When the lab does not do it.
    pub fn restore(&self, lab: &LabInstance) -> Result<(), ScenarioError> {
        match &self.fault {
            Fault::Fill { .. } => self.each_exit(lab, |exit| lab.stop_filling(exit)),
            Fault::Flap { .. } => Ok(()),
            Fault::Unplug => self.each_router(lab, |router| lab.power(router, true)),
            Fault::Degrade { .. } | Fault::Cut(_) => self.each_link(lab, |link| mend(lab, link)),
        }
    }

    fn each_link(&self, lab: &LabInstance, f: impl Fn(&str) -> Result<(), LabError>) -> Result<(), ScenarioError> {
        for link in links(&lab.topology, &self.place)? {
            f(&link)?;
        }
        Ok(())
    }

    fn each_router(&self, lab: &LabInstance, f: impl Fn(&str) -> Result<(), LabError>) -> Result<(), ScenarioError> {
        let Place::Router(id) = &self.place else { return Ok(()) };
        let ours = || lab.topology.own_nodes().map(|n| n.id.clone());
        if !ours().any(|n| n == *id) {
            return Err(no_place("router", id, ours()));
        }
        Ok(f(id)?)
    }

    fn each_exit(&self, lab: &LabInstance, f: impl Fn(&Exit) -> Result<(), LabError>) -> Result<(), ScenarioError> {
        for exit in exits(&lab.topology, &self.place)? {
            f(exit)?;
        }
        Ok(())
    }
}

/// Undoes every fault in a lab, whoever made it.
///
/// # Errors
/// When the lab does not do it.
pub fn restore_all(lab: &LabInstance) -> Result<(), ScenarioError> {
    for link in lab.topology.links.iter().filter(|l| l.impaired()) {
        mend(lab, &link.id())?;
    }
    for exit in &lab.topology.exits {
        lab.stop_filling(exit)?;
    }
    if lab.driver == Driver::Sim {
        for node in lab.topology.own_nodes() {
            lab.power(&node.id, true)?;
        }
    }
    Ok(())
}

fn mend(lab: &LabInstance, link: &str) -> Result<(), LabError> {
    lab.impair(link, Direction::Both, lab.baseline(link)?)?;
    lab.carrier(link, true)
}

/// Returns the exits at a place.
fn exits<'t>(t: &'t Topology, place: &Place) -> Result<Vec<&'t Exit>, ScenarioError> {
    let found: Vec<&Exit> = match place {
        Place::Provider(id) => t.exits.iter().filter(|e| e.provider.as_str() == id).collect(),
        Place::Exit(id) | Place::Link(id) => t.exit(id).into_iter().collect(),
        Place::Router(id) => t.exits.iter().filter(|e| e.device.as_str() == id).collect(),
    };
    match (found.is_empty(), place) {
        (false, _) => Ok(found),
        (true, Place::Provider(id)) => Err(no_place("provider", id, t.providers.iter().map(|p| p.id.to_string()))),
        (true, Place::Exit(id) | Place::Link(id) | Place::Router(id)) => {
            Err(no_place("exit", id, t.exits.iter().map(|e| e.id.to_string())))
        }
    }
}

/// Returns the names of the links at a place.
fn links(t: &Topology, place: &Place) -> Result<Vec<String>, ScenarioError> {
    match place {
        Place::Link(id) => match t.link(id).filter(|l| l.impaired()) {
            Some(link) => Ok(vec![link.id()]),
            None => Err(no_place("link that can be impaired", id, t.links.iter().filter(|l| l.impaired()).map(Link::id))),
        },
        Place::Provider(_) | Place::Exit(_) | Place::Router(_) => {
            Ok(exits(t, place)?.into_iter().filter_map(|e| t.link_of(e)).map(Link::id).collect())
        }
    }
}

fn no_place(kind: &'static str, name: &str, known: impl Iterator<Item = String>) -> ScenarioError {
    ScenarioError::Place { kind, name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, parameters: &[(&str, &str)]) -> Result<Scenario, String> {
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Scenario::parse(name, &parameters).map_err(|e| e.to_string())
    }

    #[test]
    fn a_degraded_provider_means_all_its_exits_unless_one_is_named() {
        let t = Topology::seed().unwrap();
        let all = parse("degrade", &[("provider", "isp-b"), ("delay", "40"), ("loss", "2.5")]).unwrap();
        assert_eq!(all.fault, Fault::Degrade { added_us: 40_000, jitter_us: 0, loss_ppm: 25_000, direction: Direction::Both });
        assert_eq!(links(&t, &all.place).unwrap(), ["r1-ispb", "r2-ispb"]);
        let one = parse("degrade", &[("exit", "r2-ispb")]).unwrap();
        assert_eq!(links(&t, &one.place).unwrap(), ["r2-ispb"]);
    }

    #[test]
    fn refusals_name_the_scenario_the_parameter_and_what_there_is() {
        let t = Topology::seed().unwrap();
        assert_eq!(
            parse("melt", &[]).unwrap_err(),
            "there is no scenario \"melt\"; there are degrade, fill, cut, cut-silent, unplug and flap"
        );
        assert_eq!(parse("degrade", &[("dealy", "4")]).unwrap_err(), "scenario degrade: dealy: not a parameter of this scenario");
        assert_eq!(parse("degrade", &[("loss", "200")]).unwrap_err(), "scenario degrade: loss: 200; it must be 0 to 100");
        assert_eq!(parse("fill", &[("mbit", "much")]).unwrap_err(), "scenario fill: mbit: \"much\" is not a number");
        assert_eq!(parse("cut", &[("exit", "a"), ("link", "b")]).unwrap_err(), "scenario cut: exit: name one of provider, exit and link");
        let nowhere = parse("cut", &[("exit", "r9-ispa")]).unwrap();
        assert_eq!(
            links(&t, &nowhere.place).unwrap_err().to_string(),
            "the topology has no exit \"r9-ispa\"; it has r1-ispa, r1-ispb, r2-ispb, r2-ispc"
        );
    }

    #[test]
    fn what_happens_is_told_in_words() {
        let said = |name: &str, given: &[(&str, &str)]| parse(name, given).unwrap().to_string();
        assert_eq!(said("degrade", &[("delay", "40"), ("loss", "2")]), "provider isp-a: +40.0 ms, 2.00 % loss");
        assert_eq!(said("unplug", &[]), "router r2: unplugged");
        assert_eq!(said("cut", &[("link", "r1-r4")]), "link r1-r4: cut, with loss of light");
    }

    #[test]
    fn every_description_parses_with_its_defaults() {
        for d in DESCRIPTIONS {
            assert!(parse(d.name, &[]).is_ok(), "{}", d.name);
        }
    }
}
