//! A gNMI client that keeps what it was told.

use super::{Bench, PASSWORD, USER};
use anyhow::Context;
use gnmi::Value;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::{notification_from_wire, path_to_wire, value_to_wire, wire};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use wire::subscribe_response::Response;

fn request<T>(message: T, password: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    for (name, value) in [("username", USER), ("password", password)] {
        metadata.insert(name, value.parse().unwrap());
    }
    request
}

impl Bench {
    async fn client(&self) -> Result<GNmiClient<Channel>, Status> {
        GNmiClient::connect(format!("http://{}", self.gnmi)).await.map_err(|e| Status::unavailable(e.to_string()))
    }

    pub async fn capabilities(&self, password: &str) -> Result<(), Status> {
        self.client().await?.capabilities(request(wire::CapabilityRequest::default(), password)).await.map(drop)
    }

    pub async fn set(&self, path: &str, value: u64) -> Result<(), Status> {
        let path = path_to_wire(&path.parse().unwrap(), "openconfig");
        let update = vec![wire::Update { path: Some(path), val: Some(value_to_wire(&Value::Uint(value))), ..Default::default() }];
        self.client().await?.set(request(wire::SetRequest { update, ..Default::default() }, PASSWORD)).await.map(drop)
    }
}

/// A stream and what it has told so far.
pub struct Subscription {
    messages: Streaming<wire::SubscribeResponse>,
    _requests: mpsc::Sender<wire::SubscribeRequest>,
    tree: BTreeMap<String, Value>,
}

impl Subscription {
    pub async fn open(bench: &Bench, paths: &[&str]) -> anyhow::Result<Self> {
        let subscription = paths
            .iter()
            .map(|p| {
                Ok(wire::Subscription {
                    path: Some(path_to_wire(&p.parse()?, "openconfig")),
                    mode: wire::SubscriptionMode::OnChange.into(),
                    ..Default::default()
                })
            })
            .collect::<anyhow::Result<_>>()?;
        let list = wire::SubscriptionList { subscription, encoding: wire::Encoding::JsonIetf.into(), ..Default::default() };
        let (sender, receiver) = mpsc::channel(1);
        sender
            .send(wire::SubscribeRequest { request: Some(wire::subscribe_request::Request::Subscribe(list)), ..Default::default() })
            .await?;
        let messages = bench.client().await?.subscribe(request(ReceiverStream::new(receiver), PASSWORD)).await?.into_inner();
        let mut stream = Self { messages, _requests: sender, tree: BTreeMap::new() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !stream.step(deadline).await? {}
        Ok(stream)
    }

    /// Takes one message; says whether it was the sync.
    async fn step(&mut self, deadline: Instant) -> anyhow::Result<bool> {
        let message = timeout_at(deadline, self.messages.message())
            .await
            .with_context(|| format!("waited in vain, told so far: {:#?}", self.tree))??;
        match message.and_then(|m| m.response).context("the stream ended")? {
            Response::Update(n) => {
                let (n, errors) = notification_from_wire(&n);
                assert!(errors.is_empty(), "{errors:?}");
                for gone in &n.deletes {
                    self.tree.retain(|p, _| !p.starts_with(&gone.to_string()));
                }
                self.tree.extend(n.updates.into_iter().map(|u| (u.path.to_string(), u.value)));
                Ok(false)
            }
            other => Ok(matches!(other, Response::SyncResponse(true))),
        }
    }

    pub async fn until(&mut self, within: Duration, wanted: impl Fn(&BTreeMap<String, Value>) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while !wanted(&self.tree) {
            self.step(deadline).await?;
        }
        Ok(())
    }

    /// Returns what was told of a path; null when nothing.
    pub fn told(&self, path: &str) -> serde_json::Value {
        match self.tree.get(path) {
            Some(Value::Json(json)) => json.clone(),
            _ => serde_json::Value::Null,
        }
    }
}
