//! The guards: how near each came to its bound in the last sixty nights, and which nights another bound would have held.
//!
//! A night has one number for each guard, the measure nearest to its bound, as `replay` counts it; every sync writes it
//! down with its result. A bound is multiplied by the sessions since the last sync, so what is shown is the share for one
//! session.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use chrono::NaiveDate;
use maud::{Markup, html};

use super::access::{Asked, Reader};
use super::layout::{Page, Section, heading, nothing};
use super::problem::Problem;
use super::text::{counted, thousands};
use super::value::{self, Tone};
use super::{Console, chart};
use crate::plan::draft::measure::{Guard, Reading};
use crate::plan::given::policy::Guards;
use crate::store::Limits;
use crate::store::overview::{self, Night};

/// Nights that are shown.
const NIGHTS: i64 = 60;

/// What a guard watches, and the largest bound that its slider offers.
const GUARDS: [(Guard, &str, f64); 6] = [
    (Guard::TierChurn, "Members of a tier, a theme or a universe of funds that join or leave", 60.0),
    (Guard::Top100Added, "Places of top_100 that go to others", 30.0),
    (Guard::RankingAdded, "Places of another ranking that go to others", 20.0),
    (Guard::ActiveDrop, "Active stocks that are gone since the last run", 15.0),
    (Guard::CapsMissing, "Stocks that lost their market cap", 10.0),
    (Guard::SectorsChanged, "Stocks whose sector is blank or another", 50.0),
];

/// The page: one query.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Reader(_): Reader,
    Asked(tried): Asked<BTreeMap<String, String>>,
) -> Result<Page, Problem> {
    let mut client = console.service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let nights = overview::nights(&transaction, NIGHTS).await?;
    drop(transaction);
    let bounds = console.settings.policy().guards;
    let lead = match (nights.last(), nights.first()) {
        (Some(first), Some(last)) => {
            format!("{} from {} to {}.", counted(nights.len(), "night", "nights"), first.date, last.date)
        }
        _ => "No night was measured yet: every sync measures one.".to_owned(),
    };
    let body = html! {
        (heading("Guards", &lead))
        @if nights.is_empty() { (nothing("Nothing to show before the next sync.")) }
        @for (guard, what, most) in GUARDS {
            @let shares = shares(&nights, guard);
            @if !shares.is_empty() { (card(&console, guard, what, most, &shares, &bounds, &tried)) }
        }
    };
    Ok(Page::new(Section::Guards, "Guards", body))
}

/// What a guard measured night by night, in percent for one session, the oldest first.
fn shares(nights: &[Night], guard: Guard) -> Vec<(NaiveDate, f64)> {
    let of_guard = |night: &Night| {
        night.readings.iter().find(|reading| reading.guard == guard).map(Reading::share_of_session)
    };
    nights.iter().rev().filter_map(|night| Some((night.date, of_guard(night)?))).collect()
}

fn bound(guard: Guard, guards: &Guards) -> f64 {
    match guard {
        Guard::ActiveDrop => guards.max_active_drop_pct,
        Guard::CapsMissing => guards.max_caps_missing_pct,
        Guard::SectorsChanged => Guards::MAX_SECTORS_CHANGED_PCT,
        Guard::TierChurn => guards.tier_churn_pct,
        Guard::Top100Added => guards.top_100_added_pct,
        Guard::RankingAdded => guards.ranking_added_pct,
        Guard::TooFewStocks | Guard::WouldBeEmpty => 0.0,
    }
}

/// The nights that a bound would have held back.
fn beyond(shares: &[(NaiveDate, f64)], bound: f64) -> Vec<NaiveDate> {
    shares.iter().filter(|(_, share)| *share > bound).map(|(date, _)| *date).collect()
}

fn card(
    console: &Console,
    guard: Guard,
    what: &str,
    most: f64,
    shares: &[(NaiveDate, f64)],
    guards: &Guards,
    tried: &BTreeMap<String, String>,
) -> Markup {
    let (name, set) = (guard.as_str(), bound(guard, guards));
    let trying =
        tried.get(name).and_then(|text| text.parse().ok()).filter(|bound: &f64| (0.0..=most).contains(bound));
    let trying = trying.unwrap_or(set);
    let held = beyond(shares, trying);
    let nearest = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let values: Vec<(String, f64)> = shares.iter().map(|(date, share)| (date.to_string(), *share)).collect();
    let label =
        format!("{what}: percent of each of {} nights against a bound of {trying} percent", shares.len());
    html! {
        section.card.guard aria-labelledby=(name) data-guard=(name) {
            div.card-head {
                h2 id=(name) { (name.replace('_', " ")) }
                @if let Some(setting) = guard.setting() { code { (setting) " = " (set) } } @else { span.dim { "fixed at " (set) " %" } }
            }
            p.hint { (what) ". Nearest: " (format!("{nearest:.1}")) " % of at most " (set) " %." }
            (chart::nights(&values, trying, &label))
            form.inline method="get" action=(console.at("/guards")) {
                label for={ "try-" (name) } { "Try a bound" }
                input id={ "try-" (name) } type="range" name=(name) min="0" max=(most) step="0.5" value=(trying) data-slider="";
                output for={ "try-" (name) } { (trying) " %" }
                button.quiet type="submit" data-only-without-script="" { "Count" }
            }
            p.would role="status" data-would="" {
                @if held.is_empty() {
                    (value::badge(Tone::Good, "no night")) " would have been held."
                } @else {
                    (value::badge(Tone::Attention, &counted(held.len(), "night", "nights")))
                    " would have been held: " (first_few(&held))
                }
            }
        }
    }
}

fn first_few(dates: &[NaiveDate]) -> String {
    let named: Vec<String> = dates.iter().take(8).map(ToString::to_string).collect();
    let rest = dates.len().saturating_sub(named.len());
    let more = if rest > 0 { format!(" and {} more", thousands(rest as u64)) } else { String::new() };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_is_held_beyond_a_bound_and_not_at_it() {
        let date = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a date");
        let shares = [(date(2), 5.0), (date(3), 10.0), (date(4), 10.5)];
        assert_eq!(beyond(&shares, 10.0), [date(4)]);
        assert_eq!(beyond(&shares, 2.0).len(), 3);
        assert_eq!(first_few(&[date(2), date(3)]), "2026-03-02, 2026-03-03");
    }
}
