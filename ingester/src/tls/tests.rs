//! What those who connect notice of files that hang.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
};

use rcgen::{CertificateParams, KeyPair};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::*;

#[test]
fn while_a_file_cannot_be_read_connections_go_on_with_what_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["ingest".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(&certificate_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let files = TlsFiles { certificate_file: certificate_file.clone(), key_file, client_ca_file: None };
    let tls = ServerTls::load(files).unwrap();
    let (before, _) = tls.current();
    // Reading it blocks for as long as somebody has it open for writing and writes nothing: a disk that hangs.
    fs::remove_file(&certificate_file).unwrap();
    mknodat(CWD, &certificate_file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| tls.refresh());
        let hanging = loop {
            // Refused until there is a reader.
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            match OpenOptions::new().write(true).custom_flags(flags).open(&certificate_file) {
                Ok(hanging) => break hanging,
                Err(_) => std::thread::yield_now(),
            }
        };
        assert!(Arc::ptr_eq(&tls.current().0, &before));
        assert!(matches!(tls.refresh(), Looked::Unchanged), "a second look does not wait for the first");
        drop(hanging);
        assert!(matches!(looking.join().unwrap(), Looked::Kept(_)));
    });
    assert!(Arc::ptr_eq(&tls.current().0, &before));
}
