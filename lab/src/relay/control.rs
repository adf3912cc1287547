//! Telling a running relay where the engine is.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// How long the relay may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Bytes of a request: [`EngineDoors`] as JSON.
const MAX_REQUEST: usize = 512;

/// Where the engine listens; `None`: it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineDoors {
    /// BMP, over TCP.
    pub bmp: Option<SocketAddr>,
    /// Flow export, over UDP.
    #[serde(default)]
    pub flow: Option<SocketAddr>,
    /// Syslog, over UDP.
    #[serde(default)]
    pub syslog: Option<SocketAddr>,
}

/// Why the relay could not be told.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// It does not answer.
    #[error("the relay does not answer on {}", control.display())]
    Unanswered {
        /// Its control socket.
        control: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It answered something else than `ok`.
    #[error("the relay answered {said:?}")]
    Refused {
        /// What it said.
        said: String,
    },
}

/// Tells the relay with this control socket where the engine listens. Sessions to another address end.
///
/// # Errors
/// When the relay does not answer.
pub fn attach(control: &Path, engine: EngineDoors) -> Result<(), RelayError> {
    let request = serde_json::to_string(&engine).unwrap_or_default();
    let mailbox = PathBuf::from(format!("{}.{}.{:?}", control.display(), std::process::id(), std::thread::current().id()));
    let answer = exchange(control, &mailbox, &request);
    let _ = std::fs::remove_file(&mailbox);
    match answer.map_err(|source| RelayError::Unanswered { control: control.to_owned(), source })? {
        said if said == "ok" => Ok(()),
        said => Err(RelayError::Refused { said }),
    }
}

fn exchange(control: &Path, mailbox: &Path, request: &str) -> std::io::Result<String> {
    let socket = UnixDatagram::bind(mailbox)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    socket.send_to(request.as_bytes(), control)?;
    let mut buffer = [0; MAX_REQUEST];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned())
}

/// Serves the control socket.
pub(super) async fn serve(path: &Path, engine: &watch::Sender<EngineDoors>) -> crate::RunResult {
    let _ = std::fs::remove_file(path);
    let socket = tokio::net::UnixDatagram::bind(path)?;
    let mut buffer = [0; MAX_REQUEST];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        let answer = match serde_json::from_str::<EngineDoors>(&text) {
            Ok(doors) => {
                // The same addresses again must not end living sessions.
                engine.send_if_modified(|now| std::mem::replace(now, doors) != doors);
                "ok"
            }
            Err(_) => "want the engine's addresses as JSON",
        };
        if let Some(path) = from.as_pathname() {
            // The asker may be gone.
            let _ = socket.send_to(answer.as_bytes(), path).await;
        }
    }
}
