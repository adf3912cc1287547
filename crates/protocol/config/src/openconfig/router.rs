//! A whole router: interfaces, and what stands in its default network instance.

use super::chain::Policies;
use super::instance;
use super::tree::{Element, read};
use super::{XmlError, json};
use crate::notes::{Notes, Object};
use crate::outline::{self, link_local};
use crate::{ReadError, RouterConfig, Vendor};
use bgp::Prefix;
use core::net::IpAddr;

/// Frames around the data of a NETCONF reply.
const FRAMES: [&str; 3] = ["rpc-reply", "data", "config"];
/// Roots that are read.
const ROOTS: [&str; 3] = ["interfaces", "network-instances", "routing-policy"];

/// Says whether a text is a document of OpenConfig data, in XML or JSON.
#[must_use]
pub(crate) fn is_document(text: &str) -> bool {
    let body = text.trim_start();
    let json = body.starts_with(['{', '[']) && body.trim_start_matches(['{', '[', ' ', '\n', '\r', '\t']).starts_with('"');
    (body.starts_with('<') || json) && (body.contains("openconfig") || ROOTS.iter().any(|r| body.contains(&format!("\"{r}\""))))
}

/// Where elements stand, for notes: lines of XML, none of JSON.
pub(super) struct Lines {
    starts: Vec<u64>,
    before: u32,
}

impl Lines {
    fn new(text: &str, before: u32) -> Self {
        let starts = core::iter::once(0).chain(text.bytes().zip(1u64..).filter(|(b, _)| *b == b'\n').map(|(_, at)| at)).collect();
        Self { starts, before }
    }

    pub(super) fn of(&self, element: &Element) -> u32 {
        if element.offset() == 0 {
            return 0;
        }
        self.before + self.starts.partition_point(|s| *s <= element.offset()) as u32
    }
}

/// Reads the documents of one router; what is not modelled is listed.
///
/// # Errors
/// [`ReadError::Document`]: a document that is not well-formed or not within bounds.
pub(crate) fn parse_router(files: &[(String, String)]) -> Result<RouterConfig, ReadError> {
    let mut notes = Notes::default();
    let mut config = RouterConfig { vendor: Vendor::OpenConfig, ..RouterConfig::default() };
    let mut documents = Vec::new();
    let mut before = 0;
    for (file, text) in files {
        let body = text.trim_start_matches('\u{feff}');
        let failed = |source: XmlError| ReadError::Document { file: file.clone(), source };
        let is_xml = body.trim_start().starts_with('<');
        let elements =
            if body.trim().is_empty() { Vec::new() } else { if is_xml { read(body) } else { json::read(body) }.map_err(failed)? };
        documents.push((elements, Lines::new(if is_xml { body } else { "" }, before)));
        before += text.lines().count() as u32 + 1;
    }
    let mut roots = Vec::new();
    for (elements, lines) in &documents {
        let mut todo: Vec<&Element> = elements.iter().rev().collect();
        while let Some(element) = todo.pop() {
            if FRAMES.contains(&element.name.as_str()) {
                todo.extend(element.children().iter().rev());
            } else if ROOTS.contains(&element.name.as_str()) {
                roots.push((element, lines));
            } else if element.name == "system" {
                if let Some(name) = element.one("config").and_then(|c| c.one("hostname")) {
                    name.text().clone_into(&mut config.hostname);
                }
            } else {
                notes.unmodelled(lines.of(element), &element.name, "", "ignored: no route is chosen by it");
            }
        }
    }
    let of = |name: &'static str| roots.iter().filter(move |(r, _)| r.name == name);
    for (root, lines) in of("interfaces") {
        interfaces(root, lines, &mut config, &mut notes);
    }
    let mut policies = Policies::default();
    for (root, lines) in of("routing-policy") {
        policies.read(root, lines, &mut config, &mut notes);
    }
    for (root, lines) in of("network-instances") {
        instance::read(root, lines, &mut config, &mut policies, &mut notes);
    }
    if let Some(id) = outline::default_router_id(&config)
        && let Some(bgp) = config.bgp.as_mut()
    {
        bgp.router_id.get_or_insert(id);
    }
    notes.finish(&mut config, |object| match object {
        Object::Group => "the neighbour has no settings from it",
        _ => "the model refuses such a reference; the outcome is not known, and said where a route reaches it",
    });
    Ok(config)
}

fn interfaces(root: &Element, lines: &Lines, config: &mut RouterConfig, notes: &mut Notes) {
    for port in root.many("interface") {
        let Some(name) = port.leaf("name") else {
            notes.problem(lines.of(port), "interface", "interfaces", "it has no name: not kept");
            continue;
        };
        let down = port.leaf("enabled") == Some("false");
        config.interfaces.entry(name.to_owned()).or_default().shutdown = down;
        for unit in port.list("subinterfaces", "subinterface") {
            let index = unit.leaf("index").unwrap_or("0");
            let full = if index == "0" { name.to_owned() } else { format!("{name}.{index}") };
            let interface = config.interfaces.entry(full.clone()).or_default();
            interface.shutdown = down || unit.leaf("enabled") == Some("false");
            for family in ["ipv4", "ipv6"] {
                for address in unit.one(family).into_iter().flat_map(|f| f.list("addresses", "address")) {
                    let read = address.leaf("ip").and_then(|ip| ip.parse::<IpAddr>().ok()).zip(address.number::<u8>("prefix-length"));
                    match read.filter(|(a, n)| Prefix::new(*a, *n).is_some()) {
                        Some((ip, length)) => {
                            notes.address(ip, &full, lines.of(address), link_local(ip));
                            interface.addresses.push((ip, length));
                        }
                        None => {
                            let text = format!("address {}", address.leaf("ip").unwrap_or_default());
                            notes.unmodelled(
                                lines.of(address),
                                &text,
                                &format!("interface {full}"),
                                "ignored: the interface does not have this address",
                            );
                        }
                    }
                }
            }
        }
    }
}
