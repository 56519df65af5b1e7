//! A market and our universes in memory: applying a plan gives the state that the next snapshot is read from.

use std::collections::{BTreeMap, BTreeSet};

use cache_sync::domain::identity::Identity;
use cache_sync::domain::sector::Sector;
use cache_sync::domain::security::Security;
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::universe::{Tier, UniverseName};
use cache_sync::plan::explain::{Explainer, Explanation, Verdict};
use cache_sync::plan::given::policy::{
    FundRules, Guards, Policy, Ranking, SectorTable, Stability, ThemeRules,
};
use cache_sync::plan::given::snapshot::{Instrument, Snapshot};
use cache_sync::plan::market::identity::IdentityChange;
use cache_sync::plan::market::identity::in_question;
use cache_sync::plan::market_of;
use cache_sync::plan::members::universes::Universe;
use cache_sync::plan::replay::next_state;
use cache_sync::plan::result::{Plan, PlannedUniverse};
use cache_sync::settings::{LoadArgs, Settings};
use chrono::NaiveDate;

/// The rules as they are shipped, but for the number of stocks that make a market, and without themes, funds and
/// quarantine: most markets of tests change as no real one does.
pub(crate) fn policy() -> Policy {
    let billion = 1_000_000_000;
    let million = 1_000_000;
    Policy {
        eligible_types: ["CS".to_owned()].into(),
        tier_floors: vec![
            (Tier::Mega, 200 * billion),
            (Tier::Large, 10 * billion),
            (Tier::Mid, 2 * billion),
            (Tier::Small, 300 * million),
            (Tier::Micro, 50 * million),
        ],
        rankings: [100, 500, 1000, 2000].map(ranking).into(),
        sectors: SectorTable::new([("V".to_owned(), Sector::FinancialServices)], sector_names()),
        themes: ThemeRules::default(),
        funds: FundRules::default(),
        stability: Stability::default(),
        guards: Guards { min_active_stocks: 0, quarantine: false, ..Guards::default() },
        adopt_existing: false,
        protected_types: ["app_settings".to_owned()].into(),
    }
}

/// All rules as they are shipped, but for the number of stocks that make a market, and without quarantine.
pub(crate) fn shipped_policy() -> Policy {
    let database = ("DATABASE_URL".into(), "postgresql://nobody@nowhere/nothing".into());
    let nowhere = LoadArgs {
        config: None,
        directory: "/nonexistent".into(),
        env: [database].into_iter(),
        overrides: Vec::new(),
    };
    let mut policy = Settings::load(nowhere).expect("the shipped rules are valid").policy();
    policy.guards.min_active_stocks = 0;
    policy.guards.quarantine = false;
    policy
}

pub(crate) fn ranking(limit: usize) -> Ranking {
    Ranking { universe: UniverseName::known(&format!("top_{limit}")), limit }
}

fn sector_names() -> Vec<(String, Sector)> {
    let own = Sector::ALL.iter().map(|sector| (sector.title(), *sector));
    let others = [("Health Care", Sector::Healthcare), ("Information Technology", Sector::Technology)];
    own.chain(others.map(|(name, sector)| (name.to_owned(), sector))).collect()
}

/// The state that a plan leaves behind, with `securities` as the market of the next day.
pub(crate) fn applied(before: &Snapshot, plan: &Plan, securities: Vec<Security>) -> Snapshot {
    let unreadable_symbols = Vec::new();
    let next = next_state(Snapshot { unreadable_symbols, ..before.clone() }, plan, securities);
    Snapshot { instruments: instruments(before, plan), ..next }
}

/// Every instrument after a plan, as the store writes them down.
fn instruments(before: &Snapshot, plan: &Plan) -> Vec<Instrument> {
    let mut all = before.instruments.clone();
    let lineage_of = |all: &[Instrument], symbol: &Symbol| {
        let of_symbol = all.iter().filter(|known| known.symbol == *symbol);
        of_symbol.max_by_key(|known| known.valid_from).map(|known| known.lineage)
    };
    let known = all.clone();
    for change in &plan.identities {
        let (symbol, identity, lineage, ends) = match change {
            IdentityChange::Renamed { from, symbol, identity } => {
                (symbol, identity, lineage_of(&known, from), vec![from, symbol])
            }
            IdentityChange::Reused { symbol, identity } => (symbol, identity, None, vec![symbol]),
            IdentityChange::Reorganised { symbol, identity } => {
                (symbol, identity, lineage_of(&known, symbol), vec![symbol])
            }
            IdentityChange::Completed { symbol, identity } => {
                let open = all.iter_mut().find(|known| known.symbol == *symbol && known.valid_to.is_none());
                let open = open.expect("only what is known is completed");
                open.identity = open.identity.clone().or(identity);
                continue;
            }
        };
        for ended in
            all.iter_mut().filter(|known| known.valid_from < plan.as_of && ends.contains(&&known.symbol))
        {
            ended.valid_to = ended.valid_to.or(Some(plan.as_of));
        }
        open(&mut all, symbol, identity.clone(), lineage, plan.as_of);
    }
    let joined = plan.universes.iter().flat_map(|universe| &universe.joined);
    for joined in joined {
        if all.iter().all(|known| known.symbol != joined.symbol || known.valid_to.is_some()) {
            let mut securities = before.securities.iter();
            let security = securities.find(|security| security.symbol == joined.symbol);
            let identity = security.map(Security::identity).unwrap_or_default();
            open(&mut all, &joined.symbol, identity, None, plan.as_of);
        }
    }
    all
}

fn open(
    all: &mut Vec<Instrument>,
    symbol: &Symbol,
    identity: Identity,
    lineage: Option<i64>,
    from: NaiveDate,
) {
    all.push(Instrument {
        symbol: symbol.clone(),
        lineage: lineage.unwrap_or(all.len() as i64 + 1),
        identity,
        valid_from: from,
        valid_to: None,
    });
}

/// What the store reads of the instruments in `snapshot`: of those in question, and of their lineages.
pub(crate) fn read_instruments(snapshot: &mut Snapshot, policy: &Policy, as_of: NaiveDate) {
    let last = snapshot.last_run.as_ref();
    let asked = in_question(&snapshot.securities, &snapshot.universes, last, policy, as_of);
    let all = &snapshot.instruments;
    let lineages: BTreeSet<i64> = all
        .iter()
        .filter(|known| asked.iter().any(|symbol| symbol == known.symbol.as_str()))
        .map(|known| known.lineage)
        .collect();
    snapshot.instruments.retain(|known| lineages.contains(&known.lineage));
}

/// The members of each universe after a plan.
pub(crate) fn members(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let texts = |universe: &PlannedUniverse| universe.members.iter().map(ToString::to_string).collect();
    plan.universes.iter().map(|universe| (universe.name.to_string(), texts(universe))).collect()
}

/// Has `look` look at every universe as it is explained for every symbol of the market and of the universes.
pub(crate) fn explained<E>(
    snapshot: &Snapshot,
    policy: &Policy,
    as_of: NaiveDate,
    mut look: impl FnMut(&Explanation, &Verdict) -> Result<(), E>,
) -> Result<(), E> {
    let market = market_of(snapshot, as_of, policy);
    let explainer = Explainer::new(&market, snapshot, policy);
    let members = snapshot.universes.values().flat_map(|stored| &stored.members);
    let symbols: BTreeSet<&Symbol> =
        snapshot.securities.iter().map(|security| &security.symbol).chain(members).collect();
    for symbol in symbols {
        let explanation = explainer.explain(symbol, &[]).expect("the symbol is known");
        assert_eq!(
            explanation.universes.len(),
            Universe::kinds_by_name(policy).len(),
            "every universe is explained"
        );
        for verdict in &explanation.universes {
            assert!(!verdict.why.is_empty() && !verdict.checks.is_empty(), "{symbol} {verdict:?}");
            look(&explanation, verdict)?;
        }
    }
    Ok(())
}
