//! K22: a community is used only where its meaning is known.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Meaning, Row};
use bgp::{Asn, Community, Family};

/// Communities from here on are well known (RFC 1997, IANA).
const WELL_KNOWN: u32 = 0xFFFF_0000;

/// Looks each community that the change adds up in the dictionary of the provider it goes to.
#[must_use]
pub fn meaning(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for (router, neighbor, community) in &e.intent.communities {
        let config = e.after.network.routers.iter().find(|r| r.name == *router).and_then(|r| r.config.bgp.as_ref());
        let Some(session) = config.and_then(|b| b.neighbors.get(neighbor)) else { continue };
        let row = |what: String| Row::of(router, format!("{community} to AS {}: {what}", session.remote_as));
        if community.0 >= WELL_KNOWN || e.context.facts.protected_communities.contains(community) {
            found.block(row("well known or protected; an action never sets it".to_owned()));
            continue;
        }
        let sends = |f: Family| session.families.get(&f).is_none_or(|s| s.send_community);
        if !sends(Family::Ipv4Unicast) || !sends(Family::Ipv6Unicast) {
            found.block(row("no effect: communities are not sent on this session".to_owned()));
        }
        match word(e, session.remote_as, *community) {
            Some(Meaning::Blackhole) => {
                found.tier(3);
                found.block(row("the provider drops the traffic to what carries it".to_owned()));
            }
            Some(meaning) => {
                if meaning == Meaning::NoAnnounce {
                    found.tier(3);
                }
            }
            None => {
                found.tier(3);
                found.warn(row("what it means there is not known: tier 3".to_owned()));
            }
        }
    }
    let told: Vec<String> = e.intent.communities.iter().map(|(_, _, c)| c.to_string()).collect();
    let fine = if told.is_empty() { "no community is set".to_owned() } else { format!("the meaning of {} is known", told.join(", ")) };
    found.check(CheckId::K22, fine, "")
}

fn word(e: &Evidence<'_>, asn: Asn, community: Community) -> Option<Meaning> {
    e.context.facts.communities.iter().find(|w| w.asn == asn && w.community == community).map(|w| w.meaning)
}
