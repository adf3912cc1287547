//! The running configuration of a simulated router: FRR text that takes `configure terminal` lines.
//!
//! What a router shows is a function of what is configured, never of the order in which it was typed: lists and route-maps stand sorted by
//! name and number, the clauses of a term sorted, so lines that are taken back leave the very text of before.

use config::{RouterConfig, frr};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A line the router refuses, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("% {0}")]
pub struct Refusal(String);

/// Clauses of a route-map term by what they are about, longest first: a second one of the same kind takes the place of the first.
const SLOTS: [&str; 11] = [
    "match ip address prefix-list",
    "match ipv6 address prefix-list",
    "match community",
    "set ipv6 next-hop global",
    "set ip next-hop",
    "set as-path prepend",
    "set local-preference",
    "set community",
    "set metric",
    "set origin",
    "set weight",
];

/// One term of a route-map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Term {
    permit: bool,
    /// Line by its slot.
    clauses: BTreeMap<String, String>,
}

/// A prefix list: `ip` or `ipv6`, and its name.
type ListName = (String, String);

/// A running configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Everything before the lists: kept as it is.
    head: Vec<String>,
    /// `router bgp` with all it holds, without shutdowns.
    bgp: Vec<String>,
    lists: BTreeMap<ListName, BTreeMap<u32, String>>,
    maps: BTreeMap<String, BTreeMap<u32, Term>>,
    shutdown: BTreeSet<IpAddr>,
}

/// Where `configure terminal` stands.
enum Place {
    Top,
    Term(String, u32),
    Bgp,
}

impl Settings {
    /// Takes up a configuration file.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut settings = Self::default();
        let mut bgp = false;
        let mut place = Place::Top;
        for line in text.lines().filter(|l| l.trim() != "!") {
            let words: Vec<&str> = line.split_whitespace().collect();
            let top = !line.starts_with(' ');
            bgp = if top { matches!(words[..], ["router", "bgp", _]) || (bgp && line == "exit") } else { bgp };
            if bgp {
                settings.bgp.push(line.to_owned());
                bgp = line != "exit";
            } else if !is_policy(&words) && matches!(place, Place::Top) || settings.line(&words, &mut place).is_err() {
                settings.head.push(line.to_owned());
            }
        }
        settings
    }

    /// Carries out `configure terminal` lines; those before a refused one stay in effect.
    ///
    /// # Errors
    /// The refusal.
    pub fn configure(&mut self, lines: &[String]) -> Result<(), Refusal> {
        let mut place = Place::Top;
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            self.line(&words, &mut place)?;
        }
        Ok(())
    }

    /// Shows the running configuration.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out: Vec<String> = vec!["!".to_owned()];
        out.extend(self.head.iter().cloned());
        for ((ip, name), entries) in &self.lists {
            out.extend(entries.iter().map(|(seq, rest)| format!("{ip} prefix-list {name} seq {seq} {rest}")));
        }
        for (name, terms) in &self.maps {
            for (seq, term) in terms {
                out.push(heading(name, term.permit, *seq));
                out.extend(term.clauses.values().map(|c| format!(" {c}")));
                out.extend(["exit".to_owned(), "!".to_owned()]);
            }
        }
        for line in &self.bgp {
            out.push(line.clone());
            if let ["neighbor", address, "remote-as", _] = line.split_whitespace().collect::<Vec<_>>()[..]
                && address.parse().is_ok_and(|a| self.shutdown.contains(&a))
            {
                out.push(format!(" neighbor {address} shutdown"));
            }
        }
        out.push("end\n".to_owned());
        out.join("\n")
    }

    /// Reads it as a model.
    #[must_use]
    pub fn model(&self) -> RouterConfig {
        frr::parse(&self.text())
    }

    fn line(&mut self, words: &[&str], place: &mut Place) -> Result<(), Refusal> {
        match (&*place, words) {
            (_, [] | ["!"]) => Ok(()),
            (_, ["exit" | "end"]) => {
                *place = Place::Top;
                Ok(())
            }
            (Place::Term(map, seq), ["match" | "set", ..]) => self.clause(&map.clone(), *seq, words, true),
            (Place::Term(map, seq), ["no", "match" | "set", ..]) => {
                self.clause(&map.clone(), *seq, words.get(1..).unwrap_or_default(), false)
            }
            (Place::Bgp, ["neighbor", address, "shutdown"]) => self.set_shutdown(address, true),
            (Place::Bgp, ["no", "neighbor", address, "shutdown"]) => self.set_shutdown(address, false),
            (_, [ip @ ("ip" | "ipv6"), "prefix-list", name, "seq", seq, rest @ ..]) => self.list_entry(ip, name, seq, rest),
            (_, ["no", ip @ ("ip" | "ipv6"), "prefix-list", name, "seq", seq, rest @ ..]) => self.no_list_entry(ip, name, seq, rest),
            (_, ["no", ip @ ("ip" | "ipv6"), "prefix-list", name]) => {
                let gone = self.lists.remove(&((*ip).to_owned(), (*name).to_owned()));
                gone.map(drop).ok_or_else(|| Refusal(format!("Can't find prefix-list {name}")))
            }
            (_, ["route-map", name, result @ ("permit" | "deny"), seq]) => {
                let seq = number(seq)?;
                let term = self.maps.entry((*name).to_owned()).or_default().entry(seq).or_default();
                let permit = *result == "permit";
                if term.permit != permit {
                    *term = Term { permit, clauses: BTreeMap::new() };
                }
                *place = Place::Term((*name).to_owned(), seq);
                Ok(())
            }
            (_, ["no", "route-map", name, "permit" | "deny", seq]) => self.no_term(name, number(seq)?),
            (_, ["router", "bgp", asn]) if self.bgp.first().is_some_and(|l| l.split_whitespace().nth(2) == Some(*asn)) => {
                *place = Place::Bgp;
                Ok(())
            }
            _ => Err(Refusal(format!("Unknown command: {}", words.join(" ")))),
        }
    }

    fn list_entry(&mut self, ip: &str, name: &str, seq: &str, rest: &[&str]) -> Result<(), Refusal> {
        let (seq, rest) = (number(seq)?, rest.join(" "));
        let list = self.lists.entry((ip.to_owned(), name.to_owned())).or_default();
        // FRR takes the same entry only once
        if list.iter().any(|(s, r)| *s != seq && *r == rest) {
            return Err(Refusal(format!("prefix-list {name} already has {rest}")));
        }
        list.insert(seq, rest);
        Ok(())
    }

    fn no_list_entry(&mut self, ip: &str, name: &str, seq: &str, rest: &[&str]) -> Result<(), Refusal> {
        let key = (ip.to_owned(), name.to_owned());
        let missing = || Refusal(format!("Can't find prefix-list {name} seq {seq}"));
        let list = self.lists.get_mut(&key).ok_or_else(missing)?;
        let seq = number(seq)?;
        if list.get(&seq) != Some(&rest.join(" ")) {
            return Err(missing());
        }
        list.remove(&seq);
        if list.is_empty() {
            self.lists.remove(&key);
        }
        Ok(())
    }

    fn no_term(&mut self, name: &str, seq: u32) -> Result<(), Refusal> {
        let missing = || Refusal(format!("Could not find route-map {name} {seq}"));
        let terms = self.maps.get_mut(name).ok_or_else(missing)?;
        terms.remove(&seq).ok_or_else(missing)?;
        if terms.is_empty() {
            self.maps.remove(name);
        }
        Ok(())
    }

    fn clause(&mut self, map: &str, seq: u32, words: &[&str], on: bool) -> Result<(), Refusal> {
        let line = words.join(" ");
        let gone = || Refusal(format!("Could not find route-map {map} {seq}"));
        let term = self.maps.get_mut(map).and_then(|m| m.get_mut(&seq)).ok_or_else(gone)?;
        let slot = SLOTS.iter().find(|s| line == **s || line.starts_with(&format!("{s} "))).map_or(line.as_str(), |s| *s).to_owned();
        if on {
            term.clauses.insert(slot, line);
            return Ok(());
        }
        let same = |had: &String| line == slot || *had == line;
        if !term.clauses.get(&slot).is_some_and(same) {
            return Err(Refusal(format!("Can't find rule: {line}")));
        }
        term.clauses.remove(&slot);
        Ok(())
    }

    fn set_shutdown(&mut self, address: &str, down: bool) -> Result<(), Refusal> {
        let known = |a: &IpAddr| self.bgp.iter().any(|l| l.trim().starts_with(&format!("neighbor {a} remote-as ")));
        let address =
            address.parse().ok().filter(known).ok_or_else(|| Refusal("Specify remote-as or peer-group commands first".to_owned()))?;
        if down {
            self.shutdown.insert(address)
        } else {
            self.shutdown.remove(&address)
        };
        Ok(())
    }
}

fn is_policy(words: &[&str]) -> bool {
    matches!(words, ["ip" | "ipv6", "prefix-list", ..] | ["route-map", ..])
}

fn heading(name: &str, permit: bool, seq: u32) -> String {
    format!("route-map {name} {} {seq}", if permit { "permit" } else { "deny" })
}

fn number(word: &str) -> Result<u32, Refusal> {
    word.parse().map_err(|_| Refusal(format!("Unknown command: {word}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::running_text;
    use crate::topology::Topology;
    use bgp::{Community, PathAttributes};
    use config::edit::{inverse, local_pref_terms};

    #[test]
    fn the_text_means_what_the_file_of_the_lab_means() {
        let t = Topology::seed().unwrap();
        for node in &t.nodes {
            let file = running_text(&t, node);
            let (mut a, mut b) = (frr::parse(&file), Settings::new(&file).model());
            (a.unmodelled, b.unmodelled) = (Vec::new(), Vec::new());
            assert_eq!(a, b, "{}", node.id);
            assert!(a.bgp.is_some());
        }
    }

    #[test]
    fn showing_and_reading_it_again_changes_nothing() {
        let t = Topology::seed().unwrap();
        let shown = Settings::new(&running_text(&t, t.node("r1").unwrap())).text();
        assert_eq!(Settings::new(shown.trim_end().trim_end_matches("end")).text(), shown);
    }

    #[test]
    fn the_lines_of_an_edit_take_effect_and_their_inverse_restores_the_text() {
        let t = Topology::seed().unwrap();
        let mut settings = Settings::new(&running_text(&t, t.node("r1").unwrap()));
        let before = settings.text();
        let model = settings.model();
        let attributes = PathAttributes { communities: vec![Community::new(64500, 1)], ..PathAttributes::default() };
        let routes: Vec<_> = ["203.0.113.0/24", "198.18.3.0/24"].map(|p| (p.parse().unwrap(), &attributes)).to_vec();
        let edits = local_pref_terms(&model.policy, "ISPB-IN", &routes, 250, "X").unwrap();
        settings.configure(&frr::lines(&model, &edits).unwrap()).unwrap();
        assert!(config::edit::in_effect(&settings.model(), &edits));
        assert_ne!(settings.text(), before);
        let back = inverse(&model, &edits).unwrap();
        settings.configure(&frr::lines(&settings.model(), &back).unwrap()).unwrap();
        assert_eq!(settings.text(), before);
    }

    #[test]
    fn a_shutdown_comes_and_goes_and_nonsense_is_refused() {
        let t = Topology::seed().unwrap();
        let mut settings = Settings::new(&running_text(&t, t.node("r1").unwrap()));
        let before = settings.text();
        let say = |s: &mut Settings, lines: &[&str]| s.configure(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
        say(&mut settings, &["router bgp 65001", " neighbor 172.31.1.1 shutdown", "exit"]).unwrap();
        assert!(settings.model().bgp.unwrap().neighbors[&"172.31.1.1".parse::<IpAddr>().unwrap()].shutdown);
        say(&mut settings, &["router bgp 65001", " no neighbor 172.31.1.1 shutdown", "exit"]).unwrap();
        assert_eq!(settings.text(), before);
        assert!(say(&mut settings, &["reload"]).unwrap_err().to_string().starts_with("% Unknown command"));
        assert!(say(&mut settings, &["no route-map NOWHERE permit 10"]).is_err());
        assert!(say(&mut settings, &["route-map ISPA-IN permit 100", "no set metric 5"]).is_err());
        assert!(say(&mut settings, &["router bgp 65001", "neighbor 9.9.9.9 shutdown"]).is_err());
    }
}
