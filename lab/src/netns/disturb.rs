//! What a lab can be made to suffer, one verb each; `scenario` composes them.

use super::boot::launch;
use super::command::run;
use super::config::{FAMILIES, bird_protocol};
use super::process::{Process, end};
use super::wiring::baseline;
use super::{Driver, LabError, LabInstance, make_dir, write_file};
use crate::impair::{Direction, Impairment};
use crate::sim::Request;
use crate::topology::{Daemon, Exit, Link};
use crate::traffic;
use bgp::Family;
use std::net::IpAddr;
use std::path::PathBuf;

impl LabInstance {
    /// Replaces what one or both directions of a link do.
    ///
    /// # Errors
    /// When there is no such link or the impairment process does not answer.
    pub fn impair(&self, link: &str, direction: Direction, impairment: Impairment) -> Result<(), LabError> {
        self.known_link(link)?;
        if self.driver == Driver::Sim {
            return self.ask_sim(&Request::Impair { link: link.to_owned(), direction, impairment }).map(drop);
        }
        self.impairments().set(link, direction, impairment).map_err(|source| LabError::Impair { link: link.to_owned(), source })
    }

    /// Returns what a link does when nothing is wrong.
    ///
    /// # Errors
    /// When there is no such link or it cannot be impaired.
    pub fn baseline(&self, link: &str) -> Result<Impairment, LabError> {
        self.known_link(link).map(baseline)
    }

    /// Switches the carrier of both ends of a link.
    ///
    /// # Errors
    /// When there is no such link or the kernel refuses.
    pub fn carrier(&self, link: &str, on: bool) -> Result<(), LabError> {
        let link = self.known_link(link)?;
        if self.driver == Driver::Sim {
            return self.ask_sim(&Request::Carrier { link: link.id(), on }).map(drop);
        }
        let state = if on { "on" } else { "off" };
        for (node, interface) in [(&link.a, &link.b), (&link.b, &link.a)] {
            run("ip", ["-n", &self.namespace(node), "link", "set", interface, "carrier", state])?;
        }
        Ok(())
    }

    /// Takes the power of one of our routers, or gives it back: its links lose their carriers and nothing in it answers.
    ///
    /// # Errors
    /// When there is no such router, or the lab is not a simulated one.
    pub fn power(&self, router: &str, on: bool) -> Result<(), LabError> {
        if self.driver != Driver::Sim {
            return Err(LabError::SimOnly { what: "unplug" });
        }
        self.ask_sim(&Request::Power { router: router.to_owned(), on }).map(drop)
    }

    /// Has the provider reset both sessions of an exit once, as an administrator does.
    ///
    /// # Errors
    /// When the provider's daemon refuses.
    pub fn reset_sessions(&self, exit: &Exit) -> Result<(), LabError> {
        if self.driver == Driver::Sim {
            return self.ask_sim(&Request::Reset { exit: exit.id.to_string() }).map(drop);
        }
        let t = &self.topology;
        let provider = t.provider(&exit.provider).and_then(|p| t.node(&p.node)).ok_or(LabError::Interrupted)?;
        let port = t.port_of(exit).ok_or(LabError::Interrupted)?;
        for family in FAMILIES {
            let ours = port.addresses(family).0.to_string();
            let namespace = self.namespace(&provider.id);
            match provider.daemon {
                Daemon::Frr => self.vtysh(&provider.id, &[&format!("clear bgp {ours}")])?,
                Daemon::Bird => {
                    let control = self.node_dir(&provider.id).join("bird.ctl").display().to_string();
                    run("birdc", ["-s", &control, "restart", &bird_protocol(&exit.device, family)])?
                }
                Daemon::Gobgp => run("ip", ["netns", "exec", &namespace, "gobgp", "neighbor", &ours, "reset"])?,
            };
        }
        Ok(())
    }

    /// Sends extra traffic that leaves by an exit for as long as routing says so: toward the groups its provider is preferred for.
    /// It replaces the traffic of an earlier call for the same exit.
    ///
    /// # Errors
    /// When the exit has no such group or the sender cannot be started.
    pub fn fill(&self, exit: &Exit, rate_bps: u64) -> Result<(), LabError> {
        if self.driver == Driver::Sim {
            return self.ask_sim(&Request::Fill { exit: exit.id.to_string(), rate_bps }).map(drop);
        }
        self.stop_helper(&fill_name(exit))?;
        let groups = self.topology.groups.iter().filter(|g| g.preferred == exit.provider);
        let prefixes: Vec<_> = groups.flat_map(|g| g.prefixes.iter()).filter(|p| p.family() == Family::Ipv4Unicast).collect();
        let (node, from) = self.nearest_spine(exit)?;
        let config = traffic::Config::Source { from: vec![from], flows: traffic::share(&prefixes, rate_bps), seconds: None };
        self.start_helper(&fill_name(exit), &node, &config)
    }

    /// Ends the extra traffic of an exit.
    ///
    /// # Errors
    /// When the note about it cannot be removed.
    pub fn stop_filling(&self, exit: &Exit) -> Result<(), LabError> {
        if self.driver == Driver::Sim {
            return self.ask_sim(&Request::Fill { exit: exit.id.to_string(), rate_bps: 0 }).map(drop);
        }
        self.stop_helper(&fill_name(exit))
    }

    /// Returns the spine beside an exit's router, with its IPv4 address there.
    fn nearest_spine(&self, exit: &Exit) -> Result<(String, IpAddr), LabError> {
        let spines = self.topology.ours(network::DeviceRole::Spine);
        let beside =
            |id: &str| self.topology.ports(id).iter().filter(|p| p.peer == exit.device).find_map(|p| p.igp_cost).unwrap_or(u16::MAX);
        let spine = spines.min_by_key(|n| beside(&n.id)).ok_or(LabError::Interrupted)?;
        let address = spine.subnets.iter().map(|s| s.address).find(IpAddr::is_ipv4).ok_or(LabError::Interrupted)?;
        Ok((spine.id.clone(), address))
    }

    /// Returns the processes that faults have started and that are not of the lab itself.
    pub(super) fn helpers(&self) -> Vec<(PathBuf, Process)> {
        let entries = std::fs::read_dir(self.helper_dir()).into_iter().flatten();
        let read = |path: PathBuf| Some((path.clone(), serde_json::from_slice(&std::fs::read(path).ok()?).ok()?));
        entries.filter_map(|e| read(e.ok()?.path())).collect()
    }

    fn helper_dir(&self) -> PathBuf {
        self.run_dir.join("helpers")
    }

    fn start_helper(&self, name: &str, node: &str, config: &traffic::Config) -> Result<(), LabError> {
        let dir = self.helper_dir();
        make_dir(&dir)?;
        let process = launch(self, name, Some(node), config)?;
        let path = dir.join(format!("{name}.json"));
        let bytes = serde_json::to_vec(&process).map_err(|source| LabError::Format { path: path.clone(), source })?;
        write_file(&path, &bytes, 0o644)
    }

    fn stop_helper(&self, name: &str) -> Result<(), LabError> {
        for (path, process) in self.helpers().into_iter().filter(|(_, p)| p.name == name) {
            end(&[process]);
            std::fs::remove_file(&path).map_err(|source| LabError::File { doing: "remove", path, source })?;
        }
        Ok(())
    }

    /// Returns a link that can be impaired.
    fn known_link(&self, name: &str) -> Result<&Link, LabError> {
        let links = || self.topology.links.iter().filter(|l| l.impaired());
        links().find(|l| l.id() == name).ok_or_else(|| LabError::Unknown {
            kind: "link",
            name: name.to_owned(),
            known: links().map(Link::id).collect::<Vec<_>>().join(", "),
        })
    }
}

fn fill_name(exit: &Exit) -> String {
    format!("traffic-fill-{}", exit.id)
}
