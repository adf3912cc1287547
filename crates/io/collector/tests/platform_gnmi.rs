//! Platforms that are not OpenConfig's, played by a server of our own after recordings and vendors' models: asked in their words, understood
//! in ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use collector::{Target, dial};
use core::net::SocketAddr;
use core::pin::Pin;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use gnmi_wire::wire::{self, typed_value::Value as Wire};
use network::{GnmiEndpoint, GnmiEvent, Observation, SessionState, TlsPolicy};
use peer::{Watch, inventory};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

type Answers = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

/// A target with these models that says one notification and its sync, and remembers what it was asked.
struct Platform {
    models: Vec<(&'static str, &'static str)>,
    encodings: Vec<wire::Encoding>,
    says: wire::Notification,
    asked: Mutex<Option<wire::SubscriptionList>>,
}

#[tonic::async_trait]
impl GNmi for Platform {
    type SubscribeStream = Answers;

    async fn capabilities(&self, _: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        let model = |(name, organization): &(&str, &str)| wire::ModelData {
            name: (*name).to_owned(),
            organization: (*organization).to_owned(),
            ..wire::ModelData::default()
        };
        Ok(Response::new(wire::CapabilityResponse {
            supported_models: self.models.iter().map(model).collect(),
            supported_encodings: self.encodings.iter().map(|e| i32::from(*e)).collect(),
            ..wire::CapabilityResponse::default()
        }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn set(&self, _: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Answers>, Status> {
        let first = request.into_inner().message().await?.and_then(|r| r.request);
        let Some(wire::subscribe_request::Request::Subscribe(list)) = first else { return Err(Status::invalid_argument("no list")) };
        *self.asked.lock().unwrap() = Some(list);
        let say = |response| Ok(wire::SubscribeResponse { response: Some(response), ..wire::SubscribeResponse::default() });
        let update = wire::subscribe_response::Response::Update(self.says.clone());
        let sync = wire::subscribe_response::Response::SyncResponse(true);
        Ok(Response::new(Box::pin(tokio_stream::iter([say(update), say(sync)]).chain(tokio_stream::pending()))))
    }
}

async fn watch(platform: &Arc<Platform>, profile: Option<&str>) -> Watch {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(GNmiServer::from_arc(Arc::clone(platform))).serve_with_incoming(incoming));
    let endpoint = GnmiEndpoint { address, tls: TlsPolicy::Plaintext, credential: None, profile: profile.map(str::to_owned) };
    let inventory = inventory(65001, Some(endpoint));
    let target = Target::new(&inventory, &"r1".into(), None).unwrap();
    let (tx, rx) = mpsc::channel(16);
    tokio::spawn(dial(target, 7, tx));
    Watch::new(inventory, rx)
}

fn update(path: &str, value: Wire) -> wire::Update {
    let path = Some(gnmi_wire::path_to_wire(&path.parse().unwrap(), ""));
    wire::Update { path, val: Some(wire::TypedValue { value: Some(value) }), ..wire::Update::default() }
}

fn json(text: &str) -> Wire {
    Wire::JsonIetfVal(text.as_bytes().to_vec())
}

#[tokio::test]
async fn srlinux_is_asked_in_its_words_and_understood_in_openconfigs() {
    let neighbor = "/network-instance[name=default]/protocols/bgp/neighbor[peer-address=192.0.2.1]";
    let says = wire::Notification {
        timestamp: 1_800_000_000_000_000_000,
        update: vec![
            update("/interface[name=ethernet-1/1]", json(r#"{"srl_nokia-interfaces:oper-state":"up"}"#)),
            update("/interface[name=ethernet-1/1]/oper-state", json("\"up\"")),
            update("/interface[name=ethernet-1/1]/admin-state", json("\"enable\"")),
            update("/interface[name=ethernet-1/1]/statistics", json(r#"{"in-octets":"10","in-error-packets":"3"}"#)),
            update(&format!("{neighbor}/session-state"), json("\"established\"")),
            update(&format!("{neighbor}/afi-safi[afi-safi-name=srl_nokia-common:ipv4-unicast]/received-routes"), json("412")),
        ],
        ..wire::Notification::default()
    };
    let encodings = vec![wire::Encoding::JsonIetf, wire::Encoding::Proto];
    let platform =
        Arc::new(Platform { models: vec![("urn:srl_nokia/bgp:srl_nokia-bgp", "Nokia")], encodings, says, asked: Mutex::default() });
    let mut watch = watch(&platform, None).await;
    watch.until("the session", |d| d.sessions.values().any(|s| s.state == SessionState::Established)).await;
    let device = watch.r1();
    let interface = &device.interfaces["ethernet-1/1"];
    assert_eq!((interface.oper_up, interface.admin_up), (Some(true), Some(true)));
    assert_eq!(interface.errors.input.map(|(_, n)| n), Some(3));
    let session = &device.sessions[&"192.0.2.1".parse().unwrap()];
    assert_eq!(session.received.get(&bgp::Family::Ipv4Unicast), Some(&412));
    assert_eq!(device.gnmi_session.wrong_type, 0);
    let asked = platform.asked.lock().unwrap().clone().unwrap();
    assert_eq!(asked.encoding, i32::from(wire::Encoding::JsonIetf));
    let paths: Vec<String> = asked.subscription.iter().map(|s| gnmi_wire::path_from_wire(None, s.path.as_ref()).to_string()).collect();
    assert!(paths.contains(&"/interface[name=*]/oper-state".to_owned()) && !paths.iter().any(|p| p.starts_with("/probes")), "{paths:?}");
}

#[tokio::test]
async fn junos_is_read_in_proto_and_its_milliseconds_and_underscores_are_mended() {
    let says = wire::Notification {
        timestamp: 1_800_000_000_123,
        update: vec![update("/interfaces/interface[name=xe-0/0/0]/state/oper-status", Wire::StringVal("UP".to_owned())), {
            let bgp = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";
            update(
                &format!("{bgp}/neighbors/neighbor[neighbor_address=192.0.2.9]/state/session-state"),
                Wire::StringVal("ACTIVE".to_owned()),
            )
        }],
        ..wire::Notification::default()
    };
    let encodings = vec![wire::Encoding::JsonIetf, wire::Encoding::Proto];
    let models = vec![("junos-rpc-bgp", "Juniper Networks, Inc.")];
    let platform = Arc::new(Platform { models, encodings, says, asked: Mutex::default() });
    let mut watch = watch(&platform, None).await;
    watch.until("the session", |d| d.sessions.values().any(|s| s.state == SessionState::Active)).await;
    assert!(watch.r1().sessions.contains_key(&"192.0.2.9".parse().unwrap()));
    assert_eq!(platform.asked.lock().unwrap().as_ref().unwrap().encoding, i32::from(wire::Encoding::Proto));
    let times: Vec<i64> = watch
        .seen
        .iter()
        .filter_map(|o| match o {
            Observation::Gnmi { event: GnmiEvent::Notification { notification }, .. } => Some(notification.timestamp),
            _ => None,
        })
        .collect();
    assert_eq!(times, [1_800_000_000_123_000_000]);
}

#[tokio::test]
async fn the_operators_profile_counts_and_one_that_does_not_exist_is_named_and_replaced() {
    let make = || {
        let encodings = vec![wire::Encoding::JsonIetf];
        Arc::new(Platform { models: vec![("junos-x", "Juniper")], encodings, says: wire::Notification::default(), asked: Mutex::default() })
    };
    let platform = make();
    let mut chosen = watch(&platform, Some("pilothouse_node")).await;
    chosen.until("the sync", |d| matches!(d.gnmi, network::Freshness::Synced { .. })).await;
    assert_eq!(platform.asked.lock().unwrap().as_ref().unwrap().subscription.len(), 11);
    let junos = make();
    let mut wrong = watch(&junos, Some("eos")).await;
    wrong.until("the sync", |d| matches!(d.gnmi, network::Freshness::Synced { .. })).await;
    let warning = wrong.r1().gnmi_session.warnings.concat();
    let named = ["PH-COLL-040", "\"eos\"", "arista_eos", "\"juniper_junos\" is used instead"];
    assert!(named.iter().all(|words| warning.contains(words)), "{warning}");
    let all = gnmi::Profile::all().unwrap();
    let instead = all.iter().find(|p| p.name == "juniper_junos").unwrap().subscriptions.len();
    assert_eq!(junos.asked.lock().unwrap().as_ref().unwrap().subscription.len(), instead);
    assert!(chosen.r1().gnmi_session.warnings.is_empty());
}
