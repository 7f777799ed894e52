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
