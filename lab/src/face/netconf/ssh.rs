//! The SSH server under the sessions (RFC 6242): password login, subsystem `netconf`, nothing else.

use super::owner::Call;
use super::session::{End, Session};
use crate::face::secret;
use russh::keys::PrivateKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session as Ssh, run_stream};
use russh::{Channel, ChannelId, Disconnect, MethodKind, MethodSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

/// Connections at once.
const CONNECTIONS_MAX: usize = 32;
/// Channels in one connection.
const CHANNELS_MAX: usize = 4;
/// Wrong passwords in one connection.
const ATTEMPTS_MAX: usize = 3;
/// A wrong password is answered after this long.
const REJECT_AFTER: Duration = Duration::from_millis(500);
/// A peer that is silent for this long is asked whether it lives, [`KEEPALIVES`] times: a dead one must not keep its pending commit.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVES: usize = 3;
/// Pause after the listener failed (usually: no file descriptors).
const PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections for ever.
pub async fn accept(listener: TcpListener, key: PrivateKey, users: Vec<(String, String)>, calls: mpsc::Sender<Call>) {
    let config = Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::Password][..]),
        auth_rejection_time: REJECT_AFTER,
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: ATTEMPTS_MAX,
        keys: vec![key],
        keepalive_interval: Some(KEEPALIVE_EVERY),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..Config::default()
    });
    let users = Arc::new(users);
    let (room, ids) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Arc::new(AtomicU32::new(1)));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let client = Client { users: users.clone(), calls: calls.clone(), ids: ids.clone(), channels: BTreeMap::new() };
        let config = config.clone();
        tokio::spawn(async move {
            if let Ok(running) = run_stream(config, stream, client).await {
                // why a client went away is its own business
                let _ = running.await;
            }
            drop(permit);
        });
    }
}

/// One connection.
struct Client {
    users: Arc<Vec<(String, String)>>,
    calls: mpsc::Sender<Call>,
    ids: Arc<AtomicU32>,
    /// Channels that have not asked for a subsystem yet.
    channels: BTreeMap<ChannelId, Channel<Msg>>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if secret::admits(&self.users, user, password) { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Ssh) -> Result<(), Self::Error> {
        if self.channels.len() < CHANNELS_MAX {
            self.channels.insert(channel.id(), channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, ssh: &mut Ssh) -> Result<(), Self::Error> {
        let Some(channel) = self.channels.remove(&id).filter(|_| name == "netconf") else {
            return ssh.channel_failure(id);
        };
        ssh.channel_success(id)?;
        let handle = ssh.handle();
        let session = Session::new(self.ids.fetch_add(1, Ordering::Relaxed), channel.into_stream(), self.calls.clone());
        tokio::spawn(async move {
            // the connection may be gone already, which is what is wanted
            match session.run().await {
                End::Orderly => drop(handle.close(id).await),
                End::Cut => drop(handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await),
            }
        });
        Ok(())
    }
}
