//! Get in the encoding that the target offers and takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use collector::{CollectError, DataType, Target, get};
use core::net::SocketAddr;
use core::pin::Pin;
use gnmi::{Path, Value};
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use gnmi_wire::wire::{self, Encoding, typed_value::Value as Wire};
use network::{GnmiEndpoint, TlsPolicy};
use peer::inventory;
use std::sync::{Arc, Mutex};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

/// A target that announces these encodings (`None`: it knows no Capabilities), takes these, and remembers in which it was asked.
struct Holder {
    announces: Option<Vec<Encoding>>,
    takes: Vec<Encoding>,
    asked: Mutex<Vec<Encoding>>,
}

#[tonic::async_trait]
impl GNmi for Holder {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

    async fn capabilities(&self, _: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        let announced = self.announces.as_ref().ok_or_else(|| Status::unimplemented("no"))?;
        let supported_encodings = announced.iter().map(|e| i32::from(*e)).collect();
        Ok(Response::new(wire::CapabilityResponse { supported_encodings, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, request: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        let asked = request.get_ref();
        let encoding = asked.encoding();
        self.asked.lock().unwrap().push(encoding);
        if !self.takes.contains(&encoding) {
            return Err(Status::invalid_argument(format!("Encoding {} not supported", asked.encoding)));
        }
        let path = asked.path.first().cloned();
        if gnmi_wire::path_from_wire(None, path.as_ref()).to_string() != "/system/state/hostname" {
            return Err(Status::not_found("no such path"));
        }
        let value = match encoding {
            Encoding::JsonIetf => Wire::JsonIetfVal(b"\"r1\"".to_vec()),
            Encoding::Json => Wire::JsonVal(b"\"r1\"".to_vec()),
            Encoding::Ascii => Wire::AsciiVal("r1".to_owned()),
            _ => Wire::StringVal("r1".to_owned()),
        };
        let update = wire::Update { path, val: Some(wire::TypedValue { value: Some(value) }), ..wire::Update::default() };
        let notification = vec![wire::Notification { timestamp: 1, update: vec![update], ..wire::Notification::default() }];
        Ok(Response::new(wire::GetResponse { notification, ..wire::GetResponse::default() }))
    }

    async fn set(&self, _: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn subscribe(&self, _: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        Err(Status::unimplemented("no"))
    }
}

/// Reads a path; returns what came of it and the encodings in which it was asked for.
async fn read(
    announces: Option<&[Encoding]>,
    takes: &[Encoding],
    profile: &str,
    path: &str,
) -> (Result<String, CollectError>, Vec<Encoding>) {
    let holder = Arc::new(Holder { announces: announces.map(<[Encoding]>::to_vec), takes: takes.to_vec(), asked: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(GNmiServer::from_arc(Arc::clone(&holder))).serve_with_incoming(incoming));
    let endpoint = GnmiEndpoint { address, tls: TlsPolicy::Plaintext, credential: None, profile: Some(profile.to_owned()) };
    let target = Target::new(&inventory(65001, Some(endpoint)), &"r1".into(), None).unwrap();
    let path: Path = path.parse().unwrap();
    let found = get(&target, &[path], "", DataType::State).await;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let found = found.map(|all| all.iter().flat_map(|n| &n.updates).map(|u| text(&u.value)).collect());
    let asked = holder.asked.lock().unwrap().clone();
    (found, asked)
}

const HOSTNAME: &str = "/system/state/hostname";

#[tokio::test]
async fn get_asks_in_what_the_target_offers_in_the_order_of_its_profile() {
    use Encoding::{Ascii, Bytes, Json, JsonIetf, Proto};
    for (offered, profile, expected) in [
        (&[JsonIetf, Json][..], "openconfig", JsonIetf),
        (&[Json, Proto][..], "openconfig", Json),
        (&[Ascii][..], "openconfig", Ascii),
        (&[JsonIetf, Proto][..], "juniper_junos", Proto),
        (&[JsonIetf, Json][..], "cisco_nxos", Json),
        (&[JsonIetf, Json][..], "a profile that does not exist", JsonIetf),
    ] {
        let (found, asked) = read(Some(offered), offered, profile, HOSTNAME).await;
        assert_eq!((found.unwrap().as_str(), asked), ("r1", vec![expected]), "{profile}: {offered:?}");
    }
    let (found, asked) = read(None, &[Json], "openconfig", HOSTNAME).await;
    assert_eq!((found.unwrap().as_str(), asked), ("r1", vec![JsonIetf, Json]), "one that cannot say what it offers is tried");
    let (found, asked) = read(Some(&[Bytes]), &[Bytes], "openconfig", HOSTNAME).await;
    assert!(matches!(found, Err(CollectError::Encoding { .. })) && asked.is_empty(), "{found:?}");
}

#[tokio::test]
async fn an_encoding_that_is_announced_and_refused_is_followed_by_the_next() {
    use Encoding::{Json, JsonIetf, Proto};
    let (found, asked) = read(Some(&[JsonIetf, Json, Proto]), &[Proto], "openconfig", HOSTNAME).await;
    assert_eq!((found.unwrap().as_str(), asked), ("r1", vec![JsonIetf, Json, Proto]));
    // what another encoding would not change is not asked for again
    let (found, asked) = read(Some(&[JsonIetf, Json]), &[JsonIetf, Json], "openconfig", "/elsewhere").await;
    assert!(found.unwrap_err().to_string().contains("no such path"));
    assert_eq!(asked, [JsonIetf]);
    let (found, asked) = read(Some(&[JsonIetf, Json]), &[], "openconfig", HOSTNAME).await;
    let refusal = found.unwrap_err().to_string();
    assert!(refusal.contains("Encoding 4 not supported"), "the first one's words: {refusal}");
    assert_eq!(asked, [JsonIetf, Json]);
}
