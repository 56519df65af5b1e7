//! `GET /metrics`: how it goes, in numbers, for Prometheus.
//!
//! What stands in Postgres and Redis is read at the scrape, at most every [`FRESH_FOR`], into gauges that are made anew
//! each time: a server that is away shows as `..._up 0` and as gauges that are missing, never as old numbers. Jobs are
//! counted from their rows as they end, so every process with an API counts all jobs since its own start, whichever
//! worker did them; where several are scraped, take one (or `max`), not the sum.
//!
//! Labels have few values: modes, outcomes, states, routes as they are declared, and the universes that are configured.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};
use tokio::sync::Mutex;
use tracing::debug;

use super::{Api, READ_LIMITS, SERVER_WITHIN};
use crate::domain::job::JobStatus;
use crate::domain::task::Mode;
use crate::failure::Failure;
use crate::plan::market::screening::{Anomaly, Quarantined};
use crate::redis::stream_state::{self, StreamState};
use crate::store::figures::{self, EndedJob, Figures, Remembered};
use crate::store::history::{self, UniverseNow};
use crate::store::quarantine::{self, QuarantineNow};

/// How long what was read is shown again: several scrapers cost no more than one.
const FRESH_FOR: Duration = Duration::from_secs(3);
/// Jobs counted at one scrape; the rest has its turn at the next.
const JOBS_AT_ONCE: i64 = 1_000;
/// How long after its end a job may still come into sight: the time of its end is taken before its commit.
const LATE_BY: TimeDelta = TimeDelta::minutes(5);
/// The most universes that are shown; an installation has about fifty.
const MAX_UNIVERSES: usize = 500;
/// Upper bounds of job durations, in seconds.
const JOB_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0];
/// Upper bounds of answer times, in seconds; none takes longer than two.
const ANSWER_SECONDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.0];

/// How jobs may end, as a label.
const OUTCOMES: [JobStatus; 3] = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];

/// The gauges that a scrape reads, and what they mean.
const GAUGES: [(&str, &str); 28] = [
    ("cache_sync_build_info", "1, with the version as a label"),
    ("cache_sync_postgres_up", "1 if Postgres answered at this scrape, else 0"),
    ("cache_sync_redis_up", "1 if Redis answered at this scrape, else 0"),
    ("cache_sync_postgres_pool_connections", "Connections of the API's pool, by state"),
    ("cache_sync_postgres_pool_limit_connections", "The most connections of the API's pool"),
    ("cache_sync_redis_answer_seconds", "How long Redis took to tell the state of the job stream"),
    ("cache_sync_postgres_answer_seconds", "How long Postgres took to tell the figures of this scrape"),
    ("cache_sync_open_jobs", "Accepted jobs that have not ended, by status"),
    ("cache_sync_queue_entries", "Entries on the job stream: undelivered, or pending with a worker"),
    (
        "cache_sync_oldest_waiting_job_age_seconds",
        "How long the oldest job has waited whose turn it is and that no worker has; 0 where none waits",
    ),
    ("cache_sync_dead_letters", "Dead letters that are kept"),
    (
        "cache_sync_stream_lost_entries",
        "Entries that are gone from the job stream and that no worker took off: 0, or somebody trims or deletes",
    ),
    (
        "cache_sync_stream_set_back",
        "1 if Postgres remembers a newer entry than Redis ever had: Redis has lost data; else 0",
    ),
    ("cache_sync_stream_age_seconds", "Time since the job stream was made; falls when Redis loses it"),
    ("cache_sync_consumer_group_exists", "1 if the consumer group of the workers exists, else 0"),
    ("cache_sync_live_workers", "Workers that have read the stream or touched an entry within a lease"),
    ("cache_sync_worker_silence_seconds", "Time since any worker last read the stream or touched an entry"),
    ("cache_sync_held_jobs", "Jobs whose owner gave a sign of life within a lease"),
    (
        "cache_sync_owner_heartbeat_age_seconds",
        "Age of the oldest last heartbeat among the owners of jobs; 0 where no job is held",
    ),
    ("cache_sync_outbox_unsent_events", "Events that are committed and not told yet"),
    ("cache_sync_outbox_lag_seconds", "Age of the oldest event that is not told yet; 0 where all are told"),
    (
        "cache_sync_last_good_sync_age_seconds",
        "Time since a sync was last applied, also one that changed nothing; missing before the first",
    ),
    ("cache_sync_universe_members", "Members of each universe"),
    ("cache_sync_universe_last_changes", "Members that joined or left each universe in its last sync"),
    ("cache_sync_universe_held", "1 for each universe that a guard holds back, else 0"),
    ("cache_sync_universe_sync_age_seconds", "Time since a sync last looked at each universe"),
    ("cache_sync_held_universes", "Universes that a guard holds back"),
    ("cache_sync_quarantined_symbols", "Stocks whose value the last sync did not believe, by kind"),
];

/// Answers a scrape.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, api.metrics.render(&api).await)
}

/// The counters of this process, and what was read last.
pub(super) struct Metrics {
    counters: PrometheusRecorder,
    reading: Mutex<Reading>,
}

struct Reading {
    shown: Option<(Instant, String)>,
    tally: Tally,
}

impl Metrics {
    /// Nothing counted yet.
    pub(super) fn new() -> Self {
        let counters = counters().expect("the bounds above are not empty");
        with_local_recorder(&counters, begin_counting);
        Self { counters, reading: Mutex::new(Reading { shown: None, tally: Tally::since(Utc::now()) }) }
    }

    /// Counts an answer.
    pub(super) fn count_request(
        &self,
        route: &str,
        method: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let route = route.to_owned();
        with_local_recorder(&self.counters, || {
            counter!(
                "cache_sync_http_requests_total",
                "method" => method, "route" => route.clone(), "status" => status.as_u16().to_string()
            )
            .increment(1);
            histogram!("cache_sync_http_request_duration_seconds", "route" => route).record(took);
        });
    }

    /// Sums up single measurements.
    pub(super) fn tidy(&self) {
        self.counters.handle().run_upkeep();
    }

    async fn render(&self, api: &Api) -> String {
        let mut reading = self.reading.lock().await;
        let is_fresh = reading.shown.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH_FOR);
        if !is_fresh {
            let gauges = self.read(api, &mut reading.tally).await;
            reading.shown = Some((Instant::now(), gauges));
        }
        let mut text = self.counters.handle().render();
        if let Some((_, gauges)) = &reading.shown {
            text.push_str(gauges);
        }
        text
    }

    /// Asks both servers at once, and shows what they said.
    async fn read(&self, api: &Api, tally: &mut Tally) -> String {
        let now = Utc::now();
        let postgres = timed(from_postgres(api, tally.horizon(), now));
        let redis = timed(stream_state::look(&api.service.redis, &api.service.names));
        let (postgres, mut redis) = tokio::join!(postgres, redis);
        let newest = postgres.as_ref().and_then(|(found, _)| found.remembered).map(|known| known.newest);
        let is_behind = |state: &StreamState| newest.is_some_and(|newest| state.is_set_back(newest));
        // Asked at the same time, Redis may have answered before the entry was written that Postgres told of.
        if redis.as_ref().is_some_and(|(state, _)| is_behind(state)) {
            redis = timed(stream_state::look(&api.service.redis, &api.service.names)).await;
        }
        let is_set_back = newest.and(redis.as_ref()).map(|(state, _)| is_behind(state));
        if let Some((found, _)) = &postgres {
            let fresh = tally.take(&found.ended);
            with_local_recorder(&self.counters, || fresh.iter().for_each(|job| count_job(job)));
        }
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || {
            for (name, help) in GAUGES {
                describe_gauge!(name, help);
            }
            gauge!("cache_sync_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
            show_pool(api);
            show_postgres(postgres.as_ref(), now);
            show_redis(redis.as_ref(), api.lease, now);
            if let Some(is_set_back) = is_set_back {
                gauge!("cache_sync_stream_set_back").set(f64::from(u8::from(is_set_back)));
            }
            show_oldest_waiting(postgres.as_ref(), redis.as_ref(), now);
        });
        recorder.handle().render()
    }
}

/// What a server said, and how long it took; `None` where it did not, in time or at all.
type Answer<T> = Option<(T, Duration)>;

async fn timed<T>(asked: impl Future<Output = Result<T, Failure>>) -> Answer<T> {
    let began = Instant::now();
    match tokio::time::timeout(SERVER_WITHIN, asked).await {
        Ok(Ok(found)) => Some((found, began.elapsed())),
        Ok(Err(failure)) => {
            debug!("metrics: {failure}");
            None
        }
        Err(_) => None,
    }
}

/// What Postgres knows, from one snapshot.
struct Found {
    figures: Figures,
    remembered: Option<Remembered>,
    universes: Vec<UniverseNow>,
    quarantine: QuarantineNow,
    ended: Vec<EndedJob>,
}

async fn from_postgres(api: &Api, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<Found, Failure> {
    let mut client = api.service.database.client().await?;
    let transaction = client.begin_read_only(READ_LIMITS).await?;
    Ok(Found {
        figures: figures::read(&transaction, api.lease, now).await?,
        remembered: figures::remembered(&transaction).await?,
        universes: history::universes_now(&transaction).await?,
        quarantine: quarantine::read(&transaction).await?,
        ended: figures::ended_since(&transaction, since, JOBS_AT_ONCE).await?,
    })
}

fn counters() -> Result<PrometheusRecorder, BuildError> {
    let of = |name: &str| Matcher::Full(name.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(of("cache_sync_job_duration_seconds"), &JOB_SECONDS)?
        .set_buckets_for_metric(of("cache_sync_http_request_duration_seconds"), &ANSWER_SECONDS)?
        .build_recorder())
}

/// Every count of jobs begins with 0: a first failure shows as a rise.
fn begin_counting() {
    describe_counter!(
        "cache_sync_jobs_total",
        "Jobs that ended since this process began, by mode and outcome"
    );
    describe_counter!("cache_sync_job_attempts_total", "Attempts that these jobs took, by mode");
    describe_histogram!(
        "cache_sync_job_duration_seconds",
        "From a job's start to its end, by mode and outcome"
    );
    describe_counter!("cache_sync_http_requests_total", "Requests answered, by method, route and status");
    describe_histogram!("cache_sync_http_request_duration_seconds", "How long answers took, by route");
    for mode in Mode::ALL {
        counter!("cache_sync_job_attempts_total", "mode" => mode.as_str()).increment(0);
        for outcome in OUTCOMES {
            counter!("cache_sync_jobs_total", "mode" => mode.as_str(), "outcome" => outcome.as_str())
                .increment(0);
        }
    }
}

fn count_job(job: &EndedJob) {
    let (mode, outcome) = (job.mode.as_str(), job.status.as_str());
    counter!("cache_sync_jobs_total", "mode" => mode, "outcome" => outcome).increment(1);
    counter!("cache_sync_job_attempts_total", "mode" => mode).increment(job.attempts);
    if let Some(seconds) = job.seconds {
        histogram!("cache_sync_job_duration_seconds", "mode" => mode, "outcome" => outcome).record(seconds);
    }
}

fn show_pool(api: &Api) {
    let pool = api.service.database.pool_use();
    let in_use = pool.open.saturating_sub(pool.idle);
    for (state, number) in [("idle", pool.idle), ("in_use", in_use), ("waited_for", pool.waiting)] {
        gauge!("cache_sync_postgres_pool_connections", "state" => state).set(number as f64);
    }
    gauge!("cache_sync_postgres_pool_limit_connections").set(pool.limit as f64);
}

fn show_postgres(answer: Option<&(Found, Duration)>, now: DateTime<Utc>) {
    gauge!("cache_sync_postgres_up").set(f64::from(u8::from(answer.is_some())));
    let Some((found, took)) = answer else { return };
    gauge!("cache_sync_postgres_answer_seconds").set(*took);
    let figures = &found.figures;
    for (status, number) in
        [("queued", figures.queued), ("running", figures.running), ("retrying", figures.retrying)]
    {
        gauge!("cache_sync_open_jobs", "status" => status).set(number as f64);
    }
    gauge!("cache_sync_held_jobs").set(figures.held_jobs as f64);
    gauge!("cache_sync_owner_heartbeat_age_seconds").set(age(figures.oldest_heartbeat_seconds));
    gauge!("cache_sync_outbox_unsent_events").set(figures.unsent_events as f64);
    gauge!("cache_sync_outbox_lag_seconds").set(age(figures.outbox_lag_seconds));
    if let Some(seconds) = figures.last_good_sync_seconds {
        gauge!("cache_sync_last_good_sync_age_seconds").set(seconds.max(0.0));
    }
    let held = found.universes.iter().filter(|universe| is_held(universe)).count();
    gauge!("cache_sync_held_universes").set(held as f64);
    for anomaly in Anomaly::ALL {
        let is_kind = |entry: &&Quarantined| entry.anomaly == *anomaly;
        let number = found.quarantine.symbols.iter().filter(is_kind).count();
        gauge!("cache_sync_quarantined_symbols", "kind" => anomaly.as_str()).set(number as f64);
    }
    found.universes.iter().take(MAX_UNIVERSES).for_each(|universe| show_universe(universe, now));
}

fn show_universe(universe: &UniverseNow, now: DateTime<Utc>) {
    let name = || universe.universe.clone();
    gauge!("cache_sync_universe_members", "universe" => name()).set(f64::from(universe.symbol_count));
    for (action, number) in [("added", universe.added), ("removed", universe.removed)] {
        gauge!("cache_sync_universe_last_changes", "universe" => name(), "action" => action)
            .set(f64::from(number));
    }
    gauge!("cache_sync_universe_held", "universe" => name()).set(f64::from(u8::from(is_held(universe))));
    gauge!("cache_sync_universe_sync_age_seconds", "universe" => name())
        .set(seconds(now - universe.last_synced_at));
}

fn is_held(universe: &UniverseNow) -> bool {
    universe.status == "held"
}

fn show_redis(answer: Option<&(StreamState, Duration)>, lease: Duration, now: DateTime<Utc>) {
    gauge!("cache_sync_redis_up").set(f64::from(u8::from(answer.is_some())));
    let Some((stream, took)) = answer else { return };
    gauge!("cache_sync_redis_answer_seconds").set(*took);
    for (state, number) in [("undelivered", stream.backlog.undelivered), ("pending", stream.backlog.pending)]
    {
        gauge!("cache_sync_queue_entries", "state" => state).set(number as f64);
    }
    gauge!("cache_sync_dead_letters").set(stream.dead_letters as f64);
    if let Some(lost) = stream.lost {
        gauge!("cache_sync_stream_lost_entries").set(lost as f64);
    }
    if let Some(since) = stream.counted_since {
        gauge!("cache_sync_stream_age_seconds").set(seconds(now - since));
    }
    gauge!("cache_sync_consumer_group_exists").set(f64::from(u8::from(stream.has_group)));
    let live = stream.readers.iter().filter(|reader| reader.silent_for <= lease).count();
    gauge!("cache_sync_live_workers").set(live as f64);
    if let Some(silence) = stream.readers.iter().map(|reader| reader.silent_for).min() {
        gauge!("cache_sync_worker_silence_seconds").set(silence);
    }
}

/// The longer wait of the two: jobs by row, and entries that nobody has read and so have no row. Missing if neither
/// server said anything; where one is away, the other's is better than none.
fn show_oldest_waiting(
    postgres: Option<&(Found, Duration)>,
    redis: Option<&(StreamState, Duration)>,
    now: DateTime<Utc>,
) {
    let by_row = postgres.map(|(found, _)| age(found.figures.oldest_waiting_seconds));
    let by_entry = redis.map(|(stream, _)| stream.oldest_undelivered_at.map_or(0.0, |at| seconds(now - at)));
    if let Some(oldest) = by_row.into_iter().chain(by_entry).reduce(f64::max) {
        gauge!("cache_sync_oldest_waiting_job_age_seconds").set(oldest);
    }
}

/// An age, which clocks that differ can make negative; 0 where there is nothing that has one.
fn age(seconds: Option<f64>) -> f64 {
    seconds.unwrap_or(0.0).max(0.0)
}

fn seconds(span: TimeDelta) -> f64 {
    (span.num_milliseconds() as f64 / 1000.0).max(0.0)
}

/// Which jobs have been counted.
struct Tally {
    began: DateTime<Utc>,
    newest: DateTime<Utc>,
    counted: HashSet<(DateTime<Utc>, String)>,
}

impl Tally {
    /// Counts what ends from `began` on.
    fn since(began: DateTime<Utc>) -> Self {
        Self { began, newest: began, counted: HashSet::new() }
    }

    /// From when on jobs are to be looked at: a little before the newest that was counted.
    fn horizon(&self) -> DateTime<Utc> {
        (self.newest - LATE_BY).max(self.began)
    }

    /// Those among `ended` that were not counted before.
    fn take<'a>(&mut self, ended: &'a [EndedJob]) -> Vec<&'a EndedJob> {
        let fresh: Vec<&EndedJob> =
            ended.iter().filter(|job| self.counted.insert((job.end_time, job.job_id.clone()))).collect();
        self.newest = ended.iter().map(|job| job.end_time).max().unwrap_or(self.newest).max(self.newest);
        let horizon = self.horizon();
        self.counted.retain(|(end_time, _)| *end_time > horizon);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_389_400 + seconds, 0).expect("in range")
    }

    fn job(id: &str, ended: i64) -> EndedJob {
        EndedJob {
            job_id: id.to_owned(),
            mode: Mode::Full,
            status: JobStatus::Completed,
            attempts: 2,
            end_time: at(ended),
            seconds: Some(1.5),
        }
    }

    fn ids(jobs: &[&EndedJob]) -> Vec<String> {
        jobs.iter().map(|job| job.job_id.clone()).collect()
    }

    #[test]
    fn every_job_is_counted_once_also_one_that_is_committed_late() {
        let mut tally = Tally::since(at(0));
        assert_eq!(tally.horizon(), at(0));
        assert_eq!(ids(&tally.take(&[job("a", 10), job("c", 400)])), ["a", "c"]);
        assert_eq!(tally.horizon(), at(100));
        // `b` ended before `c` and came into sight after it.
        assert_eq!(ids(&tally.take(&[job("b", 390), job("c", 400)])), ["b"]);
        assert!(tally.take(&[job("b", 390), job("c", 400)]).is_empty());
        assert_eq!(tally.counted.len(), 2, "what is out of sight is forgotten");
    }

    #[test]
    fn a_job_shows_in_counts_and_durations_and_all_counts_begin_with_zero() {
        let metrics = Metrics::new();
        with_local_recorder(&metrics.counters, || count_job(&job("a", 10)));
        let text = metrics.counters.handle().render();
        for line in [
            r#"cache_sync_jobs_total{mode="full",outcome="completed"} 1"#,
            r#"cache_sync_jobs_total{mode="etfs",outcome="failed"} 0"#,
            r#"cache_sync_job_attempts_total{mode="full"} 2"#,
            r#"cache_sync_job_duration_seconds_bucket{mode="full",outcome="completed",le="2.5"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn servers_that_are_away_show_as_down_and_leave_nothing_stale() {
        let recorder = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&recorder, || {
            show_postgres(None, at(0));
            show_redis(None, Duration::from_secs(15), at(0));
            show_oldest_waiting(None, None, at(0));
        });
        let text = recorder.handle().render();
        let mut values: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        values.sort_unstable();
        assert_eq!(values, ["cache_sync_postgres_up 0", "cache_sync_redis_up 0"]);
    }
}
