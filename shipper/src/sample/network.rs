//! Reads the counters of every network interface once a second.
//!
//! The feed's cursor is the list of saturations that are open. Where the process ends without a word, the next one
//! finds them there and ends them where they were last seen: no event stays open because nobody looked any more.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use lastwords_record::Host;
use lastwords_runtime::now_ns;

use super::{
    direction::{Direction, Subject, Way},
    interfaces::{Counters, known_speed, read_counters},
    saturation::{Reading, Saturation, Thresholds},
};
use crate::source::{Feed, FeedSender, FeedSource, SourceError, Stop};

/// What is sampled, and from when on it is an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkOptions {
    /// Thresholds of saturation.
    pub thresholds: Thresholds,
    /// Speeds that the kernel does not know or that are shaped, in bits per second, by interface.
    pub speeds_bits_per_second: HashMap<String, u64>,
}

/// The feed of network counters.
#[derive(Debug)]
pub struct Network {
    host: Host,
    options: NetworkOptions,
    proc_net_dev: PathBuf,
    sys_class_net: PathBuf,
}

/// One entry of the cursor.
#[derive(serde::Serialize, serde::Deserialize)]
struct Open {
    interface: String,
    way: Way,
    saturation: Saturation,
}

const EVERY: Duration = Duration::from_secs(1);
/// How soon a stop is heard.
const NAP: Duration = Duration::from_millis(100);

impl Network {
    /// Samples this machine.
    pub fn new(host: Host, options: NetworkOptions) -> Self {
        Network {
            host,
            options,
            proc_net_dev: "/proc/net/dev".into(),
            sys_class_net: "/sys/class/net".into(),
        }
    }

    fn read(
        &self,
        directions: &mut BTreeMap<(String, Way), Direction>,
        feed: &mut Feed,
    ) -> Result<(), SourceError> {
        let counters = read_counters(&self.proc_net_dev).map_err(|source| SourceError::Io {
            what: format!("cannot read {}", self.proc_net_dev.display()),
            source,
        })?;
        let time_ns = now_ns();
        // An interface that is gone ends what it had begun.
        directions.retain(|(interface, _), direction| {
            let there = counters.contains_key(interface);
            if !there {
                direction.finish(&mut feed.samples, &mut feed.events);
            }
            there
        });
        for (interface, Counters { receive, transmit }) in &counters {
            if interface == "lo" {
                continue;
            }
            let configured = self.options.speeds_bits_per_second.get(interface).copied();
            let speed_bits_per_second = configured.or_else(|| known_speed(&self.sys_class_net, interface));
            for (way, (bytes_total, drops_total)) in [(Way::Receive, *receive), (Way::Transmit, *transmit)] {
                let direction = directions
                    .entry((interface.clone(), way))
                    .or_insert_with(|| self.direction(interface, way));
                let reading = Reading { time_ns, bytes_total, drops_total, speed_bits_per_second };
                direction.read(reading, &mut feed.samples, &mut feed.events);
            }
        }
        Ok(())
    }
}

impl Network {
    fn direction(&self, interface: &str, way: Way) -> Direction {
        let subject = Subject { host: self.host.clone(), guest: None, interface: interface.to_owned(), way };
        Direction::new(subject, self.options.thresholds)
    }

    fn empty_feed(&self) -> Feed {
        Feed { stream: self.name().to_owned(), ..Feed::default() }
    }

    /// Ends what an earlier process left open.
    fn end_left_open(&self, cursor: Option<&[u8]>, feed: &mut Feed) {
        let open: Vec<Open> =
            cursor.and_then(|cursor| serde_json::from_slice(cursor).ok()).unwrap_or_default();
        feed.events
            .extend(open.iter().map(|one| self.direction(&one.interface, one.way).event(&one.saturation)));
    }
}

fn cursor(directions: &BTreeMap<(String, Way), Direction>) -> Vec<u8> {
    let open: Vec<Open> = directions
        .iter()
        .filter_map(|((interface, way), direction)| {
            Some(Open { interface: interface.clone(), way: *way, saturation: direction.open()? })
        })
        .collect();
    serde_json::to_vec(&open).unwrap_or_default()
}

impl FeedSource for Network {
    fn name(&self) -> &str {
        "network"
    }

    fn run(&mut self, resume: Option<&[u8]>, feed: &FeedSender, stop: &Stop) -> Result<(), SourceError> {
        let mut directions = BTreeMap::new();
        let mut rows = self.empty_feed();
        self.end_left_open(resume, &mut rows);
        let mut next = Instant::now();
        while !stop.is_set() {
            let now = Instant::now();
            if now < next {
                std::thread::sleep(NAP.min(next - now));
                continue;
            }
            // A machine that slept does not make up for what it has missed.
            next = now.max(next + EVERY);
            self.read(&mut directions, &mut rows)?;
            if !rows.samples.is_empty() || !rows.events.is_empty() {
                rows.cursor = cursor(&directions);
                feed.send(std::mem::replace(&mut rows, self.empty_feed()))?;
            }
        }
        for direction in directions.values_mut() {
            direction.finish(&mut rows.samples, &mut rows.events);
        }
        rows.cursor = cursor(&directions);
        // The pipeline may have gone first: then the next start ends what is open.
        let _ = feed.send(rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net_dev(bytes: u64, drops: u64) -> String {
        format!(
            "h\nh\n  eth0: {bytes} 1 0 {drops} 0 0 0 0 0 0 0 0 0 0 0 0\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
        )
    }

    #[test]
    fn an_interface_that_vanishes_ends_its_saturation() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dev");
        let mut network = Network::new(Host::default(), NetworkOptions::default());
        network.proc_net_dev.clone_from(&file);
        network.options.thresholds.begin_after_ns = 0;
        let (mut directions, mut feed) = (BTreeMap::new(), Feed::default());
        for (bytes, drops) in [(0, 0), (1_000, 1_000_000)] {
            std::fs::write(&file, net_dev(bytes, drops)).unwrap();
            network.read(&mut directions, &mut feed).unwrap();
        }
        assert_eq!(feed.events.len(), 1, "{feed:?}");
        assert!(feed.events[0].title.starts_with("eth0 receive saturated"));
        std::fs::write(&file, "h\nh\n").unwrap();
        network.read(&mut directions, &mut feed).unwrap();
        assert!(feed.events.last().unwrap().end_ns.is_some());
        assert!(directions.is_empty());
    }

    #[test]
    fn what_a_killed_process_left_open_is_ended_by_the_next() {
        let network = Network::new(Host::default(), NetworkOptions::default());
        let mut direction = network.direction("eth0", Way::Transmit);
        for second in 0..9 {
            let reading = Reading {
                time_ns: second * 1_000_000_000,
                bytes_total: 125_000_000 * u64::try_from(second).unwrap(),
                drops_total: 0,
                speed_bits_per_second: Some(1_000_000_000),
            };
            direction.read(reading, &mut Vec::new(), &mut Vec::new());
        }
        let cursor = cursor(&BTreeMap::from([(("eth0".to_owned(), Way::Transmit), direction)]));
        let mut feed = network.empty_feed();
        network.end_left_open(Some(&cursor), &mut feed);
        assert_eq!(feed.events.len(), 1);
        assert_eq!((feed.events[0].start_ns, feed.events[0].end_ns), (0, Some(8_000_000_000)));
    }
}
