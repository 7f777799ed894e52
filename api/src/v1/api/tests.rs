use http_body_util::BodyExt as _;
use lastwords_detect::RuleFiles;
use lastwords_store::{RemoteOptions, Store};
use serde_json::Value;

use hyper::StatusCode;

use super::*;
use crate::{Known, problem, v1::openapi};

/// An API over a store that nobody reaches.
fn api() -> Api {
    let options = RemoteOptions::new(["http://127.0.0.1:1"]);
    let service = Service::new(Store::remote(&options).unwrap(), Known::default(), RuleFiles::default());
    Api::new(service, || "# metrics\n".to_owned())
}

async fn ask(api: &Api, method: &str, path: &str, body: &'static str) -> Response {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    api.answer(Door::Socket, request.body(Body::from(body)).unwrap()).await
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn allow(response: &Response) -> Vec<String> {
    let allow = response.headers().get(header::ALLOW).map_or("", |allow| allow.to_str().unwrap());
    let mut methods: Vec<String> = allow.split(',').map(str::to_ascii_lowercase).collect();
    methods.sort();
    methods
}

#[tokio::test]
async fn each_path_of_the_document_takes_the_methods_that_it_says() {
    let api = api();
    let document = serde_json::to_value(openapi::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10, "{paths:?}");
    for (path, operations) in paths {
        let mut expected: Vec<String> = operations.as_object().unwrap().keys().cloned().collect();
        if expected.contains(&"get".to_owned()) {
            expected.push("head".to_owned());
        }
        expected.push("options".to_owned());
        expected.sort();
        let options = ask(&api, "OPTIONS", path, "").await;
        assert_eq!((options.status(), allow(&options)), (StatusCode::NO_CONTENT, expected.clone()), "{path}");
        let other = ask(&api, "PATCH", path, "").await;
        assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(allow(&other), expected, "{path}");
        assert_eq!(other.headers()[header::CONTENT_TYPE], problem::CONTENT_TYPE);
    }
}

#[tokio::test]
async fn head_says_what_get_says_without_its_body() {
    let api = api();
    for path in ["/", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/nothing"] {
        let (get, head) = (ask(&api, "GET", path, "").await, ask(&api, "HEAD", path, "").await);
        assert_eq!(get.status(), head.status(), "{path}");
        assert_eq!(get.headers()[header::CONTENT_TYPE], head.headers()[header::CONTENT_TYPE], "{path}");
        assert!(!text(get).await.is_empty(), "{path}");
        if path != "/nothing" {
            assert_eq!(text(head).await, "", "{path}");
        }
    }
}

#[tokio::test]
async fn the_root_says_what_this_is() {
    let api = api();
    let about: Value = serde_json::from_str(&text(ask(&api, "GET", "/", "").await).await).unwrap();
    assert_eq!(about["name"], "lastwords");
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let described = ask(&api, "GET", about["openapi"].as_str().unwrap(), "").await;
    let document: Value = serde_json::from_str(&text(described).await).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_a_status_and_a_kind_of_its_own() {
    let api = api();
    let query = "/api/v1/query";
    let cases = [
        ("POST", query, "not JSON", 400, "malformed"),
        ("POST", query, "", 400, "malformed"),
        ("POST", query, "{\"query\":\"panics\"}", 422, "invalid"),
        ("POST", query, "{}", 422, "invalid"),
        ("POST", query, "{\"question\":\"panics\",\"sql\":\"SELECT 1\"}", 422, "invalid"),
        ("POST", query, "{\"question\":\"panics\",\"time_zone\":\"Mars\"}", 422, "invalid"),
        ("POST", query, "{\"sql\":\"DROP TABLE logs\"}", 422, "not_understood"),
        ("POST", query, "{\"sql\":\"SELECT 1\"}", 503, "unavailable"),
        ("POST", "/api/v1/quarantine", "{\"action\":\"purge\"}", 422, "invalid"),
        ("POST", "/api/v1/quarantine", "{\"action\":\"drop\",\"batch\":\"x\"}", 422, "invalid"),
        ("POST", "/api/v1/rescan", "{\"from_ns\":0,\"to_ns\":1,\"rules\":[[\"a\",\"b\"]]}", 422, "invalid"),
        ("GET", "/api/v1/complete?q=panics&at=x", "", 400, "malformed"),
        ("GET", "/api/v1/complete?question=panics", "", 400, "malformed"),
        ("GET", "/api/v1/store", "", 503, "unavailable"),
        ("GET", "/nothing", "", 404, "not_found"),
        ("GET", query, "", 405, "method_not_allowed"),
    ];
    for (method, path, body, status, kind) in cases {
        let response = ask(&api, method, path, body).await;
        let (found, retry) = (response.status(), response.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(response.headers()[header::CONTENT_TYPE], problem::CONTENT_TYPE, "{method} {path} {body}");
        let text = text(response).await;
        assert_eq!(found, status, "{method} {path} {body}: {text}");
        assert_eq!(retry, status == 503, "{method} {path} {body}: {text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["kind"], &document["status"]), (&kind.into(), &status.into()), "{text}");
    }
}

#[tokio::test]
async fn what_changes_the_store_is_not_answered_over_the_network() {
    let api = api();
    let door = Door::Tcp("127.0.0.1:8640".parse().unwrap());
    for path in ["/api/v1/quarantine", "/api/v1/rescan"] {
        // Whatever it is declared as, and whatever it says.
        let request = Request::builder().method("POST").uri(path).header("host", "127.0.0.1:8640");
        let response = api.answer(door, request.body(Body::from("x")).unwrap()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(text(response).await.contains("on the socket in the data folder only"));
    }
}

#[test]
fn the_document_in_the_repository_is_that_of_the_code() {
    let kept = include_str!("../../../../docs/openapi.json");
    let made = openapi::document().to_pretty_json().unwrap() + "\n";
    assert!(
        kept == made,
        "docs/openapi.json is not true: cargo run -p lastwords-api --example openapi > docs/openapi.json"
    );
}
