//! Until when certificates are valid: the one that the target showed, our own, and the authority's.

use core::fmt;
use der::asn1::{GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag};
use network::CertificateEnd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use units::Timestamp;

/// Verifies as rustls does and keeps the certificate that passed.
pub(crate) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<Vec<u8>>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// Trusts the authorities of a PEM text; the words say why none can be trusted.
    pub(crate) fn trusting(authorities: &[u8]) -> Result<Arc<Self>, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(|e| format!("no PEM certificate: {e}"))?;
            roots.add(certificate).map_err(|e| format!("no authority: {e}"))?;
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
            .build()
            .map_err(|_| "it holds no certificate".to_owned())?;
        Ok(Arc::new(Self { inner, shown: Mutex::default() }))
    }

    /// Returns until when the certificate of the last handshake is valid.
    pub(crate) fn shown(&self) -> Option<Timestamp> {
        not_after(self.shown.lock().unwrap_or_else(PoisonError::into_inner).as_deref()?)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Returns the end of the first certificate of a PEM text: the one that is shown.
pub(crate) fn end_of_pem(role: &str, pem: &[u8]) -> Option<CertificateEnd> {
    let first = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    Some(CertificateEnd { role: role.to_owned(), not_after: not_after(&first)? })
}

/// Reads `notAfter` of a certificate (RFC 5280 §4.1):
///
/// ```text
/// Certificate ::= SEQUENCE { TBSCertificate ::= SEQUENCE { [0] version?, serialNumber, signature, issuer,
///                            validity ::= SEQUENCE { notBefore, notAfter }, … }, … }
/// ```
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    const VERSION: u8 = 0xa0;
    let mut reader = SliceReader::new(certificate).ok()?;
    let seconds: der::Result<u64> = reader.sequence(|certificate| {
        let seconds = certificate.sequence(|tbs| {
            let skipped = if tbs.peek_byte() == Some(VERSION) { 4 } else { 3 };
            for _ in 0..skipped {
                tbs.tlv_bytes()?;
            }
            let seconds = tbs.sequence(|validity| {
                validity.tlv_bytes()?;
                time(validity)
            })?;
            tbs.drain(tbs.remaining_len())?;
            der::Result::Ok(seconds)
        })?;
        certificate.drain(certificate.remaining_len())?;
        Ok(seconds)
    });
    let nanos = i64::try_from(seconds.ok()?).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    Some(Timestamp::from_nanos(nanos))
}

/// Reads a time: UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). Seconds since 1970.
fn time<'r>(reader: &mut impl Reader<'r>) -> der::Result<u64> {
    if Tag::peek(reader)? == Tag::UtcTime {
        Ok(UtcTime::decode(reader)?.to_unix_duration().as_secs())
    } else {
        Ok(GeneralizedTime::decode(reader)?.to_unix_duration().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn made(year: i32) -> rcgen::Certificate {
        let mut params = CertificateParams::new(vec!["r1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    /// RFC 5280 §4.1.2.5: both ways to write a time.
    #[test]
    fn the_end_of_a_certificate_is_read_before_and_after_2050() {
        for (year, seconds) in [(2031, 1_930_089_600), (2051, 2_561_241_600)] {
            assert_eq!(not_after(made(year).der()), Some(Timestamp::from_nanos(seconds * 1_000_000_000)), "{year}");
        }
        let chain = format!("{}{}", made(2031).pem(), made(2051).pem());
        let end = end_of_pem("client", chain.as_bytes()).unwrap();
        assert_eq!((end.role.as_str(), end.not_after.nanos()), ("client", 1_930_089_600_000_000_000));
    }

    #[test]
    fn what_is_no_certificate_gives_none_wherever_it_is_cut() {
        let whole = made(2031).der().to_vec();
        for end in 0..whole.len() {
            assert_eq!(not_after(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(end_of_pem("client", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(Verifier::trusting(b"").unwrap_err(), "it holds no certificate");
    }
}
