//! A NETCONF session that sends whatever a test wants, also what the executor never would.

use netconf::{BASE_10, BASE_11, Capabilities, Decoder, Framing, Hello, Reply, request};
use network::NetconfEndpoint;
use russh::client::{self, Handle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg};
use std::sync::Arc;

struct AnyKey;

impl client::Handler for AnyKey {
    type Error = russh::Error;
    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

pub struct Raw {
    // the connection ends with its handle
    _handle: Handle<AnyKey>,
    channel: Channel<Msg>,
    decoder: Decoder,
    framing: Framing,
    id: u64,
    pub session_id: u32,
}

impl Raw {
    pub async fn open(endpoint: &NetconfEndpoint, password: &str) -> Self {
        let mut raw = Self::connect(endpoint, password).await;
        let own = Capabilities(vec![BASE_10.to_owned(), BASE_11.to_owned()]);
        raw.send(&Hello { capabilities: own.clone(), session_id: None }.render()).await;
        let hello = Hello::parse(&raw.receive().await.unwrap()).unwrap();
        raw.framing = own.framing_with(&hello.capabilities).unwrap();
        raw.decoder.set_framing(raw.framing);
        raw.session_id = hello.session_id.unwrap();
        // netconfd never answers a request that it reads together with the hello
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        raw
    }

    /// Opens the subsystem; nothing was said yet.
    pub async fn connect(endpoint: &NetconfEndpoint, password: &str) -> Self {
        let mut handle = client::connect(Arc::default(), &endpoint.address, AnyKey).await.unwrap();
        assert!(handle.authenticate_password(&endpoint.credential.username, password).await.unwrap().success());
        let channel = handle.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "netconf").await.unwrap();
        let framing = Framing::EndOfMessage;
        Self { _handle: handle, channel, decoder: Decoder::default(), framing, id: 0, session_id: 0 }
    }

    #[allow(dead_code, reason = "one of the test programs needs it")]
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.channel.data_bytes(bytes).await.unwrap();
    }

    pub async fn send(&mut self, message: &str) {
        self.channel.data_bytes(self.framing.frame(message)).await.unwrap();
    }

    /// `None`: the server closed.
    pub async fn receive(&mut self) -> Option<String> {
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            match self.channel.wait().await? {
                ChannelMsg::Data { data } => self.decoder.push(&data),
                ChannelMsg::Eof | ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    pub async fn rpc(&mut self, operation: &str) -> Reply {
        self.id += 1;
        self.send(&request::rpc(self.id, operation)).await;
        let (id, reply) = Reply::parse(&self.receive().await.expect("an answer")).unwrap();
        assert_eq!(id, Some(self.id));
        reply
    }

    #[allow(dead_code, reason = "one of the test programs needs it")]
    pub async fn ok(&mut self, operation: &str) {
        let reply = self.rpc(operation).await;
        assert!(matches!(reply, Reply::Ok(_)), "{operation}: {reply:?}");
    }
}
