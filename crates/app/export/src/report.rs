//! How an export stands.

use api::ExportView;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Characters of a receiver's words that are kept.
const WORDS_MAX: usize = 300;

/// Counts of one export.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    to: String,
    pub sent: AtomicU64,
    pub queued: AtomicU64,
    pub dropped: AtomicU64,
    connected: AtomicBool,
    error: Mutex<Option<String>>,
}

impl Report {
    pub fn new(name: &'static str, to: String) -> Self {
        Self {
            name,
            to,
            sent: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            error: Mutex::new(None),
        }
    }

    pub fn sent(&self, n: usize) {
        if !self.connected.swap(true, Ordering::Relaxed) {
            // the next failure is told again, whatever its words
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.sent.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub fn dropped(&self, n: u64) {
        self.dropped.fetch_add(n, Ordering::Relaxed);
    }

    /// Notes a failure; the log is told once until it changes.
    pub fn failed(&self, why: &str) {
        let why: String = why.chars().take(WORDS_MAX).collect();
        self.connected.store(false, Ordering::Relaxed);
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if error.as_ref() != Some(&why) {
            tracing::warn!(export = self.name, to = self.to, why, "export fails; the engine goes on");
            *error = Some(why);
        }
    }

    pub fn view(&self) -> ExportView {
        let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ExportView {
            name: self.name.to_owned(),
            to: self.to.clone(),
            connected: self.connected.load(Ordering::Relaxed),
            sent: n(&self.sent),
            queued: n(&self.queued),
            dropped: n(&self.dropped),
            last_error: self.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The exports that run; they end with this.
#[derive(Debug, Default)]
pub struct Exports {
    all: Arc<Mutex<Vec<Arc<Report>>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Exports {
    pub(crate) fn add(&mut self, report: Arc<Report>, task: JoinHandle<()>) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        self.tasks.push(task);
    }

    /// Returns a way to look at them from elsewhere.
    #[must_use]
    pub fn looker(&self) -> Arc<dyn Fn() -> Vec<ExportView> + Send + Sync> {
        let all = Arc::clone(&self.all);
        Arc::new(move || all.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|r| r.view()).collect())
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
