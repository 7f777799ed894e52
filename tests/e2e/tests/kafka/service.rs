//! A process of ours that is started again and again.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use lastwords_e2e::program;

/// Killed when dropped.
pub struct Service {
    name: String,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Service {
    /// Starts `lastwords ARGUMENTS`, or `lastwords-shipper --config …`.
    pub fn start(folder: &Path, name: &str, arguments: &[&str]) -> Service {
        let mut service = Service {
            name: name.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            log: folder.join(format!("{name}.log")),
            child: None,
        };
        service.start_again();
        service
    }

    pub fn start_again(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = if self.name.starts_with("shipper") {
            let mut command = Command::new(program::binary().with_file_name("lastwords-shipper"));
            command.args(&self.arguments);
            command
        } else {
            program::command(&self.arguments)
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        self.child = Some(child);
    }

    /// Sends it a signal, as `kill` names it.
    pub fn signal(&mut self, signal: &str) {
        self.assert_runs();
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// kill -9. It must not have ended by itself.
    pub fn kill(&mut self) {
        self.assert_runs();
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn assert_runs(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
        assert!(ended.is_none(), "{} ended by itself: {ended:?}\n{}", self.name, self.said());
    }

    /// What it has logged last.
    pub fn said(&self) -> String {
        let log = String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        format!("{}:\n{}\n", self.name, lines[lines.len().saturating_sub(12)..].join("\n"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
