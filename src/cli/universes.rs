//! `universes`: all of them in a table, or the members of one.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::domain::change::UniverseStatus;
use crate::domain::money::Usd;
use crate::store::Limits;
use crate::store::history::{self, Member, UniverseNow, When};
use crate::wire::entry::parse_time;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table, counted};
use super::{Context, now};

/// Lists the universes, or the members of one, now or as of a date
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync universes
  cache-sync universes top_100
  cache-sync universes large_cap --as-of 2025-12-31 --json | jq -r '.symbols[]'
  cache-sync universes top_100 --known-at 2026-01-09T21:30:00Z    (what the application showed then)")]
pub struct UniversesArgs {
    /// The universe whose members to show
    pub name: Option<String>,
    /// As they were after the sync of the latest date on or before this one
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
    /// By what had been recorded at this moment (ISO 8601, without offset UTC): what the application showed then
    #[arg(long, value_name = "TIMESTAMP", value_parser = parse_moment)]
    pub known_at: Option<DateTime<Utc>>,
    /// Print a JSON array of universes, or an object with the members of one
    #[arg(long)]
    pub json: bool,
}

/// Runs `universes`.
pub async fn universes(args: &UniversesArgs, context: &Context) -> Result<(), Exit> {
    let mut client = context.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    match &args.name {
        Some(name) => {
            let entries = &context.settings.entries;
            let when = When { as_of: args.as_of, known_at: args.known_at };
            let found = history::universe_members(&transaction, entries, name, when).await?;
            let Some(members) = found else {
                return Err(Exit::NotDone(format!(
                    "there is no universe {name:?}; `cache-sync universes` lists them all"
                )));
            };
            let members = Members { universe: name, when, members: &members };
            if args.json {
                screen::print_json(&members_json(&members))
            } else {
                screen::print(&render_members(&members, &context.style))
            }
        }
        None if args.as_of.is_some() || args.known_at.is_some() => Err(Exit::Usage(
            "--as-of and --known-at want the name of a universe: cache-sync universes NAME --as-of DATE"
                .to_owned(),
        )),
        None => {
            let universes = history::universes_now(&transaction).await?;
            if args.json {
                screen::print_json(&json!(universes))
            } else {
                screen::print(&render_universes(&universes, now(), &context.style))
            }
        }
    }
}

/// The moment in the text of an option.
pub(super) fn parse_moment(text: &str) -> Result<DateTime<Utc>, String> {
    parse_time(text).ok_or_else(|| "not a time such as 2026-01-09T21:30:00Z".to_owned())
}

/// The members of one universe, now or at some time.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    /// Its name.
    pub universe: &'a str,
    /// The time that was asked about.
    pub when: When,
    /// They, in the order of the universe, or of a time in the past by symbol.
    pub members: &'a [Member],
}

/// The table of all universes.
pub fn render_universes(universes: &[UniverseNow], now: DateTime<Utc>, style: &Style) -> String {
    if universes.is_empty() {
        return "No universes yet; the first sync makes them: cache-sync submit --wait\n".to_owned();
    }
    let mut table =
        Table::new(["UNIVERSE", "TYPE", "#MEMBERS", "#MARKET CAP", "STATUS", "LAST CHANGE", "LAST SYNC"]);
    for line in universes {
        let ink = match UniverseStatus::from_text(&line.status) {
            Some(UniverseStatus::Held) => Ink::Yellow,
            Some(UniverseStatus::NoSourceData) => Ink::Dim,
            Some(UniverseStatus::Ok) | None => Ink::Plain,
        };
        table.row([
            line.universe.as_str().into(),
            line.cache_type.as_str().into(),
            screen::thousands(line.symbol_count).into(),
            Usd::from_decimal(line.total_market_cap).map(Usd::short).unwrap_or_default().into(),
            Cell::new(ink, line.status.as_str()),
            screen::when(line.last_changed_at, now).into(),
            screen::when(line.last_synced_at, now).into(),
        ]);
    }
    table.render(style)
}

/// The members of one universe in columns as wide as the screen; their order goes along the lines.
pub fn render_members(of: &Members<'_>, style: &Style) -> String {
    let is_reconstructed = of.members.iter().any(|member| member.reconstructed);
    let how = if is_reconstructed { ", reconstructed afterwards by a replay" } else { "" };
    let heading = format!("{}, {}{how}", counted(of.members.len(), "member", "members"), when_text(of.when));
    let mut text = format!(
        "{}  {}\n",
        style.paint(Ink::Bold, &screen::printable(of.universe)),
        style.paint(Ink::Dim, &heading)
    );
    let widest = of.members.iter().map(|member| member.symbol.chars().count()).max().unwrap_or(0);
    let cell = widest + 2;
    let in_line = (style.width.saturating_sub(2) / cell).max(1);
    for line in of.members.chunks(in_line) {
        let cells: String = line.iter().map(|member| format!("{:cell$}", member.symbol)).collect();
        text += &format!("  {}\n", screen::printable(cells.trim_end()));
    }
    text
}

fn when_text(when: When) -> String {
    let date = when.as_of.map(|date| format!("after the sync of {date} or the last before it"));
    let moment = when.known_at.map(|moment| format!("as known at {}", screen::iso(moment)));
    match (date, moment) {
        (None, None) => "now".to_owned(),
        (Some(text), None) | (None, Some(text)) => text,
        (Some(date), Some(moment)) => format!("{date}, {moment}"),
    }
}

/// The members of one universe for a program.
pub fn members_json(of: &Members<'_>) -> Value {
    json!({
        "universe": of.universe,
        "as_of": of.when.as_of,
        "known_at": of.when.known_at.map(screen::iso),
        "reconstructed": of.members.iter().any(|member| member.reconstructed),
        "symbol_count": of.members.len(),
        "symbols": of.members.iter().map(|member| &member.symbol).collect::<Vec<_>>(),
        "members": of.members,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn universe(name: &str, symbol_count: i32, status: &str) -> UniverseNow {
        UniverseNow {
            universe: name.to_owned(),
            cache_type: "market_leader".to_owned(),
            symbol_count,
            added: 2,
            removed: 1,
            total_market_cap: 4_210_000_000_000_i64.into(),
            average_market_cap: None,
            status: status.to_owned(),
            detail: json!({}),
            last_changed_at: at("2026-01-05T21:10:00Z"),
            last_synced_at: at("2026-01-09T21:10:00Z"),
            last_job_id: "eod-2026-01-09".to_owned(),
        }
    }

    #[test]
    fn universes_are_listed_a_line_each() {
        let universes = [universe("top_2000", 2_000, "ok"), universe("top_100", 100, "held")];
        let now = at("2026-01-09T21:12:00Z");
        insta::assert_snapshot!(render_universes(&universes, now, &Style::PLAIN), @r"
        UNIVERSE  TYPE           MEMBERS  MARKET CAP  STATUS  LAST CHANGE           LAST SYNC
        top_2000  market_leader    2,000       4.21T  ok      2026-01-05 21:10 UTC  2 min ago
        top_100   market_leader      100       4.21T  held    2026-01-05 21:10 UTC  2 min ago
        ");
        assert!(render_universes(&[], now, &Style::PLAIN).starts_with("No universes yet"));
    }

    #[test]
    fn members_stand_in_columns_in_their_order() {
        let members = ["NVDA", "AAPL", "BRK.B", "F"].map(|symbol| Member {
            symbol: symbol.to_owned(),
            rank: None,
            valid_from: None,
            entry_reason: None,
            reconstructed: false,
        });
        let now = Members { universe: "top_100", when: When::default(), members: &members };
        insta::assert_snapshot!(render_members(&now, &Style { width: 24, ..Style::PLAIN }), @r"
        top_100  4 members, now
          NVDA   AAPL   BRK.B
          F
        ");
        let when = When { as_of: NaiveDate::from_ymd_opt(2026, 1, 9), known_at: None };
        let past = Members { when, members: &members[..1], ..now };
        insta::assert_snapshot!(render_members(&past, &Style::PLAIN), @r"
        top_100  1 member, after the sync of 2026-01-09 or the last before it
          NVDA
        ");
        insta::assert_snapshot!(members_json(&past), @r#"{"universe":"top_100","as_of":"2026-01-09","known_at":null,"reconstructed":false,"symbol_count":1,"symbols":["NVDA"],"members":[{"symbol":"NVDA","rank":null,"valid_from":null,"entry_reason":null,"reconstructed":false}]}"#);
        let known = Members { when: When { known_at: Some(at("2026-01-09T21:30:00Z")), ..when }, ..past };
        insta::assert_snapshot!(render_members(&known, &Style { width: 120, ..Style::PLAIN }), @r"
        top_100  1 member, after the sync of 2026-01-09 or the last before it, as known at 2026-01-09T21:30:00.000Z
          NVDA
        ");
        assert_eq!(
            parse_moment("2026-01-09T21:30:00"),
            Ok(at("2026-01-09T21:30:00Z")),
            "without offset it is UTC"
        );
        assert!(parse_moment("yesterday").is_err());
    }
}
