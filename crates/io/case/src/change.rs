//! Changes to a case: actions, configuration lines, failures; what they move, and whether they may be made.

mod action;
mod effect;
mod read;
mod undo;

pub use effect::{Effect, Inverse};

use crate::beside::{Beside, Generated};
use crate::{Case, Text, amend};
use bgp::{Community, Prefix};
use core::net::IpAddr;
use preflight::{FlowRule, Intent};
use routing::Failures;
use std::collections::BTreeSet;

/// A change, as its file says it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// One of the twelve actions.
    Action(Action),
    /// Configuration lines of a router.
    Config {
        /// Router.
        router: String,
        /// Lines as they would be typed.
        config: Vec<String>,
        /// Lines that take them back, where the file says them; otherwise they are worked out.
        undo: Option<Vec<String>>,
    },
    /// Something fails; several things fail at once.
    Fail(Vec<Failure>),
    /// A FlowSpec rule is announced. What it does to packets is checked, not simulated.
    Flow {
        /// Router.
        router: String,
        /// Rule.
        rule: FlowRule,
    },
    /// A router, most often a neighbour's, announces more prefixes.
    Announce(Generated),
    /// Several, in order.
    Several(Vec<Change>),
}

/// A case after a change, and what the configurations do not say of it.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The case.
    pub case: Case,
    /// What has failed.
    pub failures: Failures,
    /// What is announced besides.
    pub announced: Vec<Generated>,
}

/// One of the twelve actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Router.
    pub router: String,
    /// Neighbour of the session.
    pub neighbor: Option<IpAddr>,
    /// Prefixes; none: all of the session, where the action allows it.
    pub prefixes: Vec<Prefix>,
    /// Values.
    pub parameters: Parameters,
}

/// Values of an action; each action takes its own and no other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// LOCAL_PREF_ADJUST.
    pub local_pref: Option<u32>,
    /// MED_ADJUST.
    pub med: Option<u32>,
    /// AS_PATH_PREPEND: how often.
    pub count: Option<u8>,
    /// COMMUNITY_TAG.
    pub community: Option<Community>,
    /// NEXT_HOP_CHANGE.
    pub next_hop: Option<IpAddr>,
    /// ISP_FAILOVER: the provider that is drained, by name or AS.
    pub from: Option<String>,
    /// ISP_FAILOVER: the provider that takes over.
    pub to: Option<String>,
    /// FULL_REROUTE.
    pub steps: Vec<Change>,
}

/// What fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A link, by name.
    Link(String),
    /// A router.
    Router(String),
    /// A session: router and address of the neighbour.
    Session(String, IpAddr),
}

/// Why a change cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The file is not a change.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It names something that is not there.
    #[error("there is no {what} {name:?} here; there are {known}")]
    Unknown {
        /// Kind.
        what: &'static str,
        /// Name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value is missing or out of range.
    #[error("{action} needs {needs}")]
    Needs {
        /// Action.
        action: String,
        /// What.
        needs: String,
    },
    /// The action may not be made like that.
    #[error("{action} is refused: {why}")]
    Refused {
        /// Action.
        action: String,
        /// Why.
        why: String,
    },
}

impl Changed {
    fn apply(&mut self, change: &Change, beside: &Beside) -> Result<(), ChangeError> {
        match change {
            Change::Several(all) => all.iter().try_for_each(|c| self.apply(c, beside)),
            Change::Config { router, config, .. } => self.case.types(router, config),
            Change::Flow { router, .. } => self.case.position(router).map(|_| ()),
            Change::Fail(all) => all.iter().try_for_each(|f| self.case.fail(f, &mut self.failures)),
            Change::Announce(generated) => {
                self.case.position(&generated.router)?;
                self.announced.push(generated.clone());
                Ok(())
            }
            Change::Action(action) => {
                for (router, lines) in self.case.lines(action, beside)? {
                    self.case.types(&router, &lines)?;
                }
                Ok(())
            }
        }
    }

    /// Makes a network of it.
    #[must_use]
    pub fn blueprint(&self, beside: &Beside) -> routing::Blueprint {
        let mut out = self.case.blueprint_with(beside);
        Beside::announce(&self.announced, &mut out);
        out.failures.clone_from(&self.failures);
        out
    }
}

impl Case {
    pub(crate) fn position(&self, router: &str) -> Result<usize, ChangeError> {
        self.routers.iter().position(|(n, _)| n == router).ok_or_else(|| ChangeError::Unknown {
            what: "router",
            name: router.to_owned(),
            known: self.routers.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns the case after a change, with what is told beside the network: names of providers, own prefixes.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn changed(&self, change: &Change, beside: &Beside) -> Result<Changed, ChangeError> {
        let mut out = Changed { case: self.clone(), failures: Failures::default(), announced: Vec::new() };
        out.apply(change, beside)?;
        Ok(out)
    }

    fn fail(&self, failure: &Failure, failures: &mut Failures) -> Result<(), ChangeError> {
        match failure {
            Failure::Link(link) => {
                if !self.links.contains_key(link) {
                    let known = self.links.keys().cloned().collect::<Vec<_>>().join(", ");
                    return Err(ChangeError::Unknown { what: "link", name: link.clone(), known });
                }
                failures.links.insert(link.clone());
            }
            Failure::Router(router) => drop(failures.routers.insert(self.position(router)?)),
            Failure::Session(router, neighbor) => {
                let at = self.position(router)?;
                self.session(at, *neighbor)?;
                failures.sessions.insert((at, *neighbor));
            }
        }
        Ok(())
    }

    pub(crate) fn types(&mut self, router: &str, lines: &[String]) -> Result<(), ChangeError> {
        let at = self.position(router)?;
        let text = amend::amended(&self.routers[at].1.joined(), lines);
        self.routers[at].1 = Text { files: vec![("frr.conf".to_owned(), text)] };
        Ok(())
    }

    /// Returns the instance and the neighbour of a session.
    pub(crate) fn session(&self, router: usize, neighbor: IpAddr) -> Result<(config::BgpConfig, config::Neighbor), ChangeError> {
        let name = &self.routers[router].0;
        let bgp = self.routers[router].1.parse().bgp.ok_or_else(|| ChangeError::Unknown {
            what: "BGP at router",
            name: name.clone(),
            known: "no instance of it".to_owned(),
        })?;
        let Some(session) = bgp.neighbors.get(&neighbor).cloned() else {
            let known = bgp.neighbors.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(ChangeError::Unknown { what: "neighbor", name: neighbor.to_string(), known });
        };
        Ok((bgp, session))
    }

    /// Says what a change is, as far as checks ask.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn intent(&self, change: &Change, beside: &Beside) -> Result<Intent, ChangeError> {
        let mut out = Intent::default();
        self.collect(change, beside, &mut out)?;
        let routers: BTreeSet<String> = out.routers.drain(..).collect();
        out.routers.extend(routers);
        Ok(out)
    }

    fn collect(&self, change: &Change, beside: &Beside, out: &mut Intent) -> Result<(), ChangeError> {
        match change {
            Change::Several(all) => return all.iter().try_for_each(|c| self.collect(c, beside, out)),
            Change::Config { router, .. } => out.routers.push(router.clone()),
            Change::Fail(_) | Change::Announce(_) => out.failure = true,
            Change::Flow { router, rule } => {
                out.routers.push(router.clone());
                out.flow_rules.push(rule.clone());
                out.not_computed.push(format!("{router}: what a FlowSpec rule does to packets is checked, not simulated"));
            }
            Change::Action(action) => {
                out.actions.push(action.name.clone());
                if action.name == "FULL_REROUTE" {
                    return action.parameters.steps.iter().try_for_each(|c| self.collect(c, beside, out));
                }
                out.prefixes.extend(action.prefixes.iter().copied());
                for (router, neighbor) in self.sessions_of(action, beside)? {
                    out.communities.extend(action.parameters.community.map(|c| (router.clone(), neighbor, c)));
                    out.routers.push(router.clone());
                    out.sessions.push((router, neighbor));
                }
            }
        }
        Ok(())
    }
}
