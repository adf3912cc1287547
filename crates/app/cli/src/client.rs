//! Speaks to the running engine of a data folder.

use crate::exit::{Context, Failure};
use api::ApiError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A connection to one engine.
pub struct Client(server::Client);

/// The code stands in the sentence already.
fn failure(error: ApiError) -> Failure {
    Failure::new("", error.to_string())
}

impl Client {
    /// Prepares a connection to the engine of the context's data folder.
    pub fn new(context: &Context) -> Result<Self, Failure> {
        server::Client::open(&context.data_folder()).map(Self).map_err(failure)
    }

    /// Calls one use case.
    pub async fn call<A: Serialize + Sync, R: DeserializeOwned>(&self, command: &str, arguments: &A) -> Result<R, Failure> {
        let bytes = serde_json::to_vec(arguments).map_err(|e| Failure::from_error("PH-CLI-003", &e))?;
        let answer = self.0.call(command, bytes).await.map_err(failure)?;
        serde_json::from_value(answer).map_err(|e| Failure::from_error("PH-CLI-003", &e))
    }

    /// Follows the event stream; calls `each` with one JSON line at a time until it returns false or the engine stops.
    pub async fn follow(&self, each: impl FnMut(&str) -> bool) -> Result<(), Failure> {
        self.0.follow(each).await.map_err(failure)
    }
}
