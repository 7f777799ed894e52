//! What a certificate says: whom it names, and until when. It says so truthfully only once it has been verified.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::{
        Decode as _,
        asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef},
        oid::db::rfc4519::COMMON_NAME,
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
};

const DAY_S: i64 = 86_400;

/// A certificate that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct CertificateError(String);

/// An end entity's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// DNS names among the subject's alternative names; where there are none, its common name.
    pub names: Vec<String>,
    /// When it ends: UTC seconds.
    pub not_after_s: i64,
}

impl Leaf {
    /// Reads a certificate.
    ///
    /// # Errors
    /// Where it is no X.509 certificate.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Leaf, CertificateError> {
        let certificate = Certificate::from_der(certificate).map_err(failed)?;
        let alternative = certificate.tbs_certificate.get::<SubjectAltName>().map_err(failed)?;
        let mut names: Vec<String> = alternative
            .iter()
            .flat_map(|(_, names)| &names.0)
            .filter_map(|name| match name {
                GeneralName::DnsName(name) => Some(name.to_string()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            names.extend(common_name(&certificate));
        }
        let not_after = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
        Ok(Leaf { names, not_after_s: i64::try_from(not_after).unwrap_or(i64::MAX) })
    }

    /// Whole days that are left; negative once it has ended.
    #[must_use]
    pub fn days_left(&self, now: SystemTime) -> i64 {
        days_left(self.not_after_s, now)
    }
}

/// Whole days from now until a moment in UTC seconds; negative once it has passed.
#[must_use]
pub fn days_left(not_after_s: i64, now: SystemTime) -> i64 {
    let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    not_after_s.saturating_sub(i64::try_from(now_s).unwrap_or(i64::MAX)).div_euclid(DAY_S)
}

/// The earliest end among certificates, in UTC seconds.
///
/// # Errors
/// Where one of them cannot be read.
pub fn earliest_end_s(certificates: &[CertificateDer<'_>]) -> Result<Option<i64>, CertificateError> {
    certificates.iter().map(|certificate| Leaf::read(certificate).map(|leaf| leaf.not_after_s)).try_fold(
        None,
        |earliest: Option<i64>, end| {
            let end = end?;
            Ok(Some(earliest.map_or(end, |earliest| earliest.min(end))))
        },
    )
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let subject = &certificate.tbs_certificate.subject;
    let value = subject
        .0
        .iter()
        .flat_map(|part| part.0.iter())
        .find(|pair| pair.oid == COMMON_NAME)
        .map(|pair| &pair.value)?;
    Utf8StringRef::try_from(value)
        .map(|text| text.to_string())
        .or_else(|_| PrintableStringRef::try_from(value).map(|text| text.to_string()))
        .or_else(|_| TeletexStringRef::try_from(value).map(|text| text.to_string()))
        .ok()
}

fn failed(error: impl ToString) -> CertificateError {
    CertificateError(error.to_string())
}
