//! What must be so after a job, whatever happened meanwhile.

use super::monitor::Command;
use super::shape;
use crate::world::World;

/// Notes every state of a job with the transaction that committed it.
const AUDIT: &str = "
    create table audit (id bigserial, job_id text, status text, lease_number bigint);
    create function audit() returns trigger language plpgsql as $$
    begin
        insert into audit (job_id, status, lease_number) values (new.job_id, new.status, new.lease_number);
        return new;
    end $$;
    create trigger audit after insert or update of status on cache_sync_jobs
    for each row execute function audit();";

/// Begins to take notes.
pub(crate) async fn watch(world: &World) {
    world.sql(AUDIT).await;
}

/// Everything that jobs did in Postgres, but for times, and for numbers that a rollback leaves out.
pub(crate) async fn effects(world: &World) -> Vec<String> {
    let queries = [
        "select 'job', job_id, mode, status, as_of, result - 'task_results' from cache_sync_jobs order by job_id",
        "select 'metadata', universe, symbol_count, added, removed, total_market_cap, status, members_digest,
                last_as_of, held_runs from cache_entries_metadata order by universe",
        "select 'history', universe, symbol, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry,
                cap_at_entry, evidence, job_id, exit_job_id
         from universe_membership order by universe, symbol, valid_from",
        "select 'change', job_id, as_of, universe, symbol, action, reason, task, before, after
         from cache_sync_changes order by job_id, universe, symbol, action",
        "select 'run', as_of, job_id, mode, active_stocks, closes, md5(symbols::text || caps_cents::text)
         from cache_sync_runs order by id",
        "select 'owed', job_id, envelope ->> 'event', count(*) from cache_sync_outbox
         where envelope ->> 'event' not in ('cache_sync_started', 'cache_sync_error')
         group by job_id, envelope ->> 'event' order by 2, 3",
        "select 'instrument', symbol, valid_from, valid_to from cache_sync_instruments order by symbol, valid_from",
    ];
    let mut effects = shape::effects(world).await;
    for query in queries {
        effects.extend(world.ask(query).await);
    }
    effects
}

/// Panics at the first line in which two worlds differ.
pub(crate) fn assert_same_effects(found: &[String], expected: &[String]) {
    let missing = expected.iter().find(|line| !found.contains(line));
    let more = found.iter().find(|line| !expected.contains(line));
    assert!(missing.is_none() && more.is_none(), "missing: {missing:?}\nmore: {more:?}");
    assert_eq!(found.len(), expected.len(), "a line stands there twice");
}

/// Panics unless each of these jobs is known, completed once, and did what it says.
pub(crate) async fn assert_each_done_once(world: &World, ids: &[String]) {
    let all = format!("array['{}']", ids.join("', '"));
    let wrong = world
        .ask("select job_id, status, error from cache_sync_jobs where status <> 'completed' order by job_id")
        .await;
    assert_eq!(wrong, [""; 0], "jobs that failed");
    let known = world.count(&format!("select count(*) from cache_sync_jobs where job_id = any({all})")).await;
    assert_eq!(known as usize, ids.len(), "accepted jobs that are lost");
    let twice = world
        .ask(
            "select job_id, count(*) from audit where status in ('completed', 'failed', 'cancelled')
             group by job_id having count(*) <> 1",
        )
        .await;
    assert_eq!(twice, [""; 0], "jobs that ended more than once");
    let doubled = world
        .ask(&format!(
            "select j.job_id, j.result -> 'total_changes', count(c.*) from cache_sync_jobs j
             left join cache_sync_changes c on c.job_id = j.job_id and c.action in ('added', 'removed')
             where j.job_id = any({all})
             group by j.job_id having count(c.*) <> (j.result ->> 'total_changes')::int"
        ))
        .await;
    assert_eq!(doubled, [""; 0], "jobs whose effects are not what they say");
}

/// Panics unless Redis has one end of each of these jobs, and its last status.
pub(crate) async fn assert_each_told_once(world: &World, ids: &[String]) {
    for id in ids {
        let ends = world.event_names(id).await.iter().filter(|name| *name == "cache_sync_completed").count();
        let status = world.status(id).await;
        assert_eq!(ends, 1, "ends told of {id}");
        assert_eq!(status["status"], "completed", "{id}");
        assert_eq!(status["seq"], world.job(id).await.last_seq.to_string(), "{id}");
    }
}

/// Whether nothing is left to do for a job: it has ended, all is told, no entry is left.
pub(crate) async fn is_settled(world: &World, id: &str) -> bool {
    let unsent = "select count(*) from cache_sync_outbox where sent_at is null";
    world.find_job(id).await.is_some_and(|job| job.status.is_final())
        && world.count(unsent).await == 0
        && world.entries().await.is_empty()
}

/// Panics unless the job ended once, as `ending`, and no entry was acknowledged before it was written down.
pub(crate) async fn assert_ended_once(world: &World, id: &str, ending: &str, seen: &[Command]) {
    let finals = world
        .ask(&format!(
            "select status from audit where job_id = '{id}' and status in ('completed', 'failed', 'cancelled')"
        ))
        .await;
    assert_eq!(finals, [ending], "final rows of job {id}");
    // What settles a job: an end, or a wait that its row remembers.
    let settled = world
        .ask(&format!(
            "select extract(epoch from min(pg_xact_commit_timestamp(xmin))) from audit
             where job_id = '{id}' and status <> 'running' and (status <> 'queued' or lease_number > 0)"
        ))
        .await[0]
        .parse::<f64>()
        .unwrap();
    let stream = world.names.job_stream();
    let acks: Vec<&Command> =
        seen.iter().filter(|command| command.is("XACK", &stream) || command.is("XDEL", &stream)).collect();
    for ack in &acks {
        assert!(ack.at >= settled, "acknowledged {:.3} s before the commit", settled - ack.at);
    }
}

/// Panics where a status went backwards: by its number, or out of an end. What Redis has lost is told anew.
pub(crate) fn assert_status_never_fell(world: &World, id: &str, seen: &[Command]) {
    let key = format!("{}:status:{id}", world.names.job_stream());
    let mut last = (-1, false);
    for command in seen {
        if command.words.first().is_some_and(|word| word.eq_ignore_ascii_case("FLUSHALL")) {
            last = (-1, false);
        }
        if !command.is("HSET", &key) {
            continue;
        }
        let seq: i64 = command.after("seq").unwrap().parse().unwrap();
        let is_final = ["completed", "failed", "cancelled"].contains(&command.after("status").unwrap());
        assert!(seq > last.0, "status {seq} written after {}", last.0);
        assert!(is_final || !last.1, "a job that ended goes on with {seq}");
        last = (seq, is_final);
    }
}

/// Panics unless every number was written to the job's event stream once, in order, and the end at most as often as
/// Redis lost it and once more; how often.
pub(crate) fn count_ends_told(world: &World, id: &str, seen: &[Command]) -> usize {
    let key = format!("{}:events:{id}", world.names.job_stream());
    let mut ends = 0;
    for command in seen {
        if command.is("XADD", &key) && command.after("event") == Some("cache_sync_completed") {
            ends += 1;
        }
    }
    ends
}
