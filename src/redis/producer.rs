//! Puts job requests on the stream.
//!
//! The entry, the job's first status, its place among the recent jobs and the event that it was asked for are written by
//! one script: a page that is told of a job finds its status, and a worker that finds an entry is never ahead of either.
//!
//! [`enqueue`] may be repeated, by a sender that lost its connection as well as by the sweeper that finds a job without an
//! entry: each call adds an entry, and workers recognise a second one by its job id. What was told once is not told again.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use redis::aio::ConnectionLike;
use redis::{RedisResult, Script};

use crate::domain::job::JobRequest;
use crate::fault;
use crate::redis::publisher::{Delivered, Delivery, begin_call, write_bounds};
use crate::wire::entry;
use crate::wire::event::{Occasion, Source};
use crate::wire::names::Names;
use crate::wire::seq;
use crate::wire::status::StatusHash;

static ENQUEUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("scripts/publish.lua"), include_str!("scripts/enqueue.lua")))
});

/// A request on the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// The id of its entry.
    pub entry_id: String,
    /// Whether the job is news, or was put on the stream again.
    pub announced: Delivered,
}

/// What is told of a job when it is asked for through `source`: that it is queued, and by whom it was triggered.
pub fn announcement(names: &Names, request: &JobRequest, source: Source, at: DateTime<Utc>) -> Delivery {
    let first = seq(0, 1);
    let occasion = Occasion { names, job_id: &request.job_id, mode: request.mode, seq: first, at };
    Delivery::of_event(
        request.job_id.clone(),
        occasion.triggered(source, request.force, &request.triggered_by),
    )
    .with_status(StatusHash::queued(request, first, at))
    .listed_at(request.requested_at)
}

/// Puts `request` on the stream and tells `announcement`, all or nothing. The request should have passed
/// [`entry::check`], or workers will refuse it.
pub async fn enqueue(
    connection: &mut impl ConnectionLike,
    names: &Names,
    request: &JobRequest,
    announcement: &Delivery,
) -> RedisResult<Enqueued> {
    let fields = entry::to_fields(request);
    let mut call = begin_call(&ENQUEUE, names, announcement.job_id());
    call.key(names.job_stream());
    write_bounds(&mut call);
    call.arg(fields.len() * 2);
    for (name, value) in fields {
        call.arg(name).arg(value);
    }
    announcement.write_args(&mut call);
    fault::point("enqueue.before").await?;
    let (entry_id, told): (String, i64) = call.invoke_async(connection).await?;
    fault::point("enqueue.after").await?;
    Ok(Enqueued { entry_id, announced: Delivered::from_script(told) })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures_util::StreamExt;
    use redis::AsyncCommands;
    use redis::aio::MultiplexedConnection;
    use redis::streams::{StreamId, StreamRangeReply};

    use super::*;
    use crate::domain::job::{JobId, JobStatus};
    use crate::domain::task::Mode;
    use crate::redis::private_redis::PrivateRedis;
    use crate::redis::publisher::deliver;
    use crate::wire::entry::RawField;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_767_389_400_000 + ms).expect("in range")
    }

    fn request() -> JobRequest {
        let mut request = JobRequest::new(JobId::parse("job-1").expect("valid"), Mode::Themes, "cli", at(0));
        request.run_id = Some("4711".to_owned());
        request
    }

    async fn entries(connection: &mut MultiplexedConnection, stream: &str) -> Vec<StreamId> {
        let range: StreamRangeReply = connection.xrange_all(stream).await.expect("a stream");
        range.ids
    }

    fn raw_fields(entry: &StreamId) -> Vec<RawField> {
        let text = |value: &redis::Value| redis::from_redis_value_ref::<Vec<u8>>(value).expect("bytes");
        entry.map.iter().map(|(name, value)| (name.as_bytes().to_vec(), text(value))).collect()
    }

    #[tokio::test]
    async fn a_worker_and_a_page_find_the_same_job() {
        let (server, names) = (PrivateRedis::start(), Names::default());
        let mut connection = server.connect().await;
        let mut listener = server.listen().await;

        let told = announcement(&names, &request(), Source::Job, at(5)).with_job_monitor(None, at(5));
        let enqueued = enqueue(&mut connection, &names, &request(), &told).await.expect("enqueued");
        assert_eq!(enqueued.announced, Delivered::Published);

        let jobs = entries(&mut connection, &names.job_stream()).await;
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].id, enqueued.entry_id);
        let parsed = entry::parse(&jobs[0].id, &raw_fields(&jobs[0])).expect("a request");
        assert_eq!(parsed.request, request());

        let hash: HashMap<String, String> =
            connection.hgetall(names.status(&request().job_id)).await.expect("a hash");
        assert_eq!(StatusHash::from_fields(&hash), Ok(StatusHash::queued(&request(), 1, at(5))));

        let events = entries(&mut connection, &names.events(&request().job_id)).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].id, "1-0");
        assert_eq!(events[0].get::<String>("event").as_deref(), Some("cache_sync_triggered"));

        let recent: Vec<(String, i64)> =
            connection.zrange_withscores(names.recent(), 0, -1).await.expect("a sorted set");
        assert_eq!(recent, [("job-1".to_owned(), at(0).timestamp_millis())]);

        let monitor: String = connection.get(names.job_monitor(&request().job_id)).await.expect("a text");
        assert!(monitor.contains(r#""status":"queued""#), "{monitor}");

        let message = listener.on_message().next().await.expect("a message");
        assert_eq!(message.get_channel_name(), "tickstock:cache:sync_triggered");
    }

    #[tokio::test]
    async fn a_job_put_on_the_stream_again_keeps_its_later_status_and_is_not_told_twice() {
        let (server, names) = (PrivateRedis::start(), Names::default());
        let mut connection = server.connect().await;
        let told = announcement(&names, &request(), Source::Api, at(5));
        let first = enqueue(&mut connection, &names, &request(), &told).await.expect("enqueued");

        let running = StatusHash::new(request().job_id, JobStatus::Running, seq(1, 1));
        deliver(&mut connection, &names, &Delivery::of_status(running)).await.expect("delivered");

        let again = enqueue(&mut connection, &names, &request(), &told).await.expect("enqueued");
        assert_eq!(again.announced, Delivered::Stale);
        assert_ne!(again.entry_id, first.entry_id);
        assert_eq!(entries(&mut connection, &names.job_stream()).await.len(), 2);
        assert_eq!(entries(&mut connection, &names.events(&request().job_id)).await.len(), 1);
        let status: String =
            connection.hget(names.status(&request().job_id), "status").await.expect("a field");
        assert_eq!(status, "running");
    }

    #[tokio::test]
    async fn nothing_is_written_where_a_key_is_of_another_kind() {
        let (server, names) = (PrivateRedis::start(), Names::default());
        let mut connection = server.connect().await;
        for key in [names.job_stream(), names.recent()] {
            let () = connection.set(&key, "a text").await.expect("set");
            let told = announcement(&names, &request(), Source::Api, at(5));
            let error = enqueue(&mut connection, &names, &request(), &told).await.expect_err("refused");
            assert!(error.to_string().contains("WRONGTYPE"), "{error}");
            let keys: Vec<String> = connection.keys("*").await.expect("keys");
            assert_eq!(keys, [key.as_str()]);
            let () = connection.del(&key).await.expect("deleted");
        }
    }
}
