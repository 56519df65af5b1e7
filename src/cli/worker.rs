//! `worker`: joins the consumer group and works.

/// Joins the consumer group and works on jobs until told to stop
///
/// SIGTERM or Ctrl-C: it finishes or hands back what it has, and exits 0. A second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync worker -v
  cache-sync worker --log-format json
  cache-sync submit && cache-sync worker --once     (for cron: works what there is, then ends)")]
pub struct WorkerArgs {
    /// End when nothing is left: no entry unread, none pending without a live holder, no retry due within 60 s
    #[arg(long)]
    pub once: bool,
}
