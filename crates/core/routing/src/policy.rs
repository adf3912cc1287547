//! Policies as FRR's route-maps run them (lib/routemap.c, bgpd/bgp_routemap.c, bgp_aspath.c; 8.4): terms in order, `call`, `on-match`.

use crate::route::Route;
use bgp::{Asn, Community, ExtendedCommunity, Family, Prefix, Segment};
use config::{Condition, Flow, PolicyResult, RouteAction, RoutingPolicy, Statement, WiderAction, WiderCondition};
use core::net::IpAddr;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// Policies that call each other deeper than this are a cycle (FRR: RMAP_RECURSION_LIMIT).
const CALL_DEPTH_MAX: u8 = 10;
/// Terms looked at for one route; `on-match goto` only goes forward, so this only bounds calls.
const TERMS_MAX: u32 = 1_000_000;

/// Policies of one router, with its regular expressions ready.
#[derive(Clone, Debug)]
pub struct Policies {
    policy: RoutingPolicy,
    as_paths: BTreeMap<String, Vec<(bool, Option<Regex>)>>,
    communities: BTreeMap<String, Vec<(bool, Option<Regex>)>>,
    large: BTreeMap<String, Vec<(bool, Option<Regex>)>>,
    extended: BTreeMap<String, Vec<(bool, Option<Regex>)>>,
    /// The router's AS.
    own_as: Asn,
    /// LOCAL_PREF of routes that have none.
    default_local_pref: u32,
    /// Neighbours that are not of another AS; `set as-path replace` leaves what they are told and tell alone (FRR 8.4).
    inside: BTreeSet<IpAddr>,
    /// Some policy asks what origin validation says.
    asks_origin: bool,
    /// Expressions that could not be read: list and expression.
    pub broken: Vec<(String, String)>,
}

/// What a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Prefix.
    pub prefix: &'q Prefix,
    /// The neighbour: where it came from, or goes to.
    pub neighbor: Option<IpAddr>,
    /// Address of our end of the session.
    pub local: Option<IpAddr>,
    /// On the way out.
    pub outbound: bool,
    /// State of its origin (RFC 6811), when known.
    pub rpki: Option<config::RpkiState>,
}

/// What a policy made of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted.
    Accepted {
        /// Sequences of the terms that matched.
        terms: Vec<u32>,
        /// The next hop is set, and to what.
        next_hop: NextHop,
    },
    /// Rejected, by a term or by the end.
    Rejected {
        /// The term.
        term: Option<u32>,
    },
    /// Not known: what is not modelled.
    Unknown {
        /// Sequence of the term.
        term: u32,
        /// As written.
        what: String,
    },
}

/// A term that a route passed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Passed {
    /// The policy; another than the session's where that one called it.
    pub policy: String,
    /// The term's sequence number.
    pub sequence: u32,
    /// It accepts; false: it rejected the route.
    pub permits: bool,
    /// What it set, as configured.
    pub set: Vec<String>,
}

/// Where the terms that a route passes are written down.
pub(crate) type Trace = core::cell::RefCell<Vec<Passed>>;

/// What a policy says of the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// Nothing.
    #[default]
    NotSaid,
    /// An address.
    Address,
    /// The peer (in), ourselves (out).
    Own,
    /// As it came.
    Unchanged,
}

impl Policies {
    /// Makes the policies of a configuration ready.
    #[must_use]
    pub fn new(policy: &RoutingPolicy, bgp: Option<&config::BgpConfig>) -> Self {
        let mut broken = Vec::new();
        let mut ready = |lists: &BTreeMap<String, Vec<config::ListEntry<String>>>| {
            let mut out = BTreeMap::new();
            for (name, entries) in lists {
                let read = |e: &config::ListEntry<String>| {
                    let regex = Regex::new(&posix(&e.what)).ok();
                    if regex.is_none() {
                        broken.push((name.clone(), e.what.clone()));
                    }
                    (e.permit, regex)
                };
                out.insert(name.clone(), entries.iter().map(read).collect());
            }
            out
        };
        let as_paths = ready(&policy.wider.as_path_sets);
        let communities = ready(&policy.wider.expanded_community_sets);
        let large = ready(&policy.wider.expanded_large_sets);
        let extended = ready(&policy.wider.expanded_extended_sets);
        let own_as = bgp.map_or(Asn(0), |b| b.asn);
        let inside = bgp.into_iter().flat_map(|b| {
            let external = |n: &config::Neighbor| crate::session::sort(b, n.remote_as) == crate::Sort::External;
            b.neighbors.iter().filter(move |(_, n)| !external(n)).map(|(a, _)| *a)
        });
        let inside = inside.collect();
        let default_local_pref = bgp.map_or(100, |b| b.default_local_pref);
        let asks = |c: &Condition| matches!(c, Condition::Wider { what: WiderCondition::Rpki(_), .. });
        let asks_origin = policy.definitions.values().flat_map(|d| &d.statements).flat_map(|s| &s.conditions).any(asks);
        Self { policy: policy.clone(), as_paths, communities, large, extended, own_as, default_local_pref, inside, asks_origin, broken }
    }

    /// Says whether some policy asks what origin validation says.
    #[must_use]
    pub const fn asks_origin(&self) -> bool {
        self.asks_origin
    }

    /// Returns the definitions and sets.
    #[must_use]
    pub const fn model(&self) -> &RoutingPolicy {
        &self.policy
    }

    /// Runs a policy over a route, which it changes. A name without a definition rejects (FRR).
    pub fn run(&self, name: &str, question: &Question<'_>, route: &mut Route) -> Verdict {
        self.run_traced(name, question, route, None)
    }

    /// The same, and writes down the terms that the route passed.
    pub(crate) fn run_traced(&self, name: &str, question: &Question<'_>, route: &mut Route, trace: Option<&Trace>) -> Verdict {
        let mut terms = Vec::new();
        let mut next_hop = NextHop::default();
        let mut left = TERMS_MAX;
        match self.walk(name, question, route, &mut Walk { terms: &mut terms, next_hop: &mut next_hop, left: &mut left, depth: 0, trace }) {
            Ok(true) => Verdict::Accepted { terms, next_hop },
            Ok(false) => Verdict::Rejected { term: terms.last().copied() },
            Err((term, what)) => Verdict::Unknown { term, what },
        }
    }

    fn walk(&self, name: &str, q: &Question<'_>, route: &mut Route, walk: &mut Walk<'_>) -> Result<bool, (u32, String)> {
        let Some(definition) = self.policy.definitions.get(name) else { return Ok(false) };
        let (mut from, mut last_matched) = (0, false);
        for term in &definition.statements {
            if term.sequence < from {
                continue;
            }
            *walk.left = walk.left.checked_sub(1).ok_or((term.sequence, "too many terms".to_owned()))?;
            last_matched = self.all_hold(term, q, route)?;
            if !last_matched {
                continue;
            }
            walk.terms.push(term.sequence);
            if let Some(trace) = walk.trace {
                let sets = |a: &&RouteAction| !matches!(a, RouteAction::Wider { what: WiderAction::Flow(_) | WiderAction::Call(_), .. });
                let permits = term.result == PolicyResult::Accept;
                let set = if permits { term.actions.iter().filter(sets).map(RouteAction::line).collect() } else { Vec::new() };
                trace.borrow_mut().push(Passed { policy: name.to_owned(), sequence: term.sequence, permits, set });
            }
            if term.result == PolicyResult::Reject {
                return Ok(false);
            }
            // FRR sets first, then calls
            let mut flow = Flow::Exit;
            let mut call = None;
            for action in &term.actions {
                match action {
                    RouteAction::Wider { what: WiderAction::Flow(f), .. } => flow = *f,
                    RouteAction::Wider { what: WiderAction::Call(c), .. } => call = Some(c),
                    other => self.apply(term, other, q, route, walk.next_hop)?,
                }
            }
            if let Some(called) = call {
                if walk.depth >= CALL_DEPTH_MAX {
                    return Err((term.sequence, format!("call {called}: policies call each other in a circle")));
                }
                walk.depth += 1;
                let inner = self.walk(called, q, route, walk)?;
                walk.depth -= 1;
                if !inner {
                    return Ok(false);
                }
            }
            match flow {
                Flow::Exit => return Ok(true),
                Flow::Next => {}
                Flow::Goto(to) => from = to,
            }
        }
        // the end rejects, unless the last term that was looked at matched and sent the route on: `route_map_apply` keeps that term's word
        Ok(last_matched)
    }

    fn all_hold(&self, term: &Statement, q: &Question<'_>, route: &Route) -> Result<bool, (u32, String)> {
        for condition in &term.conditions {
            match self.holds(condition, q, route) {
                Some(true) => {}
                Some(false) => return Ok(false),
                None => {
                    let (Condition::Unmodelled(line) | Condition::Wider { line, .. }) = condition else { return Ok(false) };
                    return Err((term.sequence, line.clone()));
                }
            }
        }
        Ok(true)
    }

    /// Says whether a prefix list lets a prefix pass. FRR: one that does not exist lets everything pass as a filter; see callers.
    #[must_use]
    pub fn prefix_list(&self, name: &str, prefix: &Prefix) -> Option<bool> {
        let (own, six) = (self.policy.prefix_sets.get(name), self.policy.wider.prefix_sets_v6.get(name));
        let set = [own, six].into_iter().flatten().find(|s| s.family == prefix.family())?;
        Some(set.matches(prefix))
    }

    /// Says whether an AS-path list lets a path pass; `None`: there is no such list.
    #[must_use]
    pub fn as_path_list(&self, name: &str, path: &bgp::AsPath) -> Option<bool> {
        let entries = self.as_paths.get(name)?;
        let text = as_text(path);
        Some(entries.iter().find(|(_, r)| r.as_ref().is_some_and(|r| r.is_match(&text))).is_some_and(|(permit, _)| *permit))
    }

    /// Says whether an access list lets a prefix pass; `None`: there is no such list.
    #[must_use]
    pub fn access_list(&self, name: &str, prefix: &Prefix) -> Option<bool> {
        let entries = self.policy.wider.access_lists.get(name)?;
        let hits = |(p, exact): &(Prefix, bool)| p.covers(prefix) && (!exact || p == prefix);
        Some(entries.iter().find(|e| hits(&e.what)).is_some_and(|e| e.permit))
    }

    fn community_list(&self, name: &str, communities: &[Community]) -> bool {
        if let Some(set) = self.policy.community_sets.get(name) {
            return set.matches(communities);
        }
        let text = communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        first_match(self.communities.get(name), &text)
    }

    fn large_list(&self, name: &str, large: &[bgp::LargeCommunity]) -> bool {
        if let Some(entries) = self.policy.wider.large_community_sets.get(name) {
            return entries.iter().find(|e| e.what.iter().all(|c| large.contains(c))).is_some_and(|e| e.permit);
        }
        let text = large.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        first_match(self.large.get(name), &text)
    }

    fn extended_list(&self, name: &str, extended: &[ExtendedCommunity]) -> bool {
        if let Some(entries) = self.policy.wider.extended_sets.get(name) {
            return entries.iter().find(|e| e.what.iter().all(|c| extended.contains(c))).is_some_and(|e| e.permit);
        }
        let text = extended.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        first_match(self.extended.get(name), &text)
    }

    fn holds(&self, condition: &Condition, q: &Question<'_>, route: &Route) -> Option<bool> {
        let a = &route.attributes;
        let own_host = |address: IpAddr| Prefix::new(address, if address.is_ipv4() { 32 } else { 128 });
        Some(match condition {
            Condition::PrefixSet(name) => self.prefix_list(name, q.prefix).unwrap_or(false),
            Condition::CommunitySet(name) => self.community_list(name, &a.communities),
            Condition::Unmodelled(_) => return None,
            Condition::Wider { what, .. } => match what {
                WiderCondition::CommunitySetExact(name) => {
                    let set = self.policy.community_sets.get(name);
                    let same =
                        |wanted: &[Community]| wanted.len() == a.communities.len() && wanted.iter().all(|c| a.communities.contains(c));
                    set.is_some_and(|s| s.entries.iter().find(|(_, w)| same(w)).is_some_and(|(permit, _)| *permit))
                }
                WiderCondition::AsPathSet(name) => self.as_path_list(name, &a.as_path).unwrap_or(false),
                WiderCondition::AccessList(name) => self.access_list(name, q.prefix).unwrap_or(false),
                WiderCondition::LargeCommunitySet(name) => self.large_list(name, &a.large_communities),
                WiderCondition::LargeCommunitySetExact(name) => {
                    let large = &a.large_communities;
                    let same = |wanted: &[bgp::LargeCommunity]| wanted.len() == large.len() && wanted.iter().all(|c| large.contains(c));
                    let entries = self.policy.wider.large_community_sets.get(name).into_iter().flatten();
                    entries.into_iter().find(|e| same(&e.what)).is_some_and(|e| e.permit)
                }
                WiderCondition::ExtendedCommunitySet(name) => self.extended_list(name, &route.extended),
                WiderCondition::SourcePrefixSet(name) => {
                    q.neighbor.and_then(own_host).is_some_and(|p| self.prefix_list(name, &p).unwrap_or(false))
                }
                WiderCondition::SourceAccessList(name) => {
                    q.neighbor.and_then(own_host).is_some_and(|p| self.access_list(name, &p).unwrap_or(false))
                }
                WiderCondition::NextHopPrefixSet(name) => {
                    a.next_hop.and_then(own_host).is_some_and(|p| self.prefix_list(name, &p).unwrap_or(false))
                }
                WiderCondition::NextHopAccessList(name) => {
                    a.next_hop.and_then(own_host).is_some_and(|p| self.access_list(name, &p).unwrap_or(false))
                }
                WiderCondition::NextHop(address) => a.next_hop == Some(*address),
                WiderCondition::Med(v) => a.med.unwrap_or(0) == *v,
                // what the router makes itself has the default before it has the attribute, an aggregate has not (FRR 8.4,
                // `bgp_attr_default_set`, `bgp_attr_aggregate_intern`)
                WiderCondition::LocalPref(v) => {
                    let has_default = route.kind.is_local() && route.kind != crate::Kind::Aggregate;
                    a.local_pref.unwrap_or(if has_default { self.default_local_pref } else { 0 }) == *v
                }
                WiderCondition::Origin(o) => a.origin == *o,
                WiderCondition::Peer(address) => q.neighbor == Some(*address),
                WiderCondition::PeerLocal => route.kind.is_local(),
                WiderCondition::Tag(tag) => route.tag == *tag,
                WiderCondition::SourceProtocol(p) => match route.kind {
                    crate::Kind::Redistributed(from) => from == *p,
                    _ => *p == config::Protocol::Bgp,
                },
                WiderCondition::Rpki(state) => q.rpki? == *state,
                WiderCondition::PrefixLength(length) => q.prefix.length() == *length,
            },
        })
    }

    fn apply(
        &self,
        term: &Statement,
        action: &RouteAction,
        q: &Question<'_>,
        route: &mut Route,
        next_hop: &mut NextHop,
    ) -> Result<(), (u32, String)> {
        let a = &mut route.attributes;
        match action {
            RouteAction::SetLocalPref(v) => a.local_pref = Some(*v),
            RouteAction::SetMed(v) => a.med = Some(*v),
            RouteAction::SetWeight(v) => route.weight = *v,
            RouteAction::SetOrigin(v) => a.origin = *v,
            RouteAction::AddCommunities(add) => a.communities.extend_from_slice(add),
            RouteAction::SetCommunities(set) => a.communities.clone_from(set),
            RouteAction::DeleteCommunities(name) => match self.policy.community_sets.get(name) {
                Some(set) => a.communities.retain(|c| !set.deletes(*c)),
                None => a.communities.retain(|c| !self.community_list(name, core::slice::from_ref(c))),
            },
            RouteAction::Prepend(path) => {
                let asns: Vec<Asn> =
                    path.segments().iter().flat_map(|s| if let Segment::Sequence(v) = s { v.clone() } else { vec![] }).collect();
                for asn in asns.into_iter().rev() {
                    a.as_path = a.as_path.prepend(asn, 1);
                }
            }
            RouteAction::SetNextHop(address) if Family::of(*address) == q.prefix.family() => {
                a.next_hop = Some(*address);
                *next_hop = NextHop::Address;
            }
            RouteAction::SetNextHop(_) => {}
            RouteAction::Unmodelled(what) => return Err((term.sequence, what.clone())),
            RouteAction::Wider { what, .. } => match what {
                WiderAction::AddMed(by) => a.med = Some(shifted(a.med.unwrap_or(0), *by)),
                WiderAction::AddLocalPref(by) => a.local_pref = Some(shifted(a.local_pref.unwrap_or(0), *by)),
                WiderAction::PrependLastAs(n) => {
                    if let Some(first) = a.as_path.neighbour() {
                        a.as_path = a.as_path.prepend(first, usize::from(*n));
                    }
                }
                WiderAction::ExcludeAs(list) => a.as_path = without(&a.as_path, |asn| list.contains(&asn)),
                WiderAction::SetLargeCommunities(set) => a.large_communities.clone_from(set),
                WiderAction::AddLargeCommunities(add) => {
                    a.large_communities.extend_from_slice(add);
                    a.large_communities.sort_unstable();
                    a.large_communities.dedup();
                }
                WiderAction::DeleteLargeCommunities(name) => {
                    let entries = self.policy.wider.large_community_sets.get(name);
                    let named =
                        |c: &bgp::LargeCommunity| entries.into_iter().flatten().find(|e| e.what.contains(c)).is_some_and(|e| e.permit);
                    a.large_communities.retain(|c| !named(c));
                }
                WiderAction::SetNextHopSelf => {
                    a.next_hop = if q.outbound { q.local } else { q.neighbor };
                    // on the way in it is the value of the route and nothing is remembered of it (bgpd, `route_set_ip_nexthop`)
                    if q.outbound {
                        *next_hop = NextHop::Own;
                    }
                }
                WiderAction::SetNextHopUnchanged => *next_hop = NextHop::Unchanged,
                WiderAction::SetOriginator(id) => a.originator_id = Some(*id),
                WiderAction::SetAtomicAggregate => a.atomic_aggregate = true,
                WiderAction::SetAggregator(asn, id) => a.aggregator = Some(bgp::Aggregator { asn: *asn, id: *id }),
                WiderAction::SetTag(tag) => route.tag = *tag,
                WiderAction::ReplaceAs(_) if q.neighbor.is_none_or(|n| self.inside.contains(&n)) => {}
                WiderAction::ReplaceAs(which) => {
                    a.as_path = replaced(&a.as_path, |asn| which.is_none_or(|w| w == asn), self.own_as);
                }
                WiderAction::AddExtended(add) => route.extended.extend_from_slice(add),
                WiderAction::ClearExtended => route.extended.clear(),
                WiderAction::SetBandwidth { mbit_s, transitive } => {
                    // one that goes to other ASes and one that does not stand side by side (FRR 8.4)
                    route.extended.retain(|c| !c.is_link_bandwidth() || c.is_transitive() != *transitive);
                    // Mbit/s to octets per second
                    route.extended.push(ExtendedCommunity::link_bandwidth(self.own_as, *mbit_s as f32 * 125_000.0, *transitive));
                }
                WiderAction::SetAigp(Some(metric)) => route.aigp = Some(u64::from(*metric)),
                // the metric of what is redistributed; for what was learned the way is added when it is sent on
                WiderAction::SetAigp(None) => route.aigp = Some(u64::from(route.attributes.med.unwrap_or(0))),
                WiderAction::Flow(_) | WiderAction::Call(_) | WiderAction::OutsideBgp => {}
            },
        }
        route.extended.sort_unstable();
        route.extended.dedup();
        route.attributes.communities.sort_unstable();
        route.attributes.communities.dedup();
        Ok(())
    }

    /// Says whether some policy or filter of the router looks at prefixes.
    #[must_use]
    pub fn prefixes_matter(&self) -> bool {
        self.policy.definitions.values().flat_map(|d| &d.statements).flat_map(|s| &s.conditions).any(|c| {
            matches!(
                c,
                Condition::PrefixSet(_)
                    | Condition::Wider {
                        what: WiderCondition::AccessList(_) | WiderCondition::PrefixLength(_) | WiderCondition::Rpki(_),
                        ..
                    }
            )
        })
    }
}

struct Walk<'w> {
    terms: &'w mut Vec<u32>,
    next_hop: &'w mut NextHop,
    left: &'w mut u32,
    depth: u8,
    trace: Option<&'w Trace>,
}

fn first_match(list: Option<&Vec<(bool, Option<Regex>)>>, text: &str) -> bool {
    let mut entries = list.into_iter().flatten();
    entries.find(|(_, r)| r.as_ref().is_some_and(|r| r.is_match(text))).is_some_and(|(permit, _)| *permit)
}

/// Returns a path with some AS numbers replaced by one.
pub(crate) fn replaced(path: &bgp::AsPath, which: impl Fn(Asn) -> bool, by: Asn) -> bgp::AsPath {
    let change = |v: &[Asn]| v.iter().map(|a| if which(*a) { by } else { *a }).collect::<Vec<_>>();
    let segments = path.segments().iter().map(|s| match s {
        Segment::Sequence(v) => Segment::Sequence(change(v)),
        Segment::Set(v) => Segment::Set(change(v)),
        Segment::ConfedSequence(v) => Segment::ConfedSequence(change(v)),
        Segment::ConfedSet(v) => Segment::ConfedSet(change(v)),
    });
    bgp::AsPath::new(segments.collect())
}

fn shifted(value: u32, by: i64) -> u32 {
    u32::try_from(i64::from(value).saturating_add(by).clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX)
}

/// Returns a path without some AS numbers; segments that become empty go.
pub(crate) fn without(path: &bgp::AsPath, gone: impl Fn(Asn) -> bool) -> bgp::AsPath {
    let keep = |v: &[Asn]| v.iter().copied().filter(|a| !gone(*a)).collect::<Vec<_>>();
    let segments = path.segments().iter().map(|s| match s {
        Segment::Sequence(v) => Segment::Sequence(keep(v)),
        Segment::Set(v) => Segment::Set(keep(v)),
        other => other.clone(),
    });
    bgp::AsPath::new(segments.filter(|s| !matches!(s, Segment::Sequence(v) | Segment::Set(v) if v.is_empty())).collect())
}

/// The text that AS-path expressions are matched with: FRR writes sets with commas.
fn as_text(path: &bgp::AsPath) -> String {
    let join = |v: &[Asn], by: &str| v.iter().map(ToString::to_string).collect::<Vec<_>>().join(by);
    let segment = |s: &Segment| match s {
        Segment::Sequence(v) => join(v, " "),
        Segment::Set(v) => format!("{{{}}}", join(v, ",")),
        Segment::ConfedSequence(v) => format!("({})", join(v, " ")),
        Segment::ConfedSet(v) => format!("[{}]", join(v, ",")),
    };
    path.segments().iter().map(segment).collect::<Vec<_>>().join(" ")
}

/// Writes a router's expression as ours: `_` is a delimiter, or either end (bgpd/bgp_regex.c).
fn posix(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_class = false;
    for c in text.chars() {
        match c {
            '_' if !in_class => out.push_str("(?:^|[,{}() ]|$)"),
            '[' => {
                in_class = true;
                out.push(c);
            }
            ']' => {
                in_class = false;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
