//! Fault points: the places at which a test cuts the world.
//!
//! Every step of a job that asks a server for something has two, `claim.before` and `claim.after`: between them lies the
//! effect, and behind the second its answer is not yet seen. The steps are those of the table in [`worker`](crate::worker).
//!
//! ```text
//!   fault::point("ack.before") ─► XACK ─► fault::point("ack.after") ─► go on
//!        │                                     │
//!        └──── says its name to the test ──────┘    killed, stopped, held, or told that the answer got lost
//! ```
//!
//! A point does nothing at all, and nothing can be asked of it, unless the program was built with the feature
//! `fault-points`, which is for tests only. Then, where the variable `CACHE_SYNC_FAULT` names a unix socket, every point
//! that is passed connects there, says its name and waits: for `go`, or for `lose`, upon which the step fails as if the
//! connection had broken before the answer came. A test that is gone means `go`.

/// The answer to a step got lost on its way.
#[cfg(not(feature = "fault-points"))]
#[derive(Debug)]
pub enum Lost {}

/// The answer to a step got lost on its way.
#[cfg(feature = "fault-points")]
#[derive(Debug)]
pub struct Lost;

impl From<Lost> for redis::RedisError {
    fn from(_: Lost) -> Self {
        std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
    }
}

/// Passes a point. [`Lost`] is to be handled as a connection that broke.
#[cfg(not(feature = "fault-points"))]
pub fn point(_name: &'static str) -> std::future::Ready<Result<(), Lost>> {
    std::future::ready(Ok(()))
}

/// Passes a point. [`Lost`] is to be handled as a connection that broke.
#[cfg(feature = "fault-points")]
pub async fn point(name: &'static str) -> Result<(), Lost> {
    static SOCKET: std::sync::LazyLock<Option<std::ffi::OsString>> =
        std::sync::LazyLock::new(|| std::env::var_os("CACHE_SYNC_FAULT"));
    let Some(socket) = SOCKET.as_deref() else { return Ok(()) };
    match ask(socket, name).await {
        Ok(order) if order.starts_with("lose") => Err(Lost),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(feature = "fault-points")]
async fn ask(socket: &std::ffi::OsStr, name: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut test = tokio::net::UnixStream::connect(socket).await?;
    test.write_all(format!("{name}\n").as_bytes()).await?;
    let mut order = String::new();
    test.read_to_string(&mut order).await?;
    Ok(order)
}
