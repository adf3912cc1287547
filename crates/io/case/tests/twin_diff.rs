//! Random networks on real FRR, table by table. Needs root and FRR.

#![allow(clippy::print_stdout, reason = "the agreement is what the test is for")]

use case::{diff, live};

/// Networks; `cargo xtask twin-diff --seeds N` runs others.
const SEEDS: core::ops::Range<u64> = 1..21;

#[test]
fn twenty_random_networks_have_the_tables_that_real_routers_have() {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let told = diff::seeds(SEEDS, None, &core::sync::atomic::AtomicBool::new(false), |line| println!("{line}"));
    println!("{told}");
    assert_eq!(told.untold, 0, "{told}");
    // on a busy machine FRR may need longer than the patience for one
    assert!(told.failed <= 2, "{told}");
    assert!(told.reasons * 100 <= told.rows, "{told}");
    assert!(told.rows > 400, "{told}");
}
