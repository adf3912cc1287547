//! The way back: lines that take a change of a configuration back.

use crate::amend::{Line, is_same, peer_of};
use std::collections::BTreeMap;

/// Returns the lines that turn the text after a change into one that means what the text before meant: what came is taken away, what went is
/// typed again.
#[must_use]
pub fn inverse(before: &str, after: &str) -> Vec<String> {
    let (old, new) = (crate::amend::read(before), crate::amend::read(after));
    let count = |lines: &[Line]| {
        let mut out: BTreeMap<Line, usize> = BTreeMap::new();
        lines.iter().for_each(|l| *out.entry(l.clone()).or_default() += 1);
        out
    };
    let (had, has) = (count(&old), count(&new));
    let mut out = Vec::new();
    // whole blocks that are new go with their heading, last first
    let fresh = |l: &Line| l.context.len() == 1 && l.context[0].starts_with("route-map ") && !old.iter().any(|o| o.context == l.context);
    let mut gone: Vec<&Vec<String>> = Vec::new();
    for line in new.iter().filter(|l| fresh(l)) {
        if !gone.contains(&&line.context) {
            gone.push(&line.context);
        }
    }
    // a neighbour that is new goes as a whole; one that has another AS gets the old one again, because `no` would take all of it
    let of_peer =
        |l: &&Line, of: &Line, peer: &str| l.context.first() == of.context.first() && peer_of(&l.text).is_some_and(|p| is_same(p, peer));
    let mut made: Vec<Line> = Vec::new();
    let mut returns: Vec<&Line> = Vec::new();
    for (line, n) in &has {
        let more = n.saturating_sub(had.get(line).copied().unwrap_or(0));
        if more == 0 || gone.contains(&&line.context) || line.text.is_empty() {
            continue;
        }
        if let Some(peer) = peer_of(&line.text).filter(|_| line.context.first().is_some_and(|c| c.starts_with("router bgp"))) {
            if !old.iter().any(|o| of_peer(&o, line, peer)) {
                let whole = Line { context: line.context[..1].to_vec(), text: format!("no neighbor {peer}") };
                if !made.contains(&whole) {
                    made.push(whole);
                }
                continue;
            }
            let had_as = |o: &&Line| o.context == line.context && of_peer(o, line, peer) && o.text.split(' ').nth(2) == Some("remote-as");
            if line.text.split(' ').nth(2) == Some("remote-as")
                && let Some(line) = old.iter().find(had_as)
            {
                returns.push(line);
                continue;
            }
        }
        out.extend(line.context.iter().cloned());
        out.push(line.text.strip_prefix("no ").map_or_else(|| format!("no {}", line.text), str::to_owned));
        out.push("end".to_owned());
        // `no` takes every line that begins so: what stood there before is typed again
        let begins = format!("{} ", line.text);
        returns.extend(old.iter().filter(|o| o.context == line.context && (o.text == line.text || o.text.starts_with(&begins))));
    }
    for line in made {
        out.extend(line.context);
        out.extend([line.text, "end".to_owned()]);
    }
    for context in gone.into_iter().rev() {
        out.push(format!("no {}", context[0]));
    }
    for line in &old {
        let missing = has.get(line).copied().unwrap_or(0) < had.get(line).copied().unwrap_or(0);
        if missing || returns.contains(&line) {
            out.extend(line.context.iter().cloned());
            if !line.text.is_empty() {
                out.push(line.text.clone());
            }
            out.push("end".to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amend::amended;

    const TEXT: &str = "interface r1-eth0\n ip address 10.0.0.1/24\nip prefix-list A seq 5 permit any\nroute-map M permit 10\n set metric 5\n!\nrouter bgp 1\n neighbor 10.0.0.2 remote-as 2\n address-family ipv4 unicast\n  network 192.0.2.0/24\n  neighbor 10.0.0.2 route-map M in\n exit-address-family\n";

    #[test]
    fn what_was_typed_is_taken_back_whatever_it_was() {
        let changes: [&[&str]; 12] = [
            &["router bgp 1", "no neighbor 10.0.0.2"],
            &["router bgp 1", "no neighbor 10.0.0.2 remote-as 2", "neighbor 10.0.0.2 remote-as 2"],
            &["router bgp 1", "neighbor 10.0.0.2 remote-as 7"],
            &[
                "router bgp 1",
                "neighbor 10.0.0.3 remote-as 4",
                "neighbor 10.0.0.3 shutdown",
                "address-family ipv4 unicast",
                "neighbor 10.0.0.3 route-map M out",
            ],
            &["router bgp 1", "neighbor UP peer-group", "neighbor UP timers 1 3", "neighbor 10.0.0.2 peer-group UP"],
            &["router bgp 1", "neighbor 10.0.0.2 shutdown"],
            &["route-map M permit 10", "set metric 7", "set local-preference 3"],
            &["no route-map M permit 10"],
            &[
                "route-map N deny 5",
                "match ip address prefix-list A",
                "router bgp 1",
                "address-family ipv4 unicast",
                "neighbor 10.0.0.2 route-map N in",
            ],
            &["no ip prefix-list A", "ip prefix-list A seq 10 permit 10.0.0.0/8"],
            &["router bgp 1", "address-family ipv4 unicast", "no network 192.0.2.0/24", "network 198.51.100.0/24"],
            &["ip route 192.0.2.0/24 blackhole"],
        ];
        let before = config::frr::parse(&amended(TEXT, &[]));
        for lines in changes {
            let lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            let after = amended(TEXT, &lines);
            assert_ne!(config::frr::parse(&after), before, "{lines:?} changes something");
            let undo = inverse(TEXT, &after);
            assert_eq!(config::frr::parse(&amended(&after, &undo)), before, "{lines:?} undone by {undo:?}");
        }
    }

    #[test]
    fn version_and_profile_outlive_the_way_back() {
        let text = format!("frr version 8.4.4\nfrr defaults datacenter\n{TEXT}frr version 8.4.4\nfrr defaults datacenter\n");
        let after = amended(&text, &["router bgp 1", "neighbor 10.0.0.2 shutdown"].map(str::to_owned));
        let undo = inverse(&text, &after);
        assert!(!undo.iter().any(|l| l.contains("frr ")), "{undo:?}");
        assert_eq!(amended(&after, &undo), amended(&text, &[]));
    }
}
