use std::collections::HashMap;

use futures_util::StreamExt;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;

use super::*;
use crate::domain::job::JobStatus;
use crate::domain::task::{Mode, SyncTask};
use crate::redis::private_redis::PrivateRedis;
use crate::wire::event::{Occasion, Progress, Started};
use crate::wire::seq;

/// A server, a connection and the job `job-1`.
struct World {
    server: PrivateRedis,
    connection: MultiplexedConnection,
    names: Names,
}

impl World {
    async fn new() -> Self {
        let server = PrivateRedis::start();
        let connection = server.connect().await;
        Self { server, connection, names: Names::default() }
    }

    fn started(&self, seq: i64) -> Event {
        let job_id = job();
        let occasion = Occasion { names: &self.names, job_id: &job_id, mode: Mode::Full, seq, at: at(seq) };
        occasion.started(Started { run_id: None, total_items: 5 })
    }

    async fn deliver(&mut self, delivery: &Delivery) -> Delivered {
        deliver(&mut self.connection, &self.names, delivery).await.expect("delivered")
    }

    /// Delivers the event `seq` with a status.
    async fn publish(&mut self, seq: i64, status: JobStatus) -> Delivered {
        let delivery =
            Delivery::of_event(job(), self.started(seq)).with_status(StatusHash::new(job(), status, 0));
        self.deliver(&delivery).await
    }

    async fn event_ids(&mut self) -> Vec<String> {
        let range: StreamRangeReply =
            self.connection.xrange_all(self.names.events(&job())).await.expect("a stream");
        range.ids.into_iter().map(|entry| entry.id).collect()
    }

    async fn hash(&mut self) -> HashMap<String, String> {
        self.connection.hgetall(self.names.status(&job())).await.expect("a hash")
    }

    /// Status and seq of the hash.
    async fn status(&mut self) -> (String, String) {
        let hash = self.hash().await;
        (hash["status"].clone(), hash["seq"].clone())
    }

    async fn ttl(&mut self, key: String) -> i64 {
        self.connection.ttl(key).await.expect("a TTL")
    }
}

fn job() -> JobId {
    JobId::parse("job-1").expect("valid")
}

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_767_389_400_000 + ms).expect("in range")
}

#[tokio::test]
async fn an_event_is_kept_with_its_channels_and_published_on_each() {
    let mut world = World::new().await;
    let mut listener = world.server.listen().await;
    let mut event = world.started(seq(1, 1));
    event.channels = vec!["one".to_owned(), "two".to_owned()];
    let outcome = world.deliver(&Delivery::of_event(job(), event.clone())).await;
    assert_eq!(outcome, Delivered::Published);

    let kept: StreamRangeReply =
        world.connection.xrange_all(world.names.events(&job())).await.expect("a stream");
    let entry = &kept.ids[0];
    assert_eq!(entry.id, "1000001-0");
    let field = |name| entry.get::<String>(name).expect("a field");
    assert_eq!((field("event"), field("channels")), ("cache_sync_started".to_owned(), "one,two".to_owned()));
    assert_eq!(field("data"), event.envelope.to_string());
    assert_eq!(entry.map.len(), 3);

    let mut messages = listener.on_message();
    for channel in ["one", "two"] {
        let message = messages.next().await.expect("a message");
        assert_eq!(message.get_channel_name(), channel);
        assert_eq!(message.get_payload::<String>().expect("a text"), event.envelope.to_string());
    }
}

#[tokio::test]
async fn told_twice_it_is_heard_once() {
    let mut world = World::new().await;
    let mut listener = world.server.listen().await;
    assert_eq!(world.publish(seq(1, 1), JobStatus::Running).await, Delivered::Published);
    assert_eq!(world.publish(seq(1, 1), JobStatus::Running).await, Delivered::Stale);
    assert_eq!(world.publish(seq(1, 2), JobStatus::Completed).await, Delivered::Published);

    assert_eq!(world.event_ids().await, ["1000001-0", "1000002-0"]);
    let mut messages = listener.on_message();
    for expected in [seq(1, 1), seq(1, 2)] {
        let message = messages.next().await.expect("a message").get_payload::<String>().expect("a text");
        let envelope: serde_json::Value = serde_json::from_str(&message).expect("JSON");
        assert_eq!(envelope["payload"]["seq"], expected);
    }
}

#[tokio::test]
async fn without_notifications_an_event_is_kept_but_not_published() {
    let mut world = World::new().await;
    let mut listener = world.server.listen().await;
    let quiet = Delivery::of_event(job(), world.started(1)).notify(false);
    assert_eq!(world.deliver(&quiet).await, Delivered::Published);
    world.deliver(&Delivery::of_event(job(), world.started(2))).await;

    let first_heard = listener.on_message().next().await.expect("a message");
    assert!(first_heard.get_payload::<String>().expect("a text").contains(r#""seq":2"#));
    let kept: StreamRangeReply =
        world.connection.xrange_all(world.names.events(&job())).await.expect("a stream");
    assert_eq!(kept.ids[0].get::<String>("channels").as_deref(), Some("tickstock:cache:started"));
}

#[tokio::test]
async fn an_older_status_never_replaces_a_newer_one() {
    let mut world = World::new().await;
    world.publish(seq(2, 5), JobStatus::Running).await;
    let late = Delivery::of_status(StatusHash::new(job(), JobStatus::Failed, seq(1, 9)));
    assert_eq!(world.deliver(&late).await, Delivered::Stale);
    assert_eq!(world.publish(seq(1, 9), JobStatus::Failed).await, Delivered::Stale);
    assert_eq!(world.status().await, ("running".to_owned(), "2000005".to_owned()));
}

#[tokio::test]
async fn the_hash_always_has_every_field() {
    let mut world = World::new().await;
    let mut status = StatusHash::new(job(), JobStatus::Running, seq(1, 1));
    status.current_task = Some(SyncTask::IpoAssignment);
    status.warnings = vec!["held: top_500, with \"quotes\" and ümlauts\u{0}".to_owned()];
    assert_eq!(world.deliver(&Delivery::of_status(status.clone())).await, Delivered::Published);
    let hash = world.hash().await;
    assert_eq!(hash.len(), status.to_fields().len());
    assert_eq!(StatusHash::from_fields(&hash), Ok(status));
}

#[tokio::test]
async fn a_status_that_got_ahead_does_not_swallow_events_that_were_committed() {
    let mut world = World::new().await;
    world.publish(seq(1, 1), JobStatus::Running).await;
    world.deliver(&Delivery::of_status(StatusHash::new(job(), JobStatus::Running, seq(2, 1)))).await;
    assert_eq!(world.publish(seq(1, 2), JobStatus::Retrying).await, Delivered::Published);
    assert_eq!(world.event_ids().await, ["1000001-0", "1000002-0"]);
    assert_eq!(world.status().await, ("running".to_owned(), "2000001".to_owned()));
}

#[tokio::test]
async fn an_event_is_not_told_again_after_its_stream_was_trimmed() {
    let mut world = World::new().await;
    world.publish(seq(1, 1), JobStatus::Running).await;
    let () = redis::cmd("XTRIM")
        .arg(world.names.events(&job()))
        .arg(&["MAXLEN", "0"])
        .query_async(&mut world.connection)
        .await
        .expect("trimmed");
    assert_eq!(world.publish(seq(1, 1), JobStatus::Running).await, Delivered::Stale);
    assert_eq!(world.event_ids().await, Vec::<String>::new());
}

#[tokio::test]
async fn where_the_stream_is_gone_the_hash_knows_how_far_the_job_is() {
    let mut world = World::new().await;
    world.publish(seq(1, 3), JobStatus::Completed).await;
    let () = world.connection.del(world.names.events(&job())).await.expect("deleted");
    assert_eq!(world.publish(seq(1, 3), JobStatus::Completed).await, Delivered::Stale);
    assert_eq!(world.publish(seq(1, 2), JobStatus::Running).await, Delivered::Stale);
    assert_eq!(world.event_ids().await, Vec::<String>::new());
    assert_eq!(world.publish(seq(1, 4), JobStatus::Completed).await, Delivered::Published);
}

#[tokio::test]
async fn a_hash_that_was_lost_alone_is_written_again_without_a_second_event() {
    let mut world = World::new().await;
    world.publish(seq(1, 3), JobStatus::Completed).await;
    let () = world.connection.del(world.names.status(&job())).await.expect("deleted");
    assert_eq!(world.publish(seq(1, 3), JobStatus::Completed).await, Delivered::Stale);
    assert_eq!(world.status().await, ("completed".to_owned(), "1000003".to_owned()));
    assert_eq!(world.event_ids().await, ["1000003-0"]);
    assert!(world.ttl(world.names.status(&job())).await > 0);
}

#[tokio::test]
async fn after_a_flush_all_is_told_again_with_the_same_seq() {
    let mut world = World::new().await;
    world.publish(seq(1, 1), JobStatus::Completed).await;
    let () = redis::cmd("FLUSHALL").query_async(&mut world.connection).await.expect("flushed");
    assert_eq!(world.publish(seq(1, 1), JobStatus::Completed).await, Delivered::Published);
    assert_eq!(world.event_ids().await, ["1000001-0"]);
}

#[tokio::test]
async fn a_server_that_forgot_the_script_learns_it_again() {
    let mut world = World::new().await;
    world.publish(seq(1, 1), JobStatus::Running).await;
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut world.connection).await.expect("flushed");
    assert_eq!(world.publish(seq(1, 2), JobStatus::Running).await, Delivered::Published);
}

#[tokio::test]
async fn hash_and_events_expire_seven_days_after_the_end_and_not_before() {
    let mut world = World::new().await;
    world.publish(seq(1, 1), JobStatus::Running).await;
    let keys = [world.names.status(&job()), world.names.events(&job())];
    for key in &keys {
        assert_eq!(world.ttl(key.clone()).await, -1, "{key}");
    }
    world.publish(seq(1, 2), JobStatus::Cancelled).await;
    for key in &keys {
        assert!((604_700..=604_800).contains(&world.ttl(key.clone()).await), "{key}");
    }
}

#[tokio::test]
async fn a_refusal_gives_way_to_a_job_and_never_replaces_one() {
    let mut world = World::new().await;
    let refusal = Delivery::of_status(StatusHash::refused(job(), "mode is \"Full\"", at(0)));
    assert_eq!(world.deliver(&refusal).await, Delivered::Published);
    assert!(world.ttl(world.names.status(&job())).await > 0);

    assert_eq!(world.publish(seq(0, 1), JobStatus::Queued).await, Delivered::Published);
    assert_eq!(world.ttl(world.names.status(&job())).await, -1, "it lives until its own end");

    assert_eq!(world.deliver(&refusal).await, Delivered::Stale);
    assert_eq!(world.status().await, ("queued".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn the_job_monitor_shows_what_the_hash_says_and_fades_after_a_day() {
    let mut world = World::new().await;
    let monitor = |status: StatusHash| Delivery::of_status(status).with_job_monitor(Some(5_600), at(0));
    world.deliver(&monitor(StatusHash::new(job(), JobStatus::Completed, 2))).await;
    world.deliver(&monitor(StatusHash::new(job(), JobStatus::Running, 1))).await;

    let key = world.names.job_monitor(&job());
    let text: String = world.connection.get(&key).await.expect("a text");
    assert!(text.contains(r#""status":"completed","progress":100,"processed_symbols":5600"#), "{text}");
    assert!((86_300..=86_400).contains(&world.ttl(key).await));
}

#[tokio::test]
async fn the_recent_jobs_are_the_newest_thousand_by_time_of_request() {
    let mut world = World::new().await;
    for n in 0..1_003 {
        let job_id = JobId::parse(&format!("job-{n}")).expect("valid");
        let status = StatusHash::new(job_id, JobStatus::Queued, 1);
        world.deliver(&Delivery::of_status(status).listed_at(at(n))).await;
    }
    let recent: Vec<String> =
        world.connection.zrange(world.names.recent(), 0, -1).await.expect("a sorted set");
    assert_eq!((recent.len(), recent[0].as_str()), (1_000, "job-3"));
    assert_eq!(recent[999], "job-1002");
}

#[tokio::test]
async fn a_thousand_events_are_told_in_order_and_in_few_round_trips() {
    let mut world = World::new().await;
    let job_id = job();
    let progress = |n| {
        let occasion = Occasion { names: &world.names, job_id: &job_id, mode: Mode::Full, seq: n, at: at(0) };
        occasion.progress(Progress {
            run_id: None,
            current_task: SyncTask::IpoAssignment,
            completed: 1,
            total_items: 5,
            total_symbols: None,
        })
    };
    let deliveries: Vec<_> = (1..=1_000).map(|n| Delivery::of_event(job(), progress(n))).collect();
    let calls_before = script_calls(&mut world.connection).await;
    let told = deliver_all(&mut world.connection, &world.names, &deliveries).await.expect("delivered");
    assert_eq!(told, vec![Delivered::Published; 1_000]);
    assert!(script_calls(&mut world.connection).await - calls_before <= 11);
    let ids: Vec<_> = (1..=1_000).map(|n| format!("{n}-0")).collect();
    assert_eq!(world.event_ids().await, ids);

    let again = deliver_all(&mut world.connection, &world.names, &deliveries).await.expect("delivered");
    assert_eq!(again, vec![Delivered::Stale; 1_000]);
}

/// How many scripts the server was asked to run.
async fn script_calls(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(connection).await.expect("info");
    let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let count = line.and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test]
async fn what_is_told_of_several_jobs_stays_with_its_job() {
    let mut world = World::new().await;
    let other = JobId::parse("job-2").expect("valid");
    let deliveries = [
        Delivery::of_event(job(), world.started(1)),
        Delivery::of_event(other.clone(), world.started(1)),
        Delivery::of_event(job(), world.started(2)),
    ];
    let told = deliver_all(&mut world.connection, &world.names, &deliveries).await.expect("delivered");
    assert_eq!(told, [Delivered::Published; 3]);
    assert_eq!(world.event_ids().await, ["1-0", "2-0"]);
    let others: u64 = world.connection.xlen(world.names.events(&other)).await.expect("a stream");
    assert_eq!(others, 1);
    assert_eq!(deliver_all(&mut world.connection, &world.names, &[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_key_of_another_kind_fails_the_script_before_it_writes() {
    for kind in 0..3 {
        let mut world = World::new().await;
        let key =
            [world.names.status(&job()), world.names.events(&job()), world.names.recent()][kind].clone();
        let () = world.connection.set(&key, "a text").await.expect("set");
        let delivery = Delivery::of_event(job(), world.started(1))
            .with_status(StatusHash::new(job(), JobStatus::Running, 0))
            .with_job_monitor(None, at(0))
            .listed_at(at(0));
        let error = deliver(&mut world.connection, &world.names, &delivery).await.expect_err("refused");
        assert!(error.to_string().contains("WRONGTYPE"), "{error}");
        let keys: Vec<String> = world.connection.keys("*").await.expect("keys");
        assert_eq!(keys, [key]);
    }
}

#[tokio::test]
async fn a_server_without_memory_left_is_told_nothing_by_half() {
    let mut world = World::new().await;
    world.publish(1, JobStatus::Running).await;
    let memory = |bytes: &'static str| {
        let mut command = redis::cmd("CONFIG");
        command.arg(&["SET", "maxmemory", bytes]);
        command
    };
    let () = memory("1").query_async(&mut world.connection).await.expect("set");
    let delivery = Delivery::of_event(job(), world.started(2)).with_status(StatusHash::new(
        job(),
        JobStatus::Completed,
        0,
    ));
    let error = deliver(&mut world.connection, &world.names, &delivery).await.expect_err("refused");
    assert!(error.to_string().contains("OOM"), "{error}");
    assert_eq!(world.event_ids().await, ["1-0"]);
    assert_eq!(world.status().await, ("running".to_owned(), "1".to_owned()));

    let () = memory("0").query_async(&mut world.connection).await.expect("set");
    assert_eq!(world.deliver(&delivery).await, Delivered::Published);
}

#[tokio::test]
async fn the_monitor_hears_of_a_job_that_waits_and_of_none_that_it_does_not_know() {
    let mut world = World::new().await;
    let status = StatusHash::new(job(), JobStatus::Running, 1);
    let names = world.names.clone();
    refresh_monitor(&mut world.connection, &names, &status, at(60_000)).await.expect("refreshed");
    let keys: Vec<String> = world.connection.keys("*").await.expect("keys");
    assert_eq!(keys, [""; 0]);

    let delivery = Delivery::of_status(status.clone()).with_job_monitor(None, at(0));
    assert_eq!(world.deliver(&delivery).await, Delivered::Published);
    refresh_monitor(&mut world.connection, &names, &status, at(60_000)).await.expect("refreshed");
    for key in [names.job_monitor(&job()), Names::single_job(&job())] {
        let text: String = world.connection.get(&key).await.expect("a text");
        assert!(text.contains(&at(60_000).format("%H:%M:%S").to_string()), "{text}");
        let seconds: i64 = world.connection.ttl(&key).await.expect("a time");
        assert!(seconds > 86_000, "{seconds}");
    }
}
