//! A malicious shipper's program, beside shippers that mean well: everything that a caller can do to an ingester, all at
//! once and again and again. What is judged: no process dies or takes more memory than is stated, and no batch of an
//! honest shipper waits for more than five seconds.
//!
//! - `victim`: the processes, and their memory
//! - `kinds`: the attacks; `wire`: HTTP/2 without manners; `batches`: batches that no shipper would seal
//! - `honest`: shippers with the real uplink

mod batches;
mod honest;
mod kinds;
mod victim;
mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use self::{
    honest::Account,
    kinds::{KINDS, Kind, Tally, Target},
    victim::{Memory, Victim},
};
use crate::figures::Figures;

/// Which attacks, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// Which way batches take to the store.
    #[arg(long, value_enum, default_value_t = Way::Direct)]
    path: Way,
    /// Seed of all that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long it lasts.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only attacks whose name contains one of these words.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// No attacks whose name contains one of these words.
    #[arg(long, value_delimiter = ',')]
    except: Vec<String>,
    /// Keep the folder with data and logs and print where it is.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// `lastwords up`.
    Direct,
    /// `lastwords ingest`, Kafka, `lastwords write`.
    Kafka,
}

impl Options {
    fn chosen(&self) -> Vec<(&'static str, Kind)> {
        let has = |name: &str, words: &[String]| words.iter().any(|word| name.contains(word.as_str()));
        let wanted = |name: &str| self.only.is_empty() || has(name, &self.only);
        KINDS.iter().copied().filter(|(name, _)| wanted(name) && !has(name, &self.except)).collect()
    }
}

const HONEST: usize = 3;
/// Attacks that run beside each other, each with a round at a time.
const CONNECTIONS_MAX: usize = 300;
const HOLD: Duration = Duration::from_secs(12);
const ACKNOWLEDGED_MAX_S: f64 = 5.0;
const SAMPLE: Duration = Duration::from_millis(250);

/// Attacks, and counts.
///
/// # Errors
/// Where a process does not start, or dies.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    // Both sides of every connection are on this machine; the attacker must not be the one who runs out.
    let _ = lastwords_runtime::descriptors::raise();
    let folder = tempfile::Builder::new().prefix("lastwords-attack-").tempdir()?;
    let root = if options.keep { folder.keep() } else { folder.path().to_owned() };
    if options.keep {
        eprintln!("attack: kept in {}", root.display());
    }
    let mut victim = match options.path {
        Way::Direct => Victim::up(&root)?,
        Way::Kafka => Victim::kafka(&root)?,
    };
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let target = Target { address: victim.address, connections_max: CONNECTIONS_MAX, hold: HOLD };
    // A thread of their own each: who is measured must not wait for who attacks.
    let honest = std::thread::spawn(move || ship(target, until));
    let chosen = options.chosen();
    let seed = options.seed;
    let attackers = std::thread::spawn(move || attack(target, until, seed, chosen));
    let mut slowest_health = Duration::ZERO;
    while Instant::now() < until || !attackers.is_finished() || !honest.is_finished() {
        std::thread::sleep(SAMPLE);
        victim.check()?;
        slowest_health = slowest_health.max(victim.health().unwrap_or(Duration::MAX));
    }
    let tallies = attackers.join().map_err(|_| anyhow::anyhow!("the attackers broke"))??;
    let accounts = honest.join().map_err(|_| anyhow::anyhow!("the honest shippers broke"))??;
    Ok(figures(&tallies, &victim.refused()?, &accounts, slowest_health, &victim.memory()?))
}

fn figures(
    tallies: &BTreeMap<&'static str, Tally>,
    refused: &[(String, u64)],
    accounts: &[Account],
    slowest_health: Duration,
    memory: &[Memory],
) -> Figures {
    let mut figures = Figures::default();
    for (name, tally) in tallies {
        figures.push(format!("{name}: sent"), tally.sent, "");
        figures.push(format!("{name}: refused or ended"), tally.refused, "");
        if tally.acknowledged > 0 {
            figures.push(format!("{name}: acknowledged"), tally.acknowledged, "");
        }
    }
    for (labels, count) in refused {
        figures.push(format!("counted as refused: {labels}"), *count, "");
    }
    let mut took: Vec<f64> =
        accounts.iter().flat_map(|account| &account.acknowledged).map(Duration::as_secs_f64).collect();
    took.sort_by(f64::total_cmp);
    figures.push("honest batches acknowledged", took.len(), "");
    figures.push("half of them within", took.get(took.len() / 2).copied().unwrap_or(f64::MAX), "s");
    figures.push("health page, slowest answer", slowest_health.as_secs_f64(), "s");
    const MIB: f64 = 1_048_576.0;
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory, far below 2^53")]
    for one in memory {
        let (peak, bound) = (one.peak_bytes as f64 / MIB, one.bound_bytes as f64 / MIB);
        figures.at_most(format!("{}: peak memory", one.name), peak, "MiB", bound);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let lost = accounts.iter().map(|account| account.lost).sum::<u64>() as f64;
    figures.at_most("honest batches not acknowledged", lost, "", 0.0);
    figures.at_most(
        "slowest acknowledgement of an honest batch",
        took.last().copied().unwrap_or(f64::MAX),
        "s",
        ACKNOWLEDGED_MAX_S,
    );
    figures
}

fn ship(target: Target, until: Instant) -> anyhow::Result<Vec<Account>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let shippers: Vec<_> = (0..HONEST)
            .map(|number| tokio::spawn(honest::ship(target.address, format!("honest{number}"), until)))
            .collect();
        let mut accounts = Vec::new();
        for shipper in shippers {
            accounts.push(shipper.await.unwrap_or(Account { lost: 1, ..Account::default() }));
        }
        accounts
    }))
}

fn attack(
    target: Target,
    until: Instant,
    seed: u64,
    chosen: Vec<(&'static str, Kind)>,
) -> anyhow::Result<BTreeMap<&'static str, Tally>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tallies: Arc<Mutex<BTreeMap<&'static str, Tally>>> = Arc::default();
    runtime.block_on(async {
        let mut attacks = tokio::task::JoinSet::new();
        for (name, kind) in chosen {
            let tallies = Arc::clone(&tallies);
            // Of its own, whichever others run beside it.
            let salt = name.bytes().fold(0_u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
            let mut rng = StdRng::seed_from_u64(seed ^ salt);
            attacks.spawn(async move {
                while Instant::now() < until {
                    let tally = tokio::time::timeout(3 * HOLD, kind.round(target, &mut rng)).await;
                    *tallies.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() +=
                        tally.unwrap_or_default();
                    tokio::time::sleep(Duration::from_millis(rng.random_range(50..500))).await;
                }
            });
        }
        while attacks.join_next().await.is_some() {}
    });
    let counted = tallies.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(counted)
}
