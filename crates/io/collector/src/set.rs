//! gNMI Set, plain or with the commit-confirmed extension. It carries what it is given; who may write is decided elsewhere.
//!
//! ```text
//! set(.., Some(confirmed)) ── target applies, its rollback timer runs ──► confirm(): stays │ cancel(): taken back │ time over: taken back
//! ```

use crate::dial::refused;
use crate::error::CollectError;
use crate::target::Target;
use core::time::Duration;
use gnmi::{Path, Value};
use gnmi_wire::proto::gnmi_ext;
use gnmi_wire::wire;
use tonic::Code;

/// Longest wait for an answer to Capabilities or Set.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Longest name of a commit, bytes.
pub const COMMIT_ID_MAX: usize = 64;
/// Shortest and longest time until a target takes an unconfirmed commit back, seconds.
pub const ROLLBACK_S: core::ops::RangeInclusive<u64> = 10..=3600;

/// What a Set does; a target carries it out as a whole or not at all (gNMI specification §3.4.3).
///
/// A [`Value::Json`] goes as JSON_IETF, any other as the typed scalar that it is: some targets take leaves in one of the two only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Origin of all paths.
    pub origin: String,
    /// What goes, first.
    pub delete: Vec<Path>,
    /// What is replaced, second.
    pub replace: Vec<(Path, Value)>,
    /// What is merged, last.
    pub update: Vec<(Path, Value)>,
}

/// A commit that the target takes back unless it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmedCommit {
    id: String,
    rollback: Duration,
}

impl ConfirmedCommit {
    /// Names a commit; the target takes it back after `rollback`, whole seconds.
    ///
    /// # Errors
    /// [`CollectError::ConfirmedCommit`] outside [`COMMIT_ID_MAX`] and [`ROLLBACK_S`].
    pub fn new(id: &str, rollback: Duration) -> Result<Self, CollectError> {
        let fits = (1..=COMMIT_ID_MAX).contains(&id.len()) && ROLLBACK_S.contains(&rollback.as_secs());
        if !fits {
            return Err(CollectError::ConfirmedCommit { id: id.chars().take(COMMIT_ID_MAX).collect(), rollback });
        }
        Ok(Self { id: id.to_owned(), rollback })
    }

    fn extension(&self, action: gnmi_ext::commit::Action) -> gnmi_ext::Extension {
        let commit = gnmi_ext::Commit { id: self.id.clone(), action: Some(action) };
        gnmi_ext::Extension { ext: Some(gnmi_ext::extension::Ext::Commit(commit)) }
    }
}

/// Carries an edit out. With `confirmed`, the target must announce the extension in Capabilities; nothing is sent to one that does not.
///
/// # Errors
/// [`CollectError::NoConfirmedCommit`]; the transport's and the target's own. After [`CollectError::Unanswered`] the device must be read:
/// whether the edit took effect is not known.
pub async fn set(target: &Target, edit: &Edit, confirmed: Option<&ConfirmedCommit>) -> Result<(), CollectError> {
    let updates = |all: &[(Path, Value)]| all.iter().map(|(p, v)| update(p, v, &edit.origin)).collect();
    let mut request = wire::SetRequest {
        delete: edit.delete.iter().map(|p| gnmi_wire::path_to_wire(p, &edit.origin)).collect(),
        replace: updates(&edit.replace),
        update: updates(&edit.update),
        ..wire::SetRequest::default()
    };
    if let Some(commit) = confirmed {
        if !announces_confirmed_commit(target).await? {
            return Err(CollectError::NoConfirmedCommit { device: target.device.clone() });
        }
        let nanos = i32::try_from(commit.rollback.subsec_nanos()).unwrap_or(0);
        let seconds = i64::try_from(commit.rollback.as_secs()).unwrap_or(i64::MAX);
        let rollback_duration = Some(gnmi_ext::Duration { seconds, nanos });
        let action = gnmi_ext::commit::Action::Commit(gnmi_ext::CommitRequest { rollback_duration });
        request.extension.push(commit.extension(action));
    }
    send(target, request).await
}

/// Makes a commit stay.
///
/// # Errors
/// As [`set`]; a target refuses what it took back already.
pub async fn confirm(target: &Target, commit: &ConfirmedCommit) -> Result<(), CollectError> {
    let extension = vec![commit.extension(gnmi_ext::commit::Action::Confirm(gnmi_ext::CommitConfirm {}))];
    send(target, wire::SetRequest { extension, ..wire::SetRequest::default() }).await
}

/// Takes a commit back at once.
///
/// # Errors
/// As [`confirm`].
pub async fn cancel(target: &Target, commit: &ConfirmedCommit) -> Result<(), CollectError> {
    let extension = vec![commit.extension(gnmi_ext::commit::Action::Cancel(gnmi_ext::CommitCancel {}))];
    send(target, wire::SetRequest { extension, ..wire::SetRequest::default() }).await
}

/// Asks whether the target announces the commit-confirmed extension: a `Commit` among the extensions of its Capabilities.
///
/// # Errors
/// The transport's and the target's own.
pub async fn announces_confirmed_commit(target: &Target) -> Result<bool, CollectError> {
    let request = target.request(wire::CapabilityRequest::default())?;
    let mut client = target.connect().await?;
    match in_time(target, "Capabilities", client.capabilities(request)).await? {
        Ok(answer) => Ok(answer.get_ref().extension.iter().any(|e| matches!(e.ext, Some(gnmi_ext::extension::Ext::Commit(_))))),
        Err(status) if status.code() == Code::Unimplemented => Ok(false),
        Err(status) => Err(refused(target, "Capabilities", &status)),
    }
}

async fn send(target: &Target, request: wire::SetRequest) -> Result<(), CollectError> {
    let request = target.request(request)?;
    let mut client = target.connect().await?;
    in_time(target, "Set", client.set(request)).await?.map(|_| ()).map_err(|s| refused(target, "Set", &s))
}

fn update(path: &Path, value: &Value, origin: &str) -> wire::Update {
    wire::Update {
        path: Some(gnmi_wire::path_to_wire(path, origin)),
        val: Some(gnmi_wire::value_to_wire(value)),
        ..wire::Update::default()
    }
}

async fn in_time<T>(target: &Target, operation: &'static str, answer: impl Future<Output = T>) -> Result<T, CollectError> {
    let late = |_| CollectError::Unanswered { device: target.device.clone(), operation, waited: ANSWER_MAX };
    tokio::time::timeout(ANSWER_MAX, answer).await.map_err(late)
}
