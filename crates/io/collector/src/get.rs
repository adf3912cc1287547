//! gNMI Get and Subscribe ONCE: reading what a target holds now.

use crate::capabilities::{self, Capabilities};
use crate::dial::refused;
use crate::error::CollectError;
use crate::target::Target;
use crate::{encoding, subscription};
use core::time::Duration;
use gnmi::health::Extent;
use gnmi::{Model, Notification, Path, Profile};
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::{self, subscribe_response::Response};
use tonic::Code;
use tonic::transport::Channel;

/// Longest wait for the whole answer.
const ANSWER_MAX: Duration = Duration::from_secs(9);
/// Most updates taken from one ONCE: more are not remembered of the stream either.
pub(crate) const UPDATES_MAX: usize = gnmi::health::TOLD_LEAVES_MAX;

/// Which part of the data is wanted (gNMI specification §3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// Everything.
    All,
    /// What was configured.
    Config,
    /// What is.
    State,
}

/// Reads paths from a target in one Get: in the first encoding that its profile prefers and it offers, as a stream is asked for. One that it
/// announces and refuses (Junos: "Encoding 4 not supported") is followed by the next.
///
/// # Errors
/// The transport's and the target's own, of the first encoding where it refuses them all; [`CollectError::Unanswered`];
/// [`CollectError::Encoding`] when it offers none that is read; [`CollectError::Profile`].
pub async fn get(target: &Target, paths: &[Path], origin: &str, data: DataType) -> Result<Vec<Notification>, CollectError> {
    let data = match data {
        DataType::All => wire::get_request::DataType::All,
        DataType::Config => wire::get_request::DataType::Config,
        DataType::State => wire::get_request::DataType::State,
    };
    let mut client = target.connect().await?;
    let Capabilities { models, offered } = capabilities::ask(target, &mut client).await?;
    let mut first = None;
    for encoding in encoding::candidates(&profile(target, &models)?, &offered) {
        let request = wire::GetRequest {
            path: paths.iter().map(|p| gnmi_wire::path_to_wire(p, origin)).collect(),
            r#type: data.into(),
            encoding: subscription::wire_encoding(encoding).into(),
            ..wire::GetRequest::default()
        };
        match get_with(target, &mut client, request).await {
            Err(refusal @ CollectError::Refused { code: Code::Unimplemented | Code::InvalidArgument, .. }) => {
                first.get_or_insert(refusal);
            }
            other => return other,
        }
    }
    Err(first.unwrap_or_else(|| CollectError::Encoding { device: target.device.clone() }))
}

/// Returns the operator's profile, or the one that the models point to where that does not exist: the stream says so, with a warning.
fn profile(target: &Target, models: &[Model]) -> Result<Profile, CollectError> {
    let all = target.profiles()?;
    let chosen = Profile::choose(&all, models, target.profile.as_deref()).or_else(|_| Profile::choose(&all, models, None));
    chosen.cloned().map_err(|source| CollectError::Profile { device: target.device.clone(), source })
}

pub(crate) async fn get_with(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    request: wire::GetRequest,
) -> Result<Vec<Notification>, CollectError> {
    let request = target.request(request)?;
    let answer = in_time(target, "Get", client.get(request)).await?.map_err(|s| refused(target, "Get", &s))?;
    Ok(answer.get_ref().notification.iter().map(|n| gnmi_wire::notification_from_wire(n).0).collect())
}

/// Reads until `sync_response`, the end of the stream, or `updates_max` updates; then nothing more is asked of the target.
pub(crate) async fn once_with(
    target: &Target,
    client: &mut GNmiClient<Channel>,
    request: wire::SubscribeRequest,
    updates_max: usize,
) -> Result<(Vec<Notification>, Extent), CollectError> {
    const WHAT: &str = "Subscribe ONCE";
    use tokio_stream::StreamExt as _;
    // the request side stays open: a target may end the stream when it closes
    let request = target.request(tokio_stream::once(request).chain(tokio_stream::pending()))?;
    let all = async {
        let (mut found, mut updates) = (Vec::new(), 0);
        let mut stream = client.subscribe(request).await?.into_inner();
        while let Some(response) = stream.message().await? {
            let Some(Response::Update(n)) = response.response else { break };
            updates += n.update.len().max(1);
            found.push(gnmi_wire::notification_from_wire(&n).0);
            if updates >= updates_max {
                return Ok((found, Extent::Beginning));
            }
        }
        Ok((found, Extent::Whole))
    };
    in_time(target, WHAT, all).await?.map_err(|s| refused(target, WHAT, &s))
}

async fn in_time<T>(target: &Target, operation: &'static str, answer: impl Future<Output = T>) -> Result<T, CollectError> {
    let late = |_| CollectError::Unanswered { device: target.device.clone(), operation, waited: ANSWER_MAX };
    tokio::time::timeout(ANSWER_MAX, answer).await.map_err(late)
}
