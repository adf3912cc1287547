//! Files of others, step by step: what one holds, and its BMP as a capture. One at a time, followed and cancelled from outside.

use crate::view::ApiError;
use archive::messages::holds_bmp;
use archive::open::Watch;
use archive::recognise::{Format, Found};
use runtime::{ImportError, ImportInto, Imported};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use ts_rs::TS;
use units::Timestamp;

/// Kinds, speakers and things left out that are named; the rest is counted.
const NAMED: usize = 50;

/// A file that somebody named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ImportArguments {
    /// Its whole path, on the machine of the engine.
    pub file: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub enum ImportStep {
    /// Being looked at.
    Looking,
    /// Looked at.
    Found,
    /// Being written as a capture.
    Importing,
    /// A capture.
    Imported,
    /// It ended without a result.
    Failed,
}

/// One file, and what was found or made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ImportView {
    /// The file.
    pub file: String,
    /// Its length, bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// How far it is.
    pub step: ImportStep,
    /// Share of the step that is done, 0–1.
    pub done: f64,
    /// What it holds, once it was looked at.
    pub found: Option<FoundView>,
    /// What became of it.
    pub imported: Option<ImportedView>,
    /// Why there is no result.
    pub error: Option<ApiError>,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct FoundView {
    /// Its format, in words.
    pub format: String,
    /// Version, dialect, or its first bytes.
    pub detail: Option<String>,
    /// How many of each kind, the most frequent first.
    #[ts(type = "Array<[string, number]>")]
    pub kinds: Vec<(String, u64)>,
    /// Who speaks.
    pub speakers: Vec<String>,
    /// Speakers that are not named.
    #[ts(type = "number")]
    pub more_speakers: u64,
    /// Times of the first and the last record, RFC 3339.
    pub span: Option<(String, String)>,
    /// What reading it would leave out, and why.
    pub left_out: Vec<String>,
    /// All of it was looked at, not its beginning only.
    pub whole: bool,
    /// It can be replayed as it is.
    pub replays: bool,
    /// Its BMP can be made a capture.
    pub imports: bool,
    /// The verb of `pilotctl` that reads it.
    pub verb: Option<String>,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ImportedView {
    /// The capture.
    pub capture: String,
    /// Its routers.
    pub routers: Vec<String>,
    /// Messages taken.
    #[ts(type = "number")]
    pub messages: u64,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// No message carries a time: all have that of the file.
    pub untimed: bool,
}

impl FoundView {
    fn of(found: Found) -> Self {
        let mut kinds: Vec<(String, u64)> = found.kinds.iter().map(|(k, n)| (k.clone(), *n)).collect();
        kinds.sort_by_key(|k| core::cmp::Reverse(k.1));
        kinds.truncate(NAMED);
        let unnamed = found.speakers.len().saturating_sub(NAMED) as u64;
        let time = |nanos| Timestamp::from_nanos(nanos).to_string();
        Self {
            format: found.format.words().to_owned(),
            verb: found.verb().map(str::to_owned),
            replays: found.format == Format::Capture,
            imports: holds_bmp(found.format),
            detail: found.detail,
            kinds,
            speakers: found.speakers.into_iter().take(NAMED).collect(),
            more_speakers: found.more_speakers + unnamed,
            span: found.span.map(|(a, b)| (time(a), time(b))),
            left_out: found.left_out.into_iter().take(NAMED).collect(),
            whole: found.whole,
        }
    }
}

impl From<Imported> for ImportedView {
    fn from(i: Imported) -> Self {
        let (capture, untimed) = (i.capture.display().to_string(), i.untimed);
        Self { capture, routers: i.routers, messages: i.messages, left_out: i.left_out, untimed }
    }
}

/// The file at hand.
#[derive(Debug)]
struct Job {
    view: ImportView,
    watch: Watch,
    /// Bytes that the step reads.
    total: u64,
}

/// The files that somebody looks at: one at a time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imports {
    job: Arc<Mutex<Option<Job>>>,
    /// Folder of captures; without one nothing is imported.
    captures: Option<PathBuf>,
}

impl Imports {
    /// Makes the desk that writes captures to this folder.
    pub(crate) fn to(captures: Option<PathBuf>) -> Self {
        Self { captures, ..Self::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<Job>) -> T) -> T {
        work(&mut self.job.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the file at hand.
    pub(crate) fn view(&self) -> Option<ImportView> {
        self.with(|job| {
            let job = job.as_ref()?;
            let mut view = job.view.clone();
            if matches!(view.step, ImportStep::Looking | ImportStep::Importing) {
                #[allow(clippy::cast_precision_loss, reason = "a share for the eye")]
                let share = job.watch.read_bytes() as f64 / job.total.max(1) as f64;
                // what is left behind the last byte takes a moment too
                view.done = share.min(0.99);
            }
            Some(view)
        })
    }

    /// Begins to look at a file.
    pub(crate) fn look(&self, a: &ImportArguments) -> Result<Option<ImportView>, ApiError> {
        let (file, bytes) = named(&a.file)?;
        let watch = self.begin(a, bytes, ImportStep::Looking, bytes)?;
        let own = self.clone();
        tokio::task::spawn_blocking(move || {
            let looked = runtime::look(&file, &watch).map(|found| describe(&file, found));
            own.end(&watch, looked, |view, found| (view.step, view.found) = (ImportStep::Found, Some(FoundView::of(found))));
        });
        Ok(self.view())
    }

    /// Begins to make a file's BMP a capture.
    pub(crate) fn import(&self, a: &ImportArguments) -> Result<Option<ImportView>, ApiError> {
        let (file, bytes) = named(&a.file)?;
        let none = || ApiError::new("PH-IMP-007", "this engine keeps no captures; use `pilotctl import FILE --capture NEW`");
        let captures = self.captures.clone().ok_or_else(none)?;
        // once for who speaks, once to write it down
        let watch = self.begin(a, bytes, ImportStep::Importing, bytes.saturating_mul(2))?;
        let own = self.clone();
        tokio::task::spawn_blocking(move || {
            let done = runtime::import(&file, ImportInto::Folder(&captures), &watch);
            own.end(&watch, done, |view, done| (view.step, view.imported) = (ImportStep::Imported, Some(done.into())));
        });
        Ok(self.view())
    }

    /// Ends what is under way; what was found before stays.
    pub(crate) fn cancel(&self) -> Option<ImportView> {
        self.with(|job| job.iter().for_each(|j| j.watch.stop()));
        self.view()
    }

    fn begin(&self, a: &ImportArguments, bytes: u64, step: ImportStep, total: u64) -> Result<Watch, ApiError> {
        self.with(|job| {
            if let Some(busy) = job.as_ref().filter(|j| matches!(j.view.step, ImportStep::Looking | ImportStep::Importing)) {
                return Err(ApiError::new("PH-IMP-008", format!("{} is still being read; wait for it or cancel it", busy.view.file)));
            }
            // of the same file the look stays
            let found = job.take().filter(|j| j.view.file == a.file && step == ImportStep::Importing).and_then(|j| j.view.found);
            let view = ImportView { file: a.file.clone(), bytes, step, done: 0.0, found, imported: None, error: None };
            let watch = Watch::default();
            *job = Some(Job { view, watch: watch.clone(), total });
            Ok(watch)
        })
    }

    fn end<T>(&self, watch: &Watch, result: Result<T, ImportError>, put: impl FnOnce(&mut ImportView, T)) {
        self.with(|job| {
            let Some(job) = job else { return };
            job.view.done = 1.0;
            match result {
                Ok(value) => put(&mut job.view, value),
                Err(error) => {
                    let text = runtime::chain(&error);
                    // the code stands at the beginning of the words
                    let (code, why) = text.split_once(' ').unwrap_or(("PH-IMP-002", &text));
                    (job.view.step, job.view.error) = (ImportStep::Failed, Some(ApiError::new(code, why)));
                }
            }
            if watch.is_stopped() && job.view.found.is_some() {
                job.view.step = ImportStep::Found;
            }
        });
    }
}

/// Takes only what somebody named in full, and only a regular file: what else has a path may never end.
fn named(file: &str) -> Result<(PathBuf, u64), ApiError> {
    let path = Path::new(file);
    if !path.is_absolute() {
        return Err(ApiError::new("PH-IMP-009", format!("{file:?} is no whole path: it begins with / and is one of the engine's machine")));
    }
    let failed = |why: String| ApiError::new("PH-IMP-001", format!("{file}: {why}"));
    let about = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?;
    if !about.is_file() {
        return Err(failed("it is no regular file".to_owned()));
    }
    Ok((path.to_owned(), about.len()))
}

/// Adds what a capture says of itself, where its index tells it at once.
fn describe(file: &Path, mut found: Found) -> Found {
    if found.format != Format::Capture {
        return found;
    }
    match capture::index(file) {
        Ok(Some(_)) => match capture::info(file) {
            Ok(info) => {
                let about = &info.about;
                let site = about.site.as_deref().map(|s| format!(", site {s}")).unwrap_or_default();
                let redacted = if about.redacted { ", redacted" } else { "" };
                found.detail = Some(format!("made by {} {}{site}{redacted}", about.program, about.version));
                found.kinds = [("inputs".to_owned(), info.records), ("kept states".to_owned(), info.states)].into();
                let time = |text: &str| Timestamp::parse(text).map(Timestamp::nanos);
                found.span = info.time.as_ref().and_then(|(a, b)| time(a).zip(time(b)));
                if info.lost_tail_bytes > 0 {
                    found.left_out.push(capture::cut_short(info.lost_tail_bytes));
                }
            }
            Err(error) => found.left_out.push(error.to_string()),
        },
        Ok(None) => found.whole = false,
        Err(error) => found.left_out.push(error.to_string()),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn until(imports: &Imports, step: ImportStep) -> ImportView {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let view = imports.view().unwrap();
            if view.step == step {
                return view;
            }
            assert!(Instant::now() < end, "{view:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn of(file: &Path) -> ImportArguments {
        ImportArguments { file: file.to_str().unwrap().to_owned() }
    }

    fn recorded() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings/seed/bmp/r1.bmp").canonicalize().unwrap()
    }

    #[tokio::test]
    async fn a_file_is_looked_at_then_imported_then_the_capture_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let imports = Imports::to(Some(dir.path().join("captures")));
        assert!(imports.view().is_none());
        imports.look(&of(&recorded())).unwrap();
        let found = until(&imports, ImportStep::Found).found.unwrap();
        assert_eq!((found.format.as_str(), found.imports, found.replays), ("a stream of BMP messages", true, false));
        assert!(found.kinds.iter().any(|(k, n)| k == "route_monitoring" && *n > 100) && found.span.is_some(), "{found:?}");
        imports.import(&of(&recorded())).unwrap();
        let view = until(&imports, ImportStep::Imported);
        let imported = view.imported.unwrap();
        assert!(view.found.is_some() && imported.left_out.is_empty() && imported.messages > 100, "{imported:?}");
        let listed = crate::replay::captures(dir.path());
        assert_eq!(listed.iter().map(|c| c.file.clone()).collect::<Vec<_>>(), core::slice::from_ref(&imported.capture));
        imports.look(&of(Path::new(&imported.capture))).unwrap();
        let found = until(&imports, ImportStep::Found).found.unwrap();
        assert!(found.replays && !found.imports && found.span.is_some(), "{found:?}");
        assert!(found.kinds.iter().any(|(k, n)| k == "inputs" && *n > imported.messages), "{found:?}");
    }

    #[tokio::test]
    async fn only_a_regular_file_named_in_full_is_read_and_one_at_a_time() {
        let imports = Imports::default();
        let dir = tempfile::tempdir().unwrap();
        for (file, code) in [("notes.bmp", "PH-IMP-009"), ("../x", "PH-IMP-009"), ("/dev/zero", "PH-IMP-001"), ("/", "PH-IMP-001")] {
            assert_eq!(imports.look(&ImportArguments { file: file.to_owned() }).unwrap_err().code, code, "{file}");
        }
        assert_eq!(imports.import(&of(&recorded())).unwrap_err().code, "PH-IMP-007");
        let big = dir.path().join("big.bmp");
        std::fs::write(&big, std::fs::read(recorded()).unwrap().repeat(200)).unwrap();
        imports.look(&of(&big)).unwrap();
        assert_eq!(imports.look(&of(&recorded())).unwrap_err().code, "PH-IMP-008");
        imports.cancel();
        let ended = until(&imports, ImportStep::Failed);
        assert_eq!(ended.error.unwrap().code, "PH-IMP-005");
        imports.look(&of(&recorded())).unwrap();
        until(&imports, ImportStep::Found);
    }
}
