//! Universes: named sets of symbols in `cache_entries`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::sector::Sector;
use super::task::SyncTask;
use super::words;

/// How many of a sector are its leaders.
pub const SECTOR_LEADERS: usize = 10;
/// A security counts as a new listing for so many calendar days; the day of listing is day zero.
pub const LISTING_DAYS: i64 = 30;
/// Room of the column `cache_entries.universe`, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// The name of a universe: 1 to 100 characters, no `:` (names are parts of Redis keys), no blanks at the ends, no
/// control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniverseName(Arc<str>);

impl UniverseName {
    /// `text` as a universe name, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let chars = text.chars().count();
        if chars == 0 || chars > MAX_NAME_CHARS {
            return Err(format!("a universe name has 1 to {MAX_NAME_CHARS} characters, this one {chars}"));
        }
        if text.contains(':') || text.chars().any(char::is_control) || text.trim() != text {
            return Err(format!(
                "universe name {text:?} contains ':', a control character, or blanks at an end"
            ));
        }
        Ok(Self(text.into()))
    }

    /// A name that the program itself spells.
    ///
    /// # Panics
    /// If `text` is no universe name.
    pub fn known(text: &str) -> Self {
        Self::parse(text).expect("a built-in universe name is valid")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniverseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for UniverseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for UniverseName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for UniverseName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

words! {
    /// What kind of universe a row of `cache_entries` holds.
    CacheType {
        /// A market-cap tier.
        MarketCap = "market_cap",
        /// The N largest.
        MarketLeader = "market_leader",
        /// The largest of a sector.
        SectorLeader = "sector_leader",
        /// A theme.
        Theme = "theme",
        /// New listings.
        Ipo = "ipo",
        /// Exchange-traded products.
        Etf = "etf",
        /// Every eligible stock.
        Complete = "complete",
    }
}

impl CacheType {
    /// The sub-task that owns universes of this kind.
    pub fn task(self) -> SyncTask {
        match self {
            Self::MarketCap | Self::MarketLeader | Self::SectorLeader | Self::Complete => {
                SyncTask::MarketCapRecalculation
            }
            Self::Theme => SyncTask::ThemeRebalancing,
            Self::Ipo => SyncTask::IpoAssignment,
            Self::Etf => SyncTask::EtfUniverseMaintenance,
        }
    }
}

words! {
    /// A market-cap tier.
    Tier {
        /// From 200 billion dollars.
        Mega = "mega_cap",
        /// From 10 billion.
        Large = "large_cap",
        /// From 2 billion.
        Mid = "mid_cap",
        /// From 300 million.
        Small = "small_cap",
        /// From 50 million.
        Micro = "micro_cap",
    }
}

words! {
    /// What an exchange-traded product follows. The order of declaration is the order in which it is asked for.
    FundCategory {
        /// Debt of any kind.
        Bonds = "bonds",
        /// Metals, oil, crops.
        Commodities = "commodities",
        /// Stocks outside the United States.
        International = "international",
        /// One sector or industry.
        Sectors = "sectors",
        /// Technology in whatever part.
        Technology = "technology",
        /// Growth stocks.
        Growth = "growth",
        /// Value stocks.
        Value = "value",
        /// The market as a whole, or all of a size.
        BroadMarket = "broad_market",
    }
}

/// The universe of every eligible stock.
pub const ALL_STOCKS: &str = "all_stocks";
/// The universe of new listings.
pub const RECENT_IPOS: &str = "recent_ipos";
/// The universe of every exchange-traded product.
pub const ETF_ALL: &str = "etf_all";

impl Tier {
    /// The least lower bound, in whole dollars. The smallest tier may have none, as in `AppV2`: 0.
    pub fn least_floor(self) -> i64 {
        i64::from(self != Self::Micro)
    }

    /// The universe of this tier.
    pub fn universe(self) -> UniverseName {
        UniverseName::known(self.as_str())
    }
}

impl Sector {
    /// The universe of this sector's ten largest.
    pub fn universe(self) -> UniverseName {
        UniverseName::known(&format!("top_10_{self}"))
    }
}

impl FundCategory {
    /// The universe of this category.
    pub fn universe(self) -> UniverseName {
        UniverseName::known(&format!("etf_{self}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_key_or_the_column_are_refused() {
        for text in ["", "a:b", " a", "a\n", &"x".repeat(101)] {
            assert!(UniverseName::parse(text).is_err(), "{text:?}");
        }
        assert!(UniverseName::parse(&"x".repeat(100)).is_ok());
    }

    #[test]
    fn sector_universes_have_their_contract_names() {
        assert_eq!(Sector::RealEstate.universe().as_str(), "top_10_real_estate");
    }
}
