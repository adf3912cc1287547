//! What `RoutingPolicy::evaluate` says of a route, against what a real bgpd makes of it.
//!
//! One bgpd announces tagged routes, the other takes them through policies that use every condition and action that is modelled.
//! Needs FRR (Debian: `frr`); started by `tests/peers/frr-bmp.sh`.

use bgp::{AsPath, Community, Origin, PathAttributes, Prefix};
use config::{PolicyOutcome, RoutingPolicy, frr};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SCRIPT: &str = "peers/frr-bmp.sh";
/// Longer than a session takes to come up, and than a policy takes to act.
const PATIENCE: Duration = Duration::from_secs(10);
/// Next hop that the announcing side writes.
const NEXT_HOP: &str = "10.99.0.11";

/// Prefix and communities as announced; MED is the position.
const ROUTES: [(&str, &str); 14] = [
    ("198.18.0.0/24", ""),
    ("198.18.1.0/24", "64500:1"),
    ("198.18.2.0/24", "64500:2"),
    ("198.18.3.0/24", "64500:1 64500:2"),
    ("198.18.4.0/24", "64500:1 64500:2 64500:3"),
    ("198.18.5.0/24", "65535:0"),
    ("198.18.6.0/25", "64500:1"),
    ("198.18.7.0/32", "64500:2"),
    ("198.18.8.0/21", ""),
    ("198.18.0.0/15", "64500:3"),
    ("10.0.0.0/8", "64500:1"),
    ("10.1.0.0/16", "64500:1"),
    ("10.1.2.0/24", ""),
    ("203.0.113.0/24", "64500:9"),
];

/// Lists that the policies below share.
const LISTS: &str = "\
ip prefix-list EXACT seq 5 permit 198.18.0.0/24
ip prefix-list EXACT seq 10 permit 203.0.113.0/24
ip prefix-list LONG seq 5 permit 0.0.0.0/0 ge 25
ip prefix-list TEN seq 5 deny 10.1.0.0/16 le 24
ip prefix-list TEN seq 10 permit 10.0.0.0/8 le 32
ip prefix-list MIDDLE seq 5 permit 198.18.0.0/15 ge 20 le 24
ip prefix-list EVERY seq 5 permit any
ipv6 prefix-list SIX seq 5 permit any
bgp community-list standard ONE seq 5 permit 64500:1
bgp community-list standard BOTH seq 5 permit 64500:1 64500:2
bgp community-list standard NOT-THREE seq 5 deny 64500:3
bgp community-list standard NOT-THREE seq 10 permit 64500:1
bgp community-list standard EITHER seq 5 permit 64500:1
bgp community-list standard EITHER seq 10 permit 64500:2
bgp community-list standard EITHER seq 15 permit 64500:9 64500:8
";

const POLICIES: [(&str, &str); 7] = [
    (
        "denies first, classes after",
        "deny 10|match ip address prefix-list LONG;deny 20|match ip address prefix-list TEN;permit 30|match community BOTH|set local-preference 300;permit 40|match community ONE|set local-preference 200|set community 65001:7 additive;permit 50|set local-preference 150",
    ),
    ("implicit end", "permit 10|match ip address prefix-list MIDDLE|set metric 77"),
    (
        "deny entries in a community list",
        "permit 10|match community NOT-THREE|set weight 9;permit 20|match ip address prefix-list EXACT|set origin incomplete",
    ),
    (
        "communities replaced and taken off",
        "permit 10|match community BOTH|set community none;permit 20|match community ONE|set community 65001:1 65001:2;permit 30|set comm-list EITHER delete",
    ),
    (
        "two conditions",
        "permit 10|match ip address prefix-list MIDDLE|match community ONE|set as-path prepend 65001 65002;permit 20|match ip address prefix-list TEN|set ip next-hop 192.0.2.1",
    ),
    (
        "lists that are not there",
        "deny 10|match ip address prefix-list NOWHERE;deny 20|match community NOWHERE;permit 30|match ip address prefix-list EVERY|set local-preference 0",
    ),
    (
        "a list of the other family",
        "permit 10|match ipv6 address prefix-list SIX;permit 20|match community EITHER|set local-preference 4294967295",
    ),
];

/// Each policy has its own name: bgpd 8.4.4 dies when a route-map in use is taken away, made again and followed by `clear … soft in`.
fn policy_text(name: &str, terms: &str) -> String {
    let mut text = String::new();
    for term in terms.split(';') {
        let mut lines = term.split('|');
        text += &format!("route-map {name} {}\n", lines.next().unwrap());
        lines.for_each(|l| text += &format!(" {l}\n"));
        text += "exit\n";
    }
    text
}

struct Pair {
    work: PathBuf,
    a: String,
}

impl Pair {
    fn start() -> anyhow::Result<Option<Self>> {
        let work = std::env::temp_dir().join(format!("pilothouse-policy-{}", std::process::id()));
        // nobody listens for BMP on the discard port: bgpd keeps trying, and the routes do not care
        let output = Command::new(SCRIPT).arg(&work).args(["start", "9"]).output()?;
        if output.status.code() == Some(77) {
            println!("{}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let a = text.lines().find_map(|l| l.strip_prefix("a=")).unwrap_or_default().to_owned();
        Ok(Some(Self { work, a }))
    }

    fn vtysh(&self, side: &str, commands: &[&str]) -> anyhow::Result<String> {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(self.work.join(side)).args(["-d", "bgpd"]);
        for command in commands {
            vtysh.args(["-c", command]);
        }
        let output = vtysh.output()?;
        Ok(String::from_utf8(output.stdout)?)
    }

    fn configure(&self, side: &str, text: &str) -> anyhow::Result<()> {
        let commands: Vec<&str> = core::iter::once("configure terminal").chain(text.lines()).collect();
        let said = self.vtysh(side, &commands)?;
        anyhow::ensure!(!said.contains('%'), "bgpd {side} refused: {said}");
        Ok(())
    }

    fn json(&self, side: &str, command: &str) -> anyhow::Result<Value> {
        let text = self.vtysh(side, &[command])?;
        // a prefix that is not in the table is answered with nothing
        Ok(if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    fn until(&self, what: &str, done: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done()? {
            anyhow::ensure!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg(&self.work).arg("stop").output();
        let _ = std::fs::remove_dir_all(&self.work);
    }
}

fn announce(pair: &Pair) -> anyhow::Result<()> {
    let mut text = String::new();
    for (i, (_, communities)) in ROUTES.iter().enumerate() {
        text += &format!("route-map T{i} permit 10\n set metric {i}\n");
        if !communities.is_empty() {
            text += &format!(" set community {communities}\n");
        }
        text += "exit\n";
    }
    text += "router bgp 65001\naddress-family ipv4 unicast\n";
    for (i, (prefix, _)) in ROUTES.iter().enumerate() {
        text += &format!("network {prefix} route-map T{i}\n");
    }
    pair.configure("a", &text)
}

fn arriving(i: usize) -> (Prefix, PathAttributes) {
    let (prefix, communities) = ROUTES[i];
    let attributes = PathAttributes {
        as_path: AsPath::sequence([65001]),
        next_hop: NEXT_HOP.parse().ok(),
        med: u32::try_from(i).ok(),
        communities: communities.split_whitespace().map(|c| c.parse().unwrap()).collect(),
        ..PathAttributes::default()
    };
    (prefix.parse().unwrap(), attributes)
}

/// What matters of an accepted route, as text.
fn expected(policy: &RoutingPolicy, name: &str, i: usize) -> Option<String> {
    let (prefix, attributes) = arriving(i);
    match policy.evaluate(name, &prefix, &attributes) {
        PolicyOutcome::Accepted { attributes: a, weight, .. } => {
            let communities: Vec<String> = a.communities.iter().map(ToString::to_string).collect();
            // bgpd's own rule on eBGP sessions, after the policy (RFC 8326 §4.1)
            let drained = a.communities.contains(&Community::GRACEFUL_SHUTDOWN);
            Some(format!(
                "lp {} med {:?} weight {} origin {} path {} via {:?} communities {}",
                if drained { 0 } else { a.local_pref.unwrap_or(100) },
                a.med,
                weight.unwrap_or(0),
                match a.origin {
                    Origin::Igp => "IGP",
                    Origin::Egp => "EGP",
                    Origin::Incomplete => "incomplete",
                },
                a.as_path,
                a.next_hop.map(|n| n.to_string()),
                communities.join(" ")
            ))
        }
        PolicyOutcome::Rejected { .. } => None,
        PolicyOutcome::Unknown { what, .. } => Some(format!("unknown: {what}")),
    }
}

/// The same of what bgpd shows.
fn shown(path: &Value) -> String {
    let list = path["community"]["list"].as_array().cloned().unwrap_or_default();
    let name = |c: &Value| match c.as_str().unwrap_or_default() {
        "gracefulShutdown" => Community::GRACEFUL_SHUTDOWN.to_string(),
        other => other.to_owned(),
    };
    let communities: Vec<String> = list.iter().map(name).collect();
    format!(
        "lp {} med {:?} weight {} origin {} path {} via {:?} communities {}",
        path["locPrf"].as_u64().unwrap_or(100),
        path["metric"].as_u64(),
        path["weight"].as_u64().unwrap_or(0),
        path["origin"].as_str().unwrap_or_default(),
        path["aspath"]["string"].as_str().unwrap_or_default(),
        path["nexthops"][0]["ip"].as_str(),
        communities.join(" ")
    )
}

#[test]
fn bgpd_and_the_model_make_the_same_of_every_route() -> anyhow::Result<()> {
    if !Path::new(SCRIPT).exists() {
        anyhow::bail!("{SCRIPT} is missing");
    }
    let Some(pair) = Pair::start()? else { return Ok(()) };
    announce(&pair)?;
    pair.configure("b", LISTS)?;
    let received = format!("show bgp ipv4 unicast neighbors {} received-routes json", pair.a);
    pair.until("every route arriving", || Ok(pair.json("b", &received)?["totalPrefixCounter"].as_u64() >= Some(ROUTES.len() as u64)))?;
    for (n, (name, terms)) in POLICIES.iter().enumerate() {
        let map = format!("TEST-{n}");
        let text = policy_text(&map, terms);
        pair.configure("b", &text)?;
        // a session that gets another policy takes its routes through it at once
        pair.configure("b", &format!("router bgp 65002\naddress-family ipv4 unicast\nneighbor {} route-map {map} in", pair.a))?;
        let policy = frr::parse(&(LISTS.to_owned() + &text)).policy;
        for (i, route) in ROUTES.iter().enumerate() {
            let command = format!("show bgp ipv4 unicast {} json", route.0);
            let now = || -> anyhow::Result<Option<String>> {
                let found = pair.json("b", &command)?;
                // or with the route that covers it
                Ok(found["paths"].get(0).filter(|_| found["prefix"] == route.0).map(shown))
            };
            let wanted = expected(&policy, &map, i);
            if pair.until("agreement", || Ok(now()? == wanted)).is_err() {
                let found = now()?;
                anyhow::ensure!(found == wanted, "{name}: {} {}: bgpd {found:?}, model {wanted:?}", route.0, route.1);
            }
        }
    }
    Ok(())
}
