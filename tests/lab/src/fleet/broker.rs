//! Apache Kafka itself, by `scripts/kafka`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{fleet::child::last_lines, process};

/// One broker on loopback; killed when dropped.
pub struct Broker {
    script: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Lines of its configuration.
    lines: Vec<String>,
    starting: Option<Child>,
}

impl Broker {
    /// A broker that will live in `folder`, at `port` and the next one. Does not start it.
    pub fn new(folder: PathBuf, port: u16) -> Broker {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka");
        Broker { script, folder, port, lines: Vec::new(), starting: None }
    }

    /// Has a further listener at a port, of which it says that it is at `proxy`: who asks there stays behind the proxy.
    #[must_use]
    pub fn behind(mut self, port: u16, proxy: SocketAddr) -> Broker {
        let own = self.port;
        self.lines = vec![
            format!(
                "listeners=PROXIED://127.0.0.1:{port},PLAINTEXT://127.0.0.1:{own},CONTROLLER://127.0.0.1:{}",
                own + 1
            ),
            format!("advertised.listeners=PROXIED://{proxy},PLAINTEXT://127.0.0.1:{own}"),
            "listener.security.protocol.map=PROXIED:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
                .to_owned(),
            "inter.broker.listener.name=PLAINTEXT".to_owned(),
        ];
        self
    }

    /// Where its data goes: a file system of its own may be mounted there before the first start.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Begins a start and does not wait.
    ///
    /// # Errors
    /// Where the script cannot be run.
    pub fn begin_start(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let said = fs::File::create(self.folder.join("start.log"))?;
        let child = Command::new(&self.script)
            .arg("start")
            .arg(&self.folder)
            .arg(self.port.to_string())
            .args(&self.lines)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot run {}", self.script.display()))?;
        self.starting = Some(child);
        Ok(())
    }

    /// Whether the start that was begun has ended: with a broker that answers, or without one.
    ///
    /// # Errors
    /// Where no start was begun.
    pub fn started(&mut self) -> anyhow::Result<Option<bool>> {
        let child = self.starting.as_mut().context("no start of the broker was begun")?;
        let ended = child.try_wait()?;
        if ended.is_some() {
            self.starting = None;
        }
        Ok(ended.map(|status| status.success()))
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.begin_start()?;
        let mut child = self.starting.take().context("it was just begun")?;
        ensure!(child.wait()?.success(), "Kafka does not start:\n{}", self.last_lines(20));
        Ok(())
    }

    /// kill -9, also in the middle of a start.
    ///
    /// # Errors
    /// Where the script fails.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut starting) = self.starting.take() {
            starting.kill()?;
            starting.wait()?;
        }
        if !self.folder.join("server.properties").exists() {
            return Ok(());
        }
        let killed = Command::new(&self.script).arg("kill").arg(&self.folder).output()?;
        ensure!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        Ok(())
    }

    /// Whether there is such a process.
    pub fn runs(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        // A zombie has no command line.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    /// User and system time since it was last started.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu_of(self.pid().context("Kafka does not run")?)
    }

    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.folder.join("kafka.pid")).ok()?.trim().parse().ok()
    }

    /// What its start and it said last.
    pub fn last_lines(&self, count: usize) -> String {
        last_lines(&self.folder.join("start.log"), count) + &last_lines(&self.log(), count)
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("lab: the broker in {} may still run: {error:#}", self.folder.display());
        }
    }
}
