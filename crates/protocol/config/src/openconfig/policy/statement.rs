//! `statement`: conditions and actions.

use super::Reading;
use crate::openconfig::XmlError;
use crate::openconfig::tree::{At, BGP_POLICY, Namespace, PILOTHOUSE, shorten};
use crate::openconfig::xml::{Xml, attribute};
use crate::{Condition, PolicyResult, RouteAction, Statement};
use bgp::{AsPath, Asn, Community, Origin, Segment};
use core::net::IpAddr;

pub(in crate::openconfig) fn write_statement(x: &mut Xml, statement: &Statement, attributes: &str) {
    let statement = statement.clone().canonical();
    let name = statement.sequence.to_string();
    x.within("statement", attributes, |x| {
        x.leaf("name", &name);
        x.within("config", "", |x| x.leaf("name", &name));
        write_conditions(x, &statement.conditions);
        write_actions(x, &statement);
    });
}

fn write_conditions(x: &mut Xml, conditions: &[Condition]) {
    if conditions.is_empty() {
        return;
    }
    // OpenConfig has one place for each kind; a second of a kind stands in ours
    let (mut prefixes, mut communities, mut ours) = (None, None, Vec::new());
    for condition in conditions {
        match condition {
            Condition::PrefixSet(name) if prefixes.is_none() => prefixes = Some(name),
            Condition::CommunitySet(name) if communities.is_none() => communities = Some(name),
            Condition::PrefixSet(name) => ours.push(("prefix-set", name)),
            Condition::CommunitySet(name) => ours.push(("community-set", name)),
            Condition::Unmodelled(line) | Condition::Wider { line, .. } => ours.push(("native", line)),
        }
    }
    x.within("conditions", "", |x| {
        if let Some(name) = prefixes {
            x.within("match-prefix-set", "", |x| match_config(x, "prefix-set", name));
        }
        if let Some(name) = communities {
            x.within("bgp-conditions", &attribute("xmlns", BGP_POLICY), |x| {
                x.within("match-community-set", "", |x| match_config(x, "community-set", name));
            });
        }
        for (kind, value) in ours {
            x.within("condition", &attribute("xmlns", PILOTHOUSE), |x| x.leaf(kind, value));
        }
    });
}

fn match_config(x: &mut Xml, kind: &str, name: &str) {
    x.within("config", "", |x| {
        x.leaf(kind, name);
        x.leaf("match-set-options", "ANY");
    });
}

/// The actions of one statement, by where they are written.
#[derive(Default)]
struct Sorted<'a> {
    origin: Option<Origin>,
    local_pref: Option<u32>,
    next_hop: Option<IpAddr>,
    med: Option<u32>,
    prepend: Option<(Asn, usize)>,
    communities: Option<(&'static str, &'a [Community])>,
    ours: Vec<(&'static str, String)>,
}

impl<'a> Sorted<'a> {
    fn of(actions: &'a [RouteAction]) -> Self {
        let mut s = Self::default();
        for action in actions {
            match action {
                RouteAction::SetOrigin(o) if s.origin.is_none() => s.origin = Some(*o),
                RouteAction::SetLocalPref(v) if s.local_pref.is_none() => s.local_pref = Some(*v),
                RouteAction::SetNextHop(a) if s.next_hop.is_none() => s.next_hop = Some(*a),
                RouteAction::SetMed(v) if s.med.is_none() => s.med = Some(*v),
                RouteAction::Prepend(path) if s.prepend.is_none() && repeated(path).is_some() => s.prepend = repeated(path),
                RouteAction::AddCommunities(c) if s.communities.is_none() => s.communities = Some(("ADD", c)),
                RouteAction::SetCommunities(c) if s.communities.is_none() => s.communities = Some(("REPLACE", c)),
                other => s.ours.push(own_form(other)),
            }
        }
        s
    }

    fn has_bgp(&self) -> bool {
        self.origin.is_some()
            || self.local_pref.is_some()
            || self.next_hop.is_some()
            || self.med.is_some()
            || self.prepend.is_some()
            || self.communities.is_some()
    }
}

/// Returns the AS and how often, when the path is one AS repeated as `repeat-n` can say it.
fn repeated(path: &AsPath) -> Option<(Asn, usize)> {
    let [Segment::Sequence(asns)] = path.segments() else { return None };
    let first = asns.first()?;
    (asns.len() <= usize::from(u8::MAX) && asns.iter().all(|a| a == first)).then_some((*first, asns.len()))
}

fn own_form(action: &RouteAction) -> (&'static str, String) {
    let list = |c: &[Community]| c.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match action {
        RouteAction::SetLocalPref(v) => ("set-local-pref", v.to_string()),
        RouteAction::SetMed(v) => ("set-med", v.to_string()),
        RouteAction::SetWeight(v) => ("set-weight", v.to_string()),
        RouteAction::SetOrigin(o) => ("set-origin", origin_name(*o).to_owned()),
        RouteAction::AddCommunities(c) => ("add-communities", list(c)),
        RouteAction::SetCommunities(c) => ("set-communities", list(c)),
        RouteAction::DeleteCommunities(name) => ("delete-communities", name.clone()),
        RouteAction::Prepend(path) => ("prepend", path.to_string()),
        RouteAction::SetNextHop(a) => ("set-next-hop", a.to_string()),
        RouteAction::Unmodelled(line) | RouteAction::Wider { line, .. } => ("native", line.clone()),
    }
}

const fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "INCOMPLETE",
    }
}

fn write_actions(x: &mut Xml, statement: &Statement) {
    let sorted = Sorted::of(&statement.actions);
    x.within("actions", "", |x| {
        let result = match statement.result {
            PolicyResult::Accept => "ACCEPT_ROUTE",
            PolicyResult::Reject => "REJECT_ROUTE",
        };
        x.within("config", "", |x| x.leaf("policy-result", result));
        if sorted.has_bgp() {
            x.within("bgp-actions", &attribute("xmlns", BGP_POLICY), |x| write_bgp_actions(x, &sorted));
        }
        for (kind, value) in &sorted.ours {
            x.within("action", &attribute("xmlns", PILOTHOUSE), |x| x.leaf(kind, value));
        }
    });
}

fn write_bgp_actions(x: &mut Xml, sorted: &Sorted<'_>) {
    let leaves = [
        ("set-route-origin", sorted.origin.map(|o| origin_name(o).to_owned())),
        ("set-local-pref", sorted.local_pref.map(|v| v.to_string())),
        ("set-next-hop", sorted.next_hop.map(|a| a.to_string())),
        ("set-med", sorted.med.map(|v| v.to_string())),
    ];
    if leaves.iter().any(|(_, v)| v.is_some()) {
        x.within("config", "", |x| {
            for (name, value) in &leaves {
                if let Some(value) = value {
                    x.leaf(name, value);
                }
            }
        });
    }
    if let Some((asn, times)) = sorted.prepend {
        x.within("set-as-path-prepend", "", |x| {
            x.within("config", "", |x| {
                x.leaf("repeat-n", &times.to_string());
                x.leaf("asn", &asn.to_string());
            });
        });
    }
    if let Some((option, communities)) = sorted.communities {
        x.within("set-community", "", |x| {
            x.within("config", "", |x| {
                x.leaf("method", "INLINE");
                x.leaf("options", option);
            });
            x.within("inline", "", |x| {
                x.within("config", "", |x| communities.iter().for_each(|c| x.leaf("communities", &c.to_string())));
            });
        });
    }
}

/// Reads a statement; its name is its sequence number.
pub(in crate::openconfig) fn read_statement(statement: &At<'_>, reading: Reading) -> Result<Statement, XmlError> {
    use Namespace::RoutingPolicy as Rp;
    let sequence = read_sequence(statement)?;
    let mut conditions = Vec::new();
    if let Some(at) = statement.child(Rp, "conditions") {
        for child in at.all() {
            read_condition(&child, reading, &mut conditions)?;
        }
    }
    let actions_at = statement.child(Rp, "actions").ok_or_else(|| statement.error("has no actions".to_owned()))?;
    let (mut result, mut actions) = (None, Vec::new());
    for child in actions_at.all() {
        if child.is(Rp, "config") {
            result = match child.leaf(Rp, "policy-result") {
                Some("ACCEPT_ROUTE") => Some(PolicyResult::Accept),
                Some("REJECT_ROUTE") => Some(PolicyResult::Reject),
                Some(other) => return Err(child.error(format!("policy-result {:?} is not known", shorten(other)))),
                None => None,
            };
        } else {
            read_action(&child, reading, &mut actions)?;
        }
    }
    let result = result.ok_or_else(|| actions_at.error("has no policy-result".to_owned()))?;
    Ok(Statement { sequence, result, conditions, actions }.canonical())
}

pub(in crate::openconfig) fn read_sequence(statement: &At<'_>) -> Result<u32, XmlError> {
    let name = statement.need(Namespace::RoutingPolicy, "name")?;
    name.parse().map_err(|_| statement.error(format!("name {:?} is not a sequence number", shorten(name))))
}

fn read_condition(at: &At<'_>, reading: Reading, out: &mut Vec<Condition>) -> Result<(), XmlError> {
    use Namespace::{BgpPolicy, Pilothouse, RoutingPolicy as Rp};
    if at.is(Rp, "match-prefix-set") {
        let name = matched_set(at, Rp, "prefix-set", reading)?;
        out.push(name.map_or_else(|| unmodelled_condition(at), Condition::PrefixSet));
    } else if at.is(BgpPolicy, "bgp-conditions") {
        for child in at.all().filter(|c| !state_or_empty(c)) {
            if child.is(BgpPolicy, "match-community-set") {
                let name = matched_set(&child, BgpPolicy, "community-set", reading)?;
                out.push(name.map_or_else(|| unmodelled_condition(&child), Condition::CommunitySet));
            } else {
                refuse_in_edit(&child, reading)?;
                out.push(unmodelled_condition(&child));
            }
        }
    } else if at.is(Pilothouse, "condition") {
        for child in at.all() {
            out.push(match child.name() {
                "prefix-set" => Condition::PrefixSet(child.text().to_owned()),
                "community-set" => Condition::CommunitySet(child.text().to_owned()),
                "native" => Condition::native(child.text()),
                _ => return Err(child.error("is not known".to_owned())),
            });
        }
    } else if !state_or_empty(at) {
        refuse_in_edit(at, reading)?;
        out.push(unmodelled_condition(at));
    }
    Ok(())
}

/// Operational state, and containers that a server shows without content.
fn state_or_empty(at: &At<'_>) -> bool {
    at.name() == "state" || (at.all().next().is_none() && at.text().is_empty())
}

fn refuse_in_edit(at: &At<'_>, reading: Reading) -> Result<(), XmlError> {
    match reading {
        Reading::Edit => Err(at.error("is not known".to_owned())),
        Reading::Reply => Ok(()),
    }
}

fn unmodelled_condition(at: &At<'_>) -> Condition {
    Condition::Unmodelled(at.name().to_owned())
}

/// Returns the set's name, or `None` when the options are not the ones modelled.
fn matched_set(at: &At<'_>, namespace: Namespace, leaf: &'static str, reading: Reading) -> Result<Option<String>, XmlError> {
    let Some(config) = at.child(namespace, "config") else { return Err(at.error("has no config".to_owned())) };
    match config.leaf(namespace, "match-set-options") {
        None | Some("ANY") => Ok(Some(config.need(namespace, leaf)?.to_owned())),
        Some(_) => refuse_in_edit(&config, reading).map(|()| None),
    }
}

fn read_action(at: &At<'_>, reading: Reading, out: &mut Vec<RouteAction>) -> Result<(), XmlError> {
    if at.is(Namespace::BgpPolicy, "bgp-actions") {
        for child in at.all().filter(|c| !state_or_empty(c)) {
            read_bgp_action(&child, reading, out)?;
        }
    } else if at.is(Namespace::Pilothouse, "action") {
        for child in at.all() {
            out.push(read_own_form(&child)?);
        }
    } else if !state_or_empty(at) {
        refuse_in_edit(at, reading)?;
        out.push(RouteAction::Unmodelled(at.name().to_owned()));
    }
    Ok(())
}

fn read_bgp_action(at: &At<'_>, reading: Reading, out: &mut Vec<RouteAction>) -> Result<(), XmlError> {
    use Namespace::BgpPolicy;
    if at.is(BgpPolicy, "config") {
        for leaf in at.all() {
            let action = match leaf.name() {
                "set-route-origin" => read_origin(&leaf).map(RouteAction::SetOrigin),
                "set-local-pref" => leaf.value("a LOCAL_PREF").map(RouteAction::SetLocalPref),
                "set-next-hop" => leaf.value("an address").map(RouteAction::SetNextHop),
                "set-med" => leaf.value("a MED").map(RouteAction::SetMed),
                _ => Err(leaf.error("is not known".to_owned())),
            };
            out.push(match (action, reading) {
                (Err(_), Reading::Reply) => RouteAction::Unmodelled(format!("{} {}", leaf.name(), shorten(leaf.text()))),
                (action, _) => action?,
            });
        }
    } else if at.is(BgpPolicy, "set-as-path-prepend") {
        out.push(RouteAction::Prepend(read_prepend(at)?));
    } else if let Some(action) = at.is(BgpPolicy, "set-community").then(|| read_set_community(at)).transpose()?.flatten() {
        out.push(action);
    } else {
        refuse_in_edit(at, reading)?;
        out.push(RouteAction::Unmodelled(at.name().to_owned()));
    }
    Ok(())
}

fn read_origin(at: &At<'_>) -> Result<Origin, XmlError> {
    let known = [Origin::Igp, Origin::Egp, Origin::Incomplete].into_iter().find(|o| origin_name(*o) == at.text());
    known.ok_or_else(|| at.error(format!("{:?} is not IGP, EGP or INCOMPLETE", shorten(at.text()))))
}

fn read_prepend(at: &At<'_>) -> Result<AsPath, XmlError> {
    use Namespace::BgpPolicy;
    let config = at.child(BgpPolicy, "config").ok_or_else(|| at.error("has no config".to_owned()))?;
    let asn = config.child(BgpPolicy, "asn").ok_or_else(|| config.error("has no asn".to_owned()))?;
    let asn: u32 = asn.value("an AS number")?;
    let times: u8 = config.child(BgpPolicy, "repeat-n").map_or(Ok(1), |n| n.value("a count from 1 to 255"))?;
    Ok(AsPath::sequence(core::iter::repeat_n(asn, usize::from(times))))
}

/// Returns `None` for a method or option that is not modelled.
fn read_set_community(at: &At<'_>) -> Result<Option<RouteAction>, XmlError> {
    use Namespace::BgpPolicy;
    let config = at.child(BgpPolicy, "config").ok_or_else(|| at.error("has no config".to_owned()))?;
    if !matches!(config.leaf(BgpPolicy, "method"), None | Some("INLINE")) {
        return Ok(None);
    }
    let mut communities = Vec::new();
    if let Some(inline) = at.child(BgpPolicy, "inline")
        && let Some(inline) = inline.child(BgpPolicy, "config")
    {
        for leaf in inline.children(BgpPolicy, "communities") {
            communities.push(leaf.value("a community like 65001:100")?);
        }
    }
    Ok(match config.leaf(BgpPolicy, "options") {
        Some("ADD") => Some(RouteAction::AddCommunities(communities)),
        Some("REPLACE") => Some(RouteAction::SetCommunities(communities)),
        _ => None,
    })
}

fn read_own_form(at: &At<'_>) -> Result<RouteAction, XmlError> {
    let list = || -> Result<Vec<Community>, XmlError> {
        let bad = |word: &str| at.error(format!("{:?} is not a community like 65001:100", shorten(word)));
        at.text().split_whitespace().map(|word| word.parse().map_err(|_| bad(word))).collect()
    };
    Ok(match at.name() {
        "set-local-pref" => RouteAction::SetLocalPref(at.value("a LOCAL_PREF")?),
        "set-med" => RouteAction::SetMed(at.value("a MED")?),
        "set-weight" => RouteAction::SetWeight(at.value("a weight")?),
        "set-origin" => RouteAction::SetOrigin(read_origin(at)?),
        "add-communities" => RouteAction::AddCommunities(list()?),
        "set-communities" => RouteAction::SetCommunities(list()?),
        "delete-communities" => RouteAction::DeleteCommunities(at.text().to_owned()),
        "prepend" => RouteAction::Prepend(at.value("an AS path")?),
        "set-next-hop" => RouteAction::SetNextHop(at.value("an address")?),
        "native" => RouteAction::native(at.text()),
        _ => return Err(at.error("is not known".to_owned())),
    })
}
