//! Who is dialled, with which trust and which name.

use crate::error::{CollectError, chain};
use action::DeviceId;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use network::{Inventory, TlsPolicy};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// HTTP/2 pings; with their timeout a dead target is noticed within 20 s.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for a ping's answer.
const PING_MAX: Duration = Duration::from_secs(10);
/// Longest gNMI message: an initial table in one notification.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A gNMI target with its resolved secret. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Target {
    pub(crate) device: DeviceId,
    address: String,
    tls: TlsPolicy,
    username: Option<String>,
    password: Option<String>,
    plaintext_allowed: bool,
    pub(crate) profile: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({} at {})", self.device, self.address)
    }
}

impl Target {
    /// Takes the target of `device` from the inventory; `password` is what the vault holds for its credential.
    ///
    /// # Errors
    /// [`CollectError::NoTarget`] when the inventory has none.
    pub fn new(inventory: &Inventory, device: &DeviceId, password: Option<String>) -> Result<Self, CollectError> {
        let endpoint =
            inventory.device(device).and_then(|d| d.gnmi.clone()).ok_or_else(|| CollectError::NoTarget { device: device.clone() })?;
        Ok(Self {
            device: device.clone(),
            address: endpoint.address,
            tls: endpoint.tls,
            username: endpoint.credential.map(|c| c.username),
            password,
            plaintext_allowed: inventory.lab.is_some(),
            profile: endpoint.profile,
        })
    }

    /// Adds user and password, where the target wants them.
    pub(crate) fn request<T>(&self, body: T) -> Result<Request<T>, CollectError> {
        let mut request = Request::new(body);
        let fits = |text: &str| text.parse::<MetadataValue<Ascii>>().map_err(|_| CollectError::Credential { device: self.device.clone() });
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            let mut secret = fits(password)?;
            secret.set_sensitive(true);
            request.metadata_mut().insert("username", fits(username)?);
            request.metadata_mut().insert("password", secret);
        }
        Ok(request)
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Result<GNmiClient<Channel>, CollectError> {
        let endpoint = self.endpoint().await?;
        let channel = endpoint.connect().await.map_err(|cause| self.unreachable(&cause))?;
        Ok(GNmiClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
    }

    fn unreachable(&self, cause: &dyn core::error::Error) -> CollectError {
        CollectError::Connect { device: self.device.clone(), address: self.address.clone(), why: chain(cause) }
    }

    async fn endpoint(&self) -> Result<Endpoint, CollectError> {
        let scheme = if self.tls == TlsPolicy::Plaintext { "http" } else { "https" };
        let bad = |_| CollectError::Address { device: self.device.clone(), address: self.address.clone() };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.address)).map_err(bad)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_MAX)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_MAX)
            .keep_alive_while_idle(true);
        match &self.tls {
            TlsPolicy::Plaintext if self.plaintext_allowed || self.is_loopback() => Ok(endpoint),
            TlsPolicy::Plaintext => Err(CollectError::Plaintext { device: self.device.clone(), address: self.address.clone() }),
            TlsPolicy::Verify { ca_file, server_name, client } => {
                let mut tls =
                    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.pem(ca_file).await?)).domain_name(server_name);
                if let Some((certificate, key)) = client {
                    tls = tls.identity(Identity::from_pem(self.pem(certificate).await?, self.pem(key).await?));
                }
                endpoint.tls_config(tls).map_err(|cause| self.unreachable(&cause))
            }
        }
    }

    async fn pem(&self, file: &str) -> Result<Vec<u8>, CollectError> {
        tokio::fs::read(file).await.map_err(|source| CollectError::TlsFile { device: self.device.clone(), file: file.to_owned(), source })
    }

    fn is_loopback(&self) -> bool {
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}
