//! Cases whose tables real FRR 8.4.4 showed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use case::{Case, answer, frr::Shown};
use std::collections::BTreeMap;
use std::path::Path;

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
        let (rows, mut different) = case::compare::tables(&answer, &shown);
        case::compare::meet(&case, &shown, &mut different);
        for d in &different {
            let told = if d.told { " (told as dependent on order)" } else { "" };
            assert!(d.met, "{name} {} {}: no order of arrival makes FRR's row: {:?}", d.router, d.prefix, d.what);
            println!("  {name} {} {}: {}{told}", d.router, d.prefix, d.what.join("; "));
            assert!(d.told, "{name} {} {} differs from FRR and is not told as dependent on the order of arrival", d.router, d.prefix);
        }
        let equal = rows - different.len();
        println!("{name}: {equal} of {rows} rows equal");
        let allowed = NOT_EQUAL.iter().find(|(case, ..)| *case == name).map_or(0, |(_, rows, _)| *rows);
        assert_eq!(rows - equal, allowed, "{name}");
        assert!(answer.unmodelled.is_empty(), "{name}: {:?}", answer.unmodelled);
        (all_rows, all_equal) = (all_rows + rows, all_equal + equal);
    }
    println!(
        "{all_equal} of {all_rows} rows equal to FRR 8.4.4, paths and reason; the others are told as dependent on the order of arrival, and \
         equal ours in another order"
    );
}
