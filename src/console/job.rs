//! One job: its steps as they go, what it did to each universe, its events, and what can be done about it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde_json::Value;

use super::access::{Asked, Change, Nothing, Reader};
use super::hub::{MAX_EVENTS, frame_id};
use super::layout::{Page, Section};
use super::problem::Problem;
use super::session::Session;
use super::text::{Picture, clipped, facts, more_facts, shown, thousands};
use super::value::{self, Tone};
use super::{Console, jobs, tonight};
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::redis::events::KeptEvent;
use crate::service::Cancellation;
use crate::store::account::{JobAccount, UniverseChanges};
use crate::wire::status::StatusHash;
use crate::worker::announce::status_of;

/// Characters of an event's payload that are shown.
const EVENT_CHARS: usize = 240;

fn parsed(id: &str) -> Result<JobId, Problem> {
    JobId::parse(id).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("There is no such job.")
}

/// The page.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Path(id): Path<String>,
    Asked(done): Asked<jobs::Done>,
) -> Result<Page, Problem> {
    let id = parsed(&id)?;
    let now = Utc::now();
    let account = console.service.account(&id).await?.ok_or_else(unknown)?;
    let row = &account.row;
    let from_row = status_of(row, row.last_seq, row.updated_at);
    // Progress shows in Redis only; all else comes from the row, so that it agrees with the rest.
    let status = match row.status {
        JobStatus::Running => console.service.status(&id).await?.unwrap_or(from_row),
        _ => from_row,
    };
    let events = console.service.newest_events(&id, MAX_EVENTS).await.unwrap_or_default();
    let body = html! {
        (jobs::done(&done))
        div.heading {
            h1.id { (id) }
            (actions(&console, &session, &account))
        }
        @if row.status.is_final() {
            section.card #live aria-label="Progress" { (progress(&status, &events, now)) }
        } @else {
            section.card #live data-live=(console.at(&format!("/jobs/{id}/live"))) data-seen=(frame_id(&status))
                aria-label="Progress" { (progress(&status, &events, now)) }
        }
        div.columns {
            (changes(&console, &account))
            div.stack {
                (known(&account, &status, now))
                (warnings(&account))
            }
        }
    };
    Ok(Page::new(Section::Jobs, format!("Job {id}"), body))
}

/// How it goes, and its events: made for the page, and again for whoever watches it.
pub(super) fn progress(status: &StatusHash, events: &[KeptEvent], now: DateTime<Utc>) -> Markup {
    html! {
        div.job-line {
            (value::status(status.status, !status.held_universes.is_empty()))
            span.dim {
                @if let Some(mode) = status.mode { (mode) }
                @if let Some(as_of) = status.as_of { " of " (as_of) }
                @if status.attempt > 0 { " · attempt " (status.attempt) }
                @if let Some(worker) = &status.worker { " · " (value::foreign(worker)) }
                @if let Some(asked) = status.created_at { " · asked for " (value::time(asked, now)) }
            }
        }
        @if !status.error.is_empty() { p.notice.bad { (value::foreign(&status.error)) } }
        @if !status.status.is_final() { (tonight::bar(status)) }
        (tonight::tasks(status))
        @if !events.is_empty() {
            details open[!status.status.is_final()] {
                summary { "Events" }
                ol.events { @for event in events.iter().rev() { (render_event(event)) } }
            }
        }
    }
}

/// One event: its name, and what it says.
fn render_event(event: &KeptEvent) -> Markup {
    let envelope: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let at = envelope["timestamp"].as_str().unwrap_or_default();
    let said = envelope.get("payload").and_then(Value::as_object).map(|payload| {
        let of_job = ["job_id", "mode", "seq", "run_id", "phase"];
        let fields = payload.iter().filter(|(name, _)| !of_job.contains(&name.as_str()));
        let fields: Vec<String> = fields
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name} {text}"),
                other => format!("{name} {other}"),
            })
            .collect();
        fields.join(" · ")
    });
    let said = said.unwrap_or_else(|| envelope["message"].as_str().unwrap_or_default().to_owned());
    html! {
        li {
            span.dim.number { (value::foreign(at.get(11..19).unwrap_or(at))) }
            strong { (value::foreign(&event.name)) }
            span { (value::foreign(&clipped(&said, EVENT_CHARS))) }
        }
    }
}

/// What can be done about it.
fn actions(console: &Console, session: &Session, account: &JobAccount) -> Markup {
    let row = &account.row;
    let id = row.id();
    let is_done = row.status == JobStatus::Completed && row.result.total_changes > 0;
    html! {
        @if session.is_operator() {
            div.actions {
                @if !row.status.is_final() {
                    form method="post" action=(console.at(&format!("/jobs/{id}/cancel"))) {
                        (value::token(session))
                        button.danger type="submit" disabled[row.cancel_requested_at.is_some()] { "Cancel" }
                    }
                }
                @if is_done { a.button href=(console.at(&format!("/jobs/{id}/revert"))) { "Revert…" } }
            }
        }
    }
}

fn known(account: &JobAccount, status: &StatusHash, now: DateTime<Utc>) -> Markup {
    let mut all = facts(&Picture::of(status), now);
    all.extend(more_facts(account, now).into_iter().filter(|(name, _)| *name != "error"));
    all.push(("rules", account.row.policy_fingerprint.clone().unwrap_or_default()));
    let digest = &account.row.result.digest;
    html! {
        section.card aria-labelledby="known" {
            h2 #known { "What is known of it" }
            (value::facts(all))
            @if !digest.is_empty() {
                h3 { "In short" }
                ul.digest { @for part in digest.split("; ") { li { (value::foreign(part)) } } }
            }
        }
    }
}

fn warnings(account: &JobAccount) -> Markup {
    html! {
        @if !account.row.warnings.is_empty() {
            section.card aria-labelledby="warnings" {
                h2 #warnings { "Warnings " span.count { (account.row.warnings.len()) } }
                ul.plain {
                    @for warning in &account.row.warnings {
                        @let (code, text) = warning.split_once(": ").unwrap_or(("", warning));
                        li.look {
                            @if !code.is_empty() { (value::badge(Tone::Attention, &shown(code))) " " }
                            (value::foreign(text))
                        }
                    }
                }
            }
        }
    }
}

fn changes(console: &Console, account: &JobAccount) -> Markup {
    let most = account.changes.iter().map(|u| u.added.max(u.removed)).max().unwrap_or(0);
    let touched = account.changes.iter().filter(|u| u.added + u.removed + u.renamed > 0).count();
    html! {
        section.card aria-labelledby="did" {
            h2 #did { "What it did" }
            @if touched == 0 && account.changes.is_empty() {
                p.nothing { @if account.row.status.is_final() { "It changed no memberships." } @else { "Nothing yet: all is written at its end, at once." } }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Changes by universe" {
                    table.changes {
                        thead { tr {
                            th scope="col" { "Universe" }
                            th.wide scope="col" { span.visually-hidden { "As a bar" } }
                            th.number scope="col" { "Joined" }
                            th.number scope="col" { "Left" }
                            th scope="col" { "" }
                        } }
                        tbody { @for universe in &account.changes { (change(console, universe, most)) } }
                    }
                }
            }
        }
    }
}

fn change(console: &Console, universe: &UniverseChanges, most: i64) -> Markup {
    let count = |list: &str| {
        let proposal = universe.held_proposal.as_ref().and_then(|proposal| proposal[list].as_array());
        proposal.map_or(0, Vec::len) as u64
    };
    html! {
        tr {
            th scope="row" { (value::universe(console, &universe.universe)) }
            td.wide { (super::chart::moves(universe.added, universe.removed, most)) }
            td.number { @if universe.added > 0 { (thousands(universe.added as u64)) } }
            td.number { @if universe.removed > 0 { (thousands(universe.removed as u64)) } }
            td.note {
                @if universe.renamed > 0 { (thousands(universe.renamed as u64)) " renamed " }
                @if let Some(reason) = &universe.held_reason {
                    (value::badge(Tone::Attention, "held")) " " (value::foreign(reason))
                    " (" (thousands(count("would_join"))) " would join, " (thousands(count("would_leave"))) " leave)"
                }
            }
        }
    }
}

/// Asks for its end.
pub(super) async fn cancel(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Change { session, .. }: Change<Nothing>,
) -> Result<Redirect, Problem> {
    let id = parsed(&id)?;
    let actor = session.actor();
    let done = match console.service.cancel_by(&id, Some(&actor), Utc::now()).await? {
        Cancellation::Cancelled => "cancelled",
        Cancellation::Requested => "cancelling",
        Cancellation::Ended(status) => {
            return Err(Problem::conflict(format!("The job has ended already: it is {status}.")));
        }
        Cancellation::Unknown => return Err(unknown()),
    };
    tracing::info!(job.id = %id, by = actor, "{actor} asked for the end of job {id}");
    Ok(Redirect::to(&console.at(&format!("/jobs/{id}?done={done}"))))
}

/// Asks for its undoing.
pub(super) async fn revert(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Change { session, .. }: Change<Nothing>,
) -> Result<Redirect, Problem> {
    let id = parsed(&id)?;
    console.service.job(&id).await?.ok_or_else(unknown)?;
    let request = JobRequest::new(JobId::fresh(), Mode::Revert, &session.actor(), Utc::now());
    jobs::ask(&console, &JobRequest { revert_of: Some(id), ..request }, "reverting").await
}
