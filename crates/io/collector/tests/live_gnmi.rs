//! The gNMI dialler against foreign servers (openconfig fake_server, google gnxi gnmi_target) and a server of our own that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bgp::Asn;
use collector::{Target, dial, set_probe_rate};
use core::net::SocketAddr;
use core::pin::Pin;
use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use network::{Credential, Freshness, GnmiEndpoint, GnmiEvent, Observation, ProbeKey, SessionState, TlsPolicy};
use peer::{Peer, Watch, free_port, inventory, program};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

/// Writes `ca.crt`, and `server`, `client` and `stranger` certificates with keys; the stranger's CA is another.
fn certificates(dir: &Path) {
    let authority = || {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let (pem, ours) = authority();
    let (other_pem, _) = authority();
    std::fs::write(dir.join("ca.crt"), pem).unwrap();
    std::fs::write(dir.join("other-ca.crt"), other_pem).unwrap();
    for (name, usage) in [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_after = rcgen::date_time_ymd(if name == "server" { 2031 } else { 2032 }, 3, 1);
        std::fs::write(dir.join(format!("{name}.crt")), params.signed_by(&key, &ours).unwrap().pem()).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn endpoint(port: u16, tls: TlsPolicy) -> GnmiEndpoint {
    GnmiEndpoint { address: format!("127.0.0.1:{port}"), tls, credential: None, profile: None }
}

fn verify(dir: &Path, ca: &str, client: bool) -> TlsPolicy {
    let file = |name: &str| dir.join(name).display().to_string();
    let client = client.then(|| (file("client.crt"), file("client.key")));
    TlsPolicy::Verify { ca_file: file(ca), server_name: "localhost".to_owned(), client }
}

fn watch(endpoint: GnmiEndpoint) -> Watch {
    let inventory = inventory(65001, Some(endpoint));
    let target = Target::new(&inventory, &"r1".into(), Some("secret".to_owned())).unwrap();
    let (tx, rx) = mpsc::channel(16);
    tokio::spawn(dial(target, 7, tx));
    Watch::new(inventory, rx)
}

fn closed_reasons(watch: &Watch) -> Vec<&str> {
    watch
        .seen
        .iter()
        .filter_map(|o| match o {
            Observation::Gnmi { event: GnmiEvent::Closed { reason }, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect()
}

const SCRIPT: &str = r#"
target:"r1"
client_type:GRPC_GNMI
disable_eof:true
disable_sync:true
fixed:{
  responses:{update:{timestamp:1 prefix:{origin:"openconfig"} update:{path:{elem:{name:"network-instances"} elem:{name:"network-instance" key:{key:"name" value:"default"}} elem:{name:"protocols"} elem:{name:"protocol" key:{key:"identifier" value:"BGP"} key:{key:"name" value:"BGP"}} elem:{name:"bgp"} elem:{name:"neighbors"} elem:{name:"neighbor" key:{key:"neighbor-address" value:"10.0.0.2"}} elem:{name:"state"} elem:{name:"session-state"}} val:{string_val:"ESTABLISHED"}}}}
  responses:{update:{timestamp:2 update:{path:{elem:{name:"network-instances"} elem:{name:"network-instance" key:{key:"name" value:"default"}} elem:{name:"protocols"} elem:{name:"protocol" key:{key:"identifier" value:"BGP"} key:{key:"name" value:"BGP"}} elem:{name:"bgp"} elem:{name:"neighbors"} elem:{name:"neighbor" key:{key:"neighbor-address" value:"10.0.0.2"}} elem:{name:"state"}} val:{json_ietf_val:"{\"openconfig-network-instance:peer-as\": 65002, \"enabled\": true}"}}}}
  responses:{update:{timestamp:3 update:{path:{elem:{name:"system"} elem:{name:"state"} elem:{name:"hostname"}} val:{json_ietf_val:"{broken"}}}}
  responses:{sync_response:true}
  responses:{update:{timestamp:4 update:{path:{elem:{name:"interfaces"} elem:{name:"interface" key:{key:"name" value:"eth1"}} elem:{name:"state"} elem:{name:"oper-status"}} val:{json_ietf_val:"\"UP\""}}}}
}
"#;

fn fake_server(program: &Path, dir: &Path, arguments: &[&str]) -> (Peer, u16) {
    let port = free_port();
    std::fs::write(dir.join("script.pb.txt"), SCRIPT).unwrap();
    let mut command = Command::new(program);
    command.arg("-config").arg(dir.join("script.pb.txt")).args(["-text", "-port", &port.to_string(), "-logtostderr"]);
    command.arg("-server_crt").arg(dir.join("server.crt")).arg("-server_key").arg(dir.join("server.key")).args(arguments);
    (Peer::start(&mut command, &dir.join("fake.log")), port)
}

#[tokio::test]
async fn a_target_without_capabilities_is_read_over_tls() {
    let Some(program) = program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (mut server, port) = fake_server(&program, dir.path(), &["-allow_no_client_auth"]);
    let mut watch = watch(endpoint(port, verify(dir.path(), "ca.crt", false)));
    watch.until("the interface", |d| d.interfaces.get("eth1").is_some_and(|i| i.oper_up == Some(true))).await;
    let device = watch.r1();
    let session = &device.sessions[&"10.0.0.2".parse().unwrap()];
    assert_eq!((session.state, session.remote_as), (SessionState::Established, Some(Asn(65002))));
    assert!(matches!(device.gnmi, Freshness::Synced { .. }));
    server.kill();
    watch.until("staleness", |d| matches!(d.gnmi, Freshness::Stale { .. })).await;
    assert!(closed_reasons(&watch).last().unwrap().starts_with("PH-COLL-01"), "{:?}", closed_reasons(&watch));
}

/// A profile of the operator's that is not there, a target that goes silent, then one that is stopped with its connection open.
#[tokio::test]
async fn a_silent_subscription_is_named_with_its_reason_and_a_stopped_target_is_stale() {
    let Some(program) = program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (server, port) = fake_server(&program, dir.path(), &["-allow_no_client_auth"]);
    let tls = verify(dir.path(), "ca.crt", false);
    let mut silent = watch(GnmiEndpoint { profile: Some("pilothouse_node".to_owned()), ..endpoint(port, tls.clone()) });
    let reason = |d: &network::Device, set: &str| {
        let row = d.gnmi_session.subscriptions.iter().find(|s| s.path.ends_with(set))?;
        row.state.reason().map(str::to_owned)
    };
    silent.until("silence of the counters", |d| reason(d, "/counters").is_some()).await;
    let why = reason(silent.r1(), "/counters").unwrap();
    assert!(why.starts_with("no sample for 3") && why.ends_with("one is due every 2000 ms"), "within two intervals: {why}");
    let hostname = silent.r1().gnmi_session.subscriptions.iter().find(|s| s.path.ends_with("/oper-status")).unwrap();
    assert_eq!(hostname.state.name(), "alive", "it told the interface once, and owes nothing");

    let mut pinned = watch(GnmiEndpoint { profile: Some("no_such".to_owned()), ..endpoint(port, tls) });
    pinned.until("the warning", |d| d.gnmi_session.warnings.iter().any(|w| w.starts_with("PH-COLL-040") && w.contains("no_such"))).await;
    pinned.until("the data all the same", |d| d.interfaces.contains_key("eth1")).await;

    server.pause();
    silent.until("staleness", |d| matches!(d.gnmi, Freshness::Stale { .. })).await;
    assert!(closed_reasons(&silent).last().unwrap().starts_with("PH-COLL-01"), "{:?}", closed_reasons(&silent));
    assert!(silent.r1().sessions.contains_key(&"10.0.0.2".parse().unwrap()), "stale withdraws nothing");
}

/// Servers written in Go end connections that ping more often than every five minutes while they have nothing to say.
#[tokio::test]
async fn a_target_that_dislikes_pings_is_pinged_more_slowly() {
    let Some(program) = program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (_server, port) = fake_server(&program, dir.path(), &["-allow_no_client_auth"]);
    // nothing is due for an hour, so nothing is asked either: the stream is silent but for the pings
    let slow = "title = \"slow\"\nmodels = [\"slow-\"]\nencodings = [\"json_ietf\"]\nports = [1]\n[[subscription]]\nset = \"interfaces\"\n\
                path = \"/interfaces/interface[name=*]/state/oper-status\"\nmode = \"sample\"\ninterval_ms = 3600000\n";
    std::fs::write(dir.path().join("slow.toml"), slow).unwrap();
    let tls = verify(dir.path(), "ca.crt", false);
    let inventory = inventory(65001, Some(GnmiEndpoint { profile: Some("slow".to_owned()), ..endpoint(port, tls) }));
    let target = Target::new(&inventory, &"r1".into(), None).unwrap();
    let own = collector::profiles(&[dir.path().join("slow.toml")]).unwrap();
    let (tx, rx) = mpsc::channel(16);
    tokio::spawn(dial(target.with_profiles(own), 7, tx));
    let mut watch = Watch::new(inventory, rx);
    let end = tokio::time::Instant::now() + 2 * peer::PATIENCE;
    while !watch.r1().gnmi_session.warnings.iter().any(|w| w.starts_with("PH-COLL-048") && w.contains("every 20 s")) {
        assert!(tokio::time::Instant::now() < end, "{:?}", closed_reasons(&watch));
        watch.step().await;
    }
    let ended = closed_reasons(&watch).into_iter().filter(|r| r.contains("h2 protocol error")).count();
    assert_eq!(ended, 1, "known at once: {:?}", closed_reasons(&watch));
}

#[tokio::test]
async fn mutual_tls_lets_us_in_only_with_our_certificate() {
    let Some(program) = program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let ca = dir.path().join("ca.crt").display().to_string();
    let (_server, port) = fake_server(&program, dir.path(), &["-ca_crt", &ca]);
    let mut with = watch(endpoint(port, verify(dir.path(), "ca.crt", true)));
    with.until("the initial state", |d| matches!(d.gnmi, Freshness::Synced { .. })).await;
    let ends: Vec<(&str, String)> =
        with.r1().gnmi_session.certificates.iter().map(|c| (c.role.as_str(), c.not_after.to_string()[..10].to_owned())).collect();
    assert_eq!(ends[0], ("server", "2031-03-01".to_owned()), "the certificate of the handshake");
    assert!(ends[1].0 == "ca" && ends[2] == ("client", "2032-03-01".to_owned()), "{ends:?}");
    let mut without = watch(endpoint(port, verify(dir.path(), "ca.crt", false)));
    without.until("the refusal", |d| matches!(d.gnmi, Freshness::Stale { .. })).await;
    assert!(without.r1().sessions.is_empty());
}

#[tokio::test]
async fn a_certificate_of_another_authority_stops_before_anything_is_said() {
    let Some(program) = program("fake_server") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (_server, port) = fake_server(&program, dir.path(), &["-allow_no_client_auth"]);
    let mut watch = watch(endpoint(port, verify(dir.path(), "other-ca.crt", false)));
    let end = tokio::time::Instant::now() + peer::PATIENCE;
    while !closed_reasons(&watch).iter().any(|r| r.contains("PH-COLL-014") && r.to_lowercase().contains("certificate")) {
        assert!(tokio::time::Instant::now() < end, "{:?}", closed_reasons(&watch));
        watch.step().await;
    }
    assert!(watch.r1().sessions.is_empty());
}

#[tokio::test]
async fn a_target_without_subscribe_says_so_in_its_own_words() {
    let Some(program) = program("gnmi_target") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = r#"{"openconfig-system:system":{"config":{"hostname":"r1"}}}"#;
    std::fs::write(dir.path().join("init.json"), config).unwrap();
    let mut command = Command::new(program);
    command.args(["-notls", "-logtostderr", "-bind_address", &format!("127.0.0.1:{port}")]);
    command.arg("-config").arg(dir.path().join("init.json"));
    let _server = Peer::start(&mut command, &dir.path().join("log"));
    let mut watch = watch(endpoint(port, TlsPolicy::Plaintext));
    let end = tokio::time::Instant::now() + peer::PATIENCE;
    while !closed_reasons(&watch).iter().any(|r| r.contains("Unimplemented")) {
        assert!(tokio::time::Instant::now() < end, "{:?}", closed_reasons(&watch));
        watch.step().await;
    }
    let inventory = inventory(65001, Some(endpoint(port, TlsPolicy::Plaintext)));
    let target = Target::new(&inventory, &"r1".into(), None).unwrap();
    let refusal = set_probe_rate(&target, &probe(), 5, 60).await.unwrap_err().to_string();
    assert!(refusal.starts_with("PH-COLL-015") && refusal.contains("Set"), "{refusal}");
}

fn probe() -> ProbeKey {
    ProbeKey { device: "r1".into(), exit: Some("r1-ispa".into()), group: "east".into(), family: bgp::Family::Ipv4Unicast }
}

/// google's gnmi_target, over mutual TLS: what is set is read back; a commit that it could not take back is not sent.
#[tokio::test]
async fn what_is_set_is_read_back_from_a_foreign_target() {
    let Some(program) = program("gnmi_target") else { return };
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let port = free_port();
    std::fs::write(dir.path().join("init.json"), r#"{"openconfig-system:system":{"config":{"hostname":"r1"}}}"#).unwrap();
    let mut command = Command::new(program);
    command.args(["-logtostderr", "-bind_address", &format!("127.0.0.1:{port}")]);
    for (flag, file) in [("-config", "init.json"), ("-ca", "ca.crt"), ("-cert", "server.crt"), ("-key", "server.key")] {
        command.arg(flag).arg(dir.path().join(file));
    }
    let _server = Peer::start(&mut command, &dir.path().join("log"));
    let inventory = inventory(65001, Some(endpoint(port, verify(dir.path(), "ca.crt", true))));
    let target = Target::new(&inventory, &"r1".into(), None).unwrap();
    let hostname: gnmi::Path = "/system/config/hostname".parse().unwrap();
    let read = async || {
        let found = collector::get(&target, core::slice::from_ref(&hostname), "", collector::DataType::All).await?;
        Ok::<_, collector::CollectError>(found[0].updates[0].value.as_str().unwrap_or_default().to_owned())
    };
    let end = tokio::time::Instant::now() + peer::PATIENCE;
    let first = loop {
        match read().await {
            Ok(name) => break name,
            Err(error) => assert!(tokio::time::Instant::now() < end, "{}", error.chain()),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(first, "r1");
    let rename =
        |to: &str| collector::Edit { update: vec![(hostname.clone(), gnmi::Value::String(to.to_owned()))], ..collector::Edit::default() };
    collector::set(&target, &rename("r9"), None).await.unwrap();
    assert_eq!(read().await.unwrap(), "r9");
    let commit = collector::ConfirmedCommit::new("c1", core::time::Duration::from_secs(60)).unwrap();
    let refusal = collector::set(&target, &rename("r7"), Some(&commit)).await.unwrap_err().to_string();
    assert!(refusal.starts_with("PH-COLL-045"), "{refusal}");
    assert_eq!(read().await.unwrap(), "r9", "nothing was sent");
    let short = collector::ConfirmedCommit::new("c1", core::time::Duration::from_secs(9)).unwrap_err().to_string();
    assert!(short.starts_with("PH-COLL-046"), "{short}");
}

type Answers = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

fn rows(profile: &str) -> usize {
    gnmi::Profile::choose(&gnmi::Profile::all().unwrap(), &[], Some(profile)).unwrap().subscriptions.len()
}

/// A server that wants user and password, refuses ON_CHANGE at first, hangs up with words, and remembers what was set.
#[derive(Default)]
struct Moody {
    subscribed: AtomicUsize,
    set: tokio::sync::Mutex<Vec<(String, String)>>,
}

fn known<T>(request: &Request<T>) -> Result<(), Status> {
    let field = |name: &str| request.metadata().get(name).and_then(|v| v.to_str().ok());
    if (field("username"), field("password")) == (Some("pilothouse"), Some("secret")) {
        Ok(())
    } else {
        Err(Status::unauthenticated("who?"))
    }
}

#[tonic::async_trait]
impl GNmi for Moody {
    type SubscribeStream = Answers;

    async fn capabilities(&self, request: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        known(&request)?;
        let supported_encodings = vec![wire::Encoding::JsonIetf.into()];
        Ok(Response::new(wire::CapabilityResponse { supported_encodings, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn set(&self, request: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        known(&request)?;
        let mut set = self.set.lock().await;
        for update in &request.get_ref().update {
            let path = gnmi_wire::path_from_wire(None, update.path.as_ref());
            let value = gnmi_wire::value_from_wire(update.val.as_ref(), &path).unwrap();
            set.push((path.to_string(), value.as_u64().unwrap().to_string()));
        }
        Ok(Response::new(wire::SetResponse::default()))
    }

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Answers>, Status> {
        known(&request)?;
        let first = request.into_inner().message().await?.and_then(|r| r.request);
        let Some(wire::subscribe_request::Request::Subscribe(list)) = first else { return Err(Status::invalid_argument("no list")) };
        let on_change = i32::from(wire::SubscriptionMode::OnChange);
        if list.subscription.iter().any(|s| s.mode == on_change) {
            return Err(Status::invalid_argument("ON_CHANGE is not supported for /system"));
        }
        // those that ask for a part only want to know whether it is taken
        if list.subscription.len() == rows("openconfig") {
            self.subscribed.fetch_add(1, Ordering::Relaxed);
        }
        let sync = wire::SubscribeResponse {
            response: Some(wire::subscribe_response::Response::SyncResponse(true)),
            ..wire::SubscribeResponse::default()
        };
        let answers = tokio_stream::iter([Ok(sync), Err(Status::unavailable("back in five minutes"))]);
        Ok(Response::new(Box::pin(answers)))
    }
}

#[tokio::test]
async fn a_moody_target_is_understood_and_dialled_again() {
    let moody = Arc::new(Moody::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let service = GNmiServer::from_arc(Arc::clone(&moody));
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let credential = Some(Credential { username: "pilothouse".to_owned(), secret: "gnmi".to_owned() });
    let endpoint = GnmiEndpoint { credential, ..endpoint(port, TlsPolicy::Plaintext) };
    let mut watch = watch(endpoint.clone());
    let end = tokio::time::Instant::now() + peer::PATIENCE;
    while moody.subscribed.load(Ordering::Relaxed) < 2 {
        assert!(tokio::time::Instant::now() < end, "{:?}", closed_reasons(&watch));
        watch.step().await;
    }
    let reasons = closed_reasons(&watch);
    assert!(reasons.iter().all(|r| r.contains("back in five minutes")) && !reasons.is_empty(), "{reasons:?}");
    let refused = watch.seen.iter().any(|o| match o {
        Observation::Gnmi { event: GnmiEvent::Warning { text }, .. } => text.contains("ON_CHANGE is not supported"),
        _ => false,
    });
    assert!(refused, "{:?}", watch.seen);

    let inventory = inventory(65001, Some(endpoint));
    let target = Target::new(&inventory, &"r1".into(), Some("secret".to_owned())).unwrap();
    set_probe_rate(&target, &probe(), 10, 60).await.unwrap();
    let test = "/probes/probe[name=r1-ispa:east:ipv4]/tests/test[name=r1-ispa:east:ipv4]/config";
    let wanted = [(format!("{test}/rate-seconds"), "60".to_owned()), (format!("{test}/rate-hz"), "10".to_owned())];
    assert_eq!(*moody.set.lock().await, wanted);
    assert!(set_probe_rate(&target, &probe(), 21, 60).await.unwrap_err().to_string().starts_with("PH-COLL-020"));
    assert!(!format!("{target:?}").contains("secret"));
}

#[tokio::test]
async fn plaintext_leaves_this_machine_only_in_a_lab() {
    let endpoint = GnmiEndpoint { address: "192.0.2.1:57400".to_owned(), tls: TlsPolicy::Plaintext, credential: None, profile: None };
    let target = Target::new(&inventory(65001, Some(endpoint)), &"r1".into(), None).unwrap();
    let refusal = set_probe_rate(&target, &probe(), 1, 1).await.unwrap_err().to_string();
    assert!(refusal.starts_with("PH-COLL-012"), "{refusal}");
}
