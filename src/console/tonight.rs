//! The start page: tonight at a glance.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::access::{Asked, Reader};
use super::hub::frame_id;
use super::layout::{Page, Section, nothing};
use super::problem::Problem;
use super::text::{clipped, counted, duration, thousands, universes};
use super::value::{self, Tone};
use super::verdict::{Verdict, next, verdict};
use super::{Console, chart, jobs, quarantine};
use crate::domain::job::JobStatus;
use crate::domain::task::SyncTask;
use crate::store::Limits;
use crate::store::history::{self, UniverseNow};
use crate::store::jobs::JobRow;
use crate::store::overview::{self, LastRun, Tonight};
use crate::trigger::schedule::Schedule;
use crate::wire::status::{StatusHash, TaskResult};
use crate::worker::announce::status_of;

/// Symbols of a list that are shown; the rest is counted.
const NAMED: usize = 30;

/// The page: two queries.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Asked(done): Asked<jobs::Done>,
) -> Result<Page, Problem> {
    let now = Utc::now();
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let tonight = overview::tonight(&transaction).await?;
    let universes = history::universes_now(&transaction).await?;
    drop(transaction);
    drop(client);
    let held: Vec<&UniverseNow> = universes.iter().filter(|universe| universe.status == "held").collect();
    let said = verdict(&tonight, held.len(), now);
    let body = html! {
        (jobs::done(&done))
        (render_verdict(&said))
        (live(&console, &tonight, now))
        div.columns {
            (changes(&console, &tonight, &universes))
            div.stack {
                (when_next(&console, &tonight, now))
                (needs_a_look(&console, &tonight, &held))
                (news(&console, tonight.run.as_ref()))
            }
        }
    };
    Ok(Page::new(Section::Tonight, "Tonight", body))
}

fn render_verdict(verdict: &Verdict) -> Markup {
    html! {
        div class={ "verdict " (verdict.tone.class()) } {
            span.sign aria-hidden="true" { (sign(verdict.tone)) }
            div {
                h1 { (verdict.headline) }
                @if !verdict.detail.is_empty() { p { (value::foreign(&verdict.detail)) } }
            }
        }
    }
}

/// A sign beside the colour.
fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Attention => "!",
        Tone::Bad => "✕",
        Tone::Busy => "…",
        Tone::Quiet => "–",
    }
}

/// The part that is kept up to date.
fn live(console: &Console, tonight: &Tonight, now: DateTime<Utc>) -> Markup {
    let urgent = tonight.jobs.iter().find(|job| job.status == JobStatus::Running);
    let urgent = urgent.or_else(|| tonight.jobs.iter().rev().find(|job| !job.status.is_final()));
    let Some(job) = urgent.or(tonight.jobs.first()) else {
        return html! { section.card #live data-live=(console.at("/live")) aria-label="The job at work" { (nothing("No job yet.")) } };
    };
    let status = status_of(job, job.last_seq, job.updated_at);
    html! {
        section.card #live data-live=(console.at("/live")) data-seen=(frame_id(&status)) aria-label="The job at work" {
            (current(&console.root, &status, now))
        }
    }
}

/// How the job that runs, or ran last, goes: made for the page, and again for whoever watches it.
pub(super) fn current(root: &str, status: &StatusHash, now: DateTime<Utc>) -> Markup {
    let is_open = !status.status.is_final();
    html! {
        div.job-line {
            (value::status(status.status, !status.held_universes.is_empty()))
            a.job href={ (root) "/jobs/" (status.job_id) } { (status.job_id) }
            span.dim {
                @if let Some(mode) = status.mode { (mode) }
                @if let Some(as_of) = status.as_of { " of " (as_of) }
                " · by " (value::foreign(&status.triggered_by))
                @if let Some(asked) = status.created_at { " · " (value::time(asked, now)) }
            }
        }
        @if is_open { (bar(status)) }
        (tasks(status))
    }
}

/// How far a job is.
pub(super) fn bar(status: &StatusHash) -> Markup {
    let percentage = status.percentage();
    let task = status.current_task.map_or("waiting for a worker", SyncTask::as_str);
    let what = match status.status {
        JobStatus::Retrying => clipped(&status.error, 160),
        _ => format!("{task}, {} of {} done", status.completed, status.total_items),
    };
    html! {
        div.progress {
            progress max="100" value=(percentage) aria-label="Progress" { (percentage) " %" }
            span { (value::foreign(&what)) }
        }
    }
}

/// The sub-tasks, and how long each took.
pub(super) fn tasks(status: &StatusHash) -> Markup {
    let Some(mode) = status.mode.filter(|mode| !mode.tasks().is_empty()) else { return html! {} };
    let longest = status.task_results.values().map(|result| result.duration_ms).max().unwrap_or(0).max(1);
    html! {
        ol.tasks {
            @for task in mode.tasks() {
                @let result = status.task_results.get(task);
                li class=(task_class(status, *task, result)) {
                    span.task { (task.as_str().replace('_', " ")) }
                    @if let Some(result) = result {
                        span.number { (counted(result.changes as usize, "change", "changes")) }
                        span.number.took {
                            (duration(result.duration_ms as f64 / 1_000.0))
                            meter min="0" max=(longest) value=(result.duration_ms) aria-hidden="true" {}
                        }
                    }
                }
            }
        }
    }
}

fn task_class(status: &StatusHash, task: SyncTask, result: Option<&TaskResult>) -> &'static str {
    match result {
        Some(_) => "done",
        None if status.current_task == Some(task) && !status.status.is_final() => "now",
        None => "open",
    }
}

/// The job of the last run, as its row has it.
fn of_run(tonight: &Tonight) -> Option<&JobRow> {
    let run = tonight.run.as_ref()?;
    tonight.jobs.iter().find(|job| job.id().as_str() == run.job_id)
}

fn changes(console: &Console, tonight: &Tonight, all: &[UniverseNow]) -> Markup {
    let of_last =
        |universe: &&UniverseNow| tonight.run.as_ref().is_some_and(|run| run.job_id == universe.last_job_id);
    let moved = |universe: &&UniverseNow| universe.added + universe.removed > 0;
    let mut changed: Vec<&UniverseNow> = all.iter().filter(of_last).filter(moved).collect();
    changed.sort_by_key(|universe| (-(universe.added + universe.removed), universe.universe.as_str()));
    let most = changed.iter().map(|universe| universe.added.max(universe.removed)).max().unwrap_or(0);
    let quiet = all.len() - changed.len();
    html! {
        section.card aria-labelledby="changes" {
            div.card-head {
                h2 #changes { "Changes" }
                @if let Some(run) = &tonight.run { span.dim { "in the sync of " (run.as_of) } }
            }
            @if changed.is_empty() {
                (nothing(if tonight.run.is_some() { "No memberships changed." } else { "Nothing was synced yet." }))
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Changes by universe" {
                    table.changes {
                        thead { tr {
                            th scope="col" { "Universe" }
                            th.wide scope="col" { span.visually-hidden { "As a bar" } }
                            th.number scope="col" { "Joined" }
                            th.number scope="col" { "Left" }
                            th.number scope="col" { "Net" }
                        } }
                        tbody {
                            @for universe in &changed {
                                tr {
                                    th scope="row" { (value::universe(console, &universe.universe)) }
                                    td.wide { (chart::moves(universe.added.into(), universe.removed.into(), most.into())) }
                                    td.number { (thousands(universe.added.max(0) as u64)) }
                                    td.number { (thousands(universe.removed.max(0) as u64)) }
                                    td.number { (value::signed((universe.added - universe.removed).into())) }
                                }
                            }
                        }
                    }
                }
                @if quiet > 0 { p.hint { (universes(quiet)) " did not change." } }
            }
            (digest(of_run(tonight)))
        }
    }
}

/// The result in a few words.
fn digest(job: Option<&JobRow>) -> Markup {
    let digest = job.map(|job| job.result.digest.clone()).unwrap_or_default();
    html! {
        @if !digest.is_empty() {
            h3 { "In short" }
            ul.digest { @for part in digest.split("; ") { li { (value::foreign(part)) } } }
        }
    }
}

fn when_next(console: &Console, tonight: &Tonight, now: DateTime<Utc>) -> Markup {
    let triggers = &console.settings.triggers;
    let schedule = Schedule::new(triggers.schedule_time, console.settings.sync.eod_wait_timeout);
    let firing = triggers.schedule.then(|| schedule.next(now));
    let closes = tonight.run.as_ref().map(|run| {
        format!(
            "{} of {} usual on {}",
            thousands(run.closes as u64),
            thousands(run.usual_closes as u64),
            run.as_of
        )
    });
    let waiting = tonight.jobs.iter().find(|job| job.waiting_since.is_some() && !job.status.is_final());
    let so_far = waiting.and_then(|job| job.error.clone());
    html! {
        section.card aria-labelledby="next" {
            h2 #next { "Next" }
            (value::facts([
                ("next sync", next(firing, triggers.signals, now)),
                ("closes so far", so_far.unwrap_or_default()),
                ("closes", closes.unwrap_or_default()),
                ("rules", console.settings.policy().fingerprint()),
            ]))
        }
    }
}

/// What is held and what is not believed, with what hangs on it.
fn needs_a_look(console: &Console, tonight: &Tonight, held: &[&UniverseNow]) -> Markup {
    let doubted = tonight.run.as_ref().map(|run| &run.quarantine);
    let entries = doubted.map_or(&[][..], |quarantine| &quarantine.symbols);
    html! {
        section.card aria-labelledby="look" {
            h2 #look { "Held and not believed" }
            @if held.is_empty() && entries.is_empty() {
                (nothing("Nothing is held, and every value is believed."))
            }
            @for universe in held { (render_held(console, universe)) }
            @if !entries.is_empty() {
                ul.plain {
                    @for entry in entries.iter().take(NAMED) {
                        li.look {
                            (value::badge(Tone::Attention, &entry.anomaly.title()))
                            " " (value::symbol(console, entry.symbol.as_str()))
                            p.hint { (value::foreign(&quarantine::summary(entry))) }
                        }
                    }
                }
                p { a href=(console.at("/quarantine")) { (counted(entries.len(), "value", "values")) " in quarantine" } }
            }
        }
    }
}

/// A universe that a guard holds.
pub(super) fn render_held(console: &Console, universe: &UniverseNow) -> Markup {
    let text = |key: &str| universe.detail[key].as_str().unwrap_or_default();
    let count = |key: &str| universe.detail[key].as_array().map_or(0, Vec::len);
    let (join, leave) = (count("would_join"), count("would_leave"));
    html! {
        div.look {
            (value::badge(Tone::Attention, "held")) " " (value::universe(console, &universe.universe))
            p.hint {
                (value::foreign(text("reason")))
                @if join + leave > 0 { " (" (thousands(join as u64)) " would join, " (thousands(leave as u64)) " leave)" }
            }
        }
    }
}

fn news(console: &Console, run: Option<&LastRun>) -> Markup {
    let none = Vec::new();
    let (listed, delisted) = run.map_or((&none, &none), |run| (&run.listed, &run.delisted));
    html! {
        section.card aria-labelledby="news" {
            h2 #news { "Listed and delisted" }
            @if listed.is_empty() && delisted.is_empty() { (nothing("Nobody came or went in the last sync.")) }
            (symbols(console, "New listings", listed))
            (symbols(console, "Delistings", delisted))
        }
    }
}

/// A titled list of symbols.
pub(super) fn symbols(console: &Console, title: &str, symbols: &[String]) -> Markup {
    let rest = symbols.len().saturating_sub(NAMED);
    html! {
        @if !symbols.is_empty() {
            h3 { (title) " " span.count { (thousands(symbols.len() as u64)) } }
            p.symbols {
                @for symbol in symbols.iter().take(NAMED) { (value::symbol(console, symbol)) " " }
                @if rest > 0 { span.dim { "and " (thousands(rest as u64)) " more" } }
            }
        }
    }
}
