//! The result of a sync in a few words, for the log, the completion event and `jobs show`.
//!
//! It names what a trader would ask about first: who joined and left the two universes everybody watches, new
//! listings, delistings, which values are not believed, and what a guard kept back. Everything else is only counted.

use std::collections::BTreeSet;

use crate::domain::change::{EntryReason, ExitReason};
use crate::domain::symbol::Symbol;
use crate::domain::universe::RECENT_IPOS;

use crate::domain::wording::{counted, grouped};
use crate::plan::draft::CAP_MULTIPLIED;
use crate::plan::market::screening::Quarantined;
use crate::plan::result::{Plan, PlannedUniverse, held_by_reason};

/// Universes whose joiners and leavers are named.
const WATCHED: [&str; 2] = ["mega_cap", "top_100"];
/// Symbols named in one list; the rest is counted.
const NAMED: usize = 10;

/// The digest of a plan: sentences joined by `; `, never empty.
pub fn digest(plan: &Plan) -> String {
    let mut parts: Vec<String> = WATCHED.iter().filter_map(|name| watched(plan, name)).collect();
    let listed: Vec<&Symbol> = plan
        .universes
        .iter()
        .filter(|universe| universe.name.as_str() == RECENT_IPOS)
        .flat_map(PlannedUniverse::joiners)
        .filter(|joined| joined.reason == EntryReason::Listing)
        .map(|joined| &joined.symbol)
        .collect();
    parts.extend(list("new listings", "", &listed));
    parts.extend(by_hand(plan));
    let delisted = plan.delisted();
    parts.extend(list("delisted", "", &delisted.iter().collect::<Vec<_>>()));
    let named = |entry: &Quarantined| format!("{} ({})", entry.symbol, entry.anomaly.title());
    let quarantined: Vec<String> = plan.run.quarantine.symbols.iter().map(named).collect();
    parts.extend(list("not believed", "", &quarantined));
    let released: Vec<&Symbol> = plan.released.iter().map(|released| &released.was.symbol).collect();
    parts.extend(list("believed again", "", &released));
    let multiplied = plan.warnings.iter().find(|warning| warning.code == CAP_MULTIPLIED);
    parts.extend(multiplied.map(|warning| warning.text.clone()));
    let renamed: Vec<String> =
        plan.renamed().iter().take(NAMED).map(|(from, symbol)| format!("{from} to {symbol}")).collect();
    if !renamed.is_empty() {
        let rest = plan.renamed().len() - renamed.len();
        let more = if rest > 0 { format!(" and {} more", grouped(rest)) } else { String::new() };
        parts.push(format!("renamed {}{more}", renamed.join(", ")));
    }
    for (reason, universes) in held_by_reason(&plan.universes) {
        parts.push(format!("{} held: {reason}", universes.join(", ")));
    }
    let changes = plan.total_changes();
    if changes == 0 {
        parts.insert(0, "nothing changed".to_owned());
    } else {
        parts.push(format!(
            "{} in {}",
            counted(changes, "change"),
            counted(plan.updated().len(), "universe")
        ));
    }
    parts.join("; ")
}

/// `by hand +ABC -XYZ`, where somebody joins or leaves because people have decided so.
fn by_hand(plan: &Plan) -> Option<String> {
    let joined = plan.universes.iter().flat_map(PlannedUniverse::joiners);
    let joined = joined.filter(|joined| joined.reason == EntryReason::Pin).map(|joined| &joined.symbol);
    let left = plan.universes.iter().flat_map(|universe| &universe.left);
    let left = left.filter(|left| left.reason == ExitReason::Ban).map(|left| &left.symbol);
    let (joined, left): (BTreeSet<&Symbol>, BTreeSet<&Symbol>) = (joined.collect(), left.collect());
    let joined = list("", "+", &joined.into_iter().collect::<Vec<_>>());
    let parts: Vec<String> =
        joined.into_iter().chain(list("", "-", &left.into_iter().collect::<Vec<_>>())).collect();
    (!parts.is_empty()).then(|| format!("by hand {}", parts.join(" ")))
}

/// `mega_cap +ABC -XYZ`, where somebody joined or left; the first fill is only counted.
fn watched(plan: &Plan, name: &str) -> Option<String> {
    let universe = plan.universes.iter().find(|universe| universe.name.as_str() == name)?;
    let joined: Vec<&Symbol> = universe.joiners().map(|joined| &joined.symbol).collect();
    let left: Vec<&Symbol> = universe.left.iter().map(|left| &left.symbol).collect();
    if joined.is_empty() && left.is_empty() {
        return None;
    }
    let parts: Vec<String> = list("", "+", &joined).into_iter().chain(list("", "-", &left)).collect();
    Some(format!("{name} {}", parts.join(" ")))
}

/// A titled list of symbols, or `None` for an empty one.
fn list<T: std::fmt::Display>(title: &str, sign: &str, symbols: &[T]) -> Option<String> {
    if symbols.is_empty() {
        return None;
    }
    let named: Vec<String> = symbols.iter().take(NAMED).map(|symbol| format!("{sign}{symbol}")).collect();
    let rest = symbols.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {} more", grouped(rest)) } else { String::new() };
    let title = if title.is_empty() { String::new() } else { format!("{title} ") };
    Some(format!("{title}{}{more}", named.join(" ")))
}
