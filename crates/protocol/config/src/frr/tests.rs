use super::*;
use crate::edit::tests::EDGE;
use crate::edit::{self, drain_export, drain_import, local_pref_terms};
use crate::generate::{config, edit as any_edit, fitting, policy};
use crate::{BestPath, Condition, Neighbor, PolicyEdit, PolicyResult, PrefixEntry, RouteAction, RouterConfig, StaticRoute};
use bgp::{AsPath, Asn, Community, Family, PathAttributes, Prefix};
use proptest::prelude::*;

/// What an edge of the laboratory shows (`show running-config`, FRR 8.4), with the corners that edges elsewhere have.
const RUNNING: &str = "\
Building configuration...

Current configuration:
!
frr version 8.4.4
frr defaults traditional
hostname edge-router-01
log file /var/log/frr.log informational
no ipv6 forwarding
hostname host-of-vtysh
service integrated-vtysh-config
!
ip route 192.0.2.0/24 blackhole 250
ipv6 route 2001:db8:100::/48 Null0
ip route 203.0.113.0/24 10.0.0.9
!
interface lo
 ip address 10.0.0.1/32
 ipv6 address 2001:db8:ff::1/128
 ip ospf area 0
 ipv6 ospf6 area 0
exit
!
interface r2
 ip address 10.1.12.0/31
 ip ospf area 0
 ip ospf cost 10
 ip ospf dead-interval 4
 ip ospf network point-to-point
 ipv6 ospf6 area 0
 ipv6 ospf6 cost 20
exit
!
router bgp 65001
 bgp router-id 10.0.0.1
 bgp log-neighbor-changes
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 bgp default local-preference 120
 timers bgp 3 9
 neighbor IBGP peer-group
 neighbor IBGP remote-as internal
 neighbor IBGP update-source lo
 neighbor 10.0.0.3 peer-group IBGP
 neighbor 10.0.0.3 description the reflector
 neighbor 172.31.1.1 remote-as 1234
 neighbor 172.31.1.1 timers connect 3
 neighbor 172.31.9.1 remote-as external
 neighbor 172.31.9.1 shutdown
 neighbor 2001:db8:f1::1 remote-as 1234
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
  network 198.51.100.0/24 route-map TAG
  neighbor IBGP activate
  neighbor IBGP next-hop-self
  neighbor 172.31.1.1 activate
  neighbor 172.31.1.1 soft-reconfiguration inbound
  neighbor 172.31.1.1 maximum-prefix 1000 80 restart 1
  neighbor 172.31.1.1 route-map ISPA-IN in
  neighbor 172.31.1.1 route-map ISPA-OUT out
  no neighbor 172.31.1.1 send-community
  redistribute connected
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 2001:db8:f1::1 activate
 exit-address-family
 !
 bmp targets pilothouse
  bmp stats interval 5000
  bmp connect 10.99.0.254 port 17442 min-retry 500 max-retry 2000
 exit
exit
!
router ospf
 ospf router-id 10.0.0.1
 timers throttle spf 10 50 1000
exit
!
ip prefix-list OWN seq 5 permit 192.0.2.0/24
ip prefix-list LONG seq 5 deny 198.18.0.0/15 ge 20 le 24
ip prefix-list LONG seq 7 permit any
ipv6 prefix-list OWN6 seq 5 permit 2001:db8:100::/48
bgp community-list standard EAST seq 5 permit 64500:1 graceful-shutdown
bgp community-list expanded ODD seq 5 permit 65001:.*
!
route-map ISPA-IN permit 10
 description keeps its name
 match community EAST
 match ip address prefix-list OWN
 set as-path prepend 65001 65001
 set community 65001:2 65001:1 additive
 set ip next-hop 192.0.2.9
 set local-preference 200
 set weight 7
exit
!
route-map ISPA-IN permit 20
 match community ODD
exit
!
route-map ISPA-IN permit 30
 match ip address prefix-list OWN
 on-match next
exit
!
route-map ISPA-OUT permit 10
 match ipv6 address prefix-list OWN6
 set comm-list EAST delete
 set community none
 set metric rtt
exit
!
ip as-path access-list 1 permit ^$
line vty
 exec-timeout 0
exit
end
";

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn a_running_configuration_is_read_as_written() {
    let config = parse(RUNNING);
    assert_eq!(config.hostname, "edge-router-01");
    let null = StaticRoute { prefix: p("2001:db8:100::/48"), next_hop: None, distance: 1, tag: 0 };
    assert_eq!(config.static_routes[0], StaticRoute { prefix: p("192.0.2.0/24"), next_hop: None, distance: 250, tag: 0 });
    assert_eq!(config.static_routes[1], null);
    assert_eq!(config.interfaces["r2"].addresses, [("10.1.12.0".parse().unwrap(), 31)]);
    assert_eq!(config.interfaces["r2"].igp_v4.as_ref().unwrap().cost, Some(10));
    assert_eq!(config.interfaces["r2"].igp_v6.as_ref().unwrap().cost, Some(20));
    assert_eq!(config.interfaces["lo"].igp_v6.as_ref().unwrap().area, "0");
    let bgp = config.bgp.as_ref().unwrap();
    assert_eq!((bgp.asn, bgp.default_local_pref, bgp.ebgp_requires_policy), (Asn(65001), 120, true));
    assert_eq!(bgp.best_path, BestPath { multipath_relax: true, ..BestPath::default() });
    assert_eq!(bgp.networks.iter().map(|n| n.policy.as_deref()).collect::<Vec<_>>(), [None, Some("TAG")]);
    let lists = &config.policy.prefix_sets;
    assert_eq!(
        lists["LONG"].entries[0],
        PrefixEntry { sequence: 5, permit: false, prefix: p("198.18.0.0/15"), ge: Some(20), le: Some(24) }
    );
    assert_eq!((lists["LONG"].entries[1].prefix, lists["LONG"].entries[1].le), (p("0.0.0.0/0"), Some(32)));
    assert_eq!(lists["OWN6"].family, Family::Ipv6Unicast);
    let east = vec!["64500:1".parse().unwrap(), Community::GRACEFUL_SHUTDOWN];
    assert_eq!(config.policy.community_sets["EAST"].entries, [(true, east)]);
}

/// What real 8.4.4 shows of such texts was read by `show running-config` and `show bgp neighbors`.
#[test]
fn defaults_follow_from_profile_and_version_and_a_line_of_its_own_wins() {
    const BLOCK: &str = "router bgp 65001\n neighbor 192.0.2.1 remote-as 65002\n";
    let said = |text: &str| {
        let config = parse(text);
        let bgp = config.bgp.as_ref().unwrap();
        let hold = bgp.neighbors.values().next().and_then(|n| n.wider.timers_s).map(|(_, hold)| hold);
        let told = config.unmodelled.iter().map(|u| format!("line {}: {}: {}", u.line, u.text, u.effect())).collect::<Vec<_>>();
        (bgp.best_path.deterministic_med, bgp.ebgp_requires_policy, bgp.wider.no_import_check, hold, told)
    };
    let top = |top: &str, more: &str| said(&format!("{top}{BLOCK}{more}"));
    let traditional = (false, true, false, None, Vec::new());
    assert_eq!(top("frr version 8.4.4\nfrr defaults traditional\n", ""), traditional);
    assert_eq!(top("", ""), traditional);
    assert_eq!(top("frr version 8.4.4\nfrr defaults datacenter\n", ""), (true, false, false, Some(9), Vec::new()));
    let own = " no bgp deterministic-med\n bgp ebgp-requires-policy\n no bgp log-neighbor-changes\n no bgp default show-hostname\n timers bgp 60 180\n";
    assert_eq!(top("frr defaults datacenter\n", own), (false, true, false, Some(180), Vec::new()));
    assert_eq!(top("frr defaults datacenter\n", " neighbor 192.0.2.1 timers 1 4\n").3, Some(4));
    // an instance keeps the defaults that it was made with
    assert_eq!(top("", "frr defaults datacenter\n"), traditional);
    let told = |line: &str, effect: &str| vec![format!("line 1: {line}: {effect}")];
    let newer = told("frr version 10.1", "decided as 8.4 does");
    assert_eq!(top("frr version 10.1\nfrr defaults datacenter\n", ""), (true, false, false, Some(9), newer));
    let older = told("frr version 7.3.1", "decided as 8.4 does");
    assert_eq!(top("frr version 7.3.1\n", ""), (false, false, true, None, older.clone()));
    assert_eq!(top("frr version 7.3.1\n", " bgp network import-check\n bgp ebgp-requires-policy\n"), (false, true, false, None, older));
    let unknown = told("frr defaults campus", "no profile of 8.4, which takes the defaults of traditional");
    assert_eq!(top("frr defaults campus\n", ""), (false, true, false, None, unknown));
}

#[test]
fn neighbours_take_what_their_group_says() {
    let bgp = parse(RUNNING).bgp.unwrap();
    let reflector = &bgp.neighbors[&"10.0.0.3".parse().unwrap()];
    assert_eq!((reflector.remote_as, reflector.update_source.as_deref()), (Asn(65001), Some("lo")));
    assert!(reflector.families[&Family::Ipv4Unicast].next_hop_self);
    let isp = &bgp.neighbors[&"172.31.1.1".parse().unwrap()].families[&Family::Ipv4Unicast];
    assert_eq!((isp.import.as_deref(), isp.export.as_deref(), isp.max_prefix), (Some("ISPA-IN"), Some("ISPA-OUT"), Some(1000)));
    assert!(isp.soft_reconfiguration && !isp.send_community);
    let any = &bgp.neighbors[&"172.31.9.1".parse().unwrap()];
    assert!(any.shutdown && any.families.is_empty() && any.remote_as == Neighbor::ANY_EXTERNAL);
    let six = &bgp.neighbors[&"2001:db8:f1::1".parse().unwrap()];
    assert_eq!(six.families.keys().collect::<Vec<_>>(), [&Family::Ipv6Unicast]);
}

#[test]
fn terms_are_read_in_one_order_and_unknown_clauses_stay_in_them() {
    let policy = parse(RUNNING).policy;
    let terms = &policy.definitions["ISPA-IN"].statements;
    assert_eq!(terms[0].conditions, [Condition::PrefixSet("OWN".to_owned()), Condition::CommunitySet("EAST".to_owned())]);
    let communities = vec![Community::new(65001, 1), Community::new(65001, 2)];
    assert_eq!(
        terms[0].actions,
        [
            RouteAction::SetLocalPref(200),
            RouteAction::SetWeight(7),
            RouteAction::AddCommunities(communities),
            RouteAction::Prepend(AsPath::sequence([65001, 65001])),
            RouteAction::SetNextHop("192.0.2.9".parse().unwrap()),
        ]
    );
    let route = PathAttributes { communities: vec![Community::new(65001, 1)], ..PathAttributes::default() };
    let term = crate::PolicyDefinition { statements: vec![terms[1].clone()] };
    let odd = crate::RoutingPolicy { definitions: [("ODD".to_owned(), term)].into(), ..policy.clone() };
    let told = odd.evaluate("ODD", &p("203.0.113.0/24"), &route);
    assert!(matches!(told, crate::PolicyOutcome::Unknown { .. }), "an expanded list is not one that is empty: {told:?}");
    assert_eq!(terms[2].actions, [RouteAction::native("on-match next")]);
    assert!(matches!(terms[2].actions[0], RouteAction::Wider { .. }));
    assert_eq!(policy.definitions["ISPA-OUT"].statements[0].actions.len(), 3);
}

#[test]
fn what_is_not_modelled_is_listed_with_line_and_block() {
    let config = parse(RUNNING);
    let listed = |list: &[crate::Unmodelled]| list.iter().map(|u| (u.text.clone(), u.context.clone())).collect::<Vec<_>>();
    let said = |text: &str, context: &str| (text.to_owned(), context.to_owned());
    assert_eq!(listed(&config.unmodelled), [said("set metric rtt", "route-map ISPA-OUT 10")]);
    assert_eq!(
        listed(&config.wider),
        [
            said("redistribute connected", "router bgp 65001 / address-family ipv4_unicast"),
            said("bgp community-list expanded ODD seq 5 permit 65001:.*", ""),
            said("on-match next", "route-map ISPA-IN 30"),
            said("ip as-path access-list 1 permit ^$", ""),
        ]
    );
    for unread in config.unmodelled.iter().chain(&config.wider) {
        assert_eq!(RUNNING.lines().nth(unread.line as usize - 1).unwrap().trim(), unread.text);
    }
}

#[test]
fn lines_of_a_local_pref_change_insert_before_and_keep_the_rest() {
    let config = parse(EDGE);
    let east = PathAttributes { communities: vec!["64500:1".parse().unwrap()], ..PathAttributes::default() };
    let edits =
        local_pref_terms(&config.policy, "ISPA-IN", &[(p("203.0.113.0/24"), &east), (p("198.18.0.0/24"), &east)], 210, "ISPA-IN").unwrap();
    let expected = [
        "ip prefix-list PH-ISPA-IN-30 seq 5 permit 198.18.0.0/24",
        "ip prefix-list PH-ISPA-IN-30 seq 10 permit 203.0.113.0/24",
        "route-map ISPA-IN permit 30",
        " match ip address prefix-list PH-ISPA-IN-30",
        " match community EAST",
        " set local-preference 210",
        " set community 65001:100 additive",
        "exit",
    ];
    assert_eq!(lines(&config, &edits).unwrap(), expected);
    let undo = edit::inverse(&config, &edits).unwrap();
    let mut after = config;
    edit::apply(&mut after, &edits).unwrap();
    assert_eq!(lines(&after, &undo).unwrap(), ["no route-map ISPA-IN permit 30", "no ip prefix-list PH-ISPA-IN-30"]);
}

#[test]
fn a_drain_writes_only_what_differs() {
    let config = parse(EDGE);
    let import = lines(&config, &drain_import(&config.policy, "ISPA-IN").unwrap()).unwrap();
    let expected = [
        "route-map ISPA-IN permit 100",
        " set local-preference 0",
        "exit",
        "route-map ISPA-IN permit 200",
        " set local-preference 0",
        "exit",
    ];
    assert_eq!(import, expected);
    let export = lines(&config, &drain_export(&config.policy, "ISPA-IN").unwrap()).unwrap();
    assert_eq!(export[1], " set community 65001:100 65535:0 additive");
}

#[test]
fn a_neighbour_is_shut_and_opened_in_its_own_block() {
    let config = parse(RUNNING);
    let neighbor = "172.31.1.1".parse().unwrap();
    let shut = lines(&config, &[PolicyEdit::SetNeighborEnabled { neighbor, enabled: false }]).unwrap();
    assert_eq!(shut, ["router bgp 65001", " neighbor 172.31.1.1 shutdown", "exit"]);
    let open = lines(&config, &[PolicyEdit::SetNeighborEnabled { neighbor, enabled: true }]).unwrap();
    assert_eq!(open[1], " no neighbor 172.31.1.1 shutdown");
}

#[test]
fn a_term_that_changes_its_result_is_built_anew() {
    let config = parse(EDGE);
    let mut statement = config.policy.definitions["ISPA-IN"].statements[2].clone();
    statement.result = PolicyResult::Reject;
    statement.actions.clear();
    let written = lines(&config, &[PolicyEdit::ReplaceStatement { policy: "ISPA-IN".to_owned(), statement }]).unwrap();
    assert_eq!(written, ["no route-map ISPA-IN permit 100", "route-map ISPA-IN deny 100", " match community EAST", "exit"]);
}

/// Everything of `policy` as edits on a router that has only the names of its definitions.
fn from_nothing(policy: &crate::RoutingPolicy) -> (RouterConfig, Vec<PolicyEdit>) {
    let mut bare = RouterConfig::default();
    let mut edits: Vec<_> =
        policy.prefix_sets.iter().map(|(name, set)| PolicyEdit::PutPrefixSet { name: name.clone(), set: set.clone() }).collect();
    for (name, definition) in policy.definitions.iter().filter(|(_, d)| !d.statements.is_empty()) {
        bare.policy.definitions.insert(name.clone(), crate::PolicyDefinition::default());
        let insert =
            |statement: &crate::Statement| PolicyEdit::InsertStatement { policy: name.clone(), statement: statement.clone(), before: None };
        edits.extend(definition.statements.iter().map(insert));
    }
    (bare, edits)
}

proptest! {
    #[test]
    fn written_policies_are_read_back(policy in policy(false)) {
        let (bare, edits) = from_nothing(&policy);
        let mut expected = bare.clone();
        edit::apply(&mut expected, &edits).unwrap();
        let back = parse(&lines(&bare, &edits).unwrap().join("\n"));
        prop_assert_eq!(back.policy, expected.policy);
        prop_assert_eq!(back.unmodelled, Vec::new());
    }

    #[test]
    fn every_list_of_edits_that_applies_can_be_written(config in config(), wishes in prop::collection::vec(any_edit(), 0..8)) {
        let edits = fitting(&config, wishes);
        prop_assert!(lines(&config, &edits).unwrap().iter().all(|l| !l.contains(['\n', '\r'])));
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_shuffled_configuration_makes_the_reader_fall_over(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60), cut in 0usize..40) {
        let all: Vec<&str> = RUNNING.lines().chain(["ip prefix-list X seq 4294967295 permit any", "ip prefix-list X permit any"]).collect();
        let text: String = picks.iter().map(|i| all[i.index(all.len())]).flat_map(|l| [l.get(..l.len().min(cut)).unwrap_or(l), "\n"]).collect();
        let _ = parse(&text);
    }
}
