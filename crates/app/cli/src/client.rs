//! Speaks to the running engine of a data folder over its Unix socket.

use crate::exit::{Context, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a use case may take before the engine counts as hung.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A connection to one engine.
pub struct Client {
    http: reqwest::Client,
    folder: String,
}

impl Client {
    /// Prepares a connection to the engine of the context's data folder.
    pub fn new(context: &Context) -> Result<Self, Failure> {
        let folder = context.data_folder();
        let socket = folder.join("engine.sock");
        if !socket.exists() {
            return Err(Failure::new(
                "PH-CLI-001",
                format!("no engine is running on {}: start one with `pilotctl serve` or open the window", folder.display()),
            ));
        }
        let http = reqwest::Client::builder().unix_socket(socket).build().map_err(|e| Failure::from_error("PH-CLI-002", &e))?;
        Ok(Self { http, folder: folder.display().to_string() })
    }

    /// Calls one use case.
    pub async fn call<A: Serialize + Sync, R: DeserializeOwned>(&self, command: &str, arguments: &A) -> Result<R, Failure> {
        let response = self
            .http
            .post(format!("http://engine/rpc/{command}"))
            .timeout(ANSWER_WITHIN)
            .json(arguments)
            .send()
            .await
            .map_err(|e| self.unreachable(&e))?;
        let ok = response.status().is_success();
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        if ok {
            serde_json::from_slice(&body).map_err(|e| Failure::from_error("PH-CLI-003", &e))
        } else {
            let error: api::ApiError = serde_json::from_slice(&body)
                .unwrap_or_else(|_| api::ApiError { code: "PH-CLI-003".into(), why: String::from_utf8_lossy(&body).into_owned() });
            Err(Failure::new("", error.to_string()))
        }
    }

    /// Follows the event stream; calls `each` with one JSON line at a time until it returns false or the engine stops.
    pub async fn follow(&self, mut each: impl FnMut(&str) -> bool) -> Result<(), Failure> {
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

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let inner = Failure::from_error("", error);
        Failure::new("PH-CLI-004", format!("the engine of {} does not answer:{inner}; is it still running?", self.folder))
    }
}
