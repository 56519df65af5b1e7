//! A plan, or a choice of date, as the text that a scenario file ends with.

use std::fmt::Write;

use cache_sync::domain::change::UniverseStatus;
use cache_sync::domain::money::Usd;
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::TaskStatus;
use cache_sync::plan::explain::Explanation;
use cache_sync::plan::given::date::{DateChoice, closes_text};
use cache_sync::plan::given::notice::Refusal;
use cache_sync::plan::market::identity::IdentityChange;
use cache_sync::plan::market::screening::{Quarantined, Released};
use cache_sync::plan::result::{Before, Plan, PlannedUniverse, Renamed};

/// Longer lists are cut off here.
const SHOWN: usize = 8;

/// A plan; of the universes only those that `show` names, or, where it names none, those that are written, change
/// or are held.
pub(crate) fn plan(plan: &Result<Plan, Refusal>, show: &[String]) -> String {
    match plan {
        Ok(plan) => carried_out(plan, show),
        Err(refusal) => format!("refused {refusal}\n"),
    }
}

fn carried_out(plan: &Plan, show: &[String]) -> String {
    let mut text = format!("{} changes, {} of {}", plan.total_changes(), updated(plan), plan.universes.len());
    text.push_str(" universes updated\n");
    for universe in plan.universes.iter().filter(|universe| is_shown(universe, show)) {
        text.push_str(&one_universe(universe));
    }
    for row in &plan.foreign {
        let _ = writeln!(text, "foreign {}: - {}", row.universe, row.elements.join(" "));
    }
    for change in &plan.identities {
        let _ = match change {
            IdentityChange::Renamed { from, symbol, .. } => {
                writeln!(text, "instrument {from} is {symbol} now")
            }
            IdentityChange::Reused { symbol, .. } => writeln!(text, "instrument {symbol} is another one now"),
            IdentityChange::Reorganised { symbol, .. } => {
                writeln!(text, "instrument {symbol} is identified otherwise now")
            }
            IdentityChange::Completed { symbol, .. } => {
                writeln!(text, "instrument {symbol} is known better now")
            }
        };
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning {warning}");
    }
    for task in plan.tasks.iter().filter(|task| task.status == TaskStatus::Completed) {
        let _ = writeln!(text, "{}: {} changes", task.task, task.changes);
    }
    text
}

fn updated(plan: &Plan) -> usize {
    plan.universes.iter().filter(|universe| universe.changes() > 0).count()
}

fn is_shown(universe: &PlannedUniverse, show: &[String]) -> bool {
    if !show.is_empty() {
        return show.iter().any(|name| *name == universe.name.as_str());
    }
    if universe.status == UniverseStatus::NoSourceData {
        return true;
    }
    let is_empty = universe.members.is_empty() && universe.changes() == 0 && universe.hold.is_none();
    let stays = !universe.rewrite && universe.joined.is_empty() && universe.changes() == 0;
    !is_empty && (!stays || universe.hold.is_some())
}

fn one_universe(universe: &PlannedUniverse) -> String {
    let mut text = format!("{} {}: {}\n", universe.name, state(universe), symbols(&universe.members));
    if universe.status == UniverseStatus::NoSourceData {
        text.push_str("  no_source_data\n");
    }
    if universe.rewrite {
        let _ = writeln!(text, "  writes {} {}", universe.cache_type, universe.metadata);
    }
    for joined in universe.joined.iter().take(SHOWN) {
        let _ = writeln!(text, "  + {} {}, {}: {}", joined.symbol, joined.reason, joined.rank, joined.why);
    }
    more(&mut text, '+', universe.joined.len());
    for renamed in universe.renamed.iter().take(SHOWN) {
        let Renamed { from, symbol, by, rank, why, .. } = renamed;
        let _ = writeln!(text, "  ~ {from} -> {symbol} {by}, {rank}: {why}");
    }
    more(&mut text, '~', universe.renamed.len());
    for left in universe.left.iter().take(SHOWN) {
        let _ = writeln!(text, "  - {} {}: {}", left.symbol, left.reason, left.why);
    }
    more(&mut text, '-', universe.left.len());
    if let Some(hold) = &universe.hold {
        let _ = writeln!(text, "  held, run {}: {}", hold.runs, hold.reason);
        let _ = writeln!(text, "    would join: {}", symbols(&hold.would_join));
        let _ = writeln!(text, "    would leave: {}", symbols(&hold.would_leave));
    }
    text
}

fn state(universe: &PlannedUniverse) -> &'static str {
    match (universe.before, universe.rewrite) {
        (Before::Nothing, true) => "filled",
        (Before::Nothing, false) => "filled without a row",
        (Before::Unmanaged, true) => "adopted and rewritten",
        (Before::Unmanaged, false) => "adopted as it is",
        (Before::Managed, true) => "rewritten",
        (Before::Managed, false) => "as it was",
    }
}

fn symbols(members: &[Symbol]) -> String {
    let shown: Vec<&str> = members.iter().take(SHOWN).map(Symbol::as_str).collect();
    match members.len() {
        0 => "nobody".to_owned(),
        n if n > SHOWN => format!("{} .. {} in all", shown.join(" "), n),
        _ => shown.join(" "),
    }
}

fn more(text: &mut String, sign: char, total: usize) {
    if total > SHOWN {
        let _ = writeln!(text, "  {sign} {} more", total - SHOWN);
    }
}

/// How watched symbols fare in a plan: their cap, where they are, and what is in quarantine.
pub(crate) fn night(plan: &Plan, watched: &[&str]) -> String {
    let mut text = String::new();
    for symbol in watched {
        let cents = plan.run.stocks.iter().find(|stock| stock.symbol.as_str() == *symbol);
        let cap = cents.and_then(|stock| stock.cap_cents).map(|cents| Usd::from_cents(cents).short());
        let _ = write!(text, "  {symbol} {}", cap.as_deref().unwrap_or("no cap"));
        for universe in plan.universes.iter().filter(|universe| universe.name.as_str() != "all_stocks") {
            let place = universe.members.iter().position(|member| member.as_str() == *symbol);
            if let Some(place) = place {
                let _ = write!(text, ", {} {}", universe.name, place + 1);
            }
        }
        text.push('\n');
        for entry in plan.run.quarantine.symbols.iter().filter(|entry| entry.symbol.as_str() == *symbol) {
            let found = entry.found().map_or("nothing".to_owned(), Usd::short);
            let Quarantined { anomaly, since, .. } = entry;
            let _ = writeln!(text, "    {anomaly} since {since}, found {found}: {}", entry.seen());
            let _ = writeln!(text, "    carried {}", entry.until());
        }
        for Released { was, why } in plan.released.iter().filter(|it| it.was.symbol.as_str() == *symbol) {
            let _ = writeln!(text, "    {} of {} is over: {}", was.anomaly, was.since, why.as_str());
        }
    }
    for warning in plan.warnings.iter().filter(|warning| warning.code != "quarantined") {
        let _ = writeln!(text, "  warning {warning}");
    }
    text
}

/// What is said of one symbol, in all universes or in these.
pub(crate) fn explanation(explanation: &Explanation, universes: &[&str]) -> String {
    let Explanation { subject, refused, .. } = explanation;
    let mut text = format!("{} {}", subject.symbol, subject.standing);
    if let Some(cap) = subject.market_cap {
        let _ = write!(text, ", {}", cap.short());
    }
    let _ = writeln!(text, ", {}; {}", subject.market_cap_basis, subject.sector_basis);
    for remark in subject.remarks.iter().chain(refused) {
        let _ = writeln!(text, "  ! {remark}");
    }
    for verdict in &explanation.universes {
        if universes.is_empty() || universes.contains(&verdict.universe.as_str()) {
            let place = verdict.rank.map_or_else(|| "not in".to_owned(), |rank| format!("{rank}. in"));
            let _ = writeln!(text, "  {place} {}, {}: {}", verdict.universe, verdict.outlook, verdict.why);
        }
        if universes.contains(&verdict.universe.as_str()) {
            for check in &verdict.checks {
                let sign = if check.is_met { '+' } else { '-' };
                let _ = writeln!(text, "    {sign} {}: {}", check.check, check.text);
            }
            if let Some(hold) = &verdict.hold {
                let _ = writeln!(text, "    held: {hold}");
            }
            let _ = writeln!(text, "    {}", verdict.to_change);
        }
    }
    text
}

/// A choice of date.
pub(crate) fn date(choice: &DateChoice) -> String {
    match choice {
        DateChoice::Sync { as_of, warning: None } => format!("sync {as_of}"),
        DateChoice::Sync { as_of, warning: Some(warning) } => format!("sync {as_of}, warning {warning}"),
        DateChoice::Wait { date, have, need, usual } => {
            format!("wait for {date}: {}, {need} needed", closes_text(*have, *usual))
        }
        DateChoice::Skip(why) => format!("skip {why}"),
        DateChoice::Refuse(refusal) => format!("refused {refusal}"),
    }
}
