//! gNMI from the command line: who is asked with which name and password, own profiles, and what is shown of a feed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says no by panicking")]

use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use network::{DeviceRole, DeviceSpec, GnmiEndpoint, Inventory, TlsPolicy};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(60);
const OWN: &str = "title = \"rack\"\nmodels = [\"rack-\"]\nencodings = [\"json_ietf\"]\nports = [1]\n\
    [[subscription]]\nset = \"system\"\npath = \"/system/state/hostname\"\nmode = \"on_change\"\n\
    [[subscription]]\nset = \"optics\"\npath = \"/optics\"\nmode = \"sample\"\ninterval_ms = 5000\n";

/// A target that knows one user, has a host name, and refuses `/optics`.
struct Guarded;

fn known<T>(request: &Request<T>) -> Result<(), Status> {
    let field = |name: &str| request.metadata().get(name).and_then(|v| v.to_str().ok());
    match (field("username"), field("password")) {
        (Some("noc"), Some("s3cret")) => Ok(()),
        _ => Err(Status::unauthenticated("who are you?")),
    }
}

#[tonic::async_trait]
impl GNmi for Guarded {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

    async fn capabilities(&self, request: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        known(&request)?;
        let supported_encodings = vec![wire::Encoding::JsonIetf.into()];
        Ok(Response::new(wire::CapabilityResponse { supported_encodings, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn set(&self, _: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        known(&request)?;
        let first = request.into_inner().message().await?.and_then(|r| r.request);
        let Some(wire::subscribe_request::Request::Subscribe(list)) = first else { return Err(Status::invalid_argument("no list")) };
        let path = |s: &wire::Subscription| gnmi_wire::path_from_wire(None, s.path.as_ref()).to_string();
        if list.subscription.iter().any(|s| path(s) == "/optics") {
            return Err(Status::invalid_argument("there are no optics"));
        }
        let val = Some(wire::TypedValue { value: Some(wire::typed_value::Value::JsonIetfVal(b"\"edge-1\"".to_vec())) });
        let hostname = Some(gnmi_wire::path_to_wire(&"/system/state/hostname".parse().unwrap(), ""));
        let update = vec![wire::Update { path: hostname, val, ..wire::Update::default() }];
        let notification = wire::Notification { timestamp: 1_800_000_000_000_000_000, update, ..wire::Notification::default() };
        let say = |response| Ok(wire::SubscribeResponse { response: Some(response), ..wire::SubscribeResponse::default() });
        let answers =
            [say(wire::subscribe_response::Response::Update(notification)), say(wire::subscribe_response::Response::SyncResponse(true))];
        Ok(Response::new(Box::pin(tokio_stream::iter(answers).chain(tokio_stream::pending()))))
    }
}

/// Serves in a runtime of its own, as long as that is kept.
fn guarded() -> (tokio::runtime::Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    runtime.spawn(tonic::transport::Server::builder().add_service(GNmiServer::new(Guarded)).serve_with_incoming(incoming));
    (runtime, address)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pilotctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    command.env_remove("PILOTHOUSE_GNMI_PASSWORD");
    command
}

/// Runs until a line has these words; the lines before it are in the message of a failure.
fn until_line(mut command: Command, words: &str) -> (Running, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (tx, lines) = mpsc::channel();
    let out = child.stdout.take().unwrap();
    std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).for_each(|l| drop(tx.send(l))));
    let (running, end, mut before) = (Running(child), Instant::now() + PATIENCE, Vec::new());
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(words) => return (running, line),
            Ok(line) => before.push(line),
            Err(error) => panic!("no {words:?} ({error}): {before:#?}"),
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn password(dir: &Path, text: &str, mode: u32) -> String {
    let file = dir.join(format!("password-{mode:o}"));
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    file.display().to_string()
}

#[test]
fn a_password_comes_from_a_file_or_the_environment_and_opens_the_target() {
    let (_runtime, address) = guarded();
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("rack.toml");
    std::fs::write(&profile, OWN).unwrap();
    let collect = |password: &[&str]| {
        let mut command = pilotctl();
        command.args(["collect", "--gnmi", &address.to_string(), "--profile", "rack", "--profile-file"]).arg(&profile);
        command.args(["--user", "noc"]).args(password);
        command
    };
    let good = password(dir.path(), "s3cret\n", 0o600);
    let (_running, line) = until_line(collect(&["--password-file", &good]), "hostname");
    assert!(line.ends_with("/system/state/hostname = {\"json\":\"edge-1\"}"), "{line}");
    let mut from_environment = collect(&[]);
    from_environment.env("PILOTHOUSE_GNMI_PASSWORD", "s3cret");
    until_line(from_environment, "edge-1");
    let wrong = password(dir.path(), "guess\n", 0o400);
    let (_running, line) = until_line(collect(&["--password-file", &wrong]), "who are you?");
    assert!(line.contains("PH-COLL-015") && !line.contains("guess"), "{line}");

    let readable = password(dir.path(), "s3cret\n", 0o644);
    let empty = password(dir.path(), "\ns3cret\n", 0o700);
    for (arguments, expected) in [
        (vec!["--password-file", readable.as_str()], "PH-CLI-044 "),
        (vec!["--password-file", empty.as_str()], "empty first line"),
        (vec!["--password-file", "/nowhere"], "PH-CLI-044 /nowhere"),
        (vec![], "PILOTHOUSE_GNMI_PASSWORD"),
    ] {
        let output = collect(&arguments).output().unwrap();
        assert!(output.status.code() == Some(2) && said(&output).contains(expected), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn mistakes_of_a_profile_are_named_before_anybody_is_dialled() {
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("rack.toml");
    let collect = |text: &str, name: &str| {
        std::fs::write(&profile, text).unwrap();
        let mut command = pilotctl();
        command.args(["collect", "--gnmi", "127.0.0.1:1", "--profile", name, "--profile-file"]).arg(&profile);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    };
    let shown = profile.display();
    let interval = collect(&OWN.replace("5000", "50"), "rack");
    assert!(interval.contains(&format!("profile {shown}, line 13, subscription 2: interval_ms: ")), "{interval}");
    let unknown = collect(OWN, "rick");
    assert!(unknown.contains("PH-CLI-045") && unknown.contains("\"rick\"") && unknown.contains("rack"), "{unknown}");
}

/// A password never leaves this machine unencrypted.
#[test]
fn a_target_elsewhere_is_not_spoken_to_in_plaintext() {
    let mut command = pilotctl();
    command.args(["--json", "collect", "--gnmi", "192.0.2.1:57400"]);
    let (_running, line) = until_line(command, "closed");
    assert!(line.contains("PH-COLL-012"), "{line}");
}

fn site(address: SocketAddr) -> Inventory {
    let gnmi = GnmiEndpoint {
        address: address.to_string(),
        tls: TlsPolicy::Plaintext,
        credential: Some(network::Credential { username: "noc".to_owned(), secret: "gnmi".to_owned() }),
        profile: Some("rack".to_owned()),
    };
    let mut inventory = Inventory::empty("site");
    inventory.devices.push(DeviceSpec {
        id: "r1".into(),
        hostname: "edge-1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: Some(gnmi),
        netconf: None,
    });
    inventory
}

#[test]
fn the_engine_takes_own_profiles_and_shows_every_subscription() {
    let (_runtime, address) = guarded();
    let dir = tempfile::tempdir().unwrap();
    let profiles = dir.path().join("gnmi-profiles");
    std::fs::create_dir(&profiles).unwrap();
    std::fs::write(profiles.join("rack.toml"), OWN).unwrap();
    std::fs::write(dir.path().join("site.json"), serde_json::to_string(&site(address)).unwrap()).unwrap();
    let secrets = dir.path().join("secrets.json");
    std::fs::write(&secrets, r#"{"gnmi":"s3cret"}"#).unwrap();
    std::fs::set_permissions(&secrets, PermissionsExt::from_mode(0o600)).unwrap();
    let with_data = |arguments: &[&str]| {
        let mut command = pilotctl();
        command.arg("--data").arg(dir.path()).args(arguments);
        command
    };
    let inventory = dir.path().join("site.json").display().to_string();
    let serve = ["serve", "--inventory", &inventory, "--bmp", "127.0.0.1:0"];
    let _engine = Running(with_data(&serve).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let end = Instant::now() + PATIENCE;
    let rows = loop {
        let output = with_data(&["--json", "status", "--subscriptions", "r1"]).output().unwrap();
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if rows[0]["synced"] == true && rows[1]["state"] == "silent" {
            break rows;
        }
        assert!(Instant::now() < end, "{}", said(&output));
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!((&rows[0]["state"], &rows[0]["instead"], rows[0]["last"].is_string()), (&"alive".into(), &Value::Null, true));
    assert_eq!((&rows[1]["instead"], &rows[1]["reason"]), (&"nothing".into(), &"the target refuses it: \"there are no optics\"".into()));
    let page = said(&with_data(&["status", "--subscriptions", "r1"]).output().unwrap());
    assert!(page.contains("alive") && page.contains("on change") && page.contains("not as asked: nothing"), "{page}");
    let status = said(&with_data(&["status"]).output().unwrap());
    assert!(status.contains("2 gNMI subscriptions, 1 synced: 1 alive, 1 silent, 1 not as asked"), "{status}");
    assert!(status.contains("PH-COLL-043") && status.contains("there are no optics"), "{status}");
    let unknown = with_data(&["status", "--subscriptions", "r9"]).output().unwrap();
    assert!(
        unknown.status.code() == Some(2) && said(&unknown).contains("PH-CLI-043 there is no router \"r9\"; there are r1"),
        "{}",
        said(&unknown)
    );

    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("gnmi-profiles")).unwrap();
    std::fs::write(other.path().join("gnmi-profiles/rack.toml"), OWN.replace("on_change", "on_changes")).unwrap();
    let refused = pilotctl().arg("--data").arg(other.path()).args(serve).output().unwrap();
    assert!(!refused.status.success() && said(&refused).contains("PH-COLL-027") && said(&refused).contains("line 8"), "{}", said(&refused));
}
