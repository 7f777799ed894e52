//! How a server ends: what was taken is acknowledged, what was not goes elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a test file helpers assert, too"
)]

mod fleet;

use std::time::Duration;

use fleet::{Ingester, Kept, Shipper, until};
use lastwords_shipper::Uplink;
use tokio::net::TcpListener;

async fn listen(address: &str) -> TcpListener {
    TcpListener::bind(address).await.unwrap()
}

#[tokio::test]
async fn what_was_taken_is_acknowledged_and_the_rest_goes_elsewhere() {
    let hour = Duration::from_secs(3600);
    let mut ingester = Ingester::on(listen("127.0.0.1:0").await, None, Kept::holding(), hour);
    let (address, queue) = (ingester.address.to_string(), ingester.queue.clone());
    let mut shipper = Shipper::start(Uplink::Grpc(address.clone()), "hv01");
    shipper.send(1).await;
    shipper.send(2).await;
    until("both are taken", || queue.taken() == [1, 2]).await;
    ingester.begin_to_stop().await;
    shipper.send(3).await;
    queue.release();
    shipper.acknowledged(1).await;
    queue.release();
    shipper.acknowledged(2).await;
    ingester.stopped().await;
    assert_eq!(queue.taken(), [1, 2], "nothing is taken once it ends");
    // The next one at that address: the shipper comes by itself, with what was not acknowledged.
    let next = Ingester::on(listen(&address).await, None, Kept::default(), hour);
    shipper.acknowledged(3).await;
    assert_eq!(next.queue.taken(), [3]);
}

#[tokio::test]
async fn what_does_not_become_durable_in_time_is_sent_again_elsewhere() {
    let mut ingester =
        Ingester::on(listen("127.0.0.1:0").await, None, Kept::holding(), Duration::from_millis(50));
    let (address, queue) = (ingester.address.to_string(), ingester.queue.clone());
    let mut shipper = Shipper::start(Uplink::Grpc(address.clone()), "hv01");
    shipper.send(1).await;
    until("it is taken", || queue.taken() == [1]).await;
    ingester.begin_to_stop().await;
    ingester.stopped().await;
    let next = Ingester::on(listen(&address).await, None, Kept::default(), Duration::from_secs(3600));
    shipper.acknowledged(1).await;
    assert_eq!(next.queue.taken(), [1]);
}
