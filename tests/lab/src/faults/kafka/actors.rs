//! The processes on the way through Kafka: what each of them is doing, and what happened to it.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::fleet::{broker::Broker, child::Named};

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Shipper,
    Ingester,
    Writer,
    Broker,
    Store,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Shipper, Role::Ingester, Role::Writer, Role::Broker, Role::Store];

    /// What such a kill is called among the figures.
    pub fn killed(self) -> &'static str {
        match self {
            Role::Shipper => "killed shipper",
            Role::Ingester => "killed ingester",
            Role::Writer => "killed writer",
            Role::Broker => "killed broker",
            Role::Store => "killed store",
        }
    }

    /// What such a pause is called; none: it is not paused.
    pub fn paused(self) -> Option<&'static str> {
        match self {
            Role::Shipper => Some("paused shipper"),
            Role::Ingester => Some("paused ingester"),
            Role::Writer => Some("paused writer"),
            Role::Store => Some("paused store"),
            Role::Broker => None,
        }
    }
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Runs,
    /// A broker takes seconds.
    Starts,
    Paused(Instant),
    Down(Instant),
}

/// How it is started and ended.
pub enum Part {
    Process(Named),
    Broker(Broker),
}

/// How a process came to its end without our doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended(Option<std::process::ExitStatus>);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // It names the signal, if it was one.
            Some(status) => write!(f, "{status}"),
            None => write!(f, "no such process any more"),
        }
    }
}

/// One process.
pub struct Actor {
    pub role: Role,
    pub part: Part,
    pub state: State,
    /// Index of the small file system that it writes to.
    pub disk: Option<usize>,
}

impl Actor {
    pub fn process(role: Role, named: Named, disk: Option<usize>) -> Actor {
        Actor { role, part: Part::Process(named), state: State::Down(Instant::now()), disk }
    }

    pub fn broker(broker: Broker, disk: Option<usize>) -> Actor {
        Actor { role: Role::Broker, part: Part::Broker(broker), state: State::Down(Instant::now()), disk }
    }

    pub fn name(&self) -> &str {
        match &self.part {
            Part::Process(named) => &named.name,
            Part::Broker(_) => "broker",
        }
    }

    pub fn log(&self) -> PathBuf {
        match &self.part {
            Part::Process(named) => named.log().to_owned(),
            Part::Broker(broker) => broker.log(),
        }
    }

    pub fn last_lines(&self) -> String {
        match &self.part {
            Part::Process(named) => named.last_lines(15),
            Part::Broker(broker) => broker.last_lines(15),
        }
    }

    pub fn start(&mut self) -> anyhow::Result<()> {
        self.state = match &mut self.part {
            Part::Process(named) => {
                named.start()?;
                State::Runs
            }
            Part::Broker(broker) => {
                broker.begin_start()?;
                State::Starts
            }
        };
        Ok(())
    }

    /// kill -9; it comes back after a while.
    pub fn kill(&mut self, down: Duration) -> anyhow::Result<()> {
        match &mut self.part {
            Part::Process(named) => named.kill()?,
            Part::Broker(broker) => broker.kill()?,
        }
        self.state = State::Down(Instant::now() + down);
        Ok(())
    }

    pub fn pause(&mut self, length: Duration) -> anyhow::Result<()> {
        if let Part::Process(named) = &self.part {
            named.signal(libc::SIGSTOP)?;
            self.state = State::Paused(Instant::now() + length);
        }
        Ok(())
    }

    pub fn resume(&mut self) -> anyhow::Result<()> {
        if let Part::Process(named) = &self.part {
            named.signal(libc::SIGCONT)?;
        }
        self.state = State::Runs;
        Ok(())
    }

    /// How it ended, where it did without our doing.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ended>> {
        Ok(match &mut self.part {
            Part::Process(named) => named.ended()?.map(|status| Ended(Some(status))),
            Part::Broker(broker) => match self.state {
                State::Starts => match broker.started()? {
                    Some(true) => {
                        self.state = State::Runs;
                        None
                    }
                    Some(false) => Some(Ended(None)),
                    None => None,
                },
                _ => (!broker.runs()).then_some(Ended(None)),
            },
        })
    }
}
