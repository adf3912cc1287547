//! Identities, passwords and keys of a lab. They live as long as the lab and open nothing else.

use super::{LabError, write_file};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::{HashAlg, LineEnding, PrivateKey};
use std::io::Read;
use std::path::Path;

/// Returns `bytes` random bytes as hexadecimal digits.
fn random_hex(bytes: usize) -> Result<String, LabError> {
    let mut buffer = vec![0u8; bytes];
    let path = Path::new("/dev/urandom");
    std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut buffer)).map_err(|source| LabError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(hex::encode(buffer))
}

/// Draws an identity that no lab on this machine has.
pub(super) fn fresh_id() -> Result<String, LabError> {
    /// With a handful of labs a second draw is already rare.
    const DRAWS: usize = 16;
    let mut id = random_hex(2)?;
    for _ in 0..DRAWS {
        let taken = super::boot::run_dir(&id).exists()
            || crate::sim::run_dir(&id).exists()
            || Path::new("/run/netns").join(format!("ph{id}-mgmt")).exists();
        if !taken {
            break;
        }
        id = random_hex(2)?;
    }
    Ok(id)
}

/// Draws a password.
pub(super) fn password() -> Result<String, LabError> {
    random_hex(16)
}

/// A certificate authority that lives as long as the lab.
pub(super) struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    /// Makes one and writes its certificate, which is what the engine trusts.
    pub(super) fn make(lab_id: &str, pem: &Path) -> Result<Self, LabError> {
        let make = || {
            let mut params = rcgen::CertificateParams::new(Vec::new())?;
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
            params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
            params.distinguished_name.push(rcgen::DnType::CommonName, format!("Pilothouse lab {lab_id}"));
            rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate()?)
        };
        let issuer = make().map_err(refused("the lab's certificate authority"))?;
        write_file(pem, issuer.pem().as_bytes(), 0o644)?;
        Ok(Self(issuer))
    }

    /// Writes a certificate for a host name and its key.
    pub(super) fn issue(&self, hostname: &str, pem: &Path, key: &Path) -> Result<(), LabError> {
        let make = || {
            let mut params = rcgen::CertificateParams::new(vec![hostname.to_owned()])?;
            params.distinguished_name.push(rcgen::DnType::CommonName, hostname);
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            let pair = rcgen::KeyPair::generate()?;
            let certificate = params.signed_by(&pair, &self.0)?;
            Ok::<_, rcgen::Error>((certificate.pem(), pair.serialize_pem()))
        };
        let (certificate, private) = make().map_err(refused("a certificate"))?;
        write_file(pem, certificate.as_bytes(), 0o644)?;
        write_file(key, private.as_bytes(), 0o600)
    }
}

/// Writes an ed25519 host key in OpenSSH's format and returns its fingerprint (`SHA256:…`).
pub(super) fn host_key(file: &Path) -> Result<String, LabError> {
    let mut seed = [0u8; 32];
    let drawn = hex::decode(random_hex(seed.len())?).unwrap_or_default();
    seed.iter_mut().zip(drawn).for_each(|(s, d)| *s = d);
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let text = key.to_openssh(LineEnding::LF).map_err(refused("an SSH host key"))?;
    write_file(file, text.as_bytes(), 0o600)?;
    Ok(key.public_key().fingerprint(HashAlg::Sha256).to_string())
}

fn refused<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> LabError {
    move |source| LabError::Credential { what, source: Box::new(source) }
}
