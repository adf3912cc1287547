//! How much a peer's or a router's tables change (S1-074), as people see it.

use rib::ChurnWindow;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Changes of tables by windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ChurnView {
    /// Length of a window, seconds.
    #[ts(type = "number")]
    pub window_s: u64,
    /// The window that runs.
    pub running: ChurnWindowView,
    /// Whole windows before it, the newest first; at most ten, and none from before the tables were complete for the first time.
    pub history: Vec<ChurnWindowView>,
}

/// What happened to paths in one window. One that comes and goes within it counts as both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ChurnWindowView {
    /// Its beginning.
    pub from: String,
    /// Paths that were not there before.
    #[ts(type = "number")]
    pub appeared: u64,
    /// Paths that were announced with other attributes.
    #[ts(type = "number")]
    pub changed: u64,
    /// Paths that went: withdrawn, with their session, or not told again by a router that came back.
    #[ts(type = "number")]
    pub withdrawn: u64,
}

impl ChurnWindowView {
    fn of(window: &ChurnWindow) -> Self {
        let c = window.changes;
        Self { from: window.from.to_string(), appeared: c.appeared, changed: c.changed, withdrawn: c.withdrawn }
    }
}

impl From<rib::Churn> for ChurnView {
    fn from(churn: rib::Churn) -> Self {
        Self {
            window_s: rib::CHURN_WINDOW.as_secs(),
            running: ChurnWindowView::of(&churn.running),
            history: churn.history.iter().map(ChurnWindowView::of).collect(),
        }
    }
}

impl core::fmt::Display for ChurnView {
    /// Writes one line: `+new ~changed -withdrawn` of the window that runs, then of those before it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let counts = |w: &ChurnWindowView| format!("+{} ~{} -{}", w.appeared, w.changed, w.withdrawn);
        write!(f, "{} since {}", counts(&self.running), self.running.from)?;
        if self.history.is_empty() {
            return Ok(());
        }
        let before: Vec<String> = self.history.iter().map(counts).collect();
        write!(f, "; each {} s before: {}", self.window_s, before.join(", "))
    }
}
