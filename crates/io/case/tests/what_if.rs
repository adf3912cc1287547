//! What a change moves, on a network of two borders and two neighbours outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use case::beside::Beside;
use case::change::{Change, ChangeError};
use case::{Case, Text};
use preflight::{CheckId, Verdict};

fn case() -> Case {
    let policies = "route-map ANY permit 10\n";
    let border = |n: u32, other: u32| {
        format!(
            "interface r{n}-eth0\n ip address 10.1.0.{n}/24\ninterface r{n}-eth1\n ip address 10.2.{n}.1/24\n{policies}router bgp 65001\n bgp router-id 1.1.1.{n}\n neighbor 10.1.0.{other} remote-as 65001\n neighbor 10.2.{n}.2 remote-as 6500{m}\n address-family ipv4 unicast\n  neighbor 10.1.0.{other} next-hop-self\n  neighbor 10.2.{n}.2 route-map ANY in\n  neighbor 10.2.{n}.2 route-map ANY out\n",
            m = n + 1
        )
    };
    let outside = |n: u32, asn: u32, prefixes: &str| {
        format!(
            "interface x{n}-eth0\n ip address 10.2.{n}.2/24\nrouter bgp {asn}\n bgp router-id 2.2.2.{n}\n no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor 10.2.{n}.1 remote-as 65001\n address-family ipv4 unicast\n{prefixes}"
        )
    };
    let both = "  network 203.0.113.0/24\n";
    let routers = [
        ("r1", border(1, 2)),
        ("r2", border(2, 1)),
        ("x1", outside(1, 65002, both)),
        ("x2", outside(2, 65003, &format!("{both}  network 198.51.100.0/24\n"))),
    ];
    let text = |t: String| Text { files: vec![("frr.conf".to_owned(), t)] };
    let links = [("s0", vec!["r1", "r2"]), ("s1", vec!["r1", "x1"]), ("s2", vec!["r2", "x2"])];
    Case {
        routers: routers.into_iter().map(|(n, t)| (n.to_owned(), text(t))).collect(),
        links: links.into_iter().map(|(n, r)| (n.to_owned(), r.into_iter().map(str::to_owned).collect())).collect(),
        steps: Vec::new(),
        profiles: Default::default(),
    }
}

fn effect(change: &str) -> case::change::Effect {
    case().effect(&serde_json::from_str(change).unwrap()).unwrap()
}

fn verdict(effect: &case::change::Effect, id: CheckId) -> (Verdict, String) {
    let check = effect.checks.iter().find(|c| c.id == id).unwrap();
    let rows = check.rows.iter().map(|r| format!("{r}\n")).collect::<String>();
    (check.verdict, format!("{}\n{rows}", check.sentence))
}

#[test]
fn a_higher_local_pref_draws_the_other_border_over() {
    let e = effect(
        r#"{"action":"LOCAL_PREF_ADJUST","router":"r1","neighbor":"10.2.1.2","prefixes":["203.0.113.0/24"],"parameters":{"local_pref":200}}"#,
    );
    let r2 = e.moved.iter().find(|m| m.router == "r2").unwrap();
    assert_eq!(r2.before.as_ref().unwrap().as_path, "65003");
    assert_eq!((r2.after.as_ref().unwrap().as_path.as_str(), r2.after.as_ref().unwrap().from), ("65002", "10.1.0.1".parse().ok()));
    assert!(!e.moved.iter().any(|m| m.router == "r1"), "r1 went there before: {:?}", e.moved);
    assert!(e.passes(), "{:?}", e.checks);
}

#[test]
fn a_filter_that_takes_the_last_path_is_blocked_and_one_that_leaves_another_is_not() {
    let filter =
        |prefix: &str| effect(&format!(r#"{{"action":"PREFIX_FILTER","router":"r2","neighbor":"10.2.2.2","prefixes":["{prefix}"]}}"#));
    assert!(filter("203.0.113.0/24").passes());
    let last = filter("198.51.100.0/24");
    assert!(!last.passes());
    let (_, why) = verdict(&last, CheckId::K02);
    assert!(why.contains("r1: 198.51.100.0/24") && why.contains("r2: 198.51.100.0/24"), "{why}");
}

#[test]
fn failures_move_what_went_there() {
    let link = effect(r#"{"fail":{"link":"s1"}}"#);
    let r1 = link.moved.iter().find(|m| m.router == "r1").unwrap();
    assert_eq!((r1.before.as_ref().unwrap().as_path.as_str(), r1.after.as_ref().unwrap().as_path.as_str()), ("65002", "65003"));
    assert_eq!(effect(r#"{"fail":{"session":["r1","10.2.1.2"]}}"#).moved.len(), link.moved.len());
    let router = effect(r#"{"fail":{"router":"r2"}}"#);
    assert_eq!(verdict(&router, CheckId::K02).0, Verdict::Block, "r1 has no other way to 198.51.100.0/24");
    let both = effect(r#"{"fail":[{"link":"s1"},{"link":"s2"}]}"#);
    let (how, why) = verdict(&both, CheckId::K02);
    assert!(how == Verdict::Block && why.contains("r1: 203.0.113.0/24"), "each alone leaves a way, both do not: {why}");
}

#[test]
fn lines_are_tried_as_they_would_be_typed() {
    let e = effect(r#"{"router":"r1","config":["router bgp 65001","address-family ipv4 unicast","network 10.1.0.0/24"]}"#);
    let (how, why) = verdict(&e, CheckId::K05);
    assert!(how == Verdict::Block && why.contains("r1: 10.1.0.0/24: would be originated anew"), "{why}");
    let e = effect(r#"{"router":"r1","config":["router bgp 65001","neighbor 10.2.1.2 shutdown"]}"#);
    assert!(e.moved.iter().any(|m| m.router == "r1"));
    let (how, why) = verdict(&e, CheckId::K02);
    assert!(why.contains("x1: 198.51.100.0/24") && !why.contains("r1: "), "only the neighbour that is cut off loses anything: {why}");
    assert_eq!(how, Verdict::Warn, "what others lose through us is told");
    let nothing = effect(r#"{"action":"NO_ACTION"}"#);
    assert!(nothing.moved.is_empty() && nothing.passes());
}

/// Neighbours with ways of their own to r0; from the n-th on each prefers that of the next in the circle. When all of two do, two states are
/// stable; when all of three do, none is.
fn rim(size: u32, from: u32) -> Case {
    let text = |t: String| Text { files: vec![("frr.conf".to_owned(), t)] };
    let mut r0 =
        "router bgp 65000\n bgp router-id 9.9.9.9\n no bgp ebgp-requires-policy\n no bgp network import-check\n network 203.0.113.0/24\n"
            .to_owned();
    let (mut ports, mut routers, mut links) = (String::new(), Vec::new(), std::collections::BTreeMap::new());
    links.insert("rim".to_owned(), (1..=size).map(|n| format!("r{n}")).collect());
    for n in 1..=size {
        ports += &format!("interface r0-eth{}\n ip address 10.1.{n}.1/24\n", n - 1);
        r0 += &format!(" neighbor 10.1.{n}.2 remote-as {}\n", 65000 + n);
        let mut t = format!(
            "interface r{n}-eth0\n ip address 10.1.30.{n}/24\ninterface r{n}-eth1\n ip address 10.1.{n}.2/24\nip as-path access-list SHORT permit ^[0-9]+_65000$\nroute-map HIGH permit 10\n match as-path SHORT\n set local-preference 200\nroute-map HIGH deny 20\nrouter bgp {asn}\n bgp router-id {n}.{n}.{n}.{n}\n no bgp ebgp-requires-policy\n neighbor 10.1.{n}.1 remote-as 65000\n",
            asn = 65000 + n
        );
        for other in (1..=size).filter(|o| *o != n) {
            t += &format!(" neighbor 10.1.30.{other} remote-as {}\n", 65000 + other);
        }
        if n >= from {
            t += &format!(" address-family ipv4 unicast\n  neighbor 10.1.30.{} route-map HIGH in\n", n % size + 1);
        }
        routers.push((format!("r{n}"), text(t)));
        links.insert(format!("s{n}"), vec!["r0".to_owned(), format!("r{n}")]);
    }
    routers.insert(0, ("r0".to_owned(), text(ports + &r0)));
    Case { routers, links, steps: Vec::new(), profiles: Default::default() }
}

#[test]
fn a_change_that_ends_the_one_state_of_rest_is_told_with_its_wheel() {
    let line = |r: u32, next: u32| {
        let typed = format!(r#"["router bgp {}","address-family ipv4 unicast","neighbor 10.1.30.{next} route-map HIGH in"]"#, 65000 + r);
        format!(r#"{{"router":"r{r}","config":{typed}}}"#)
    };
    let of = |case: Case, change: String| {
        let before = case::answer::solve(&case);
        assert!(before.anomalies.is_empty() && before.converged, "stable before: {:?}", before.anomalies);
        let effect = case.effect(&serde_json::from_str(&change).unwrap()).unwrap();
        (effect.moved.is_empty(), verdict(&effect, CheckId::K03))
    };
    let (still, (how, why)) = of(rim(2, 2), line(1, 2));
    assert_eq!((still, how), (true, Verdict::Warn), "no choice moves, and is not the only one any more: {why}");
    let row = "203.0.113.0/24: 2 states of rest, the order of arrival decides (DISAGREE)";
    assert!(why.starts_with(row) && why.contains("; state 1: "), "{why}");
    assert!(why.contains("wheel: r1 prefers r1-r2 and on by r2 to its own r1-r0 (local_pref); r2 prefers r2-r1 and on"), "{why}");
    let (still, (how, why)) = of(rim(2, 3), format!("[{},{}]", line(1, 2), line(2, 1)));
    assert_eq!((still, how), (false, Verdict::Warn), "{why}");
    assert!(why.starts_with(row) && why.contains("r1: 203.0.113.0/24: the choice depends on the order of arrival"), "{why}");
    let (_, (how, why)) = of(rim(3, 2), line(1, 2));
    assert_eq!(how, Verdict::Block, "{why}");
    assert!(
        why.starts_with("203.0.113.0/24: no state of rest: the choices of r1, r2, r3 go round in a circle (BAD GADGET); wheel: r1 prefers"),
        "{why}"
    );
}

#[test]
fn a_prefix_that_nobody_has_is_told() {
    let scope = |prefixes: &str| {
        let action = r#""action":"LOCAL_PREF_ADJUST","router":"r1","neighbor":"10.2.1.2","parameters":{"local_pref":200}"#;
        let checks = effect(&format!(r#"{{{action},"prefixes":[{prefixes}]}}"#)).checks;
        checks.into_iter().find(|c| c.id == CheckId::K01).map(|c| (c.verdict, c.sentence)).unwrap()
    };
    assert_eq!(scope(r#""203.0.113.0/24""#).0, Verdict::Pass);
    let (verdict, sentence) = scope(r#""203.0.113.0/24","203.0.114.0/24""#);
    assert_eq!(verdict, Verdict::Warn);
    assert!(sentence.contains("203.0.114.0/24") && sentence.contains("no router has it before or after"), "{sentence}");
    assert!(!sentence.contains("203.0.113.0/24"), "{sentence}");
}

#[test]
fn what_is_missing_or_out_of_range_is_named() {
    let fails = |change: &str| match serde_json::from_str::<Change>(change) {
        Ok(change) => case().effect(&change).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    let lp = |rest: &str| format!(r#"{{"action":"LOCAL_PREF_ADJUST","router":"r1","neighbor":"10.2.1.2",{rest}}}"#);
    assert_eq!(fails(r#"{"fail":{"link":"s9"}}"#), r#"there is no link "s9" here; there are s0, s1, s2"#);
    assert!(fails(r#"{"fail":{"session":["r1","10.9.9.9"]}}"#).contains("10.1.0.2, 10.2.1.2"));
    assert!(fails(&lp(r#""parameters":{}"#)).contains("parameters.local_pref"));
    assert!(fails(&lp(r#""parameters":{"localpref":200}"#)).contains("takes no parameter \"localpref\""));
    assert!(fails(&lp(r#""parameters":{"local_pref":301}"#)).contains("outside 0 to 300"));
    assert!(fails(&lp(r#""prefix":"10.0.0.0/8","parameters":{"local_pref":30}"#)).contains("unknown field `prefix`"));
    assert!(
        fails(r#"{"action":"LOCAL_PREF_ADJUST","router":"r1","neighbor":"10.1.0.2","parameters":{"local_pref":200}}"#)
            .contains("never inside")
    );
    let med = |n: &str| fails(&format!(r#"{{"action":"MED_ADJUST","router":"r1","neighbor":"{n}","parameters":{{"med":1}}}}"#));
    assert!(med("10.9.9.9").contains("10.1.0.2, 10.2.1.2"));
    assert!(med("10.2.1.2").contains("there is 1 link to AS 65002"));
    assert!(fails("[]").contains("the list of changes is empty"));
    assert!(fails(r#"{"router":"r1","config":[" ",""]}"#).contains("`config` for r1 has no lines"));
    assert!(fails(r#"{"action":"FULL_REROUTE","parameters":{"steps":[]}}"#).contains("parameters.steps, one or more"));
    assert!(fails(&lp(r#""prefixes":[],"parameters":{"local_pref":200}"#)).contains("`prefixes` is empty"));
    assert!(fails(r#"{"action":"REBOOT"}"#).contains("there are LOCAL_PREF_ADJUST"));
    assert!(fails(r#"{"action":"PEER_ACTIVATE","router":"r1","neighbor":"10.2.1.2"}"#).contains("is not shut down"));
    assert!(fails(r#"{"action":"PREFIX_FILTER","router":"r1","neighbor":"10.2.1.2"}"#).contains("never wider than listed"));
    let prepend = |p: &str| {
        fails(&format!(
            r#"{{"action":"AS_PATH_PREPEND","router":"r1","neighbor":"10.2.1.2","prefixes":["{p}"],"parameters":{{"count":2}}}}"#
        ))
    };
    assert!(prepend("192.0.2.0/24").contains("is not announced by us; an action never originates"));
    let hop = |h: &str, p: &str| {
        fails(&format!(
            r#"{{"action":"NEXT_HOP_CHANGE","router":"r1","neighbor":"10.2.1.2","prefixes":["{p}"],"parameters":{{"next_hop":"{h}"}}}}"#
        ))
    };
    assert!(hop("10.2.9.9", "203.0.113.0/24").contains("does not announce 203.0.113.0/24 itself"));
    let fail = |to: &str| fails(&format!(r#"{{"action":"ISP_FAILOVER","parameters":{{"from":"AS65002","to":"{to}"}}}}"#));
    assert!(fail("AS65002").contains("one provider") && fail("ISP-Z").contains("no provider"));
    assert!(
        fails(r#"{"router":"r1","flowspec":{"destination":"192.0.2.1/32","packet_length":[99971,99985],"then":"discard"}}"#)
            .contains("packet length 99971 to 99985 never occurs")
    );
    assert!(matches!(case().effect(&Change::Fail(vec![])).map(|e| e.moved.len()), Ok(0)));
    let stranger = Change::Config { router: "r7".to_owned(), config: vec![], undo: None };
    assert!(matches!(case().changed(&stranger, &Beside::default()), Err(ChangeError::Unknown { .. })));
}
