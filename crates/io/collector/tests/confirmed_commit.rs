//! The commit-confirmed extension as a target that announces it gets to see it. No foreign server at hand has it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use collector::{ConfirmedCommit, Edit, Target};
use core::pin::Pin;
use core::time::Duration;
use gnmi_wire::proto::gnmi_ext::{self, commit::Action, extension::Ext};
use gnmi_wire::wire::{
    self,
    g_nmi_server::{GNmi, GNmiServer},
};
use network::{GnmiEndpoint, TlsPolicy};
use std::sync::{Arc, Mutex};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

#[derive(Default)]
struct Announcing {
    got: Mutex<Vec<wire::SetRequest>>,
}

#[tonic::async_trait]
impl GNmi for Announcing {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

    async fn capabilities(&self, _: Request<wire::CapabilityRequest>) -> Result<Response<wire::CapabilityResponse>, Status> {
        let extension = vec![gnmi_ext::Extension { ext: Some(Ext::Commit(gnmi_ext::Commit::default())) }];
        Ok(Response::new(wire::CapabilityResponse { extension, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn set(&self, request: Request<wire::SetRequest>) -> Result<Response<wire::SetResponse>, Status> {
        self.got.lock().unwrap().push(request.into_inner());
        Ok(Response::new(wire::SetResponse::default()))
    }

    async fn subscribe(&self, _: Request<Streaming<wire::SubscribeRequest>>) -> Result<Response<Self::SubscribeStream>, Status> {
        Err(Status::unimplemented("no"))
    }
}

#[tokio::test]
async fn a_commit_carries_its_name_its_time_and_then_its_confirmation() {
    let server = Arc::new(Announcing::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let service = GNmiServer::from_arc(Arc::clone(&server));
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let endpoint = GnmiEndpoint { address, tls: TlsPolicy::Plaintext, credential: None, profile: None };
    let target = Target::new(&peer::inventory(65001, Some(endpoint)), &"r1".into(), None).unwrap();

    let commit = ConfirmedCommit::new("c1", Duration::from_secs(90)).unwrap();
    let edit = Edit { delete: vec!["/system/config/hostname".parse().unwrap()], ..Edit::default() };
    collector::set(&target, &edit, Some(&commit)).await.unwrap();
    collector::confirm(&target, &commit).await.unwrap();
    collector::cancel(&target, &commit).await.unwrap();

    let got = server.got.lock().unwrap();
    let actions: Vec<(usize, Action)> = got
        .iter()
        .map(|request| match request.extension.as_slice() {
            [gnmi_ext::Extension { ext: Some(Ext::Commit(c)) }] if c.id == "c1" => (request.delete.len(), c.action.unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let rollback_duration = Some(gnmi_ext::Duration { seconds: 90, nanos: 0 });
    let wanted = [
        (1, Action::Commit(gnmi_ext::CommitRequest { rollback_duration })),
        (0, Action::Confirm(gnmi_ext::CommitConfirm {})),
        (0, Action::Cancel(gnmi_ext::CommitCancel {})),
    ];
    assert_eq!(actions, wanted);
}
