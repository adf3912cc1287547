//! Targets that do not do what they announce, or take only part of what is asked: what they do deliver is read, and what they refuse is named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use collector::{Target, dial, profiles, set_probe_rate};
use core::net::SocketAddr;
use core::pin::Pin;
use gnmi_wire::proto::gnmi_ext;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use gnmi_wire::wire::subscription_list::Mode as ListMode;
use gnmi_wire::wire::{self, Encoding, SubscriptionMode, typed_value::Value as Wire};
use network::{Freshness, GnmiEndpoint, Observation, ProbeKey, SessionState, SubscriptionHealth, TlsPolicy};
use peer::{Watch, inventory};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

type Answer = Result<wire::SubscribeResponse, Status>;
type Answers = Pin<Box<dyn Stream<Item = Answer> + Send>>;

/// What the target does when it is asked in an encoding.
#[derive(Clone, Copy)]
enum Delivers {
    /// These values.
    Values(fn(&str) -> Wire),
    /// Its sync and nothing else, as Junos does for JSON_IETF.
    Nothing,
    /// Not even that.
    Silence,
    /// An error.
    Refusal,
}

/// A target that is as picky as a test wants it, and remembers what it was asked.
struct Picky {
    announced: Vec<Encoding>,
    delivers: BTreeMap<i32, Delivers>,
    /// Words for a row that it does not take.
    refuses: fn(&wire::Subscription, &str) -> Option<&'static str>,
    /// Words for a list that it does not take as a whole.
    refuses_list: fn(&wire::SubscriptionList) -> Option<&'static str>,
    /// Leaves that it has.
    holds: Vec<(&'static str, &'static str)>,
    /// Leaves that it tells in a stream, where these are others.
    tells: Option<Vec<(&'static str, &'static str)>>,
    /// After so many streams it hangs up once.
    hangs_up: AtomicUsize,
    asked: Mutex<Vec<wire::SubscribeRequest>>,
}

impl Default for Picky {
    fn default() -> Self {
        Self {
            announced: vec![Encoding::JsonIetf],
            delivers: BTreeMap::new(),
            refuses: |_, _| None,
            refuses_list: |_| None,
            holds: vec![
                ("/system/state/hostname", "edge-1"),
                ("/interfaces/interface[name=eth0]/state/oper-status", "UP"),
                ("/interfaces/interface[name=eth0]/state/counters/in-errors", "7"),
            ],
            tells: None,
            hangs_up: AtomicUsize::new(usize::MAX),
            asked: Mutex::default(),
        }
    }
}

fn json_ietf(text: &str) -> Wire {
    Wire::JsonIetfVal(format!("\"{text}\"").into_bytes())
}

fn ascii(text: &str) -> Wire {
    Wire::AsciiVal(text.to_owned())
}

fn string(text: &str) -> Wire {
    text.parse().map_or_else(|_| Wire::StringVal(text.to_owned()), Wire::UintVal)
}

fn broken(_: &str) -> Wire {
    Wire::JsonVal(b"{".to_vec())
}

fn path_of(row: &wire::Subscription) -> String {
    gnmi_wire::path_from_wire(None, row.path.as_ref()).to_string()
}

fn list_of(request: &wire::SubscribeRequest) -> &wire::SubscriptionList {
    match &request.request {
        Some(wire::subscribe_request::Request::Subscribe(list)) => list,
        other => panic!("no subscription: {other:?}"),
    }
}

fn sync() -> Answer {
    Ok(wire::SubscribeResponse {
        response: Some(wire::subscribe_response::Response::SyncResponse(true)),
        ..wire::SubscribeResponse::default()
    })
}

impl Picky {
    fn values(&self, list: &wire::SubscriptionList, leaves: &[(&str, &str)], value: fn(&str) -> Wire) -> Vec<Answer> {
        let wanted: Vec<gnmi::Path> = list.subscription.iter().map(|s| path_of(s).parse().unwrap()).collect();
        let update = |(path, text): &(&str, &str)| {
            let path: gnmi::Path = path.parse().unwrap();
            wanted.iter().any(|w| w.covers(&path)).then(|| wire::Update {
                path: Some(gnmi_wire::path_to_wire(&path, "")),
                val: Some(wire::TypedValue { value: Some(value(text)) }),
                ..wire::Update::default()
            })
        };
        let update: Vec<wire::Update> = leaves.iter().filter_map(update).collect();
        if update.is_empty() || list.updates_only {
            return Vec::new();
        }
        let notification = wire::Notification { timestamp: 1_800_000_000_000_000_000, update, ..wire::Notification::default() };
        let response = Some(wire::subscribe_response::Response::Update(notification));
        vec![Ok(wire::SubscribeResponse { response, ..wire::SubscribeResponse::default() })]
    }

    /// Returns the streams that were taken, without those that only asked whether they would be.
    fn lists(&self, mode: ListMode) -> Vec<wire::SubscriptionList> {
        self.asked.lock().unwrap().iter().map(list_of).filter(|l| l.mode == i32::from(mode)).cloned().collect()
    }
}

#[tonic::async_trait]
impl GNmi for Picky {
    type SubscribeStream = Answers;

    async fn capabilities(&self, _: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        let supported_encodings = self.announced.iter().map(|e| i32::from(*e)).collect();
        Ok(Response::new(wire::CapabilityResponse { supported_encodings, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn set(&self, _: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        Ok(Response::new(wire::SetResponse::default()))
    }

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Answers>, Status> {
        let first = request.into_inner().message().await?.ok_or_else(|| Status::aborted("nothing asked"))?;
        let list = list_of(&first).clone();
        self.asked.lock().unwrap().push(first);
        let streamed = list.mode == i32::from(ListMode::Stream);
        if streamed && let Some(words) = list.subscription.iter().find_map(|s| (self.refuses)(s, &path_of(s))) {
            return Err(Status::invalid_argument(words));
        }
        if streamed && let Some(words) = (self.refuses_list)(&list) {
            return Err(Status::invalid_argument(words));
        }
        let leaves = self.tells.as_ref().filter(|_| streamed).unwrap_or(&self.holds);
        let mut answers = match self.delivers.get(&list.encoding).copied().unwrap_or(Delivers::Values(json_ietf)) {
            Delivers::Values(value) => self.values(&list, leaves, value),
            Delivers::Nothing => Vec::new(),
            Delivers::Silence => return Ok(Response::new(Box::pin(tokio_stream::pending()))),
            Delivers::Refusal => return Err(Status::unimplemented("encoding is not supported")),
        };
        answers.push(sync());
        if streamed && self.hangs_up.fetch_sub(1, Ordering::Relaxed) == 1 {
            answers.push(Err(Status::unavailable("reload")));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(answers).chain(tokio_stream::pending()))))
    }
}

async fn serve(picky: &Arc<Picky>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(GNmiServer::from_arc(Arc::clone(picky))).serve_with_incoming(incoming));
    address
}

fn endpoint(address: String, profile: &str) -> GnmiEndpoint {
    GnmiEndpoint { address, tls: TlsPolicy::Plaintext, credential: None, profile: Some(profile.to_owned()) }
}

fn dialled(endpoint: GnmiEndpoint, own: Option<&Path>) -> (Watch, Target) {
    let inventory = inventory(65001, Some(endpoint));
    let target = Target::new(&inventory, &"r1".into(), None).unwrap();
    let target = match own {
        Some(path) => target.with_profiles(profiles(&[path.to_owned()]).unwrap()),
        None => target,
    };
    let (tx, rx) = mpsc::channel(16);
    tokio::spawn(dial(target.clone(), 7, tx));
    (Watch::new(inventory, rx), target)
}

fn synced(device: &network::Device) -> bool {
    matches!(device.gnmi, Freshness::Synced { .. })
}

fn row<'a>(watch: &'a Watch, end: &str) -> &'a SubscriptionHealth {
    watch.r1().gnmi_session.subscriptions.iter().find(|s| s.path.ends_with(end)).unwrap()
}

fn connections(watch: &Watch) -> usize {
    watch.seen.iter().filter(|o| matches!(o, Observation::Gnmi { event: network::GnmiEvent::Connected, .. })).count()
}

#[tokio::test]
async fn an_encoding_that_is_announced_and_not_delivered_falls_back_to_the_next() {
    let all = [Encoding::JsonIetf, Encoding::Json, Encoding::Proto, Encoding::Ascii];
    let of = |encoding: Encoding, delivers| (i32::from(encoding), delivers);
    let delivers = [
        of(Encoding::JsonIetf, Delivers::Nothing),
        of(Encoding::Json, Delivers::Values(broken)),
        of(Encoding::Proto, Delivers::Refusal),
        of(Encoding::Ascii, Delivers::Values(ascii)),
    ];
    let picky = Arc::new(Picky { announced: all.to_vec(), delivers: delivers.into(), hangs_up: AtomicUsize::new(1), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the sync", synced).await;
    let device = watch.r1();
    let interface = &device.interfaces["eth0"];
    assert_eq!((interface.oper_up, interface.errors.input.map(|(_, n)| n)), (Some(true), Some(7)), "ASCII has its leaves' types");
    assert_eq!(device.gnmi_session.wrong_type, 0);
    let warnings = device.gnmi_session.warnings.concat();
    let named = ["PH-COLL-041", "JSON_IETF: no value", "JSON: ", "JSON is broken", "PROTO: Unimplemented", "ASCII is used"];
    assert!(named.iter().all(|words| warnings.contains(words)), "{warnings}");
    // it hung up: the next session says it again, once
    while connections(&watch) < 2 {
        watch.step().await;
    }
    watch.until("the second sync", synced).await;
    assert_eq!(watch.r1().gnmi_session.warnings.len(), 1);
    assert!(picky.lists(ListMode::Stream).iter().all(|l| l.encoding == i32::from(Encoding::Ascii)));
}

/// A target that hangs on ONCE is not waited for longer than its encodings are worth, and is read unproven.
#[tokio::test]
async fn what_cannot_be_proven_is_used_and_said_so() {
    let picky = Arc::new(Picky { delivers: [(i32::from(Encoding::JsonIetf), Delivers::Silence)].into(), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the open stream", |d| d.gnmi_session.connected && !d.gnmi_session.warnings.is_empty()).await;
    let warning = watch.r1().gnmi_session.warnings.concat();
    assert!(warning.contains("PH-COLL-044") && warning.contains("JSON_IETF: nothing within 5s"), "{warning}");
    // nothing at the path in any encoding is nobody's fault
    let empty = Arc::new(Picky { holds: Vec::new(), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&empty).await.to_string(), "openconfig"), None);
    watch.until("the sync", synced).await;
    assert_eq!(watch.r1().gnmi_session.warnings, [] as [String; 0]);
}

#[tokio::test]
async fn a_row_that_is_refused_is_asked_for_in_another_way_and_the_others_stay() {
    let on_change = |s: &wire::Subscription, path: &str| {
        let refused = s.mode == i32::from(SubscriptionMode::OnChange) && path.starts_with("/interfaces");
        refused.then_some("ON_CHANGE is not supported for /interfaces").or_else(|| path.contains("transceiver").then_some("no such path"))
    };
    let picky = Arc::new(Picky { refuses: on_change, ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the verdicts", |d| synced(d) && d.gnmi_session.subscriptions.iter().any(|s| s.synced)).await;
    assert_eq!(watch.r1().interfaces["eth0"].oper_up, Some(true));
    let list = picky.lists(ListMode::Stream).pop().unwrap();
    let modes: BTreeMap<String, (i32, u64)> = list.subscription.iter().map(|s| (path_of(s), (s.mode, s.sample_interval))).collect();
    let (change, sample) = (i32::from(SubscriptionMode::OnChange), i32::from(SubscriptionMode::Sample));
    let of = |end: &str| *modes.iter().find(|(path, _)| path.ends_with(end)).unwrap().1;
    assert_eq!(of("/oper-status"), (sample, 10_000_000_000), "at the profile's cadence");
    assert_eq!(of("neighbor[neighbor-address=*]/state"), (change, 0), "the others stay");
    assert!(!modes.keys().any(|p| p.contains("transceiver")), "{modes:?}");

    let oper = row(&watch, "/oper-status");
    assert_eq!((oper.instead.as_deref(), oper.expected_ms), (Some("SAMPLE every 10000 ms"), Some(10_000)));
    let optics = row(&watch, "/input-power/instant");
    assert_eq!((optics.instead.as_deref(), optics.expected_ms, optics.synced), (Some("nothing"), None, false));
    assert_eq!(optics.state.reason(), Some("the target refuses it: \"no such path\""));
    assert_eq!(row(&watch, "neighbor[neighbor-address=*]/state").instead, None);
    let warnings = &watch.r1().gnmi_session.warnings;
    assert_eq!(warnings.len(), 2, "one a fate: {warnings:?}");
    assert!(warnings[0].starts_with("PH-COLL-042: the target refuses ON_CHANGE of /interfaces/interface[name=*]/state/oper-status, "));
    assert!(warnings[0].ends_with("(\"ON_CHANGE is not supported for /interfaces\"); SAMPLE every 10000 ms instead"), "{warnings:?}");
    assert!(warnings[1].starts_with("PH-COLL-043"), "{warnings:?}");
    assert_eq!(connections(&watch), 1, "found out before the stream is open");
}

/// Nothing is left to ask for: the target's own words end the session, and no empty subscription is sent.
#[tokio::test]
async fn a_target_that_takes_no_row_at_all_is_not_asked_for_nothing() {
    let picky = Arc::new(Picky { refuses: |_, _| Some("telemetry is not licensed"), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the refusal", |d| matches!(d.gnmi, Freshness::Stale { .. })).await;
    let closed = watch.seen.iter().find_map(|o| match o {
        Observation::Gnmi { event: network::GnmiEvent::Closed { reason }, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert!(closed.is_some_and(|r| r.starts_with("PH-COLL-015") && r.contains("telemetry is not licensed")), "{closed:?}");
    assert_eq!(connections(&watch), 0);
    assert!(picky.asked.lock().unwrap().iter().all(|r| !list_of(r).subscription.is_empty()));
}

const OWN: &str = r#"
title = "rack"
models = ["rack-"]
encodings = ["json_ietf"]
ports = PORTS
updates_only = true
depth = 4
[[subscription]]
set = "interfaces"
path = "/interfaces/interface[name=*]/state/oper-status"
mode = "on_change"
heartbeat_interval_ms = 90000
[[subscription]]
set = "counters"
path = "/interfaces/interface[name=*]/state/counters"
mode = "sample"
interval_ms = 2000
suppress_redundant = true
heartbeat_interval_ms = 60000
"#;

fn own(dir: &Path, ports: &str) -> std::path::PathBuf {
    let file = dir.join("rack.toml");
    std::fs::write(&file, OWN.replace("PORTS", ports)).unwrap();
    file
}

/// An own profile; its words arrive, and a stream that tells updates only has its initial values all the same.
#[tokio::test]
async fn updates_only_depth_heartbeat_and_suppression_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let picky = Arc::new(Picky { hangs_up: AtomicUsize::new(1), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "rack"), Some(&own(dir.path(), "[1]")));
    let told = |d: &network::Device| synced(d) && d.interfaces.get("eth0").is_some_and(|i| i.oper_up == Some(true));
    watch.until("the initial values", told).await;
    while connections(&watch) < 2 {
        watch.step().await;
    }
    watch.until("the initial values again", told).await;
    assert_eq!(watch.r1().interfaces["eth0"].errors.input.map(|(_, n)| n), Some(7), "the sweep took nothing that ONCE told");
    let asked = picky.asked.lock().unwrap().clone();
    let depth = vec![gnmi_ext::Extension { ext: Some(gnmi_ext::extension::Ext::Depth(gnmi_ext::Depth { level: 4 })) }];
    assert!(asked.iter().all(|r| r.extension == depth));
    let stream = picky.lists(ListMode::Stream).pop().unwrap();
    assert!(stream.updates_only && picky.lists(ListMode::Once).iter().all(|l| !l.updates_only));
    let options: Vec<_> = stream.subscription.iter().map(|s| (s.heartbeat_interval, s.suppress_redundant, s.sample_interval)).collect();
    assert_eq!(options, [(90_000_000_000, false, 0), (60_000_000_000, true, 2_000_000_000)]);
}

#[tokio::test]
async fn without_a_port_the_usual_ones_are_tried_in_order_and_the_one_that_answers_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let closed = peer::free_port();
    // a port on which another talks: it takes connections and speaks no HTTP/2
    let other = tokio::net::TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).await.unwrap();
    let others = other.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-other\r\n").await;
        }
    });
    let picky = Arc::new(Picky::default());
    let port = serve(&picky).await.port();
    let file = own(dir.path(), &format!("[{closed}, {others}, {port}]"));
    let (mut watch, target) = dialled(endpoint("127.0.0.1".to_owned(), "rack"), Some(&file));
    watch.until("the sync", synced).await;
    let warning = watch.r1().gnmi_session.warnings.concat();
    assert!(warning.starts_with(&format!("PH-COLL-047: no port is given; port {port} answers; before it: {closed} (")), "{warning}");
    assert!(warning.contains(&format!("{others} (")), "{warning}");
    let probe = ProbeKey { device: "r1".into(), exit: None, group: "east".into(), family: bgp::Family::Ipv4Unicast };
    set_probe_rate(&target, &probe, 5, 60).await.unwrap();

    let none = own(dir.path(), &format!("[{closed}]"));
    let inventory = inventory(65001, Some(endpoint("127.0.0.1".to_owned(), "rack")));
    let lost = Target::new(&inventory, &"r1".into(), None).unwrap().with_profiles(profiles(&[none]).unwrap());
    let refusal = set_probe_rate(&lost, &probe, 5, 60).await.unwrap_err().to_string();
    assert!(refusal.starts_with("PH-COLL-024") && refusal.contains(&closed.to_string()), "{refusal}");
}

/// A table is too long to be read every half minute; its beginning tells that it is not told any more.
#[tokio::test]
async fn a_table_that_is_not_told_any_more_is_silent_with_its_reason() {
    const ROUTE: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/rib/afi-safis\
                         /afi-safi[afi-safi-name=IPV4_UNICAST]/ipv4-unicast/loc-rib/routes/route[prefix=192.0.2.0/24]/state/origin";
    let picky = Arc::new(Picky {
        holds: vec![("/system/state/hostname", "edge-1"), (ROUTE, "10.0.0.2")],
        tells: Some(vec![("/system/state/hostname", "edge-1"), (ROUTE, "10.0.0.1")]),
        ..Picky::default()
    });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "pilothouse_node"), None);
    let is =
        |d: &network::Device, set: &str, state: &str| d.gnmi_session.subscriptions.iter().any(|s| s.set == set && s.state.name() == state);
    watch.until("the silence of the table, and of nothing else", |d| is(d, "rib", "silent") && is(d, "system", "quiet")).await;
    assert_eq!(row(&watch, "/bgp/rib").state.reason(), Some("the value changed and was not told"));
}

/// The `rack` profile with a row that names another encoding.
fn mixed(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("mixed.toml");
    let text = "title = \"mixed\"\nmodels = [\"none\"]\nencodings = [\"json_ietf\"]\nports = [1]\n\
                [[subscription]]\nset = \"a\"\npath = \"/interfaces/interface[name=*]/state/oper-status\"\nmode = \"on_change\"\n\
                [[subscription]]\nset = \"b\"\npath = \"/interfaces/interface[name=*]/state/counters\"\nmode = \"sample\"\n\
                interval_ms = 2000\nencoding = \"ascii\"\n";
    std::fs::write(&path, text).unwrap();
    path
}

/// An encoding is one of a whole list: a row that names another one gets a stream of its own, and the sync is that of both.
#[tokio::test]
async fn a_row_with_an_encoding_of_its_own_comes_in_a_stream_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let delivers = [(i32::from(Encoding::Ascii), Delivers::Values(ascii))];
    let announced = vec![Encoding::JsonIetf, Encoding::Ascii];
    let picky = Arc::new(Picky { announced, delivers: delivers.into(), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "mixed"), Some(&mixed(dir.path())));
    let told = |d: &network::Device| {
        let told = d.interfaces.get("eth0").is_some_and(|i| i.oper_up == Some(true) && i.errors.input.map(|(_, n)| n) == Some(7));
        synced(d) && told
    };
    watch.until("the values of both streams", told).await;
    let asked = |l: &wire::SubscriptionList| (l.encoding, l.subscription.iter().map(path_of).collect::<Vec<_>>());
    let streams: Vec<_> = picky.lists(ListMode::Stream).iter().map(asked).collect();
    let expected = [
        (i32::from(Encoding::JsonIetf), vec!["/interfaces/interface[name=*]/state/oper-status".to_owned()]),
        (i32::from(Encoding::Ascii), vec!["/interfaces/interface[name=*]/state/counters".to_owned()]),
    ];
    assert_eq!(streams, expected);
    assert_eq!(watch.r1().gnmi_session.warnings, [] as [String; 0]);
    let syncs = |w: &Watch| w.seen.iter().filter(|o| matches!(o, Observation::Gnmi { event: network::GnmiEvent::Synced, .. })).count();
    assert_eq!(syncs(&watch), 1, "one sync for both");
    watch.until("a word on each row", |d| d.gnmi_session.subscriptions.iter().filter(|s| s.synced).count() == 2).await;
    drop(watch);
    // a target that does not offer it is asked in the usual one, and that is said
    let plain = Arc::new(Picky::default());
    let (mut watch, _) = dialled(endpoint(serve(&plain).await.to_string(), "mixed"), Some(&mixed(dir.path())));
    watch.until("the values", told).await;
    assert_eq!(plain.lists(ListMode::Stream).len(), 1);
    let warnings = watch.r1().gnmi_session.warnings.concat();
    assert!(warnings.contains("PH-COLL-055") && warnings.contains("ASCII for /interfaces/interface[name=*]/state/counters"), "{warnings}");
}

/// The end of one of two streams is the end of the session; after the next one both are there again, and what is not told again is gone.
#[tokio::test]
async fn the_end_of_one_stream_ends_both_and_they_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    let announced = vec![Encoding::JsonIetf, Encoding::Ascii];
    let delivers: BTreeMap<i32, Delivers> = [(i32::from(Encoding::Ascii), Delivers::Values(ascii))].into();
    // the second stream that is opened hangs up
    let picky = Arc::new(Picky { announced, delivers, hangs_up: AtomicUsize::new(2), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "mixed"), Some(&mixed(dir.path())));
    while connections(&watch) < 2 {
        watch.step().await;
    }
    watch.until("both again", |d| synced(d) && d.gnmi_session.connected && d.interfaces.contains_key("eth0")).await;
    assert_eq!(picky.lists(ListMode::Stream).len(), 4);
    assert_eq!(watch.r1().interfaces["eth0"].errors.input.map(|(_, n)| n), Some(7));
}

/// openconfig's fake_server, which prints every request that it receives, and how a profile of this name dials it; its log is in `dir`.
fn fake(program: std::path::PathBuf, dir: &Path, profile: &str) -> (peer::Peer, GnmiEndpoint) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |name: &str| dir.join(name);
    std::fs::write(file("server.crt"), certificate.pem()).unwrap();
    std::fs::write(file("server.key"), key.serialize_pem()).unwrap();
    let script = "target:\"r1\"\nclient_type:GRPC_GNMI\ndisable_eof:true\ndisable_sync:true\nfixed:{\n responses:{update:{timestamp:1 \
                  update:{path:{elem:{name:\"interfaces\"} elem:{name:\"interface\" key:{key:\"name\" value:\"eth1\"}} elem:{name:\"state\"} \
                  elem:{name:\"oper-status\"}} val:{json_ietf_val:\"\\\"UP\\\"\"}}}}\n responses:{sync_response:true}\n}\n";
    std::fs::write(file("script.pb.txt"), script).unwrap();
    let port = peer::free_port();
    let mut command = std::process::Command::new(program);
    command.arg("-config").arg(file("script.pb.txt")).args(["-text", "-logtostderr", "-v", "1", "-allow_no_client_auth"]);
    command.args(["-port", &port.to_string()]).arg("-server_crt").arg(file("server.crt")).arg("-server_key").arg(file("server.key"));
    let server = peer::Peer::start(&mut command, &file("log"));
    let tls = TlsPolicy::Verify { ca_file: file("server.crt").display().to_string(), server_name: "localhost".to_owned(), client: None };
    (server, GnmiEndpoint { tls, ..endpoint(format!("127.0.0.1:{port}"), profile) })
}

/// What it was asked. Go's text form puts one space or two after a colon, differently in each build.
fn asked_of_fake(dir: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    // what it answered stands in lines of its own
    let queries = log.lines().filter_map(|line| line.split_once("received initial query:"));
    queries.map(|(_, query)| query.split_whitespace().collect()).collect()
}

/// openconfig's fake_server prints what it receives: the words are on the wire, and a foreign decoder reads them.
#[tokio::test]
async fn a_foreign_target_reads_what_is_asked_of_it() {
    let Some(program) = peer::program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (_server, endpoint) = fake(program, dir.path(), "rack");
    let (mut watch, _) = dialled(endpoint, Some(&own(dir.path(), "[1]")));
    watch.until("the interface", |d| d.interfaces.get("eth1").is_some_and(|i| i.oper_up == Some(true))).await;
    let asked = asked_of_fake(dir.path());
    let stream = asked.iter().find(|q| q.contains("updates_only:true")).unwrap_or_else(|| panic!("{asked:?}"));
    for words in [
        "heartbeat_interval:90000000000",
        "heartbeat_interval:60000000000",
        "suppress_redundant:true",
        "mode:SAMPLE",
        "mode:ON_CHANGE",
        "depth:{level:4}",
    ] {
        assert!(stream.contains(words), "{words}: {stream}");
    }
}

/// Two streams over one connection, each with its encoding, as a foreign decoder reads them.
#[tokio::test]
async fn a_foreign_target_is_asked_in_two_encodings_by_two_streams() {
    let Some(program) = peer::program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (_server, endpoint) = fake(program, dir.path(), "mixed");
    let (mut watch, _) = dialled(endpoint, Some(&mixed(dir.path())));
    watch.until("the interface and the sync", |d| synced(d) && d.interfaces.get("eth1").is_some_and(|i| i.oper_up == Some(true))).await;
    // a stream's mode is the first of its kind and not printed
    let asked: Vec<String> = asked_of_fake(dir.path()).into_iter().filter(|q| !q.contains("mode:ONCE")).collect();
    let of = |encoding: &str, own: &str, other: &str| {
        asked.iter().filter(|q| q.contains(&format!("encoding:{encoding}")) && q.contains(own) && !q.contains(other)).count()
    };
    assert_eq!((of("JSON_IETF", "oper-status", "counters"), of("ASCII", "counters", "oper-status"), asked.len()), (1, 1, 2), "{asked:#?}");
}

/// Values in PROTO when PROTO is asked for; not asked for without need.
#[tokio::test]
async fn the_profiles_first_encoding_is_kept_where_it_delivers() {
    let delivers = [(i32::from(Encoding::Proto), Delivers::Values(string))];
    let picky = Arc::new(Picky { announced: vec![Encoding::JsonIetf, Encoding::Proto], delivers: delivers.into(), ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "juniper_junos"), None);
    watch.until("the sync", synced).await;
    assert_eq!(watch.r1().interfaces["eth0"].errors.input.map(|(_, n)| n), Some(7));
    assert_eq!(watch.r1().gnmi_session.warnings, [] as [String; 0]);
    let once = picky.lists(ListMode::Once);
    assert_eq!(once.iter().map(|l| (l.encoding, l.subscription.len())).collect::<Vec<_>>(), [(i32::from(Encoding::Proto), 1)]);
}

const DEFAULT: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors\
    /neighbor[neighbor-address=192.0.2.1]/state/session-state";
const BLUE: &str = "/network-instances/network-instance[name=blue]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors\
    /neighbor[neighbor-address=192.0.2.1]/state/session-state";

/// One address in two network instances is two sessions.
#[tokio::test]
async fn sessions_of_all_network_instances_are_watched_and_kept_apart() {
    let picky = Arc::new(Picky { holds: vec![(DEFAULT, "ESTABLISHED"), (BLUE, "ACTIVE")], ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the sync", synced).await;
    let address = "192.0.2.1".parse().unwrap();
    let device = watch.r1();
    assert_eq!(device.sessions[&address].state, SessionState::Established);
    assert_eq!(device.instance_sessions[&("blue".to_owned(), address)].state, SessionState::Active);
    assert_eq!(device.gnmi_session.warnings, [] as [String; 0]);
}

#[tokio::test]
async fn a_target_that_takes_no_wildcard_there_is_asked_for_the_default_instance() {
    let refuses = |_: &wire::Subscription, path: &str| path.contains("network-instance[name=*]").then_some("one instance only");
    let picky = Arc::new(Picky { refuses, holds: vec![(DEFAULT, "ESTABLISHED"), (BLUE, "ACTIVE")], ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "openconfig"), None);
    watch.until("the sync", synced).await;
    let device = watch.r1();
    assert_eq!(device.sessions[&"192.0.2.1".parse().unwrap()].state, SessionState::Established);
    assert!(device.instance_sessions.is_empty());
    let warnings = device.gnmi_session.warnings.join("\n");
    let named = ["PH-COLL-042", "one instance only", "; ON_CHANGE of /network-instances/network-instance[name=default]"];
    assert!(named.iter().all(|words| warnings.contains(words)) && !warnings.contains("PH-COLL-043"), "{warnings}");
    watch.until("its health", |d| !d.gnmi_session.subscriptions.is_empty()).await;
    let instead: Vec<_> = watch.r1().gnmi_session.subscriptions.iter().filter(|s| s.set == "bgp").map(|s| s.path.clone()).collect();
    assert!(instead.iter().all(|path| path.contains("network-instance[name=default]")) && instead.len() == 1, "{instead:?}");
}

/// NX-OS has CPU and memory in its own tree only; where it does not mix that with OpenConfig's, both are read.
#[tokio::test]
async fn origins_that_a_target_does_not_mix_come_in_streams_of_their_own() {
    let refuses_list = |list: &wire::SubscriptionList| {
        let mut origins = list.subscription.iter().map(|s| s.path.as_ref().map_or("", |p| p.origin.as_str()));
        let first = origins.next();
        origins.any(|o| Some(o) != first).then_some("origins may not be mixed")
    };
    let holds =
        vec![("/interfaces/interface[name=eth1/1]/state/oper-status", "UP"), ("/System/procsys-items/syscpusummary-items/idle", "74.0")];
    let picky = Arc::new(Picky { refuses_list, holds, ..Picky::default() });
    let (mut watch, _) = dialled(endpoint(serve(&picky).await.to_string(), "cisco_nxos"), None);
    watch.until("the sync", synced).await;
    let device = watch.r1();
    assert_eq!(device.interfaces["eth1/1"].oper_up, Some(true));
    assert!(device.cpu.is_some_and(|cpu| (cpu - 0.26).abs() < 1e-9), "{:?}", device.cpu);
    let warnings = device.gnmi_session.warnings.join("\n");
    assert!(
        warnings.contains("PH-COLL-056") && warnings.contains("origins may not be mixed") && !warnings.contains("PH-COLL-042"),
        "{warnings}"
    );
}
