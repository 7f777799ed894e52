//! An engine of its own behind ClickHouse's HTTP protocol, with every right and no user: what suites of clients, which
//! make tables, are run against (`scripts/clients`). Never a port that others reach: it listens on loopback. With a
//! password it is the port of the product before an empty store instead, and `reader` has that password.
//!
//! `cargo run -p lastwords-store --example open_port -- FOLDER PORT [PASSWORD]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program of the laboratory")]

use std::path::Path;
use std::sync::Arc;

use lastwords_store::http::{PortLimits, Role, User};
use lastwords_store::{Engine, EngineOptions, Port, Store, serve_http, serve_port};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(port)) =
        (arguments.next(), arguments.next().and_then(|port| port.parse::<u16>().ok()))
    else {
        eprintln!("Wanted a folder and a port: open_port FOLDER PORT [PASSWORD]");
        std::process::exit(2);
    };
    let options = EngineOptions { memory_bytes_max: Some(4 << 30), ..EngineOptions::new(Path::new(&folder)) };
    let engine = Engine::open(&options).unwrap_or_else(|error| panic!("{error}"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    println!("listening on 127.0.0.1:{port}");
    let shutdown = async {
        tokio::signal::ctrl_c().await.unwrap();
    };
    let engine = Arc::new(engine);
    let Some(password) = arguments.next() else {
        return serve_http(listener, engine, shutdown).await;
    };
    let store = Store::embedded(engine);
    store.migrate().await.unwrap_or_else(|error| panic!("{error}"));
    let users = vec![User { name: "reader".to_owned(), password, role: Role::Reader }];
    serve_port(
        listener,
        Port { store, users, limits: PortLimits::default(), matches: None, tls: None },
        shutdown,
    )
    .await;
}
