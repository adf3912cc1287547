//! Configuration lines typed into a router: what its text is afterwards.

/// A line with the blocks it stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub context: Vec<String>,
    pub text: String,
}

fn words(line: &str) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    // the subsequent family may be left out
    if matches!(line.as_str(), "address-family ipv4" | "address-family ipv6") { line + " unicast" } else { line }
}

/// Says whether a line opens a block, and whether the block stands inside `router …`.
fn opens(line: &str) -> Option<bool> {
    let first: Vec<&str> = line.split(' ').collect();
    match first[..] {
        ["address-family", ..] => Some(true),
        ["interface" | "int" | "vrf" | "line", _, ..] | ["router", ..] | ["route-map", _, "permit" | "deny", _] => Some(false),
        _ => None,
    }
}

/// Follows blocks from line to line.
#[derive(Default)]
struct Place {
    context: Vec<String>,
}

impl Place {
    /// Moves to where `line` leads; returns false for a line that only moves.
    fn follow(&mut self, line: &str) -> bool {
        match line {
            "end" | "configure terminal" => self.context.clear(),
            "exit" | "exit-address-family" | "quit" => drop(self.context.pop()),
            _ => match opens(line) {
                Some(nested) => {
                    let keep = usize::from(nested && self.context.first().is_some_and(|c| c.starts_with("router ")));
                    self.context.truncate(keep);
                    self.context.push(line.to_owned());
                }
                None => return true,
            },
        }
        false
    }
}

/// Reads a text line by line, each with the blocks it stands in.
pub(crate) fn read(text: &str) -> Vec<Line> {
    let mut place = Place::default();
    let mut out = Vec::new();
    for raw in text.lines() {
        let line = words(raw);
        if line.is_empty() || line.starts_with('!') || line.starts_with('#') {
            continue;
        }
        // a line at the margin leaves the block, unless it can only stand in one
        let inside = raw.starts_with(char::is_whitespace) || line.starts_with("exit") || line == "end" || opens(&line).is_some();
        let of_block =
            place.context.last().is_some_and(|c| c.starts_with("router ") || c.starts_with("route-map ") || c.starts_with("int"));
        if !inside && of_block && is_of_top(&line) {
            place.context.clear();
        }
        if place.follow(&line) {
            out.push(Line { context: place.context.clone(), text: line });
        } else if opens(&line).is_some() {
            out.push(Line { context: place.context.clone(), text: String::new() });
        }
    }
    out
}

fn is_of_top(line: &str) -> bool {
    let starts = [
        "frr ",
        "ip ",
        "ipv6 ",
        "access-list ",
        "hostname ",
        "log ",
        "debug ",
        "bgp community-list",
        "bgp as-path",
        "bgp large-community-list",
    ];
    starts.iter().any(|s| line.starts_with(s)) && !line.starts_with("ip address")
}

/// Returns the text after `lines` were typed in order; `no …` takes lines away, a block's heading behind `no` the whole block.
#[must_use]
pub fn amended(text: &str, lines: &[String]) -> String {
    let mut all = read(text);
    let mut place = Place::default();
    for raw in lines {
        let line = full_heading(&words(raw), &all);
        if line.is_empty() || !place.follow(&line) {
            if opens(&line).is_some() {
                all.push(Line { context: place.context.clone(), text: String::new() });
            }
            continue;
        }
        let Some(gone) = line.strip_prefix("no ") else {
            all.push(Line { context: place.context.clone(), text: line });
            continue;
        };
        let before = all.len();
        if let Some(block) = place.context.first().filter(|c| c.starts_with("router bgp") && place.context.len() == 1)
            && let Some(peers) = ended(&all, block, gone)
        {
            all.retain(|l| l.context.first() != Some(block) || !peer_of(&l.text).is_some_and(|p| peers.iter().any(|e| is_same(e, p))));
        } else if let Some(map) = gone.strip_prefix("route-map ").filter(|name| !name.contains(' ')) {
            all.retain(|l| !l.context.first().is_some_and(|c| c.starts_with("route-map ") && c.split(' ').nth(1) == Some(map)));
        } else if opens(gone).is_some() {
            let mut path = if gone.starts_with("address-family") { place.context.clone() } else { Vec::new() };
            path.push(gone.to_owned());
            all.retain(|l| !l.context.starts_with(&path));
        } else {
            let begins = format!("{gone} ");
            all.retain(|l| l.context != place.context || !(l.text == gone || l.text.starts_with(&begins)));
        }
        if all.len() == before {
            all.push(Line { context: place.context.clone(), text: line });
        }
    }
    render(&all)
}

/// The neighbour or peer group that a line is about.
pub(crate) fn peer_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("no ").unwrap_or(line).strip_prefix("neighbor ")?;
    rest.split(' ').next()
}

/// Says whether two words name one neighbour; an address can be written in several ways.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    let address = |w: &str| w.parse::<core::net::IpAddr>().ok();
    a == b || address(a).is_some_and(|x| address(b) == Some(x))
}

/// Returns the neighbours and groups that are no more after `no` and this line, with all that is configured of them in every family: a
/// neighbour goes with its AS, a group takes its members with it, and a member whose AS was the group's goes when it leaves (bgpd 8.4.4).
/// `None`: the line ends none.
fn ended(all: &[Line], block: &str, line: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = line.split(' ').collect();
    let here = || all.iter().filter(|l| l.context.first().is_some_and(|c| c == block)).map(|l| l.text.as_str());
    let has = |peer: &str, what: &str| {
        here().any(|l| peer_of(l).is_some_and(|p| is_same(p, peer)) && l.split(' ').nth(2) == Some(what) && !l.starts_with("no "))
    };
    let ["neighbor", peer, rest @ ..] = &words[..] else { return None };
    let is_group = here().any(|l| l == format!("neighbor {peer} peer-group"));
    let ends = match rest {
        [] => true,
        ["remote-as", ..] => !is_group,
        ["peer-group"] => is_group,
        ["peer-group", group] => has(group, "remote-as") && has(peer, "peer-group"),
        _ => false,
    };
    if !ends || !here().any(|l| peer_of(l).is_some_and(|p| is_same(p, peer))) {
        return None;
    }
    let mut out = vec![(*peer).to_owned()];
    if is_group {
        let member = format!(" peer-group {peer}");
        out.extend(here().filter(|l| l.starts_with("neighbor ") && l.ends_with(&member)).filter_map(peer_of).map(str::to_owned));
    }
    Some(out)
}

/// `router bgp` without a number means the one that is there.
fn full_heading(line: &str, all: &[Line]) -> String {
    if line == "router bgp" {
        let known = all.iter().flat_map(|l| l.context.first()).find(|c| c.starts_with("router bgp "));
        return known.cloned().unwrap_or_else(|| line.to_owned());
    }
    line.to_owned()
}

fn render(all: &[Line]) -> String {
    let mut order: Vec<&Vec<String>> = Vec::new();
    for line in all {
        if !order.contains(&&line.context) {
            order.push(&line.context);
        }
    }
    let mut out = String::new();
    for context in order {
        for (depth, heading) in context.iter().enumerate() {
            out.push_str(&" ".repeat(depth));
            out.push_str(heading);
            out.push('\n');
        }
        for line in all.iter().filter(|l| &l.context == context && !l.text.is_empty()) {
            out.push_str(&" ".repeat(context.len()));
            out.push_str(&line.text);
            out.push('\n');
        }
        for _ in context {
            out.push_str("exit\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "interface r1-eth0\n ip address 10.0.0.1/24\nip prefix-list A seq 5 permit any\nroute-map M permit 10\n set metric 5\n!\nrouter bgp 1\n neighbor 10.0.0.2 remote-as 2\n address-family ipv4 unicast\n  network 192.0.2.0/24\n  neighbor 10.0.0.2 route-map M in\n exit-address-family\n";

    fn typed(lines: &[&str]) -> String {
        amended(TEXT, &lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn lines_come_and_go_in_their_blocks() {
        let text = typed(&["router bgp", "address-family ipv4 unicast", "no network 192.0.2.0/24", "network 198.51.100.0/24"]);
        let bgp = config::frr::parse(&text).bgp.unwrap();
        assert_eq!(bgp.networks.iter().map(|n| n.prefix.to_string()).collect::<Vec<_>>(), ["198.51.100.0/24"]);
        assert_eq!(bgp.neighbors.len(), 1);
    }

    #[test]
    fn a_family_without_unicast_is_the_unicast_one() {
        let text = typed(&["router bgp 1", "address-family ipv4", "no network 192.0.2.0/24"]);
        assert!(config::frr::parse(&text).bgp.unwrap().networks.is_empty());
    }

    #[test]
    fn nothing_typed_changes_nothing() {
        assert_eq!(config::frr::parse(&typed(&[])), config::frr::parse(TEXT));
    }

    #[test]
    fn version_and_profile_stay_where_they_stand() {
        let text = format!("frr version 8.4.4\nfrr defaults datacenter\n{TEXT}frr version 8.4.4\nfrr defaults datacenter\n");
        let lines = ["router bgp 1", "neighbor 10.0.0.2 shutdown"].map(str::to_owned);
        let after = amended(&text, &lines);
        assert!(config::frr::parse(&after).bgp.unwrap().best_path.deterministic_med, "{after}");
        assert!(after.lines().filter(|l| l.starts_with("frr ")).eq(text.lines().filter(|l| l.starts_with("frr "))), "{after}");
    }

    /// As bgpd 8.4.4 does, also where the neighbour is named again at once: its policies do not come back with it.
    #[test]
    fn a_neighbour_goes_with_all_that_is_configured_of_it() {
        let lines_of = |text: &str, peer: &str| {
            text.lines().filter(|l| peer_of(l.trim()) == Some(peer)).map(|l| l.trim().to_owned()).collect::<Vec<_>>()
        };
        for gone in ["no neighbor 10.0.0.2", "no neighbor 10.0.0.2 remote-as 2"] {
            let text = typed(&["router bgp 1", gone]);
            assert!(lines_of(&text, "10.0.0.2").is_empty(), "{text}");
            let text = typed(&["router bgp 1", gone, "neighbor 10.0.0.2 remote-as 2"]);
            assert_eq!(lines_of(&text, "10.0.0.2"), ["neighbor 10.0.0.2 remote-as 2"], "{gone}");
        }
        let group = ["router bgp 1", "neighbor UP peer-group", "neighbor UP remote-as 3", "neighbor 2001:db8::9 peer-group UP"];
        let with =
            |more: &[&str]| typed(&[&group[..], &["neighbor 10.0.0.9 remote-as 4", "neighbor 10.0.0.9 peer-group UP"], more].concat());
        let text = with(&["no neighbor UP peer-group"]);
        assert!(["UP", "2001:db8::9", "10.0.0.9"].iter().all(|p| lines_of(&text, p).is_empty()), "{text}");
        assert_eq!(lines_of(&text, "10.0.0.2").len(), 2, "{text}");
        let text = with(&["no neighbor 2001:db8:0::9 peer-group UP"]);
        assert!(lines_of(&text, "2001:db8::9").is_empty() && !lines_of(&text, "UP").is_empty(), "{text}");
        // a group without an AS keeps its members, which have their own
        let text = typed(&[&group[..2], &["neighbor 10.0.0.2 peer-group UP", "no neighbor 10.0.0.2 peer-group UP"]].concat());
        assert_eq!(lines_of(&text, "10.0.0.2"), ["neighbor 10.0.0.2 remote-as 2", "neighbor 10.0.0.2 route-map M in"], "{text}");
    }

    #[test]
    fn a_block_goes_with_its_heading_and_a_later_value_holds() {
        let text = typed(&["no route-map M permit 10", "route-map M permit 20", "set metric 7", "set metric 9"]);
        let policy = config::frr::parse(&text).policy;
        let terms = &policy.definitions["M"].statements;
        assert_eq!(terms.len(), 1);
        assert_eq!(terms[0].actions, [config::RouteAction::SetMed(9)]);
        assert_eq!(policy.prefix_sets.len(), 1);
    }

    #[test]
    fn a_policy_goes_whole_by_its_name_alone() {
        let text = typed(&["route-map M permit 20", "route-map MORE permit 10", "router bgp 1", "no route-map M"]);
        let policy = config::frr::parse(&text).policy;
        assert_eq!(policy.definitions.keys().collect::<Vec<_>>(), ["MORE"], "{text}");
        assert!(text.contains("neighbor 10.0.0.2 route-map M in"), "who names it goes on naming it\n{text}");
    }
}
