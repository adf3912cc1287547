//! One NETCONF session: hello, then one operation at a time.

use crate::fault::{self, not_sent};
use crate::running::Running;
use crate::ssh::{Line, Lost, by};
use change::WireFault;
use netconf::{BASE_10, BASE_11, Capabilities, Datastore, Hello, Reply, RpcError, request};
use network::NetconfEndpoint;
use std::time::Duration;
use tokio::time::Instant;
use vault::Secret;

/// Hello of the server.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// One operation. A commit on a large router takes some seconds.
const RPC_WITHIN: Duration = Duration::from_secs(30);
/// Between our hello and the first request: netconfd 2.13 never answers a request that it reads together with the hello.
const HELLO_SETTLES: Duration = Duration::from_millis(30);
/// The first request of a session, which is always harmless; for when the pause above was too short for a busy server.
const FIRST_WITHIN: Duration = Duration::from_secs(6);
/// Sessions that are opened until one answers its first request.
const OPEN_TRIES: u32 = 2;
/// Operations that only tidy up (unlock, discard after a refusal, close).
const TIDY_WITHIN: Duration = Duration::from_secs(3);

/// What is read of running: the policy as OpenConfig says it, and the native text where the device serves one.
const FILTER: &str =
    "<routing-policy xmlns=\"http://openconfig.net/yang/routing-policy\"/><configuration-text xmlns=\"urn:pilothouse:native:1.0\"/>";

pub(crate) struct Session {
    line: Line,
    capabilities: Capabilities,
    last_id: u64,
    deadline: Instant,
}

impl Session {
    /// Connects, checks the host key, logs in, exchanges hellos, and carries out `first`, which must be harmless to repeat: a server that
    /// stays silent gets it once more in a new session.
    pub(crate) async fn open(
        endpoint: &NetconfEndpoint,
        secret: &Secret,
        first: &str,
        deadline: Instant,
    ) -> Result<(Self, Result<Reply, Lost>), WireFault> {
        let mut tries = 1;
        loop {
            let mut session = Self::greet(endpoint, secret, deadline).await?;
            match session.rpc_by(first, by(FIRST_WITHIN, deadline)).await {
                Err(Lost::Silent) if tries < OPEN_TRIES && Instant::now() < deadline => {
                    tracing::debug!(address = endpoint.address, "the first request was not answered, a new session is opened");
                    session.line.close().await;
                    tries += 1;
                }
                reply => return Ok((session, reply)),
            }
        }
    }

    async fn greet(endpoint: &NetconfEndpoint, secret: &Secret, deadline: Instant) -> Result<Self, WireFault> {
        let mut line = Line::open(endpoint, secret, deadline).await?;
        let failed = |why: String| not_sent(fault::NO_NETCONF, format!("{}: {why}", endpoint.address));
        let own = Capabilities(vec![BASE_10.to_owned(), BASE_11.to_owned()]);
        let until = by(HELLO_WITHIN, deadline);
        let hello = Hello { capabilities: own.clone(), session_id: None }.render();
        line.send(&hello, until).await.map_err(|e| failed(format!("hello: {e}")))?;
        let theirs = line.receive(until).await.map_err(|e| failed(format!("hello: {e}")))?;
        let theirs = Hello::parse(&theirs).map_err(|e| failed(format!("hello: {e}")))?;
        let framing = own.framing_with(&theirs.capabilities).ok_or_else(|| failed("it speaks neither base:1.0 nor base:1.1".to_owned()))?;
        line.set_framing(framing);
        tokio::time::sleep(HELLO_SETTLES).await;
        Ok(Self { line, capabilities: theirs.capabilities, last_id: 0, deadline })
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Carries out one operation. An answer to another one than ours makes no sense and ends the session.
    pub(crate) async fn rpc(&mut self, operation: &str) -> Result<Reply, Lost> {
        self.rpc_by(operation, by(RPC_WITHIN, self.deadline)).await
    }

    async fn rpc_by(&mut self, operation: &str, until: Instant) -> Result<Reply, Lost> {
        self.last_id += 1;
        self.line.send(&request::rpc(self.last_id, operation), until).await?;
        let answer = self.line.receive(until).await?;
        match Reply::parse(&answer) {
            Ok((Some(id), reply)) if id == self.last_id => Ok(reply),
            // an rpc-error may come without an id, when the server could not read ours
            Ok((None, reply @ Reply::Errors(_))) => Ok(reply),
            Ok((id, _)) => Err(Lost::Broken(format!("it answered message {id:?}, ours was {}", self.last_id))),
            Err(error) => Err(Lost::Broken(format!("its answer cannot be read: {error}"))),
        }
    }

    /// Reads the running configuration.
    pub(crate) async fn running(&mut self) -> Result<Running, String> {
        let reply = self.rpc(&get_running()).await;
        running_in(reply)
    }

    /// Leaves candidate as running is; for after a refusal. That it may fail changes nothing: the session ends next.
    pub(crate) async fn tidy(&mut self, operation: &str) {
        let until = Instant::now() + TIDY_WITHIN;
        if let Err(lost) = self.rpc_by(operation, until).await {
            tracing::debug!(%lost, operation, "tidying up was not answered");
        }
    }

    pub(crate) async fn close(mut self) {
        self.tidy(&request::close_session()).await;
        self.line.close().await;
    }
}

/// The request for what is read of running.
pub(crate) fn get_running() -> String {
    request::get_config(Datastore::Running, Some(FILTER))
}

/// Reads the answer to [`get_running`].
pub(crate) fn running_in(reply: Result<Reply, Lost>) -> Result<Running, String> {
    match reply {
        Ok(Reply::Data(xml)) => Running::read(xml),
        Ok(Reply::Errors(errors)) => Err(words(&errors)),
        Ok(Reply::Ok(_)) => Err("it answered ok without data".to_owned()),
        Err(lost) => Err(lost.to_string()),
    }
}

/// The server's errors in one line.
pub(crate) fn words(errors: &[RpcError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
