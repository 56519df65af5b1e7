//! `worker`: joins the consumer group and works.

use std::sync::Arc;

use crate::worker::shutdown::Shutdown;
use crate::worker::{Until, Worker};

use super::exit::Exit;
use super::{Context, screen};

/// Joins the consumer group and works on jobs until told to stop
///
/// SIGTERM or Ctrl-C: it finishes or hands back what it has, and exits 0. A second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync worker
  cache-sync worker --log-format json
  cache-sync submit && cache-sync worker --once     (for cron: works what there is, then ends)")]
pub struct WorkerArgs {
    /// End when nothing is left: no entry unread, none pending without a live holder, no retry due within 60 s
    #[arg(long)]
    pub once: bool,
}

/// Runs `worker`.
pub async fn worker(args: &WorkerArgs, context: &Context) -> Result<(), Exit> {
    let shutdown = Shutdown::on_signals(context.settings.worker.drain)
        .map_err(|error| Exit::NotDone(format!("cannot listen for signals: {error}")))?;
    let worker = Arc::new(Worker::new(&context.settings, shutdown).map_err(Exit::Usage)?);
    let until = if args.once { Until::Idle } else { Until::Stopped };
    Arc::clone(&worker).run(until).await?;
    if let Some(failed) = worker.failed.sentence().filter(|_| args.once) {
        screen::remark(&format!("note: {failed}"));
    }
    Ok(())
}
