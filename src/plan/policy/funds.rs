//! The rules of exchange-traded products: which category each is of.

use std::collections::BTreeMap;

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
        if let Some(category) = self.curated.get(symbol_key) {
            return FundKind::Curated(*category);
        }
        let is_geared = |text: &str| self.geared.as_ref().is_some_and(|words| words.are_in(text));
        if etf_type.is_some_and(is_geared) || name.is_some_and(is_geared) {
            return FundKind::Geared;
        }
        if let Some((text, category)) = etf_type.and_then(|text| Some((text, self.types.find(text)?))) {
            return FundKind::Typed(*category, text);
        }
        match name.and_then(|name| self.names.find(name)) {
            Some(category) => FundKind::Named(*category),
            None => FundKind::Unknown,
        }
    }
}
