//! `routing-policy`: sets, definitions and statements.

mod statement;

pub(super) use statement::{read_sequence, read_statement, write_statement};

use super::XmlError;
use super::tree::{At, BGP_POLICY, Namespace, PILOTHOUSE, ROUTING_POLICY, read, shorten};
use super::xml::{Xml, attribute};
use crate::{CommunitySet, PolicyDefinition, PrefixEntry, PrefixSet, RoutingPolicy};
use bgp::{Family, Prefix};

/// Distance between sequence numbers where none are written; what a router gives to entries without one (FRR, IOS).
const SEQUENCE_STEP: u32 = 5;

/// How strictly unknown elements are met: an edit that is not understood must not be half done; a device's reply may hold more than we model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Edit,
    Reply,
}

/// Renders a whole policy as the `routing-policy` subtree of a `get-config` reply.
#[must_use]
pub fn render_policy(policy: &RoutingPolicy) -> String {
    let mut x = Xml::default();
    x.within("routing-policy", &attribute("xmlns", ROUTING_POLICY), |x| {
        x.within("defined-sets", "", |x| {
            x.within("prefix-sets", "", |x| {
                for (name, set) in &policy.prefix_sets {
                    write_prefix_set(x, name, set, "");
                }
            });
            x.within("bgp-defined-sets", &attribute("xmlns", BGP_POLICY), |x| {
                x.within("community-sets", "", |x| {
                    for (name, set) in &policy.community_sets {
                        write_community_set(x, name, set);
                    }
                });
            });
        });
        x.within("policy-definitions", "", |x| {
            for (name, definition) in &policy.definitions {
                x.within("policy-definition", "", |x| {
                    x.leaf("name", name);
                    x.within("config", "", |x| x.leaf("name", name));
                    x.within("statements", "", |x| definition.statements.iter().for_each(|s| write_statement(x, s, "")));
                });
            }
        });
    });
    x.finish()
}

/// Reads a `routing-policy` subtree, bare or inside `<data>` or `<config>`; a reply without one is an empty policy. Conditions and
/// actions that are not modelled are kept as such and make evaluation "unknown".
///
/// # Errors
/// [`XmlError`] with the element path and byte offset.
pub fn parse_policy(xml: &str) -> Result<RoutingPolicy, XmlError> {
    let mut policy = RoutingPolicy::default();
    for element in &read(xml)? {
        let root = At::root(element);
        if root.is(Namespace::RoutingPolicy, "routing-policy") {
            read_policy(&root, &mut policy)?;
        } else if matches!(root.name(), "data" | "config") {
            for inner in root.children(Namespace::RoutingPolicy, "routing-policy") {
                read_policy(&inner, &mut policy)?;
            }
        } else {
            return Err(root.error("is neither routing-policy nor data nor config".to_owned()));
        }
    }
    Ok(policy)
}

fn read_policy(root: &At<'_>, policy: &mut RoutingPolicy) -> Result<(), XmlError> {
    use Namespace::{BgpPolicy, RoutingPolicy as Rp};
    for sets in root.children(Rp, "defined-sets") {
        for list in sets.children(Rp, "prefix-sets") {
            for set in list.children(Rp, "prefix-set") {
                policy.prefix_sets.insert(set.need(Rp, "name")?.to_owned(), read_prefix_set(&set)?);
            }
        }
        for list in sets.children(BgpPolicy, "bgp-defined-sets") {
            for list in list.children(BgpPolicy, "community-sets") {
                for set in list.children(BgpPolicy, "community-set") {
                    policy.community_sets.insert(set.need(BgpPolicy, "community-set-name")?.to_owned(), read_community_set(&set)?);
                }
            }
        }
    }
    for list in root.children(Rp, "policy-definitions") {
        for definition in list.children(Rp, "policy-definition") {
            let mut statements = Vec::new();
            for list in definition.children(Rp, "statements") {
                for statement in list.children(Rp, "statement") {
                    statements.push(read_statement(&statement, Reading::Reply)?);
                }
            }
            policy.definitions.insert(definition.need(Rp, "name")?.to_owned(), PolicyDefinition { statements });
        }
    }
    Ok(())
}

pub(super) fn write_prefix_set(x: &mut Xml, name: &str, set: &PrefixSet, attributes: &str) {
    x.within("prefix-set", attributes, |x| {
        x.leaf("name", name);
        x.within("config", "", |x| {
            x.leaf("name", name);
            x.leaf("mode", if set.family == Family::Ipv4Unicast { "IPV4" } else { "IPV6" });
        });
        x.within("prefixes", "", |x| {
            for (entry, usual) in set.entries.iter().zip(usual_sequences()) {
                write_prefix(x, entry, usual);
            }
        });
    });
}

fn usual_sequences() -> impl Iterator<Item = u32> {
    (1..).map(|n: u32| n.saturating_mul(SEQUENCE_STEP))
}

fn write_prefix(x: &mut Xml, entry: &PrefixEntry, usual_sequence: u32) {
    let (prefix, range) = (entry.prefix.to_string(), Lengths::of(entry).to_string());
    x.within("prefix", "", |x| {
        x.leaf("ip-prefix", &prefix);
        x.leaf("masklength-range", &range);
        x.within("config", "", |x| {
            x.leaf("ip-prefix", &prefix);
            x.leaf("masklength-range", &range);
            let ours = attribute("xmlns", PILOTHOUSE);
            if entry.sequence != usual_sequence {
                x.leaf_with("sequence", &ours, &entry.sequence.to_string());
            }
            if !entry.permit {
                x.leaf_with("permit", &ours, "false");
            }
            if Lengths::of(entry).bounds(&entry.prefix) != (entry.ge, entry.le) {
                for (name, bound) in [("ge", entry.ge), ("le", entry.le)] {
                    if let Some(bound) = bound {
                        x.leaf_with(name, &ours, &bound.to_string());
                    }
                }
            }
        });
    });
}

/// `masklength-range`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    Exact,
    Between(u8, u8),
}

impl Lengths {
    fn of(entry: &PrefixEntry) -> Self {
        match (entry.ge, entry.le) {
            (None, None) => Self::Exact,
            (ge, le) => Self::Between(ge.unwrap_or_else(|| entry.prefix.length()), le.unwrap_or_else(|| longest(&entry.prefix))),
        }
    }

    /// Returns `ge` and `le` as a router would be told them.
    fn bounds(self, prefix: &Prefix) -> (Option<u8>, Option<u8>) {
        match self {
            Self::Exact => (None, None),
            Self::Between(low, high) if low == prefix.length() => (None, Some(high)),
            Self::Between(low, high) => (Some(low), (high != longest(prefix)).then_some(high)),
        }
    }
}

impl core::fmt::Display for Lengths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Between(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

impl core::str::FromStr for Lengths {
    type Err = core::num::ParseIntError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.split_once("..") {
            None if s == "exact" => Ok(Self::Exact),
            None => s.parse().map(|n| Self::Between(n, n)),
            Some((low, high)) => Ok(Self::Between(low.parse()?, high.parse()?)),
        }
    }
}

fn longest(prefix: &Prefix) -> u8 {
    if prefix.family() == Family::Ipv4Unicast { 32 } else { 128 }
}

pub(super) fn read_prefix_set(set: &At<'_>) -> Result<PrefixSet, XmlError> {
    use Namespace::RoutingPolicy as Rp;
    let mut entries = Vec::new();
    for list in set.children(Rp, "prefixes") {
        for (prefix, usual) in list.children(Rp, "prefix").zip(usual_sequences()) {
            entries.push(read_prefix(&prefix, usual)?);
        }
    }
    let mode = set.child(Rp, "config").and_then(|config| config.leaf(Rp, "mode").map(str::to_owned));
    let family = match mode.as_deref() {
        Some("IPV4") => Family::Ipv4Unicast,
        Some("IPV6") => Family::Ipv6Unicast,
        None | Some("MIXED") => entries.first().map_or(Family::Ipv4Unicast, |e| e.prefix.family()),
        Some(other) => return Err(set.error(format!("mode {:?} is not IPV4, IPV6 or MIXED", shorten(other)))),
    };
    if let Some(stranger) = entries.iter().find(|e| e.prefix.family() != family) {
        return Err(set.error(format!("mixes families: {} in a set of {family}", stranger.prefix)));
    }
    Ok(PrefixSet { family, entries })
}

fn read_prefix(prefix: &At<'_>, usual_sequence: u32) -> Result<PrefixEntry, XmlError> {
    use Namespace::{Pilothouse, RoutingPolicy as Rp};
    let text = prefix.need(Rp, "ip-prefix")?;
    let value: Prefix = text.parse().map_err(|_| prefix.error(format!("{:?} is not a prefix", shorten(text))))?;
    let range = prefix.need(Rp, "masklength-range")?;
    let lengths: Lengths =
        range.parse().map_err(|_| prefix.error(format!("masklength-range {:?} is neither exact nor a..b", shorten(range))))?;
    let (mut ge, mut le) = lengths.bounds(&value);
    let (mut sequence, mut permit) = (usual_sequence, true);
    if let Some(config) = prefix.child(Rp, "config") {
        if config.child(Pilothouse, "ge").is_some() || config.child(Pilothouse, "le").is_some() {
            (ge, le) = (None, None);
        }
        for leaf in config.all().filter(|leaf| leaf.namespace() == Pilothouse) {
            match leaf.name() {
                "sequence" => sequence = leaf.value("a sequence number")?,
                "permit" => permit = leaf.value("true or false")?,
                "ge" => ge = Some(leaf.value("a prefix length")?),
                "le" => le = Some(leaf.value("a prefix length")?),
                _ => return Err(leaf.error("is not known".to_owned())),
            }
        }
    }
    Ok(PrefixEntry { sequence, permit, prefix: value, ge, le })
}

fn write_community_set(x: &mut Xml, name: &str, set: &CommunitySet) {
    // an ordered list with denies and all-of entries is more than OpenConfig's any-of set: then every entry is written our way
    let plain = set.entries.iter().all(|(permit, all)| *permit && all.len() == 1);
    x.within("community-set", "", |x| {
        x.leaf("community-set-name", name);
        x.within("config", "", |x| {
            x.leaf("community-set-name", name);
            for (permit, all) in &set.entries {
                if plain {
                    all.iter().for_each(|c| x.leaf("community-member", &c.to_string()));
                } else {
                    x.within("entry", &attribute("xmlns", PILOTHOUSE), |x| {
                        x.leaf("permit", if *permit { "true" } else { "false" });
                        all.iter().for_each(|c| x.leaf("community", &c.to_string()));
                    });
                }
            }
        });
    });
}

fn read_community_set(set: &At<'_>) -> Result<CommunitySet, XmlError> {
    use Namespace::{BgpPolicy, Pilothouse};
    let mut entries = Vec::new();
    let Some(config) = set.child(BgpPolicy, "config") else { return Ok(CommunitySet { entries }) };
    for child in config.all() {
        if child.is(BgpPolicy, "community-member") {
            entries.push((true, vec![child.value("a community like 65001:100")?]));
        } else if child.is(Pilothouse, "entry") {
            let permit = child.child(Pilothouse, "permit").map_or(Ok(true), |p| p.value("true or false"))?;
            let all = child.children(Pilothouse, "community").map(|c| c.value("a community like 65001:100")).collect::<Result<_, _>>()?;
            entries.push((permit, all));
        }
    }
    Ok(CommunitySet { entries })
}
