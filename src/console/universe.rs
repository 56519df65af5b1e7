//! One universe: its members in order, who joined and left by day, its size over a year; now, on a date, or as it was
//! known at a moment.

#![expect(
    clippy::format_push_string,
    reason = "what is shown is small, and the plain form can be read beside what it shows"
)]

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::{Asked, Reader};
use super::layout::{Page, Section, nothing};
use super::problem::Problem;
use super::text::{counted, shown, thousands};
use super::{Console, chart, tonight, universes, value};
use crate::domain::calendar::next_session;
use crate::domain::money::Usd;
use crate::store::Limits;
use crate::store::history::{self, Member, When};
use crate::store::overview::{self, Day, UniverseDays};

/// Members on one page.
const PAGE: usize = 100;
/// Days that the chart looks back.
const LOOK_BACK: TimeDelta = TimeDelta::days(366);
/// Days with changes that are listed.
const DAYS: usize = 15;

/// Which members are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    as_of: String,
    #[serde(default)]
    known_at: String,
    #[serde(default)]
    from: usize,
}

impl Wanted {
    fn when(&self) -> Result<When, Problem> {
        let as_of = match self.as_of.as_str() {
            "" => None,
            text => Some(
                text.parse::<NaiveDate>()
                    .map_err(|_| Problem::invalid("The date is not one such as 2026-03-02."))?,
            ),
        };
        let known_at = match self.known_at.as_str() {
            "" => None,
            text => Some(
                moment(text)
                    .ok_or_else(|| Problem::invalid("The moment is not one such as 2026-03-02T21:30."))?,
            ),
        };
        Ok(When { as_of, known_at })
    }
}

/// A moment as a browser sends it, in UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim_end_matches('Z');
    let with_seconds = if text.matches(':').count() == 1 { format!("{text}:00") } else { text.to_owned() };
    format!("{with_seconds}Z").parse().ok()
}

/// The page: the members, then all else.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Path(universe): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Page, Problem> {
    let when = wanted.when()?;
    let now = Utc::now();
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let members = history::universe_members(&transaction, &console.settings.entries, &universe, when).await?;
    let members = members.ok_or_else(unknown)?;
    let from = wanted.from.min(members.len() / PAGE * PAGE);
    let shown_now = &members[from..members.len().min(from + PAGE)];
    let symbols: Vec<&str> = shown_now.iter().map(|member| member.symbol.as_str()).collect();
    let since = now.date_naive() - LOOK_BACK;
    let days = overview::universe(&transaction, &universe, since, &symbols).await?;
    drop(transaction);
    let body = html! {
        (head(&universe, &members, days.as_ref()))
        @if let Some(days) = &days {
            @if days.now.status == "held" { section.card { (tonight::render_held(&console, &days.now)) } }
            (history_of(&console, days))
        }
        (asked(&console, &universe, &wanted))
        (table(&console, shown_now, from, days.as_ref()))
        (pages(&console, &universe, &wanted, from, members.len()))
    };
    Ok(Page::new(Section::Universes, shown(&universe), body))
}

fn unknown() -> Problem {
    Problem::not_found("There is no universe of this name.")
}

fn head(universe: &str, members: &[Member], days: Option<&UniverseDays>) -> Markup {
    html! {
        div.heading {
            h1 { (value::foreign(universe)) }
            p.lead {
                (counted(members.len(), "member", "members"))
                @if let Some(UniverseDays { now, .. }) = days {
                    " · " (now.cache_type.replace('_', " ")) " · " (universes::cap(now)) " in all · "
                    (universes::state(now)) " "
                    (value::moves(now.added.into(), now.removed.into())) " in the last sync"
                } @else {
                    " · a row of others"
                }
            }
        }
    }
}

/// The chart of a year, and the last days on which something moved.
fn history_of(console: &Console, days: &UniverseDays) -> Markup {
    let series = series(days);
    let name = &days.now.universe;
    html! {
        section.card aria-labelledby="year" {
            h2 #year { "Size and turnover" }
            @if series.len() > 1 {
                (chart::size_and_turnover(&series, &format!("Size of {name} and who joined and left, session by session")))
            } @else {
                (nothing("There is no history to draw yet."))
            }
            @if !days.days.is_empty() {
                details {
                    summary { "Who joined and left, by day" }
                    @for day in days.days.iter().take(DAYS) { (render_day(console, day)) }
                }
            }
        }
    }
}

/// Sessions from the first change on, with the size after each.
fn series(days: &UniverseDays) -> Vec<chart::Day> {
    let (Some(first), Some(last)) = (days.days.last(), days.days.first()) else { return Vec::new() };
    let end = last.date.max(days.last_as_of);
    let sessions = std::iter::successors(Some(first.date), |date| Some(next_session(*date)));
    let sessions: Vec<NaiveDate> = sessions.take_while(|date| *date <= end).collect();
    let mut size = i64::from(days.now.symbol_count);
    let mut series = Vec::with_capacity(sessions.len());
    for date in sessions.iter().rev() {
        let day = days.days.iter().find(|day| day.date == *date);
        let (added, removed) = day.map_or((0, 0), |day| (day.added, day.removed));
        series.push(chart::Day { date: date.to_string(), size, added, removed });
        size -= added - removed;
    }
    series.reverse();
    series
}

fn render_day(console: &Console, day: &Day) -> Markup {
    let list = |symbols: &[String], all: i64| {
        let rest = all - symbols.len() as i64;
        html! {
            @for symbol in symbols { (value::symbol(console, symbol)) " " }
            @if rest > 0 { span.dim { "and " (thousands(rest as u64)) " more" } }
        }
    };
    html! {
        div.day {
            h3 { (day.date) " " (value::moves(day.added, day.removed)) }
            @if day.added > 0 { p.symbols { span.plus { "joined " } (list(&day.who_joined, day.added)) } }
            @if day.removed > 0 { p.symbols { span.minus { "left " } (list(&day.who_left, day.removed)) } }
        }
    }
}

/// The form for another time.
fn asked(console: &Console, universe: &str, wanted: &Wanted) -> Markup {
    let path = console.at(&format!("/universes/{}", value::encoded(universe)));
    html! {
        div.toolbar {
            form.inline method="get" action=(path) {
                label for="as_of" { "As of" }
                input #as_of type="date" name="as_of" value=(wanted.as_of);
                label for="known_at" { "as known at (UTC)" }
                input #known_at type="datetime-local" name="known_at" value=(wanted.known_at);
                button type="submit" { "Show" }
                @if !wanted.as_of.is_empty() || !wanted.known_at.is_empty() { a href=(path) { "Now" } }
            }
            a.button href={ (path) "/members.csv" (query(wanted, None)) } { "Download CSV" }
        }
    }
}

/// The query of a link that keeps to the same time.
fn query(wanted: &Wanted, from: Option<usize>) -> String {
    let from = from.map(|from| from.to_string()).unwrap_or_default();
    let parts = [("as_of", &wanted.as_of), ("known_at", &wanted.known_at), ("from", &from)];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{name}={}", value::encoded(text)))
        .collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

fn table(console: &Console, members: &[Member], from: usize, days: Option<&UniverseDays>) -> Markup {
    let has_order = members.iter().any(|member| member.rank.is_some());
    let cap = |place: usize| days.and_then(|days| *days.caps.get(place)?);
    html! {
        @if members.is_empty() { (nothing("It had no members then.")) } @else {
            div.card.scroll tabindex="0" role="region" aria-label="Members" {
                table data-sortable="" {
                    thead { tr {
                        th.number scope="col" { @if has_order { "Rank" } @else { "No." } }
                        th scope="col" { "Symbol" }
                        th.number scope="col" { "Market cap" }
                        th scope="col" { "Member since" }
                        th scope="col" { "Came by" }
                    } }
                    tbody {
                        @for (place, member) in members.iter().enumerate() {
                            tr {
                                td.number { (thousands(member.rank.unwrap_or((from + place + 1) as i64).max(0) as u64)) }
                                th scope="row" { (value::symbol(console, &member.symbol)) }
                                td.number data-value=(cap(place).map_or(0.0, Usd::as_f64)) { (value::dollars(cap(place))) }
                                td { @if let Some(date) = member.valid_from { (date) } }
                                td {
                                    (value::foreign(&member.entry_reason.as_deref().unwrap_or_default().replace('_', " ")))
                                    @if member.reconstructed { " " span.dim { "(reconstructed)" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Links to the pages before and after.
fn pages(console: &Console, universe: &str, wanted: &Wanted, from: usize, all: usize) -> Markup {
    let path = console.at(&format!("/universes/{}", value::encoded(universe)));
    let to = (from + PAGE).min(all);
    html! {
        @if all > PAGE {
            nav.pages aria-label="Pages of members" {
                @if from > 0 { a href={ (path) (query(wanted, Some(from.saturating_sub(PAGE)))) } { "‹ Previous" } }
                span.dim { (thousands(from as u64 + 1)) "–" (thousands(to as u64)) " of " (thousands(all as u64)) }
                @if to < all { a href={ (path) (query(wanted, Some(to))) } { "Next ›" } }
            }
        }
    }
}

/// All members as CSV.
pub(super) async fn csv(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Path(universe): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let when = wanted.when()?;
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let members = history::universe_members(&transaction, &console.settings.entries, &universe, when).await?;
    let members = members.ok_or_else(unknown)?;
    let mut text = "rank,symbol,valid_from,entry_reason,reconstructed\r\n".to_owned();
    for member in &members {
        let rank = member.rank.map(|rank| rank.to_string()).unwrap_or_default();
        let from = member.valid_from.map(|date| date.to_string()).unwrap_or_default();
        let reason = field(member.entry_reason.as_deref().unwrap_or_default());
        text += &format!("{rank},{},{from},{reason},{}\r\n", field(&member.symbol), member.reconstructed);
    }
    let name: String = universe.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    Ok((head, text).into_response())
}

/// A text as a field. A spreadsheet would take one that begins like a formula for one, so it begins with a quote.
fn field(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_one_field_and_no_formula() {
        assert_eq!(field("BRK.B"), "BRK.B");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("=cmd|'/c calc'!A0"), "'=cmd|'/c calc'!A0");
    }

    #[test]
    fn a_moment_is_what_a_browser_sends() {
        assert_eq!(
            moment("2026-03-02T21:30").map(|at| at.to_rfc3339()).as_deref(),
            Some("2026-03-02T21:30:00+00:00")
        );
        assert_eq!(
            moment("2026-03-02T21:30:05Z").map(|at| at.to_rfc3339()).as_deref(),
            Some("2026-03-02T21:30:05+00:00")
        );
        assert_eq!(moment("yesterday"), None);
    }
}
