//! What a target says that it can do (gNMI specification §3.2).

use crate::dial::refused;
use crate::error::CollectError;
use crate::target::Target;
use core::time::Duration;
use gnmi::Model;
use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use tonic::Code;
use tonic::transport::Channel;

/// Longest wait for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Models of a target that are looked at: EOS names 120.
const MODELS_MAX: usize = 4096;

/// The answer, as far as it is of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Models, by which its profile is chosen.
    pub(crate) models: Vec<Model>,
    /// Encodings that it offers, as numbers on the wire; empty: it does not say.
    pub(crate) offered: Vec<i32>,
}

/// Asks a target what it can do. Some cannot even say so; they say nothing.
///
/// # Errors
/// The transport's and the target's own; [`CollectError::Unanswered`].
pub(crate) async fn ask(target: &Target, client: &mut GNmiClient<Channel>) -> Result<Capabilities, CollectError> {
    const WHAT: &str = "Capabilities";
    let request = target.request(wire::CapabilityRequest::default())?;
    let late = |_| CollectError::Unanswered { device: target.device.clone(), operation: WHAT, waited: ANSWER_MAX };
    match tokio::time::timeout(ANSWER_MAX, client.capabilities(request)).await.map_err(late)? {
        Ok(answer) => {
            let answer = answer.into_inner();
            let model = |m: wire::ModelData| Model { name: m.name, organisation: m.organization };
            let models = answer.supported_models.into_iter().take(MODELS_MAX).map(model).collect();
            Ok(Capabilities { models, offered: answer.supported_encodings })
        }
        Err(status) if status.code() == Code::Unimplemented => Ok(Capabilities::default()),
        Err(status) => Err(refused(target, WHAT, &status)),
    }
}
