//! One symbol: who it is, where it stands, why it is in each universe or is not, and its history. It reads the whole
//! market, as the command `explain` does, so few can ask at once.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{NaiveDate, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Asked, Reader};
use super::chart::{Mark, ladder};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::text::{cap, in_full, kind, membership, shown, thousands};
use super::value::{self, Tone};
use super::{Console, preview};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::wording::bound;
use crate::plan::explain::{Explanation, Outlook, Subject, Verdict};
use crate::plan::given::policy::Policy;
use crate::service::{self, Answer, Question};
use crate::store::Limits;
use crate::store::history::{self, Membership};

/// Memberships of the timeline.
const MAX_MEMBERSHIPS: usize = 120;
/// The longest text that is taken for a symbol.
const MAX_CHARS: usize = 40;

/// What was typed.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    symbol: String,
}

/// Leads to the page of a symbol.
pub(super) async fn search(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Asked(Typed { symbol }): Asked<Typed>,
) -> Response {
    let symbol = symbol.trim();
    if !symbol.is_empty() {
        let symbol: String = symbol.chars().take(MAX_CHARS).collect();
        return Redirect::to(&console.at(&format!("/symbols/{}", value::encoded(&symbol)))).into_response();
    }
    let lead = "Why a symbol is in a universe or is not, with the distance to each boundary.";
    let body = html! {
        (heading("Symbols", lead))
        form.inline.card method="get" action=(console.at("/symbols")) {
            label for="symbol" { "Symbol" }
            input #symbol type="text" name="symbol" required maxlength="20" autofocus autocomplete="off"
                autocapitalize="characters" spellcheck="false";
            button.primary type="submit" { "Explain" }
        }
    };
    Page::new(Section::Symbols, "Symbols", body).into_response()
}

/// The page.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Path(symbol): Path<String>,
) -> Result<Page, Problem> {
    if symbol.chars().count() > MAX_CHARS {
        return Err(Problem::not_found("No symbol is as long."));
    }
    let _turn = preview::turn(&console).await?;
    let question = Question { symbol: symbol.clone(), universe: None };
    let (database, now) = (&console.service.database, Utc::now());
    let explanation =
        match service::explain(database, &console.settings, question, Limits::default(), now).await? {
            Answer::Explained(explanation) => explanation,
            Answer::UnknownSymbol { nearest } => return Err(unknown(nearest.as_deref())),
            Answer::UnknownUniverse { .. } => return Err(unknown(None)),
            Answer::Refused(refusal) => {
                return Err(Problem::unavailable(format!("There is no market to look at: {refusal}")));
            }
        };
    let memberships = match Symbol::parse(&symbol) {
        Some(symbol) => {
            let mut client = database.client().await?;
            let transaction = client.begin_read_only(Limits::default()).await?;
            history::symbol_history(&transaction, &symbol, None).await?
        }
        None => Vec::new(),
    };
    let policy = console.settings.policy();
    let body = html! {
        (head(&explanation))
        (place(&explanation.subject, &policy))
        (verdicts(&console, &explanation))
        (timeline(&console, &memberships, explanation.as_of))
    };
    Ok(Page::new(Section::Symbols, shown(explanation.subject.symbol.as_str()), body))
}

fn unknown(nearest: Option<&str>) -> Problem {
    let hint = nearest.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
    Problem::not_found(format!("Neither the source nor history knows such a symbol.{hint}"))
}

/// Who it is.
fn head(explanation: &Explanation) -> Markup {
    let subject = &explanation.subject;
    let sector = subject.sector.map(|sector| format!("{}, {}", sector.title(), subject.sector_basis));
    html! {
        div.heading {
            h1 { (value::foreign(subject.symbol.as_str())) }
            p.lead { (value::foreign(subject.name.as_deref().unwrap_or_default())) }
        }
        section.card {
            (value::facts([
                ("as of", explanation.as_of.to_string()),
                ("type", kind(subject)),
                ("cap", cap(subject)),
                ("sector", sector.unwrap_or_default()),
            ]))
            @for remark in &subject.remarks { p.notice.attention { (value::foreign(remark)) } }
            @if let Some(refused) = &explanation.refused {
                p.notice.attention { "A sync would be refused: " (value::foreign(refused)) }
            }
        }
    }
}

/// Where it stands among tiers and among ranks.
fn place(subject: &Subject, policy: &Policy) -> Markup {
    let tiers: Vec<Mark> = policy
        .tier_floors
        .iter()
        .map(|(tier, floor)| Mark {
            at: *floor as f64,
            name: format!("{} {}", tier.as_str().trim_end_matches("_cap"), bound(Usd::dollars(*floor))),
        })
        .collect();
    let ranks: Vec<Mark> = policy
        .rankings
        .iter()
        .filter(|ranking| ranking.limit <= subject.ranked)
        .map(|ranking| Mark { at: ranking.limit as f64, name: ranking.universe.to_string() })
        .collect();
    let cap = subject.market_cap.map(|cap| Mark { at: cap.as_f64(), name: format!("${}", cap.short()) });
    let rank =
        subject.rank.map(|rank| Mark { at: rank as f64, name: format!("rank {}", thousands(rank as u64)) });
    html! {
        @if cap.is_some() || rank.is_some() {
            section.card aria-labelledby="place" {
                h2 #place { "Distance to the boundaries" }
                div.ladders tabindex="0" role="region" aria-label="Scales" {
                @if let Some(cap) = &cap {
                    (ladder(cap, &tiers, &format!("Market cap {} among the floors of the tiers", cap.name)))
                }
                @if let Some(rank) = &rank {
                    (ladder(rank, &ranks, &format!("{} among the ends of the rankings", rank.name)))
                }
                }
            }
        }
    }
}

fn verdicts(console: &Console, explanation: &Explanation) -> Markup {
    let (inside, outside): (Vec<&Verdict>, Vec<&Verdict>) =
        explanation.universes.iter().partition(|verdict| verdict.is_member);
    let (near, far): (Vec<&Verdict>, Vec<&Verdict>) = outside
        .into_iter()
        .partition(|verdict| verdict.outlook != Outlook::StaysOut || verdict.last_membership.is_some());
    html! {
        section.card aria-labelledby="in" {
            h2 #in { "Member of " span.count { (inside.len()) } }
            @if inside.is_empty() { (nothing("It is in no universe.")) }
            @for verdict in &inside { (render(console, verdict)) }
        }
        @if !near.is_empty() {
            section.card aria-labelledby="near" {
                h2 #near { "Was in, or would be" }
                @for verdict in &near { (render(console, verdict)) }
            }
        }
        @if !far.is_empty() {
            section.card aria-labelledby="out" {
                h2 #out { "Not in " span.count { (far.len()) } }
                @for verdict in &far { (render(console, verdict)) }
            }
        }
    }
}

/// One universe: the reason, and behind it all that it takes.
fn render(console: &Console, verdict: &Verdict) -> Markup {
    html! {
        details.why {
            summary {
                span.name { (verdict.universe.as_str()) }
                (outlook(verdict))
                span.reason { (value::foreign(&verdict.why)) }
            }
            (value::facts([
                ("now", membership(verdict)),
                ("a sync", in_full(verdict.outlook).to_owned()),
                ("held", verdict.hold.clone().unwrap_or_default()),
            ]))
            ul.checks {
                @for check in &verdict.checks {
                    li class=(if check.is_met { "met" } else { "unmet" }) {
                        span.sign { (if check.is_met { "met" } else { "not met" }) } " " (value::foreign(&check.text))
                    }
                }
            }
            p.hint { (value::foreign(&verdict.to_change)) " · " (value::universe(console, verdict.universe.as_str())) }
        }
    }
}

fn outlook(verdict: &Verdict) -> Markup {
    match verdict.outlook {
        Outlook::StaysIn => {
            let rank =
                verdict.rank.map_or_else(|| "in".to_owned(), |rank| format!("# {}", thousands(rank as u64)));
            value::badge(Tone::Good, &rank)
        }
        Outlook::StaysOut => value::badge(Tone::Quiet, "out"),
        Outlook::WouldJoin => value::badge(Tone::Busy, "would join"),
        Outlook::WouldLeave => value::badge(Tone::Busy, "would leave"),
        Outlook::HeldIn => value::badge(Tone::Attention, "held in"),
        Outlook::HeldOut => value::badge(Tone::Attention, "held out"),
    }
}

/// Every membership as a bar from its first day to its last.
fn timeline(console: &Console, memberships: &[Membership], today: NaiveDate) -> Markup {
    let first = memberships.iter().map(|membership| membership.valid_from).min().unwrap_or(today);
    let days = (today - first).num_days().max(1) as f64;
    let at = |date: NaiveDate| (date - first).num_days() as f64 / days * 100.0;
    let bar = |membership: &Membership| {
        let (from, to) = (at(membership.valid_from), membership.valid_to.map_or(100.0, at));
        (format!("{:.2}", from.min(99.0)), format!("{:.2}", (to - from).max(1.0)))
    };
    html! {
        section.card aria-labelledby="history" {
            h2 #history { "History" }
            @if memberships.is_empty() { (nothing("It has been in no universe.")) } @else {
                div.scroll tabindex="0" role="region" aria-label="Memberships" {
                    table {
                        thead { tr {
                            th scope="col" { "Universe" }
                            th.wide scope="col" { (first) " to " (today) }
                            th scope="col" { "From" }
                            th scope="col" { "To" }
                            th scope="col" { "Came" }
                            th scope="col" { "Went" }
                        } }
                        tbody {
                            @for membership in memberships.iter().take(MAX_MEMBERSHIPS) {
                                @let (x, width) = bar(membership);
                                tr {
                                    th scope="row" { (value::universe(console, &membership.universe)) }
                                    td.wide {
                                        svg.span viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                                            rect class=(if membership.valid_to.is_some() { "past" } else { "open" })
                                                x=(x) y="1" width=(width) height="6" {}
                                        }
                                    }
                                    td { (membership.valid_from) }
                                    td { @if let Some(date) = membership.valid_to { (date) } @else { span.dim { "now" } } }
                                    td {
                                        (value::foreign(&membership.entry_reason.replace('_', " ")))
                                        @if membership.reconstructed { " " span.dim { "(reconstructed)" } }
                                    }
                                    td { (value::foreign(&membership.exit_reason.as_deref().unwrap_or_default().replace('_', " "))) }
                                }
                            }
                        }
                    }
                }
                @if memberships.len() > MAX_MEMBERSHIPS {
                    p.hint { "The first " (MAX_MEMBERSHIPS) " of " (thousands(memberships.len() as u64)) "." }
                }
            }
        }
    }
}
