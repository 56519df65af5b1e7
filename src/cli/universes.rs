//! `universes`: all of them in a table, or the members of one.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::domain::change::UniverseStatus;
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;

use super::screen::{self, Cell, Ink, Style, Table, counted};

/// Lists the universes, or the members of one, now or as of a date
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync universes
  cache-sync universes top_100
  cache-sync universes large_cap --as-of 2025-12-31 --json | jq -r '.symbols[]'")]
pub struct UniversesArgs {
    /// The universe whose members to show
    pub name: Option<String>,
    /// As they were after the sync of the latest date on or before this one
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
    /// Print a JSON array of universes, or an object with the members of one
    #[arg(long)]
    pub json: bool,
}

/// A universe in the table of all.
#[derive(Debug, Clone, PartialEq)]
pub struct UniverseLine {
    /// Its name.
    pub universe: String,
    /// Its kind.
    pub cache_type: String,
    /// How many members it has.
    pub symbol_count: usize,
    /// How it fared in the last sync; `None` for a date in the past.
    pub status: Option<UniverseStatus>,
    /// Market cap of all members together.
    pub total_market_cap: Option<Usd>,
    /// When its members last changed.
    pub last_changed_at: Option<DateTime<Utc>>,
    /// When it was last looked at.
    pub last_synced_at: Option<DateTime<Utc>>,
}

/// The members of one universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Its name.
    pub universe: String,
    /// The sync they are the members after.
    pub as_of: NaiveDate,
    /// They, in the order of the universe.
    pub symbols: Vec<Symbol>,
}

/// The table of all universes.
pub fn render_universes(universes: &[UniverseLine], now: DateTime<Utc>, style: &Style) -> String {
    if universes.is_empty() {
        return "No universes yet; the first sync makes them: cache-sync submit --wait\n".to_owned();
    }
    let mut table =
        Table::new(["UNIVERSE", "TYPE", "#MEMBERS", "#MARKET CAP", "STATUS", "LAST CHANGE", "LAST SYNC"]);
    let when = |at: Option<DateTime<Utc>>| at.map(|at| screen::when(at, now)).unwrap_or_default();
    for line in universes {
        let ink = match line.status {
            Some(UniverseStatus::Held) => Ink::Yellow,
            Some(UniverseStatus::NoSourceData) => Ink::Dim,
            Some(UniverseStatus::Ok) | None => Ink::Plain,
        };
        table.row([
            line.universe.as_str().into(),
            line.cache_type.as_str().into(),
            screen::thousands(line.symbol_count as u64).into(),
            line.total_market_cap.map(Usd::short).unwrap_or_default().into(),
            Cell::new(ink, line.status.map(|status| status.to_string()).unwrap_or_default()),
            when(line.last_changed_at).into(),
            when(line.last_synced_at).into(),
        ]);
    }
    table.render(style)
}

/// All universes for a program, under the names of `cache_entries_metadata`.
pub fn universes_json(universes: &[UniverseLine]) -> Value {
    let line = |line: &UniverseLine| {
        json!({
            "universe": line.universe,
            "cache_type": line.cache_type,
            "symbol_count": line.symbol_count,
            "status": line.status,
            "total_market_cap": line.total_market_cap.map(|cap| cap.to_string()),
            "last_changed_at": line.last_changed_at.map(screen::iso),
            "last_synced_at": line.last_synced_at.map(screen::iso),
        })
    };
    universes.iter().map(line).collect()
}

/// The members of one universe in columns as wide as the screen; their order goes along the lines.
pub fn render_members(members: &Members, style: &Style) -> String {
    let Members { universe, as_of, symbols } = members;
    let mut text = format!(
        "{}  {}\n",
        style.paint(Ink::Bold, &screen::printable(universe)),
        style.paint(
            Ink::Dim,
            &format!("{}, after the sync of {as_of}", counted(symbols.len(), "member", "members"))
        )
    );
    let widest = symbols.iter().map(|symbol| symbol.as_str().chars().count()).max().unwrap_or(0);
    let cell = widest + 2;
    let in_line = ((style.width - 2) / cell).max(1);
    for line in symbols.chunks(in_line) {
        let cells: String = line.iter().map(|symbol| format!("{symbol:cell$}")).collect();
        text += &format!("  {}\n", screen::printable(cells.trim_end()));
    }
    text
}

/// The members of one universe for a program.
pub fn members_json(members: &Members) -> Value {
    json!({
        "universe": members.universe,
        "as_of": members.as_of,
        "symbol_count": members.symbols.len(),
        "symbols": members.symbols,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn universes_are_listed_a_line_each() {
        let synced = at("2026-01-09T21:10:00Z");
        let line = |universe: &str, cache_type: &str, symbol_count, status| UniverseLine {
            universe: universe.to_owned(),
            cache_type: cache_type.to_owned(),
            symbol_count,
            status: Some(status),
            total_market_cap: Some(Usd::dollars(4_210_000_000_000)),
            last_changed_at: Some(synced),
            last_synced_at: Some(synced),
        };
        let universes = [
            line("all_stocks", "complete", 5_612, UniverseStatus::Ok),
            line("top_100", "market_leader", 100, UniverseStatus::Held),
        ];
        insta::assert_snapshot!(render_universes(&universes, at("2026-01-09T21:12:00Z"), &Style::PLAIN), @r"
        UNIVERSE    TYPE           MEMBERS  MARKET CAP  STATUS  LAST CHANGE  LAST SYNC
        all_stocks  complete         5,612       4.21T  ok      2 min ago    2 min ago
        top_100     market_leader      100       4.21T  held    2 min ago    2 min ago
        ");
        insta::assert_snapshot!(universes_json(&universes[1..]), @r#"[{"universe":"top_100","cache_type":"market_leader","symbol_count":100,"status":"held","total_market_cap":"4210000000000.00","last_changed_at":"2026-01-09T21:10:00.000Z","last_synced_at":"2026-01-09T21:10:00.000Z"}]"#);
        assert!(render_universes(&[], synced, &Style::PLAIN).starts_with("No universes yet"));
    }

    #[test]
    fn members_stand_in_columns_in_their_order() {
        let symbols = ["NVDA", "AAPL", "BRK.B", "F"].map(|text| Symbol::parse(text).expect("a symbol"));
        let as_of = NaiveDate::from_ymd_opt(2026, 1, 9).expect("a date");
        let members = Members { universe: "top_100".to_owned(), as_of, symbols: symbols.into() };
        insta::assert_snapshot!(render_members(&members, &Style { width: 24, ..Style::PLAIN }), @r"
        top_100  4 members, after the sync of 2026-01-09
          NVDA   AAPL   BRK.B
          F
        ");
        insta::assert_snapshot!(members_json(&members), @r#"{"universe":"top_100","as_of":"2026-01-09","symbol_count":4,"symbols":["NVDA","AAPL","BRK.B","F"]}"#);
    }
}
