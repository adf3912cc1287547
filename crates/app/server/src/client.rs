//! Speaks to the running engine of a data folder over its Unix socket.

use api::ApiError;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a use case may take before the engine counts as hung.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A connection to one engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    folder: PathBuf,
}

impl Client {
    /// Prepares a connection to the engine of a data folder.
    ///
    /// # Errors
    /// `PH-CLI-001` when none runs there.
    pub fn open(folder: &Path) -> Result<Self, ApiError> {
        let socket = folder.join("engine.sock");
        if !socket.exists() {
            let why = format!("no engine is running on {}: start one with `pilotctl serve` or open the window", folder.display());
            return Err(ApiError::new("PH-CLI-001", why));
        }
        let http = reqwest::Client::builder().unix_socket(socket).build();
        let http = http.map_err(|e| ApiError::new("PH-CLI-002", runtime::chain(&e)))?;
        Ok(Self { http, folder: folder.to_owned() })
    }

    /// Carries out one command; arguments and answer are JSON.
    ///
    /// # Errors
    /// The engine's own [`ApiError`], or `PH-CLI-004` when it does not answer.
    pub async fn call(&self, command: &str, arguments: Vec<u8>) -> Result<Value, ApiError> {
        let request = self.http.post(format!("http://engine/rpc/{command}")).timeout(ANSWER_WITHIN);
        let response = request.header("content-type", "application/json").body(arguments).send().await.map_err(|e| self.unreachable(&e))?;
        let ok = response.status().is_success();
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        let unreadable = |e: serde_json::Error| ApiError::new("PH-CLI-003", format!("{e}: {}", String::from_utf8_lossy(&body)));
        if ok { serde_json::from_slice(&body).map_err(unreadable) } else { Err(serde_json::from_slice(&body).unwrap_or_else(unreadable)) }
    }

    /// Follows the event stream; calls `each` with one JSON line at a time until it returns false or the engine stops.
    ///
    /// # Errors
    /// `PH-CLI-004` when the engine does not answer.
    pub async fn follow(&self, mut each: impl FnMut(&str) -> bool) -> Result<(), ApiError> {
        let mut response = self.http.get("http://engine/events").send().await.map_err(|e| self.unreachable(&e))?;
        let mut pending = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if !each(String::from_utf8_lossy(&line).trim_end()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        if error.is_connect() {
            // a socket that nobody listens at is left behind by a program that was killed
            let why =
                format!("no engine is running on {} any more: start one with `pilotctl serve` or open the window", self.folder.display());
            return ApiError::new("PH-CLI-001", why);
        }
        let why = format!("the engine of {} does not answer: {}; is it still running?", self.folder.display(), runtime::chain(error));
        ApiError::new("PH-CLI-004", why)
    }
}
