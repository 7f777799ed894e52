//! Who may write, with the real binaries: `lastwords up` with certificates, `lastwords ship` from another host.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use lastwords_e2e::{
    eventually,
    program::{command, count, run},
    up::{Up, get},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

const WAIT: Duration = Duration::from_secs(60);

/// A CA and what it signs, in one folder.
struct Certificates {
    folder: PathBuf,
    params: CertificateParams,
    key: KeyPair,
}

impl Certificates {
    fn new(folder: &Path) -> Certificates {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Certificates { folder: folder.to_owned(), params, key }
    }

    fn issue(&self, name: &str, until_year: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until_year, 1, 1);
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        fs::write(self.folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        let path = self.folder.join(format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// `lastwords` as a child process; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const NOTHING_ELSE: &str = "journald = false\nkmsg = false\nsamples = false\nconsoles = []\nexclude = []\n";

/// Ships one file of a line as `host`, with `certificate`'s certificate.
fn ship(folder: &Path, url: &str, host: &str, certificate: &str) -> Running {
    let logs = folder.join(format!("{host}-{certificate}"));
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("a.log"), format!("of {host} by {certificate}\n")).unwrap();
    let (dir, logs_shown) = (folder.display(), logs.display());
    let text = format!(
        "[collect]\nfiles = [\"{logs_shown}/*.log\"]\n{NOTHING_ELSE}[ship.tls]\nca_file = \"{dir}/ca.pem\"\n\
         certificate_file = \"{dir}/{certificate}.pem\"\nkey_file = \"{dir}/{certificate}.key\"\nserver_name = \"ingester\"\n"
    );
    let config = logs.join("lastwords.toml");
    fs::write(&config, text).unwrap();
    let mut ship = command(["ship", "--host", host, "--ingester", url, "--config"]);
    ship.arg(config).arg("--data").arg(logs.join("data"));
    Running(ship.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_host_writes_as_itself_alone_and_doctor_says_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let certificates = Certificates::new(dir);
    certificates.issue("ingester", 2090);
    certificates.issue("hv01", 2090);
    certificates.issue("hv02", 2090);
    let (data, config) = (dir.join("data"), dir.join("lastwords.toml"));
    let shown = dir.display();
    let listen = format!(
        "[listen.tls]\ncertificate_file = \"{shown}/ingester.pem\"\nkey_file = \"{shown}/ingester.key\"\n\
         client_ca_file = \"{shown}/ca.pem\"\n"
    );
    fs::write(&config, &listen).unwrap();
    let up = Up::start(&data, &["--no-collect", "--config", config.to_str().unwrap()]);
    let url = format!("https://{}", up.address("grpc"));
    let metric = |line: &str| {
        let (status, text) = get(up.address("http"), "/metrics").unwrap();
        assert_eq!(status, 200);
        text.lines().any(|found| found == line).then_some(())
    };

    let _own = ship(dir, &url, "hv01", "hv01");
    eventually("hv01's line is stored", WAIT, || {
        (count(&data, "logs WHERE Host = 'hv01' AND Body = 'of hv01 by hv01'") == 1).then_some(())
    });
    let _stolen = ship(dir, &url, "hv01", "hv02");
    eventually("the other host is refused", WAIT, || {
        up.log().contains("the certificate is for hv02, found the host 'hv01'").then_some(())
    });
    let (_, metrics) = get(up.address("http"), "/metrics").unwrap();
    let refused = "lastwords_ingester_refused_total{what=\"call\",reason=\"certificate\"} ";
    assert!(metrics.lines().any(|line| line.starts_with(refused) && !line.ends_with(" 0")), "{metrics}");
    assert!(metrics.contains("lastwords_ingester_certificate_days_left{file=\"certificate\"} "), "{metrics}");
    assert!(metric("lastwords_ingester_refused_total{what=\"batch\",reason=\"not_allowed\"} 0").is_some());
    assert_eq!(count(&data, "logs"), 1, "nothing of what was refused is stored");
    assert_eq!(up.terminate(), 0);

    // What doctor says of it, and of what is wrong.
    let doctor = |text: &str, wanted: &str| {
        fs::write(&config, text).unwrap();
        let said = run(["doctor", "--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        assert!(said.stdout.contains(wanted), "wanted {wanted}\n{}\n{}", said.stdout, said.stderr);
    };
    doctor(&listen, "each writes only as the host that its certificate names");
    doctor(&listen, "listen.tls.certificate_file: ends in ");
    let shipping = dir.join("hv01-hv01/lastwords.toml");
    doctor(&fs::read_to_string(shipping).unwrap(), "ship.tls.certificate_file: ends in ");
    doctor("[listen]\ngrpc = \"0.0.0.0:4320\"\ninsecure = true\n", "insecure: plain text");
    fs::set_permissions(dir.join("ingester.key"), fs::Permissions::from_mode(0o644)).unwrap();
    doctor(&listen, "key `listen.tls.key_file`");
    certificates.issue("ingester", 2001);
    doctor(&listen, "listen.tls.certificate_file: ended ");
}

#[test]
fn plain_text_beyond_loopback_is_refused_unless_told_and_then_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let refused = run(["up", "--no-collect", "--listen", "0.0.0.0:0", "--http-listen", "off", "--data"]
        .into_iter()
        .chain([data.to_str().unwrap()]))
    .expect(3);
    assert!(refused.stderr.contains("is not loopback and has no TLS"), "{}", refused.stderr);
    let up = command([
        "up",
        "--no-collect",
        "--listen",
        "0.0.0.0:0",
        "--http-listen",
        "off",
        "--insecure",
        "--data",
    ])
    .arg(&data)
    .stderr(Stdio::piped())
    .spawn();
    let mut up = Running(up.unwrap());
    let mut said = String::new();
    // Ends with the warning, or with the end of what it says.
    for line in BufReader::new(up.0.stderr.take().unwrap()).lines().map_while(Result::ok) {
        said.push_str(&line);
        if line.contains("insecure: batches are taken in plain text") {
            return;
        }
    }
    panic!("it did not say that it is insecure: {said}");
}
