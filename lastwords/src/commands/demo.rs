//! `lastwords demo`: a reconstructed bad week, through the whole pipeline, to the answered question.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context as _;
use indicatif::HumanBytes;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use lastwords_api::{Ask, Known, Reply, Service};
use lastwords_detect::RuleFiles;
use lastwords_query::{Answer, Look, render::wrapped};
use lastwords_shipper::{Uplink, placement, uplink::send};

use super::import;
use crate::{
    args::DemoArgs,
    config::{self, Config, Flags},
    demo::{self, Reconstruction},
    outcome::{Outcome, UsageError, printed},
    output,
    pipeline::{OpenStore, Pipeline},
};
use lastwords_config::environment;

const QUESTION: &str = "panics within 5 minutes of network saturation";
/// What one would ask who has no idea what to ask for.
const FURTHER: [&str; 2] =
    ["what precedes panics within 15 minutes", "what distinguishes guests with panics"];

/// Runs the command.
///
/// # Errors
/// Where the story cannot be written, imported or asked about.
pub async fn run(args: &DemoArgs) -> anyhow::Result<Outcome> {
    let place = Place::choose(args)?;
    let config = config::load(&Flags::default().with_path("--data", Some(&place.data)), &environment)?;
    let mut pipeline = open(&config).await?;
    let logs = tempfile::tempdir().context("no temporary folder for the demo's logs")?;
    let until = last_day(args.until)?;

    output::tell(format_args!(
        "This is a RECONSTRUCTION: {} days of a fleet's logs and counters, made up from seed {}.",
        args.days, args.seed
    ));
    output::tell(
        "The guests' last words in it are real: consoles of virtual machines that were crashed to record them.\n",
    );
    let (seed, days, folder) = (args.seed, args.days, logs.path().to_owned());
    let story = tokio::task::spawn_blocking(move || demo::reconstruct(seed, days, until, &folder))
        .await
        .context("the reconstruction was interrupted")??;
    let uplink = Uplink::InProcess(pipeline.deliver());
    pipeline.while_it_writes(import_all(&config, &story, uplink)).await?;
    let answer = ask(&pipeline, QUESTION).await?;
    let mut further = Vec::new();
    for question in FURTHER {
        further.push((question, ask(&pipeline, question).await?));
    }
    pipeline.finish().await;
    print(&answer, &further, &story, &place)?;
    Ok(Outcome::Done)
}

/// The data folder, and the temporary folder that it may be in.
struct Place {
    data: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn choose(args: &DemoArgs) -> anyhow::Result<Place> {
        if let Some(data) = &args.data {
            if data.join("engine").exists() {
                let message = format!(
                    "--data: {} holds a store already; the demo wants a folder of its own",
                    data.display()
                );
                return Err(UsageError(message).into());
            }
            return Ok(Place { data: data.clone(), temporary: None });
        }
        let folder =
            tempfile::Builder::new().prefix("lastwords-demo-").tempdir().context("no temporary folder")?;
        if args.keep {
            return Ok(Place { data: folder.keep(), temporary: None });
        }
        Ok(Place { data: folder.path().to_owned(), temporary: Some(folder) })
    }
}

/// The day asked for, or yesterday.
fn last_day(asked: Option<Date>) -> anyhow::Result<Date> {
    match asked {
        Some(day) => Ok(day),
        None => {
            let zone = TimeZone::get(demo::TIME_ZONE)?;
            Ok(zone.to_datetime(Timestamp::now()).date().checked_sub(1.day())?)
        }
    }
}

async fn open(config: &Config) -> anyhow::Result<Pipeline> {
    let lock = config.data.try_lock("lastwords demo")?;
    Pipeline::start(OpenStore::open(config, lock).await?, config).await
}

async fn import_all(config: &Config, story: &Reconstruction, uplink: Uplink) -> anyhow::Result<()> {
    let since = Instant::now();
    let bytes =
        story.imports.iter().map(|one| std::fs::metadata(&one.file).map_or(0, |file| file.len())).sum();
    output::tell(format_args!(
        "{} hosts, {} guests, {} files, {} from {} to {}.",
        story.hosts,
        story.guests,
        story.imports.len(),
        HumanBytes(bytes),
        story.start,
        story.end
    ));
    let bar = import::progress_bar(Some(bytes));
    let mut total = import::Added::default();
    for one in &story.imports {
        let options = import::Job {
            host: one.host.clone(),
            guest: one.guest.clone(),
            source: one.source,
            time_zone: TimeZone::get(&one.time_zone)?,
            year: Some(one.year),
            boot_ns: None,
            files: vec![one.file.clone()],
        };
        total += import::import(config, options, uplink.clone(), &bar).await?;
    }
    let text = std::fs::read_to_string(&story.placement).context("the demo's placement cannot be read")?;
    let about = placement::About { host: None, since_ns: 0, time_zone: &TimeZone::UTC };
    let batches = placement::batches(&placement::read(&text, &about)?)?;
    send(uplink, config.host.clone(), batches).await?;
    bar.finish_and_clear();
    let seconds = since.elapsed().as_secs_f64();
    output::tell(format_args!(
        "Imported through the whole pipeline in {seconds:.1} s: {} lines, {} records, {} events.\n",
        total.lines, total.records, total.events
    ));
    Ok(())
}

async fn ask(pipeline: &Pipeline, question: &str) -> anyhow::Result<lastwords_query::Reply> {
    let ask = Ask {
        question: Some(question.to_owned()),
        limit: Some(10),
        time_zone: Some(demo::TIME_ZONE.to_owned()),
        ..Ask::default()
    };
    let service = Service::new(pipeline.open.store.clone(), Known::default(), RuleFiles::default());
    let Reply::Answer(answer) = service.ask(&ask).await? else {
        anyhow::bail!("{question:?} is no question");
    };
    Ok(*answer)
}

fn print(
    reply: &lastwords_query::Reply,
    further: &[(&str, lastwords_query::Reply)],
    story: &Reconstruction,
    place: &Place,
) -> anyhow::Result<()> {
    // The wording has cleaned what comes from logs, and may be coloured.
    let mut out = output::styled_stdout();
    let look = Look { width: output::terminal_width(), colour: output::colour() };
    let rendered = lastwords_query::render(reply, &look);
    printed(writeln!(out, "$ lastwords query '{QUESTION}'\n\n{}\n", rendered.trim_end()))?;
    let anchors = match &reply.answer {
        Answer::Matches(answer) => answer.anchors,
        _ => 0,
    };
    let matched = reply.matched();
    printed(writeln!(
        out,
        "Planted in the story: {} panics, {} of them within 5 minutes of a saturation. Found: {anchors} and {matched}.",
        story.panics, story.panics_near_saturation
    ))?;
    for (question, answer) in further {
        let wrapped = wrapped(&answer.wording.sentence, look.width, "");
        printed(writeln!(out, "\n$ lastwords query '{question}'\n\n{}", wrapped.trim_end()))?;
    }
    printed(writeln!(out, "\n{}", hints(place.temporary.is_none().then_some(&place.data))))
}

fn hints(kept: Option<&PathBuf>) -> String {
    let Some(data) = kept.map(|path| Path::display(path)) else {
        return "The store was temporary. `lastwords demo --data DIR` keeps it, for questions of your own."
            .to_owned();
    };
    format!(
        "Ask on:\n  \
         lastwords query --data {data} 'oom kills within 10 minutes of network saturation'\n  \
         lastwords query --data {data} 'panics within 5 minutes after network saturation by hour of day'\n  \
         lastwords query --data {data} \"SELECT Host, Class, count() FROM events FINAL GROUP BY Host, Class ORDER BY Host, Class\""
    )
}
