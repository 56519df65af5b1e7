//! The rules of exchange-traded products: which category each is of.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::domain::symbol::symbol_key;
use crate::domain::universe::FundCategory;

use super::{WordTable, Words};

/// How the category of a fund is told: by symbol, else by the vendor's type text, else by name.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FundRules {
    /// Symbol (as [`symbol_key`] spells it) to category; the first to decide.
    curated: BTreeMap<String, FundCategory>,
    /// What gives away that a fund moves by a multiple, or against the market.
    geared: Option<Words>,
    types: WordTable<FundCategory>,
    names: WordTable<FundCategory>,
}

/// What was found out about a fund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FundKind<'a> {
    /// It is in the curated list.
    Curated(FundCategory),
    /// It moves by a multiple, or against the market: of no category.
    Geared,
    /// The vendor's type text says so.
    Typed(FundCategory, &'a str),
    /// Its name says so.
    Named(FundCategory),
    /// Nothing says what it is.
    Unknown,
}

impl FundKind<'_> {
    /// The category, where it has one.
    pub fn category(self) -> Option<FundCategory> {
        match self {
            Self::Curated(category) | Self::Typed(category, _) | Self::Named(category) => Some(category),
            Self::Geared | Self::Unknown => None,
        }
    }
}

impl FundRules {
    /// Rules of these lists. Of `types` and `names` the first row that fits decides.
    pub fn new(
        curated: impl IntoIterator<Item = (String, FundCategory)>,
        geared: Option<Words>,
        types: WordTable<FundCategory>,
        names: WordTable<FundCategory>,
    ) -> Self {
        let curated =
            curated.into_iter().map(|(symbol, category)| (symbol_key(&symbol).into_owned(), category));
        Self { curated: curated.collect(), geared, types, names }
    }

    /// What a fund with this symbol, type text and name is.
    pub fn kind<'a>(&self, symbol_key: &str, etf_type: Option<&'a str>, name: Option<&str>) -> FundKind<'a> {
        self.sorter().kind(symbol_key, etf_type, name)
    }

    /// Tells the kinds of many funds, looking at each type text once: vendors have a few dozen of them.
    pub fn sorter<'a>(&self) -> FundSorter<'_, 'a> {
        FundSorter { rules: self, types: HashMap::new() }
    }

    fn are_geared(&self, text: &str) -> bool {
        self.geared.as_ref().is_some_and(|words| words.are_in(text))
    }
}

/// [`FundRules`] with what it has seen of type texts.
#[derive(Debug)]
pub struct FundSorter<'r, 'a> {
    rules: &'r FundRules,
    types: HashMap<&'a str, FundKind<'a>>,
}

impl<'a> FundSorter<'_, 'a> {
    /// As [`FundRules::kind`].
    pub fn kind(&mut self, symbol_key: &str, etf_type: Option<&'a str>, name: Option<&str>) -> FundKind<'a> {
        if let Some(category) = self.rules.curated.get(symbol_key) {
            return FundKind::Curated(*category);
        }
        let by_type = etf_type.map_or(FundKind::Unknown, |text| self.by_type(text));
        if by_type == FundKind::Geared || name.is_some_and(|name| self.rules.are_geared(name)) {
            return FundKind::Geared;
        }
        match (by_type, name) {
            (FundKind::Unknown, Some(name)) => {
                self.rules.names.find(name).map_or(FundKind::Unknown, |category| FundKind::Named(*category))
            }
            (by_type, _) => by_type,
        }
    }

    fn by_type(&mut self, text: &'a str) -> FundKind<'a> {
        let rules = self.rules;
        let look = || match rules.types.find(text) {
            _ if rules.are_geared(text) => FundKind::Geared,
            Some(category) => FundKind::Typed(*category, text),
            None => FundKind::Unknown,
        };
        *self.types.entry(text).or_insert_with(look)
    }
}
