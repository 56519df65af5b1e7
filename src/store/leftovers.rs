//! Rows of `TickStockAppV2`'s table that look like universes and that nobody keeps any more.
//!
//! The job that `AppV2` had before wrote rows that no universe of ours stands for: industries, its own themes, bare lists.
//! After it is gone delisted stocks stay in them, and a bare list stops the end-of-day reader. They are somebody else's,
//! so no sync touches them. An operator has them removed by a command, which keeps each to the letter.

use std::collections::HashSet;

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::plan::given::policy::Policy;

use super::Transaction;
use super::layout::appv2::{Table, Unique, slots, tickers};
use super::statement::{Param, query};

const DOING: &str = "look for rows of universes that nobody keeps";

/// A row that nobody keeps.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Leftover {
    /// The column `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The column `name`.
    pub name: String,
    /// The column `key`.
    pub key: String,
    /// Tickers in it.
    pub tickers: usize,
    /// Those of them that are in no universe: delisted, or of no type that counts.
    pub unknown: usize,
    /// What it does to a reader; `None` where it is only out of date.
    pub breaks: Option<&'static str>,
}

/// The rows that nobody keeps, by place.
pub async fn read(tx: &Transaction<'_>, table: &Table, policy: &Policy) -> Result<Vec<Leftover>, Failure> {
    let slots = slots(table, policy);
    let at = || slots.iter().filter_map(|slot| slot.at.as_ref());
    let types: Vec<&str> = at().map(|at| at.kind.as_str()).collect();
    let names: Vec<&str> = at().map(|at| at.name.as_str()).collect();
    let keys: Vec<&str> = at().map(|at| at.key.as_str()).collect();
    let params: [Param<'_>; 5] = [
        (&table.environment, Type::TEXT),
        (&types, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&(table.unique == Unique::WithName), Type::BOOL),
    ];
    let rows = query(tx, DOING, include_str!("../../sql/queries/leftovers_read.sql"), &params).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let members = query(tx, DOING, include_str!("../../sql/queries/members_known_symbols.sql"), &[]).await?;
    let members: HashSet<&str> = members.iter().map(|row| row.get(0)).collect();
    Ok(rows.iter().map(|row| leftover(row, &members)).collect())
}

fn leftover(row: &Row, members: &HashSet<&str>) -> Leftover {
    let value: &str = row.get("value");
    let tickers = tickers(value);
    let kind: String = row.get("type");
    Leftover {
        unknown: tickers.iter().filter(|ticker| !members.contains(ticker.as_str())).count(),
        tickers: tickers.len(),
        breaks: broken_reader(&kind, value),
        kind,
        name: row.get("name"),
        key: row.get("key"),
    }
}

/// What a value does to the readers of its type.
fn broken_reader(kind: &str, json: &str) -> Option<&'static str> {
    let value: Value = serde_json::from_str(json).ok()?;
    let lacks_ticker = |element: &Value| element.get("ticker").is_none_or(|ticker| !ticker.is_string());
    match (kind, &value) {
        ("stock_universe" | "etf_universe", Value::Array(_)) => {
            Some("a bare list: AppV2's end-of-day reader stops on it and finds 0 symbols")
        }
        ("stock_universe", Value::Object(fields)) => {
            let stocks = fields.get("stocks")?.as_array()?;
            stocks
                .iter()
                .any(lacks_ticker)
                .then_some("an element without ticker: AppV2's dropdowns end before it")
        }
        _ => None,
    }
}

/// The statement that removes rows, for whoever would rather run it himself.
pub fn statement(schema: &str, environment: &str, leftovers: &[Leftover]) -> String {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let places: Vec<String> = leftovers
        .iter()
        .map(|row| format!("({}, {}, {})", text(&row.kind), text(&row.name), text(&row.key)))
        .collect();
    format!(
        "delete from {schema}.cache_entries where environment = {} and (type, name, key) in ({});",
        text(environment),
        places.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_stops_a_reader_says_which() {
        for (kind, json, reader) in [
            ("stock_universe", r#"["A"]"#, Some("end-of-day")),
            ("etf_universe", r#"["A"]"#, Some("end-of-day")),
            ("themes", r#"["A"]"#, None),
            ("stock_universe", r#"{"stocks": [{"ticker": "A"}]}"#, None),
            ("stock_universe", r#"{"stocks": [{"symbol": "A"}]}"#, Some("dropdowns")),
        ] {
            let broken = broken_reader(kind, json);
            assert_eq!(broken.is_some(), reader.is_some(), "{kind} {json}");
            assert!(reader.is_none_or(|reader| broken.is_some_and(|text| text.contains(reader))));
        }
    }

    #[test]
    fn the_statement_names_each_row_and_lets_no_name_end_it() {
        let row = Leftover {
            kind: "themes".to_owned(),
            name: "O'Hara".to_owned(),
            key: "list".to_owned(),
            tickers: 1,
            unknown: 0,
            breaks: None,
        };
        assert_eq!(
            statement("public", "DEFAULT", &[row]),
            "delete from public.cache_entries where environment = 'DEFAULT' and (type, name, key) in \
             (('themes', 'O''Hara', 'list'));"
        );
    }
}
