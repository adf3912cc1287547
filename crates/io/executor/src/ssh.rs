//! The SSH connection under a NETCONF session (RFC 6242 §3): the host key is checked before the first byte of a password goes out.

use crate::fault::{self, not_sent};
use change::WireFault;
use netconf::{Decoder, Framing};
use network::NetconfEndpoint;
use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::{HashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use vault::Secret;

/// TCP handshake; a management network answers within milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Key exchange and host key.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Login. Servers slow down wrong passwords by some seconds.
const LOGIN_WITHIN: Duration = Duration::from_secs(15);
/// Opening the `netconf` subsystem.
const SUBSYSTEM_WITHIN: Duration = Duration::from_secs(10);
/// Saying goodbye; it changes nothing any more.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// The connection stands, and nothing came.
    #[error("no answer in time")]
    Silent,
    /// The line broke, or what came over it made no sense.
    #[error("{0}")]
    Broken(String),
}

/// Compares the server's key with the one known.
struct HostKey {
    known: String,
}

#[derive(Debug)]
enum SshError {
    HostKey { seen: String },
    Ssh(russh::Error),
}

impl From<russh::Error> for SshError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl client::Handler for HostKey {
    type Error = SshError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        let seen = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256).to_string(),
            PublicKeyOrCertificate::Certificate(_) => "a certificate".to_owned(),
        };
        if seen == self.known { Ok(true) } else { Err(SshError::HostKey { seen }) }
    }
}

/// An open `netconf` subsystem.
pub(crate) struct Line {
    handle: Handle<HostKey>,
    channel: Channel<Msg>,
    decoder: Decoder,
    framing: Framing,
}

/// The earlier of `within` from now and `deadline`.
pub(crate) fn by(within: Duration, deadline: Instant) -> Instant {
    (Instant::now() + within).min(deadline)
}

impl Line {
    pub(crate) async fn open(endpoint: &NetconfEndpoint, secret: &Secret, deadline: Instant) -> Result<Self, WireFault> {
        let stream = connect(&endpoint.address, deadline).await?;
        let mut handle = handshake(endpoint, stream, deadline).await?;
        login(&mut handle, endpoint, secret, deadline).await?;
        let channel = subsystem(&handle, endpoint, deadline).await?;
        Ok(Self { handle, channel, decoder: Decoder::default(), framing: Framing::EndOfMessage })
    }

    /// Switches the framing, after both hellos.
    pub(crate) fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
        self.decoder.set_framing(framing);
    }

    pub(crate) async fn send(&mut self, message: &str, deadline: Instant) -> Result<(), Lost> {
        let bytes = self.framing.frame(message);
        match timeout_at(deadline, self.channel.data_bytes(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Lost::Broken(format!("the connection broke while sending: {error}"))),
            Err(_) => Err(Lost::Broken("the device stopped taking data".to_owned())),
        }
    }

    pub(crate) async fn receive(&mut self, deadline: Instant) -> Result<String, Lost> {
        loop {
            if let Some(message) = self.decoder.next_message().map_err(|e| Lost::Broken(format!("wrong framing: {e}")))? {
                return Ok(message);
            }
            match timeout_at(deadline, self.channel.wait()).await {
                Ok(Some(ChannelMsg::Data { data })) => self.decoder.push(&data),
                Ok(Some(ChannelMsg::Eof | ChannelMsg::Close) | None) => {
                    return Err(Lost::Broken("the device closed the session".to_owned()));
                }
                Ok(Some(_)) => {}
                Err(_) => return Err(Lost::Silent),
            }
        }
    }

    pub(crate) async fn close(self) {
        let goodbye = async {
            // the session is over either way
            let _ = self.channel.close().await;
            let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
        };
        let _ = tokio::time::timeout(GOODBYE_WITHIN, goodbye).await;
    }
}

async fn connect(address: &str, deadline: Instant) -> Result<TcpStream, WireFault> {
    let next = "check that the device is up and that its management address is right";
    let stream = match timeout_at(by(CONNECT_WITHIN, deadline), TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(not_sent(fault::UNREACHABLE, format!("cannot connect to {address}: {error}; {next}"))),
        Err(_) => return Err(not_sent(fault::UNREACHABLE, format!("{address} did not answer within {CONNECT_WITHIN:?}; {next}"))),
    };
    // small messages, each waited for: Nagle's delay would only add to the time under lock
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn handshake(endpoint: &NetconfEndpoint, stream: TcpStream, deadline: Instant) -> Result<Handle<HostKey>, WireFault> {
    let address = &endpoint.address;
    let config = Arc::new(client::Config::default());
    let check = HostKey { known: endpoint.host_key.clone() };
    match timeout_at(by(HANDSHAKE_WITHIN, deadline), client::connect_stream(config, stream, check)).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(SshError::HostKey { seen })) => Err(not_sent(
            fault::HOST_KEY,
            format!(
                "host key changed: {address} shows {seen}, known is {}; no password was sent; find out why before you accept the new key",
                endpoint.host_key
            ),
        )),
        Ok(Err(SshError::Ssh(error))) => Err(not_sent(fault::UNREACHABLE, format!("no SSH with {address}: {error}"))),
        Err(_) => Err(not_sent(fault::UNREACHABLE, format!("{address} did not finish the SSH handshake in time"))),
    }
}

async fn login(handle: &mut Handle<HostKey>, endpoint: &NetconfEndpoint, secret: &Secret, deadline: Instant) -> Result<(), WireFault> {
    let NetconfEndpoint { address, credential, .. } = endpoint;
    let user = &credential.username;
    let answer = timeout_at(by(LOGIN_WITHIN, deadline), handle.authenticate_password(user, secret.expose())).await;
    let why = match answer {
        Ok(Ok(AuthResult::Success)) => return Ok(()),
        Ok(Ok(AuthResult::Failure { .. })) => {
            format!("{address} refused user {user:?} or the password; check the secret {:?} in the vault", credential.secret)
        }
        Ok(Err(error)) => format!("{address} broke off the login of {user:?}: {error}"),
        Err(_) => format!("{address} did not answer the login of {user:?} in time"),
    };
    Err(not_sent(fault::LOGIN, why))
}

async fn subsystem(handle: &Handle<HostKey>, endpoint: &NetconfEndpoint, deadline: Instant) -> Result<Channel<Msg>, WireFault> {
    let address = &endpoint.address;
    let failed = |why: String| not_sent(fault::NO_NETCONF, format!("{address}: {why}; enable NETCONF over SSH on the device"));
    let open = async {
        let mut channel = handle.channel_open_session().await.map_err(|e| failed(format!("no SSH channel: {e}")))?;
        channel.request_subsystem(true, "netconf").await.map_err(|e| failed(format!("the netconf subsystem cannot be asked for: {e}")))?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => return Ok(channel),
                Some(ChannelMsg::Failure) => return Err(failed("it has no netconf subsystem".to_owned())),
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => return Err(failed("it closed the channel".to_owned())),
                Some(_) => {}
            }
        }
    };
    match timeout_at(by(SUBSYSTEM_WITHIN, deadline), open).await {
        Ok(channel) => channel,
        Err(_) => Err(failed("it did not open the netconf subsystem in time".to_owned())),
    }
}
