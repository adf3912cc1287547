//! `pilotctl status --peers`: the BGP sessions of a router.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::{PeerPrefixes, PeerView};

/// Prints them.
pub fn print(context: &Context, client: &Client, device: &str) -> Ended {
    let rows: Vec<PeerView> = blocking(client.call("peers", &device))?;
    if context.json {
        print_json(&rows);
        return Ok(Outcome::Done);
    }
    println!("{:26} {:>10} {:13} {:>9} {:>5}  {:34} role", "neighbour", "AS", "state", "for s", "flaps", "received/sent (limit)");
    for p in rows {
        let asn = p.peer_asn.map_or_else(|| "-".to_owned(), |a| a.to_string());
        let state = if p.admin_down { format!("{} (shut)", p.state) } else { p.state };
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let limit = |n: Option<u32>| n.map_or_else(String::new, |n| format!(" ({n})"));
        let counts = |c: &PeerPrefixes| {
            format!("{} {}/{}{}", c.family.split('_').next().unwrap_or_default(), number(c.received), number(c.sent), limit(c.max_prefix))
        };
        let prefixes: Vec<String> = p.prefixes.iter().map(counts).collect();
        println!("{:26} {asn:>10} {state:13} {:>9} {:>5}  {:34} {}", p.address, p.uptime_s, p.flaps, prefixes.join(", "), p.role);
        if let Some(error) = p.last_error {
            println!("{:26} last down: {error:?}", "");
        }
    }
    Ok(Outcome::Done)
}
