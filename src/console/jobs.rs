//! The jobs, newest first, and the form that asks for one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Redirect;
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Asked, Change, Reader};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::session::Session;
use super::text::{Picture, clipped, note, thousands, took};
use super::{Console, value};
use crate::domain::job::{JobId, JobRequest};
use crate::domain::task::Mode;
use crate::store::jobs::JobRow;
use crate::wire::event::Origin;
use crate::worker::announce::status_of;

/// Jobs on one page.
const PAGE: usize = 50;
/// Characters of a note.
const NOTE_CHARS: usize = 120;
/// The modes that can be asked for.
const MODES: [(Mode, &str); 6] = [
    (Mode::Full, "full: all five sub-tasks"),
    (Mode::MarketCap, "market_cap: tiers, rankings, sector leaders"),
    (Mode::Ipos, "ipos: new listings"),
    (Mode::Delisted, "delisted: what no longer trades"),
    (Mode::Themes, "themes: the themes"),
    (Mode::Etfs, "etfs: exchange-traded products"),
];

/// What has just been done, as a word in the query of the page that is shown next.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

/// What is said of what has just been done.
const SENTENCES: [(&str, &str); 11] = [
    ("submitted", "The job is accepted."),
    ("duplicate", "Another job stands for that already: this one."),
    ("delayed", "The job is accepted; it starts once Redis is back."),
    ("cancelled", "The job is cancelled."),
    ("cancelling", "The worker of the job lets go of it and rolls back."),
    ("approved", "Approved: the next sync takes the value for good."),
    ("pinned", "Written: it counts from the next sync on."),
    ("unpinned", "Taken back: it counts from the next sync on."),
    ("replayed", "Asked for again as this job, and the letter is taken away."),
    ("purged", "All dead letters are thrown away."),
    ("reverting", "The revert is accepted as this job."),
];

/// A line about what has just been done.
pub(super) fn done(Done { done }: &Done) -> Markup {
    let said = SENTENCES.iter().find(|(word, _)| word == done);
    html! { @if let Some((_, sentence)) = said { p.notice.good role="status" { (sentence) } } }
}

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    from: u32,
}

/// The page: one query.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Asked(Part { from }): Asked<Part>,
) -> Result<Page, Problem> {
    let now = Utc::now();
    // One more than is shown tells whether there is a next page.
    let mut rows = console.service.recent_jobs(PAGE as i64 + 1, from.into()).await?;
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let body = html! {
        (heading("Jobs", "Every sync is a job; any worker does it, exactly once."))
        @if session.is_operator() { (form(&console, &session)) }
        @if rows.is_empty() { (nothing("There are no jobs.")) } @else { (table(&console, &rows, now)) }
        nav.pages aria-label="Pages of jobs" {
            @if from > 0 {
                a href={ (console.at("/jobs")) "?from=" (from.saturating_sub(PAGE as u32)) } { "‹ Newer" }
            }
            @if has_more { a href={ (console.at("/jobs")) "?from=" (from + PAGE as u32) } { "Older ›" } }
        }
    };
    Ok(Page::new(Section::Jobs, "Jobs", body))
}

fn form(console: &Console, session: &Session) -> Markup {
    html! {
        section.card aria-labelledby="ask" {
            h2 #ask { "Ask for a sync" }
            form.inline method="post" action=(console.at("/jobs")) {
                (value::token(session))
                (fields(&Wanted::default()))
                button.primary type="submit" { "Submit" }
                button type="submit" formmethod="get" formaction=(console.at("/plan")) { "Plan first" }
            }
        }
    }
}

/// The fields by which a job is described.
pub(super) fn fields(wanted: &Wanted) -> Markup {
    html! {
        div.field {
            label for="mode" { "Mode" }
            select #mode name="mode" {
                @for (mode, title) in MODES {
                    option value=(mode) selected[mode.as_str() == wanted.mode] { (title) }
                }
            }
        }
        div.field {
            label for="date" { "Date " span.dim { "(empty: the newest complete one)" } }
            input #date type="date" name="as_of" value=(wanted.as_of);
        }
        label.check {
            input type="checkbox" name="accept_churn" value="on" checked[wanted.accepts_churn()];
            " Open the size guards"
        }
    }
}

/// What a form describes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pub(super) mode: String,
    #[serde(default)]
    pub(super) as_of: String,
    #[serde(default)]
    accept_churn: String,
}

impl Wanted {
    pub(super) fn accepts_churn(&self) -> bool {
        self.accept_churn == "on"
    }

    /// The request that is described.
    pub(super) fn request(&self, by: &str, now: DateTime<Utc>) -> Result<JobRequest, Problem> {
        let mode = if self.mode.is_empty() { Some(Mode::Full) } else { Mode::from_text(&self.mode) };
        let mode = mode
            .filter(|mode| *mode != Mode::Revert)
            .ok_or_else(|| Problem::invalid("There is no such mode."))?;
        let as_of: Option<NaiveDate> = match self.as_of.as_str() {
            "" => None,
            text => {
                Some(text.parse().map_err(|_| Problem::invalid("The date is not one such as 2026-03-02."))?)
            }
        };
        let accept_churn = self.accepts_churn();
        Ok(JobRequest { accept_churn, as_of, ..JobRequest::new(JobId::fresh(), mode, by, now) })
    }
}

/// Asks for a job.
pub(super) async fn submit(
    State(console): State<Arc<Console>>,
    Change { session, form }: Change<Wanted>,
) -> Result<Redirect, Problem> {
    let now = Utc::now();
    let request = form.request(&session.actor(), now)?;
    ask(&console, &request, "submitted").await
}

/// Asks for a job, and leads to its page.
pub(super) async fn ask(console: &Console, request: &JobRequest, done: &str) -> Result<Redirect, Problem> {
    let submitted = console.service.submit(request, Origin::Api, Utc::now()).await?;
    let id = &submitted.job_id;
    tracing::info!(job.id = %id, by = request.triggered_by, "{} asked for job {id}", request.triggered_by);
    let done = match (submitted.is_duplicate, submitted.delayed) {
        (true, _) => "duplicate",
        (false, Some(failure)) => {
            tracing::warn!(job.id = %id, "job {id} is accepted, but not on the stream yet: {failure}");
            "delayed"
        }
        (false, None) => done,
    };
    Ok(Redirect::to(&console.at(&format!("/jobs/{id}?done={done}"))))
}

fn table(console: &Console, rows: &[JobRow], now: DateTime<Utc>) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Jobs" {
            table {
                thead { tr {
                    th scope="col" { "Job" }
                    th scope="col" { "State" }
                    th scope="col" { "Mode" }
                    th scope="col" { "As of" }
                    th scope="col" { "Asked for" }
                    th.number scope="col" { "Took" }
                    th.number scope="col" { "Changes" }
                    th scope="col" { "Note" }
                } }
                tbody { @for row in rows { (line(console, row, now)) } }
            }
        }
    }
}

fn line(console: &Console, row: &JobRow, now: DateTime<Utc>) -> Markup {
    let status = status_of(row, row.last_seq, row.updated_at);
    let picture = Picture::of(&status);
    html! {
        tr {
            th scope="row" { (value::job(console, row.id().as_str())) }
            td { (value::status(row.status, !status.held_universes.is_empty())) }
            td { (row.request.mode) }
            td { @if let Some(date) = row.as_of { (date) } }
            td { (value::time(row.created_at, now)) " " span.dim { "by " (value::foreign(&row.request.triggered_by)) } }
            td.number { (took(&picture, now)) }
            td.number { @if row.status.is_final() { (thousands(status.total_changes)) } }
            td.note { (value::foreign(&clipped(&note(&picture), NOTE_CHARS))) }
        }
    }
}
