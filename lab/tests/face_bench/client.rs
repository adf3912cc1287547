//! A NETCONF client.

use super::{Bench, USER};
use anyhow::{Context, bail};
use netconf::{BASE_10, BASE_11, Capabilities, Datastore, Decoder, Element, Framing, Hello, Reply, request};
use russh::client::{self, Handle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, ChannelStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

struct AnyKey;

impl client::Handler for AnyKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// One session.
pub struct Client {
    _ssh: Handle<AnyKey>,
    stream: ChannelStream<Msg>,
    decoder: Decoder,
    framing: Framing,
    next: u64,
}

impl Client {
    pub async fn login(bench: &Bench, password: &str) -> anyhow::Result<Self> {
        let mut ssh = client::connect(Arc::new(client::Config::default()), bench.netconf, AnyKey).await?;
        anyhow::ensure!(ssh.authenticate_password(USER, password).await?.success(), "login refused");
        let mut channel = ssh.channel_open_session().await?;
        channel.request_subsystem(true, "netconf").await?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) | None => bail!("no netconf subsystem"),
                Some(_) => {}
            }
        }
        let (decoder, framing) = (Decoder::default(), Framing::EndOfMessage);
        let mut client = Self { _ssh: ssh, stream: channel.into_stream(), decoder, framing, next: 1 };
        let ours = Capabilities(vec![BASE_10.to_owned(), BASE_11.to_owned()]);
        client.send(&Hello { capabilities: ours.clone(), session_id: None }.render()).await?;
        let hello = Hello::parse(&client.receive().await?)?;
        anyhow::ensure!(hello.capabilities.can_commit_confirmed() && hello.session_id.is_some(), "{hello:?}");
        client.framing = ours.framing_with(&hello.capabilities).context("no common framing")?;
        client.decoder.set_framing(client.framing);
        Ok(client)
    }

    async fn send(&mut self, message: &str) -> anyhow::Result<()> {
        self.stream.write_all(&self.framing.frame(message)).await?;
        Ok(self.stream.flush().await?)
    }

    async fn receive(&mut self) -> anyhow::Result<String> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(message);
            }
            let n = timeout(ANSWER_WITHIN, self.stream.read(&mut buffer)).await.context("no answer")??;
            anyhow::ensure!(n > 0, "the device hung up");
            self.decoder.push(&buffer[..n]);
        }
    }

    pub async fn rpc(&mut self, operation: &str) -> anyhow::Result<Reply> {
        let id = self.next;
        self.next += 1;
        self.send(&request::rpc(id, operation)).await?;
        let (answered, reply) = Reply::parse(&self.receive().await?)?;
        anyhow::ensure!(answered == Some(id), "answer to {answered:?}, asked {id}");
        Ok(reply)
    }

    pub async fn ok(&mut self, operation: &str) -> anyhow::Result<()> {
        match self.rpc(operation).await? {
            Reply::Ok(_) => Ok(()),
            other => bail!("{operation}: {other:?}"),
        }
    }

    /// Reads the native text.
    pub async fn running(&mut self) -> anyhow::Result<String> {
        let Reply::Data(xml) = self.rpc(&request::get_config(Datastore::Running, None)).await? else { bail!("no data") };
        let root = Element::parse(&format!("<data>{xml}</data>"))?;
        Ok(root.child("configuration-text").context("no native text")?.text.clone())
    }

    pub async fn until(&mut self, within: Duration, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let text = self.running().await?;
            if wanted(&text) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "still after {within:?}:\n{text}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
