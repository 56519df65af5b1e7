//! All universes in one table: size, cap, what changed in the last sync, and how each grew over a year.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use chrono::{Datelike, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};

use super::access::Reader;
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::text::{thousands, universes};
use super::value::{self, Tone};
use super::{Console, chart};
use crate::domain::money::Usd;
use crate::domain::universe::CacheType;
use crate::store::Limits;
use crate::store::history::{self, UniverseNow};
use crate::store::overview::{self, WeekOf};

/// Weeks that a sparkline shows.
const WEEKS: i64 = 52;

/// Kinds of universes in the order they are shown, and their titles.
const KINDS: [(CacheType, &str); 7] = [
    (CacheType::MarketCap, "Tiers"),
    (CacheType::MarketLeader, "Rankings"),
    (CacheType::SectorLeader, "Sector leaders"),
    (CacheType::Theme, "Themes"),
    (CacheType::Ipo, "New listings"),
    (CacheType::Etf, "Funds"),
    (CacheType::Complete, "Everything"),
];

/// The page: two queries.
pub(super) async fn page(State(console): State<Arc<Console>>, Reader(_): Reader) -> Result<Page, Problem> {
    let now = Utc::now();
    let since = now.date_naive() - TimeDelta::weeks(WEEKS);
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let all = history::universes_now(&transaction).await?;
    let weeks = overview::weeks(&transaction, since).await?;
    drop(transaction);
    let sizes = Sizes::new(&weeks, monday(since), monday(now.date_naive()));
    let held = all.iter().filter(|universe| universe.status == "held").count();
    let lead = match held {
        0 => format!("{}, none of them held.", universes(all.len())),
        _ => format!("{}, {} held by a guard.", universes(all.len()), thousands(held as u64)),
    };
    let body = html! {
        (heading("Universes", &lead))
        @if all.is_empty() { (nothing("There are none before the first sync.")) }
        @else { (table(&console, &all, &sizes)) }
    };
    Ok(Page::new(Section::Universes, "Universes", body))
}

fn table(console: &Console, all: &[UniverseNow], sizes: &Sizes) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Universes" {
            table data-sortable="" {
                thead { tr {
                    th scope="col" { "Universe" }
                    th.number scope="col" { "Members" }
                    th.number scope="col" { "Market cap" }
                    th scope="col" { "Last sync" }
                    th scope="col" { "A year" }
                    th scope="col" { "State" }
                } }
                @for (kind, title) in KINDS {
                    @let of_kind: Vec<&UniverseNow> = all.iter().filter(|u| u.cache_type == kind.as_str()).collect();
                    @if !of_kind.is_empty() {
                        tbody {
                            tr.group { th colspan="6" scope="rowgroup" { (title) } }
                            @for universe in of_kind { (row(console, universe, sizes)) }
                        }
                    }
                }
            }
        }
    }
}

fn row(console: &Console, universe: &UniverseNow, sizes: &Sizes) -> Markup {
    let size = i64::from(universe.symbol_count);
    let line = sizes.of(&universe.universe, size);
    let label = format!(
        "{} over a year, from {} to {} members",
        universe.universe,
        thousands(line.first().copied().unwrap_or_default().max(0.0) as u64),
        thousands(size.max(0) as u64)
    );
    html! {
        tr {
            th scope="row" { (value::universe(console, &universe.universe)) }
            td.number data-value=(size) { (thousands(size.max(0) as u64)) }
            td.number data-value=(universe.total_market_cap) { (cap(universe)) }
            td data-value=(universe.added + universe.removed) { (value::moves(universe.added.into(), universe.removed.into())) }
            td { (chart::sparkline(&line, &label)) }
            td { (state(universe)) }
        }
    }
}

/// All members' market cap together.
pub(super) fn cap(universe: &UniverseNow) -> String {
    value::dollars(Usd::from_decimal(universe.total_market_cap).filter(|cap| *cap > Usd::ZERO))
}

/// How a universe fares.
pub(super) fn state(universe: &UniverseNow) -> Markup {
    match universe.status.as_str() {
        "ok" => value::badge(Tone::Good, "ok"),
        "held" => value::badge(Tone::Attention, "held"),
        other => value::badge(Tone::Quiet, &other.replace('_', " ")),
    }
}

/// The Monday of a date's week.
fn monday(date: NaiveDate) -> NaiveDate {
    date - TimeDelta::days(date.weekday().num_days_from_monday().into())
}

/// How universes grew, week by week.
struct Sizes<'a> {
    net: HashMap<(&'a str, NaiveDate), i64>,
    weeks: Vec<NaiveDate>,
}

impl<'a> Sizes<'a> {
    fn new(weeks: &'a [WeekOf], first: NaiveDate, last: NaiveDate) -> Self {
        let net = weeks.iter().map(|week| ((week.universe.as_str(), week.week), week.net)).collect();
        let weeks = std::iter::successors(Some(first), |week| Some(*week + TimeDelta::weeks(1)));
        Self { net, weeks: weeks.take_while(|week| *week <= last).collect() }
    }

    /// The size after each week, reckoned back from the size now.
    fn of(&self, universe: &str, size: i64) -> Vec<f64> {
        let mut size = size;
        let mut sizes: Vec<f64> = Vec::with_capacity(self.weeks.len());
        for week in self.weeks.iter().rev() {
            sizes.push(size as f64);
            size -= self.net.get(&(universe, *week)).copied().unwrap_or(0);
        }
        sizes.reverse();
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn sizes_are_reckoned_back_from_today() {
        let week = |week: &str, net| WeekOf { universe: "top_100".to_owned(), week: date(week), net };
        let weeks = [week("2026-02-23", 5), week("2026-03-02", -2)];
        let sizes = Sizes::new(&weeks, date("2026-02-16"), date("2026-03-02"));
        assert_eq!(sizes.of("top_100", 8), [5.0, 10.0, 8.0]);
        assert_eq!(sizes.of("mega_cap", 8), [8.0, 8.0, 8.0]);
        assert_eq!(monday(date("2026-03-08")), date("2026-03-02"));
    }
}
