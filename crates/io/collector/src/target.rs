//! Who is dialled, with which trust and which name.

use crate::address::Address;
use crate::certificate::{Verifier, end_of_pem};
use crate::error::{CollectError, chain};
use action::DeviceId;
use core::fmt;
use core::time::Duration;
use gnmi::Profile;
use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use network::{CertificateEnd, Inventory, TlsPolicy};
use std::sync::{Arc, Mutex, PoisonError};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request};
use tracing::info;

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a word on a port that may be another's.
const WORD_MAX: Duration = Duration::from_secs(5);
/// HTTP/2 pings; with their timeout a dead target is noticed within 20 s.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(10);
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
    /// Profiles to choose from; `None`: the embedded ones.
    profiles: Option<Arc<[Profile]>>,
    /// The port that answered, where none is given; clones share it.
    found: Arc<Mutex<Option<FoundPort>>>,
}

/// A port that was found by asking.
#[derive(Clone, Debug)]
struct FoundPort {
    port: u16,
    told: String,
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) client: GNmiClient<Channel>,
    /// Those that could be read.
    pub(crate) certificates: Vec<CertificateEnd>,
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
            profiles: None,
            found: Arc::default(),
        })
    }

    /// Chooses from these profiles instead of the embedded ones; see [`crate::profiles`].
    #[must_use]
    pub fn with_profiles(mut self, profiles: Arc<[Profile]>) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// Returns the profiles to choose from.
    pub(crate) fn profiles(&self) -> Result<Arc<[Profile]>, CollectError> {
        match &self.profiles {
            Some(own) => Ok(Arc::clone(own)),
            None => Profile::all().map(Arc::from).map_err(|source| CollectError::Profile { device: self.device.clone(), source }),
        }
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
        Ok(self.open(PING_EVERY).await?.client)
    }

    /// Connects with HTTP/2 pings at this interval; without a port, to the first of the profile's that answers.
    pub(crate) async fn open(&self, ping_every: Duration) -> Result<Connection, CollectError> {
        let bad = || CollectError::Address { device: self.device.clone(), address: self.address.clone() };
        let address = Address::parse(&self.address).ok_or_else(bad)?;
        if let Some(port) = address.port {
            return self.open_at(&address, port, ping_every).await;
        }
        if let Some(found) = self.found()
            && let Ok(connection) = self.open_at(&address, found.port, ping_every).await
        {
            return Ok(connection);
        }
        self.search(&address, ping_every).await
    }

    /// Says whether it is spoken to over TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls != TlsPolicy::Plaintext
    }

    /// Returns what there is to say about a port that was found by asking.
    pub(crate) fn found_port(&self) -> Option<String> {
        self.found().map(|f| f.told)
    }

    fn found(&self) -> Option<FoundPort> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tries the ports of the operator's profile, else of the default one, in their order: the first on which gRPC answers Capabilities.
    async fn search(&self, address: &Address, ping_every: Duration) -> Result<Connection, CollectError> {
        let profiles = self.profiles()?;
        let profile = Profile::choose(&profiles, &[], self.profile.as_deref())
            .or_else(|_| Profile::choose(&profiles, &[], None))
            .map_err(|source| CollectError::Profile { device: self.device.clone(), source })?;
        let mut tried = Vec::new();
        for port in &profile.ports {
            match self.answers(address, *port, ping_every).await {
                Ok(connection) => {
                    let before = if tried.is_empty() { String::new() } else { format!("; before it: {}", tried.join("; ")) };
                    let told = format!("PH-COLL-047: no port is given; port {port} answers{before}; write it to the inventory");
                    info!(device = %self.device, port, "gNMI port found");
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(FoundPort { port: *port, told });
                    return Ok(connection);
                }
                // what holds for every port is told once, and no port is asked in vain
                Err(fatal @ (CollectError::Plaintext { .. } | CollectError::TlsFile { .. } | CollectError::TlsText { .. })) => {
                    return Err(fatal);
                }
                Err(error) => tried.push(format!("{port} {}", short(&error))),
            }
        }
        Err(CollectError::NoPort { device: self.device.clone(), host: address.to_string(), tried: tried.join("; ") })
    }

    /// Connects and waits for any answer to Capabilities; a status of gRPC is one, whatever it says.
    async fn answers(&self, address: &Address, port: u16, ping_every: Duration) -> Result<Connection, CollectError> {
        let mut connection = self.open_at(address, port, ping_every).await?;
        let request = self.request(wire::CapabilityRequest::default())?;
        let late = |_| CollectError::Unanswered { device: self.device.clone(), operation: "Capabilities", waited: WORD_MAX };
        match tokio::time::timeout(WORD_MAX, connection.client.capabilities(request)).await.map_err(late)? {
            // what tonic makes of a server that speaks no HTTP/2, or no gRPC
            Err(status) if matches!(status.code(), Code::Unknown | Code::Internal | Code::Unavailable | Code::Cancelled) => {
                Err(crate::dial::refused(self, "Capabilities", &status))
            }
            _ => Ok(connection),
        }
    }

    async fn open_at(&self, address: &Address, port: u16, ping_every: Duration) -> Result<Connection, CollectError> {
        let at = address.at(port);
        let unreachable =
            |cause: &dyn core::error::Error| CollectError::Connect { device: self.device.clone(), address: at.clone(), why: chain(cause) };
        let scheme = if self.tls == TlsPolicy::Plaintext { "http" } else { "https" };
        let bad = |_| CollectError::Address { device: self.device.clone(), address: at.clone() };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{at}")).map_err(bad)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_MAX)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(ping_every)
            .keep_alive_timeout(PING_MAX)
            .keep_alive_while_idle(true);
        let mut certificates = Vec::new();
        let (endpoint, verifier) = match &self.tls {
            TlsPolicy::Plaintext if self.plaintext_allowed || address.is_loopback() => (endpoint, None),
            TlsPolicy::Plaintext => return Err(CollectError::Plaintext { device: self.device.clone(), address: at }),
            TlsPolicy::Verify { ca_file, server_name, client } => {
                let authorities = self.pem(ca_file).await?;
                let unusable = |what| CollectError::TlsText { device: self.device.clone(), file: ca_file.clone(), what };
                let verifier = Verifier::trusting(&authorities).map_err(unusable)?;
                certificates.extend(end_of_pem("ca", &authorities));
                let mut tls = ClientTlsConfig::new().domain_name(server_name);
                if let Some((certificate, key)) = client {
                    let (pem, key) = (self.pem(certificate).await?, self.pem(key).await?);
                    certificates.extend(end_of_pem("client", &pem));
                    tls = tls.identity(Identity::from_pem(pem, key));
                }
                let shown = Arc::clone(&verifier);
                (endpoint.tls_config_with_verifier(tls, verifier).map_err(|cause| unreachable(&cause))?, Some(shown))
            }
        };
        let channel = endpoint.connect().await.map_err(|cause| unreachable(&cause))?;
        if let Some(not_after) = verifier.and_then(|v| v.shown()) {
            certificates.insert(0, CertificateEnd { role: "server".to_owned(), not_after });
        }
        Ok(Connection { client: GNmiClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX), certificates })
    }

    async fn pem(&self, file: &str) -> Result<Vec<u8>, CollectError> {
        tokio::fs::read(file).await.map_err(|source| CollectError::TlsFile { device: self.device.clone(), file: file.to_owned(), source })
    }
}

/// Why a port is not the one, in a few words.
fn short(error: &CollectError) -> String {
    match error {
        CollectError::Connect { why, .. } => format!("({why})"),
        CollectError::Unanswered { .. } => "(says nothing)".to_owned(),
        CollectError::Refused { code, .. } => format!("(speaks no gRPC: {code:?})"),
        other => format!("({other})"),
    }
}
