//! Apache Kafka itself, by `scripts/kafka`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// One broker on loopback; killed when dropped.
pub struct Broker {
    folder: PathBuf,
    port: u16,
}

impl Broker {
    /// Starts it and waits until it answers. It takes `port` and the next one.
    pub fn start(folder: &Path, port: u16) -> Broker {
        Broker::start_with(folder, port, &[])
    }

    /// The same, with further lines of its configuration.
    pub fn start_with(folder: &Path, port: u16, lines: &[String]) -> Broker {
        let broker = Broker { folder: folder.join("kafka"), port };
        let port = port.to_string();
        let more: Vec<&str> = [port.as_str()].into_iter().chain(lines.iter().map(String::as_str)).collect();
        broker.script("start", &more);
        broker
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn kill(&self) {
        self.script("kill", &[]);
    }

    /// As it was.
    pub fn start_again(&self) {
        self.script("start", &[]);
    }

    fn script(&self, verb: &str, more: &[&str]) {
        let output = run(verb, &self.folder, more);
        assert!(
            output.status.success(),
            "scripts/kafka {verb}: {} (does it need scripts/setup --tests?)",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Everything on a topic, a line each: headers, a tab, the size of the value.
    pub fn listed(&self, topic: &str) -> Vec<String> {
        let output = self.kcat(&["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%h\t%S\n"]);
        String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    /// Puts the contents of a file on a partition, as one message.
    pub fn put(&self, topic: &str, partition: &str, file: &Path) {
        self.kcat(&["-P", "-t", topic, "-p", partition, file.to_str().unwrap()]);
    }

    fn kcat(&self, arguments: &[&str]) -> Output {
        let output = Command::new("kcat")
            .args(["-E", "-b", &self.address()])
            .args(arguments)
            .output()
            .expect("kcat is installed: run scripts/setup --tests");
        assert!(output.status.success(), "kcat {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

fn run(verb: &str, folder: &Path, more: &[&str]) -> Output {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka"))
        .arg(verb)
        .arg(folder)
        .args(more)
        .output()
        .expect("bash is installed")
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may never have started.
        let _ = run("kill", &self.folder, &[]);
    }
}
