//! What a job would do, before it is asked for: the text of the command `plan`, coloured like a diff. It reads the whole
//! market, so few can ask at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use chrono::Utc;
use maud::{Markup, html};
use tokio::sync::SemaphorePermit;

use super::access::{Asked, Reader};
use super::jobs::Wanted;
use super::layout::{Page, Section, heading};
use super::problem::Problem;
use super::session::Session;
use super::{Console, diff, jobs, value};
use crate::domain::job::{JobId, JobStatus};
use crate::plan::result::Plan;
use crate::service::{Preview, preview, preview_revert};

/// The longest wait for a turn among those who read the whole market.
const TURN_WITHIN: Duration = Duration::from_secs(15);

/// A turn among those who read the whole market.
pub(super) async fn turn(console: &Console) -> Result<SemaphorePermit<'_>, Problem> {
    let busy = || Problem::unavailable("Others are looking at the whole market now. Try again in a moment.");
    let turn = tokio::time::timeout(TURN_WITHIN, console.market_pages.acquire()).await;
    turn.map_err(|_| busy())?.map_err(|_| busy())
}

/// What a sync would change now.
pub(super) async fn plan(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Page, Problem> {
    let is_asked = !wanted.mode.is_empty();
    let found = if is_asked {
        let request = wanted.request(&session.actor(), Utc::now())?;
        let _turn = turn(&console).await?;
        Some(preview(&console.service.database, &console.settings, &request).await?)
    } else {
        None
    };
    let body = html! {
        (heading("Plan", "What a sync would change now, and why. Nothing is written."))
        section.card {
            form.inline method="get" action=(console.at("/plan")) {
                (jobs::fields(&wanted))
                button.primary type="submit" { "Plan" }
            }
        }
        @if let Some(found) = &found { (of_preview(&console, &session, &wanted, found)) }
    };
    Ok(Page::new(Section::Plan, "Plan", body))
}

fn of_preview(console: &Console, session: &Session, wanted: &Wanted, found: &Preview) -> Markup {
    match found {
        Preview::Planned(plan) => html! {
            section.card aria-label="The plan" {
                (summary(plan))
                (diff::plan(plan))
                @if session.is_operator() {
                    form.inline method="post" action=(console.at("/jobs")) {
                        (value::token(session))
                        input type="hidden" name="mode" value=(plan.mode);
                        input type="hidden" name="as_of" value=(wanted.as_of);
                        @if wanted.accepts_churn() { input type="hidden" name="accept_churn" value="on"; }
                        button.primary type="submit" { "Submit this sync" }
                        span.hint { "It is decided anew when a worker takes it." }
                    }
                }
            }
        },
        Preview::Waiting { seen } => html! {
            p.notice.attention { "The import is not complete: " (value::foreign(seen)) "; a sync would wait for it." }
        },
        Preview::Refused(refusal) => html! {
            p.notice.bad { "A sync would be refused: " (value::foreign(&refusal.to_string())) }
        },
    }
}

/// The numbers of a plan.
fn summary(plan: &Plan) -> Markup {
    let added: usize = plan.universes.iter().map(|universe| universe.joiners().count()).sum();
    let removed: usize = plan.universes.iter().map(|universe| universe.left.len()).sum();
    html! {
        div.numbers {
            div { strong { (value::signed(added as i64)) } " to add" }
            div { strong { (value::signed(-(removed as i64))) } " to remove" }
            div { strong { (plan.updated().len()) } " universes change" }
            div { strong { (plan.held().len()) } " held" }
            div { strong { (plan.run.quarantine.symbols.len()) } " values not believed" }
        }
    }
}

/// What a revert would undo.
pub(super) async fn revert(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Path(id): Path<String>,
) -> Result<Page, Problem> {
    let unknown = || Problem::not_found("There is no such job.");
    let id = JobId::parse(&id).ok_or_else(unknown)?;
    let row = console.service.job(&id).await?.ok_or_else(unknown)?;
    let _turn = turn(&console).await?;
    let found = preview_revert(&console.service.database, &console.settings.entries, &id).await?;
    let body = html! {
        (heading("Revert", "Every universe that this job, or one after it, wrote comes back as it stood before. It is a job itself, and can be reverted in turn."))
        p { "Job " (value::job(&console, id.as_str())) " " (value::status(row.status, false)) @if let Some(as_of) = row.as_of { " of " (as_of) } }
        @match &found {
            Ok(plan) => {
                section.card aria-label="What would be undone" {
                    (summary(plan))
                    (diff::plan(plan))
                    @for warning in &plan.warnings { p.notice.attention { (value::foreign(&warning.text)) } }
                    @if session.is_operator() && row.status == JobStatus::Completed {
                        form method="post" action=(console.at(&format!("/jobs/{id}/revert"))) {
                            (value::token(&session))
                            button.danger type="submit" { "Revert this job" }
                        }
                    }
                }
            }
            Err(refusal) => p.notice.bad { (value::foreign(&refusal.text)) }
        }
    };
    Ok(Page::new(Section::Jobs, format!("Revert {id}"), body))
}
