//! The gNMI server: Capabilities, Get, Subscribe (ONCE, STREAM), and Set of probe rates only.

mod stream;

use super::probes::Rates;
use super::secret;
use super::tree::{Tree, now_ns};
use gnmi::Path;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use gnmi_wire::{json_ietf, path_from_wire, path_to_wire, value_from_wire, wire};
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// Longest request, bytes.
const REQUEST_MAX: usize = 1 << 20;

/// Serves until the process ends.
pub async fn serve(
    listener: TcpListener,
    tree: Tree,
    rates: Rates,
    tls: Option<(PathBuf, PathBuf)>,
    users: Vec<(String, String)>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut server = Server::builder();
    if let Some((certificate, key)) = tls {
        let read = |path: PathBuf| std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()));
        server = server.tls_config(ServerTlsConfig::new().identity(Identity::from_pem(read(certificate)?, read(key)?)))?;
    }
    let face = GNmiServer::new(Face { tree, rates, users }).max_decoding_message_size(REQUEST_MAX);
    server.add_service(face).serve_with_incoming(TcpListenerStream::new(listener)).await?;
    Ok(())
}

struct Face {
    tree: Tree,
    rates: Rates,
    users: Vec<(String, String)>,
}

impl Face {
    /// Checks `username` and `password` of the metadata against the users.
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let word = |name| request.metadata().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let (user, password) = (word("username"), word("password"));
        if secret::admits(&self.users, user, password) { Ok(()) } else { Err(Status::unauthenticated("unknown user or wrong password")) }
    }
}

/// Gives a notification for values.
fn notification(timestamp: i64, updates: &[(Path, gnmi::Value)], deletes: &[Path]) -> wire::Notification {
    let update = |(path, value): &(Path, gnmi::Value)| wire::Update {
        path: Some(path_to_wire(path, "")),
        val: Some(json_ietf(value)),
        ..wire::Update::default()
    };
    wire::Notification {
        timestamp,
        prefix: Some(wire::Path { origin: "openconfig".to_owned(), ..wire::Path::default() }),
        update: updates.iter().map(update).collect(),
        delete: deletes.iter().map(|p| path_to_wire(p, "")).collect(),
        ..wire::Notification::default()
    }
}

#[tonic::async_trait]
impl GNmi for Face {
    async fn capabilities(&self, request: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        self.admit(&request)?;
        let model = |name: &str, version: &str| wire::ModelData {
            name: name.to_owned(),
            organization: "OpenConfig working group".to_owned(),
            version: version.to_owned(),
        };
        Ok(Response::new(wire::CapabilityResponse {
            supported_models: vec![
                model("openconfig-interfaces", "3.0.0"),
                model("openconfig-network-instance", "1.3.0"),
                model("openconfig-rib-bgp", "0.8.0"),
                model("openconfig-system", "0.17.0"),
                model("openconfig-probes", "0.1.0"),
            ],
            supported_encodings: vec![i32::from(wire::Encoding::JsonIetf as i16)],
            g_nmi_version: "0.10.0".to_owned(),
            ..wire::CapabilityResponse::default()
        }))
    }

    async fn get(&self, request: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        self.admit(&request)?;
        let request = request.into_inner();
        encoding(request.encoding)?;
        let mut notifications = Vec::new();
        for path in &request.path {
            let wanted = path_from_wire(request.prefix.as_ref(), Some(path));
            let (found, _) = self.tree.snapshot(|p| wanted.covers(p));
            if found.is_empty() {
                return Err(Status::not_found(format!("{wanted} is not served")));
            }
            notifications.push(notification(now_ns(), &found, &[]));
        }
        Ok(Response::new(wire::GetResponse { notification: notifications, ..wire::GetResponse::default() }))
    }

    async fn set(&self, request: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        self.admit(&request)?;
        let request = request.into_inner();
        if !(request.delete.is_empty() && request.replace.is_empty() && request.union_replace.is_empty()) {
            return Err(Status::permission_denied("only updates under /probes are accepted; configuration goes by NETCONF"));
        }
        let mut leaves = Vec::new();
        for update in &request.update {
            let path = path_from_wire(request.prefix.as_ref(), update.path.as_ref());
            let value = value_from_wire(update.val.as_ref(), &path).map_err(|e| Status::invalid_argument(e.to_string()))?;
            leaves.push((path, value));
        }
        let paths = self.rates.set(&leaves)?;
        let result = |p: Path| wire::UpdateResult {
            path: Some(path_to_wire(&p, "")),
            op: wire::update_result::Operation::Update.into(),
            ..wire::UpdateResult::default()
        };
        let response = paths.into_iter().map(result).collect();
        Ok(Response::new(wire::SetResponse { response, timestamp: now_ns(), ..wire::SetResponse::default() }))
    }

    type SubscribeStream = stream::Messages;

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        self.admit(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|r| r.request);
        let Some(wire::subscribe_request::Request::Subscribe(list)) = first else {
            return Err(Status::invalid_argument("the first message must be a SubscriptionList"));
        };
        encoding(list.encoding)?;
        stream::start(&self.tree, &list, requests)
    }
}

fn encoding(wanted: i32) -> Result<(), Status> {
    match wire::Encoding::try_from(wanted) {
        // JSON is 0, what clients send that do not care
        Ok(wire::Encoding::JsonIetf | wire::Encoding::Json) => Ok(()),
        other => Err(Status::unimplemented(format!("encoding {other:?} is not offered, use JSON_IETF"))),
    }
}
