//! Asking for jobs and looking at them: what the command line, the HTTP API and the triggers share.
//!
//! A job is accepted by its row in Postgres; the entry on the stream follows. Should Redis be away in between, the
//! job is accepted all the same, and the sweeper of any worker puts it on the stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::job::{JobId, JobRequest};
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::UniverseName;
use crate::failure::{Failure, postgres, redis as redis_failure};
use crate::plan::explain::{Explainer, Explanation, KnownMembership};
use crate::plan::given::notice::{Refusal, Warning};
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::Instrument;
use crate::plan::market::Market;
use crate::plan::market::screening::Quarantined;
use crate::plan::result::Plan;
use crate::plan::{self, Order, market_of, plan};
use crate::redis::connection::Redis;
use crate::redis::{producer, rights};
use crate::settings::{EntriesSettings, Settings, nearest};
use crate::store;
use crate::store::Transaction;
use crate::store::account::{self, JobAccount};
use crate::store::history::{self, Membership};
use crate::store::jobs::{self, Accepted, JobRow};
use crate::store::layout::Entries;
use crate::store::leftovers;
use crate::store::read::{self, Reading, Ready, Sources};
use crate::store::{Database, Limits};
use crate::wire::entry;
use crate::wire::event::Origin;
use crate::wire::names::Names;
use crate::wire::status::StatusHash;
use crate::worker::announce::{Announcer, status_of};
use crate::worker::relay::Relay;

pub mod adopt;
pub mod pins;
pub mod replay;
pub mod values;

pub use crate::store::jobs::Cancellation;

/// Bounds of a preview: somebody waits for it at a screen.
const PREVIEW_LIMITS: Limits = Limits { statement: Duration::from_secs(120), lock: Duration::from_secs(5) };

/// How long the service waits for Redis by default: a little longer than the connection does.
const REDIS_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that whoever cancels a job waits for Redis to be told of its end, at a service that waits for it as long; a
/// worker tells it otherwise.
const PUBLISH_AT_MOST: Duration = Duration::from_secs(3);

/// Where jobs are asked for and looked up.
#[derive(Clone)]
pub struct Service {
    /// Where they are accepted.
    pub database: Database,
    /// Where they are put on the stream.
    pub redis: Redis,
    /// Under which names.
    pub names: Names,
    /// Where `cache_entries` is, and in which layout.
    pub entries: EntriesSettings,
    notify: bool,
    job_monitor: bool,
    redis_timeout: Duration,
}

/// What became of a request.
#[derive(Debug)]
pub struct Submitted {
    /// The job that stands for it.
    pub job_id: JobId,
    /// Whether that job was there before: the id was known, or the dedupe key taken.
    pub is_duplicate: bool,
    /// Why the job is not on the stream yet, where it is not: the sweeper of a worker will put it there.
    pub delayed: Option<Failure>,
}

impl Service {
    /// A service by these settings, connected to nothing yet. Must be called inside a runtime.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            database: Database::new(&settings.database)?,
            redis: Redis::by(&settings.redis)?,
            names: settings.redis.names()?,
            entries: settings.entries.clone(),
            notify: settings.sync.enable_notifications,
            job_monitor: settings.redis.job_monitor_keys,
            redis_timeout: REDIS_TIMEOUT,
        })
    }

    /// The same service, waiting for Redis no longer than this: Postgres has what Redis would have said.
    #[must_use]
    pub fn with_redis_timeout(self, redis_timeout: Duration) -> Self {
        Self { redis_timeout, ..self }
    }

    /// Accepts a job and puts it on the stream. A request that no worker would take is a permanent failure.
    pub async fn submit(
        &self,
        request: &JobRequest,
        source: Origin,
        now: DateTime<Utc>,
    ) -> Result<Submitted, Failure> {
        self.submit_with(request, &[], source, now).await
    }

    /// The same for a job whose result is to mention `warnings`, `code: text` each.
    pub async fn submit_with(
        &self,
        request: &JobRequest,
        warnings: &[String],
        source: Origin,
        now: DateTime<Utc>,
    ) -> Result<Submitted, Failure> {
        let submitted = self.submit_below(None, request, warnings, source, now).await?;
        Ok(submitted.expect("without a bound there is always room"))
    }

    /// The same unless `most` jobs are unfinished and this one would be new: `None` then.
    pub async fn submit_below(
        &self,
        most: Option<u32>,
        request: &JobRequest,
        warnings: &[String],
        source: Origin,
        now: DateTime<Utc>,
    ) -> Result<Option<Submitted>, Failure> {
        entry::check(request).map_err(|rejection| Failure::permanent("accept the job", rejection))?;
        let mut client = self.database.client().await?;
        let accepted = jobs::accept_below(&mut client, request, warnings, most, now).await?;
        drop(client);
        let Some(accepted) = accepted else { return Ok(None) };
        Ok(Some(match accepted {
            Accepted::Duplicate { of } => Submitted { job_id: of, is_duplicate: true, delayed: None },
            Accepted::Known(row) => {
                Submitted { job_id: row.request.job_id, is_duplicate: true, delayed: None }
            }
            Accepted::New(row) => {
                let delayed = self.put_on_stream(request, source, now).await.err();
                Submitted { job_id: row.request.job_id, is_duplicate: false, delayed }
            }
        }))
    }

    async fn put_on_stream(
        &self,
        request: &JobRequest,
        source: Origin,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let announcement = producer::announcement(&self.names, request, source, now).notify(self.notify);
        let announcement =
            if self.job_monitor { announcement.with_job_monitor(None, now) } else { announcement };
        let doing = "put the job on the stream";
        let mut connection = self.redis.shared();
        let database = self.database.identity().await?;
        let enqueueing = async {
            match producer::enqueue(&mut connection, &self.names, database, request, &announcement).await {
                Ok(enqueued) => Ok(enqueued),
                Err(error) => {
                    Err(rights::named(&self.redis, &self.names, &request.job_id, doing, error).await)
                }
            }
        };
        let enqueued = self.in_time(doing, enqueueing).await?;
        let mut client = self.database.client().await?;
        jobs::note_entry(&mut client, &request.job_id, &enqueued.entry_id).await
    }

    /// Asks for the end of a job. One that no worker holds has ended when this returns, and is told as far as Redis
    /// lets us; the worker of any other lets go of it within a second and rolls back.
    pub async fn cancel(&self, id: &JobId, now: DateTime<Utc>) -> Result<Cancellation, Failure> {
        let announcer = Announcer { names: &self.names, at: now };
        let mut client = self.database.client().await?;
        let cancellation = jobs::cancel(&mut client, id, now, |ended| announcer.ended(ended)).await?;
        drop(client);
        if cancellation == Cancellation::Cancelled {
            self.publish(id).await;
        }
        Ok(cancellation)
    }

    /// Publishes the pending events of a job. What can't be published now, a worker publishes later.
    async fn publish(&self, id: &JobId) {
        let relay = Relay {
            database: self.database.clone(),
            redis: self.redis.clone(),
            names: self.names.clone(),
            notify: self.notify,
            job_monitor: self.job_monitor,
        };
        let why = match tokio::time::timeout(PUBLISH_AT_MOST.min(self.redis_timeout), relay.relay(id)).await {
            Ok(Ok(_)) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "Redis does not answer".to_owned(),
        };
        tracing::warn!(job.id = %id, "the events of job {id} are published later: {why}");
    }

    /// The status of a job: from Redis, where progress shows, or made again from its row; `None` for an unknown id.
    pub async fn status(&self, id: &JobId) -> Result<Option<StatusHash>, Failure> {
        if let Ok(Some(status)) = self.status_in_redis(id).await {
            return Ok(Some(status));
        }
        let row = self.job(id).await?;
        Ok(row.map(|row| status_of(&row, row.last_seq, row.updated_at)))
    }

    async fn status_in_redis(&self, id: &JobId) -> Result<Option<StatusHash>, Failure> {
        let doing = "read the job's status";
        let mut command = redis::cmd("HGETALL");
        let mut connection = self.redis.shared();
        let fields: HashMap<String, String> =
            self.patiently(doing, command.arg(self.names.status(id)).query_async(&mut connection)).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        StatusHash::from_fields(&fields).map(Some).map_err(|problem| Failure::permanent(doing, problem))
    }

    /// An answer of Redis, unless it takes longer than this service waits.
    async fn patiently<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = redis::RedisResult<T>>,
    ) -> Result<T, Failure> {
        self.in_time(doing, async { answer.await.map_err(redis_failure(doing)) }).await
    }

    /// The same for an answer whose error is sorted already.
    async fn in_time<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let late = |_| {
            let seconds = self.redis_timeout.as_secs_f64();
            Failure::transient(doing, format!("Redis did not answer within {seconds} s"))
        };
        tokio::time::timeout(self.redis_timeout, answer).await.map_err(late)?
    }

    /// A job as Postgres has it; `None` for an unknown id.
    pub async fn job(&self, id: &JobId) -> Result<Option<JobRow>, Failure> {
        let mut client = self.database.client().await?;
        jobs::load(&mut client, id).await
    }

    /// Everything that Postgres knows of a job; `None` for an unknown id.
    pub async fn account(&self, id: &JobId) -> Result<Option<JobAccount>, Failure> {
        let mut client = self.database.client().await?;
        account::of_job(&mut client, id).await
    }

    /// Jobs, newest first.
    pub async fn recent_jobs(&self, limit: i64, offset: i64) -> Result<Vec<JobRow>, Failure> {
        let mut client = self.database.client().await?;
        jobs::recent(&mut client, limit, offset).await
    }
}

/// What a job would do now.
#[derive(Debug)]
pub enum Preview {
    /// This.
    Planned(Box<Plan>),
    /// It would wait for the import.
    Waiting {
        /// What was seen of it: `3,412 of 5,600 closes on 2026-03-02`.
        seen: String,
    },
    /// It would be refused.
    Refused(Refusal),
}

/// Decides as a sync would, in a transaction that can't write.
pub async fn preview(
    database: &Database,
    settings: &Settings,
    request: &JobRequest,
) -> Result<Preview, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(PREVIEW_LIMITS).await?;
    let policy = Arc::new(settings.policy());
    let from = Sources { source: &settings.source, entries: &settings.entries, policy: &policy };
    let ready = match Box::pin(read::read(&transaction, from, request)).await? {
        Reading::Ready(ready) => ready,
        Reading::Incomplete { seen } => return Ok(Preview::Waiting { seen }),
        // Asked for by a person, so never by itself; told as what it would come to.
        Reading::Needless(Warning { code, text }) => return Ok(Preview::Refused(Refusal { code, text })),
        Reading::Refused(refusal) => return Ok(Preview::Refused(refusal)),
    };
    let Ready { as_of, warnings, policy, snapshot, mut entries, .. } = *ready;
    let order = Order { mode: request.mode, accept_churn: request.accept_churn, as_of };
    match plan(&snapshot, &policy, &order, &mut |_| {}) {
        Ok(mut plan) => {
            entries.project(&mut plan, &snapshot, Utc::now());
            plan.warnings.extend(warnings);
            plan.warnings.extend(left_behind(&transaction, &entries, &policy).await?);
            Ok(Preview::Planned(Box::new(plan)))
        }
        Err(refusal) => Ok(Preview::Refused(refusal)),
    }
}

/// That rows stand in the table which nobody keeps.
async fn left_behind(
    transaction: &Transaction<'_>,
    entries: &Entries,
    policy: &Policy,
) -> Result<Option<Warning>, Failure> {
    let Entries::AppV2 { table, .. } = entries else { return Ok(None) };
    let rows = leftovers::read(transaction, table, policy).await?;
    let breaking = rows.iter().filter(|row| row.breaks.is_some()).count();
    Ok((!rows.is_empty()).then(|| Warning {
        code: "left_behind",
        text: format!(
            "{} rows of cache_entries look like universes and are kept by nobody, {breaking} of them stop a reader; \
             `cache-sync adopt --plan` lists them",
            rows.len()
        ),
    }))
}

/// Has `look` look at the market of the newest complete date, as a sync would see it, by the rules in force, in a
/// transaction that can't write.
pub async fn review<T>(
    database: &Database,
    settings: &Settings,
    now: DateTime<Utc>,
    look: impl FnOnce(&Market, &Policy) -> T,
) -> Result<Result<T, Refusal>, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(PREVIEW_LIMITS).await?;
    Ok(read_newest(&transaction, settings, now).await?.map(|ready| {
        let Ready { as_of, policy, snapshot, .. } = ready;
        look(&market_of(&snapshot, as_of, &policy), &policy)
    }))
}

/// What a sync of the newest complete date would decide on.
async fn read_newest(
    transaction: &Transaction<'_>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Result<Ready, Refusal>, Failure> {
    // This mode cleans no foreign rows, so they are not read.
    read_for(transaction, settings, JobRequest::new(JobId::fresh(), Mode::Themes, "cli", now)).await
}

/// What a sync that is asked for so would decide on.
async fn read_for(
    transaction: &Transaction<'_>,
    settings: &Settings,
    request: JobRequest,
) -> Result<Result<Ready, Refusal>, Failure> {
    let policy = Arc::new(settings.policy());
    let from = Sources { source: &settings.source, entries: &settings.entries, policy: &policy };
    Ok(match Box::pin(read::read(transaction, from, &request)).await? {
        Reading::Ready(ready) => Ok(*ready),
        Reading::Incomplete { seen } => Err(Refusal { code: "import_incomplete", text: seen }),
        Reading::Needless(Warning { code, text }) => Err(Refusal { code, text }),
        Reading::Refused(refusal) => Err(refusal),
    })
}

/// What came of an approval.
#[derive(Debug)]
pub enum Approval {
    /// The next sync takes the value of this stock for good.
    Given {
        /// What is approved.
        entry: Box<Quarantined>,
        /// Whether it had not been approved already.
        is_new: bool,
    },
    /// There is nothing to approve.
    NotInQuarantine,
}

/// Approves the value of `symbol`, which the last sync did not believe or, as things stand, the next would not.
pub async fn approve_value(
    database: &Database,
    settings: &Settings,
    symbol: &Symbol,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Approval, Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let known = store::quarantine::read(&transaction).await?.entry(symbol).cloned();
    drop(transaction);
    let entry = match known {
        Some(entry) => Some(entry),
        // What only `plan` shows so far.
        None => review(database, settings, now, |market, _| {
            market.quarantined().find(|entry| entry.symbol.is_spelling_of(symbol)).cloned()
        })
        .await?
        .ok()
        .flatten(),
    };
    let Some(entry) = entry else { return Ok(Approval::NotInQuarantine) };
    let transaction = client.begin().await?;
    let is_new = store::quarantine::approve(&transaction, &entry, by, now).await?;
    transaction.commit().await.map_err(postgres("approve the value"))?;
    Ok(Approval::Given { entry: Box::new(entry), is_new })
}

/// What somebody asks about a symbol.
#[derive(Debug, Clone)]
pub struct Question {
    /// The symbol, in whatever spelling of its share class.
    pub symbol: String,
    /// The one universe that is asked about; none for all.
    pub universe: Option<String>,
}

/// What can be answered.
#[derive(Debug)]
pub enum Answer {
    /// This.
    Explained(Box<Explanation>),
    /// Nobody knows the symbol.
    UnknownSymbol {
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// There is no such universe.
    UnknownUniverse {
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// There is no market to look at, so a sync would be refused for the same.
    Refused(Refusal),
}

/// Explains why a symbol is in universes and not in others, by the market of the newest complete date, the universes and
/// the history as they stand, all read in one transaction that can't write.
pub async fn explain(
    database: &Database,
    settings: &Settings,
    question: Question,
    limits: Limits,
    now: DateTime<Utc>,
) -> Result<Answer, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(limits).await?;
    let ready = match read_newest(&transaction, settings, now).await? {
        Ok(ready) => ready,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };
    let (history, instruments) = match Symbol::parse(&question.symbol) {
        Some(symbol) => tokio::try_join!(
            history::symbol_history(&transaction, &symbol, None),
            history::instruments(&transaction, &symbol)
        )?,
        None => (Vec::new(), Vec::new()),
    };
    drop(transaction);
    // Planning keeps a processor busy for a while, and others have events to wait for.
    let answered =
        tokio::task::spawn_blocking(move || answer(&ready, &question, history, &instruments)).await;
    answered.map_err(|broken| Failure::permanent("explain the symbol", broken))
}

fn answer(
    ready: &Ready,
    question: &Question,
    history: Vec<Membership>,
    instruments: &[Instrument],
) -> Answer {
    let market = market_of(&ready.snapshot, ready.as_of, &ready.policy);
    let explainer = Explainer::new(&market, &ready.snapshot, &ready.policy);
    if let Some(name) = &question.universe {
        let known = explainer.universes();
        if !known.iter().any(|universe| universe.as_str() == name) {
            let nearest = nearest(name, known.iter().map(UniverseName::as_str));
            return Answer::UnknownUniverse { nearest: nearest.map(ToOwned::to_owned) };
        }
    }
    let symbol = Symbol::parse(&question.symbol);
    let found = symbol.and_then(|symbol| {
        let episodes = episodes(history, &symbol, instruments);
        let mut explanation = explainer.explain(&symbol, &episodes)?;
        explanation.subject.remarks.extend(Explainer::remarks(&symbol, instruments));
        Some(explanation)
    });
    let Some(mut explanation) = found else {
        let nearest = explainer.nearest_symbol(&question.symbol);
        return Answer::UnknownSymbol { nearest: nearest.map(ToString::to_string) };
    };
    if let Some(name) = &question.universe {
        explanation.universes.retain(|verdict| verdict.universe.as_str() == name);
    }
    Answer::Explained(Box::new(explanation))
}

/// The memberships of whoever the symbol stands for now. One that went on under another symbol is one episode.
fn episodes(history: Vec<Membership>, symbol: &Symbol, instruments: &[Instrument]) -> Vec<KnownMembership> {
    let of_symbol = instruments.iter().filter(|known| known.symbol.is_spelling_of(symbol));
    let latest = of_symbol.max_by_key(|known| (known.valid_to.is_none(), known.valid_from));
    let is_its_own = |membership: &Membership| latest.is_none_or(|l| l.lineage == membership.lineage_id);
    let mut episodes: Vec<KnownMembership> = Vec::new();
    // By universe and date, so that whatever goes on stands right before what it goes on as.
    for membership in history.into_iter().filter(is_its_own) {
        let is_renamed = membership.evidence.as_ref().is_some_and(|e| e.get("renamed_from").is_some());
        let mut next = episode(membership);
        match episodes.last_mut() {
            Some(last)
                if is_renamed && last.universe == next.universe && last.valid_to == Some(next.valid_from) =>
            {
                next.valid_from = last.valid_from;
                *last = next;
            }
            Some(_) | None => episodes.push(next),
        }
    }
    episodes
}

fn episode(membership: Membership) -> KnownMembership {
    let evidence = membership.evidence.as_ref().and_then(|evidence| evidence["why"].as_str());
    KnownMembership {
        evidence: evidence.map(ToOwned::to_owned),
        universe: membership.universe,
        valid_from: membership.valid_from,
        valid_to: membership.valid_to,
        entry_reason: membership.entry_reason,
        exit_reason: membership.exit_reason,
    }
}

/// Decides how `job` would be undone now, or why it can't be, as the worker will decide it again.
pub async fn preview_revert(
    database: &Database,
    entries: &EntriesSettings,
    job: &JobId,
) -> Result<Result<Plan, Refusal>, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(PREVIEW_LIMITS).await?;
    let (target, ..) = store::revert::read(&transaction, entries, job).await?;
    Ok(plan::revert::plan(job, &target))
}
