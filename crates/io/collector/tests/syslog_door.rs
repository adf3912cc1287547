//! The syslog doors over loopback: datagrams, streams and TLS of our own, then util-linux `logger` and what FRR's bgpd says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use collector::{Heard, SyslogCounters, SyslogListener, SyslogTls, Transport};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use syslog::{Format, Kind, classify, parse};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

struct Doors {
    at: SocketAddr,
    tls: Option<SocketAddr>,
    counters: Arc<SyslogCounters>,
    rx: mpsc::Receiver<Heard>,
}

async fn open(tls: Option<SyslogTls>, queue: usize) -> Doors {
    let senders = [(IpAddr::from(Ipv4Addr::LOCALHOST), "r1".into())].into();
    let listener = SyslogListener::bind("127.0.0.1:0".parse().unwrap(), tls.as_ref(), senders).await.unwrap();
    let (at, tls, counters) = (listener.local_address().unwrap(), listener.tls_address(), listener.counters());
    let (tx, rx) = mpsc::channel(queue);
    tokio::spawn(listener.run(tx));
    Doors { at, tls, counters, rx }
}

impl Doors {
    async fn next(&mut self) -> Heard {
        timeout(Duration::from_secs(10), self.rx.recv()).await.expect("a message within 10 s").unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn(&SyslogCounters) -> bool) {
        for _ in 0..1000 {
            if holds(&self.counters) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?}", self.counters);
    }
}

fn text(heard: &Heard) -> &str {
    core::str::from_utf8(&heard.bytes).unwrap()
}

#[tokio::test]
async fn datagrams_and_streams_come_in_with_their_offsets() {
    let mut doors = open(None, 16).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(b"<13>1 - - - - - - one", doors.at).await.unwrap();
    let heard = doors.next().await;
    assert_eq!((text(&heard), heard.transport, heard.device.as_str(), heard.offset), ("<13>1 - - - - - - one", Transport::Udp, "r1", 0));
    assert_eq!(heard.from, udp.local_addr().unwrap());
    let mut tcp = TcpStream::connect(doors.at).await.unwrap();
    tcp.write_all(b"5 <1>ab<1>cd\n<1>last").await.unwrap();
    let (a, b) = (doors.next().await, doors.next().await);
    assert_eq!(((text(&a), a.offset), (text(&b), b.offset), b.transport), (("<1>ab", 2), ("<1>cd", 7), Transport::Tcp));
    drop(tcp);
    assert_eq!(text(&doors.next().await), "<1>last");
    assert_eq!(doors.counters.messages.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn strangers_are_refused_and_counted() {
    let mut doors = open(None, 16).await;
    let stranger = UdpSocket::bind("127.66.0.1:0").await.unwrap();
    stranger.send_to(b"<13>x", doors.at).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.66.0.1:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(doors.at).await.unwrap();
    // it may be closed before or after this
    let _ = stream.write_all(b"5 <1>ab").await;
    doors.until("two refused", |c| c.refused.load(Ordering::Relaxed) == 2).await;
    assert!(doors.rx.try_recv().is_err());
}

#[tokio::test]
async fn datagrams_that_find_no_room_are_dropped_and_counted_while_streams_are_held_back() {
    let mut doors = open(None, 2).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for n in 0..10 {
        udp.send_to(format!("<13>{n}").as_bytes(), doors.at).await.unwrap();
    }
    doors.until("eight dropped", |c| c.dropped.load(Ordering::Relaxed) == 8).await;
    let mut tcp = TcpStream::connect(doors.at).await.unwrap();
    let lines: String = (0..500).map(|n| format!("<1>line {n}\n")).collect();
    tcp.write_all(lines.as_bytes()).await.unwrap();
    assert_eq!((text(&doors.next().await).to_owned(), text(&doors.next().await).to_owned()), ("<13>0".to_owned(), "<13>1".to_owned()));
    for n in 0..500 {
        assert_eq!(text(&doors.next().await), format!("<1>line {n}"));
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_cut_and_a_stream_that_is_none_ends() {
    let mut doors = open(None, 16).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(&vec![b'x'; syslog::FRAME_BYTES_MAX + 5], doors.at).await.unwrap();
    let heard = doors.next().await;
    assert_eq!((heard.bytes.len(), heard.cut), (syslog::FRAME_BYTES_MAX, 5));
    for junk in [&b"99999999999999"[..], b"100 too short"] {
        TcpStream::connect(doors.at).await.unwrap().write_all(junk).await.unwrap();
    }
    doors.until("two broken streams", |c| c.broken.load(Ordering::Relaxed) == 2).await;
    udp.send_to(b"<13>still here", doors.at).await.unwrap();
    assert_eq!(text(&doors.next().await), "<13>still here");
}

#[tokio::test]
async fn a_sender_has_a_few_streams_and_no_more() {
    let doors = open(None, 16).await;
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(TcpStream::connect(doors.at).await.unwrap());
    }
    doors.until("four too many", |c| c.crowded.load(Ordering::Relaxed) == 4).await;
}

fn write(folder: &Path, name: &str, pem: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, pem).unwrap();
    path
}

/// Our CA, and a certificate for `localhost` with its key.
fn certificates() -> (rcgen::Certificate, rcgen::Certificate, rcgen::KeyPair) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = parameters.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (ca, leaf, key)
}

fn client(ca: &CertificateDer<'static>, identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    TlsConnector::from(Arc::new(match identity {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => builder.with_no_client_auth(),
    }))
}

#[tokio::test]
async fn under_tls_only_senders_with_a_certificate_are_heard_where_a_ca_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, leaf, key) = certificates();
    let tls = SyslogTls {
        address: "127.0.0.1:0".parse().unwrap(),
        cert: write(folder.path(), "cert.pem", &leaf.pem()),
        key: write(folder.path(), "key.pem", &key.serialize_pem()),
        client_ca: Some(write(folder.path(), "ca.pem", &ca.pem())),
    };
    let mut doors = open(Some(tls.clone()), 16).await;
    let name = || ServerName::try_from("localhost").unwrap();
    let at = doors.tls.unwrap();

    let identity = Some((leaf.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into())));
    let mut stream = client(ca.der(), identity).connect(name(), TcpStream::connect(at).await.unwrap()).await.unwrap();
    stream.write_all(b"6 <1>tls").await.unwrap();
    stream.flush().await.unwrap();
    let heard = doors.next().await;
    assert_eq!((text(&heard), heard.transport), ("<1>tls", Transport::Tls));

    // without a certificate, and without TLS
    if let Ok(mut stream) = client(ca.der(), None).connect(name(), TcpStream::connect(at).await.unwrap()).await {
        let _ = stream.write_all(b"6 <1>bad").await;
        let _ = stream.flush().await;
    }
    TcpStream::connect(at).await.unwrap().write_all(b"6 <1>bad\n\n\n").await.unwrap();
    doors.until("two broken", |c| c.broken.load(Ordering::Relaxed) == 2).await;
    assert!(doors.rx.try_recv().is_err());

    let missing = SyslogTls { key: folder.path().join("none"), ..tls.clone() };
    let error = SyslogListener::bind("127.0.0.1:0".parse().unwrap(), Some(&missing), [].into()).await.unwrap_err().to_string();
    assert!(error.starts_with("PH-COLL-031") && error.contains("none"), "{error}");
    let other = SyslogTls { key: write(folder.path(), "other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem()), ..tls };
    let error = SyslogListener::bind("127.0.0.1:0".parse().unwrap(), Some(&other), [].into()).await.unwrap_err().to_string();
    assert!(error.starts_with("PH-COLL-032"), "{error}");
}

/// Runs util-linux `logger`; false where there is none.
fn logger(at: SocketAddr, arguments: &[&str], words: &str) -> bool {
    let port = at.port().to_string();
    let run = Command::new("logger")
        .args(["-n", "127.0.0.1", "-P", &port, "-p", "local7.notice", "-t", "bgpd"])
        .args(arguments)
        .arg(words)
        .output();
    match run {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => {
            println!("skipped: util-linux logger is not installed");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_logger_sends_is_read_in_every_form_and_by_every_way() {
    const WORDS: &str = "%ADJCHANGE: neighbor 10.0.0.2(r2) in vrf default Down Peer closed the session";
    let mut doors = open(None, 16).await;
    let forms = [("--rfc5424", Format::Rfc5424), ("--rfc3164", Format::Rfc3164)];
    for (form, format) in forms {
        for (way, transport) in [(&["-d"][..], Transport::Udp), (&["-T"], Transport::Tcp), (&["-T", "--octet-count"], Transport::Tcp)] {
            let arguments = [way, &[form, "--id=812"]].concat();
            if !logger(doors.at, &arguments, WORDS) {
                return;
            }
            let heard = doors.next().await;
            let m = parse(&heard.bytes, heard.received.nanos());
            assert_eq!((heard.transport, m.format, m.faults.as_slice()), (transport, format, &[][..]), "{arguments:?}: {m:?}");
            assert_eq!(
                (m.facility, m.severity, m.app.as_deref(), m.process.as_deref()),
                (Some(23), Some(5), Some("bgpd"), Some("812")),
                "{m:?}"
            );
            let age = Duration::from_nanos(m.time.unwrap().abs_diff(heard.received.nanos()));
            // RFC 3164 tells local time without a zone: it is right where the machine keeps UTC
            assert!(age < Duration::from_secs(5) || (format == Format::Rfc3164 && !m.zone_given), "{age:?}: {m:?}");
            assert_eq!(m.text, WORDS);
            let event = classify(&m).unwrap();
            assert_eq!(
                (event.kind, event.neighbor, event.reason.as_deref()),
                (Kind::NeighborDown, "10.0.0.2".parse().ok(), Some("Peer closed the session"))
            );
        }
    }
}

/// Two bgpd that peer with each other; stopped when dropped.
struct Frr(std::path::PathBuf);

impl Frr {
    fn script(&self, arguments: &[&str]) -> std::process::Output {
        Command::new("../../../tests/peers/frr-bmp.sh").arg(&self.0).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn vtysh(&self, commands: &[&str]) {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(self.0.join("a")).args(["-d", "bgpd"]);
        vtysh.args(commands.iter().flat_map(|c| ["-c", *c]));
        let output = vtysh.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        self.script(&["stop"]);
    }
}

/// FRR says what it says to syslog on its standard output too; `logger` carries that over the wire, word by word.
#[tokio::test(flavor = "multi_thread")]
async fn what_bgpd_says_is_understood() {
    let mut doors = open(None, 256).await;
    let folder = tempfile::tempdir().unwrap();
    let frr = Frr(folder.path().to_owned());
    let started = frr.script(&["start", "9"]);
    if started.status.code() == Some(77) || !logger(doors.at, &["-d"], "ready") {
        println!("skipped: {}", String::from_utf8_lossy(&started.stderr));
        return;
    }
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    doors.next().await;
    frr.vtysh(&["configure terminal", "log stdout informational", "log commands", "router bgp 65001", "bgp log-neighbor-changes"]);
    frr.vtysh(&["configure terminal", "router bgp 65001", "bgp default local-preference 150"]);
    frr.vtysh(&["clear bgp *"]);
    let log = folder.path().join("a.log");
    let mut said = String::new();
    for _ in 0..300 {
        said = std::fs::read_to_string(&log).unwrap();
        if said.contains("vrf default Up") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut kinds = Vec::new();
    // behind the time and the program's name of a line: what it gives to syslog(3)
    let lines = said.lines().filter_map(|l| l.split_once(" BGP: ")).map(|(_, words)| words);
    for words in lines.filter(|w| w.contains("%ADJCHANGE") || w.contains("vty[")) {
        logger(doors.at, &["-T", "--rfc5424"], words);
        let heard = doors.next().await;
        let event = classify(&parse(&heard.bytes, heard.received.nanos()));
        println!("{words} => {event:?}");
        kinds.extend(event.map(|e| (e.kind, e.what)));
    }
    let configured = Some("bgp default local-preference 150".to_owned());
    assert!(kinds.contains(&(Kind::ConfigCommitted, configured)), "{said}");
    let of = |kind| kinds.iter().filter(|(k, _)| *k == kind).count();
    assert!(of(Kind::NeighborDown) >= 1 && of(Kind::NeighborUp) >= 1, "{kinds:?}\n{said}");
    let commands = said.lines().filter(|l| l.contains("# clear bgp") || l.contains("> enable")).count();
    assert!(
        commands >= 1 && kinds.iter().all(|(_, what)| what.as_deref() != Some("clear bgp *")),
        "a command that configures nothing: {kinds:?}"
    );
}
