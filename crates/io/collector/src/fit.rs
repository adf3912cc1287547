//! Which rows of a subscription the target refuses, found by asking for halves, and each of them in a way that it takes.

use crate::dial::refused;
use crate::encoding::Encodings;
use crate::error::CollectError;
use crate::rows::Rows;
use crate::subscription;
use crate::target::Target;
use core::time::Duration;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::{self, subscribe_response::Response};
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::Channel;
use tracing::debug;

/// A stream that was not refused by then is taken; a Go server says nothing before its first message.
const TAKEN_AFTER: Duration = Duration::from_secs(3);
/// Requests of one search: 64 rows, each refused three times as a whole and three times in part, and the halves above them.
const REQUESTS_MAX: usize = 512;
/// Longest search.
const SEARCH_MAX: Duration = Duration::from_secs(120);

/// Says whether a status is about what was asked for, and not about the connection or who asks.
pub(crate) const fn is_about_the_request(code: Code) -> bool {
    use Code::{FailedPrecondition, InvalidArgument, NotFound, OutOfRange, PermissionDenied, Unimplemented};
    // a permission may be one path's (gNSI pathz)
    matches!(code, InvalidArgument | Unimplemented | NotFound | FailedPrecondition | OutOfRange | PermissionDenied)
}

/// Makes the rows such that the target takes each of them; `false` when it took them all as they were.
///
/// # Errors
/// The transport's and the target's own; [`CollectError::Unanswered`] when the search takes too long.
pub(crate) async fn fit(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    rows: &mut Rows,
    encodings: &Encodings,
) -> Result<bool, CollectError> {
    let search = async {
        // the last part is asked for first
        let mut parts: Vec<Vec<usize>> = rows.groups(encodings).into_iter().rev().map(|(_, part)| part).collect();
        let mut changed = false;
        for _ in 0..REQUESTS_MAX {
            let Some(part) = parts.pop() else { break };
            let Some(words) = refusal(target, client, rows, &part, encodings).await? else { continue };
            debug!(device = %target.device, rows = ?part, words, "a part of the subscription is refused");
            if let [row] = part.as_slice() {
                changed = true;
                if rows.step_down(*row, &words) {
                    parts.push(part);
                }
            } else {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second.to_vec(), first.to_vec()]);
            }
        }
        Ok(changed)
    };
    let late = |_| CollectError::Unanswered { device: target.device.clone(), operation: "Subscribe", waited: SEARCH_MAX };
    tokio::time::timeout(SEARCH_MAX, search).await.map_err(late)?
}

/// Asks for some rows of one encoding; returns the target's words when it refuses.
async fn refusal(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    rows: &Rows,
    part: &[usize],
    encodings: &Encodings,
) -> Result<Option<String>, CollectError> {
    let asked = rows.asked(part);
    let Some(first) = asked.first() else { return Ok(None) };
    let request = subscription::stream(rows.profile(), &asked, encodings.on_wire(first));
    let request = target.request(tokio_stream::once(request).chain(tokio_stream::pending()))?;
    let answer = async {
        let mut stream = client.subscribe(request).await?.into_inner();
        while let Some(wire::SubscribeResponse { response, .. }) = stream.message().await? {
            if response == Some(Response::SyncResponse(true)) {
                break;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(TAKEN_AFTER, answer).await {
        Err(_) | Ok(Ok(())) => Ok(None),
        Ok(Err(status)) => match refused(target, "Subscribe", &status) {
            CollectError::Refused { code, message, .. } if is_about_the_request(code) => Ok(Some(message)),
            other => Err(other),
        },
    }
}
