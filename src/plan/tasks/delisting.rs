//! Sub-task 3: what no longer trades leaves every universe, ours and foreign ones.
//!
//! The other sub-tasks leave out inactive securities anyway, so here remain the universes of ours that no sub-task has
//! settled before, and the foreign rows. Nobody moves up into a free seat: that takes the sub-task that owns the
//! universe. Where that one has its turn later in the same job, it settles the universe again, with the same leavers.
//!
//! A foreign row loses inactive symbols and nothing else. A symbol that `symbols` does not have is not known to be
//! delisted: in a foreign row it may be an index, a crypto pair, or anything its owner wants there.

use std::collections::BTreeSet;

use crate::domain::wording::{counted, first_few};
use crate::plan::draft::Draft;
use crate::plan::draft::planned::{Before, ForeignCleanup};
use crate::plan::given::snapshot::ForeignRow;
use crate::plan::members::universes::Universe;

/// Takes inactive securities out of whatever is not settled yet, and out of foreign rows.
pub(crate) fn clean_up(draft: &mut Draft) {
    for universe in Universe::all(draft.policy) {
        if !draft.universes.contains_key(&universe.name) {
            clean_ours(draft, &universe);
        }
    }
    let snapshot = draft.snapshot;
    for row in &snapshot.foreign {
        clean_foreign(draft, row);
    }
    warn_of_unknown_symbols(draft);
    warn_of_malformed_rows(draft);
}

fn clean_ours(draft: &mut Draft, universe: &Universe) {
    let prior = draft.prior(&universe.name);
    let loses_some = prior.members.iter().any(|member| draft.departure(member).is_some());
    let is_settled_later = draft.order.mode.runs(universe.task());
    let is_wanted = match prior.before {
        Before::Managed => loses_some || !is_settled_later,
        // Left alone as long as possible: once adopted, its first recalculation would have to pass the guards.
        Before::Unmanaged => loses_some,
        Before::Nothing => false,
    };
    if is_wanted {
        draft.keep(universe, &prior);
    }
}

fn clean_foreign(draft: &mut Draft, row: &ForeignRow) {
    let inactive = |text: &&String| draft.is_delisted(draft.market.find(text));
    let elements: Vec<String> = row.symbols.iter().flatten().filter(inactive).cloned().collect();
    if !elements.is_empty() {
        draft.foreign.push(ForeignCleanup { universe: row.universe.clone(), elements });
    }
}

fn warn_of_unknown_symbols(draft: &mut Draft) {
    let texts = draft.snapshot.foreign.iter().flat_map(|row| row.symbols.iter().flatten());
    let unknown: BTreeSet<&str> =
        texts.map(|text| text.trim()).filter(|text| draft.market.find(text).is_none()).collect();
    if !unknown.is_empty() {
        let text = format!(
            "{} in foreign rows not known to symbols, left there: {}",
            counted(unknown.len(), "symbol"),
            first_few(unknown.iter().map(|text| format!("{text:?}")))
        );
        draft.warn("foreign_unknown_symbol", text);
    }
}

fn warn_of_malformed_rows(draft: &mut Draft) {
    let malformed: BTreeSet<&str> = draft
        .snapshot
        .foreign
        .iter()
        .filter(|row| row.symbols.is_none())
        .map(|row| row.universe.as_str())
        .collect();
    if !malformed.is_empty() {
        let text = format!(
            "{} without an array content.symbols, left as found: {}",
            counted(malformed.len(), "foreign row"),
            first_few(malformed.iter())
        );
        draft.warn("foreign_malformed", text);
    }
}
