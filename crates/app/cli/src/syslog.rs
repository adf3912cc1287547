//! `pilotctl collect --syslog`: what devices say, and what of it means that something changed.

use crate::engine::blocking;
use crate::exit::{Context, Ended, Failure, Outcome};
use action::DeviceId;
use collector::{Heard, SyslogCounters, SyslogListener, SyslogTls, Transport};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use units::Timestamp;

/// Messages that may wait for the output; UDP beyond it is dropped and counted.
const QUEUE: usize = 4096;

/// Names of the severities (RFC 5424 table 2).
const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/// Arguments of `collect` for syslog.
#[derive(Debug, clap::Args)]
pub struct SyslogArguments {
    /// Listen for syslog here, UDP and TCP, and print it.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["bmp", "gnmi", "flow", "record"])]
    pub syslog: Option<SocketAddr>,
    #[command(flatten)]
    tls: SyslogTlsArguments,
}

/// The TLS door for syslog, beside UDP and TCP.
#[derive(Debug, clap::Args)]
pub struct SyslogTlsArguments {
    /// And for syslog over TLS here.
    #[arg(long, value_name = "ADDR", requires_all = ["syslog", "syslog_cert", "syslog_key"])]
    syslog_tls: Option<SocketAddr>,
    /// Certificate chain of the TLS door.
    #[arg(long, value_name = "PEM")]
    syslog_cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "PEM")]
    syslog_key: Option<PathBuf>,
    /// CA of the senders' certificates; without it their address alone tells who they are.
    #[arg(long, value_name = "PEM")]
    syslog_client_ca: Option<PathBuf>,
}

impl SyslogTlsArguments {
    /// Returns the door, when it is asked for.
    pub fn door(self) -> Option<SyslogTls> {
        let (address, cert, key) = (self.syslog_tls?, self.syslog_cert?, self.syslog_key?);
        Some(SyslogTls { address, cert, key, client_ca: self.syslog_client_ca })
    }
}

/// Prints what comes, until Ctrl-C or SIGTERM.
pub fn run(context: &Context, address: SocketAddr, arguments: SyslogArguments, allow: &[IpAddr]) -> Ended {
    let tls = arguments.tls.door();
    let senders = allow.iter().map(|a| (*a, DeviceId::new(a.to_string()))).collect();
    blocking(async move {
        // before anybody is told that this runs
        let mut stop = crate::engine::Stop::new();
        let listener = SyslogListener::bind(address, tls.as_ref(), senders).await.map_err(|e| Failure::from_error("", &e))?;
        eprintln!("syslog on {} (UDP and TCP)", listener.local_address().unwrap_or(address));
        if let Some(address) = listener.tls_address() {
            eprintln!("syslog on {address} (TLS)");
        }
        let counters = listener.counters();
        let (tx, mut rx) = tokio::sync::mpsc::channel(QUEUE);
        let task = tokio::spawn(listener.run(tx));
        loop {
            let heard = tokio::select! {
                heard = rx.recv() => heard,
                () = stop.told() => {
                    // what has been taken in is still printed
                    rx.close();
                    continue;
                }
            };
            let Some(heard) = heard else { break };
            println!("{}", if context.json { as_json(&heard).to_string() } else { as_text(&heard) });
        }
        task.abort();
        tell(&counters);
        Ok(Outcome::Done)
    })
}

fn tell(c: &SyslogCounters) {
    let n = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    eprintln!(
        "{} messages, {} of them cut; {} datagrams dropped, {} refused, {} streams too many, {} broken",
        n(&c.messages),
        n(&c.cut),
        n(&c.dropped),
        n(&c.refused),
        n(&c.crowded),
        n(&c.broken)
    );
}

fn as_json(heard: &Heard) -> Value {
    let message = syslog::parse(&heard.bytes, heard.received.nanos());
    let event = syslog::classify(&message);
    let mut value = json!(message);
    value["time"] = message.time.map(|t| Timestamp::from_nanos(t).to_string()).into();
    value["event"] = json!(event);
    value["device"] = json!(heard.device);
    value["from"] = heard.from.to_string().into();
    value["transport"] = transport(heard.transport).into();
    value["received"] = heard.received.to_string().into();
    value["offset"] = heard.offset.into();
    value["cut_bytes"] = heard.cut.into();
    value
}

const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    }
}

/// One line; the device's own words are in quotes.
fn as_text(heard: &Heard) -> String {
    let m = syslog::parse(&heard.bytes, heard.received.nanos());
    let severity = m.severity.and_then(|s| SEVERITIES.get(usize::from(s))).unwrap_or(&"-");
    let app = m.app.as_deref().unwrap_or("-");
    let mut line = format!("{} {} {severity} {app} \"{}\"", heard.received, heard.device, m.text.replace('"', "\\\""));
    if let Some(e) = syslog::classify(&m) {
        let kind = json!(e.kind);
        line.push_str(&format!(" => {}", kind.as_str().unwrap_or_default()));
        let neighbor = e.neighbor.map(|n| n.to_string());
        let parts =
            [("by", e.user), ("neighbor", neighbor), ("interface", e.interface), ("reason", e.reason), ("from", e.from), ("what", e.what)];
        for (name, value) in parts {
            if let Some(value) = value {
                line.push_str(&format!(" {name} \"{}\"", value.replace('"', "\\\"")));
            }
        }
    }
    line
}
