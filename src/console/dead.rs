//! Dead letters: entries of the job stream that were given up, with why and what they said.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use chrono::Utc;
use maud::{Markup, html};

use super::access::{Asked, Change, Nothing, Reader};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::session::Session;
use super::text::{Letter, clipped, counted};
use super::value::{self, Tone};
use super::{Console, jobs};
use crate::domain::job::JobRequest;
use crate::redis::dead::{self, Filed};

/// Letters that are listed, the newest.
const LISTED: usize = 100;
/// Characters of an error in the list.
const ERROR_CHARS: usize = 160;
/// Characters of a field of one letter.
const FIELD_CHARS: usize = 2_000;

/// The page.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Asked(done): Asked<jobs::Done>,
) -> Result<Page, Problem> {
    let filed = dead::list(&console.service.redis, &console.service.names, LISTED).await?;
    let letters: Vec<Letter> = filed.into_iter().map(Letter::from).collect();
    let body = html! {
        (jobs::done(&done))
        (heading("Dead letters", "Entries of the job stream that were given up. A replay asks for the same again, as a new job."))
        @if letters.is_empty() { (nothing("There are none.")) } @else {
            (table(&console, &letters))
            @if session.is_operator() { (purge_form(&console, &session, letters.len())) }
        }
    };
    Ok(Page::new(Section::Dead, "Dead letters", body))
}

fn table(console: &Console, letters: &[Letter]) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Dead letters" {
            table {
                thead { tr {
                    th scope="col" { "Letter" }
                    th scope="col" { "Reason" }
                    th scope="col" { "Job" }
                    th scope="col" { "Given up" }
                    th scope="col" { "Error" }
                } }
                tbody {
                    @for letter in letters {
                        tr {
                            th scope="row" { a href=(address(console, &letter.id, "")) { (letter.id) } }
                            td { (value::badge(Tone::Bad, &letter.get("reason").replace('_', " "))) }
                            td { (value::foreign(letter.get("job_id"))) }
                            td { (value::foreign(letter.get("failed_at"))) }
                            td.note { (value::foreign(&clipped(letter.get("error"), ERROR_CHARS))) }
                        }
                    }
                }
            }
        }
    }
}

fn purge_form(console: &Console, session: &Session, letters: usize) -> Markup {
    html! {
        details.danger-zone {
            summary { "Throw all away" }
            p { "What " (counted(letters, "letter", "letters")) " asked for can’t be replayed any more then." }
            form method="post" action=(console.at("/dead/purge")) {
                (value::token(session))
                button.danger type="submit" { "Purge" }
            }
        }
    }
}

fn address(console: &Console, id: &str, behind: &str) -> String {
    console.at(&format!("/dead/{}{behind}", value::encoded(id)))
}

async fn find(console: &Console, id: &str) -> Result<Filed, Problem> {
    let found = dead::find(&console.service.redis, &console.service.names, id).await?;
    let own = found.into_iter().find(|filed| filed.id == id);
    own.ok_or_else(|| Problem::not_found("There is no such dead letter."))
}

/// One letter with everything it says.
pub(super) async fn letter(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Path(id): Path<String>,
) -> Result<Page, Problem> {
    let filed = find(&console, &id).await?;
    let replay = filed.letter.clone().and_then(|letter| dead::replayed(&letter, Utc::now()));
    let letter = Letter::from(filed);
    let body = html! {
        (heading(&format!("Dead letter {}", letter.id), &letter.get("reason").replace('_', " ")))
        section.card {
            dl.facts {
                @for (name, text) in &letter.fields {
                    @if !text.is_empty() { div { dt { (value::foreign(name)) } dd { (field(text)) } } }
                }
            }
        }
        @match replay {
            Ok(_) => {
                @if session.is_operator() {
                    form method="post" action=(address(&console, &letter.id, "/replay")) {
                        (value::token(&session))
                        button.primary type="submit" { "Replay" }
                    }
                }
            }
            Err(problem) => p.notice.attention { "It can’t be replayed: " (value::foreign(&problem)) }
        }
    };
    Ok(Page::new(Section::Dead, "Dead letter", body))
}

fn field(text: &str) -> Markup {
    value::foreign(&clipped(text, FIELD_CHARS))
}

/// Asks again for what a letter asked for, and takes the letter away.
pub(super) async fn replay(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Change { session, .. }: Change<Nothing>,
) -> Result<Redirect, Problem> {
    let filed = find(&console, &id).await?;
    let request =
        filed.letter.and_then(|letter| dead::replayed(&letter, Utc::now())).map_err(Problem::conflict)?;
    let request = JobRequest { triggered_by: session.actor(), ..request };
    let target = jobs::ask(&console, &request, "replayed").await?;
    dead::remove(&console.service.redis, &console.service.names, &filed.id).await?;
    Ok(target)
}

/// Throws all letters away.
pub(super) async fn purge(
    State(console): State<Arc<Console>>,
    Change { session, .. }: Change<Nothing>,
) -> Result<Redirect, Problem> {
    let purged = dead::purge(&console.service.redis, &console.service.names).await?;
    let actor = session.actor();
    tracing::warn!(by = actor, "{actor} threw {} away", counted(purged, "dead letter", "dead letters"));
    Ok(Redirect::to(&console.at("/dead?done=purged")))
}
