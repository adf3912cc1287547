//! Configurations whose blocks are indented (EOS, IOS XR) as a bounded tree of lines, and values that both dialects write alike.

use bgp::{Asn, Prefix};
use core::net::{IpAddr, Ipv4Addr};

/// Deepest block; real ones have six levels. What stands deeper is taken to stand there.
pub(crate) const DEPTH_MAX: usize = 32;
/// Words of a line that are looked at; an EOS `switchport trunk allowed vlan` has some hundred.
pub(crate) const WORDS_MAX: usize = 4096;

/// A line with the lines indented below it.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    /// Line number, from 1.
    pub line: u32,
    pub words: Vec<&'t str>,
    pub children: Vec<Node<'t>>,
}

impl Node<'_> {
    /// The line as text.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// Reads a text into a tree. Lines that begin with `!` (or `#`) and empty ones are left out. Returns the lines that stand too deep too.
pub(crate) fn read(text: &str) -> (Vec<Node<'_>>, Vec<u32>) {
    let mut roots = Vec::new();
    let mut open: Vec<(usize, Node<'_>)> = Vec::new();
    let mut deep = Vec::new();
    for (line, raw) in (1..).zip(text.lines()) {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with(['!', '#']) {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        while open.last().is_some_and(|(at, _)| *at >= indent) {
            close(&mut open, &mut roots);
        }
        if open.len() >= DEPTH_MAX {
            deep.push(line);
            close(&mut open, &mut roots);
        }
        let words = trimmed.split_whitespace().take(WORDS_MAX).collect();
        open.push((indent, Node { line, words, children: Vec::new() }));
    }
    while !open.is_empty() {
        close(&mut open, &mut roots);
    }
    (roots, deep)
}

fn close<'t>(open: &mut Vec<(usize, Node<'t>)>, roots: &mut Vec<Node<'t>>) {
    let Some((_, done)) = open.pop() else { return };
    match open.last_mut() {
        Some((_, parent)) => parent.children.push(done),
        None => roots.push(done),
    }
}

/// Reads an AS number as asplain or asdot (RFC 5396).
pub(crate) fn asn(text: &str) -> Option<Asn> {
    match text.split_once('.') {
        None => text.parse().ok().map(Asn),
        Some((high, low)) => Some(Asn((u32::from(high.parse::<u16>().ok()?) << 16) | u32::from(low.parse::<u16>().ok()?))),
    }
}

/// Reads `A.B.C.D/N`, an address alone as a host, or an address and a mask.
pub(crate) fn prefix(text: &str) -> Option<Prefix> {
    if text.contains('/') {
        return text.parse().ok();
    }
    let address: IpAddr = text.parse().ok()?;
    Prefix::new(address, if address.is_ipv4() { 32 } else { 128 })
}

/// The number of leading ones of a mask; `None` when others follow.
pub(crate) fn mask(text: &str) -> Option<u8> {
    let bits = u32::from(text.parse::<Ipv4Addr>().ok()?);
    (bits.leading_ones() + bits.trailing_zeros() >= 32).then_some(bits.leading_ones() as u8)
}

/// `fe80::/10`.
pub(crate) fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.segments()[0] & 0xFFC0 == 0xFE80)
}

/// The router id that a router takes when none is given: the highest IPv4 address of a loopback, else of any interface.
pub(crate) fn default_router_id(config: &crate::RouterConfig) -> Option<Ipv4Addr> {
    let pick = |loopback: bool| {
        let of = config.interfaces.iter().filter(move |(n, i)| !i.shutdown && n.to_ascii_lowercase().starts_with("lo") == loopback);
        let four = of.flat_map(|(_, i)| &i.addresses).filter_map(|(a, _)| if let IpAddr::V4(a) = a { Some(*a) } else { None });
        four.filter(|a| !a.is_loopback()).max()
    };
    pick(true).or_else(|| pick(false))
}
