//! The relay: tells the world what the outbox owes, in order, job by job.
//!
//! Whoever commits events relays them right away; every worker also looks now and then for what is still owed,
//! because the one that committed died, or Redis was away. Relays of one job take turns by a lock in Postgres, and
//! telling twice is harmless: the script in Redis knows the last number it was told.
//!
//! ```text
//!   lock the job's outbox ─► read unsent, in order ─► tell Redis ─► mark sent ─► commit
//!                                                          └─ dies here: told again, refused as old
//! ```

use std::time::Duration;

use super::announce::status_of;
use crate::domain::job::JobId;
use crate::failure::{Failure, postgres, redis as redis_failure};
use crate::fault;
use crate::redis::connection::Redis;
use crate::redis::publisher::{self, Delivery, deliver_all};
use crate::redis::rights;
use crate::store::jobs::JobRow;
use crate::store::outbox::{self, PendingEvent};
use crate::store::{Client, Database};
use crate::wire::event::Event;
use crate::wire::names::Names;
use crate::wire::status::StatusHash;
use chrono::Utc;

/// Jobs looked at in one sweep; the rest has its turn a second later.
const JOBS_A_SWEEP: i64 = 50;
/// Pause before another look whether the relay that is at a job is done with it: it takes milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Looks at most, two seconds of them: a relay that takes longer hangs, and the rounds of the workers tell the rest.
const LOOKS: u32 = 40;

/// Tells the world what jobs owe it.
#[derive(Clone)]
pub struct Relay {
    /// Where the outbox is.
    pub database: Database,
    /// Where it is told.
    pub redis: Redis,
    /// Under which names.
    pub names: Names,
    /// Whether pub/sub is used; the event streams and hashes are written in any case.
    pub notify: bool,
    /// Whether the job monitor page is served.
    pub job_monitor: bool,
}

impl Relay {
    /// Tells everything that one job owes. Waits for another relay that is at it, for that may have read what is owed
    /// before the last of it was written; `false` where it takes too long.
    pub async fn relay(&self, id: &JobId) -> Result<bool, Failure> {
        for _ in 0..LOOKS {
            let mut client = self.database.client().await?;
            if self.relay_by(&mut client, id).await? {
                return Ok(true);
            }
            drop(client);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(false)
    }

    /// The same at once, or not at all: `false` where another relay is at it.
    async fn relay_by(&self, client: &mut Client, id: &JobId) -> Result<bool, Failure> {
        let transaction = client.begin_relay().await?;
        // Sent together; the server reads what is unsent once it has given the lock, or refused it.
        let (is_mine, mut pending) =
            tokio::try_join!(biased; outbox::lock(&transaction, id), outbox::unsent(&transaction, id))?;
        if !is_mine {
            return Ok(false);
        }
        while !pending.is_empty() {
            fault::point("publish.before").await?;
            self.publish(id, &pending).await?;
            fault::point("publish.after").await?;
            let seqs: Vec<i64> = pending.iter().map(|event| event.seq).collect();
            outbox::mark_sent(&transaction, id, &seqs).await?;
            fault::point("mark_sent.before").await?;
            pending = outbox::unsent(&transaction, id).await?;
        }
        transaction.commit().await.map_err(postgres("note events as told"))?;
        fault::point("mark_sent.after").await?;
        Ok(true)
    }

    async fn publish(&self, id: &JobId, pending: &[PendingEvent]) -> Result<(), Failure> {
        let doing = "tell what a job owes";
        let deliveries: Vec<Delivery> = pending
            .iter()
            .map(|event| self.delivery(id, event))
            .collect::<Result<_, String>>()
            .map_err(|problem| Failure::permanent(format!("read the outbox of job {id}"), problem))?;
        match deliver_all(&mut self.redis.shared(), &self.names, &deliveries).await {
            Ok(_) => Ok(()),
            Err(error) => Err(rights::named(&self.redis, &self.names, id, doing, error).await),
        }
    }

    fn delivery(&self, id: &JobId, pending: &PendingEvent) -> Result<Delivery, String> {
        let status = pending.status_hash.as_ref().map(StatusHash::from_json).transpose()?;
        let event = match &pending.envelope {
            Some(envelope) => {
                Some(Event::from_parts(pending.seq, pending.channels.clone(), envelope.clone())?)
            }
            None => None,
        };
        match (event, status) {
            (Some(event), Some(status)) => {
                let delivery = Delivery::of_event(id.clone(), event);
                Ok(self.with_status(delivery.with_status(status.clone()), &status, pending.total_symbols))
            }
            (Some(event), None) => Ok(Delivery::of_event(id.clone(), event).notify(self.notify)),
            (None, Some(status)) => {
                Ok(self.with_status(Delivery::of_status(status.clone()), &status, pending.total_symbols))
            }
            (None, None) => Err(format!("its entry {} says nothing", pending.seq)),
        }
    }

    fn with_status(&self, delivery: Delivery, status: &StatusHash, total_symbols: Option<i64>) -> Delivery {
        let total_symbols = total_symbols.and_then(|total| u64::try_from(total).ok());
        let listed = match status.created_at {
            Some(requested_at) => delivery.listed_at(requested_at),
            None => delivery,
        };
        let delivery = listed.notify(self.notify);
        if self.job_monitor { delivery.with_job_monitor(total_symbols, Utc::now()) } else { delivery }
    }

    /// What tells of progress.
    pub fn progress(&self, id: &JobId, event: Event, status: StatusHash, total_symbols: u64) -> Delivery {
        let delivery = Delivery::of_event(id.clone(), event).with_status(status).notify(self.notify);
        if self.job_monitor { delivery.with_job_monitor(Some(total_symbols), Utc::now()) } else { delivery }
    }

    /// Tells of progress, in order, best effort and straight away: it is in no outbox.
    pub async fn publish_progress(&self, told: &[Delivery]) -> Result<(), Failure> {
        fault::point("progress.before").await?;
        deliver_all(&mut self.redis.shared(), &self.names, told)
            .await
            .map_err(redis_failure("tell progress"))?;
        Ok(fault::point("progress.after").await?)
    }

    /// Has the job monitor page see that a job is alive which has no news to publish.
    pub async fn refresh_monitor(&self, row: &JobRow) -> Result<(), Failure> {
        if !self.job_monitor {
            return Ok(());
        }
        let now = Utc::now();
        let status = status_of(row, row.last_seq, now);
        publisher::refresh_monitor(&mut self.redis.shared(), &self.names, &status, now)
            .await
            .map_err(redis_failure("refresh the job monitor's text"))
    }

    /// Relays what any job still owes; the number of jobs that did. A job that can't be told keeps no other from being
    /// told; its failure is returned in the end.
    pub async fn sweep(&self) -> Result<usize, Failure> {
        let mut client = self.database.client().await?;
        let jobs = outbox::jobs_with_unsent(&mut client, JOBS_A_SWEEP).await?;
        let mut failed = None;
        for id in &jobs {
            match self.relay_by(&mut client, id).await {
                Err(failure) if failure.is_transient() => return Err(failure),
                Err(failure) => failed = Some(failure),
                Ok(_) => {}
            }
        }
        failed.map_or(Ok(jobs.len()), Err)
    }

    /// Tells a finished job again where Redis has lost its status.
    pub async fn publish_again_if_lost(&self, id: &JobId) -> Result<(), Failure> {
        let mut exists = redis::cmd("EXISTS");
        let known: bool = exists
            .arg(self.names.status(id))
            .query_async(&mut self.redis.shared())
            .await
            .map_err(redis_failure("look for a job's status"))?;
        if !known {
            outbox::mark_unsent(&mut self.database.client().await?, id).await?;
        }
        self.relay(id).await.map(|_| ())
    }
}
