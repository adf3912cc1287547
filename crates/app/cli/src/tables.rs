//! `pilotctl rib`: the routes after streams of BMP, each file the session of one router, or those of a router that is watched now.

use crate::client::Client;
use crate::decode::{over, pieces, unwritten};
use crate::engine::blocking;
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{RoutesArguments, RoutesView, route_row, table_row};
use bgp::{Asn, Family, Prefix};
use bmp::{Codec, Framer, View};
use rib::{FamilyStatus, Rib, Route, TableKey, TableSummary};
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
#[command(after_help = "Example: pilotctl rib router.bmp --view loc_rib --prefix 203.0.113.0/24
What a neighbour announces now, before policy: pilotctl rib --device r1 --peer 192.0.2.1 --view adj_rib_in_pre")]
pub struct Arguments {
    /// Streams of BMP messages, one router each; `-` is standard input.
    #[arg(required_unless_present = "device")]
    files: Vec<PathBuf>,
    /// The routes that this router has told the running engine, instead of files.
    #[arg(long, value_name = "ID", conflicts_with_all = ["files", "own_as", "summary"])]
    device: Option<String>,
    /// Of a router: so many routes at most; how many more there are is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(api::ROUTES_MAX)))]
    limit: Option<u32>,
    /// Counts and states per router, peer, view and family, and the state hash; of a router that is watched: `pilotctl status --peers ID`.
    #[arg(long, conflicts_with = "prefix")]
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

/// As [`View`] is written.
const VIEWS: [&str; 5] = ["adj_rib_in_pre", "adj_rib_in_post", "adj_rib_out_pre", "adj_rib_out_post", "loc_rib"];

/// Reads the name of a view.
pub fn view_of(text: &str) -> Result<View, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("no such view; there are {}", VIEWS.join(", ")))
}

/// Runs `rib`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if arguments.device.is_some() {
        return watched(context, arguments);
    }
    // the parser does not see it: files and a router exclude each other
    if arguments.limit.is_some() {
        return Err(Failure::new("PH-CLI-082", "--limit bounds what a router tells by --device; of files every route is printed"));
    }
    let mut rib = Rib::default();
    let bad = over(&arguments.files, |file| read(&mut rib, file, arguments.own_as.map(Asn)))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let found = if arguments.summary {
        summary(&rib, arguments, context.json, &mut out);
        true
    } else {
        routes(&rib, arguments, context.json, &mut out)
    };
    out.flush().map_err(|e| unwritten(&e))?;
    match (bad, found) {
        (true, _) => Ok(Outcome::Partly),
        (false, true) => Ok(Outcome::Done),
        (false, false) => Ok(none()),
    }
}

/// Prints routes of a router that the running engine watches.
fn watched(context: &Context, arguments: &Arguments) -> Ended {
    let found: RoutesView = blocking(Client::new(context)?.call("routes", &arguments.wanted()))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for route in &found.routes {
        let _ = if context.json { writeln!(out, "{route}") } else { writeln!(out, "{}", route_text(route)) };
    }
    out.flush().map_err(|e| unwritten(&e))?;
    if found.more > 0 {
        eprintln!("{} more routes; --limit N for up to {}, --peer, --view or --prefix for less", found.more, api::ROUTES_MAX);
    }
    Ok(if found.routes.is_empty() { none() } else { Outcome::Done })
}

/// An empty answer is said to be one.
fn none() -> Outcome {
    eprintln!("no route is what was asked for");
    Outcome::No
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
    let mut kept = false;
    let ended = pieces(file, |bytes| {
        framer.push(bytes);
        while let Some(frame) = framer.next_ref() {
            let frame = frame.map_err(|e| Failure::new("PH-CLI-021", format!("{name}: {e}")))?;
            kept = true;
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
    });
    rib.tick(now);
    let cut = match ended {
        Err(failure) if kept => {
            eprintln!("{failure}; what came before it is kept");
            true
        }
        Err(failure) => return Err(failure),
        Ok(()) => false,
    };
    if framer.pending() > 0 && !cut {
        eprintln!("PH-CLI-023 {name}: the last {} bytes are no whole message", framer.pending());
    }
    let counts = rib.counts(router);
    for (repair, count) in counts.iter().flat_map(|c| &c.repairs) {
        eprintln!("{name}: repaired {repair} × {count}");
    }
    Ok(cut || framer.pending() > 0 || counts.is_some_and(|c| c.malformed > 0))
}

impl Arguments {
    fn wanted(&self) -> RoutesArguments {
        RoutesArguments {
            device: self.device.clone().unwrap_or_default(),
            view: self.view,
            peer: self.peer,
            prefix: self.prefix,
            limit: Some(self.limit.unwrap_or(api::ROUTES_USUAL)),
        }
    }
}

/// Prints routes; says whether there was one.
fn routes(rib: &Rib, arguments: &Arguments, json: bool, out: &mut impl Write) -> bool {
    let (mut found, wanted) = (false, arguments.wanted());
    let mut each = |route: Route<'_>| {
        let Some(key) = rib.key(route.table()).filter(|k| wanted.holds(k)) else { return };
        found = true;
        let row = route_row(rib, key, &route);
        let _ = if json { writeln!(out, "{row}") } else { writeln!(out, "{}", route_text(&row)) };
    };
    match &arguments.prefix {
        Some(prefix) => rib.exact(prefix).into_iter().for_each(&mut each),
        None => rib.iter(Family::Ipv4Unicast).chain(rib.iter(Family::Ipv6Unicast)).for_each(&mut each),
    }
    found
}

/// A row in a line: what is null is left out.
fn route_text(row: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let mut out = format!("{:<20} {:<30}", row["prefix"].as_str().unwrap_or_default(), place_of(row));
    let a = &row["attributes"];
    for (name, value) in
        [("path", &row["path_id"]), ("via", &row["next_hop"]), ("as", &a["as_path"]), ("local-pref", &a["local_pref"]), ("med", &a["med"])]
    {
        if let Some(value) = text(value).filter(|v| !v.is_empty()) {
            out += &format!("  {name} {value}");
        }
    }
    match row["mark"].as_str() {
        Some("stale") => out += "  stale",
        Some("long_lived_stale") => out += "  long-lived stale",
        _ => {}
    }
    out
}

/// Says which table it is; what is global and nameless is not said.
fn place(rib: &Rib, key: &TableKey) -> String {
    place_of(&table_row(rib, key.router, key).into())
}

/// The same of a row.
fn place_of(row: &Value) -> String {
    let mut out = [&row["peer"], &row["view"]].into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let global = bmp::Distinguisher::GLOBAL.to_string();
    if let Some(rd) = row["distinguisher"].as_str().filter(|d| *d != global) {
        out += &format!(" rd {rd}");
    }
    if let Some(instance) = row["instance"].as_str() {
        out += &format!(" instance {instance:?}");
    }
    out
}

fn summary(rib: &Rib, arguments: &Arguments, json: bool, out: &mut impl Write) {
    let hash: String = rib.state_hash().iter().map(|b| format!("{b:02x}")).collect();
    let wanted = arguments.wanted();
    let tables: Vec<TableSummary<'_>> = rib.tables().filter(|t| wanted.holds(t.key)).collect();
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
    let width = tables.iter().map(|t| place(rib, t.key).chars().count()).max().unwrap_or_default();
    let mut router = None;
    for table in &tables {
        if router.replace(table.key.router) != Some(table.key.router) {
            let own_name = rib.sys_name(table.key.router).map(|n| format!(" ({n:?})")).unwrap_or_default();
            let _ = writeln!(out, "{}{own_name}", table.router);
        }
        let who = place(rib, table.key);
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
    let mut out = table_row(rib, table.key.router, table.key);
    out.insert("sys_name".to_owned(), rib.sys_name(table.key.router).into());
    let families: Map<String, Value> = table.families.iter().map(|(f, s)| (f.to_string(), family(s))).collect();
    out.insert("families".to_owned(), families.into());
    let counted: Map<String, Value> = table.counted.iter().map(|(f, c)| (f.to_string(), json!(c))).collect();
    out.insert("counted".to_owned(), counted.into());
    out.into()
}
