//! Random policies: terms with conditions, actions and flow.

use super::dice::Dice;
use super::{Feature, Network, OWN, PREFIXES, PREFIXES_V6};
use std::collections::BTreeSet;

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Import,
    Export,
}

/// A policy in the making: its own lines, and the lists that it needs.
struct Writer<'n> {
    network: &'n mut Network,
    router: String,
    name: String,
    six: bool,
}

impl Writer<'_> {
    fn list(&mut self, line: &str) {
        self.network.above(&self.router, line);
    }

    /// A prefix list of one or two entries; returns its name.
    fn prefix_list(&mut self, key: &str, dice: &mut Dice) -> String {
        let (word, all): (&str, &[&str]) = if self.six { ("ipv6", &PREFIXES_V6) } else { ("ip", &PREFIXES) };
        let list = format!("P{key}-{}", self.name);
        let bounds = if self.six { [" le 64", " ge 48", ""] } else { [" le 24", " ge 24", ""] };
        if dice.one_in(4) {
            self.list(&format!("{word} prefix-list {list} seq 5 deny {}", dice.pick(all)));
            self.list(&format!("{word} prefix-list {list} seq 10 permit any"));
        } else {
            let prefix = *dice.pick(all);
            // FRR refuses bounds that say nothing
            let bound = if prefix.ends_with("/24") || prefix.ends_with("/48") { "" } else { *dice.pick(&bounds) };
            self.list(&format!("{word} prefix-list {list} seq 5 permit {prefix}{bound}"));
        }
        list
    }

    fn condition(&mut self, key: &str, dice: &mut Dice) -> Option<String> {
        let ip = if self.six { "ipv6" } else { "ip" };
        let off = |f: Feature, n: &Network| n.without.contains(&f);
        match dice.below(14) {
            0..=2 => {
                let list = self.prefix_list(key, dice);
                Some(format!(" match {ip} address prefix-list {list}"))
            }
            3 | 4 if !off(Feature::Communities, self.network) => {
                let exact = if dice.one_in(4) { " exact-match" } else { "" };
                let what = *dice.pick(&["65000:1", "65000:2", "65000:1 65000:2", "no-export"]);
                let list = format!("C{key}-{}", self.name);
                self.list(&format!("bgp community-list standard {list} seq 5 permit {what}"));
                Some(format!(" match community {list}{exact}"))
            }
            5 if !off(Feature::Communities, self.network) => {
                let list = format!("E{key}-{}", self.name);
                self.list(&format!(
                    "bgp community-list expanded {list} seq 5 permit {}",
                    dice.pick(&["65000:[12]", "^65000:1$", "_65000:2"])
                ));
                Some(format!(" match community {list}"))
            }
            6 if !off(Feature::LargeCommunities, self.network) => {
                let list = format!("G{key}-{}", self.name);
                self.list(&format!("bgp large-community-list standard {list} seq 5 permit {OWN}:1:{}", dice.below(3)));
                Some(format!(" match large-community {list}"))
            }
            7 | 8 if !off(Feature::AsPathLists, self.network) => {
                let regex = *dice.pick(&["_64502_", "^64501_", "_64510$", "^$", "^64501 64502$", "_6450[13]_"]);
                let list = format!("A{key}-{}", self.name);
                if dice.one_in(3) {
                    self.list(&format!("bgp as-path access-list {list} seq 5 deny {regex}"));
                    self.list(&format!("bgp as-path access-list {list} seq 10 permit .*"));
                } else {
                    self.list(&format!("bgp as-path access-list {list} seq 5 permit {regex}"));
                }
                Some(format!(" match as-path {list}"))
            }
            9 => Some(format!(" match metric {}", 10 + dice.below(3) * 10)),
            10 => Some(format!(" match origin {}", dice.pick(&["igp", "egp", "incomplete"]))),
            11 => Some(format!(" match local-preference {}", 90 + dice.below(4) * 10)),
            12 if !self.six => {
                let list = format!("N{key}-{}", self.name);
                self.list(&format!("ip prefix-list {list} seq 5 permit 172.16.0.0/16 ge {}", dice.pick(&[24, 32])));
                Some(format!(" match ip next-hop prefix-list {list}"))
            }
            _ => None,
        }
    }

    /// FRR refuses a second `set` of a kind in another form: each kind once.
    fn actions(&mut self, purpose: Use, key: &str, dice: &mut Dice) -> Vec<String> {
        let mut kinds = BTreeSet::new();
        let mut out = Vec::new();
        for _ in 0..dice.below(4) {
            let n = dice.below(4);
            let kind = dice.below(if purpose == Use::Export { 9 } else { 12 });
            let off = |f: Feature| self.network.without.contains(&f);
            let line = match kind {
                0 => format!(" set metric {}", n * 10),
                1 if n == 0 => " set as-path prepend last-as 2".to_owned(),
                1 => format!(" set as-path prepend {}", *dice.pick(&["64501", "64999", "64510 64510"])),
                2 if n == 3 && !off(Feature::Communities) => {
                    let list = format!("D{key}-{}", self.name);
                    self.network.above(&self.router, &format!("bgp community-list standard {list} seq 5 permit {OWN}:1"));
                    format!(" set comm-list {list} delete")
                }
                2 | 3 if !off(Feature::Communities) => {
                    let community = *dice.pick(&["65000:1", "65000:2", "no-export", "no-advertise", "graceful-shutdown", "local-AS"]);
                    format!(" set community {community}{}", if n > 1 { " additive" } else { "" })
                }
                4 => format!(" set origin {}", *dice.pick(&["igp", "egp", "incomplete"])),
                5 => format!(" set metric {}{}", if n > 1 { '+' } else { '-' }, n + 1),
                6 if !off(Feature::LargeCommunities) => {
                    format!(" set large-community {OWN}:1:{n}{}", if dice.one_in(2) { " additive" } else { "" })
                }
                7 if n == 0 => format!(" set as-path exclude {}", dice.pick(&["64501", "64502", "64510"])),
                8 if n == 0 && !self.six && !off(Feature::NextHops) => {
                    if purpose == Use::Export { " set ip next-hop unchanged" } else { " set ip next-hop peer-address" }.to_owned()
                }
                9 => format!(" set weight {}", n * 5),
                10 => format!(" set local-preference {}", 90 + n * 10),
                11 => format!(" set local-preference {}{}", if n > 1 { '+' } else { '-' }, n * 5),
                _ => continue,
            };
            if kinds.insert(line.split_whitespace().take(2).last().map(str::to_owned)) {
                out.push(line);
            }
        }
        out
    }
}

impl Network {
    /// A policy with a few terms; the last accepts everything, mostly. Two sessions with one neighbour share it.
    pub(super) fn policy(&mut self, router: &str, name: &str, purpose: Use, six: bool) {
        let mut dice = self.dice.more();
        if self.policies.get(router).is_some_and(|t| t.contains(&format!("route-map {name} "))) {
            return;
        }
        let flow = !self.without.contains(&Feature::Flow);
        let called = format!("{name}-CALLED");
        let mut w = Writer { network: self, router: router.to_owned(), name: name.to_owned(), six };
        let terms = 1 + dice.below(4);
        let (mut lines, mut calls) = (Vec::new(), false);
        for term in 1..=terms {
            let permit = if dice.one_in(6) { "deny" } else { "permit" };
            lines.push(format!("route-map {name} {permit} {}", term * 10));
            lines.extend(w.condition(&term.to_string(), &mut dice));
            if dice.one_in(5) {
                // conditions of one kind replace each other
                let second = w.condition(&format!("{term}b"), &mut dice);
                let kind = |l: &str| l.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
                let taken = lines.last().map(|l| kind(l));
                lines.extend(second.filter(|s| Some(kind(s)) != taken));
            }
            lines.extend(w.actions(purpose, &term.to_string(), &mut dice));
            let (which, call) = (dice.below(12), dice.one_in(8));
            // a term that denies has no flow
            if flow && permit == "permit" {
                if call {
                    lines.push(format!(" call {called}"));
                    calls = true;
                }
                match which {
                    0 => lines.push(" on-match next".to_owned()),
                    1 => lines.push(format!(" on-match goto {}", (term + 1) * 10)),
                    2 => lines.push(format!(" continue {}", (term + 1) * 10)),
                    _ => {}
                }
            }
        }
        if !dice.one_in(5) {
            lines.push(format!("route-map {name} permit 100"));
        }
        if calls {
            lines.push(format!("route-map {called} permit 10"));
            lines.extend(w.condition("c", &mut dice));
            lines.extend(w.actions(purpose, "c", &mut dice));
            if dice.one_in(2) {
                lines.push(format!("route-map {called} {} 20", if dice.one_in(3) { "deny" } else { "permit" }));
            }
        }
        for line in lines {
            self.policies.entry(router.to_owned()).or_default().push_str(&format!("{line}\n"));
        }
    }
}
