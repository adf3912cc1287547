//! `router ospf`, `router ospf6`, `router isis`.

use super::{Igp, Read, clause};
use crate::{IgpSettings, Redistribution};

/// Reads a line of an IGP's block.
pub(super) fn line(settings: &mut IgpSettings, which: Igp, words: &[&str]) -> Read {
    match (which, words) {
        (Igp::Ospf, ["ospf", "router-id", id]) => settings.ospf_router_id = id.parse().ok(),
        (_, ["ospf" | "ospf6", "router-id", _] | ["timers" | "log-adjacency-changes", ..]) => {}
        (Igp::Isis, ["net" | "is-type" | "metric-style" | "lsp-gen-interval" | "spf-interval", ..]) => {}
        (Igp::Ospf, ["network", prefix, "area", area]) => {
            let Ok(prefix) = prefix.parse() else { return Read::Unmodelled };
            settings.ospf_networks.push((prefix, (*area).to_owned()));
            return Read::Wider;
        }
        (Igp::Ospf, ["redistribute", protocol]) | (Igp::Isis, ["redistribute", "ipv4", protocol, "level-1" | "level-2"]) => {
            let Some(protocol) = clause::protocol(protocol) else { return Read::Unmodelled };
            let entry = Redistribution { protocol, policy: None, metric: None };
            match which {
                Igp::Isis => settings.isis_redistribute.push(entry),
                _ => settings.ospf_redistribute.push(entry),
            }
            return Read::Wider;
        }
        _ => return Read::Unmodelled,
    }
    Read::Harmless
}
