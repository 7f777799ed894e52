//! Who may write: real certificates, the real uplink of a shipper, the real server. What is refused is logged and
//! counted, and nothing of it reaches the queue.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in a test file helpers assert, too"
)]

mod fleet;

use std::{fs, path::Path};

use fleet::{Ca, Ingester, Log, Shipper, Valid, on_one_thread, over_tls, until};
use lastwords_ingester::{
    TlsFiles,
    refusals::{CallReason as Call, ConnectionReason as Connection, Refused},
    tls::Looked,
};
use lastwords_proto::v1::rejection::Reason;
use lastwords_shipper::{
    Uplink,
    uplink::{IdentityFiles, Report},
};

const INGESTER: &[&str] = &["ingest.example.org"];

fn server(folder: &Path, of: &Ca, clients: &Ca, names: &[&str], valid: Valid) -> TlsFiles {
    let IdentityFiles { certificate_file, key_file } = of.issue(folder, "server", names, valid);
    TlsFiles { certificate_file, key_file, client_ca_file: Some(clients.write(&folder.join("clients.pem"))) }
}

#[test]
fn a_shipper_with_its_hosts_certificate_writes_as_that_host() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let ca = Ca::new("a CA");
        let trusted = ca.write(&dir.join("ca.pem"));
        let ingester = Ingester::start(Some(server(dir, &ca, &ca, INGESTER, Valid::Now))).await;
        let identities = [
            ca.issue(dir, "hv01", &["hv01"], Valid::Now),
            ca.issue(dir, "long", &["hv01.example.org", "hv01"], Valid::Now),
            ca.issue_common_name(dir, "old", Some("hv01")),
        ];
        for (index, identity) in identities.into_iter().enumerate() {
            let mut shipper = Shipper::start(over_tls(ingester.address, &trusted, Some(identity)), "hv01");
            shipper.send(index as u64 + 1).await;
            shipper.acknowledged(index as u64 + 1).await;
        }
        assert_eq!(ingester.queue.taken(), [1, 2, 3]);
        assert!(
            ingester
                .refusals
                .metrics()
                .lines()
                .filter(|line| !line.starts_with('#'))
                .all(|line| line.ends_with(" 0"))
        );
        let metrics = ingester.tls.as_ref().unwrap().metrics();
        let days = |file: &str| -> i64 {
            let start = format!("lastwords_ingester_certificate_days_left{{file=\"{file}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
        };
        assert!(days("certificate") > 365 && days("client_ca") > 365, "{metrics}");
    });
}

/// One way to be refused.
struct Case {
    what: &'static str,
    refused: Refused,
    uplink: fn(&Stage<'_>) -> Uplink,
    tls: fn(&Stage<'_>) -> Option<TlsFiles>,
}

/// What a case can use; `address` is known once the ingester runs.
struct Stage<'a> {
    dir: &'a Path,
    ca: &'a Ca,
    other: &'a Ca,
    address: std::net::SocketAddr,
}

impl Stage<'_> {
    fn as_host(&self, identity: Option<IdentityFiles>) -> Uplink {
        over_tls(self.address, &self.ca.write(&self.dir.join("trusted.pem")), identity)
    }

    fn in_order(&self) -> Option<TlsFiles> {
        Some(server(self.dir, self.ca, self.ca, INGESTER, Valid::Now))
    }

    fn own(&self) -> Option<IdentityFiles> {
        Some(self.ca.issue(self.dir, "hv01", &["hv01"], Valid::Now))
    }
}

const CASES: &[Case] = &[
    Case {
        what: "a certificate of another CA",
        refused: Refused::Connection(Connection::UnknownCa),
        uplink: |stage| stage.as_host(Some(stage.other.issue(stage.dir, "x", &["hv01"], Valid::Now))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "a certificate that has ended",
        refused: Refused::Connection(Connection::Expired),
        uplink: |stage| stage.as_host(Some(stage.ca.issue(stage.dir, "x", &["hv01"], Valid::Past))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "a certificate that has not begun",
        refused: Refused::Connection(Connection::Expired),
        uplink: |stage| stage.as_host(Some(stage.ca.issue(stage.dir, "x", &["hv01"], Valid::Future))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "no certificate",
        refused: Refused::Connection(Connection::NoCertificate),
        uplink: |stage| stage.as_host(None),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "a certificate without a name",
        refused: Refused::Connection(Connection::Nameless),
        uplink: |stage| stage.as_host(Some(stage.ca.issue_common_name(stage.dir, "x", None))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "another host's certificate",
        refused: Refused::Call(Call::Certificate),
        uplink: |stage| stage.as_host(Some(stage.ca.issue(stage.dir, "x", &["hv02"], Valid::Now))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "a certificate for all hosts",
        refused: Refused::Call(Call::Certificate),
        uplink: |stage| stage.as_host(Some(stage.ca.issue(stage.dir, "x", &["*.example.org"], Valid::Now))),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "plain text to a port with TLS",
        refused: Refused::Connection(Connection::PlainText),
        uplink: |stage| Uplink::Grpc(stage.address.to_string()),
        tls: |stage| stage.in_order(),
    },
    Case {
        what: "TLS to a port without",
        refused: Refused::Connection(Connection::TlsToPlain),
        uplink: |stage| stage.as_host(stage.own()),
        tls: |_| None,
    },
    Case {
        what: "an ingester with a certificate of another CA",
        refused: Refused::Connection(Connection::RefusedByPeer),
        uplink: |stage| stage.as_host(stage.own()),
        tls: |stage| Some(server(stage.dir, stage.other, stage.ca, INGESTER, Valid::Now)),
    },
    Case {
        what: "an ingester whose certificate has ended",
        refused: Refused::Connection(Connection::RefusedByPeer),
        uplink: |stage| stage.as_host(stage.own()),
        tls: |stage| Some(server(stage.dir, stage.ca, stage.ca, INGESTER, Valid::Past)),
    },
    Case {
        what: "an ingester with another name",
        refused: Refused::Connection(Connection::RefusedByPeer),
        uplink: |stage| stage.as_host(stage.own()),
        tls: |stage| Some(server(stage.dir, stage.ca, stage.ca, &["other.example.org"], Valid::Now)),
    },
];

#[test]
fn whoever_may_not_is_refused_logged_and_counted_and_writes_nothing() {
    for case in CASES {
        on_one_thread(check(case));
    }
}

async fn check(case: &Case) {
    let log = Log::take();
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (Ca::new("a CA"), Ca::new("another CA"));
    let mut stage = Stage { dir: folder.path(), ca: &ca, other: &other, address: ([127, 0, 0, 1], 0).into() };
    let ingester = Ingester::start((case.tls)(&stage)).await;
    stage.address = ingester.address;
    let shipper = Shipper::start((case.uplink)(&stage), "hv01");
    shipper.send(1).await;
    // Twice: it tries again, and is refused again.
    until(case.what, || ingester.refusals.total(case.refused) >= 2).await;
    assert!(ingester.queue.taken().is_empty(), "{}", case.what);
    let text = log.text();
    let (kind, reason) = match case.refused {
        Refused::Connection(reason) => ("a connection is refused", reason.as_str()),
        Refused::Call(reason) => ("a call is refused", reason.as_str()),
        Refused::Batch(_) | Refused::Reload => unreachable!(),
    };
    let said =
        text.lines().find(|line| line.contains(kind)).unwrap_or_else(|| panic!("{}: {text}", case.what));
    assert!(
        said.contains(&format!("reason=\"{reason}\"")) && said.contains("127.0.0.1"),
        "{}: {said}",
        case.what
    );
    assert!(
        text.contains("not connected to the ingester"),
        "{}: the shipper says so, too: {text}",
        case.what
    );
    let metrics = ingester.refusals.metrics();
    let counted: Vec<&str> =
        metrics.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
    assert!(counted.len() == 1 && counted[0].contains(reason), "{}: {counted:?}", case.what);
}

#[test]
fn a_batch_for_another_host_is_rejected_and_the_stream_goes_on() {
    for tls in [false, true] {
        on_one_thread(async {
            let log = Log::take();
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path();
            let ca = Ca::new("a CA");
            let files = tls.then(|| server(dir, &ca, &ca, INGESTER, Valid::Now));
            let ingester = Ingester::start(files).await;
            let uplink = if tls {
                let identity = ca.issue(dir, "hv01", &["hv01"], Valid::Now);
                over_tls(ingester.address, &ca.write(&dir.join("ca.pem")), Some(identity))
            } else {
                Uplink::Grpc(ingester.address.to_string())
            };
            let mut shipper = Shipper::start(uplink, "hv01");
            shipper.send_for(1, "hv02").await;
            match shipper.report().await {
                Report::Rejected { sequence: 1, reason } => assert!(reason.contains("hv02"), "{reason}"),
                other => panic!("wanted a rejection, found {other:?}"),
            }
            shipper.send(2).await;
            shipper.acknowledged(2).await;
            assert_eq!(ingester.queue.taken(), [2]);
            assert_eq!(ingester.refusals.total(Refused::Batch(Reason::NotAllowed)), 1);
            let text = log.text();
            assert!(text.contains("a batch is not admitted") && text.contains("'hv02'"), "{text}");
        });
    }
}

#[test]
fn a_batch_that_the_queue_refuses_for_good_is_rejected_and_counted() {
    on_one_thread(async {
        let ingester = Ingester::start(None).await;
        ingester.queue.refuse(1);
        let mut shipper = Shipper::start(Uplink::Grpc(ingester.address.to_string()), "hv01");
        shipper.send(1).await;
        shipper.send(2).await;
        match shipper.report().await {
            Report::Rejected { sequence: 1, reason } => assert!(reason.contains("too large"), "{reason}"),
            other => panic!("wanted a rejection, found {other:?}"),
        }
        shipper.acknowledged(2).await;
        assert_eq!(ingester.queue.taken(), [2]);
        assert_eq!(ingester.refusals.total(Refused::Batch(Reason::TooLarge)), 1);
    });
}

#[test]
fn changed_certificates_are_taken_without_a_restart_and_broken_ones_are_not() {
    on_one_thread(async {
        let log = Log::take();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let (ca, next) = (Ca::new("a CA"), Ca::new("the next CA"));
        let (trusted, trusted_next) = (ca.write(&dir.join("ca.pem")), next.write(&dir.join("next.pem")));
        let files = server(dir, &ca, &ca, INGESTER, Valid::Now);
        let ingester = Ingester::start(Some(files.clone())).await;
        let start = |trusted: &Path, identity: &IdentityFiles| {
            Shipper::start(over_tls(ingester.address, trusted, Some(identity.clone())), "hv01")
        };
        let identity = ca.issue(dir, "hv01", &["hv01"], Valid::Now);
        let mut first = start(&trusted, &identity);
        first.send(1).await;
        first.acknowledged(1).await;

        // Broken, in each of its ways: what was in use stays so.
        let (certificate, key) =
            (fs::read(&files.certificate_file).unwrap(), fs::read(&files.key_file).unwrap());
        let breakages: [(&Path, Vec<u8>); 4] = [
            (&files.certificate_file, b"garbage".to_vec()),
            (&files.key_file, fs::read(&identity.key_file).unwrap()),
            (&files.certificate_file, {
                ca.issue(dir, "ended", INGESTER, Valid::Past);
                fs::read(dir.join("ended.pem")).unwrap()
            }),
            (files.client_ca_file.as_deref().unwrap(), Vec::new()),
        ];
        for (number, (path, bytes)) in (2..).zip(breakages) {
            let kept = fs::read(path).unwrap();
            fs::write(path, bytes).unwrap();
            let mut shipper = start(&trusted, &identity);
            shipper.send(number).await;
            shipper.acknowledged(number).await;
            assert_eq!(ingester.refusals.total(Refused::Reload), number - 1, "{}", log.text());
            fs::write(path, kept).unwrap();
            // Mended: nothing has changed then.
            assert!(matches!(ingester.tls.as_ref().unwrap().refresh(), Looked::Unchanged));
        }
        assert_eq!(
            log.text().matches("cannot be used; the old ones stay in use").count(),
            4,
            "{}",
            log.text()
        );
        assert_eq!(fs::read(&files.certificate_file).unwrap(), certificate);
        assert_eq!(fs::read(&files.key_file).unwrap(), key);

        // Another certificate, of another CA: who trusts that one connects from now on.
        next.issue(dir, "server", INGESTER, Valid::Now);
        let mut second = start(&trusted_next, &identity);
        second.send(6).await;
        second.acknowledged(6).await;
        // The call that was open stays so: its own certificate still counts.
        first.send(7).await;
        first.acknowledged(7).await;

        // Another CA for shippers: what the one before vouched for ends, and is not taken any more.
        next.write(files.client_ca_file.as_deref().unwrap());
        let mut third = start(&trusted_next, &next.issue(dir, "next-hv01", &["hv01"], Valid::Now));
        third.send(8).await;
        third.acknowledged(8).await;
        until("calls of the CA before end", || {
            ingester.refusals.total(Refused::Connection(Connection::UnknownCa)) >= 1
        })
        .await;
        assert!(log.text().contains("other CAs are trusted here now"), "{}", log.text());
        // A shipper takes its new certificate without a restart, too.
        next.issue(dir, "hv01", &["hv01"], Valid::Now);
        second.send(9).await;
        second.acknowledged(9).await;
        // A broken one leaves the one before in use, there as here.
        fs::write(&identity.certificate_file, "garbage").unwrap();
        let both = fs::read_to_string(&trusted).unwrap() + &fs::read_to_string(&trusted_next).unwrap();
        fs::write(files.client_ca_file.as_deref().unwrap(), both).unwrap();
        assert!(matches!(ingester.tls.as_ref().unwrap().refresh(), Looked::Replaced));
        until("the shipper calls again", || {
            log.text().contains("those of the connection before stay in use")
        })
        .await;
        second.send(10).await;
        second.acknowledged(10).await;
        assert_eq!(ingester.queue.taken(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });
}

#[test]
fn without_a_client_ca_anyone_who_trusts_the_ingester_may_call() {
    on_one_thread(async {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let ca = Ca::new("a CA");
        let files = TlsFiles { client_ca_file: None, ..server(dir, &ca, &ca, INGESTER, Valid::Now) };
        let ingester = Ingester::start(Some(files)).await;
        assert!(!ingester.tls.as_ref().unwrap().is_mutual());
        let mut shipper =
            Shipper::start(over_tls(ingester.address, &ca.write(&dir.join("ca.pem")), None), "hv01");
        shipper.send(1).await;
        shipper.acknowledged(1).await;
    });
}
