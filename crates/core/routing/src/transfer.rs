//! What happens to a route on its way from one router to the next: export, the wire, import (FRR 8.4: `subgroup_announce_check`,
//! `bgp_packet_attribute`, `bgp_update`).

use crate::compare::Sort;
use crate::fabric::{CONNECTED, Fabric, is_link_local};
use crate::policy::{NextHop, Policies, Question, Verdict, replaced};
use crate::route::{Kind, Route};
use crate::session::{Half, family_of, neighbor_of};
use bgp::{AsPath, Asn, Community, ExtendedCommunity, Family, Prefix, RpkiState, Segment};
use config::{BgpConfig, Neighbor, NeighborFamily, Role};
use core::net::{IpAddr, Ipv4Addr};

/// Weight of what a router makes itself (FRR: BGP_ATTR_DEFAULT_WEIGHT).
pub(crate) const LOCAL_WEIGHT: u32 = 32_768;

/// The same path with the members of its sets in order, each once.
fn sorted_sets(path: &AsPath) -> AsPath {
    let in_order = |v: &[Asn]| v.iter().copied().collect::<std::collections::BTreeSet<Asn>>().into_iter().collect();
    AsPath::new(
        path.segments()
            .iter()
            .map(|s| match s {
                Segment::Set(v) => Segment::Set(in_order(v)),
                Segment::ConfedSet(v) => Segment::ConfedSet(in_order(v)),
                sequence => sequence.clone(),
            })
            .collect(),
    )
}

/// Where a router has a route from, as far as its export depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum From {
    Local,
    External,
    Confed,
    Client,
    NonClient,
}

/// Why a route does not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A session of one AS does not pass on what it learned from another of them, unless it reflects (RFC 4456).
    Reflection,
    /// A well-known community.
    WellKnown(Community),
    /// The neighbour is the one that brought it in.
    OwnOrigin,
    /// No policy on an eBGP session (RFC 8212).
    NoPolicy(Side),
    /// A filter: which.
    Filter(Side, String),
    /// A term of a policy, or its end.
    Policy(Side, String, Option<u32>),
    /// The policy's outcome is not known.
    Unknown(Side, String),
    /// The receiver's AS is in the path.
    Loop(Asn),
    /// RFC 9234.
    OnlyToCustomer,
    /// The next hop is the receiver's own address.
    OwnNextHop,
    /// A part of an aggregate that is announced instead.
    Suppressed,
    /// Conditional advertisement: the condition does not hold.
    Condition,
    /// More prefixes than the neighbour may announce.
    MaxPrefix,
    /// It comes from the receiver's site (`neighbor … soo`).
    SiteOfOrigin(ExtendedCommunity),
    /// It flapped: the penalty, rounded, and the seconds until it is used again.
    Dampened(u32, u32),
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The sender.
    Export,
    /// The receiver.
    Import,
}

/// What is special about a destination on a direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Special {
    /// Part of an aggregate that is announced instead.
    pub suppressed: bool,
    /// Sent because a condition holds.
    pub granted: bool,
}

/// What a router validates origins by.
#[derive(Clone, Copy)]
pub(crate) struct Validator<'n> {
    pub vrps: &'n rtr::Vrps,
    /// The router's AS: the origin of what was made inside.
    pub own: Asn,
    pub set_is_not_found: bool,
}

impl Validator<'_> {
    pub fn state(&self, prefix: &Prefix, path: &AsPath) -> Option<RpkiState> {
        let origin = rtr::origin(path, self.own);
        if origin.is_none() && self.set_is_not_found {
            return Some(RpkiState::NotFound);
        }
        self.vrps.state(prefix, origin)
    }
}

/// A router as transfers see it.
#[derive(Clone, Copy)]
pub(crate) struct End<'n> {
    pub index: usize,
    pub bgp: &'n BgpConfig,
    pub policies: &'n Policies,
    pub requires_policy: bool,
    /// It heeds a setting by which it keeps paths from those whose AS they name.
    pub checks_sent_paths: bool,
    /// What is reflected without MED goes out with MED 0.
    pub reflects_med_zero: bool,
    pub flaps: Option<&'n crate::Flaps>,
    /// What it validates origins by; `None`: nobody asks, or it is not known.
    pub vrps: Option<Validator<'n>>,
    /// Where the terms that routes pass here are written down.
    pub trace: Option<&'n crate::policy::Trace>,
}

/// Everything about one direction of a session.
pub(crate) struct Transfer<'n> {
    pub half: &'n Half,
    pub fabric: &'n Fabric,
    pub family: Family,
    /// Routers have just come up.
    pub starting: bool,
}

impl<'n> Transfer<'n> {
    fn settings(&self, end: &End<'n>, address: IpAddr) -> Option<(&'n Neighbor, &'n NeighborFamily)> {
        Some((neighbor_of(end.bgp, address)?, family_of(end.bgp, address, self.family)?))
    }

    /// Makes what the receiver's side of the wire sees of a route that `from` holds.
    ///
    /// `learned` is the router id of the neighbour that the route came from; a reflector names it as the originator. `back`: that neighbour is
    /// the receiver.
    pub fn export(
        &self,
        end: &End<'n>,
        prefix: &Prefix,
        route: &Route,
        (from, learned, back): (From, Ipv4Addr, bool),
        special: Special,
    ) -> Result<Route, Stop> {
        let half = self.half;
        let (neighbor, settings) = self.settings(end, half.to_address).ok_or(Stop::NoPolicy(Side::Export))?;
        let internal = half.from_sort == Sort::Internal;
        let external = half.from_sort == Sort::External;
        let reflect = internal && matches!(from, From::Client | From::NonClient);
        if reflect {
            let to_client = settings.route_reflector_client;
            let allowed = match from {
                From::Client => !(to_client && end.bgp.wider.no_client_to_client),
                _ => to_client,
            };
            if !allowed {
                return Err(Stop::Reflection);
            }
        }
        let told = |c: Community| route.attributes.communities.contains(&c).then_some(Stop::WellKnown(c));
        let well_known = told(Community::NO_ADVERTISE)
            .or_else(|| told(Community::NO_EXPORT).filter(|_| external))
            .or_else(|| told(Community::NO_EXPORT_SUBCONFED).filter(|_| !internal));
        if let Some(stop) = well_known {
            return Err(stop);
        }
        if reflect && route.attributes.originator_id.unwrap_or(learned) == half.to_id {
            return Err(Stop::OwnOrigin);
        }
        let out = (&settings.export, &settings.wider.prefix_list_out, &settings.wider.filter_list_out, &settings.wider.distribute_list_out);
        if !internal && end.requires_policy && out.0.is_none() && out.1.is_none() && out.2.is_none() && out.3.is_none() {
            return Err(Stop::NoPolicy(Side::Export));
        }
        filters(end, Side::Export, prefix, &route.attributes.as_path, out.3.as_deref(), out.1.as_deref(), out.2.as_deref())?;
        if let Some(soo) = settings.wider.soo.filter(|soo| route.extended.contains(soo)) {
            return Err(Stop::SiteOfOrigin(soo));
        }
        if neighbor.wider.sender_loop_detection && end.checks_sent_paths && route.attributes.as_path.contains(half.to_asn) {
            return Err(Stop::Loop(half.to_asn));
        }
        let mut sent = route.clone();
        sent.kind = Kind::Learned;
        let policy_route = |r: &Route| Route { kind: route.kind, ..r.clone() };
        let a = &mut sent.attributes;
        if reflect && a.originator_id.is_none() {
            a.originator_id = Some(learned);
        }
        if external {
            // the policy still sees the preference that it has here; it goes behind it
            if !route.kind.is_local() && !settings.wider.unchanged.med {
                a.med = None;
            }
            a.originator_id = None;
            a.cluster_list.clear();
        } else if a.local_pref.is_none() {
            a.local_pref = Some(end.bgp.default_local_pref);
        }
        if let Some(remove) = settings.wider.remove_private.filter(|_| external) {
            a.as_path = remove_private(&a.as_path, remove, end.bgp.asn, half.to_asn);
        }
        if settings.wider.as_override && external {
            a.as_path = replaced(&a.as_path, |asn| asn == half.to_asn, end.bgp.asn);
        }
        let mut own_next_hop = self.next_hop_is_own(end, settings, route, (reflect, back));
        match route.next_hop {
            NextHop::NotSaid => {}
            NextHop::Own | NextHop::Address | NextHop::Unchanged => own_next_hop &= settings.export.is_some(),
        }
        // policy sees the route as it is sent, and the kind it has here
        let rpki = end.vrps.and_then(|v| v.state(prefix, &sent.attributes.as_path));
        let question = Question { prefix, neighbor: Some(half.to_address), local: Some(half.from_address), outbound: true, rpki };
        // what a condition lets out is not asked of the export policy (bgpd, `bgp_conditional_adv_routes`)
        let advertise = settings.wider.conditional.as_ref().filter(|_| special.granted).map(|c| &c.advertise_map);
        let own = if special.suppressed { settings.wider.unsuppress_map.as_ref() } else { settings.export.as_ref() };
        let map = advertise.or(own);
        if special.suppressed && map.is_none() {
            return Err(Stop::Suppressed);
        }
        if let Some(name) = map {
            let mut tried = policy_route(&sent);
            match end.policies.run_traced(name, &question, &mut tried, end.trace) {
                Verdict::Accepted { next_hop, .. } => {
                    let kept = reflect && !end.bgp.wider.allow_outbound_policy;
                    if !kept {
                        tried.kind = Kind::Learned;
                        sent = tried;
                        match next_hop {
                            NextHop::Address | NextHop::Unchanged => own_next_hop = false,
                            NextHop::Own => own_next_hop = true,
                            NextHop::NotSaid => {}
                        }
                    }
                }
                Verdict::Rejected { term } => return Err(Stop::Policy(Side::Export, name.clone(), term)),
                Verdict::Unknown { what, .. } => return Err(Stop::Unknown(Side::Export, what)),
            }
        }
        let a = &mut sent.attributes;
        // behind the policy; inside an AS the preference says it, and the community is for others (FRR 8.4, `subgroup_announce_check`)
        if end.bgp.wider.graceful_shutdown {
            if external {
                add(&mut a.communities, Community::GRACEFUL_SHUTDOWN);
            } else {
                a.local_pref = Some(0);
            }
        }
        if external {
            a.local_pref = None;
        }
        self.only_to_customer_out(end, neighbor, &mut sent)?;
        let a = &mut sent.attributes;
        // a link-local address means nothing elsewhere; and a session takes IPv6 next hops of IPv4 routes only, or none at all (FRR 8.4)
        let foreign = |hop: IpAddr| is_link_local(hop) || (self.family == Family::Ipv4Unicast && hop.is_ipv6() != half.v6_next_hops);
        if own_next_hop || a.next_hop.is_none_or(foreign) {
            // RFC 7311 §3.4.2: who puts himself in adds his way
            if let Some((aigp, hop)) = sent.aigp.zip(a.next_hop) {
                let cost = self.fabric.costs_to(hop)[end.index] & !CONNECTED;
                sent.aigp = Some(aigp.saturating_add(u64::from(cost)));
            }
            a.next_hop = Some(self.own_address(end));
        }
        let starting = end.bgp.wider.max_med_on_startup.filter(|_| self.starting).map(|(_, med)| med);
        if let Some(med) = end.bgp.wider.max_med.or(starting) {
            a.med = Some(med);
        }
        if reflect {
            a.cluster_list.insert(0, end.bgp.cluster_id.unwrap_or(half.from_id));
            a.med = a.med.or(end.reflects_med_zero.then_some(0));
        }
        self.write_path(end, neighbor, settings, a);
        if !settings.send_community {
            a.communities.clear();
        }
        if settings.wider.no_send_large {
            a.large_communities.clear();
        }
        sent.extended.retain(|c| !settings.wider.no_send_extended && (!external || c.is_transitive()));
        if external && !neighbor.wider.aigp {
            sent.aigp = None;
        }
        sent.weight = 0;
        sent.tag = 0;
        sent.next_hop = NextHop::NotSaid;
        Ok(sent)
    }

    fn next_hop_is_own(&self, end: &End<'n>, settings: &NeighborFamily, route: &Route, (reflect, back): (bool, bool)) -> bool {
        if settings.wider.unchanged.next_hop || settings.wider.route_server_client {
            return false;
        }
        if settings.next_hop_self || settings.next_hop_self_force {
            return !reflect || settings.next_hop_self_force;
        }
        if self.half.from_sort != Sort::External {
            return false;
        }
        // a third party on the subnet of both is told as it is
        back || route.attributes.next_hop.is_none_or(|hop| !self.fabric.share_subnet(end.index, hop, self.half.to_address))
    }

    /// The own address as a next hop: of the family of the routes, unless IPv6 next hops of IPv4 routes were agreed on (bgpd,
    /// `bgp_nexthop_set`: the other address of the interface, else the router id).
    fn own_address(&self, end: &End<'n>) -> IpAddr {
        let own = self.half.from_address;
        match (self.family, own) {
            (Family::Ipv4Unicast, IpAddr::V6(_)) if !self.half.v6_next_hops => {
                self.fabric.other_family(end.index, own).unwrap_or(IpAddr::V4(self.half.from_id))
            }
            (Family::Ipv6Unicast, IpAddr::V4(_)) => self.fabric.other_family(end.index, own).unwrap_or(own),
            _ => own,
        }
    }

    fn only_to_customer_out(&self, end: &End<'n>, neighbor: &Neighbor, sent: &mut Route) -> Result<(), Stop> {
        match (neighbor.wider.role, sent.otc) {
            (Some(Role::Customer | Role::RouteServerClient | Role::Peer), Some(_)) => Err(Stop::OnlyToCustomer),
            (Some(Role::Provider | Role::Peer | Role::RouteServer), None) => {
                sent.otc = Some(end.bgp.asn);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts our AS in front (`bgp_packet_attribute`).
    fn write_path(&self, end: &End<'n>, neighbor: &Neighbor, settings: &NeighborFamily, a: &mut bgp::PathAttributes) {
        match self.half.from_sort {
            Sort::External => {
                let untouched =
                    settings.wider.route_server_client || (settings.wider.unchanged.as_path && !a.as_path.segments().is_empty());
                if untouched {
                    return;
                }
                let plain = |s: &&Segment| !matches!(s, Segment::ConfedSequence(_) | Segment::ConfedSet(_));
                let mut path = AsPath::new(a.as_path.segments().iter().filter(plain).cloned().collect());
                // a confederation shows its identifier, whatever `local-as` says (bgpd, `bgp_packet_attribute`)
                if let Some(c) = end.bgp.wider.confederation.as_ref().filter(|c| c.identifier.0 != 0) {
                    path = path.prepend(c.identifier, 1);
                } else if let Some(local) = neighbor.wider.local_as {
                    // nor a private AS where private ones are removed (as seen of FRR 8.4.4)
                    let hidden = settings.wider.remove_private.is_some() && is_private(end.bgp.asn);
                    if !local.replace_as && !hidden {
                        path = path.prepend(end.bgp.asn, 1);
                    }
                    path = path.prepend(local.asn, 1);
                } else {
                    path = path.prepend(self.half.from_asn, 1);
                }
                a.as_path = path;
            }
            Sort::Confed => {
                let mut segments = a.as_path.segments().to_vec();
                match segments.first_mut() {
                    Some(Segment::ConfedSequence(v)) => v.insert(0, self.half.from_asn),
                    _ => segments.insert(0, Segment::ConfedSequence(vec![self.half.from_asn])),
                }
                a.as_path = AsPath::new(segments);
            }
            Sort::Internal => {}
        }
    }

    /// Makes the default route that `default-originate` sends: no table and no export policy has a part in it (`subgroup_default_originate`).
    pub fn default_route(&self, end: &End<'n>, made: Route) -> Option<Route> {
        let (neighbor, settings) = self.settings(end, self.half.to_address)?;
        let mut sent = Route { kind: Kind::Learned, weight: 0, ..made };
        let a = &mut sent.attributes;
        a.next_hop = Some(self.own_address(end));
        a.local_pref = (self.half.from_sort != Sort::External).then_some(a.local_pref.unwrap_or(end.bgp.default_local_pref));
        self.write_path(end, neighbor, settings, a);
        if !settings.send_community {
            a.communities.clear();
        }
        Some(sent)
    }

    /// Makes what the receiver holds of a route that came over the wire.
    pub fn import(&self, end: &End<'n>, prefix: &Prefix, wire: &Route) -> Result<Route, Stop> {
        let half = self.half;
        let (neighbor, settings) = self.settings(end, half.from_address).ok_or(Stop::NoPolicy(Side::Import))?;
        let external = half.to_sort == Sort::External;
        let mut held = wire.clone();
        let a = &mut held.attributes;
        // a set has no order; bgpd sorts what it reads (`assegment_normalise`), whatever took whose place in it on the way
        if a.as_path.segments().iter().any(|s| matches!(s, Segment::Set(_) | Segment::ConfedSet(_))) {
            a.as_path = sorted_sets(&a.as_path);
        }
        if let Some(local) = neighbor.wider.local_as.filter(|l| !l.no_prepend) {
            a.as_path = a.as_path.prepend(local.asn, 1);
        }
        loop_check(end.bgp, neighbor, settings, &a.as_path)?;
        if a.originator_id == Some(half.to_id) {
            return Err(Stop::OwnOrigin);
        }
        if a.cluster_list.contains(&end.bgp.cluster_id.unwrap_or(half.to_id)) {
            return Err(Stop::OwnOrigin);
        }
        if (neighbor.wider.enforce_first_as || end.bgp.wider.enforce_first_as) && external && a.as_path.neighbour() != Some(half.from_asn) {
            return Err(Stop::Filter(Side::Import, "enforce-first-as".to_owned()));
        }
        // RFC 5065 §5: a path with segments of a confederation from outside it is malformed, and is withdrawn (RFC 7606 §7.2)
        let of_confederation = |s: &Segment| matches!(s, Segment::ConfedSequence(_) | Segment::ConfedSet(_));
        if external && a.as_path.segments().iter().any(of_confederation) {
            return Err(Stop::Filter(Side::Import, "AS_PATH with segments of a confederation".to_owned()));
        }
        let sets = |s: &Segment| matches!(s, Segment::Set(_) | Segment::ConfedSet(_));
        if end.bgp.wider.reject_as_sets && a.as_path.segments().iter().any(sets) {
            return Err(Stop::Filter(Side::Import, "reject-as-sets".to_owned()));
        }
        let inward = (&settings.import, &settings.wider.prefix_list_in, &settings.wider.filter_list_in, &settings.wider.distribute_list_in);
        if half.to_sort != Sort::Internal
            && end.requires_policy
            && inward.0.is_none()
            && inward.1.is_none()
            && inward.2.is_none()
            && inward.3.is_none()
        {
            return Err(Stop::NoPolicy(Side::Import));
        }
        filters(end, Side::Import, prefix, &a.as_path, inward.3.as_deref(), inward.1.as_deref(), inward.2.as_deref())?;
        self.only_to_customer_in(neighbor, &mut held)?;
        if external {
            // LOCAL_PREF of another AS counts for nothing (RFC 4271 §5.1.5)
            held.attributes.local_pref = None;
        }
        held.weight = settings.wider.weight.unwrap_or(0);
        if external && !neighbor.wider.aigp {
            held.aigp = None;
        }
        if let Some(name) = inward.0 {
            let rpki = end.vrps.and_then(|v| v.state(prefix, &held.attributes.as_path));
            let question = Question { prefix, neighbor: Some(half.from_address), local: Some(half.to_address), outbound: false, rpki };
            match end.policies.run_traced(name, &question, &mut held, end.trace) {
                Verdict::Accepted { next_hop, .. } => held.next_hop = next_hop,
                Verdict::Rejected { term } => return Err(Stop::Policy(Side::Import, name.clone(), term)),
                Verdict::Unknown { what, .. } => return Err(Stop::Unknown(Side::Import, what)),
            }
        }
        if let Some(soo) = settings.wider.soo
            && let Err(at) = held.extended.binary_search(&soo)
        {
            held.extended.insert(at, soo);
        }
        let a = &mut held.attributes;
        // RFC 7999 §3.2; FRR 8.4 takes NO_EXPORT of the two
        if external && a.communities.contains(&Community::BLACKHOLE) {
            add(&mut a.communities, Community::NO_EXPORT);
        }
        if external {
            if a.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                a.local_pref = Some(0);
            } else if end.bgp.wider.graceful_shutdown {
                add(&mut a.communities, Community::GRACEFUL_SHUTDOWN);
                a.local_pref = Some(0);
            }
        }
        if a.next_hop.is_some_and(|hop| self.fabric.owns(end.index, hop)) {
            return Err(Stop::OwnNextHop);
        }
        // bgpd counts flaps of external neighbours only
        if let Some(settings) = end.bgp.wider.dampening_of.get(&self.family).filter(|_| external)
            && let Some(flaps) = end.flaps.and_then(|f| f.get(&(end.index, half.from_address, *prefix)))
        {
            let now = crate::figure(settings, flaps);
            if now.suppressed {
                return Err(Stop::Dampened(now.penalty as u32, now.reuse_in_s));
            }
        }
        Ok(held)
    }

    fn only_to_customer_in(&self, neighbor: &Neighbor, held: &mut Route) -> Result<(), Stop> {
        match (neighbor.wider.role, held.otc) {
            (Some(Role::Provider | Role::RouteServer), Some(_)) => Err(Stop::OnlyToCustomer),
            (Some(Role::Peer), Some(asn)) if asn != self.half.from_asn => Err(Stop::OnlyToCustomer),
            (Some(Role::Customer | Role::Peer | Role::RouteServerClient), None) => {
                held.otc = Some(self.half.from_asn);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn add(communities: &mut Vec<Community>, one: Community) {
    if let Err(at) = communities.binary_search(&one) {
        communities.insert(at, one);
    }
}

/// Distribute, prefix and AS-path filters. A list that does not exist filters everything, except that an AS-path list is asked in the same
/// way (bgpd, `bgp_input_filter`: a filter whose list is not there denies).
fn filters(
    end: &End<'_>,
    side: Side,
    prefix: &Prefix,
    path: &AsPath,
    distribute: Option<&str>,
    prefix_list: Option<&str>,
    filter_list: Option<&str>,
) -> Result<(), Stop> {
    let check = |passes: Option<bool>, kind: &str, name: &str| {
        if passes.unwrap_or(false) { Ok(()) } else { Err(Stop::Filter(side, format!("{kind} {name}"))) }
    };
    if let Some(name) = distribute {
        check(end.policies.access_list(name, prefix), "distribute-list", name)?;
    }
    if let Some(name) = prefix_list {
        check(end.policies.prefix_list(name, prefix), "prefix-list", name)?;
    }
    if let Some(name) = filter_list {
        check(end.policies.as_path_list(name, path), "filter-list", name)?;
    }
    Ok(())
}

fn count(path: &AsPath, asn: Asn) -> usize {
    let segments = path.segments().iter();
    segments
        .map(|s| match s {
            Segment::Sequence(v) | Segment::ConfedSequence(v) | Segment::Set(v) | Segment::ConfedSet(v) => {
                v.iter().filter(|a| **a == asn).count()
            }
        })
        .sum()
}

/// RFC 4271 §9.1.2, RFC 5065 §4, with `allowas-in` and `local-as` (bgpd, `bgp_update`).
fn loop_check(bgp: &BgpConfig, neighbor: &Neighbor, settings: &NeighborFamily, path: &AsPath) -> Result<(), Stop> {
    // `allowas-in origin` allows none elsewhere
    let allowed = usize::from(settings.wider.allowas_in.filter(|_| !settings.wider.allowas_in_origin).unwrap_or(0));
    if let Some(local) = neighbor.wider.local_as {
        let own = if allowed > 0 { allowed } else { usize::from(!local.no_prepend) };
        if count(path, local.asn) > own {
            return Err(Stop::Loop(local.asn));
        }
    }
    let origin = if let Some(Segment::Sequence(v)) = path.segments().last() { v.last().copied() } else { None };
    if settings.wider.allowas_in_origin && origin == Some(bgp.asn) {
        return Ok(());
    }
    let identifier = bgp.wider.confederation.as_ref().map(|c| c.identifier).filter(|i| i.0 != 0);
    let own = [bgp.asn].into_iter().chain(identifier);
    own.into_iter().find(|own| count(path, *own) > allowed).map_or(Ok(()), |own| Err(Stop::Loop(own)))
}

/// Private AS numbers (RFC 6996).
const fn is_private(asn: Asn) -> bool {
    (asn.0 >= 64_512 && asn.0 <= 65_534) || (asn.0 >= 4_200_000_000 && asn.0 <= 4_294_967_294)
}

/// bgpd, `bgp_peer_remove_private_as`: without `all` only where the whole path is private; the neighbour's own AS stays.
fn remove_private(path: &AsPath, how: config::RemovePrivate, own: Asn, neighbor: Asn) -> AsPath {
    let sequences = path.segments().iter().flat_map(|s| match s {
        Segment::Sequence(v) | Segment::Set(v) | Segment::ConfedSequence(v) | Segment::ConfedSet(v) => v,
    });
    let all_private = sequences.clone().all(|a| is_private(*a));
    if !how.all && !all_private {
        return path.clone();
    }
    if how.replace {
        return replaced(path, |asn| is_private(asn) && asn != neighbor, own);
    }
    if how.all {
        return crate::policy::without(path, |asn| is_private(asn) && asn != neighbor);
    }
    // the neighbour's own AS stays in, so that it sees its loop
    if sequences.into_iter().any(|a| *a == neighbor) {
        return crate::policy::without(path, |asn| is_private(asn) && asn != neighbor);
    }
    AsPath::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen on bgpd 8.4.4: a set in which another AS took the place of one arrives in order (random network 117).
    #[test]
    fn sets_arrive_in_order_and_sequences_as_they_were() {
        let path: Option<AsPath> = "65000 64501 {65000 64504 64777 64504}".parse().ok();
        assert_eq!(path.map(|p| sorted_sets(&p).to_string()), Some("65000 64501 {64504 64777 65000}".to_owned()));
    }
}
