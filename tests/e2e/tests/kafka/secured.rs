//! A broker that wants TLS and a password.

use std::{fs, path::Path};

use lastwords_e2e::{eventually, program::run};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::{ARRIVAL, STORE_PASSWORD, broker::Broker, free_ports, local, service::Service};

const PASSWORD: &str = "pa55-of-lastwords";

/// A CA, the broker's certificate with its key, and a CA that has signed nothing.
fn certificates(folder: &Path) {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    ca.distinguished_name.push(DnType::CommonName, "the CA");
    let ca_key = KeyPair::generate().unwrap();
    fs::write(folder.join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let other = KeyPair::generate().unwrap();
    fs::write(folder.join("other-ca.pem"), ca.self_signed(&other).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "the broker");
    let certificate = params.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    fs::write(folder.join("broker.pem"), key.serialize_pem() + &certificate.pem()).unwrap();
}

/// Lines of the broker's configuration: a listener with TLS and passwords beside the plain one.
fn listeners(folder: &Path, plain: u16, secured: u16) -> Vec<String> {
    let folder = folder.display();
    vec![
        format!(
            "listeners=SASL_SSL://127.0.0.1:{secured},PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{}",
            plain + 1
        ),
        format!("advertised.listeners=SASL_SSL://127.0.0.1:{secured},PLAINTEXT://127.0.0.1:{plain}"),
        "listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
            .to_owned(),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={folder}/broker.pem"),
        "sasl.enabled.mechanisms=PLAIN".to_owned(),
        format!(
            "listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
             required user_lastwords=\"{PASSWORD}\";"
        ),
    ]
}

#[test]
fn a_broker_with_tls_and_passwords_is_used_and_its_refusals_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    certificates(path);
    let ports = free_ports(8);
    let broker = Broker::start_with(path, ports[0], &listeners(path, ports[0], ports[2]));
    let store = local(ports[3]);
    let data = path.join("store");
    let secret = path.join("store-password");
    fs::write(&secret, format!("{STORE_PASSWORD}\n")).unwrap();
    let secret = secret.to_str().unwrap();
    let arguments =
        ["store", "serve", "--data", data.to_str().unwrap(), "--listen", &store, "--password-file", secret];
    let _store = Service::start(path, "store", &arguments);
    let configured = |name: &str, ca: &str, password: &str, grpc: u16| {
        fs::write(path.join(format!("{name}.password")), format!("{password}\n")).unwrap();
        let file = path.join(format!("{name}.toml"));
        let text = format!(
            "[kafka]\nbrokers = \"{}\"\npartitions = 2\nreplication = 1\npassword_file = \"{2}/{name}.password\"\n\
             [kafka.properties]\n\"security.protocol\" = \"SASL_SSL\"\n\"ssl.ca.location\" = \"{2}/{ca}\"\n\
             \"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"lastwords\"\n\
             [listen]\ngrpc = \"{1}\"\nhttp = \"off\"\n[store]\nurl = \"http://{store}\"\npassword_file = \"{secret}\"\n",
            local(ports[2]),
            local(grpc),
            path.display()
        );
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let right = configured("right", "ca.pem", PASSWORD, ports[4]);
    let _ = run(["kafka", "init", "--config", &right]).expect(0);
    let _ = run(["kafka", "check", "--config", &right]).expect(0);
    for (name, ca, password, told) in [
        ("wrong-password", "ca.pem", "guessed-password", "uthentication"),
        ("wrong-ca", "other-ca.pem", PASSWORD, "certificate verify failed"),
    ] {
        let config = configured(name, ca, password, ports[5]);
        let refused = run(["kafka", "check", "--config", &config]).expect(3);
        assert!(refused.stderr.contains(told), "{name}: {}", refused.stderr);
        let shown = run(["config", "check", &config, "--log", "debug"]).expect(0);
        for said in [&refused.stderr, &shown.stdout, &shown.stderr] {
            assert!(!said.contains(password), "the password is told: {said}");
        }
    }

    let mut ingest = Service::start(path, "ingest", &["ingest", "--config", &right]);
    let mut write = Service::start(path, "write", &["write", "--config", &right, "--log", "debug"]);
    fs::create_dir(path.join("logs")).unwrap();
    fs::write(path.join("logs/app.log"), "one\ntwo\nthree\n").unwrap();
    let shipper = path.join("shipper.toml");
    let text = format!(
        "state_dir = \"{0}/state\"\n[host]\nname = \"hv0\"\n[uplink]\ningester = \"http://{1}\"\n\
         [sources]\njournald = false\nkmsg = false\nsamples = false\n[[file]]\npaths = [\"{0}/logs/*.log\"]\n",
        path.display(),
        local(ports[4])
    );
    fs::write(&shipper, text).unwrap();
    let _shipper = Service::start(path, "shipper", &["--config", shipper.to_str().unwrap()]);
    eventually("three lines are stored", ARRIVAL, || {
        ingest.assert_runs();
        write.assert_runs();
        let counted =
            run(["query", "--config", &right, "--format", "jsonl", "SELECT count() AS n FROM logs"]);
        (counted.stdout.trim() == "{\"n\":3}").then_some(())
    });
    for name in ["ingest", "write"] {
        let log = fs::read_to_string(path.join(format!("{name}.log"))).unwrap();
        assert!(!log.contains(PASSWORD), "the password is logged by {name}");
    }
    drop(broker);
}
