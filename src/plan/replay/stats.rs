//! Counts replayed days: how much changed, how near the guards came to their bounds, what would have been kept back.
//!
//! Of each guard a day has one number, its measure nearest to its bound, for that is the one that a lower bound would
//! stop first.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::change::EntryReason;
use crate::domain::universe::CacheType;

use super::Decided;
use crate::plan::draft::measure::{Guard, Measure};
use crate::plan::market::screening::QUARANTINED;
use crate::plan::result::{Plan, PlannedUniverse};

/// Replayed days, counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Days that were planned.
    pub planned: usize,
    /// Those of them on which a universe was held.
    pub held: usize,
    /// Those of them on which the value of a stock was not believed.
    pub quarantined: usize,
    /// Days that would have been refused.
    pub refused: usize,
    /// Days whose import is not complete.
    pub incomplete: usize,
    /// Memberships that came with the first fill of a universe.
    pub filled: usize,
    /// What else changed, by kind of universe.
    pub moves: BTreeMap<CacheType, Moves>,
    samples: BTreeMap<Guard, Vec<Sample>>,
}

/// Memberships that changed in universes of one kind, first fills left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    /// Added.
    pub added: usize,
    /// Removed.
    pub removed: usize,
}

impl Moves {
    /// Both together.
    pub fn total(self) -> usize {
        self.added + self.removed
    }
}

/// What a guard measured on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The day.
    pub date: NaiveDate,
    /// Its measure nearest to its bound.
    pub measure: Measure,
}

/// How a guard's days are spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread<'t> {
    /// Which guard.
    pub guard: Guard,
    /// On how many days it measured something.
    pub days: usize,
    /// On how many it was exceeded.
    pub exceeded: usize,
    /// The day in the middle.
    pub median: &'t Sample,
    /// The day that 99 of 100 don't surpass.
    pub p99: &'t Sample,
    /// The day nearest to the bound, or furthest beyond it.
    pub nearest: &'t Sample,
}

impl Tally {
    /// Counts a day.
    pub fn add(&mut self, date: NaiveDate, decided: &Decided) {
        match decided {
            Decided::Planned(plan) => {
                self.planned += 1;
                self.held += usize::from(plan.universes.iter().any(|universe| universe.hold.is_some()));
                self.quarantined +=
                    usize::from(plan.warnings.iter().any(|warning| warning.code == QUARANTINED));
                self.filled += filled(plan);
                for (kind, moves) in moves(plan) {
                    let sum = self.moves.entry(kind).or_default();
                    sum.added += moves.added;
                    sum.removed += moves.removed;
                }
            }
            Decided::Refused(_) => self.refused += 1,
            Decided::Incomplete { .. } => self.incomplete += 1,
        }
        for (guard, measure) in nearest(measures(decided)) {
            self.samples.entry(guard).or_default().push(Sample { date, measure: measure.clone() });
        }
    }

    /// How the days of every guard are spread that measured something, in the order of the guards.
    pub fn spreads(&self) -> Vec<Spread<'_>> {
        self.samples.iter().filter_map(|(guard, samples)| spread(*guard, samples)).collect()
    }
}

fn spread(guard: Guard, samples: &[Sample]) -> Option<Spread<'_>> {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    // Stable: of equal days the last one is the nearest.
    sorted.sort_by(|a, b| a.measure.of_bound_pct().total_cmp(&b.measure.of_bound_pct()));
    let at = |share: usize| sorted.get((sorted.len() * share).div_ceil(100).saturating_sub(1)).copied();
    Some(Spread {
        guard,
        days: sorted.len(),
        exceeded: sorted.iter().filter(|sample| sample.measure.is_exceeded()).count(),
        median: at(50)?,
        p99: at(99)?,
        nearest: sorted.last()?,
    })
}

/// What the guards measured on a day.
pub fn measures(decided: &Decided) -> &[Measure] {
    match decided {
        Decided::Planned(plan) => &plan.measures,
        Decided::Refused(refused) => &refused.measures,
        Decided::Incomplete { .. } => &[],
    }
}

/// Of each guard the measure nearest to its bound.
pub fn nearest(measures: &[Measure]) -> BTreeMap<Guard, &Measure> {
    let mut nearest: BTreeMap<Guard, &Measure> = BTreeMap::new();
    for measure in measures {
        let known = nearest.entry(measure.guard).or_insert(measure);
        if measure.of_bound_pct() > known.of_bound_pct() {
            *known = measure;
        }
    }
    nearest
}

/// Memberships that came with the first fill of a universe.
pub fn filled(plan: &Plan) -> usize {
    let joiners = plan.universes.iter().flat_map(PlannedUniverse::joiners);
    joiners.filter(|joined| joined.reason == EntryReason::FirstFill).count()
}

/// What changed beyond first fills, by kind of universe.
pub fn moves(plan: &Plan) -> BTreeMap<CacheType, Moves> {
    let mut moves: BTreeMap<CacheType, Moves> = BTreeMap::new();
    for universe in &plan.universes {
        let of_kind = moves.entry(universe.cache_type).or_default();
        of_kind.added += universe.joiners().filter(|joined| joined.reason != EntryReason::FirstFill).count();
        of_kind.removed += universe.left.len();
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(day: u32, counted: usize) -> Sample {
        let measure = Measure {
            guard: Guard::TierChurn,
            universe: None,
            counted,
            of: 100,
            at_least: 5,
            allowed_pct: 20.0,
            sessions: 1,
        };
        Sample { date: NaiveDate::from_ymd_opt(2026, 1, day).expect("a date"), measure }
    }

    #[test]
    fn the_spread_of_a_guard_has_its_middle_its_edge_and_the_days_beyond() {
        let samples: Vec<Sample> = (1..=10).map(|day| sample(day, day as usize * 3)).collect();
        let spread = spread(Guard::TierChurn, &samples).expect("there are samples");
        assert_eq!((spread.days, spread.exceeded), (10, 4));
        assert_eq!((spread.median.measure.counted, spread.p99.measure.counted), (15, 30));
        assert_eq!(spread.nearest.date.to_string(), "2026-01-10");
        assert_eq!(super::spread(Guard::TierChurn, &[]), None);
    }

    #[test]
    fn of_each_guard_the_measure_nearest_to_its_bound_counts() {
        let measures: Vec<Measure> = [4, 19, 7].map(|counted| sample(1, counted).measure).into();
        assert_eq!(nearest(&measures)[&Guard::TierChurn].counted, 19);
        assert!(nearest(&[]).is_empty());
    }
}
