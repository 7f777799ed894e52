//! Real files: what is read, what is refused and how it is said.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use lastwords_runtime::tls::{Leaf, PemFile, certificate, check_pair};
use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType, date_time_ymd};

fn write(path: PathBuf, text: &str, mode: u32) -> PathBuf {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (
        write(folder.join(format!("{name}.pem")), &certificate.pem(), 0o644),
        write(folder.join(format!("{name}.key")), &key.serialize_pem(), 0o600),
    )
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let ((certificate, key), (_, other)) = (pair(folder.path(), "hv01"), pair(folder.path(), "hv02"));
    let certificate = PemFile::read(&certificate).unwrap();
    let (chain, _, leaf) = check_pair(&certificate, &PemFile::read_key(&key).unwrap()).unwrap();
    assert_eq!((chain.len(), leaf.names.as_slice()), (1, &["hv01".to_owned()][..]));
    let error = check_pair(&certificate, &PemFile::read_key(&other).unwrap()).unwrap_err().to_string();
    assert!(
        error.contains("hv02.key") && error.contains("hv01.pem") && error.contains("another one's"),
        "{error}"
    );
}

#[test]
fn files_that_hold_something_else_are_named_with_what_was_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(folder.path(), "hv01");
    let read = |text: &str| PemFile::read(&write(folder.path().join("x"), text, 0o600)).unwrap();
    let (certificate, key) = (fs::read_to_string(certificate).unwrap(), fs::read_to_string(key).unwrap());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let messages = [
        (
            read("").certificates().unwrap_err(),
            "wanted certificates (-----BEGIN CERTIFICATE-----) in PEM, found none",
        ),
        (read(&key).certificates().unwrap_err(), "wanted certificates"),
        (
            read("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").certificates().unwrap_err(),
            "wanted certificates",
        ),
        (
            read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").roots().unwrap_err(),
            "wanted certificates of a CA",
        ),
        (read(&certificate).key().unwrap_err(), "wanted a private key without a passphrase"),
        (read(encrypted).key().unwrap_err(), "found an encrypted one"),
        (PemFile::read(&folder.path().join("none")).unwrap_err(), "cannot be read"),
        (
            PemFile::read(&write(folder.path().join("large"), &"x".repeat(1 << 21), 0o600)).unwrap_err(),
            "found more than",
        ),
    ];
    for (error, wanted) in messages {
        let said = error.to_string();
        assert!(said.contains(wanted) && said.contains(&folder.path().display().to_string()), "{said}");
    }
    assert!(!format!("{:?}", read(&key)).contains("PRIVATE"), "a key is never shown");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, key) = pair(folder.path(), "hv01");
    for (mode, taken) in [
        (0o400, true),
        (0o600, true),
        (0o440, true),
        (0o640, true),
        (0o644, false),
        (0o604, false),
        (0o660, false),
        (0o666, false),
        (0o601, false),
    ] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let read = PemFile::read_key(&key);
        assert_eq!(read.is_ok(), taken, "{mode:o}");
        if let Err(error) = read {
            let said = error.to_string();
            assert!(said.contains(&format!("mode {mode:04o}")) && said.contains("chmod 0600"), "{said}");
        }
    }
}

#[test]
fn a_certificate_names_its_alternative_names_or_else_its_common_name() {
    let leaf = |names: &[SanType], common: Option<DnValue>| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names = names.to_vec();
        params.distinguished_name = DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.not_after = date_time_ymd(2030, 1, 1);
        Leaf::read(params.self_signed(&key).unwrap().der()).unwrap()
    };
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let ip = SanType::IpAddress([10, 0, 0, 1].into());
    let utf8 = |name: &str| Some(DnValue::Utf8String(name.to_owned()));
    let printable = Some(DnValue::PrintableString("hv01".try_into().unwrap()));
    let cases = [
        (leaf(&[dns("a"), dns("b")], utf8("c")), vec!["a", "b"]),
        (leaf(&[dns("a"), ip.clone()], utf8("c")), vec!["a"]),
        (leaf(&[ip], utf8("c")), vec!["c"]),
        (leaf(&[], utf8("Gastgeber-ü")), vec!["Gastgeber-ü"]),
        (leaf(&[], printable), vec!["hv01"]),
        (leaf(&[], None), vec![]),
    ];
    for (leaf, names) in cases {
        assert_eq!(leaf.names, names);
        assert_eq!(leaf.not_after_s, 1_893_456_000, "2030-01-01");
        for (before_s, days) in [(10 * 86_400, 10), (86_399, 0), (1, 0), (0, 0)] {
            assert_eq!(leaf.days_left(UNIX_EPOCH + Duration::from_secs(1_893_456_000 - before_s)), days);
        }
        for (after_s, days) in [(1, -1), (86_400, -1), (86_401, -2)] {
            assert_eq!(leaf.days_left(UNIX_EPOCH + Duration::from_secs(1_893_456_000 + after_s)), days);
        }
    }
}

#[test]
fn of_several_certificates_the_one_that_ends_first_counts() {
    let ends: Vec<_> = [2031, 2030, 2032]
        .into_iter()
        .map(|year| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(["ca".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 1);
            params.self_signed(&key).unwrap().der().clone()
        })
        .collect();
    assert_eq!(certificate::earliest_end_s(&ends).unwrap(), Some(1_893_456_000));
    assert_eq!(certificate::earliest_end_s(&[]).unwrap(), None);
}

proptest! {
    #[test]
    fn damaged_certificates_are_read_or_refused(place in 0usize..400, value in any::<u8>(), cut in 0usize..400) {
        static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let key = KeyPair::generate().unwrap();
            CertificateParams::new(["hv01".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
        });
        let mut bytes = WHOLE.clone();
        if let Some(byte) = bytes.get_mut(place) {
            *byte = value;
        }
        bytes.truncate(WHOLE.len().saturating_sub(cut));
        let _ = Leaf::read(&bytes.into());
    }
}
