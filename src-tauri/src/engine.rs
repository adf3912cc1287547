//! The engine behind the window.

use api::{Api, ApiError};
use serde_json::Value;
use tauri::State;

/// What the window speaks to: the use cases of a running engine, or why there is none.
pub struct Desk {
    engine: Result<Api, ApiError>,
}

impl Desk {
    /// Finds the engine that this window belongs to.
    pub async fn open() -> Self {
        let why = "no engine belongs to this window yet; start one with `pilotctl serve`";
        Self { engine: Err(ApiError::new("PH-DESK-010", why)) }
    }
}

/// Returns the engine at a glance: mode, site, time of the last input.
///
/// # Errors
/// [`ApiError`] when no engine runs.
#[tauri::command]
pub async fn engine_status(desk: State<'_, Desk>) -> Result<Value, ApiError> {
    let operator = runtime::operator_of_uid(runtime::own_uid());
    desk.engine.as_ref().map_err(Clone::clone)?.call(&operator, "status", b"null").await
}
