//! `pilotctl status --peers`: the BGP sessions of a router.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::{PeerPrefixes, PeerTableView, PeerView, StatusView};

/// One table in a line. Kept routes are said to be kept, and by what.
fn table(t: &PeerTableView) -> String {
    let unconfirmed = if t.unconfirmed > 0 { format!(", {} of an earlier session", t.unconfirmed) } else { String::new() };
    match (&t.kept_by, &t.kept_until) {
        (Some(by), Some(until)) => format!("{} {}: {} paths kept by {} until {until}", t.view, t.family, t.paths, by.replace('_', " ")),
        _ if t.state == "counted" => {
            format!("{} {}: {} announced, {} withdrawn, counted and not kept", t.view, t.family, t.paths, t.unconfirmed)
        }
        _ => format!("{} {}: {}, {} paths{unconfirmed}", t.view, t.family, t.state, t.paths),
    }
}

/// Prints them.
pub fn print(context: &Context, client: &Client, device: &str) -> Ended {
    let rows: Vec<PeerView> = blocking(client.call("peers", &device))?;
    if context.json {
        print_json(&rows);
        return Ok(Outcome::Done);
    }
    let status: StatusView = blocking(client.call("status", &()))?;
    if let Some(churn) = status.devices.iter().find(|d| d.id == device).and_then(|d| d.churn.as_ref()) {
        println!("paths new, changed and withdrawn, all peers: {churn}");
    }
    if let Some(as_of) = rows.iter().find_map(|p| p.as_of.as_ref()) {
        println!("no feed of {device} lives: all of this is as of {as_of}");
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
        if let Some(instance) = &p.instance {
            println!("{:26} instance {instance:?}, distinguisher {}", "", p.distinguisher);
        } else if p.distinguisher != bmp::Distinguisher::GLOBAL.to_string() {
            println!("{:26} distinguisher {}", "", p.distinguisher);
        }
        p.tables.iter().for_each(|t| println!("{:26} {}", "", table(t)));
        if let Some(churn) = &p.churn {
            println!("{:26} paths new, changed and withdrawn: {churn}", "");
        }
        if p.mirrored > 0 {
            println!("{:26} {} Route Mirroring messages", "", p.mirrored);
        }
    }
    Ok(Outcome::Done)
}
