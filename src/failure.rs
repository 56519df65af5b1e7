//! What can go wrong with Postgres and Redis, sorted by who acts on it.
//!
//! Whether to try again is decided once, here: [`postgres`] and [`redis`](redis()) turn a driver's error into a
//! [`Failure`], and the rest of the program branches on its variants.

use std::error::Error as StdError;

use tokio_postgres::error::SqlState;

/// A cause of any type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Work that could not be done. `doing` completes the sentence "unable to ...".
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Worth trying again after a while: a server was away, restarting, full, or a lock was held.
    #[error("temporarily unable to {doing}: {source}")]
    Transient {
        /// What was being done.
        doing: String,
        /// What stood in the way.
        source: BoxError,
    },
    /// Another transaction won; the same work done again from a fresh snapshot will pass.
    #[error("unable to {doing}: another transaction won: {source}")]
    Conflict {
        /// What was being done.
        doing: String,
        /// What stood in the way.
        source: BoxError,
    },
    /// Trying again will not help: a missing table, a missing right, a malformed answer. A person should look.
    #[error("unable to {doing}: {source}")]
    Permanent {
        /// What was being done.
        doing: String,
        /// What stood in the way.
        source: BoxError,
    },
}

impl Failure {
    /// A failure that trying again will not mend, with a sentence as its cause.
    pub fn permanent(doing: impl Into<String>, cause: impl Into<BoxError>) -> Self {
        Self::Permanent { doing: doing.into(), source: cause.into() }
    }

    /// A failure that trying again may mend, with a sentence as its cause.
    pub fn transient(doing: impl Into<String>, cause: impl Into<BoxError>) -> Self {
        Self::Transient { doing: doing.into(), source: cause.into() }
    }

    /// Whether a server was out of reach or busy, rather than the request wrong.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Permanent { .. })
    }
}

impl From<crate::fault::Lost> for Failure {
    fn from(_: crate::fault::Lost) -> Self {
        Self::transient("hear the answer", "the connection was lost")
    }
}

/// Why there is no answer of Postgres, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server or the driver says why.
    #[error(transparent)]
    Said(#[from] tokio_postgres::Error),
    /// No answer came in all the time that one may take.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Silent(std::time::Duration),
}

impl PostgresError {
    /// What the server answered, where it did.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Said(error) => error.code(),
            Self::Silent(_) => None,
        }
    }

    /// Whether the server can't write: it is a standby, or has become one.
    pub fn is_of_wrong_server(&self) -> bool {
        self.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    /// Whether the connection is gone, or about to be: a server that shuts down says so.
    pub fn is_of_lost_connection(&self) -> bool {
        match self {
            Self::Said(error) => match error.code() {
                Some(state) => {
                    matches!(state.code(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04")
                }
                None => error.is_closed() || is_io(error),
            },
            Self::Silent(_) => true,
        }
    }
}

/// Sorts an error of Postgres. Use as `.map_err(postgres("load the job"))`.
pub fn postgres<E: Into<PostgresError>>(doing: &str) -> impl FnOnce(E) -> Failure + use<'_, E> {
    move |error| {
        let doing = doing.to_owned();
        let error = match error.into() {
            PostgresError::Said(error) => error,
            silent @ PostgresError::Silent(_) => {
                return Failure::Transient { doing, source: silent.into() };
            }
        };
        let kind = match error.code() {
            Some(state) => sort_sqlstate(state),
            // No SQLSTATE: either the connection is gone, or the driver could not read what the server sent.
            None if error.is_closed() || is_io(&error) => Kind::Transient,
            None => Kind::Permanent,
        };
        let source: BoxError = readable(error);
        match kind {
            Kind::Transient => Failure::Transient { doing, source },
            Kind::Conflict => Failure::Conflict { doing, source },
            Kind::Permanent => Failure::Permanent { doing, source },
        }
    }
}

/// Sorts an error of the connection pool.
pub fn pool(doing: &str) -> impl FnOnce(deadpool_postgres::PoolError) -> Failure + '_ {
    use deadpool_postgres::PoolError;
    move |error| match error {
        PoolError::Backend(error) => connecting(doing)(error),
        other => Failure::transient(doing, other),
    }
}

/// Sorts an error made while connecting. Without an answer from the server it may come back; a server that
/// answers that the password or the database is wrong will go on saying so.
pub fn connecting(doing: &str) -> impl FnOnce(tokio_postgres::Error) -> Failure + '_ {
    move |error| {
        if error.code().is_none() {
            Failure::Transient { doing: doing.to_owned(), source: readable(error) }
        } else {
            postgres(doing)(error)
        }
    }
}

/// Sorts an error of Redis. Use as `.map_err(redis("read the stream"))`.
pub fn redis(doing: &str) -> impl FnOnce(::redis::RedisError) -> Failure + '_ {
    use ::redis::ErrorKind;
    move |error| {
        let of_client = matches!(
            error.kind(),
            ErrorKind::InvalidClientConfig
                | ErrorKind::AuthenticationFailed
                | ErrorKind::UnexpectedReturnType
        );
        let permanent = of_client
            || error.code().is_some_and(is_permanent_code)
            || error.detail().is_some_and(is_permanent_sentence);
        let doing = doing.to_owned();
        let source = readable_of_redis(error);
        if permanent { Failure::Permanent { doing, source } } else { Failure::Transient { doing, source } }
    }
}

/// The words that Redis answers with where it will go on answering so. By word, for the driver has no kind for most.
fn is_permanent_code(code: &str) -> bool {
    matches!(code, "WRONGTYPE" | "WRONGPASS" | "NOAUTH" | "NOPERM" | "CROSSSLOT")
}

/// What Redis says under the general word `ERR` and will go on saying: a right that is missing inside a script, and a
/// server of another kind, such as a Sentinel, which has no streams.
fn is_permanent_sentence(detail: &str) -> bool {
    detail.contains("user executing the script can't") || detail.starts_with("unknown command")
}

/// Where in a script something was refused helps nobody who has to grant it.
fn readable_of_redis(error: ::redis::RedisError) -> BoxError {
    let is_refusal = error.code() == Some("NOPERM") || error.detail().is_some_and(is_permanent_sentence);
    match error.detail() {
        Some(detail) if is_refusal => detail.split(" script: ").next().unwrap_or(detail).into(),
        _ => error.into(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Transient,
    Conflict,
    Permanent,
}

fn sort_sqlstate(state: &SqlState) -> Kind {
    match state.code() {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Kind::Conflict,
        // lock_not_available, query_canceled, idle_in_transaction_session_timeout, and the session timeouts
        "55P03" | "57014" | "25P03" | "25P04" | "57P05"
        // admin_shutdown, crash_shutdown, cannot_connect_now
        | "57P01" | "57P02" | "57P03"
        // read_only_sql_transaction: a server that has just become a replica
        | "25006" => Kind::Transient,
        // insufficient_resources, connection_exception, system_error
        code if code.starts_with("53") || code.starts_with("08") || code.starts_with("58") => Kind::Transient,
        _ => Kind::Permanent,
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The driver prints `db error` and keeps the sentence in its source; people want the sentence.
fn readable(error: tokio_postgres::Error) -> BoxError {
    let Some(db) = error.as_db_error() else {
        return match error.source() {
            Some(cause) => format!("{error}: {cause}").into(),
            None => error.into(),
        };
    };
    let mut text = format!("{} ({})", db.message(), db.code().code());
    if let Some(hint) = db.hint() {
        text = format!("{text}; {hint}");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_sorted_by_whether_trying_again_can_help() {
        for code in ["55P03", "57014", "57P01", "57P02", "57P03", "53300", "53100", "08006", "58030", "25006"]
        {
            assert_eq!(sort_sqlstate(&SqlState::from_code(code)), Kind::Transient, "{code}");
        }
        for code in ["40001", "40P01"] {
            assert_eq!(sort_sqlstate(&SqlState::from_code(code)), Kind::Conflict, "{code}");
        }
        for code in ["42P01", "42501", "42601", "23505", "22P02", "3D000", "28P01"] {
            assert_eq!(sort_sqlstate(&SqlState::from_code(code)), Kind::Permanent, "{code}");
        }
    }

    #[test]
    fn answers_of_redis_are_sorted_by_whether_trying_again_can_help() {
        let answer = |text: &str| {
            let error = match ::redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
                Ok(::redis::Value::ServerError(error)) => error.into(),
                other => panic!("{other:?}"),
            };
            redis("ask")(error)
        };
        for text in ["WRONGTYPE of another kind", "NOPERM no", "NOAUTH who?", "WRONGPASS no", "CROSSSLOT no"]
        {
            assert!(!answer(text).is_transient(), "{text}");
        }
        for text in [
            "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:1.",
            "ERR unknown command 'XADD', with args beginning with: 'a'",
        ] {
            assert!(!answer(text).is_transient(), "{text}");
            assert!(!answer(text).to_string().contains("user_script"), "{}", answer(text));
        }
        for text in ["LOADING later", "READONLY a replica", "OOM full", "ERR something", "BUSY a script"] {
            assert!(answer(text).is_transient(), "{text}");
        }
    }
}
