//! When a connection to Postgres is given up: the one rule for all of them.
//!
//! A connection is condemned, and never used again, when
//!
//! | what is seen | by whom |
//! |---|---|
//! | it does not answer within the bound of what it was asked | [`Watch::hear`], around every statement, `BEGIN` and `COMMIT` |
//! | it breaks, or its server says that it shuts down | the same |
//! | its server says that it can't write (`25006`, at `BEGIN` also `0A000`): a standby | the same |
//! | it does not answer at once that its server is a primary, before it is used again | [`Watch::is_usable`] |
//! | a connection of the same pool was silent, and this one is older | [`Health`] |
//!
//! # Why one silence is enough
//! The bound is beyond what the server allows the statement itself, so an answer that comes later means that the network
//! or the server hangs. Another connection costs a millisecond; the one that was silent may be dead without either end
//! knowing, and would be asked in vain for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use crate::failure::PostgresError;

/// Longest wait for a sign of life of a connection that was idle.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// What a connection is asked before it is used again.
const QUESTION: &str = "select pg_is_in_recovery()";

/// The verdict on one connection, shared by all who use it.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    is_condemned: Arc<AtomicBool>,
    health: Health,
}

impl Watch {
    pub(super) fn new(health: Health) -> Self {
        Self { is_condemned: Arc::default(), health }
    }

    /// Waits for an answer, at most for `bound`, and condemns the connection where the rule says so.
    pub(super) async fn hear<T>(
        &self,
        bound: Duration,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        match tokio::time::timeout(bound, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let error = PostgresError::from(error);
                if error.is_of_wrong_server() || error.is_of_lost_connection() {
                    self.condemn();
                }
                Err(error)
            }
            Err(_) => {
                self.condemn();
                self.health.note_silence();
                Err(PostgresError::Silent(bound))
            }
        }
    }

    /// Whether the connection answers at once, and leads to a server that can write.
    pub(super) async fn is_usable(&self, client: &tokio_postgres::Client) -> bool {
        let answer = self.hear(SIGN_OF_LIFE, client.simple_query(QUESTION)).await;
        let is_primary = answer.is_ok_and(|rows| rows.iter().any(says_primary));
        if !is_primary {
            self.condemn();
        }
        is_primary
    }

    pub(super) fn condemn(&self) {
        self.is_condemned.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_condemned(&self) -> bool {
        self.is_condemned.load(Ordering::Relaxed)
    }
}

fn says_primary(message: &SimpleQueryMessage) -> bool {
    matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("f"))
}

/// What is known of all connections of one database: the last moment at which one of them was silent. Those that were made
/// before it are not trusted, or each would be waited for in turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Mutex<Option<Instant>>>);

impl Health {
    fn note_silence(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that was made then may be used again.
    pub(super) fn trusts(&self, made_at: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|silent_at| made_at > silent_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silent_connection_is_condemned_and_no_older_one_is_trusted() {
        let health = Health::default();
        let made_at = Instant::now();
        let watch = Watch::new(health.clone());
        assert!(health.trusts(made_at) && !watch.is_condemned());
        let silence = std::future::pending::<Result<(), tokio_postgres::Error>>();
        let error = watch.hear(Duration::from_millis(5), silence).await.expect_err("nobody answers");
        assert!(matches!(error, PostgresError::Silent(_)));
        assert!(watch.is_condemned());
        assert!(!health.trusts(made_at));
        assert!(health.trusts(Instant::now() + Duration::from_millis(1)));
    }
}
