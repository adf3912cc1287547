//! The SSH server under the sessions (RFC 6242): password login, subsystem `netconf`, nothing else.

use super::owner::Call;
use super::session::{End, Session};
use crate::face::secret;
use russh::keys::PrivateKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session as Ssh, run_stream};
use russh::{Channel, ChannelId, Disconnect, MethodKind, MethodSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

/// Connections at once.
const CONNECTIONS_MAX: usize = 32;
/// NETCONF sessions at once, over all connections.
const SESSIONS_MAX: usize = 16;
/// A connection that has not logged in after this long is closed.
const LOGIN_WITHIN: Duration = Duration::from_secs(30);
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
    let sessions = Arc::new(Semaphore::new(SESSIONS_MAX));
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
        let logged_in = Arc::new(AtomicBool::new(false));
        let client = Client {
            users: users.clone(),
            calls: calls.clone(),
            ids: ids.clone(),
            sessions: sessions.clone(),
            logged_in: logged_in.clone(),
            channels: BTreeMap::new(),
        };
        let config = config.clone();
        tokio::spawn(async move {
            let connection = async {
                if let Ok(running) = run_stream(config, stream, client).await {
                    // why a client went away is its own business
                    let _ = running.await;
                }
            };
            tokio::select! {
                () = connection => {}
                () = stays_out(&logged_in) => {}
            }
            drop(permit);
        });
    }
}

/// Ends when the time to log in is over and nobody did.
async fn stays_out(logged_in: &AtomicBool) {
    tokio::time::sleep(LOGIN_WITHIN).await;
    if logged_in.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

/// One connection.
struct Client {
    users: Arc<Vec<(String, String)>>,
    calls: mpsc::Sender<Call>,
    ids: Arc<AtomicU32>,
    sessions: Arc<Semaphore>,
    logged_in: Arc<AtomicBool>,
    /// Channels that have not asked for a subsystem yet.
    channels: BTreeMap<ChannelId, Channel<Msg>>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let admitted = secret::admits(&self.users, user, password);
        self.logged_in.fetch_or(admitted, Ordering::Relaxed);
        Ok(if admitted { Auth::Accept } else { Auth::reject() })
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
        let Ok(place) = self.sessions.clone().try_acquire_owned() else {
            tracing::warn!("more than {SESSIONS_MAX} sessions: refused");
            return ssh.channel_failure(id);
        };
        ssh.channel_success(id)?;
        let handle = ssh.handle();
        let session = Session::new(self.ids.fetch_add(1, Ordering::Relaxed), channel.into_stream(), self.calls.clone());
        tokio::spawn(async move {
            let end = session.run().await;
            drop(place);
            // the connection may be gone already, which is what is wanted
            match end {
                End::Orderly => drop(handle.close(id).await),
                End::Cut => drop(handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await),
            }
        });
        Ok(())
    }
}
