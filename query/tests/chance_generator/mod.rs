//! Random fleets: anchors and partners that have nothing to do with each other beyond a shared
//! rhythm, shared bad days, outages or bursts, and others where a share of the anchors follows.

use jiff::tz::TimeZone;
use lastwords_query::chance::{self, Assessment, Input, Intervals, Relation, Windows};

const MINUTE_NS: i64 = 60_000_000_000;
const DAY: usize = 1440;
/// D, minutes.
pub const WITHIN: i64 = 5;
/// Monday, 2024-01-01 00:00 UTC.
pub const FROM_NS: i64 = 1_704_067_200 * 1_000_000_000;

/// PCG XSL-RR 128/64 (O'Neill) and the distributions drawn from it.
pub struct Random(u128);

impl Random {
    pub fn new(seed: u64, dataset: u64) -> Random {
        let mut random =
            Random((u128::from(seed) << 64 | u128::from(dataset)).wrapping_mul(0x2545_f491_4f6c_dd1d));
        (0..4).for_each(|_| {
            random.next();
        });
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
        ((self.0 >> 64) as u64 ^ self.0 as u64).rotate_right((self.0 >> 122) as u32)
    }

    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn poisson(&mut self, mean: f64) -> usize {
        let (mut sum, mut count) = (self.exponential(1.0), 0);
        while sum < mean {
            sum += self.exponential(1.0);
            count += 1;
        }
        count
    }

    /// Number of trials up to the first success.
    fn geometric(&mut self, p: f64) -> usize {
        if p >= 1.0 { 1 } else { 1 + (self.unit().ln() / (1.0 - p).ln()) as usize }
    }

    /// Marsaglia and Tsang, with Johnk's power for shapes below 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.unit().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// Draws by weight.
struct Weights(Vec<f64>);

impl Weights {
    fn new(weights: impl IntoIterator<Item = f64>) -> Weights {
        let sums = weights.into_iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Weights(sums.collect())
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|&sum| sum <= at).min(self.0.len() - 1)
    }
}

/// The rhythm of the day that both sides share.
#[derive(Clone, Copy)]
pub enum Rhythm {
    Flat,
    /// Around 15:00, standard deviation two hours.
    Wide,
    /// Around 15:00, standard deviation 20 minutes.
    Narrow,
    /// 03:07, 4 minutes either way.
    Cron,
    /// 03:07, a minute either way.
    Sharp,
}

impl Rhythm {
    fn weights(self) -> Weights {
        let bell = |minute: f64, deviation: f64| (-0.5 * ((minute - 900.0) / deviation).powi(2)).exp();
        let scheduled = |now: bool| if now { 100.0 } else { 0.05 };
        Weights::new((0..DAY).map(|minute| match self {
            Rhythm::Flat => 1.0,
            Rhythm::Wide => 0.1 + 3.0 * bell(minute as f64, 120.0),
            Rhythm::Narrow => 0.05 + 10.0 * bell(minute as f64, 20.0),
            Rhythm::Cron => scheduled((183..=191).contains(&minute)),
            Rhythm::Sharp => scheduled((186..=188).contains(&minute)),
        }))
    }
}

/// A kind of fleet. [`Scenario::BASE`] is a quiet one.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub hosts: usize,
    pub days: usize,
    pub anchors: usize,
    /// Partners per host and day.
    pub partners: f64,
    /// Mean length of a partner, minutes.
    pub length: f64,
    /// Partners come in bursts of this mean size, over two hours.
    pub partner_burst: usize,
    /// Anchors come in bursts of this mean size, within two minutes.
    pub anchor_burst: usize,
    /// Log deviation of the hosts' shares.
    pub uneven: f64,
    /// A tenth on weekends.
    pub weekly: bool,
    pub rhythm: Rhythm,
    /// Partners that hit every host at once, per day.
    pub outages: f64,
    /// Instants when half the hosts have an anchor.
    pub fleet_anchors: usize,
    /// Three-hour spells on one host that hold most of both.
    pub surges: usize,
    /// Shape of the gamma weights of host-days; 0 for none.
    pub bad_days: f64,
    /// Share of the anchors that follows a partner.
    pub following: f64,
    /// Partners are consequences of the anchors, which come in threes.
    pub reverse: bool,
}

impl Scenario {
    pub const BASE: Scenario = Scenario {
        hosts: 20,
        days: 14,
        anchors: 60,
        partners: 4.0,
        length: 10.0,
        partner_burst: 1,
        anchor_burst: 1,
        uneven: 0.0,
        weekly: false,
        rhythm: Rhythm::Flat,
        outages: 0.0,
        fleet_anchors: 0,
        surges: 0,
        bad_days: 0.0,
        following: 0.0,
        reverse: false,
    };
}

/// Rows of unit, start and end, minutes since the start of the range.
pub struct Dataset {
    pub scenario: Scenario,
    pub anchors: Vec<(u32, i64)>,
    pub partners: Vec<(u32, i64, i64)>,
}

/// Where one side's events fall.
struct Placing {
    scenario: Scenario,
    hosts: Weights,
    days: Weights,
    host_days: Option<Weights>,
    minutes: Weights,
    surges: Vec<(usize, i64)>,
}

impl Placing {
    fn new(scenario: Scenario, random: &mut Random) -> Placing {
        let Scenario { hosts, days, .. } = scenario;
        let uneven: Vec<f64> = (0..hosts).map(|_| (scenario.uneven * random.normal()).exp()).collect();
        let host_days = (scenario.bad_days > 0.0)
            .then(|| Weights::new((0..hosts * days).map(|_| random.gamma(scenario.bad_days) + 1e-9)));
        let latest = (days * DAY).saturating_sub(180);
        let surges =
            (0..scenario.surges).map(|_| (random.below(hosts), random.below(latest) as i64)).collect();
        Placing {
            scenario,
            hosts: Weights::new(uneven),
            days: Weights::new((0..days).map(|day| if scenario.weekly && day % 7 >= 5 { 0.1 } else { 1.0 })),
            host_days,
            minutes: scenario.rhythm.weights(),
            surges,
        }
    }

    fn draw(&self, random: &mut Random) -> (usize, i64) {
        if !self.surges.is_empty() && random.unit() < 0.8 {
            let (host, start) = self.surges[random.below(self.surges.len())];
            return (host, start + random.below(180) as i64);
        }
        let (host, day) = match &self.host_days {
            Some(weights) => {
                let drawn = weights.draw(random);
                (drawn / self.scenario.days, drawn % self.scenario.days)
            }
            None => (self.hosts.draw(random), self.days.draw(random)),
        };
        (host, (day * DAY + self.minutes.draw(random)) as i64)
    }
}

pub fn dataset(scenario: Scenario, random: &mut Random) -> Dataset {
    let last = (scenario.days * DAY) as i64 - 1;
    let placing = Placing::new(scenario, random);
    let mut partners = partners(&placing, random);
    partners.retain(|&(_, start, _)| start <= last);

    let mut anchors = Vec::new();
    let bursts = (scenario.anchors as f64 / scenario.anchor_burst as f64).round().max(1.0) as usize;
    for _ in 0..bursts {
        let (mut host, mut minute) = placing.draw(random);
        if scenario.following > 0.0 && !partners.is_empty() && random.unit() < scenario.following {
            let (unit, start, _) = partners[random.below(partners.len())];
            (host, minute) = (unit as usize, start + random.below(WITHIN as usize) as i64);
        }
        if scenario.anchor_burst > 1 {
            for _ in 0..random.geometric(1.0 / scenario.anchor_burst as f64) {
                anchors.push((host as u32, minute + random.below(2) as i64));
            }
        } else {
            anchors.push((host as u32, minute));
        }
    }
    for _ in 0..scenario.fleet_anchors {
        let minute = random.below(scenario.days * DAY) as i64;
        let mut hosts: Vec<u32> = (0..scenario.hosts as u32).collect();
        for i in 0..hosts.len() / 2 {
            let other = i + random.below(hosts.len() - i);
            hosts.swap(i, other);
            anchors.push((hosts[i], minute));
        }
    }
    if scenario.reverse {
        let mut chains = Vec::new();
        for &(host, minute) in &anchors {
            let second = minute + 3 + random.below(6) as i64;
            chains.extend([(host, minute), (host, second), (host, second + 3 + random.below(6) as i64)]);
        }
        anchors = chains;
        partners.extend(anchors.iter().map(|&(host, minute)| (host, minute + 1, minute + 1)));
    }
    for anchor in &mut anchors {
        anchor.1 = anchor.1.clamp(0, last);
    }
    anchors.sort_unstable();
    partners.sort_unstable();
    Dataset { scenario, anchors, partners }
}

fn partners(placing: &Placing, random: &mut Random) -> Vec<(u32, i64, i64)> {
    let scenario = placing.scenario;
    let host_days = (scenario.hosts * scenario.days) as f64;
    let clusters = (random.poisson(scenario.partners * host_days) / scenario.partner_burst).max(1);
    let mut partners = Vec::new();
    for _ in 0..clusters {
        let (host, minute) = placing.draw(random);
        let burst = scenario.partner_burst;
        let size = if burst > 1 { random.poisson(burst as f64).max(1) } else { 1 };
        for _ in 0..size {
            let start = if burst > 1 { minute + random.below(120) as i64 } else { minute };
            // Whole minutes: one of length 1 covers its own minute.
            let length = random.exponential(scenario.length).ceil() as i64;
            partners.push((host as u32, start, start + length - 1));
        }
    }
    if scenario.outages > 0.0 {
        for _ in 0..random.poisson(scenario.outages * scenario.days as f64).max(1) {
            let start = random.below(scenario.days * DAY) as i64;
            let end = start + scenario.length as i64 - 1;
            partners.extend((0..scenario.hosts as u32).map(|host| (host, start, end)));
        }
    }
    partners
}

impl Dataset {
    /// `after`, D = 5 minutes, on the same host.
    pub fn assess(&self, seed: u64) -> Assessment {
        self.with_input(seed, chance::assess)
    }

    /// The same question, for whoever asks it.
    pub fn with_input<R>(&self, seed: u64, ask: impl FnOnce(&Input<'_>) -> R) -> R {
        let at = |minute: i64| FROM_NS + minute * MINUTE_NS;
        let unit: Vec<u32> = self.partners.iter().map(|p| p.0).collect();
        let start: Vec<i64> = self.partners.iter().map(|p| at(p.1)).collect();
        let end: Vec<i64> = self.partners.iter().map(|p| at(p.2 + 1) - 1).collect();
        let anchor_unit: Vec<u32> = self.anchors.iter().map(|a| a.0).collect();
        let anchor: Vec<i64> = self.anchors.iter().map(|a| at(a.1)).collect();
        let to_ns = at((self.scenario.days * DAY) as i64);
        let units = self.scenario.hosts as u32;
        let within_ns = WITHIN * MINUTE_NS;
        let windows = Windows::around(
            Intervals { unit: &unit, start_ns: &start, end_ns: &end },
            Relation::After,
            within_ns,
            to_ns,
            units,
        );
        ask(&Input {
            anchors: Intervals { unit: &anchor_unit, start_ns: &anchor, end_ns: &anchor },
            windows: &windows,
            relation: Relation::After,
            within_ns,
            from_ns: FROM_NS,
            to_ns,
            watermark_ns: to_ns,
            time_zone: &TimeZone::UTC,
            units,
            seed,
            same_events: false,
        })
    }
}
