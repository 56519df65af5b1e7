//! What is heard on channels, with a bound and a pulse.
//!
//! A subscription is silent when nothing is published, and just as silent when its connection is dead. So the server is
//! asked for a sign of life between messages, and [`Subscription::next`] says `None` once there is none: whoever
//! listens then subscribes anew, and looks elsewhere for what was missed.
//!
//! # Why messages can be lost on purpose
//! Redis sends as fast as others publish, and a listener may be waiting for Postgres meanwhile. Messages beyond a bound
//! are not kept; the subscription counts as lost then, so that the listener knows that it has missed some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{FromRedisValue, PushInfo, PushKind, Value};
use tokio::sync::mpsc;

use crate::wire::MAX_MESSAGE_BYTES;

use super::connection::{is_replica, passing};

/// Messages that wait to be listened to, at most.
const MAX_WAITING: usize = 256;
/// Silence after which the server is asked for a sign of life.
const PULSE: Duration = Duration::from_secs(5);

/// Something that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub channel: String,
    /// What, any bytes; cut after [`MAX_MESSAGE_BYTES`] and one.
    pub payload: Vec<u8>,
}

/// A connection that listens.
pub struct Subscription {
    connection: MultiplexedConnection,
    letters: Letters,
}

impl Subscription {
    pub(super) fn new(connection: MultiplexedConnection, letters: Letters) -> Self {
        Self { connection, letters }
    }

    /// The next message; `None` once the connection is lost or messages were.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if self.letters.is_overflown.load(Ordering::Relaxed) {
                return self.letters.waiting.try_recv().ok()?;
            }
            match tokio::time::timeout(PULSE, self.letters.waiting.recv()).await {
                Ok(letter) => return letter?,
                Err(_) => self.feel_pulse().await.ok()?,
            }
        }
    }

    async fn feel_pulse(&mut self) -> redis::RedisResult<()> {
        if is_replica(&mut self.connection).await? {
            return Err(passing("the server has become a replica"));
        }
        Ok(())
    }
}

/// What has come in: messages, and `None` for the end of the connection.
pub(super) struct Letters {
    waiting: mpsc::Receiver<Option<Message>>,
    is_overflown: Arc<AtomicBool>,
}

/// Where the connection puts what comes in.
pub(super) struct Mailbox {
    letters: mpsc::Sender<Option<Message>>,
    is_overflown: Arc<AtomicBool>,
}

impl Mailbox {
    pub(super) fn new() -> (Self, Letters) {
        let (letters, waiting) = mpsc::channel(MAX_WAITING);
        let is_overflown = Arc::new(AtomicBool::new(false));
        (Self { letters, is_overflown: Arc::clone(&is_overflown) }, Letters { waiting, is_overflown })
    }

    pub(super) fn into_push_sender(self) -> impl AsyncPushSender {
        move |push: PushInfo| {
            self.take(push);
            Ok::<(), std::convert::Infallible>(())
        }
    }

    fn take(&self, push: PushInfo) {
        let letter = match push.kind {
            PushKind::Message => message(push.data).map(Some),
            PushKind::Disconnection => Some(None),
            _ => None,
        };
        if letter.is_some_and(|letter| self.letters.try_send(letter).is_err()) {
            self.is_overflown.store(true, Ordering::Relaxed);
        }
    }
}

/// A message as it is pushed: its channel and its payload.
fn message(data: Vec<Value>) -> Option<Message> {
    let mut data = data.into_iter();
    let channel = String::from_redis_value(data.next()?).ok()?;
    let mut payload = Vec::<u8>::from_redis_value(data.next()?).ok()?;
    payload.truncate(MAX_MESSAGE_BYTES + 1);
    payload.shrink_to_fit();
    Some(Message { channel, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(payload: &[u8]) -> PushInfo {
        let data = vec![Value::BulkString(b"news".to_vec()), Value::BulkString(payload.to_vec())];
        PushInfo { kind: PushKind::Message, data }
    }

    #[tokio::test]
    async fn messages_come_in_order_and_long_ones_are_cut() {
        let (mailbox, mut letters) = Mailbox::new();
        mailbox.take(pushed(b"one"));
        mailbox.take(pushed(&vec![0xff; 2 * MAX_MESSAGE_BYTES]));
        mailbox.take(PushInfo { kind: PushKind::Subscribe, data: Vec::new() });
        mailbox.take(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
        let first = letters.waiting.recv().await.expect("open").expect("a message");
        assert_eq!((first.channel.as_str(), first.payload.as_slice()), ("news", b"one".as_slice()));
        let second = letters.waiting.recv().await.expect("open").expect("a message");
        assert_eq!(second.payload.len(), MAX_MESSAGE_BYTES + 1);
        assert_eq!(letters.waiting.recv().await.expect("open"), None, "the end of the connection");
    }

    #[test]
    fn beyond_the_bound_the_subscription_counts_as_lost() {
        let (mailbox, letters) = Mailbox::new();
        for _ in 0..MAX_WAITING {
            mailbox.take(pushed(b"one"));
        }
        assert!(!letters.is_overflown.load(Ordering::Relaxed));
        mailbox.take(pushed(b"one too many"));
        assert!(letters.is_overflown.load(Ordering::Relaxed));
    }

    #[test]
    fn what_is_no_message_is_left_out() {
        assert_eq!(message(Vec::new()), None);
        assert_eq!(message(vec![Value::BulkString(vec![0xff]), Value::Nil]), None);
    }
}
