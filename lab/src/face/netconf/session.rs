//! One NETCONF session over a byte stream: hellos, then requests one by one.

use super::answer::{Answer, error, failed, invalid};
use super::owner::Call;
use netconf::{
    BASE_10, BASE_11, CANDIDATE, CONFIRMED_COMMIT, Capabilities, Decoder, Framing, Hello, ROLLBACK_ON_ERROR, Rpc, VALIDATE, reply,
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// A client that says no hello for this long is none.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A client that does not take its answer for this long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client said goodbye, went away, or was told why it cannot stay.
    Orderly,
    /// The connection is to be cut.
    Cut,
}

fn capabilities() -> Capabilities {
    let policy = "http://openconfig.net/yang/routing-policy?module=openconfig-routing-policy&revision=2020-08-18";
    let ours = [super::render::NATIVE_NS, super::render::NODE_NS];
    let all = [BASE_10, BASE_11, CANDIDATE, CONFIRMED_COMMIT, ROLLBACK_ON_ERROR, VALIDATE, policy].into_iter().chain(ours);
    Capabilities(all.map(str::to_owned).collect())
}

/// A session's ends.
pub struct Session<S> {
    id: u32,
    stream: S,
    calls: mpsc::Sender<Call>,
    decoder: Decoder,
    framing: Framing,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Prepares session `id`.
    pub fn new(id: u32, stream: S, calls: mpsc::Sender<Call>) -> Self {
        Self { id, stream, calls, decoder: Decoder::default(), framing: Framing::EndOfMessage }
    }

    /// Serves until the client or a `kill-session` ends it, and tells the owner.
    pub async fn run(mut self) -> End {
        let (kill, killed) = oneshot::channel();
        if self.calls.send(Call::Begun { session: self.id, kill }).await.is_err() {
            return End::Cut;
        }
        let end = tokio::select! {
            end = self.serve() => end.unwrap_or(End::Orderly),
            _ = killed => End::Cut,
        };
        // without an owner there is nothing left to end
        let _ = self.calls.send(Call::Ended(self.id)).await;
        let _ = self.stream.shutdown().await;
        end
    }

    /// `None`: the client is gone.
    async fn serve(&mut self) -> Option<End> {
        let ours = capabilities();
        let hello = Hello { capabilities: ours.clone(), session_id: Some(self.id) };
        self.send(&hello.render()).await?;
        let text = timeout(HELLO_WITHIN, self.receive()).await.ok()??;
        // RFC 6241 §8.1: a client that gives a session id is not to be served
        let theirs = Hello::parse(&text).ok().filter(|h| h.session_id.is_none());
        let Some(framing) = theirs.and_then(|h| ours.framing_with(&h.capabilities)) else {
            tracing::warn!(session = self.id, "client says no hello that can be understood");
            return Some(End::Cut);
        };
        self.framing = framing;
        self.decoder.set_framing(framing);
        loop {
            let text = self.receive().await?;
            let Ok(request) = Rpc::parse(&text) else {
                self.send(&reply::error("", &error("rpc", "malformed-message", "this is no <rpc>; the session ends"))).await?;
                return Some(End::Orderly);
            };
            let id = request.message_id;
            let answer = match request.rpc {
                _ if id.is_empty() => Answer::Error(error("rpc", "missing-attribute", "message-id is missing")),
                Err(why) => Answer::Error(invalid(why)),
                Ok(rpc) => self.ask(rpc).await,
            };
            match answer {
                Answer::Ok => self.send(&reply::ok(&id)).await?,
                Answer::Data(xml) => self.send(&reply::data(&id, &xml)).await?,
                Answer::Error(e) => self.send(&reply::error(&id, &e)).await?,
                Answer::Goodbye => {
                    self.send(&reply::ok(&id)).await?;
                    return Some(End::Orderly);
                }
                Answer::Silence => {}
                Answer::HangUp => return Some(End::Cut),
            }
        }
    }

    async fn ask(&self, rpc: Rpc) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = || Answer::Error(failed("the node is stopping"));
        if self.calls.send(Call::Rpc { session: self.id, rpc, answer }).await.is_err() {
            return gone();
        }
        answered.await.unwrap_or_else(|_| gone())
    }

    async fn send(&mut self, message: &str) -> Option<()> {
        let bytes = self.framing.frame(message);
        let write = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        timeout(WRITE_WITHIN, write).await.ok()?.ok()
    }

    async fn receive(&mut self) -> Option<String> {
        let mut buffer = vec![0; 32 << 10];
        loop {
            match self.decoder.next_message() {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(session = self.id, %error, "session ends");
                    return None;
                }
            }
            let n = self.stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
            self.decoder.push(&buffer[..n]);
        }
    }
}
