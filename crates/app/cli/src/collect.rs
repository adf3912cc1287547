//! `pilotctl collect`: the collector alone.

use crate::exit::{Context, Ended, Failure, Outcome};
use action::DeviceId;
use collector::{BmpListener, FlowBatch, FlowCounters, FlowListener, Target};
use flow::Sampling;
use network::{BmpEvent, BmpSource, Credential, DeviceRole, DeviceSpec, GnmiEndpoint, GnmiEvent, Inventory, Observation, TlsPolicy};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use units::Timestamp;

/// Observations that may wait for the output.
const QUEUE: usize = 1024;

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl collect --bmp 127.0.0.1:17442 --record today.capture")]
pub struct Arguments {
    /// Listen for BMP here.
    #[arg(long, value_name = "ADDR")]
    bmp: Option<SocketAddr>,
    /// Senders that are let in.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    allow: Vec<IpAddr>,
    /// Listen for NetFlow v5 and v9, IPFIX and sFlow v5 here (UDP); the records are printed.
    #[arg(long, value_name = "ADDR", conflicts_with = "record")]
    flow: Option<SocketAddr>,
    /// gNMI targets, `host:port`, or the host alone to have the profile's ports tried; without --ca plaintext, on loopback only.
    #[arg(long, value_name = "TARGET")]
    gnmi: Vec<String>,
    /// CA certificate for the targets; without it plaintext.
    #[arg(long, value_name = "PEM")]
    ca: Option<String>,
    /// Platform profile of the targets, for example `arista_eos`; without it their Capabilities tell.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Own profile beside the embedded ones, or a directory of such; its name is the file's without `.toml`.
    #[arg(long, value_name = "TOML", requires = "gnmi")]
    profile_file: Vec<PathBuf>,
    /// Name in the targets' certificates.
    #[arg(long, default_value = "localhost")]
    server_name: String,
    /// Certificate that we show to the targets.
    #[arg(long, value_name = "PEM", requires_all = ["ca", "client_key"])]
    client_cert: Option<String>,
    /// Its key.
    #[arg(long, value_name = "PEM", requires = "client_cert")]
    client_key: Option<String>,
    /// User name for the targets; the password comes from --password-file or the environment variable PILOTHOUSE_GNMI_PASSWORD.
    #[arg(long, value_name = "NAME", requires = "gnmi")]
    user: Option<String>,
    /// File with the password, readable by its owner only.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    syslog: crate::syslog::SyslogArguments,
    /// Record instead of printing.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// An inventory of one router that nothing else is known of.
pub fn bare_inventory(device: &DeviceId, own_as: u32) -> Inventory {
    Inventory {
        name: "files".to_owned(),
        lab: None,
        own_asn: bgp::Asn(own_as),
        own_prefixes: Vec::new(),
        public_space: Vec::new(),
        devices: vec![bare_device(device, None, None)],
        providers: Vec::new(),
        exits: Vec::new(),
        groups: Vec::new(),
        ..Inventory::empty("")
    }
}

/// Makes a device with these feeds.
pub fn bare_device(id: &DeviceId, bmp: Option<IpAddr>, gnmi: Option<GnmiEndpoint>) -> DeviceSpec {
    DeviceSpec {
        id: id.clone(),
        hostname: id.to_string(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::UNSPECIFIED,
        bmp: bmp.map(BmpSource::at),
        gnmi,
        netconf: None,
    }
}

/// Runs `collect` until Ctrl-C or SIGTERM.
pub fn run(context: &Context, arguments: Arguments) -> Ended {
    if let Some(address) = arguments.syslog.syslog {
        return crate::syslog::run(context, address, arguments.syslog, &arguments.allow);
    }
    if arguments.bmp.is_none() && arguments.gnmi.is_empty() && arguments.flow.is_none() {
        return Err(Failure::new("PH-CLI-030", "give --bmp ADDR, --flow ADDR, --gnmi TARGET or --syslog ADDR"));
    }
    let mut inventory = bare_inventory(&DeviceId::new("unused"), 0);
    inventory.devices = arguments.allow.iter().map(|a| bare_device(&DeviceId::new(a.to_string()), Some(*a), None)).collect();
    for address in &arguments.gnmi {
        let client = arguments.client_cert.clone().zip(arguments.client_key.clone());
        let tls = match &arguments.ca {
            Some(ca) => TlsPolicy::Verify { ca_file: ca.clone(), server_name: arguments.server_name.clone(), client },
            None => TlsPolicy::Plaintext,
        };
        let credential = arguments.user.clone().map(|username| Credential { username, secret: "collect".to_owned() });
        let endpoint = GnmiEndpoint { address: address.clone(), tls, credential, profile: arguments.profile.clone() };
        inventory.devices.push(bare_device(&DeviceId::new(address.clone()), None, Some(endpoint)));
    }
    let password = arguments.user.as_ref().map(|_| password(arguments.password_file.as_deref())).transpose()?;
    let profiles = collector::profiles(&arguments.profile_file).map_err(|e| Failure::from_error("", &e))?;
    if let Some(name) = &arguments.profile {
        gnmi::Profile::choose(&profiles, &[], Some(name)).map_err(|e| Failure::from_error("PH-CLI-045", &e))?;
    }
    let dialling = Dialling { password, profiles };
    crate::engine::blocking(collect(context.json, arguments, inventory, dialling))
}

/// What the diallers need beside the inventory.
struct Dialling {
    password: Option<String>,
    profiles: Arc<[gnmi::Profile]>,
}

/// Environment variable that may hold the password; a command line is read by everybody on the machine.
const PASSWORD: &str = "PILOTHOUSE_GNMI_PASSWORD";

/// Bytes of the password's file that are read.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Reads the password: the file's first line, or the environment.
fn password(file: Option<&Path>) -> Result<String, Failure> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let Some(file) = file else {
        let missing = "--user needs a password: give --password-file FILE, or set PILOTHOUSE_GNMI_PASSWORD";
        return std::env::var(PASSWORD).map_err(|_| Failure::new("PH-CLI-044", missing));
    };
    let failed = |e: std::io::Error| Failure::new("PH-CLI-044", format!("{}: {e}", file.display()));
    // of the open file, so that it cannot be exchanged between the look and the reading
    let open = std::fs::File::open(file).map_err(failed)?;
    if open.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(Failure::new("PH-CLI-044", format!("{} can be read by others; chmod 600 it", file.display())));
    }
    let mut text = String::new();
    open.take(PASSWORD_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let first = text.lines().next().unwrap_or_default();
    if first.is_empty() {
        Err(Failure::new("PH-CLI-044", format!("{} has an empty first line", file.display())))
    } else {
        Ok(first.to_owned())
    }
}

async fn collect(json: bool, arguments: Arguments, inventory: Inventory, dialling: Dialling) -> Ended {
    let (tx, mut rx) = tokio::sync::mpsc::channel(QUEUE);
    // before anybody is told that this runs
    let mut stop = crate::engine::Stop::new();
    let mut tasks = Vec::new();
    if let Some(address) = arguments.bmp {
        let listener = BmpListener::bind(address, &inventory).await.map_err(|e| Failure::from_error("PH-COLL-001", &e))?;
        eprintln!("BMP on {}", listener.local_address().unwrap_or(address));
        tasks.push(tokio::spawn(listener.run(tx.clone())));
    }
    for (seed, address) in (1..).zip(&arguments.gnmi) {
        let target = Target::new(&inventory, &DeviceId::new(address.clone()), dialling.password.clone());
        let target = target.map_err(|e| Failure::from_error("", &e))?.with_profiles(Arc::clone(&dialling.profiles));
        tasks.push(tokio::spawn(collector::dial(target, seed, tx.clone())));
    }
    // flow records take a queue of their own; the other one stays open for as long as they come
    let _open = arguments.flow.map(|_| tx.clone());
    drop(tx);
    let mut flows = None;
    if let Some(address) = arguments.flow {
        let allowed = arguments.allow.iter().map(|a| (*a, DeviceId::new(a.to_string()))).collect();
        let listener = FlowListener::bind(address, allowed).map_err(|e| Failure::from_error("", &e))?;
        eprintln!("flow export on {}", listener.local_address().unwrap_or(address));
        let (to, from) = tokio::sync::mpsc::channel(QUEUE);
        let counters = listener.counters();
        tasks.push(tokio::spawn(listener.run(to)));
        flows = Some((from, counters));
    }
    arguments.record.as_deref().map(crate::exit::folder_of).transpose()?;
    let mut writer = arguments.record.as_deref().map(capture::Writer::create).transpose().map_err(|e| Failure::from_error("", &e))?;
    let mut sessions = std::collections::BTreeMap::new();
    let mut seq = 0;
    loop {
        let observation = tokio::select! {
            observation = rx.recv() => observation,
            Some(batch) = next_flows(&mut flows) => {
                print_flows(json, &batch);
                continue;
            }
            () = stop.told() => {
                // what has been taken in is still kept
                rx.close();
                continue;
            }
        };
        let Some(observation) = observation else { break };
        seq += 1;
        match &mut writer {
            Some(writer) => {
                let mut observation = observation;
                observation.hide_secrets();
                let input = pilot::Input::Observed { observation };
                writer.append(seq, now(), &input).and_then(|()| writer.flush()).map_err(|e| Failure::from_error("", &e))?;
            }
            None => print(json, &observation, &mut sessions),
        }
    }
    if let Some(writer) = &mut writer {
        writer.finish().map_err(|e| Failure::from_error("", &e))?;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    eprintln!("{seq} observations");
    if let Some((mut batches, counters)) = flows {
        // no task sends any more; what it had sent is printed
        batches.close();
        while let Ok(batch) = batches.try_recv() {
            print_flows(json, &batch);
        }
        print_flow_counters(&counters);
    }
    Ok(Outcome::Done)
}

type Flows = (tokio::sync::mpsc::Receiver<FlowBatch>, Arc<FlowCounters>);

async fn next_flows(flows: &mut Option<Flows>) -> Option<FlowBatch> {
    flows.as_mut()?.0.recv().await
}

/// Prints a line a record: JSON, or who, from, to, by which interfaces, bytes and packets scaled by sampling.
fn print_flows(json: bool, batch: &FlowBatch) {
    let word = |told: Option<String>| told.unwrap_or_else(|| "-".to_owned());
    for r in &batch.records {
        if json {
            println!("{}", serde_json::to_string(r).unwrap_or_default());
            continue;
        }
        let (from, to) = (word(r.source.map(|a| a.to_string())), word(r.destination.map(|a| a.to_string())));
        let (ingress, egress) = (word(r.ingress.map(|i| i.to_string())), word(r.egress.map(|i| i.to_string())));
        let Sampling { sampled, population, .. } = r.sampling;
        let (bytes, packets) = (r.scaled_bytes, r.scaled_packets);
        println!("{} {from} -> {to} if {ingress} -> {egress}: {bytes} bytes, {packets} packets ({sampled} of {population})", batch.device);
    }
}

fn print_flow_counters(counters: &FlowCounters) {
    let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
    eprintln!(
        "{} flow records of {} datagrams; {} faults, {} records and {} datagrams lost on the way, {} records dropped here, {} datagrams by the \
         kernel, {} of unknown senders",
        count(&counters.records),
        count(&counters.datagrams),
        count(&counters.faults),
        count(&counters.lost_records),
        count(&counters.lost_datagrams),
        count(&counters.dropped_records),
        count(&counters.kernel_drops),
        count(&counters.refused)
    );
}

/// What is known of one router's BMP session: what its Peer Ups said, and how far its stream is.
#[derive(Default)]
struct Session {
    codec: bmp::Codec,
    offset: u64,
}

fn print(json: bool, observation: &Observation, sessions: &mut std::collections::BTreeMap<DeviceId, Session>) {
    if let Observation::Bmp { device, event } = observation {
        let BmpEvent::Message { bytes } = event else {
            // what an earlier session agreed on says nothing of the next (RFC 7854 §3.3)
            sessions.remove(device);
            println!("{}", serde_json::to_string(observation).unwrap_or_default());
            return;
        };
        let session = sessions.entry(device.clone()).or_default();
        let mut line = match bmp::decode(bytes, &mut session.codec) {
            Ok(message) => bmp::json::message(&message, session.offset),
            Err(error) => bmp::json::malformed(&error, bytes, session.offset),
        };
        session.offset = session.offset.saturating_add(bytes.len() as u64);
        line["router"] = serde_json::Value::String(device.to_string());
        println!("{line}");
        return;
    }
    if let (false, Observation::Gnmi { device, event: GnmiEvent::Notification { notification } }) = (json, observation) {
        for path in &notification.deletes {
            println!("{device} delete {path}");
        }
        for update in &notification.updates {
            println!("{device} {} = {}", update.path, serde_json::to_string(&update.value).unwrap_or_default());
        }
        return;
    }
    println!("{}", serde_json::to_string(observation).unwrap_or_default());
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
