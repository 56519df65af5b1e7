//! Stopping in good order.
//!
//! The first SIGTERM or SIGINT asks: nothing new is read, and the job at hand may finish. When the time to drain is
//! over, the job is rolled back and handed to another worker without counting the attempt. A second signal ends the
//! process at once; nothing is lost by that either, only found later. SIGHUP is logged and changes nothing.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Two tokens: one asks to stop, the other demands it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Cancelled when the worker should read nothing new.
    pub asked: CancellationToken,
    /// Cancelled when the job at hand must be let go.
    pub demanded: CancellationToken,
}

/// Signals within this time of the first are the same one told again.
const SAME_WISH: Duration = Duration::from_millis(500);
/// Exit status of a process ended by a second signal: 128 + SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

impl Shutdown {
    /// Listens for signals of this process; `drain` lies between asking and demanding.
    pub fn on_signals(drain: Duration) -> std::io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            // A terminal that was closed, or somebody who expects settings to be read again.
            while hangup.recv().await.is_some() {
                warn!(
                    "SIGHUP changes nothing: settings are read at the start only; to read them again, restart"
                );
            }
        });
        let listener = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            info!(
                "stopping: the job at hand has {} s to finish; a second signal stops at once",
                drain.as_secs()
            );
            listener.ask(drain);
            // A supervisor may signal the process and its group at the same moment: that is one wish, not two.
            tokio::time::sleep(SAME_WISH).await;
            while terminate.recv().now_or_never().is_some() || interrupt.recv().now_or_never().is_some() {}
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            warn!("stopped at once by a second signal");
            std::process::exit(EXIT_INTERRUPTED);
        });
        Ok(shutdown)
    }

    /// Asks now and demands after `drain`.
    pub fn ask(&self, drain: Duration) {
        self.asked.cancel();
        let demanded = self.demanded.clone();
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            demanded.cancel();
        });
    }

    /// Whether the worker should read nothing new.
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }
}
