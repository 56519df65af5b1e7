//! Pins and bans: memberships that people have decided, whatever the rules say.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Redirect;
use chrono::{NaiveDate, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Asked, Change, Reader};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::session::Session;
use super::value::{self, Tone};
use super::{Console, jobs};
use crate::domain::calendar::new_york_date;
use crate::domain::pin::PinKind;
use crate::service::pins::{self, PinDecision, Wish};
use crate::store::pins::StoredPin;

/// The most characters of a reason.
const MAX_REASON_CHARS: usize = 300;

/// The page: one query.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Asked(done): Asked<jobs::Done>,
) -> Result<Page, Problem> {
    let stored = pins::list(&console.service.database).await?;
    let today = new_york_date(Utc::now());
    let body = html! {
        (jobs::done(&done))
        (heading("Pins and bans", "A pin keeps a symbol in a universe, a ban keeps it out, whatever the rules say. Each counts from the next sync on."))
        @if session.is_operator() { (form(&console, &session)) }
        @if stored.is_empty() { (nothing("Nothing is pinned or banned.")) } @else { (table(&console, &session, &stored, today)) }
    };
    Ok(Page::new(Section::Pins, "Pins and bans", body))
}

fn form(console: &Console, session: &Session) -> Markup {
    html! {
        section.card aria-labelledby="decide" {
            h2 #decide { "Pin or ban" }
            form.inline method="post" action=(console.at("/pins")) {
                (value::token(session))
                div.field {
                    label for="kind" { "What" }
                    select #kind name="kind" { option value="pin" { "pin" } option value="ban" { "ban" } }
                }
                div.field {
                    label for="pin-symbol" { "Symbol" }
                    input #pin-symbol name="symbol" required maxlength="20" size="8" autocomplete="off" autocapitalize="characters";
                }
                div.field {
                    label for="pin-universe" { "Universe" }
                    input #pin-universe name="universe" required maxlength="100" size="20" autocomplete="off";
                }
                div.field.grow {
                    label for="reason" { "Reason" }
                    input #reason name="reason" required maxlength=(MAX_REASON_CHARS) autocomplete="off";
                }
                div.field {
                    label for="until" { "Until " span.dim { "(empty: for good)" } }
                    input #until type="date" name="until";
                }
                button.primary type="submit" { "Write" }
            }
        }
    }
}

fn table(console: &Console, session: &Session, stored: &[StoredPin], today: NaiveDate) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Pins and bans" {
            table {
                thead { tr {
                    th scope="col" { "Symbol" }
                    th scope="col" { "What" }
                    th scope="col" { "Universe" }
                    th scope="col" { "Reason" }
                    th scope="col" { "Until" }
                    th scope="col" { "By" }
                    @if session.is_operator() { th scope="col" { span.visually-hidden { "What can be done" } } }
                } }
                tbody {
                    @for StoredPin { pin, created_at, created_by } in stored {
                        tr {
                            th scope="row" { (value::symbol(console, pin.symbol.as_str())) }
                            td { (value::badge(if pin.kind == PinKind::Pin { Tone::Good } else { Tone::Attention }, pin.kind.as_str())) }
                            td { (value::universe(console, pin.universe.as_str())) }
                            td.note { (value::foreign(&pin.reason)) }
                            td {
                                @if let Some(until) = pin.until { (until) }
                                @if !pin.is_in_force(today) { " " (value::badge(Tone::Quiet, "over")) }
                            }
                            td { (value::foreign(created_by)) " " span.dim { (created_at.date_naive()) } }
                            @if session.is_operator() {
                                td {
                                    form method="post" action=(console.at("/pins/remove")) {
                                        (value::token(session))
                                        input type="hidden" name="kind" value=(pin.kind.as_str());
                                        input type="hidden" name="symbol" value=(pin.symbol.as_str());
                                        input type="hidden" name="universe" value=(pin.universe.as_str());
                                        button.quiet type="submit" {
                                            "Take back" span.visually-hidden { " " (pin.kind.as_str()) " of " (pin.symbol.as_str()) " in " (pin.universe.as_str()) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a form decides.
#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    kind: String,
    symbol: String,
    universe: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    until: String,
}

impl Decision {
    fn kind(&self) -> Result<PinKind, Problem> {
        PinKind::from_text(&self.kind).ok_or_else(|| Problem::invalid("It is neither a pin nor a ban."))
    }
}

/// Writes a pin or ban.
pub(super) async fn decide(
    State(console): State<Arc<Console>>,
    Change { session, form }: Change<Decision>,
) -> Result<Redirect, Problem> {
    let kind = form.kind()?;
    let until: Option<NaiveDate> = match form.until.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Problem::invalid("The date is not one such as 2026-03-02."))?),
    };
    let reason = form.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(Problem::invalid("A reason has 1 to 300 characters."));
    }
    let actor = session.actor();
    let wish = Wish {
        kind,
        symbol: form.symbol.trim().to_owned(),
        universe: form.universe.trim().to_owned(),
        reason: reason.to_owned(),
        until,
        created_by: actor.clone(),
    };
    match pins::decide(&console.service.database, &console.settings, wish, Utc::now()).await? {
        PinDecision::Written { stored, .. } => {
            let pin = &stored.pin;
            tracing::info!(
                by = actor,
                "{actor} wrote a {} of {} in {}",
                pin.kind.as_str(),
                pin.symbol,
                pin.universe
            );
            Ok(Redirect::to(&console.at("/pins?done=pinned")))
        }
        PinDecision::UnknownSymbol { nearest } => Err(unknown("symbol", nearest.as_deref())),
        PinDecision::UnknownUniverse { nearest } => Err(unknown("universe", nearest.as_deref())),
        PinDecision::InTheWay(StoredPin { pin, .. }) => Err(Problem::conflict(format!(
            "A {} of {} in {} is in the way: take it back first.",
            pin.kind.as_str(),
            pin.symbol,
            pin.universe
        ))),
    }
}

fn unknown(what: &str, nearest: Option<&str>) -> Problem {
    let hint = nearest.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
    Problem::conflict(format!("There is no such {what}.{hint}"))
}

/// Takes a pin or ban back.
pub(super) async fn remove(
    State(console): State<Arc<Console>>,
    Change { session, form }: Change<Decision>,
) -> Result<Redirect, Problem> {
    let taken =
        pins::take_back(&console.service.database, form.kind()?, &form.symbol, &form.universe).await?;
    match taken {
        Ok(StoredPin { pin, .. }) => {
            let actor = session.actor();
            tracing::info!(
                by = actor,
                "{actor} took the {} of {} in {} back",
                pin.kind.as_str(),
                pin.symbol,
                pin.universe
            );
            Ok(Redirect::to(&console.at("/pins?done=unpinned")))
        }
        Err(_) => Err(Problem::conflict("It was taken back already.")),
    }
}
