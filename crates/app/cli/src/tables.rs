//! `pilotctl rib`: the routes after streams of BMP, each file the session of one router.

use crate::decode::pieces;
use crate::exit::{Context, Ended, Failure, Outcome};
use bgp::{Asn, Family, Prefix};
use bmp::{Codec, Framer, View};
use rib::{FamilyStatus, Mark, Rib, Route, RouterId, TableKey, TableSummary};
use serde_json::{Map, Value, json};
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use units::Timestamp;

/// Time of the stream between two looks at what time itself brings.
const TICK: Duration = Duration::from_secs(1);

/// Arguments of `rib`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl rib router.bmp --view loc_rib --prefix 203.0.113.0/24")]
pub struct Arguments {
    /// Streams of BMP messages, one router each; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Counts and states per router, peer, view and family, and the state hash.
    #[arg(long)]
    summary: bool,
    /// Only this view: adj_rib_in_pre, adj_rib_in_post, adj_rib_out_pre, adj_rib_out_post, loc_rib.
    #[arg(long, value_parser = view_of)]
    view: Option<View>,
    /// Only the peer with this address.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,
    /// Only this prefix.
    #[arg(long)]
    prefix: Option<Prefix>,
    /// The sender's own AS, for repairs that need it before its first Peer Up.
    #[arg(long, value_name = "ASN")]
    own_as: Option<u32>,
}

fn view_of(text: &str) -> Result<View, String> {
    serde_json::from_value(text.into()).map_err(|_| "no view of this name".to_owned())
}

/// Runs `rib`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let mut rib = Rib::default();
    let mut bad = false;
    for file in &arguments.files {
        bad |= read(&mut rib, file, arguments.own_as.map(Asn))?;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let found = if arguments.summary {
        summary(&rib, arguments, context.json, &mut out);
        true
    } else {
        routes(&rib, arguments, context.json, &mut out)
    };
    let _ = out.flush();
    match (bad, found) {
        (true, _) => Ok(Outcome::Partly),
        (false, true) => Ok(Outcome::Done),
        (false, false) => Ok(Outcome::No),
    }
}

/// Reads one stream; says whether part of it was bad.
fn read(rib: &mut Rib, file: &Path, own_as: Option<Asn>) -> Result<bool, Failure> {
    let name = file.display().to_string();
    let router = rib.router(&name).ok_or_else(|| Failure::new("PH-CLI-028", "more files than one table of tables holds"))?;
    let mut framer = Framer::new();
    // the only clock of a file is its sender's; it goes back where a router dumps what it learned earlier
    let mut now = Timestamp::EPOCH;
    let mut ticked = now;
    rib.connected(router, Codec::new(own_as), now);
    pieces(file, |bytes| {
        framer.push(bytes);
        while let Some(frame) = framer.next_ref() {
            let frame = frame.map_err(|e| Failure::new("PH-CLI-021", format!("{name}: {e}; nothing is printed")))?;
            now = bmp::sent_at(frame.bytes).map_or(now, |nanos| now.max(Timestamp::from_nanos(nanos)));
            if now >= ticked.plus(TICK) {
                rib.tick(now);
                ticked = now;
            }
            if let Err(error) = rib.ingest(router, frame.bytes, now) {
                eprintln!("PH-CLI-029 {name}: message at byte {}: {error}", frame.offset);
            }
        }
        Ok(())
    })?;
    rib.tick(now);
    if framer.pending() > 0 {
        eprintln!("PH-CLI-023 {name}: the last {} bytes are no whole message", framer.pending());
    }
    let counts = rib.counts(router);
    for (repair, count) in counts.iter().flat_map(|c| &c.repairs) {
        eprintln!("{name}: repaired {repair} × {count}");
    }
    Ok(framer.pending() > 0 || counts.is_some_and(|c| c.malformed > 0))
}

impl Arguments {
    fn wants(&self, key: &TableKey) -> bool {
        self.view.is_none_or(|v| v == key.view) && self.peer.is_none_or(|p| p == key.peer.address)
    }
}

/// Prints routes; says whether there was one.
fn routes(rib: &Rib, arguments: &Arguments, json: bool, out: &mut impl Write) -> bool {
    let mut found = false;
    let mut each = |route: Route<'_>| {
        let Some(key) = rib.key(route.table()).filter(|k| arguments.wants(k)) else { return };
        found = true;
        let _ = if json { writeln!(out, "{}", route_json(rib, key, &route)) } else { writeln!(out, "{}", route_text(key, &route)) };
    };
    match &arguments.prefix {
        Some(prefix) => rib.exact(prefix).into_iter().for_each(&mut each),
        None => rib.iter(Family::Ipv4Unicast).chain(rib.iter(Family::Ipv6Unicast)).for_each(&mut each),
    }
    found
}

fn route_text(key: &TableKey, route: &Route<'_>) -> String {
    let a = route.attributes().path;
    let mut out = format!("{:<20} {:<30}", route.prefix().to_string(), place(key));
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out += &format!("  {name} {value}");
        }
    };
    add("path", route.path_id().map(|id| id.to_string()));
    add("via", a.next_hop.map(|h| h.to_string()));
    add("as", Some(a.as_path.to_string()).filter(|p| !p.is_empty()));
    add("local-pref", a.local_pref.map(|n| n.to_string()));
    add("med", a.med.map(|n| n.to_string()));
    match route.mark() {
        Mark::Confirmed => {}
        Mark::Stale => out += "  stale",
        Mark::LongLivedStale => out += "  long-lived stale",
    }
    out
}

/// Says which table it is; what is global and nameless is not said.
fn place(key: &TableKey) -> String {
    let mut out = format!("{} {}", key.peer.address, view(key));
    if key.peer.distinguisher != bmp::Distinguisher::GLOBAL {
        out += &format!(" rd {}", key.peer.distinguisher);
    }
    if let Some(instance) = &key.instance {
        out += &format!(" instance {instance:?}");
    }
    out
}

fn view(key: &TableKey) -> String {
    text(&key.view)
}

/// Spells a value as JSON spells it.
fn text(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn table_json(rib: &Rib, router: RouterId, key: &TableKey) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in [
        ("router", rib.name(router).into()),
        ("peer", key.peer.address.to_string().into()),
        ("peer_type", text(&key.peer.kind).into()),
        ("distinguisher", key.peer.distinguisher.to_string().into()),
        ("bgp_id", key.peer.bgp_id.to_string().into()),
        ("instance", key.instance.clone().into()),
        ("view", view(key).into()),
    ] {
        out.insert(name.to_owned(), value);
    }
    out
}

fn route_json(rib: &Rib, key: &TableKey, route: &Route<'_>) -> Value {
    let attributes = route.attributes();
    let mut out = table_json(rib, key.router, key);
    out.insert("afi_safi".to_owned(), route.prefix().family().to_string().into());
    out.insert("prefix".to_owned(), route.prefix().to_string().into());
    out.insert("path_id".to_owned(), route.path_id().into());
    out.insert("next_hop".to_owned(), attributes.path.next_hop.map(|h| h.to_string()).into());
    out.insert("since".to_owned(), route.since().to_string().into());
    out.insert("mark".to_owned(), text(&route.mark()).into());
    out.insert("attributes".to_owned(), bmp::json::attributes(&attributes.path, &attributes.extra));
    out.into()
}

fn summary(rib: &Rib, arguments: &Arguments, json: bool, out: &mut impl Write) {
    let hash: String = rib.state_hash().iter().map(|b| format!("{b:02x}")).collect();
    let tables: Vec<TableSummary<'_>> = rib.tables().filter(|t| arguments.wants(t.key)).collect();
    let prefixes = rib.prefixes(Family::Ipv4Unicast) + rib.prefixes(Family::Ipv6Unicast);
    if json {
        let tables: Vec<Value> = tables.iter().map(|t| summary_json(rib, t)).collect();
        let all = json!({
            "tables": tables, "routes": rib.routes(), "prefixes": prefixes, "attribute_sets": rib.attribute_sets(),
            "refused": rib.refused(), "state_hash": hash,
        });
        let _ = writeln!(out, "{all}");
        return;
    }
    let width = tables.iter().map(|t| place(t.key).chars().count()).max().unwrap_or_default();
    let mut router = None;
    for table in &tables {
        if router.replace(table.key.router) != Some(table.key.router) {
            let own_name = rib.sys_name(table.key.router).map(|n| format!(" ({n:?})")).unwrap_or_default();
            let _ = writeln!(out, "{}{own_name}", table.router);
        }
        let who = place(table.key);
        for (family, status) in &table.families {
            let _ = writeln!(
                out,
                "  {who:<42} {:<13} {:<8} {:>9} routes{}",
                family.to_string(),
                status.state.name(),
                status.routes,
                rest(status)
            );
        }
        for (family, counted) in table.counted {
            let (a, w) = (counted.announced, counted.withdrawn);
            let unread = if counted.unread_updates > 0 { format!(", {} updates not read", counted.unread_updates) } else { String::new() };
            let _ = writeln!(out, "  {who:<width$}  {:<20} counted  {a} announced, {w} withdrawn{unread}", family.to_string());
        }
    }
    let _ = writeln!(
        out,
        "{}, {}, {}",
        count(rib.routes(), "route"),
        count(prefixes as u64, "prefix"),
        count(rib.attribute_sets() as u64, "attribute set")
    );
    let _ = writeln!(out, "state {hash}");
}

fn count(n: u64, what: &str) -> String {
    let ending = match what {
        _ if n == 1 => "",
        "prefix" => "es",
        _ => "s",
    };
    format!("{n} {what}{ending}")
}

/// What is to say of a family that is not as it should be.
fn rest(status: &FamilyStatus) -> String {
    let mut out = String::new();
    if status.unconfirmed > 0 {
        out += &format!(", {} not confirmed", status.unconfirmed);
    }
    if let Some(hold) = &status.kept {
        out += &format!(", kept by {} until {}", hold.name(), hold.until());
    }
    out
}

fn summary_json(rib: &Rib, table: &TableSummary<'_>) -> Value {
    let family = |s: &FamilyStatus| {
        json!({
            "state": s.state, "since": s.since.to_string(), "routes": s.routes, "unconfirmed": s.unconfirmed,
            "kept": s.kept.map(|h| json!({"by": h.name(), "until": h.until().to_string()})),
        })
    };
    let mut out = table_json(rib, table.key.router, table.key);
    out.insert("sys_name".to_owned(), rib.sys_name(table.key.router).into());
    let families: Map<String, Value> = table.families.iter().map(|(f, s)| (f.to_string(), family(s))).collect();
    out.insert("families".to_owned(), families.into());
    let counted: Map<String, Value> = table.counted.iter().map(|(f, c)| (f.to_string(), json!(c))).collect();
    out.insert("counted".to_owned(), counted.into());
    out.into()
}
