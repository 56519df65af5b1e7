//! What a person's word on one value would come to, before it is given: the next plan with it beside the one without.
//!
//! Approving a value moves its stock, and everybody who makes room for it or moves up behind it. The two plans are made
//! by the code that makes the real one, so guards have their say here too.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::universe::{Tier, UniverseName};
use crate::plan::given::notice::Refusal;
use crate::plan::given::order::Order;
use crate::plan::given::policy::Policy;
use crate::plan::given::quarantine::{Distrusted, Quarantined};
use crate::plan::given::snapshot::Snapshot;
use crate::plan::market::Market;
use crate::plan::plan;
use crate::plan::result::Plan;

/// What changes if somebody says something of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Impact {
    /// Universes that the stock is in then, and would not be without it.
    pub joins: Vec<UniverseName>,
    /// Universes that it is not in then, and would be without it.
    pub leaves: Vec<UniverseName>,
    /// How many memberships of other stocks differ.
    pub others: usize,
    /// Universes that a guard holds only then.
    pub held: Vec<UniverseName>,
}

impl Impact {
    /// Of approving the value of `symbol`.
    pub fn of_approval(
        snapshot: &Snapshot,
        policy: &Policy,
        order: Order,
        symbol: &Symbol,
    ) -> Result<Self, Refusal> {
        let mut approved = snapshot.clone();
        approved.approved.push(symbol.clone());
        Self::between(snapshot, &approved, policy, order, symbol)
    }

    /// Of doubting a value.
    pub fn of_distrust(
        snapshot: &Snapshot,
        policy: &Policy,
        order: Order,
        distrusted: &Distrusted,
    ) -> Result<Self, Refusal> {
        let mut doubted = snapshot.clone();
        doubted.distrusted.push(distrusted.clone());
        Self::between(snapshot, &doubted, policy, order, &distrusted.symbol)
    }

    fn between(
        without: &Snapshot,
        with: &Snapshot,
        policy: &Policy,
        order: Order,
        symbol: &Symbol,
    ) -> Result<Self, Refusal> {
        let without = plan(without, policy, &order, &mut |_| {})?;
        let with = plan(with, policy, &order, &mut |_| {})?;
        Ok(Self::of_plans(&without, &with, symbol))
    }

    fn of_plans(without: &Plan, with: &Plan, symbol: &Symbol) -> Self {
        let mut impact = Self::default();
        for (old, new) in without.universes.iter().zip(&with.universes) {
            let before: BTreeSet<&Symbol> = old.members.iter().collect();
            let after: BTreeSet<&Symbol> = new.members.iter().collect();
            for differing in before.symmetric_difference(&after) {
                match (differing.is_spelling_of(symbol), after.contains(*differing)) {
                    (false, _) => impact.others += 1,
                    (true, true) => impact.joins.push(new.name.clone()),
                    (true, false) => impact.leaves.push(new.name.clone()),
                }
            }
            if new.hold.is_some() && old.hold.is_none() {
                impact.held.push(new.name.clone());
            }
        }
        impact
    }

    /// In words, after a symbol: `leaves mega_cap, top_100, joins large_cap; 3 memberships of others change`.
    pub fn in_words(&self) -> String {
        let names =
            |names: &[UniverseName]| names.iter().map(UniverseName::as_str).collect::<Vec<_>>().join(", ");
        let mut moves = Vec::new();
        if !self.leaves.is_empty() {
            moves.push(format!("leaves {}", names(&self.leaves)));
        }
        if !self.joins.is_empty() {
            moves.push(format!("joins {}", names(&self.joins)));
        }
        let mut text = if moves.is_empty() { "changes no universe".to_owned() } else { moves.join(", ") };
        match self.others {
            0 => {}
            1 => text.push_str("; 1 membership of others changes"),
            others => {
                let _ = write!(text, "; {others} memberships of others change");
            }
        }
        if !self.held.is_empty() {
            let _ = write!(text, "; held for it: {}", names(&self.held));
        }
        text
    }
}

/// A stock in quarantine with what hangs on its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Hanging {
    /// What is not believed.
    pub entry: Quarantined,
    /// The name of the company, where the source has one.
    pub name: Option<String>,
    /// The universes of ours that it is in.
    pub universes: Vec<UniverseName>,
    /// How many tiers and rankings it would be in with the one cap and not with the other.
    pub seats: usize,
}

/// So many of the stocks whose value was doubted for the first time on the last night come first.
const FIRST: usize = 10;

/// `entries` with what hangs on them: first the ten largest that are of the night of `market`, then the others by how
/// many seats hang on them, the largest first among equals.
pub fn hanging<'e>(
    entries: impl IntoIterator<Item = &'e Quarantined>,
    market: &Market,
    snapshot: &Snapshot,
    policy: &Policy,
) -> Vec<Hanging> {
    let size = |entry: &Quarantined| entry.found().unwrap_or_default().max(entry.cap());
    let mut hanging: Vec<Hanging> =
        entries.into_iter().map(|entry| with_what_hangs(entry, market, snapshot, policy)).collect();
    hanging.sort_by(|a, b| {
        (b.seats, size(&b.entry), &a.entry.symbol).cmp(&(a.seats, size(&a.entry), &b.entry.symbol))
    });
    let (mut new, mut others): (Vec<Hanging>, Vec<Hanging>) =
        hanging.into_iter().partition(|one| one.entry.since == market.as_of());
    new.sort_by(|a, b| (size(&b.entry), &a.entry.symbol).cmp(&(size(&a.entry), &b.entry.symbol)));
    let rest = new.split_off(new.len().min(FIRST));
    let place = |one: &Hanging| {
        (std::cmp::Reverse(one.seats), std::cmp::Reverse(size(&one.entry)), one.entry.symbol.clone())
    };
    others.extend(rest);
    others.sort_by_key(place);
    new.extend(others);
    new
}

fn with_what_hangs(entry: &Quarantined, market: &Market, snapshot: &Snapshot, policy: &Policy) -> Hanging {
    let is_in = |members: &[Symbol]| members.iter().any(|member| member.is_spelling_of(&entry.symbol));
    let stored = snapshot.universes.iter().filter(|(_, stored)| is_in(&stored.members));
    let name = market.index_of(&entry.symbol).and_then(|index| market.security(index).name.as_deref());
    let with_it = seats(entry, Some(entry.cap()), market, policy);
    let without = seats(entry, entry.found(), market, policy);
    Hanging {
        name: name.map(ToOwned::to_owned),
        universes: stored.map(|(name, _)| name.clone()).collect(),
        seats: with_it.symmetric_difference(&without).count(),
        entry: entry.clone(),
    }
}

/// The tiers and rankings that a stock of this cap has a seat in.
fn seats(entry: &Quarantined, cap: Option<Usd>, market: &Market, policy: &Policy) -> BTreeSet<UniverseName> {
    let Some(cap) = cap else { return BTreeSet::new() };
    let larger = market.ranked().partition_point(|index| market.cap(*index).is_some_and(|other| other > cap));
    // Nobody stands before himself.
    let larger = larger - usize::from(larger > 0 && entry.cap() > cap);
    let rankings = policy.rankings.iter().filter(|ranking| larger < ranking.limit);
    let tier = policy.tier_of(cap).map(Tier::universe);
    rankings.map(|ranking| ranking.universe.clone()).chain(tier).collect()
}
