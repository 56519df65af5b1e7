//! What goes on now, for whoever watches: a few cheap reads of Redis, and of Postgres where Redis does not answer.

use std::collections::HashMap;

use redis::AsyncCommands;

use super::Service;
use crate::domain::job::{JobId, JobStatus};
use crate::failure::Failure;
use crate::redis::events::{self, KeptEvent};
use crate::wire::status::StatusHash;
use crate::worker::announce::status_of;

/// Among so many of the newest jobs the one is looked for that runs.
const LOOKED_AT: isize = 8;
/// The newest job is looked for in Postgres among so many.
const LOOKED_AT_IN_POSTGRES: i64 = 8;

impl Service {
    /// The status of the job that runs, else of one that waits, else of the newest; `None` where there is none.
    pub async fn current(&self) -> Result<Option<StatusHash>, Failure> {
        let found = match self.recent_in_redis().await {
            Ok(found) if !found.is_empty() => found,
            Ok(_) | Err(_) => {
                let rows = self.recent_jobs(LOOKED_AT_IN_POSTGRES, 0).await?;
                rows.iter().map(|row| status_of(row, row.last_seq, row.updated_at)).collect()
            }
        };
        Ok(most_urgent(found))
    }

    /// The statuses of the newest jobs, newest first. Those that can't be read, as of a newer version, are left out.
    async fn recent_in_redis(&self) -> Result<Vec<StatusHash>, Failure> {
        let doing = "read the newest jobs";
        let mut connection = self.redis.shared();
        let ids: Vec<String> =
            self.patiently(doing, connection.zrevrange(self.names.recent(), 0, LOOKED_AT - 1)).await?;
        let mut pipeline = redis::pipe();
        for id in ids.iter().filter_map(|id| JobId::parse(id)) {
            pipeline.cmd("HGETALL").arg(self.names.status(&id));
        }
        let hashes: Vec<HashMap<String, String>> =
            self.patiently(doing, pipeline.query_async(&mut connection)).await?;
        Ok(hashes.iter().filter_map(|fields| StatusHash::from_fields(fields).ok()).collect())
    }

    /// The newest events of a job, in order.
    pub async fn newest_events(&self, id: &JobId, at_most: usize) -> Result<Vec<KeptEvent>, Failure> {
        events::newest_of(&self.redis, &self.names, id, at_most).await
    }
}

/// Of jobs, newest first: the one that runs, else the one that waits longest, else the newest.
fn most_urgent(mut jobs: Vec<StatusHash>) -> Option<StatusHash> {
    let running = jobs.iter().position(|job| job.status == JobStatus::Running);
    let waiting = || jobs.iter().rposition(|job| !job.status.is_final());
    let place = running.or_else(waiting).unwrap_or(0);
    (place < jobs.len()).then(|| jobs.swap_remove(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_comes_before_what_waits_and_that_before_what_has_ended() {
        use JobStatus::{Completed, Queued, Retrying, Running};
        for (statuses, place) in [
            (&[][..], None),
            (&[Completed, Completed], Some(0)),
            (&[Queued, Completed, Retrying], Some(2)),
            (&[Queued, Running, Queued], Some(1)),
        ] {
            let job = |(index, status): (usize, &JobStatus)| {
                StatusHash::new(JobId::parse(&format!("job-{index}")).expect("an id"), *status, 1)
            };
            let jobs: Vec<StatusHash> = statuses.iter().enumerate().map(job).collect();
            let found = most_urgent(jobs.clone());
            assert_eq!(found, place.map(|place: usize| jobs[place].clone()), "{statuses:?}");
        }
    }
}
