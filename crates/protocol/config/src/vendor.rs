//! Whose configuration a text is, told by its content.

use crate::openconfig::XmlError;
use crate::{RouteAction, RouterConfig, Unmodelled, WiderAction, eos, frr, iosxr, junos, openconfig};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Software whose configuration can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// FRR.
    #[default]
    Frr,
    /// Arista EOS.
    Eos,
    /// Junos, curly or `display set`.
    Junos,
    /// Cisco IOS XR.
    IosXr,
    /// OpenConfig, as XML or JSON: the software behind it is not known.
    OpenConfig,
}

impl Vendor {
    /// Every one, in the order in which they are tried.
    pub const ALL: [Self; 5] = [Self::OpenConfig, Self::Junos, Self::IosXr, Self::Eos, Self::Frr];
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frr => "FRR",
            Self::Eos => "Arista EOS",
            Self::Junos => "Junos",
            Self::IosXr => "Cisco IOS XR",
            Self::OpenConfig => "OpenConfig",
        })
    }
}

/// A configuration that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No dialect fits.
    #[error("{file}: not a configuration that is read{}; tried {tried}", looks_like.map(|l| format!(" (it looks like {l})")).unwrap_or_default())]
    Unknown {
        /// File.
        file: String,
        /// A dialect that is known and not read.
        looks_like: Option<&'static str>,
        /// What was tried, with what would have told it.
        tried: String,
    },
    /// Files of one router in two dialects.
    #[error("{file} is {vendor}, {other_file} is {other}: one router has one")]
    Mixed {
        /// File.
        file: String,
        /// Its dialect.
        vendor: Vendor,
        /// Another file.
        other_file: String,
        /// Its dialect.
        other: Vendor,
    },
    /// A document that is not well-formed, or not within bounds.
    #[error("{file}: {source}")]
    Document {
        /// File.
        file: String,
        /// Where and why.
        source: XmlError,
    },
}

/// Circles, and lines that are no text, that are named.
const CIRCLES_MAX: usize = 100;
/// Lines looked at to tell a dialect.
const LINES_LOOKED_AT: usize = 200_000;

/// Words that only one dialect has, with what they are worth; a text's dialect is the one with most.
#[derive(Default)]
struct Votes {
    junos: u32,
    ios_xr: u32,
    eos: u32,
    frr: u32,
    /// Lines that FRR, EOS and IOS have alike.
    alike: u32,
    sr_linux: u32,
    sr_os: u32,
    ios: u32,
}

/// Top-level words of a Junos configuration.
const JUNOS_TOP: [&str; 15] = [
    "system",
    "interfaces",
    "protocols",
    "policy-options",
    "routing-options",
    "routing-instances",
    "groups",
    "apply-groups",
    "version",
    "firewall",
    "chassis",
    "snmp",
    "security",
    "vlans",
    "forwarding-options",
];

impl Votes {
    fn line(&mut self, line: &str, words: &[&str], indented: bool) {
        match words {
            ["set" | "deactivate" | "delete", "/", ..] | ["set" | "delete", "/interface", ..] => self.sr_linux += 2,
            ["set" | "deactivate" | "activate", top, ..] if JUNOS_TOP.contains(top) => self.junos += 2,
            [top, "{"] if JUNOS_TOP.contains(top) && !indented => self.junos += 2,
            ["policy-statement" | "family" | "unit" | "term", _, "{"] => self.junos += 1,
            ["network-instance" | "routing-policy" | "interface", .., "{"] => self.sr_linux += 2,
            ["configure", "{"] | ["/configure", ..] | ["persistent-indices" | "sdp", "{"] => self.sr_os += 3,
            ["#", "TiMOS-B-23" | "TiMOS", ..] => self.sr_os += 3,
            ["end-policy" | "end-set"]
            | ["neighbor-group" | "af-group" | "session-group" | "prefix-set" | "as-path-set" | "community-set", ..] => {
                self.ios_xr += 2;
            }
            ["route-policy", ..] | ["ipv4", "address", ..] | ["router", "static"] | ["bundle", "id", ..] => self.ios_xr += 2,
            ["interface", name, ..] if name.matches('/').count() == 3 => self.ios_xr += 2,
            ["neighbor", _, "peer", "group", ..] | ["ip", "routing"] | ["service", "routing", "protocols", "model", ..] => self.eos += 2,
            ["maximum-paths", _, "ecmp", _] | ["router", "multicast"] | ["transceiver", "qsfp", ..] | ["no", "switchport"] => self.eos += 2,
            ["neighbor", _, "maximum-routes", ..] | ["spanning-tree", "mode", ..] | ["vrf", "instance", ..] | ["management", "api", ..] => {
                self.eos += 2
            }
            ["interface", name] if name.starts_with("Ethernet") && !name.contains('.') => {
                self.eos += 1;
                self.alike += 1;
            }
            ["frr", "version" | "defaults", ..] | ["service", "integrated-vtysh-config"] => self.frr += 4,
            ["exit-address-family"] | ["line", "vty"] | ["neighbor", _, "peer-group"] | ["log", "file", ..] => {
                self.frr += 1;
                self.alike += 1;
            }
            ["no", "bgp", "ebgp-requires-policy" | "network" | "suppress-duplicates", ..] | ["bmp", "targets", ..] => self.frr += 2,
            ["interface", name, ..] if name.starts_with("eth") || *name == "lo" || name.contains("-eth") => self.frr += 1,
            ["ip", "address", _, mask] if mask.parse::<core::net::Ipv4Addr>().is_ok() => self.ios += 2,
            ["router" | "interface" | "route-map" | "hostname" | "neighbor" | "ip" | "ipv6" | "bgp" | "network", _, ..] => self.alike += 1,
            ["password" | "enable" | "access-list" | "debug", ..] => self.alike += 1,
            _ => {}
        }
        match line {
            l if l.starts_with("!! IOS XR") => self.ios_xr += 8,
            l if l.starts_with("! device:") && l.contains("EOS") => self.eos += 8,
            l if l.starts_with("! boot system flash") && l.contains("EOS") => self.eos += 4,
            l if l.starts_with("## Last c") => self.junos += 4,
            l if l.starts_with("# TiMOS") => self.sr_os += 4,
            _ => {}
        }
    }
}

/// Tells whose configuration a text is.
///
/// # Errors
/// [`ReadError::Unknown`], with the file as it is called here.
pub fn recognise(file: &str, text: &str) -> Result<Vendor, ReadError> {
    tell(file, text).map(|(vendor, _)| vendor)
}

/// Tells the dialect, and whether something stands there that only this dialect has.
fn tell(file: &str, text: &str) -> Result<(Vendor, bool), ReadError> {
    let body = text.trim_start_matches('\u{feff}').trim_start();
    if openconfig::is_document(body) {
        return Ok((Vendor::OpenConfig, true));
    }
    let mut votes = Votes::default();
    if !body.starts_with(['<', '[']) {
        for raw in text.lines().take(LINES_LOOKED_AT) {
            let line = raw.trim();
            // the words that tell stand in front
            let words: Vec<&str> = line.split_whitespace().take(8).collect();
            votes.line(line, &words, raw.starts_with(char::is_whitespace));
        }
    }
    let foreign = [(votes.sr_linux, "Nokia SR Linux"), (votes.sr_os, "Nokia SR OS"), (votes.ios, "Cisco IOS")];
    let read = [(votes.junos, Vendor::Junos), (votes.ios_xr, Vendor::IosXr), (votes.eos, Vendor::Eos), (votes.frr, Vendor::Frr)];
    let best_foreign = foreign.into_iter().max_by_key(|(n, _)| *n).filter(|(n, _)| *n > 0);
    let best = read.into_iter().rev().max_by_key(|(n, _)| *n).filter(|(n, _)| *n > 0);
    match (best, best_foreign) {
        (Some((n, vendor)), other) if other.is_none_or(|(m, _)| n >= m) => Ok((vendor, true)),
        // nothing that only one of them has: FRR writes no more than it must
        (None, None) if votes.alike > 0 => Ok((Vendor::Frr, false)),
        (_, other) => {
            let tried = "FRR (`frr version`, `router bgp`), Arista EOS (`neighbor … peer group`, `interface Ethernet1`), Junos \
                         (`policy-options {`, `set protocols …`), Cisco IOS XR (`route-policy`, `neighbor-group`), OpenConfig \
                         (XML or JSON with openconfig-network-instance or -routing-policy)";
            Err(ReadError::Unknown { file: file.to_owned(), looks_like: other.map(|(_, l)| l), tried: tried.to_owned() })
        }
    }
}

/// Tells whose configuration several files of one router are; a file that says too little alone goes with the others.
fn recognise_all(files: &[(String, String)]) -> Result<Vendor, ReadError> {
    let mut known: Option<(&str, Vendor)> = None;
    let (mut unsure, mut unknown) = (None, None);
    for (file, text) in files {
        match tell(file, text) {
            Ok((vendor, false)) => unsure = Some(vendor),
            Ok((vendor, true)) => match known {
                Some((_, other)) if other == vendor => {}
                Some((other_file, other)) => {
                    let (file, other_file) = (file.clone(), other_file.to_owned());
                    return Err(ReadError::Mixed { file, vendor, other_file, other });
                }
                None => known = Some((file, vendor)),
            },
            Err(error) => {
                let blank = text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with(['!', '#']));
                if !blank {
                    unknown.get_or_insert(error);
                }
            }
        }
    }
    match (unknown, known.map(|(_, vendor)| vendor).or(unsure)) {
        (Some(error), _) => Err(error),
        (None, Some(vendor)) => Ok(vendor),
        (None, None) => Err(ReadError::Unknown {
            file: files.first().map(|(f, _)| f.clone()).unwrap_or_default(),
            looks_like: None,
            tried: "every dialect; there is nothing in it".to_owned(),
        }),
    }
}

/// Reads the configuration of a router, in one file or several; each begins outside any block. Line numbers count over all files, each
/// followed by one line.
///
/// # Errors
/// [`ReadError`]: a dialect that is not read, two dialects in one router, a document that is not well-formed.
pub fn read(files: &[(String, String)]) -> Result<RouterConfig, ReadError> {
    let vendor = recognise_all(files)?;
    let joined = || {
        let mut out = String::new();
        for (_, content) in files {
            out.push_str(content);
            if !content.ends_with('\n') {
                out.push('\n');
            }
            out.push_str("end\n");
        }
        out
    };
    let mut config = match vendor {
        Vendor::Frr => {
            let text = joined();
            let mut config = frr::parse(&text);
            frr::doubts(&text, &mut config);
            config
        }
        Vendor::Eos => eos::parse(&joined()),
        Vendor::Junos => junos::parse(&joined()),
        Vendor::IosXr => iosxr::parse(&joined()),
        Vendor::OpenConfig => openconfig::parse_router(files)?,
    };
    config.vendor = vendor;
    areas(&mut config);
    circles(&mut config);
    not_utf8(files, &mut config);
    Ok(config)
}

fn problem(line: u32, text: &str, context: &str, effect: &str) -> Unmodelled {
    Unmodelled { line, text: text.chars().take(80).collect(), context: context.to_owned(), effect: effect.to_owned() }
}

/// Writes areas of OSPF as numbers: `0.0.0.0` of one router and `0` of another are one area.
fn areas(config: &mut RouterConfig) {
    let number = |area: &mut String| {
        if let Ok(dotted) = area.parse::<core::net::Ipv4Addr>() {
            *area = u32::from(dotted).to_string();
        }
    };
    for interface in config.interfaces.values_mut() {
        [&mut interface.igp_v4, &mut interface.igp_v6].into_iter().flatten().for_each(|igp| number(&mut igp.area));
    }
    config.igp.ospf_networks.iter_mut().for_each(|(_, area)| number(area));
}

/// Finds policies that call each other in a circle; each circle is named once.
fn circles(config: &mut RouterConfig) {
    let calls = |name: &str| -> Vec<String> {
        let terms = config.policy.definitions.get(name).into_iter().flat_map(|d| &d.statements).flat_map(|s| &s.actions);
        let called =
            terms.filter_map(|a| if let RouteAction::Wider { what: WiderAction::Call(c), .. } = a { Some(c.clone()) } else { None });
        called.collect()
    };
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for start in config.policy.definitions.keys() {
        // the way from the start to the policy in hand, with what is left to visit of each
        let mut way: Vec<(String, Vec<String>)> = vec![(start.clone(), calls(start))];
        while let Some((name, left)) = way.last_mut() {
            let Some(next) = left.pop() else {
                done.insert(name.clone());
                way.pop();
                continue;
            };
            if let Some(at) = way.iter().position(|(n, _)| *n == next) {
                let circle: Vec<&str> = way[at..].iter().map(|(n, _)| n.as_str()).chain([next.as_str()]).collect();
                found.push(circle.join(" → "));
            } else if !done.contains(&next) {
                let left = calls(&next);
                way.push((next, left));
            }
        }
    }
    for circle in found.into_iter().take(CIRCLES_MAX) {
        let effect = "policies call each other in a circle; all are kept, and a route that goes round is told as not known";
        config.problems.push(problem(0, &circle, "call", effect));
    }
}

/// Lines with bytes that are no UTF-8: whoever read the file put U+FFFD in their place.
fn not_utf8(files: &[(String, String)], config: &mut RouterConfig) {
    let mut before = 0;
    let mut left = CIRCLES_MAX;
    for (file, text) in files {
        for (line, raw) in (1..).zip(text.lines()).filter(|(_, raw)| raw.contains('\u{fffd}')) {
            let Some(rest) = left.checked_sub(1) else { return };
            left = rest;
            let effect = format!("bytes in {file} that are not UTF-8: the line is read with a sign in their place");
            config.problems.push(problem(before + line, raw.trim(), "", &effect));
        }
        before += text.lines().count() as u32 + 1;
    }
}
