//! `demo`: the whole job on a made market, on servers of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{NaiveDate, Utc};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::exit::Exit;
use super::screen::{self, Ink, Style, Table};
use super::showcase::{Catalogue, Exhibit, render_newcomers, render_showcase};
use super::universes::render_universes;
use crate::console::Console;
use crate::demo::day::DayChange;
use crate::demo::load;
use crate::demo::market::MadeMarket;
use crate::demo::servers::{PrivatePostgres, PrivateRedis};
use crate::domain::calendar;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::domain::universe::CacheType;
use crate::http::{Api, Server};
use crate::render::plan::render_plan;
use crate::service::{Preview, Service, preview};
use crate::settings::{LoadArgs, Secret, Settings};
use crate::store::history::When;
use crate::store::{Limits, history, migrations};
use crate::wire::event::Origin;
use crate::worker::shutdown::Shutdown;
use crate::worker::{Until, Worker};

/// Trading days of prices that are loaded.
const SESSIONS: usize = 250;
/// The heading of what comes after the demo.
const NEXT: &str = "What to try next";
/// The first evening of the made market; fixed, so that everybody sees the same.
const FIRST_EVENING: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");

/// Shows the whole job on a made market, with private servers, in under a minute
///
/// Starts a Postgres and a Redis of its own in a temporary folder, loads a market that is made from a seed, syncs two
/// trading days, and shows what came of it. Prices are invented, also those of real companies. Nothing that runs on
/// this machine already is touched, and nothing is left behind.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync demo
  cache-sync demo --keep          (the servers go on, so that you can look around; Ctrl-C ends them)
  cache-sync demo --seed 7 --securities 10000")]
pub struct DemoArgs {
    /// The seed of the market: the same seed makes the same market
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// How many securities the market has
    #[arg(long, default_value_t = 6_000, value_parser = clap::value_parser!(u32).range(3_000..=1_000_000))]
    securities: u32,
    /// Keep servers, a worker and the console running at the end, and say how to reach them
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. It reads no configuration: it shows the program as it comes.
pub async fn demo(args: &DemoArgs, style: &Style) -> Result<(), Exit> {
    let (postgres, redis) = start_servers().await?;
    let settings = settings(&postgres, &redis)?;
    let service = Service::new(&settings).map_err(Exit::NotDone)?;
    let client = service.database.dedicated().await?;

    let mut market = MadeMarket::sized(args.seed, FIRST_EVENING, args.securities as usize);
    let sessions = sessions_up_to(FIRST_EVENING);
    load::create_source_tables(&client, "public").await.map_err(not_done)?;
    load_market(&client, &market, &sessions).await?;
    let step = Step::begin("Making our tables (cache-sync migrate)");
    migrations::migrate(&service.database, &settings.source, &settings.entries).await?;
    step.done();

    title(style, &format!("Day one: {FIRST_EVENING}, the first fill"))?;
    sync(&settings, &service, "day-one").await?;
    show_universes(&service, style).await?;

    let second = calendar::next_session(FIRST_EVENING);
    title(style, &format!("Day two: {second}, prices move, companies come and go"))?;
    let change = market.next_day(second);
    load::apply_day(&client, "public", &market, &change).await.map_err(not_done)?;
    show_news(&change, style)?;
    show_plan(&settings, &service, style).await?;
    sync(&settings, &service, "day-two").await?;
    show_members(&settings, &service, &market, &change, style).await?;
    if !args.keep {
        return show_next(style);
    }
    let shutdown = Shutdown::on_signals(settings.worker.drain).map_err(not_done)?;
    let (server, link) = console(&settings, &shutdown).await?;
    show_kept(&postgres, &redis, &link, style)?;
    keep(&settings, shutdown, server).await
}

async fn start_servers() -> Result<(PrivatePostgres, PrivateRedis), Exit> {
    let step = Step::begin("Starting a private Postgres and a private Redis");
    let started = tokio::task::spawn_blocking(|| {
        let redis = PrivateRedis::start(&[])?;
        PrivatePostgres::start().map(|postgres| (postgres, redis))
    });
    let servers = started.await.map_err(not_done)?.map_err(not_done)?;
    step.done();
    Ok(servers)
}

fn settings(postgres: &PrivatePostgres, redis: &PrivateRedis) -> Result<Settings, Exit> {
    let env = [
        ("DATABASE_URL", postgres.url()),
        ("REDIS_URL", redis.url()),
        ("CACHE_SYNC__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        // A key that nobody knows: the one who reads the link is signed in by it.
        ("CACHE_SYNC_API_KEY", uuid::Uuid::new_v4().to_string()),
    ];
    // A folder without a configuration file: the demo shows the built-in settings.
    let args = LoadArgs {
        config: None,
        directory: postgres.folder().to_owned(),
        env: env.into_iter().map(|(key, value)| (key.into(), value.into())),
        overrides: Vec::new(),
    };
    Ok(Settings::load(args)?)
}

fn sessions_up_to(last: NaiveDate) -> Vec<NaiveDate> {
    let mut sessions: Vec<NaiveDate> =
        std::iter::successors(Some(last), |date| Some(calendar::previous_session(*date)))
            .take(SESSIONS)
            .collect();
    sessions.reverse();
    sessions
}

async fn load_market(
    client: &tokio_postgres::Client,
    market: &MadeMarket,
    sessions: &[NaiveDate],
) -> Result<(), Exit> {
    let text = format!(
        "Loading a made market: {} securities, {} trading days",
        HumanCount(market.securities().len() as u64),
        sessions.len()
    );
    let step = Step::begin(&text);
    load::load_market(client, "public", market, sessions, |done, total| step.progress(done, total))
        .await
        .map_err(not_done)?;
    step.done();
    Ok(())
}

/// Asks for a job and works on it, as `submit` and `worker --once` would.
async fn sync(settings: &Settings, service: &Service, id: &str) -> Result<(), Exit> {
    let step = Step::begin(&format!("Syncing (cache-sync submit --job-id {id}; cache-sync worker --once)"));
    let job_id = JobId::parse(id).expect("the demo's job ids are valid");
    let request = JobRequest::new(job_id.clone(), Mode::Full, "demo", Utc::now());
    service.submit(&request, Origin::Job, Utc::now()).await?;
    let worker = Worker::new(settings, Shutdown::default()).map_err(Exit::NotDone)?;
    Arc::new(worker).run(Until::Idle).await?;
    step.done();
    let job = service.job(&job_id).await?.ok_or_else(|| Exit::NotDone("the job vanished".to_owned()))?;
    if job.status != JobStatus::Completed {
        return Err(Exit::NotDone(format!("the sync {}: {}", job.status, job.error.unwrap_or_default())));
    }
    let result = &job.result;
    screen::print(&format!(
        "\nJob {id} completed in {}: {} changes in {} universes.\n\n",
        screen::duration(job.duration_seconds(Utc::now())),
        screen::thousands(result.total_changes),
        result.universes_updated.len()
    ))
}

async fn show_universes(service: &Service, style: &Style) -> Result<(), Exit> {
    let mut client = service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let universes = history::universes_now(&transaction).await?;
    screen::print(&render_universes(&universes, Utc::now(), style))
}

fn show_news(change: &DayChange, style: &Style) -> Result<(), Exit> {
    let mut table = Table::new(["NEWS", "SYMBOL", "NAME", "WHAT HAPPENED"]);
    for listed in &change.listed {
        let row = [
            "listed".into(),
            listed.symbol.as_str().into(),
            listed.name.as_str().into(),
            listed.story.as_str().into(),
        ];
        table.row(row);
    }
    for gone in &change.delisted {
        let row = [
            "delisted".into(),
            gone.symbol.as_str().into(),
            gone.name.as_str().into(),
            gone.story.as_str().into(),
        ];
        table.row(row);
    }
    screen::print(&format!("{}\n", table.render(style)))
}

/// What the sync will do and why, before it does it.
async fn show_plan(settings: &Settings, service: &Service, style: &Style) -> Result<(), Exit> {
    let request = JobRequest::new(JobId::fresh(), Mode::Full, "demo", Utc::now());
    match preview(&service.database, settings, &request).await? {
        Preview::Planned(plan) => {
            screen::print("What a sync would change now, and why (cache-sync plan):\n\n")?;
            screen::print(&format!("{}\n", render_plan(&plan, style)))
        }
        Preview::Waiting { seen } => Err(Exit::NotDone(format!("the made market is not complete: {seen}"))),
        Preview::Refused(refusal) => Err(refusal.into()),
    }
}

/// Every universe with its first members, and where the day's newcomers are now.
async fn show_members(
    settings: &Settings,
    service: &Service,
    market: &MadeMarket,
    change: &DayChange,
    style: &Style,
) -> Result<(), Exit> {
    let exhibits = exhibits(settings, service).await?;
    let securities = market.securities().iter();
    let catalogue = Catalogue {
        names: securities.map(|security| (security.symbol.as_str(), security.name.as_str())).collect(),
        newcomers: change.listed.iter().map(|listed| listed.symbol.as_str()).collect(),
    };
    screen::print("All universes now; * is new today.\n\n")?;
    screen::print(&render_showcase(&exhibits, &catalogue, style))?;
    screen::print(&format!("\n{}", render_newcomers(&exhibits, &catalogue, style)))
}

async fn exhibits(settings: &Settings, service: &Service) -> Result<Vec<Exhibit>, Exit> {
    let mut client = service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let mut exhibits = Vec::new();
    for universe in history::universes_now(&transaction).await? {
        let Some(cache_type) = CacheType::from_text(&universe.cache_type) else { continue };
        let members =
            history::universe_members(&transaction, &settings.entries, &universe.universe, When::default())
                .await?;
        let members = members.unwrap_or_default().into_iter().map(|member| member.symbol).collect();
        exhibits.push(Exhibit { universe: universe.universe, cache_type, members });
    }
    Ok(exhibits)
}

fn show_next(style: &Style) -> Result<(), Exit> {
    screen::print(&format!(
        "\n{}\n  cache-sync demo --keep     the same, and the servers and the console stay for you to look around\n  \
         cache-sync --help          every command, with examples\n  \
         cache-sync doctor          whether your own Postgres and Redis are ready\n",
        style.paint(Ink::Bold, NEXT)
    ))
}

/// What can be looked at while the servers stay.
fn show_kept(
    postgres: &PrivatePostgres,
    redis: &PrivateRedis,
    link: &str,
    style: &Style,
) -> Result<(), Exit> {
    screen::print(&format!(
        "\n{}, in a browser (the link signs you in once, within ten minutes)\n\n  {link}\n\nand in another \
         terminal\n\n  export DATABASE_URL='{}' REDIS_URL={}\n  \
         cache-sync universes top_100\n  cache-sync jobs show day-two\n  cache-sync themes candidates\n  cache-sync submit --wait\n  \
         {} XADD tickstock:jobs:cache_sync '*' mode full triggered_by admin\n  \
         {} -c 'select universe, symbol_count, status from cache_entries_metadata'\n\n\
         A worker and the console are running. Ctrl-C ends them and the servers.\n",
        style.paint(Ink::Bold, NEXT),
        postgres.url(),
        redis.url(),
        redis.redis_cli_command(),
        postgres.psql_command(),
    ))
}

/// The server of the console, on a port that is free, and a link that signs its first visitor in.
async fn console(settings: &Settings, shutdown: &Shutdown) -> Result<(Server, String), Exit> {
    let key = settings.http.api_key.as_ref().map(Secret::expose).unwrap_or_default();
    let api = Api::new(settings, None, shutdown.clone()).map_err(Exit::NotDone)?;
    let server = Server::bind(api, settings.http.listen).await.map_err(Exit::NotDone)?;
    let console = Console::new(settings, shutdown.clone()).map_err(Exit::NotDone)?;
    let link =
        console.ticket(key).zip(server.address()).map(|(path, address)| format!("http://{address}{path}"));
    let link = link.ok_or_else(|| Exit::NotDone("the console has no address".to_owned()))?;
    Ok((server.with_pages(console.router()), link))
}

/// Works on and answers until Ctrl-C.
async fn keep(settings: &Settings, shutdown: Shutdown, server: Server) -> Result<(), Exit> {
    let worker = Worker::new(settings, shutdown).map_err(Exit::NotDone)?;
    let (ended, ()) = tokio::join!(Arc::new(worker).run(Until::Stopped), server.run());
    Ok(ended?)
}

fn title(style: &Style, text: &str) -> Result<(), Exit> {
    screen::print(&format!("\n{}\n\n", style.paint(Ink::Bold, text)))
}

fn not_done(error: impl std::fmt::Display) -> Exit {
    Exit::NotDone(error.to_string())
}

/// Something that takes a while: a spinner or a bar on a terminal, one line when it is done anywhere.
struct Step {
    text: String,
    bar: ProgressBar,
    began: Instant,
}

impl Step {
    fn begin(text: &str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { text: text.to_owned(), bar, began: Instant::now() }
    }

    fn progress(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {percent:>3} %");
            self.bar.set_style(style.expect("the template is well formed"));
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    fn done(self) {
        self.bar.finish_and_clear();
        screen::remark(&format!(
            "{} ... {}",
            self.text,
            screen::duration(self.began.elapsed().as_secs_f64())
        ));
    }
}
