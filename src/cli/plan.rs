//! `plan`: what a sync would change now. Shown like the plans of infrastructure tools: `+` joins, `-` leaves, `~` goes on
//! under another symbol, `!` is held, and a summary in one line.

use chrono::NaiveDate;

use crate::domain::job::{JobId, JobRequest};
use crate::domain::task::Mode;
use crate::plan::result::Plan;
use crate::render::plan::{plan_json, render_plan};

use crate::service::{Preview, preview};

use super::exit::Exit;
use super::screen::{self, Style};
use super::submit::mode_parser;
use super::{Context, now};

/// Shows what a sync would change now, and writes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync plan
  cache-sync plan --mode market_cap --all
  cache-sync plan --accept-churn      (what would pass if the size guards were open)
  cache-sync plan --json | jq '.universes[] | select(.hold)'")]
pub struct PlanArgs {
    /// What to plan
    #[arg(long, default_value = "full", value_parser = mode_parser())]
    pub mode: Mode,
    /// The date to plan for [default: the newest complete one]
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
    /// Believe changes that the size guards would hold back
    #[arg(long)]
    pub accept_churn: bool,
    /// Show every symbol, not only the first ten of a universe
    #[arg(long)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

impl PlanArgs {
    /// The screen, with as many lines as were asked for.
    pub fn style(&self, style: Style) -> Style {
        Style { lines: if self.all { usize::MAX } else { style.lines }, ..style }
    }
}

/// Runs `plan`.
pub async fn plan(args: &PlanArgs, context: &Context) -> Result<(), Exit> {
    let plan = decide(args, context).await?;
    if args.json {
        screen::print_json(&plan_json(&plan))
    } else {
        screen::print(&render_plan(&plan, &args.style(context.style)))
    }
}

async fn decide(args: &PlanArgs, context: &Context) -> Result<Plan, Exit> {
    let request = JobRequest {
        as_of: args.as_of,
        accept_churn: args.accept_churn,
        ..JobRequest::new(JobId::fresh(), args.mode, "cli", now())
    };
    let settings = &context.settings;
    match preview(&context.database()?, settings, &request).await? {
        Preview::Planned(plan) => Ok(*plan),
        Preview::Waiting { seen } => {
            Err(Exit::NotDone(format!("the import is not complete: {seen}; a sync would wait for it")))
        }
        Preview::Refused(refusal) => Err(refusal.into()),
    }
}
