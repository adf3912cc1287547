//! The twelve actions in FRR's lines: a policy of our own around the session's, so that nothing of it changes.

use super::{Action, Change, ChangeError};
use crate::Case;
use crate::beside::Beside;
use bgp::{Asn, Family, Prefix};
use config::{BgpConfig, Neighbor, NeighborFamily};
use core::net::IpAddr;
use std::collections::BTreeSet;

/// Lines for routers, in order.
pub(crate) type RouterLines = Vec<(String, Vec<String>)>;

/// Sessions: router and neighbour.
pub(crate) type Sessions = Vec<(String, IpAddr)>;

/// GRACEFUL_SHUTDOWN (RFC 8326), as FRR writes it.
const DRAIN: &str = "set community 65535:0 additive";

impl Case {
    /// Returns the sessions that an action touches: the one that it names, or all of the provider that it drains.
    pub(crate) fn sessions_of(&self, action: &Action, beside: &Beside) -> Result<Sessions, ChangeError> {
        if action.name == "NO_ACTION" {
            return Ok(Vec::new());
        }
        if action.name == "ISP_FAILOVER" {
            let from = action.parameters.from.as_deref().unwrap_or_default();
            return Ok(self.of_provider(action, from, beside)?.0);
        }
        let neighbor = action.neighbor.ok_or_else(|| action.needs("a neighbor"))?;
        self.session(self.position(&action.router)?, neighbor)?;
        Ok(vec![(action.router.clone(), neighbor)])
    }

    /// Returns the sessions of our routers with a provider, under all its ASes.
    fn of_provider(&self, action: &Action, name: &str, beside: &Beside) -> Result<(Sessions, BTreeSet<Asn>), ChangeError> {
        let named = beside.context.providers.get(name).cloned();
        let number = name.trim_start_matches("AS").parse::<u32>().ok().map(|n| BTreeSet::from([Asn(n)]));
        let known = || beside.context.providers.keys().cloned().collect::<Vec<_>>().join(", ");
        let asns = named.or(number).ok_or_else(|| ChangeError::Unknown { what: "provider", name: name.to_owned(), known: known() })?;
        let blueprint = self.blueprint();
        let own = beside.facts(&blueprint, &BTreeSet::new()).own_as;
        let mut out = Vec::new();
        for router in &blueprint.routers {
            let Some(bgp) = router.config.bgp.as_ref().filter(|b| own.contains(&b.asn)) else { continue };
            let sessions = bgp.neighbors.iter().filter(|(_, n)| asns.contains(&n.remote_as) && !own.contains(&n.remote_as));
            out.extend(sessions.map(|(address, _)| (router.name.clone(), *address)));
        }
        if out.is_empty() {
            return Err(action.refused(format!("no router of ours has a session with {name}")));
        }
        Ok((out, asns))
    }

    /// Says an action in lines.
    pub(crate) fn lines(&self, action: &Action, beside: &Beside) -> Result<RouterLines, ChangeError> {
        match action.name.as_str() {
            "NO_ACTION" => Ok(Vec::new()),
            "FULL_REROUTE" => self.several(&action.parameters.steps, beside),
            "ISP_FAILOVER" => self.failover(action, beside),
            _ => {
                let at = self.position(&action.router)?;
                let neighbor = action.neighbor.ok_or_else(|| action.needs("a neighbor"))?;
                let (bgp, session) = self.session(at, neighbor)?;
                let lines = self.of_session(action, at, neighbor, &bgp, &session, beside)?;
                Ok(vec![(action.router.clone(), lines)])
            }
        }
    }

    /// The lines of steps, each over what those before it left.
    fn several(&self, steps: &[Change], beside: &Beside) -> Result<RouterLines, ChangeError> {
        let (mut case, mut out) = (self.clone(), RouterLines::new());
        for step in steps {
            let lines = match step {
                Change::Action(action) => case.lines(action, beside)?,
                Change::Config { router, config, .. } => vec![(router.clone(), config.clone())],
                Change::Several(all) => case.several(all, beside)?,
                Change::Fail(_) | Change::Announce(_) | Change::Flow { .. } => {
                    let action = Action { name: "FULL_REROUTE".to_owned(), ..Action::default() };
                    return Err(action.refused("its steps are actions or configuration lines".to_owned()));
                }
            };
            for (router, lines) in lines {
                case.types(&router, &lines)?;
                out.push((router, lines));
            }
        }
        Ok(out)
    }

    fn failover(&self, action: &Action, beside: &Beside) -> Result<RouterLines, ChangeError> {
        let (from, to) = (action.parameters.from.as_deref().unwrap_or_default(), action.parameters.to.as_deref().unwrap_or_default());
        let (drained, asns) = self.of_provider(action, from, beside)?;
        let (_, target) = self.of_provider(action, to, beside)?;
        if !asns.is_disjoint(&target) {
            return Err(action.refused(format!("{from} and {to} are one provider")));
        }
        let mut out = RouterLines::new();
        for (router, neighbor) in drained {
            let at = self.position(&router)?;
            let (bgp, session) = self.session(at, neighbor)?;
            out.push((router, self.drain(action, at, neighbor, &bgp, &session)?));
        }
        Ok(out)
    }

    /// Both directions of a drain (RFC 8326): lowest preference in, GRACEFUL_SHUTDOWN out.
    fn drain(&self, action: &Action, at: usize, neighbor: IpAddr, bgp: &BgpConfig, session: &Neighbor) -> Result<Vec<String>, ChangeError> {
        let mut lines = self.wrapped(action, at, neighbor, bgp, session, "in", Some("set local-preference 0"), &[])?;
        lines.extend(self.wrapped(action, at, neighbor, bgp, session, "out", Some(DRAIN), &[])?);
        Ok(lines)
    }

    fn of_session(
        &self,
        action: &Action,
        at: usize,
        neighbor: IpAddr,
        bgp: &BgpConfig,
        session: &Neighbor,
        beside: &Beside,
    ) -> Result<Vec<String>, ChangeError> {
        let p = &action.parameters;
        let shutdown = |no: &str| vec![format!("router bgp {}", bgp.asn), format!("{no}neighbor {neighbor} shutdown"), "exit".to_owned()];
        let external = bgp.asn != session.remote_as;
        let edge = |what: &str| {
            if external {
                Ok(())
            } else {
                Err(action.refused(format!("{what} stands on the session with another AS, never inside (AS {})", bgp.asn)))
            }
        };
        let wrap =
            |way: &str, clause: Option<&str>, prefixes: &[Prefix]| self.wrapped(action, at, neighbor, bgp, session, way, clause, prefixes);
        match action.name.as_str() {
            "PEER_ACTIVATE" if !session.shutdown => {
                Err(action
                    .refused(format!("{neighbor} is not shut down; a session that is down for another reason is not brought up by it")))
            }
            "PEER_ACTIVATE" => Ok(shutdown("no ")),
            "PEER_DEACTIVATE" | "DEPEER" => {
                // what is drained first is shut down then; the configuration stays
                let mut lines = if external && !session.shutdown {
                    self.drain(action, at, neighbor, bgp, session).unwrap_or_default()
                } else {
                    Vec::new()
                };
                lines.extend(shutdown(""));
                Ok(lines)
            }
            "LOCAL_PREF_ADJUST" => {
                edge("a preference")?;
                let value = p.local_pref.ok_or_else(|| action.needs("parameters.local_pref"))?;
                let (low, high) = beside.context.limits.local_pref;
                if !(low..=high).contains(&value) {
                    return Err(action.refused(format!("LOCAL_PREF {value} is outside {low} to {high}")));
                }
                wrap("in", Some(&format!("set local-preference {value}")), &action.prefixes)
            }
            "MED_ADJUST" => {
                edge("a MED")?;
                let links = self.links_to(session.remote_as, bgp.asn);
                if links < 2 {
                    return Err(action.refused(format!(
                        "MED is compared between links to one AS, and there is {links} link to AS {}",
                        session.remote_as
                    )));
                }
                let value = p.med.ok_or_else(|| action.needs("parameters.med"))?;
                wrap("out", Some(&format!("set metric {value}")), &self.announced(action, bgp, beside)?)
            }
            "AS_PATH_PREPEND" => {
                edge("prepending")?;
                let count = p.count.ok_or_else(|| action.needs("parameters.count, one or more"))?;
                let own = vec![bgp.asn.to_string(); usize::from(count)].join(" ");
                wrap("out", Some(&format!("set as-path prepend {own}")), &self.announced(action, bgp, beside)?)
            }
            "COMMUNITY_TAG" => {
                edge("a community for a provider")?;
                let community = p.community.ok_or_else(|| action.needs("parameters.community"))?;
                wrap("out", Some(&format!("set community {community} additive")), &self.announced(action, bgp, beside)?)
            }
            "NEXT_HOP_CHANGE" => {
                edge("a next hop")?;
                let hop = p.next_hop.ok_or_else(|| action.needs("parameters.next_hop"))?;
                if action.prefixes.is_empty() {
                    return Err(action.needs("prefixes"));
                }
                if let Some(stray) = action.prefixes.iter().find(|p| p.family() != Family::of(hop)) {
                    return Err(action.refused(format!("{hop} is no next hop for {stray}")));
                }
                self.announces(action, bgp.asn, hop)?;
                let word = if hop.is_ipv4() { "ip next-hop" } else { "ipv6 next-hop global" };
                wrap("in", Some(&format!("set {word} {hop}")), &action.prefixes)
            }
            // never wider than listed
            _ if action.prefixes.is_empty() => Err(action.needs("prefixes: it is never wider than listed")),
            _ => {
                edge("a filter")?;
                wrap("in", None, &action.prefixes)
            }
        }
    }

    /// Counts the sessions of routers of one AS with another.
    fn links_to(&self, remote: Asn, own: Asn) -> usize {
        let configs = self.routers.iter().filter_map(|(_, t)| t.parse().bgp).filter(|b| b.asn == own);
        configs.map(|b| b.neighbors.values().filter(|n| n.remote_as == remote && !n.shutdown).count()).sum()
    }

    /// Returns the prefixes of ours that an export action speaks of: those named, each announced already; none named: all that we originate.
    fn announced(&self, action: &Action, bgp: &BgpConfig, beside: &Beside) -> Result<Vec<Prefix>, ChangeError> {
        let mut made: BTreeSet<Prefix> = BTreeSet::new();
        for config in self.routers.iter().filter_map(|(_, t)| t.parse().bgp).filter(|b| b.asn == bgp.asn) {
            made.extend(config.networks.iter().map(|n| n.prefix));
            made.extend(config.wider.aggregates.iter().map(|a| a.prefix));
        }
        if action.prefixes.is_empty() {
            if made.is_empty() {
                return Err(action.needs("prefixes: none is originated here by name"));
            }
            return Ok(made.into_iter().collect());
        }
        for prefix in &action.prefixes {
            let part = made.iter().chain(&beside.context.own_prefixes).any(|o| o.covers(prefix));
            let customers = beside.context.customer_prefixes.iter().any(|o| o.covers(prefix));
            if made.contains(prefix) || (customers && action.name != "AS_PATH_PREPEND") {
                continue;
            }
            let why = if part {
                "is a part of what we announce; an action never de-aggregates"
            } else {
                "is not announced by us; an action never originates"
            };
            return Err(action.refused(format!("{prefix} {why}")));
        }
        Ok(action.prefixes.clone())
    }

    /// Says whether the owner of a next hop announces every prefix of the action to us by itself.
    fn announces(&self, action: &Action, own: Asn, hop: IpAddr) -> Result<(), ChangeError> {
        let blueprint = self.blueprint();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let plane = routing::Plane::new(&blueprint, family);
            let solution = plane.solve_all(routing::Schedule::First);
            let directions = plane.directions();
            for prefix in action.prefixes.iter().filter(|p| p.family() == family) {
                let class = solution.place_of(prefix);
                let ours = |r: &usize| blueprint.routers[*r].config.bgp.as_ref().is_some_and(|b| b.asn == own);
                let heard = (0..blueprint.routers.len()).filter(ours).any(|r| {
                    let mut paths = class.into_iter().flat_map(|c| plane.paths(&solution, r, c));
                    paths.any(|p| p.over.is_some_and(|h| directions[h].external && directions[h].from_address == hop))
                });
                if !heard {
                    return Err(action.refused(format!("{hop} does not announce {prefix} itself")));
                }
            }
        }
        Ok(())
    }

    /// Puts a policy around the session's: it calls what was there, then sets (or, without a clause, denies) for the prefixes only.
    #[allow(clippy::too_many_arguments, reason = "one session, one direction, one clause")]
    fn wrapped(
        &self,
        action: &Action,
        at: usize,
        neighbor: IpAddr,
        bgp: &BgpConfig,
        session: &Neighbor,
        way: &str,
        clause: Option<&str>,
        prefixes: &[Prefix],
    ) -> Result<Vec<String>, ChangeError> {
        let definitions = self.routers[at].1.parse().policy.definitions;
        let mut lines = Vec::new();
        for (family, word, afi) in [(Family::Ipv4Unicast, "ip", "ipv4"), (Family::Ipv6Unicast, "ipv6", "ipv6")] {
            let Some(settings) = session.families.get(&family) else { continue };
            let listed: Vec<&Prefix> = prefixes.iter().filter(|p| p.family() == family).collect();
            if !prefixes.is_empty() && listed.is_empty() {
                continue;
            }
            let before = if way == "in" { &settings.import } else { &settings.export };
            if before.is_none() && bgp.ebgp_requires_policy && bgp.asn != session.remote_as && !filtered(settings, way) {
                return Err(action.refused(format!(
                    "the session with {neighbor} has no policy {way}, so nothing passes (RFC 8212); a term of ours would open it"
                )));
            }
            let base = format!("PH-{afi}-{way}-{}", neighbor.to_string().replace([':', '.'], "-"));
            // a policy of ours that stands there already is called like any other
            let free = |n: &usize| !definitions.contains_key(&numbered(&base, *n));
            let name = numbered(&base, (1..).find(free).unwrap_or(1));
            for (n, prefix) in listed.iter().enumerate() {
                lines.push(format!("{word} prefix-list {name} seq {} permit {prefix}", (n + 1) * 5));
            }
            if let Some(policy) = before {
                lines.extend([format!("route-map {name} permit 10"), format!("call {policy}"), "on-match next".to_owned()]);
            }
            lines.push(format!("route-map {name} {} 20", if clause.is_none() { "deny" } else { "permit" }));
            if !listed.is_empty() {
                lines.push(format!("match {word} address prefix-list {name}"));
            }
            lines.extend(clause.map(str::to_owned));
            lines.push(format!("route-map {name} permit 30"));
            lines.extend([format!("router bgp {}", bgp.asn), format!("address-family {afi} unicast")]);
            lines.extend([format!("neighbor {neighbor} route-map {name} {way}"), "exit-address-family".to_owned(), "exit".to_owned()]);
        }
        if lines.is_empty() {
            return Err(action.refused(format!("the session with {neighbor} does not carry the family of its prefixes")));
        }
        Ok(lines)
    }
}

fn numbered(base: &str, n: usize) -> String {
    if n == 1 { base.to_owned() } else { format!("{base}-{n}") }
}

fn filtered(settings: &NeighborFamily, way: &str) -> bool {
    let w = &settings.wider;
    let lists = if way == "in" {
        [&w.prefix_list_in, &w.filter_list_in, &w.distribute_list_in]
    } else {
        [&w.prefix_list_out, &w.filter_list_out, &w.distribute_list_out]
    };
    lists.into_iter().any(Option::is_some)
}

impl Action {
    fn needs(&self, needs: &str) -> ChangeError {
        ChangeError::Needs { action: self.name.clone(), needs: needs.to_owned() }
    }

    fn refused(&self, why: String) -> ChangeError {
        ChangeError::Refused { action: self.name.clone(), why }
    }
}
