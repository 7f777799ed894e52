use hyper::StatusCode;

use super::*;

const LOOPBACK: &str = "127.0.0.1:8640";

fn judged(listening: &str, names: &[&str], head: &[(&str, &str)]) -> Result<(), Denied> {
    let names: Vec<Authority> = names.iter().map(|name| Authority::parse(name).unwrap()).collect();
    let mut request = Request::builder().uri("/api/v1/query");
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    admit(Door::Tcp(listening.parse().unwrap()), &names, &request.body(()).unwrap())
}

#[test]
fn only_our_own_names_and_addresses_are_asked_for() {
    let yes = [
        (LOOPBACK, "127.0.0.1:8640"),
        (LOOPBACK, "localhost:8640"),
        (LOOPBACK, "LocalHost.:8640"),
        (LOOPBACK, "[::1]:8640"),
        (LOOPBACK, "[::ffff:127.0.0.1]:8640"),
        ("127.0.0.1:80", "localhost"),
        ("10.0.0.5:8640", "10.0.0.5:8640"),
        ("[fd00::5]:8640", "[fd00::5]:8640"),
        ("0.0.0.0:8640", "10.0.0.5:8640"),
        ("[::]:8640", "192.0.2.7:8640"),
    ];
    for (listening, host) in yes {
        assert_eq!(judged(listening, &[], &[("host", host)]), Ok(()), "{host} at {listening}");
    }
    let no = [
        (LOOPBACK, "evil.example:8640"),
        (LOOPBACK, "localhost.evil.example:8640"),
        (LOOPBACK, "127.0.0.1.evil.example:8640"),
        (LOOPBACK, "evil.localhost:8640"),
        (LOOPBACK, "localhost:8641"),
        (LOOPBACK, "localhost"),
        (LOOPBACK, "10.0.0.5:8640"),
        (LOOPBACK, "0.0.0.0:8640"),
        (LOOPBACK, "2130706433:8640"),
        ("0.0.0.0:8640", "evil.example:8640"),
        ("0.0.0.0:8640", "10.0.0.5:80"),
    ];
    for (listening, host) in no {
        let denied = judged(listening, &[], &[("host", host)]).unwrap_err();
        assert_eq!(denied.kind().status(), StatusCode::MISDIRECTED_REQUEST, "{host} at {listening}");
        assert!(denied.to_string().contains("listen.http_hosts"), "{denied}");
    }
    for malformed in
        ["", "user@localhost:8640", "localhost:port", "localhost:", "[::1", "local host:8640", "a/b", "::1"]
    {
        let denied = judged(LOOPBACK, &[], &[("host", malformed)]).unwrap_err();
        assert_eq!(denied.kind().status(), StatusCode::BAD_REQUEST, "{malformed}");
    }
    let twice = [("host", LOOPBACK), ("host", LOOPBACK)];
    assert_eq!(judged(LOOPBACK, &[], &twice).unwrap_err().kind().status(), StatusCode::BAD_REQUEST);
    assert_eq!(judged(LOOPBACK, &[], &[]).unwrap_err().kind().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn configured_names_are_known_with_their_port_or_any() {
    let names = ["lastwords.example.org", "hv01:8640"];
    for (host, known) in [
        ("lastwords.example.org", true),
        ("Lastwords.Example.org:9000", true),
        ("hv01:8640", true),
        ("hv01", false),
        ("other.example.org", false),
    ] {
        assert_eq!(judged(LOOPBACK, &names, &[("host", host)]).is_ok(), known, "{host}");
    }
}

#[test]
fn the_target_cannot_name_another_server_than_the_host() {
    let request =
        Request::builder().uri("http://evil.example/api/v1/query").header("host", LOOPBACK).body(()).unwrap();
    let denied = admit(Door::Tcp(LOOPBACK.parse().unwrap()), &[], &request).unwrap_err();
    assert_eq!(denied.kind().status(), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn health_can_be_asked_for_without_a_host_in_http_1_0() {
    let request = Request::builder().version(Version::HTTP_10).uri("/healthz").body(()).unwrap();
    assert_eq!(admit(Door::Tcp(LOOPBACK.parse().unwrap()), &[], &request), Ok(()));
}

#[test]
fn pages_of_other_origins_and_sites_may_not_ask() {
    let names = ["lastwords.example.org"];
    for (origin, welcome) in [
        ("http://127.0.0.1:8640", true),
        ("http://localhost:8640", true),
        ("https://lastwords.example.org", true),
        ("http://lastwords.example.org:8080", true),
        ("null", false),
        ("", false),
        ("http://evil.example", false),
        ("http://127.0.0.1:3000", false),
        ("http://localhost", false),
        ("https://127.0.0.1:8640", false),
        ("file://", false),
        ("http://lastwords.example.org.evil.example", false),
        ("http://evil.example/http://localhost:8640", false),
        ("moz-extension://1234", false),
    ] {
        let found = judged(LOOPBACK, &names, &[("host", LOOPBACK), ("origin", origin)]);
        assert_eq!(
            found.as_ref().map_err(|denied| denied.kind().status()).err(),
            (!welcome).then_some(StatusCode::FORBIDDEN),
            "{origin}"
        );
    }
    for (site, welcome) in
        [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("x", false)]
    {
        let found = judged(LOOPBACK, &names, &[("host", LOOPBACK), ("sec-fetch-site", site)]);
        assert_eq!(found.is_ok(), welcome, "{site}");
    }
}

#[test]
fn the_socket_is_asked_under_any_name_but_not_by_pages() {
    let asked = |name: &str, value: &str| {
        let request = Request::builder().uri("/api/v1/query").header(name, value).body(()).unwrap();
        admit(Door::Socket, &[], &request).is_ok()
    };
    assert!(asked("host", "localhost") && asked("host", "anything at all"));
    assert!(!asked("origin", "http://evil.example") && !asked("sec-fetch-site", "cross-site"));
}

#[test]
fn heads_are_bounded() {
    let long = format!("/api/v1/complete?q={}", "x".repeat(URI_BYTES_MAX));
    let request = Request::builder().uri(long).header("host", LOOPBACK).body(()).unwrap();
    let door = Door::Tcp(LOOPBACK.parse().unwrap());
    assert_eq!(admit(door, &[], &request).unwrap_err().kind().status(), StatusCode::URI_TOO_LONG);
    let big = "x".repeat(HEADER_BYTES_MAX);
    let denied = judged(LOOPBACK, &[], &[("host", LOOPBACK), ("x-big", &big)]).unwrap_err();
    assert_eq!(denied.kind().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let denied = judged(LOOPBACK, &[], &[("host", &format!("{}.example", "a".repeat(200)))]).unwrap_err();
    assert!(denied.to_string().len() < 400, "{denied}");
}

#[test]
fn bodies_are_declared_as_json() {
    for (kinds, welcome) in [
        (&["application/json"][..], true),
        (&["Application/JSON; charset=utf-8"], true),
        (&[], false),
        (&["text/plain"], false),
        (&["text/plain; application/json"], false),
        (&["application/json, text/plain"], false),
        (&["application/x-www-form-urlencoded"], false),
        (&["multipart/form-data; boundary=application/json"], false),
        (&["application/json", "text/plain"], false),
    ] {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let found = declares_json(&headers).map_err(|denied| denied.kind().status());
        assert_eq!(found.err(), (!welcome).then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kinds:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert!(matches!(declares_json(&headers), Err(Denied::Encoded(_))));
}
