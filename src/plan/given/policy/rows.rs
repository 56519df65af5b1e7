//! Settings that operators keep in rows of the database, where they win over the file.
//!
//! `AppV2` keeps its settings in rows of type `cache_config`. Three names among them concern a policy; each key wins
//! over the file by itself:
//!
//! | name | key | value |
//! |---|---|---|
//! | `market_cap_thresholds` | `mega_cap` ... `micro_cap` | whole dollars |
//! | `universe_limits` | `top_N`, or `top_10_stocks` for `top_10` | a number of stocks, or `false` for none |
//! | `themes`, `theme_definitions` | the key of a theme | `true` or `false`; a list of tickers, which takes the place of the curated one; or an object with any of `enabled`, `symbols`, `deny`, `min_entry_usd`, `min_exit_usd`, `max_members` |
//!
//! A value may be wrapped as `{"value": ...}`, and a number may be a text, as `AppV2`'s pages write them. Rows of other
//! names are settings of other programs.
//!
//! # Why a bad row does not stop a job
//! The file is checked when the program starts; a row is changed on a web page while workers run. So a value that can't be
//! used is ignored, and every job warns about it.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::Value;

use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::universe::Tier;

use super::{MAX_FLOOR, MAX_RANKING, Policy, Ranking, Theme, sort_rankings};
use crate::domain::wording::first_few;

/// A theme has at most so many seats; every stock of the market is fewer.
const MAX_MEMBERS: i64 = 1_000_000;

/// A row of settings.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigRow {
    /// What kind of settings it belongs to: `market_cap_thresholds`.
    pub name: String,
    /// Which setting: `mega_cap`.
    pub key: String,
    /// What it is set to.
    pub value: Value,
    /// The day on which somebody wrote it, where that is known.
    pub written_on: Option<NaiveDate>,
}

/// A policy as rows have changed it.
#[derive(Debug, Clone)]
pub struct Overridden {
    /// The rules in force.
    pub policy: Policy,
    /// The settings that rows have set, as `market_cap_thresholds.mega_cap`.
    pub taken: Vec<String>,
    /// What could not be used of them, a sentence each.
    pub problems: Vec<String>,
}

impl Policy {
    /// The same rules with `rankings` beside those they have.
    #[must_use]
    pub fn with_rankings(mut self, rankings: &[Ranking]) -> Self {
        self.rankings.extend_from_slice(rankings);
        sort_rankings(&mut self.rankings);
        self
    }

    /// The rules that follow where `rows` win over these, in whatever order they come.
    #[must_use]
    pub fn overridden_by(self, rows: &[ConfigRow]) -> Overridden {
        let mut rows: Vec<&ConfigRow> = rows.iter().collect();
        rows.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
        let named = |name: &str| rows.iter().copied().filter(|row| row.name == name).collect::<Vec<_>>();
        let mut overridden = Overridden { policy: self, taken: Vec::new(), problems: Vec::new() };
        overridden.set_tier_floors(&named("market_cap_thresholds"));
        for row in named("universe_limits") {
            let set = set_ranking(&mut overridden.policy.rankings, row);
            overridden.note(row, set);
        }
        sort_rankings(&mut overridden.policy.rankings);
        let of_themes: Vec<&ConfigRow> =
            named("theme_definitions").into_iter().chain(named("themes")).collect();
        overridden.set_themes(&of_themes);
        overridden
    }
}

impl ConfigRow {
    /// Its name and key, fit for a log: whoever writes rows may write anything.
    fn shown(&self) -> String {
        format!("{}.{}", self.name, self.shown_key())
    }

    fn shown_key(&self) -> String {
        self.key.escape_debug().take(100).collect()
    }
}

impl Overridden {
    fn note(&mut self, row: &ConfigRow, set: Result<(), String>) {
        match set {
            Ok(()) => self.taken.push(row.shown()),
            Err(problem) => self.refuse(row, &problem),
        }
    }

    fn refuse(&mut self, row: &ConfigRow, problem: &str) {
        self.problems.push(format!("{} {problem}", row.shown()));
    }

    /// All bounds that rows set together, where they fall from mega to micro; else one after the other, those that
    /// would break the order left out.
    fn set_tier_floors(&mut self, rows: &[&ConfigRow]) {
        let mut wanted = Vec::new();
        for row in rows {
            let Some(tier) = Tier::from_text(&row.key) else {
                self.refuse(row, "names no tier");
                continue;
            };
            let least = tier.least_floor();
            match whole_number(&row.value, least, MAX_FLOOR) {
                Some(floor) => wanted.push((*row, tier, floor)),
                None => self.refuse(row, &format!("is not whole dollars from {least} to {MAX_FLOOR}")),
            }
        }
        wanted.sort_by_key(|(_, tier, _)| *tier);
        let mut together = self.policy.tier_floors.clone();
        for (_, tier, floor) in &wanted {
            set_floor(&mut together, *tier, *floor);
        }
        let stability = self.policy.stability;
        let fit = |floors: &[(Tier, i64)]| fall(floors) && stability.leaves_room_between(floors);
        let fit_together = fit(&together);
        for (row, tier, floor) in wanted {
            let mut floors = self.policy.tier_floors.clone();
            set_floor(&mut floors, tier, floor);
            let set = if fit_together || fit(&floors) {
                self.policy.tier_floors = floors;
                Ok(())
            } else {
                let apart =
                    if fall(&floors) { ", with room for stability.tier_band_pct between them" } else { "" };
                Err(format!("is {floor}, but the five must fall from mega_cap to micro_cap{apart}"))
            };
            self.note(row, set);
        }
    }

    fn set_themes(&mut self, rows: &[&ConfigRow]) {
        let mut strangers = Vec::new();
        for row in rows {
            let themes = &mut self.policy.themes.themes;
            match themes.iter_mut().find(|theme| theme.universe.as_str() == row.key) {
                None => strangers.push(row.shown_key()),
                Some(theme) => {
                    let problems = set_theme(theme, row);
                    if problems.is_empty() {
                        self.note(row, Ok(()));
                    }
                    for problem in problems {
                        self.refuse(row, &problem);
                    }
                }
            }
        }
        // A database that another program kept has a dozen of them; one sentence is enough.
        if !strangers.is_empty() {
            let ours: Vec<String> = strangers.iter().filter_map(|key| our_theme(key)).collect();
            let advice = if ours.is_empty() {
                String::new()
            } else {
                format!("; to have such a list take the place of ours, write it under {}", ours.join(", "))
            };
            self.problems
                .push(format!("no themes of ours are called {}{advice}", first_few(strangers.iter())));
        }
    }
}

/// Our theme for one of the keys that `AppV2`'s own job knew, as advice. Its lists of four tickers are not taken for ours:
/// they would empty a theme without anybody having asked for it.
fn our_theme(key: &str) -> Option<String> {
    let ours = match key {
        "ai" => "ai_ml_leaders",
        "biotech" => "biotech_innovators",
        "cloud" => "cloud_computing",
        "crypto" => "crypto_blockchain",
        "fintech" => "fintech_disruptors",
        "green" | "clean_energy" => "green_energy",
        _ => return None,
    };
    Some(format!("{ours} ({key})"))
}

fn set_floor(floors: &mut [(Tier, i64)], tier: Tier, floor: i64) {
    floors.iter_mut().filter(|(named, _)| *named == tier).for_each(|(_, own)| *own = floor);
}

fn fall(floors: &[(Tier, i64)]) -> bool {
    floors.windows(2).all(|pair| pair[0].1 > pair[1].1)
}

fn set_ranking(rankings: &mut Vec<Ranking>, row: &ConfigRow) -> Result<(), String> {
    let universe = Ranking::name(if row.key == "top_10_stocks" { "top_10" } else { &row.key })?;
    let limit =
        match unwrapped(&row.value) {
            Value::Bool(false) => None,
            value => Some(whole_number(value, 1, MAX_RANKING).ok_or_else(|| {
                format!("is no number of stocks from 1 to {MAX_RANKING}, nor false for none")
            })?),
        };
    rankings.retain(|ranking| ranking.universe != universe);
    rankings.extend(limit.map(|limit| Ranking { universe, limit: limit as usize }));
    Ok(())
}

/// Sets what a row says of a theme; what of it can't be used.
fn set_theme(theme: &mut Theme, row: &ConfigRow) -> Vec<String> {
    let mut changed = theme.clone();
    let mut problems = Vec::new();
    match unwrapped(&row.value) {
        Value::Bool(is_enabled) => changed.is_enabled = *is_enabled,
        Value::Object(fields) => {
            for (field, value) in fields {
                problems.extend(set_field(&mut changed, field, value, row.written_on).err());
            }
        }
        list => problems.extend(set_field(&mut changed, "symbols", list, row.written_on).err()),
    }
    if changed.exit_floor > changed.entry_floor {
        problems.push(format!(
            "has a min_exit_usd of {}, which is above min_entry_usd ({})",
            changed.exit_floor, changed.entry_floor
        ));
        (changed.entry_floor, changed.exit_floor) = (theme.entry_floor, theme.exit_floor);
    }
    *theme = changed;
    problems
}

fn set_field(
    theme: &mut Theme,
    field: &str,
    value: &Value,
    written_on: Option<NaiveDate>,
) -> Result<(), String> {
    let dollars = |least| {
        let wanted = || format!("has a {field} that is not whole dollars from {least} to {MAX_FLOOR}");
        whole_number(value, least, MAX_FLOOR).ok_or_else(wanted)
    };
    match field {
        "enabled" => {
            theme.is_enabled = value.as_bool().ok_or("has an enabled that is neither true nor false")?;
        }
        "symbols" | "tickers" | "seeds" => {
            theme.seeds = symbols(value).ok_or("has no list of tickers")?;
            theme.curated = written_on.unwrap_or(theme.curated);
        }
        "deny" => theme.deny = symbols(value).ok_or("has a deny that is no list of tickers")?,
        "min_entry_usd" => theme.entry_floor = dollars(1)?,
        "min_exit_usd" => theme.exit_floor = dollars(0)?,
        "max_members" => {
            let wanted = || format!("has a max_members that is no number from 1 to {MAX_MEMBERS}");
            theme.max_members = whole_number(value, 1, MAX_MEMBERS).ok_or_else(wanted)? as usize;
        }
        // What people call it, and what they think of it.
        "name" | "description" => {}
        other => return Err(format!("has a field {other:?}, which means nothing here")),
    }
    Ok(())
}

fn unwrapped(value: &Value) -> &Value {
    match value {
        Value::Object(fields) if fields.len() == 1 => fields.get("value").unwrap_or(value),
        other => other,
    }
}

/// A whole number within bounds, written as a number or as a text.
fn whole_number(value: &Value, least: i64, most: i64) -> Option<i64> {
    let number = match unwrapped(value) {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    };
    number.filter(|number| (least..=most).contains(number))
}

/// A float that stands for a whole number, as `200000000000.0` does.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= MAX_FLOOR as f64).then_some(number as i64)
}

/// A list of tickers, spelled as they are compared.
fn symbols(value: &Value) -> Option<BTreeSet<String>> {
    let texts = value.as_array()?.iter().map(Value::as_str);
    texts.map(|text| Symbol::parse(text?).map(|symbol| symbol_key(symbol.as_str()).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::sector::Sector;
    use crate::domain::universe::UniverseName;
    use crate::hostile::{any_json, assert_is_a_sentence};
    use crate::plan::given::policy::{FundRules, Guards, Method, SectorTable, Stability, ThemeRules};
    use serde_json::json;

    fn policy() -> Policy {
        let theme = Theme {
            universe: UniverseName::known("cloud_computing"),
            name: "Cloud Computing".to_owned(),
            is_enabled: true,
            curated: "2026-01-02".parse().expect("a date"),
            entry_floor: 1_000,
            exit_floor: 800,
            max_members: 40,
            seeds: BTreeSet::from(["CRM".to_owned()]),
            deny: BTreeSet::new(),
            method: Method::SectorLeaders(Sector::Technology),
        };
        Policy {
            eligible_types: BTreeSet::new(),
            tier_floors: Tier::ALL.iter().copied().zip([200, 10, 5, 3, 1].map(|n| n * 1_000)).collect(),
            rankings: vec![Ranking { universe: UniverseName::known("top_100"), limit: 100 }],
            sectors: SectorTable::default(),
            themes: ThemeRules { themes: vec![theme], ..ThemeRules::default() },
            funds: FundRules::default(),
            guards: Guards::default(),
            stability: Stability::default(),
            adopt_existing: false,
            protected_types: BTreeSet::new(),
        }
    }

    fn row(name: &str, key: &str, value: Value) -> ConfigRow {
        ConfigRow { name: name.to_owned(), key: key.to_owned(), value, written_on: "2026-05-06".parse().ok() }
    }

    fn floors(rows: &[(&str, Value)]) -> (Vec<i64>, Vec<String>) {
        let rows: Vec<ConfigRow> =
            rows.iter().map(|(key, value)| row("market_cap_thresholds", key, value.clone())).collect();
        let overridden = policy().overridden_by(&rows);
        let floors = overridden.policy.tier_floors.iter().map(|(_, floor)| *floor).collect();
        (floors, overridden.problems)
    }

    #[test]
    fn a_row_wins_over_the_file_for_its_key_alone() {
        let (floors, problems) = floors(&[("mega_cap", json!(300_000)), ("mid_cap", json!("6000"))]);
        assert_eq!((floors, problems.len()), (vec![300_000, 10_000, 6_000, 3_000, 1_000], 0));
        let wrapped = policy()
            .overridden_by(&[row("market_cap_thresholds", "mega_cap", json!({"value": 250_000.0}))])
            .policy;
        assert_eq!(wrapped.tier_floors[0].1, 250_000);
        assert_ne!(wrapped.fingerprint(), policy().fingerprint());
    }

    #[test]
    fn bounds_that_make_sense_together_are_taken_together() {
        let (floors, problems) = floors(&[
            ("mega_cap", json!(900)),
            ("large_cap", json!(800)),
            ("mid_cap", json!(700)),
            ("small_cap", json!(600)),
            ("micro_cap", json!(500)),
        ]);
        assert_eq!((floors, problems.len()), (vec![900, 800, 700, 600, 500], 0));
    }

    #[test]
    fn of_bounds_out_of_order_those_that_fit_are_taken_and_the_others_reported() {
        let (floors, problems) = floors(&[("mega_cap", json!(9)), ("large_cap", json!(20_000))]);
        assert_eq!(floors, [200_000, 20_000, 5_000, 3_000, 1_000]);
        assert_eq!(
            problems,
            ["market_cap_thresholds.mega_cap is 9, but the five must fall from mega_cap to micro_cap"]
        );
    }

    #[test]
    fn bounds_leave_room_for_the_bands_around_them() {
        let stability = Stability { tier_band_pct: 10.0, ..Stability::default() };
        let close = row("market_cap_thresholds", "mid_cap", json!(9_000));
        let overridden = Policy { stability, ..policy() }.overridden_by(std::slice::from_ref(&close));
        assert_eq!(overridden.policy.tier_floors[2].1, 5_000);
        assert_eq!(
            overridden.problems,
            [
                "market_cap_thresholds.mid_cap is 9000, but the five must fall from mega_cap to micro_cap, with room for \
                 stability.tier_band_pct between them"
            ]
        );
        assert!(policy().overridden_by(&[close]).problems.is_empty());
    }

    #[test]
    fn what_is_no_bound_is_reported_and_changes_nothing() {
        let bad = [json!("many"), json!(-5), json!(0), json!(null), json!([1]), json!(1.5), json!(true)];
        for value in bad {
            let (floors, problems) = floors(&[("mega_cap", value.clone())]);
            assert_eq!((floors[0], problems.len()), (200_000, 1), "{value}");
        }
        assert_eq!(floors(&[("giga_cap", json!(5))]).1, ["market_cap_thresholds.giga_cap names no tier"]);
    }

    #[test]
    fn rankings_come_go_and_change_their_size() {
        let overridden = policy().with_rankings(&Ranking::of_appv2()).overridden_by(&[
            row("universe_limits", "top_10_stocks", json!(12)),
            row("universe_limits", "top_50", json!(false)),
            row("universe_limits", "top_300", json!({"value": "300"})),
            row("universe_limits", "top_10_energy", json!(5)),
            row("universe_limits", "top_100", json!("all")),
        ]);
        let rankings: Vec<(&str, usize)> =
            overridden.policy.rankings.iter().map(|r| (r.universe.as_str(), r.limit)).collect();
        assert_eq!(rankings, [("top_10", 12), ("top_100", 100), ("top_250", 250), ("top_300", 300)]);
        assert_eq!(overridden.problems.len(), 2, "{:?}", overridden.problems);
        assert_eq!(overridden.taken.len(), 3);
    }

    #[test]
    fn a_list_of_tickers_takes_the_place_of_the_curated_one_from_the_day_it_was_written() {
        for value in [json!(["BRK/B", "NOW"]), json!({"symbols": ["NOW", "BRK-B"], "max_members": 5})] {
            let overridden = policy().overridden_by(&[row("theme_definitions", "cloud_computing", value)]);
            let theme = &overridden.policy.themes.themes[0];
            assert!(theme.seeds.iter().eq(["BRK.B", "NOW"]), "{:?}", theme.seeds);
            assert_eq!(theme.curated.to_string(), "2026-05-06");
            assert!(overridden.problems.is_empty());
        }
        let switched = policy().overridden_by(&[row("themes", "cloud_computing", json!(false))]).policy;
        assert!(!switched.themes.themes[0].is_enabled);
    }

    #[test]
    fn a_bad_theme_is_reported_and_strangers_are_named_once() {
        let overridden = policy().overridden_by(&[
            row("themes", "cloud_computing", json!({"symbols": [1], "min_entry_usd": 500, "size": 3})),
            row("theme_definitions", "ai", json!(["NVDA"])),
            row("theme_definitions", "ev", json!(["TSLA"])),
            row("sic_mapping", "3571", json!({"sector": "Technology"})),
        ]);
        assert_eq!(
            overridden.problems,
            [
                "themes.cloud_computing has no list of tickers",
                "themes.cloud_computing has a field \"size\", which means nothing here",
                "themes.cloud_computing has a min_exit_usd of 800, which is above min_entry_usd (500)",
                "no themes of ours are called ai, ev; to have such a list take the place of ours, write it under \
                 ai_ml_leaders (ai)",
            ]
        );
        assert_eq!(overridden.policy.fingerprint(), policy().fingerprint());
        assert!(overridden.taken.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_rows_leave_rules_that_hold_and_complaints_fit_for_a_log(
            rows in proptest::collection::vec(
                (
                    proptest::sample::select(vec!["market_cap_thresholds", "universe_limits", "themes", "theme_definitions"]),
                    prop_oneof![
                        proptest::sample::select(vec![
                            "mega_cap", "micro_cap", "top_100", "top_10_stocks", "top_", "top_99999999999", "cloud_computing",
                        ]).prop_map(str::to_owned),
                        ".{0,12}",
                    ],
                    any_json(&["value", "enabled", "symbols", "deny", "min_entry_usd", "min_exit_usd", "max_members"]),
                ),
                0..8,
            ),
        ) {
            let rows: Vec<ConfigRow> = rows.into_iter().map(|(name, key, value)| row(name, &key, value)).collect();
            let overridden = policy().overridden_by(&rows);
            prop_assert!(fall(&overridden.policy.tier_floors));
            prop_assert!(overridden.policy.rankings.iter().all(|ranking| (1..=MAX_RANKING as usize).contains(&ranking.limit)));
            for problem in overridden.problems.iter().chain(&overridden.taken) {
                assert_is_a_sentence(problem);
            }
        }
    }
}
