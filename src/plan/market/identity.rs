//! Who goes by which symbol: renames, and tickers that have another owner.
//!
//! A company that changes its symbol stays the same instrument, and its memberships go on under the new symbol as one
//! change each. A ticker that another company takes over is two instruments: the memberships of the old one end, and
//! the new one is judged like anybody else.
//!
//! ```text
//! members that are gone ──┐   their identity as it was written down
//! members whose ticker ───┤         │ the same?
//!   has another owner     │         ▼
//!                         └─> active symbols that nobody knew ──> renamed, where exactly one fits exactly one
//! ```
//!
//! What says that two symbols are one instrument is the FIGI of the share class, else the composite one, else the CIK
//! together with the type. Where two symbols fit, a person should look, and both are taken for what they seem.
//!
//! # Why a CIK alone renames no fund
//! Hundreds of funds belong to one trust, and share its CIK. One that is closed on the day another one is opened has
//! not been renamed.
//!
//! # Why a reused ticker waits for a full sync
//! The old company leaves every universe at once, or history would say that it was the new one in some of them. Other
//! modes leave the symbol as it is, and the next full sync looks at it again. A rename has no such trouble: wherever
//! the old symbol still is a member, it is known who it became.
//!
//! # Why many at once are not believed
//! A feed that gets its columns wrong for a night gives every ticker another owner. Then all are taken for who they were,
//! a warning says so, and the next sync looks again.
//!
//! # Why it costs nothing on an ordinary day
//! Reading who every symbol was would cost more than the rest of a sync that changes nothing. A run keeps a
//! hash of every symbol with its identifiers, so only those without one of the last run are
//! [in question](in_question), with the members that are gone, and the new listings, which may be old companies.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hasher;

use chrono::NaiveDate;
use rustc_hash::{FxHashSet, FxHasher};

use crate::domain::identity::{Identity, Likeness, SameBy};
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::UniverseName;

use super::{FUND_KINDS, Market, Standing};
use crate::domain::universe::LISTING_DAYS;
use crate::domain::wording::{counted, first_few, grouped, percent, share};
use crate::plan::given::notice::Warning;
use crate::plan::given::order::Order;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::{Instrument, RunState, Snapshot, StoredUniverse};

/// Tickers change hands a few a month. More than this share of a market in one night is a feed that got its columns wrong.
const MAX_REUSED_PCT: f64 = 1.0;
/// Fewer than this are never too many.
const MIN_REUSED: usize = 5;

/// What was found out about symbols and their owners.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identities {
    /// By the key of the old symbol.
    renamed: BTreeMap<String, Successor>,
    /// Securities whose ticker belonged to somebody else until now.
    reused: BTreeSet<u32>,
    /// The keys that an instrument has gone by before, by the security that it is now.
    former: BTreeMap<u32, BTreeSet<String>>,
    /// Whether identifiers are not believed, so that the next sync has to look again.
    pub(crate) are_doubted: bool,
    /// What is to be written down.
    pub(crate) changes: Vec<IdentityChange>,
    /// What a person should look at.
    pub(crate) warnings: Vec<Warning>,
}

/// What is to be written down of who goes by which symbol. The identity is what the source says now; symbols are spelled
/// as they were written down before, but for the new one of a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityChange {
    /// An instrument goes by another symbol.
    Renamed {
        /// The old symbol.
        from: Symbol,
        /// The new one.
        symbol: Symbol,
        /// Who it is.
        identity: Identity,
    },
    /// A symbol stands for another instrument.
    Reused {
        /// The symbol.
        symbol: Symbol,
        /// Who it is now.
        identity: Identity,
    },
    /// An instrument is the same, but something of what identifies it is not: a company that moved has another CIK.
    Reorganised {
        /// Its symbol.
        symbol: Symbol,
        /// Who it is now.
        identity: Identity,
    },
    /// More is known of an instrument than before.
    Completed {
        /// Its symbol.
        symbol: Symbol,
        /// Who it is.
        identity: Identity,
    },
}

impl IdentityChange {
    /// The symbol that is spoken of; of a rename the new one.
    pub fn symbol(&self) -> &Symbol {
        match self {
            Self::Renamed { symbol, .. }
            | Self::Reused { symbol, .. }
            | Self::Reorganised { symbol, .. }
            | Self::Completed { symbol, .. } => symbol,
        }
    }
}

/// The security that an old symbol became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Successor {
    pub(crate) index: u32,
    pub(crate) by: SameBy,
}

impl Identities {
    /// Finds out who goes by which symbol now. In modes other than the full one no ticker is taken for reused.
    pub(crate) fn find(market: &Market, snapshot: &Snapshot, order: Order) -> Self {
        if snapshot.instruments.is_empty() {
            return Self::default();
        }
        let known = Known::new(&snapshot.instruments);
        let mut found = Self::default();
        found.find_owners(market, &known, order.mode);
        if !order.accept_churn {
            found.doubt(market);
        }
        found.find_renames(market, snapshot, &known);
        for index in &found.reused {
            let security = market.security(*index);
            let is_renamed_into = found.renamed.values().any(|successor| successor.index == *index);
            if !is_renamed_into {
                let symbol = known.spelling(&security.symbol);
                found.changes.push(IdentityChange::Reused { symbol, identity: security.identity() });
            }
        }
        // The order of the rows is nobody's business.
        found.changes.sort_by(|one, other| one.symbol().cmp(other.symbol()));
        found
    }

    /// Compares every symbol that is known with who it was.
    fn find_owners(&mut self, market: &Market, known: &Known, mode: Mode) {
        for (key, instrument) in &known.now {
            let Some(index) = market.find(key).filter(|index| trades(market, *index)) else { continue };
            let identity = market.security(index).identity();
            match instrument.identity.likeness(&identity) {
                Likeness::Other if mode == Mode::Full => {
                    self.reused.insert(index);
                }
                Likeness::Other => {}
                Likeness::Same(_) if instrument.identity.differs_from(&identity) && mode == Mode::Full => {
                    let symbol = instrument.symbol.clone();
                    let identity = identity.or(&instrument.identity);
                    self.changes.push(IdentityChange::Reorganised { symbol, identity });
                }
                Likeness::Same(_) | Likeness::Unknown => {
                    self.former.insert(index, known.former_keys(instrument));
                    if instrument.identity.lacks_of(&identity) {
                        let symbol = instrument.symbol.clone();
                        self.changes.push(IdentityChange::Completed { symbol, identity });
                    }
                }
            }
        }
    }

    /// Believes no identifier of a market in which too many tickers changed hands at once.
    fn doubt(&mut self, market: &Market) {
        let trading = (0..market.len() as u32).filter(|index| trades(market, *index));
        let (seen, of) = (self.reused.len(), trading.count());
        if seen < MIN_REUSED || share(seen, of) <= MAX_REUSED_PCT {
            return;
        }
        let symbols: BTreeSet<&Symbol> =
            self.reused.iter().map(|index| &market.security(*index).symbol).collect();
        let text = format!(
            "the FIGI or CIK of {} of {} is another than before ({}: {}), at most {} is expected; all are taken for who \
             they were; check the import; if it is right, submit --accept-churn",
            grouped(seen),
            counted(of, "ticker"),
            percent(share(seen, of)),
            first_few(symbols.iter()),
            percent(MAX_REUSED_PCT),
        );
        self.warnings.push(Warning { code: "identities_doubted", text });
        self.reused.clear();
        self.changes.clear();
        self.are_doubted = true;
    }

    /// The security that a member's old symbol became, if it did.
    pub(crate) fn successor(&self, symbol: &Symbol) -> Option<Successor> {
        if self.renamed.is_empty() { None } else { self.renamed.get(&*symbol.key()).copied() }
    }

    /// Whether the memberships of the security at `index` are those of a company that had its ticker before.
    pub(crate) fn is_reused(&self, index: u32) -> bool {
        !self.reused.is_empty() && self.reused.contains(&index)
    }

    /// The securities whose ticker belonged to somebody else until now.
    pub(crate) fn reused(&self) -> &BTreeSet<u32> {
        &self.reused
    }

    /// The keys that securities have gone by before, for those who have.
    pub(crate) fn former(&self) -> impl Iterator<Item = (u32, &BTreeSet<String>)> {
        self.former.iter().filter(|(_, keys)| !keys.is_empty()).map(|(index, keys)| (*index, keys))
    }

    /// The old symbols that have become others, by key.
    pub(crate) fn renamed(&self) -> impl Iterator<Item = (&str, u32)> {
        self.renamed.iter().map(|(key, successor)| (key.as_str(), successor.index))
    }

    fn find_renames(&mut self, market: &Market, snapshot: &Snapshot, known: &Known) {
        // Few symbols are known and gone, and most days none is, so the members are looked through last.
        let gone: Vec<Departed> = known.keys().filter_map(|key| self.departed(market, known, key)).collect();
        if gone.is_empty() {
            return;
        }
        let members = member_keys(&snapshot.universes);
        let departed: Vec<Departed> =
            gone.into_iter().filter(|gone| members.contains(gone.key.as_str())).collect();
        let is_free = |index: u32| {
            self.reused.contains(&index) || !members.contains(&*market.security(index).symbol.key())
        };
        let mut fits = fits(market, &departed, |index, lineage| {
            let key = market.security(index).symbol.key();
            let is_known_as = known.now.get(&*key).is_some_and(|known| known.lineage == lineage);
            is_free(index) || is_known_as
        });
        let mut unclear = BTreeSet::new();
        for by in SameBy::ALL {
            let of_kind: Vec<Fit> = fits.iter().copied().filter(|fit| fit.by == *by).collect();
            for fit in &of_kind {
                let rivals = of_kind
                    .iter()
                    .filter(|other| (other.departed == fit.departed) != (other.index == fit.index));
                let (old, new) = (&departed[fit.departed].key, market.security(fit.index));
                if rivals.count() == 0 {
                    self.rename(&departed[fit.departed], market, *fit, known);
                } else {
                    unclear.insert(format!("{old} and {}", new.symbol));
                }
            }
            // Whoever was looked at by a better sign is not looked at by a worse one.
            fits.retain(|fit| {
                of_kind.iter().all(|done| done.departed != fit.departed && done.index != fit.index)
            });
        }
        if !unclear.is_empty() {
            let text = format!(
                "{} identified alike by more than one, taken for no rename: {}",
                counted(unclear.len(), "symbol pair"),
                first_few(unclear.iter())
            );
            self.warnings.push(Warning { code: "rename_unclear", text });
        }
    }

    /// The symbol of this key, where it is gone: without a row, no longer trading, or with its ticker in other hands.
    fn departed(&self, market: &Market, known: &Known, key: String) -> Option<Departed> {
        let index = market.find(&key);
        let is_gone = match index {
            None => true,
            Some(index) => market.standing(index) == Standing::Delisted || self.reused.contains(&index),
        };
        let instrument = if is_gone { known.latest(&key)? } else { return None };
        let row = index.map(|index| market.security(index).identity());
        let row = row.filter(|row| instrument.identity.likeness(row) != Likeness::Other);
        let identity = instrument.identity.clone().or(&row.unwrap_or_default());
        (!identity.is_empty()).then(|| Departed {
            key,
            symbol: instrument.symbol.clone(),
            lineage: instrument.lineage,
            identity,
        })
    }

    fn rename(&mut self, departed: &Departed, market: &Market, fit: Fit, known: &Known) {
        let Fit { index, by, .. } = fit;
        let security = market.security(index);
        let mut former = known.keys_of(departed.lineage);
        former.remove(&*security.symbol.key());
        former.insert(departed.key.clone());
        self.former.insert(index, former);
        self.renamed.insert(departed.key.clone(), Successor { index, by });
        self.changes.push(IdentityChange::Renamed {
            from: departed.symbol.clone(),
            symbol: security.symbol.clone(),
            identity: security.identity().or(&departed.identity),
        });
    }
}

/// The securities whose ticker belonged to another company when somebody last looked, whether that is believed or not:
/// their values say nothing about each other.
pub(crate) fn with_another_owner(market: &Market, instruments: &[Instrument]) -> BTreeSet<u32> {
    let open = instruments.iter().filter(|instrument| instrument.valid_to.is_none());
    let other = open.filter_map(|instrument| {
        let index = market.index_of(&instrument.symbol)?;
        let now = market.security(index).identity();
        (instrument.identity.likeness(&now) == Likeness::Other).then_some(index)
    });
    other.collect()
}

/// A symbol that is gone, as it was known.
struct Departed {
    key: String,
    symbol: Symbol,
    lineage: i64,
    identity: Identity,
}

/// A departed member and a security that may be the same instrument.
#[derive(Clone, Copy)]
struct Fit {
    departed: usize,
    index: u32,
    by: SameBy,
}

/// Every pair that fits, where `may_follow` lets the security follow the lineage.
fn fits(market: &Market, departed: &[Departed], may_follow: impl Fn(u32, i64) -> bool) -> Vec<Fit> {
    let mut by_sign: HashMap<(SameBy, &str), Vec<usize>> = HashMap::new();
    for (place, member) in departed.iter().enumerate() {
        for (by, sign) in signs(&member.identity) {
            by_sign.entry((by, sign)).or_default().push(place);
        }
    }
    let mut fits = Vec::new();
    for index in (0..market.len() as u32).filter(|index| trades(market, *index)) {
        let security = market.security(index);
        let signs = [
            (SameBy::ShareClassFigi, security.share_class_figi.as_deref()),
            (SameBy::CompositeFigi, security.composite_figi.as_deref()),
            (SameBy::Cik, security.cik()),
        ];
        let alike = signs.iter().filter_map(|(by, sign)| by_sign.get(&(*by, (*sign)?))).flatten();
        let alike: BTreeSet<usize> = alike.copied().collect();
        for place in alike {
            let member = &departed[place];
            let is_itself = *security.symbol.key() == *member.key.as_str();
            let Likeness::Same(by) = member.identity.likeness(&security.identity()) else { continue };
            let is_enough = by != SameBy::Cik
                || (*member.identity.kind == *security.kind && !FUND_KINDS.contains(&&*security.kind));
            if !is_itself && is_enough && may_follow(index, member.lineage) {
                fits.push(Fit { departed: place, index, by });
            }
        }
    }
    fits
}

fn signs(identity: &Identity) -> impl Iterator<Item = (SameBy, &str)> {
    let signs = [
        (SameBy::ShareClassFigi, identity.share_class_figi.as_deref()),
        (SameBy::CompositeFigi, identity.composite_figi.as_deref()),
        (SameBy::Cik, identity.plain_cik()),
    ];
    signs.into_iter().filter_map(|(by, sign)| Some((by, sign?)))
}

/// Whether the security at `index` may be a member somewhere.
fn trades(market: &Market, index: u32) -> bool {
    matches!(market.standing(index), Standing::Eligible | Standing::Fund)
}

/// The keys of all members of universes of ours.
fn member_keys(universes: &BTreeMap<UniverseName, StoredUniverse>) -> FxHashSet<Cow<'_, str>> {
    let managed = universes.values().filter(|stored| stored.state.is_some());
    managed.flat_map(|stored| &stored.members).map(Symbol::key).collect()
}

/// What was written down of instruments.
struct Known<'s> {
    instruments: &'s [Instrument],
    by_lineage: HashMap<i64, Vec<&'s Instrument>>,
    /// Whoever a symbol is now, by key.
    now: BTreeMap<String, &'s Instrument>,
}

impl<'s> Known<'s> {
    fn new(instruments: &'s [Instrument]) -> Self {
        let open = instruments.iter().filter(|instrument| instrument.valid_to.is_none());
        let mut by_lineage: HashMap<i64, Vec<&Instrument>> = HashMap::new();
        for instrument in instruments {
            by_lineage.entry(instrument.lineage).or_default().push(instrument);
        }
        Self {
            instruments,
            by_lineage,
            now: open.map(|known| (known.symbol.key().into_owned(), known)).collect(),
        }
    }

    /// A symbol as it is written down, whose source may spell it otherwise by now.
    fn spelling(&self, symbol: &Symbol) -> Symbol {
        self.now.get(&*symbol.key()).map_or(symbol, |known| &known.symbol).clone()
    }

    /// The keys of all that is known, in order.
    fn keys(&self) -> impl Iterator<Item = String> {
        let keys: BTreeSet<String> =
            self.instruments.iter().map(|known| known.symbol.key().into_owned()).collect();
        keys.into_iter()
    }

    /// Whoever a symbol is, or was last.
    fn latest(&self, key: &str) -> Option<&'s Instrument> {
        let of_symbol = || self.instruments.iter().filter(|known| *known.symbol.key() == *key);
        self.now.get(key).copied().or_else(|| of_symbol().max_by_key(|known| known.valid_from))
    }

    fn keys_of(&self, lineage: i64) -> BTreeSet<String> {
        let of_lineage = self.by_lineage.get(&lineage).into_iter().flatten();
        of_lineage.map(|known| known.symbol.key().into_owned()).collect()
    }

    /// The other keys that an instrument has gone by.
    fn former_keys(&self, instrument: &Instrument) -> BTreeSet<String> {
        let mut keys = self.keys_of(instrument.lineage);
        keys.remove(&*instrument.symbol.key());
        keys
    }
}

/// The symbols whose instruments a plan has to know: members that are gone, securities that are not as the last run saw
/// them, those in the window of new listings, and what is gone of the curated lists.
pub fn in_question(
    securities: &[Security],
    universes: &BTreeMap<UniverseName, StoredUniverse>,
    last: Option<&RunState>,
    policy: &Policy,
    as_of: NaiveDate,
) -> Vec<String> {
    // Before the first run nobody has an instrument.
    let Some(last) = last else { return Vec::new() };
    let may_be_member = |security: &&Security| {
        security.is_active(as_of)
            && (policy.eligible_types.contains(&*security.kind) || FUND_KINDS.contains(&&*security.kind))
    };
    let mut asked: BTreeSet<Cow<str>> = BTreeSet::new();
    let mut trading: FxHashSet<&str> = FxHashSet::default();
    trading.reserve(securities.len());
    for security in securities.iter().filter(may_be_member) {
        let symbol = security.symbol.as_str();
        trading.insert(symbol);
        let is_as_seen = identity_hash(security).is_none_or(|hash| {
            last.identities.as_ref().is_some_and(|seen| seen.binary_search(&hash).is_ok())
        });
        let is_new = security
            .list_date
            .is_some_and(|listed| (0..=LISTING_DAYS).contains(&(as_of - listed).num_days()));
        if !is_as_seen || is_new {
            asked.insert(symbol.into());
        }
    }
    let members = universes.values().flat_map(|stored| &stored.members).map(Symbol::as_str);
    asked.extend(members.filter(|symbol| !trading.contains(symbol)).map(Cow::from));
    let enabled = policy.themes.themes.iter().filter(|theme| theme.is_enabled);
    let listed = enabled.flat_map(|theme| theme.seeds.iter().chain(&theme.deny)).map(String::as_str);
    asked.extend(listed.filter(|symbol| !trading.contains(symbol)).map(Cow::from));
    asked.into_iter().map(Cow::into_owned).collect()
}

/// The hashes of symbol and identifiers of all securities that may be members, sorted; of those without any identifier
/// there are none. A hash that another version of the program makes differently costs one look at everybody.
pub(crate) fn hashes(market: &Market) -> Vec<i64> {
    let trading = (0..market.len() as u32).filter(|index| trades(market, *index));
    let mut hashes: Vec<i64> = trading.filter_map(|index| identity_hash(market.security(index))).collect();
    hashes.sort_unstable();
    hashes
}

/// What tells whether a symbol is still who it was; `None` where nothing identifies it.
fn identity_hash(security: &Security) -> Option<i64> {
    let figis = [&security.share_class_figi, &security.composite_figi];
    if security.cik().is_none() && figis.iter().all(|figi| figi.is_none()) {
        return None;
    }
    let mut hasher = FxHasher::default();
    hasher.write(security.symbol.as_str().as_bytes());
    for text in [figis[0].as_deref(), figis[1].as_deref(), security.cik()] {
        // A byte that stands in no UTF-8 text parts them, and another one stands for none.
        hasher.write_u8(if text.is_some() { 0xff } else { 0xfe });
        hasher.write(text.unwrap_or_default().as_bytes());
    }
    hasher.write(security.kind.as_bytes());
    Some(hasher.finish() as i64)
}
