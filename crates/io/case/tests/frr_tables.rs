//! Cases whose tables real FRR 8.4.4 showed.

use bgp::Prefix;
use case::{Case, answer, frr::Shown};
use std::collections::BTreeMap;
use std::path::Path;

/// What differs between a row and what FRR showed; empty: equal.
fn differences(row: &[routing::PathRow], shown: &case::frr::ShownPrefix) -> Vec<String> {
    let mut out = Vec::new();
    let froms = |f: Option<core::net::IpAddr>| f.map_or_else(|| "local".to_owned(), |f| f.to_string());
    for path in &shown.paths {
        let (from, as_path) = (path.from(), path.as_path());
        let name = format!("{} [{as_path}]", froms(from));
        let Some(ours) = row.iter().find(|r| {
            r.from == from && (shown.paths.iter().filter(|p| p.from() == from).count() == 1 || r.as_path.replace(['{', '}'], "") == as_path)
        }) else {
            out.push(format!("{name}: missing"));
            continue;
        };
        let mut check = |what: &str, a: String, b: String| {
            if a != b {
                out.push(format!("{name}: {what} {a}, FRR {b}"));
            }
        };
        check("as_path", ours.as_path.clone(), as_path.clone());
        check("valid", ours.valid.to_string(), path.valid.to_string());
        check("best", ours.best.to_string(), path.is_best().to_string());
        check("multipath", ours.multipath.to_string(), path.multipath.to_string());
        check("med", format!("{:?}", ours.med), format!("{:?}", path.metric));
        check("local_pref", format!("{:?}", ours.local_pref), format!("{:?}", path.local_pref));
        check("origin", format!("{:?}", ours.origin).to_lowercase(), path.origin.to_lowercase());
        // FRR shows an aggregate's next hop as `::` and a network's as 0.0.0.0
        let hop = path.nexthops.first().map(|n| if n.ip.is_unspecified() { core::net::Ipv4Addr::UNSPECIFIED.into() } else { n.ip });
        check("next hop", format!("{:?}", ours.next_hops.first().copied()), format!("{hop:?}"));
        let communities = ours.communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let theirs = path.community.as_ref().map(|c| {
            let known = c.string.split(' ').map(|w| w.parse::<bgp::Community>().map_or_else(|_| w.to_owned(), |c| c.to_string()));
            known.collect::<Vec<_>>().join(" ")
        });
        check("communities", communities, theirs.unwrap_or_default());
        if path.is_best() {
            let reason = path.bestpath.as_ref().and_then(|b| b.reason.clone()).unwrap_or_default();
            check("reason", ours.native_reason.unwrap_or_default().to_owned(), reason);
        }
    }
    for ours in row {
        if !shown.paths.iter().any(|p| p.from() == ours.from) {
            out.push(format!("{} [{}]: FRR has no such path", froms(ours.from), ours.as_path));
        }
    }
    out
}

/// Where FRR's answer cannot be had from the configuration alone: (case, rows, why).
const NOT_EQUAL: [(&str, usize, &str); 3] = [
    ("bgp_bestpath_reason_compare_routerid", 1, "the routes came before the first choice was made, so no path was older"),
    ("bgp_default_route_route_map_set", 3, "two neighbours announce one prefix; who came first is the best, and is heard by the others"),
    ("bgp_remove_private_as", 10, "both paths came before the first choice was made, so no path was older"),
];

#[test]
fn tables_are_those_of_frr() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/twin");
    let Ok(entries) = std::fs::read_dir(&data) else {
        println!("skipped: {} is not there", data.display());
        return;
    };
    let mut cases: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_dir()).collect();
    cases.sort();
    let (mut all_rows, mut all_equal) = (0, 0);
    for dir in cases {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::load(&dir).unwrap();
        let answer = answer::solve(&case);
        let text = std::fs::read_to_string(dir.join("frr-8.4.4-tables.json")).unwrap();
        let shown: BTreeMap<String, Shown> = serde_json::from_str(&text).unwrap();
        let (mut rows, mut equal) = (0, 0);
        for (router, shown) in &shown {
            let empty = BTreeMap::new();
            let ours = answer.routers[router].get("ipv4_unicast").unwrap_or(&empty);
            let theirs = shown.detail.keys().map(|p| p.parse::<Prefix>().unwrap());
            let prefixes: std::collections::BTreeSet<Prefix> = ours.keys().copied().chain(theirs).collect();
            for prefix in prefixes {
                rows += 1;
                let found = match (ours.get(&prefix), shown.detail.get(&prefix.to_string())) {
                    (Some(row), Some(there)) => differences(&row.paths, there),
                    (None, _) => vec!["we have no such prefix".to_owned()],
                    (_, None) => vec!["FRR has no such prefix".to_owned()],
                };
                if found.is_empty() {
                    equal += 1;
                    continue;
                }
                let told = answer.order_dependent.iter().any(|o| &o.router == router && o.prefix == prefix);
                println!("  {name} {router} {prefix}: {}{}", found.join("; "), if told { " (told as dependent on order)" } else { "" });
                assert!(told, "{name} {router} {prefix} differs from FRR and is not told as dependent on the order of arrival");
            }
        }
        println!("{name}: {equal} of {rows} rows equal");
        let allowed = NOT_EQUAL.iter().find(|(case, ..)| *case == name).map_or(0, |(_, rows, _)| *rows);
        assert_eq!(rows - equal, allowed, "{name}");
        assert!(answer.unmodelled.is_empty(), "{name}: {:?}", answer.unmodelled);
        (all_rows, all_equal) = (all_rows + rows, all_equal + equal);
    }
    println!(
        "{all_equal} of {all_rows} rows equal to FRR 8.4.4, paths and reason; the others are told as dependent on the order of arrival"
    );
}
