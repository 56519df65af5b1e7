//! Somebody who listens to pub/sub.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{World, until};

/// Where only the tests publish, to know that all before it was heard.
const MARKS: &str = "marks-of-the-tests";

static MARKS_MADE: AtomicUsize = AtomicUsize::new(0);

/// A message: its channel, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) channel: String,
    pub(crate) message: Value,
}

/// Collects everything that is published, in order.
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Starts to listen. Ends quietly with its server.
    pub(super) async fn start(url: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        let mut subscription = client.get_async_pubsub().await.unwrap();
        subscription.psubscribe("*").await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notebook = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut messages = subscription.on_message();
            while let Some(message) = messages.next().await {
                let text: String = message.get_payload().expect("every message is text");
                let said = serde_json::from_str(&text).expect("every message is JSON");
                let channel = message.get_channel_name().to_owned();
                notebook.lock().unwrap().push(Heard { channel, message: said });
            }
        });
        Self { heard, task }
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|heard| heard.channel != MARKS).cloned().collect()
    }

    /// What was heard of one job so far.
    pub(crate) fn heard_of(&self, id: &str) -> Vec<Heard> {
        let is_about = |heard: &Heard| heard.message["payload"]["job_id"] == id;
        self.heard().into_iter().filter(is_about).collect()
    }

    /// Waits until the end of a job was heard, on both of its channels; everything heard of it.
    pub(crate) async fn hear_end_of(&self, id: &str) -> Vec<Heard> {
        until(&format!("the end of job {id} on pub/sub"), async || {
            assert!(!self.task.is_finished(), "the listener lost its connection");
            self.heard_of(id).iter().any(|heard| heard.channel == "tickstock:cache:completed")
        })
        .await;
        self.heard_of(id)
    }
}

impl World {
    /// Waits until a listener has heard everything that was published so far: Redis keeps the order.
    pub(crate) async fn all_heard(&self, listener: &Listener) {
        let mark = json!(MARKS_MADE.fetch_add(1, Ordering::Relaxed));
        self.publish(MARKS, &mark).await;
        until("the listener to have heard all", async || {
            listener.heard.lock().unwrap().iter().any(|heard| heard.channel == MARKS && heard.message == mark)
        })
        .await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
