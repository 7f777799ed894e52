//! A process that is started again and again under one name, with one log.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;

use super::client::STORE_PASSWORD;
use crate::process;

/// A process under a name; killed when dropped.
pub struct Named {
    /// Its name, and that of its log.
    pub name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    running: Option<Child>,
}

impl Named {
    /// Does not start it yet. Its log is `folder/NAME.log`.
    pub fn new<A: Into<OsString>>(
        folder: &Path,
        name: &str,
        program: PathBuf,
        arguments: impl IntoIterator<Item = A>,
    ) -> Named {
        Named {
            name: name.to_owned(),
            program,
            arguments: arguments.into_iter().map(Into::into).collect(),
            log: folder.join(format!("{name}.log")),
            running: None,
        }
    }

    /// Starts it, whatever was left of it before.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env("LASTWORDS_LOG", std::env::var("LASTWORDS_LOG").unwrap_or_else(|_| "info".to_owned()))
            .env("LASTWORDS_STORE_PASSWORD", STORE_PASSWORD)
            .env("LASTWORDS_CLICKHOUSE_PASSWORD", STORE_PASSWORD)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.running = Some(child);
        Ok(())
    }

    /// kill -9, where it runs.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Any signal, where it runs.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        self.running.as_ref().map_or(Ok(()), |child| process::signal(child, signal))
    }

    /// SIGTERM, and its end.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn terminate(&mut self) -> io::Result<Option<ExitStatus>> {
        self.signal(libc::SIGTERM)?;
        self.running.take().map(|mut child| child.wait()).transpose()
    }

    /// How it ended, once, where it did so by itself.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.running.as_mut().map(Child::try_wait).transpose()?.flatten();
        if status.is_some() {
            self.running = None;
        }
        Ok(status)
    }

    /// User and system time since it was last started.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let child = self.running.as_ref().with_context(|| format!("{} does not run", self.name))?;
        process::cpu_of(child.id())
    }

    /// What the kernel says of its memory and the like, as proc(5) has it.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn status(&self) -> anyhow::Result<String> {
        self.proc("status")
    }

    /// What is mapped into it.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn maps(&self) -> anyhow::Result<String> {
        self.proc("maps")
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let child = self.running.as_ref().with_context(|| format!("{} does not run", self.name))?;
        let path = format!("/proc/{}/{file}", child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }

    /// Its last log lines.
    pub fn last_lines(&self, count: usize) -> String {
        last_lines(&self.log, count)
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// The last lines of a file, or why there are none.
pub fn last_lines(path: &Path, count: usize) -> String {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines.iter().skip(lines.len().saturating_sub(count)).map(|line| format!("    {line}\n")).collect()
        }
        Err(error) => format!("    (no log: {error})\n"),
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
