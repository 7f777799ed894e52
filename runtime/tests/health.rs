//! `/healthz`, `/readyz`, `/metrics` over real connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a test file helpers assert, too"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use lastwords_runtime::{
    http::{HttpLimits, Listener, serve_http_within},
    places::{PlaceLimits, Places},
    refusal::ConnectionReason,
    serve_health,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[tokio::test]
async fn a_process_tells_how_it_is_until_it_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = Arc::clone(&ready);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve_health(
        listener,
        || "lastwords_something_total 7\n".to_owned(),
        move || is_ready.load(Ordering::SeqCst).then_some(()).ok_or("no broker answers".to_owned()),
        async {
            let _ = stopped.await;
        },
    ));
    // What is asked, and what status and words are wanted.
    let cases = [
        ("GET /healthz", 200, "ok\n"),
        ("GET /metrics", 200, "lastwords_something_total 7\n"),
        ("GET /metrics", 200, "content-type: text/plain; version=0.0.4"),
        ("GET /readyz", 503, r#""reason":"no broker answers""#),
        ("POST /metrics", 405, "allow: GET, HEAD"),
        ("GET /", 404, "/healthz, /readyz or /metrics"),
    ];
    for (request, status, words) in cases {
        let (found, answer) = ask(address, request).await;
        assert!(found == status && answer.contains(words), "{request}: {answer}");
    }
    ready.store(true, Ordering::SeqCst);
    let (status, answer) = ask(address, "GET /readyz").await;
    assert!(status == 200 && answer.contains(r#""ready":true"#), "{answer}");
    let (status, answer) = ask(address, "HEAD /metrics").await;
    assert!(status == 200 && answer.ends_with("\r\n\r\n"), "{answer}");

    // A connection that is open and idle does not hold the end up.
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_without_a_request_make_way_and_never_exceed_their_places() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&refused);
    let limits = HttpLimits {
        places: Places::new(PlaceLimits { total: 4, per_address: 4 }),
        refused: Arc::new(move |reason| hear.lock().unwrap().push(reason)),
    };
    let answer = |_| {
        let body = http_body_util::Full::new(bytes::Bytes::from_static(b"here"));
        std::future::ready(hyper::Response::new(body))
    };
    let stop = CancellationToken::new();
    let serving =
        tokio::spawn(serve_http_within(limits.clone(), Listener::Tcp(listener), answer, stop.clone()));
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(address).await.unwrap());
        assert!(limits.places.taken() <= 5, "{}", limits.places.taken());
    }
    // Those who make way are gone soon.
    while limits.places.taken() > 4 || limits.places.gave_way() == 0 {
        tokio::task::yield_now().await;
    }
    let (status, answer) = ask(address, "GET /").await;
    assert!(status == 200 && answer.ends_with("here"), "{answer}");
    assert!(refused.lock().unwrap().contains(&ConnectionReason::GaveWay));
    drop(idle);
    stop.cancel();
    serving.await.unwrap();
}
