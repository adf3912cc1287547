//! `pilotctl status --volumes`: how much goes where.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::VolumesView;

/// Prefixes printed for each exit and direction; JSON has more.
const PREFIXES_SHOWN: usize = 5;

/// Prints it.
pub fn print(context: &Context, client: &Client) -> Ended {
    let view: VolumesView = blocking(client.call("volumes", &()))?;
    if context.json {
        print_json(&view);
        return Ok(Outcome::Done);
    }
    let rate = |bps: Option<f64>| bps.map_or_else(|| "unknown".to_owned(), |b| format!("{:.3}", b / 1e6));
    println!("{:14} {:3} {:8} {:>15} {:>13} {:>13}", "exit", "way", "told by", "accounted Mb/s", "counted Mb/s", "unattributed");
    for e in &view.exits {
        let gap = e.unattributed.map_or_else(|| "unknown".to_owned(), |u| format!("{:.1} %", u * 100.0));
        println!("{:14} {:3} {:8} {:>15} {:>13} {gap:>13}", e.exit, e.direction, e.source, rate(e.attributed_bps), rate(e.counted_bps));
        for (prefix, bps) in e.prefixes.iter().take(PREFIXES_SHOWN) {
            println!("    {prefix:40} {:>10.3}", bps / 1e6);
        }
        let left = e.prefixes.len().saturating_sub(PREFIXES_SHOWN) + e.more as usize;
        if left > 0 {
            println!("    and {left} prefixes more");
        }
    }
    for d in &view.doors {
        println!(
            "{} on {}: {} taken, {} dropped, {} lost on the way, {} refused, {} faulty",
            d.name, d.address, d.taken, d.dropped, d.lost, d.refused, d.faults
        );
    }
    for (reason, bytes) in &view.unplaced_bytes {
        println!("not placed, {reason}: {bytes} bytes");
    }
    Ok(Outcome::Done)
}
