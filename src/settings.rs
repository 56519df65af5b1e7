//! The configuration, as validated types.

use std::fmt;

/// A text that never shows itself: passwords, keys, URLs that may hold them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where our tables and the source tables are.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgresql://...`
    pub url: Secret,
    /// The schema of our tables.
    pub schema: String,
}

/// Where securities and closes are read from.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The schema of the source tables.
    pub schema: String,
    /// The table or view of securities.
    pub symbols_table: String,
    /// The table or view of daily bars.
    pub bars_table: String,
    /// Column names given by the operator: role (`market_cap`, `date`, ...) to column.
    pub columns: std::collections::BTreeMap<String, String>,
}
