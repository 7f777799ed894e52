use super::*;

fn check(text: &str) -> Result<Loaded, String> {
    parse(Path::new("shipper.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn every_error_names_file_line_and_key() {
    let cases = [
        ("", "shipper.toml: line 1", "uplink"),
        ("[uplink]\n", "shipper.toml: line 1", "found neither"),
        ("[uplink]\ningester = \"10.0.0.1\"\n", "shipper.toml: line 2", "uplink.ingester"),
        ("[uplink]\ningester = \"http://a:1\"\nsocket = \"/s\"\n", "shipper.toml: line 3", "uplink.socket"),
        ("[uplink]\nsocket = \"/s\"\nsokket = 1\n", "shipper.toml: line 3", "sokket"),
        (
            "[uplink]\nsocket = \"/s\"\n[[file]]\npaths = [\"a.log\"]\n",
            "shipper.toml: line 4",
            "file[0].paths",
        ),
        (
            "[uplink]\nsocket = \"/s\"\n[[file]]\npaths = []\ntime_zone = \"Mars\"\n",
            "shipper.toml: line 5",
            "Mars",
        ),
        (
            "[uplink]\nsocket = \"/s\"\n[[file]]\npaths = []\nsource = \"kmsg\"\n",
            "shipper.toml: line 5",
            "file[0].source",
        ),
        (
            "[uplink]\nsocket = \"/s\"\n[limits]\nwindow_bytes = 5\n",
            "shipper.toml: line 4",
            "limits.window_bytes",
        ),
        (
            "[uplink]\nsocket = \"/s\"\n[limits]\nflush_interval_ms = \"x\"\n",
            "shipper.toml: line 4",
            "flush_interval_ms: invalid type",
        ),
    ];
    for (text, place, what) in cases {
        let message = check(text).expect_err(text);
        assert!(message.contains(place) && message.contains(what), "{text:?}: {message}");
    }
}

/// A certificate and its key, and another key, in a folder.
fn certificates(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(["hv01".to_owned()]).unwrap().self_signed(&key).unwrap();
    for (name, text, mode) in [
        ("hv01.pem", certificate.pem(), 0o644),
        ("hv01.key", key.serialize_pem(), 0o600),
        ("open.key", key.serialize_pem(), 0o644),
        ("other.key", other.serialize_pem(), 0o600),
        ("garbage", "garbage".to_owned(), 0o600),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn certificates_are_looked_at_while_the_configuration_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let whole = |lines: &str| {
        let dir = format!("{}/", folder.path().display());
        format!("[uplink]\ningester = \"https://a:1\"\n[uplink.tls]\n{}", lines.replace("@", &dir))
    };
    let valid = "ca_file = \"@hv01.pem\"\ncertificate_file = \"@hv01.pem\"\nkey_file = \"@hv01.key\"\n";
    assert!(matches!(check(&whole(valid)).unwrap().uplink, Uplink::GrpcTls(..)));
    assert!(matches!(check(&whole("ca_file = \"@hv01.pem\"\n")).unwrap().uplink, Uplink::GrpcTls(..)));
    let cases = [
        (whole("ca_file = \"@none\"\n"), "line 4: uplink.tls.ca_file", "cannot be read"),
        (whole("ca_file = \"@garbage\"\n"), "line 4: uplink.tls.ca_file", "wanted certificates"),
        (whole(&valid.replace("@hv01.key", "@open.key")), "line 6: uplink.tls.key_file", "mode 0644"),
        (whole(&valid.replace("@hv01.key", "@other.key")), "line 6: uplink.tls.key_file", "another one's"),
        (
            whole(&valid.replace("_file = \"@hv01.pem\"\nk", "_file = \"@garbage\"\nk")),
            "line 5: uplink.tls.certificate_file",
            "wanted certificates",
        ),
        (
            whole(&valid.replace("key_file = \"@hv01.key\"", "")),
            "line 5: uplink.tls.certificate_file",
            "wanted key_file, too",
        ),
        (
            whole(&valid.replace("certificate_file = \"@hv01.pem\"", "")),
            "line 6: uplink.tls.key_file",
            "wanted certificate_file, too",
        ),
        (
            whole(&format!("{valid}server_name = \"a b\"\n")),
            "line 7: uplink.tls.server_name",
            "wanted a DNS name",
        ),
        (whole(&format!("{valid}server = \"a\"\n")), "line 7", "server"),
        (whole(valid).replace("https", "http"), "line 2: uplink.ingester", "wanted https://"),
        ("[uplink]\ningester = \"https://a:1\"\n".to_owned(), "line 2: uplink.ingester", "[uplink.tls]"),
        (
            whole(valid).replace("ingester = \"https://a:1\"", "socket = \"/s\""),
            "line 3: uplink.tls",
            "a socket has no TLS",
        ),
    ];
    for (text, place, what) in cases {
        let message = check(&text).expect_err(&text);
        assert!(
            message.contains(place) && message.contains(what),
            "{text}\n  wanted {place} … {what}\n  found  {message}"
        );
    }
}

#[test]
fn the_example_in_deploy_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/shipper.toml");
    let loaded = load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(loaded.uplink, Uplink::Grpc(_)));
    assert!(!loaded.shipper.files.is_empty());
}

#[test]
fn a_console_speaks_for_its_guest() {
    let rule = FileRule::new(Source::Console, &["/c/*".to_owned()], &[], "UTC").unwrap();
    for (path, guest) in [
        ("/c/web07.log", Some("web07")),
        ("/c/guest-web07.log", Some("web07")),
        ("/c/guest-web07.log.1", Some("web07")),
        ("/c/hypervisor.log", None),
    ] {
        let voice = rule.voice(&Host::default(), Path::new(path));
        assert_eq!(voice.guest.map(|(name, _)| name).as_deref(), guest, "{path}");
    }
}
