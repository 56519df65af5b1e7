//! Values that are not believed, and the approval of one, with what hangs on it shown first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;
use chrono::Utc;
use maud::{Markup, html};

use super::access::{Asked, Change, Nothing, Reader};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::session::Session;
use super::text::{counted, thousands};
use super::value::{self, Tone};
use super::{Console, jobs};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::plan::given::policy::Policy;
use crate::plan::market::screening::Quarantined;
use crate::service::{Approval, approve_value};
use crate::store::Limits;
use crate::store::quarantine::{self, QuarantineNow};

/// One entry in a sentence.
pub(super) fn summary(entry: &Quarantined) -> String {
    let found = entry.found().map_or_else(|| "none".to_owned(), Usd::short);
    format!("carried at {} since {}, found {found}: {}", entry.cap().short(), entry.since, entry.seen())
}

async fn read(console: &Console) -> Result<QuarantineNow, Problem> {
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    Ok(quarantine::read(&transaction).await?)
}

/// The page: one query.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Asked(done): Asked<jobs::Done>,
) -> Result<Page, Problem> {
    let found = read(&console).await?;
    let lead = match found.as_of {
        Some(as_of) => format!(
            "{} not believed by the sync of {as_of}; each keeps its last good cap meanwhile.",
            counted(found.symbols.len(), "value is", "values are")
        ),
        None => "No sync has looked at the market yet.".to_owned(),
    };
    let body = html! {
        (jobs::done(&done))
        (heading("Quarantine", &lead))
        @if found.symbols.is_empty() { (nothing("Every value is believed.")) } @else { (table(&console, &found)) }
    };
    Ok(Page::new(Section::Quarantine, "Quarantine", body))
}

fn table(console: &Console, found: &QuarantineNow) -> Markup {
    let as_of = found.as_of.unwrap_or_default();
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Values that are not believed" {
            table {
                thead { tr {
                    th scope="col" { "Symbol" }
                    th scope="col" { "What" }
                    th scope="col" { "Since" }
                    th.number scope="col" { "Sessions left" }
                    th.number scope="col" { "Cap meanwhile" }
                    th.number scope="col" { "Cap found" }
                    th scope="col" { "What was seen" }
                    th scope="col" { span.visually-hidden { "What can be done" } }
                } }
                tbody {
                    @for entry in &found.symbols {
                        tr {
                            th scope="row" { (value::symbol(console, entry.symbol.as_str())) }
                            td { (value::badge(Tone::Attention, &entry.anomaly.title())) }
                            td { (entry.since) }
                            td.number { (thousands(entry.sessions_left(as_of))) }
                            td.number { (value::dollars(Some(entry.cap()))) }
                            td.number { (value::dollars(entry.found())) }
                            td.note { (value::foreign(&entry.seen())) }
                            td {
                                @if found.is_approved(&entry.symbol) {
                                    (value::badge(Tone::Good, "approved"))
                                } @else {
                                    a href=(address(console, entry, "")) { "Look closer" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn address(console: &Console, entry: &Quarantined, behind: &str) -> String {
    console.at(&format!("/quarantine/{}{behind}", value::encoded(entry.symbol.as_str())))
}

/// One entry, what an approval would come to, and the button.
pub(super) async fn entry(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    Path(symbol): Path<String>,
) -> Result<Page, Problem> {
    let found = read(&console).await?;
    let entry = Symbol::parse(&symbol).and_then(|symbol| found.entry(&symbol).cloned()).ok_or_else(absent)?;
    let is_approved = found.is_approved(&entry.symbol);
    let body = html! {
        (heading(entry.symbol.as_str(), &entry.anomaly.title()))
        section.card {
            (value::facts([
                ("seen", entry.seen()),
                ("meanwhile", format!("carried at {}", entry.cap().short())),
                ("found", entry.found().map_or_else(|| "no cap".to_owned(), Usd::short)),
                ("since", entry.since.to_string()),
                ("ends", entry.until()),
            ]))
            p { (value::symbol(&console, entry.symbol.as_str())) " is explained on its own page." }
        }
        section.card aria-labelledby="impact" {
            h2 #impact { "If you approve it" }
            ul { @for sentence in impact(&entry, &console.settings.policy()) { li { (value::foreign(&sentence)) } } }
            @if is_approved { p { (value::badge(Tone::Good, "approved")) " The next sync takes it for good." } }
            @else if session.is_operator() { (approval(&console, &session, &entry)) }
        }
    };
    Ok(Page::new(Section::Quarantine, entry.symbol.to_string(), body))
}

fn approval(console: &Console, session: &Session, entry: &Quarantined) -> Markup {
    html! {
        form method="post" action=(address(console, entry, "/approve")) {
            (value::token(session))
            button.primary type="submit" { "Approve " (value::dollars(entry.found())) }
        }
    }
}

/// What an approval would come to, as far as the value alone tells.
fn impact(entry: &Quarantined, policy: &Policy) -> Vec<String> {
    let tier = |cap: Usd| {
        let floors = policy.tier_floors.iter().filter(|(_, floor)| Usd::dollars(*floor) <= cap);
        floors.max_by_key(|(_, floor)| *floor).map_or("no tier", |(tier, _)| tier.as_str())
    };
    let mut sentences = Vec::new();
    match entry.found() {
        Some(found) => {
            sentences.push(format!(
                "The next sync takes {} in place of {}.",
                found.short(),
                entry.cap().short()
            ));
            let (before, after) = (tier(entry.cap()), tier(found));
            sentences.push(if before == after {
                format!("It stays in {after}; its rank moves with its cap.")
            } else {
                format!("It goes from {before} to {after}, and its rank moves with its cap.")
            });
        }
        None => sentences.push(
            "The next sync takes it for a stock without a cap: it leaves every tier and ranking.".to_owned(),
        ),
    }
    sentences.push("Plan after approving shows every change before a sync makes it.".to_owned());
    sentences
}

fn absent() -> Problem {
    Problem::not_found("This symbol is not in quarantine.")
}

/// Approves a value.
pub(super) async fn approve(
    State(console): State<Arc<Console>>,
    Path(symbol): Path<String>,
    Change { session, .. }: Change<Nothing>,
) -> Result<Redirect, Problem> {
    let symbol = Symbol::parse(&symbol).ok_or_else(absent)?;
    let actor = session.actor();
    let database = &console.service.database;
    match approve_value(database, &console.settings, &symbol, &actor, Utc::now()).await? {
        Approval::Given { entry, .. } => {
            tracing::info!(by = actor, "{actor} approved the value of {}", entry.symbol);
            Ok(Redirect::to(&console.at("/quarantine?done=approved")))
        }
        Approval::NotInQuarantine => Err(absent()),
    }
}
