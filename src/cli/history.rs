//! `history`: one symbol's memberships over time.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::plan::given::snapshot::Instrument;
use crate::store::Limits;
use crate::store::history::{self, Membership};

use super::Context;
use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::universes::parse_moment;

/// Shows in which universes a symbol has been, from when to when, and why it came and went
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync history NVDA
  cache-sync history NVDA --known-at 2026-01-09T21:30:00Z
  cache-sync history BRK.B --json | jq -r '.[] | [.universe, .valid_from, .valid_to] | @tsv'")]
pub struct HistoryArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// By what had been recorded at this moment (ISO 8601, without offset UTC): what was known then
    #[arg(long, value_name = "TIMESTAMP", value_parser = parse_moment)]
    known_at: Option<DateTime<Utc>>,
    /// Print a JSON array of memberships
    #[arg(long)]
    json: bool,
}

/// Runs `history`.
pub async fn history(args: &HistoryArgs, context: &Context) -> Result<(), Exit> {
    let unknown = || {
        let then = args.known_at.map_or_else(String::new, |at| format!(", as known at {}", screen::iso(at)));
        Exit::NotDone(format!("{:?} has never been in a universe of ours{then}", args.symbol))
    };
    let symbol = Symbol::parse(&args.symbol).ok_or_else(unknown)?;
    let service = context.service()?;
    let mut client = service.database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let memberships = history::symbol_history(&transaction, &symbol, args.known_at).await?;
    let instruments = history::instruments(&transaction, &symbol).await?;
    if memberships.is_empty() {
        return Err(unknown());
    }
    if args.json {
        screen::print_json(&json!(memberships))
    } else {
        let style = &context.style;
        screen::print(&(render_instruments(&instruments, style) + &render_history(&memberships, style)))
    }
}

/// By which right it came; what was not recorded on its day is marked.
fn came(membership: &Membership) -> String {
    let mark = if membership.reconstructed { " (reconstructed)" } else { "" };
    format!("{}{mark}", membership.entry_reason)
}

/// Who has gone by the symbol, and by which symbols they have gone, where there is more to say than one name of one
/// instrument. Rows of one number are one instrument.
pub fn render_instruments(instruments: &[Instrument], style: &Style) -> String {
    if instruments.len() < 2 {
        return String::new();
    }
    let mut table = Table::new(["SYMBOL", "#INSTRUMENT", "FROM", "TO", "FIGI", "CIK"]);
    for Instrument { symbol, lineage, identity, valid_from, valid_to } in instruments {
        let ink = if valid_to.is_some() { Ink::Dim } else { Ink::Plain };
        let figi = identity.share_class_figi.as_ref().or(identity.composite_figi.as_ref());
        table.row([
            Cell::new(ink, symbol.as_str()),
            lineage.to_string().into(),
            valid_from.to_string().into(),
            valid_to.map(|date| date.to_string()).unwrap_or_default().into(),
            figi.map(String::as_str).unwrap_or_default().into(),
            identity.cik.as_deref().unwrap_or_default().into(),
        ]);
    }
    format!("{}\n", table.render(style))
}

/// A table of memberships; the dates are half-open: the last day is the one before `TO`.
pub fn render_history(memberships: &[Membership], style: &Style) -> String {
    let mut table = Table::new(["UNIVERSE", "SYMBOL", "FROM", "TO", "CAME", "#RANK", "#CAP", "WENT"]);
    for membership in memberships {
        let ink = if membership.valid_to.is_some() { Ink::Dim } else { Ink::Plain };
        table.row([
            Cell::new(ink, membership.universe.as_str()),
            membership.symbol.as_str().into(),
            membership.valid_from.to_string().into(),
            membership.valid_to.map(|date| date.to_string()).unwrap_or_default().into(),
            came(membership).into(),
            membership.rank_at_entry.map(screen::thousands).unwrap_or_default().into(),
            membership.cap_at_entry.and_then(Usd::from_decimal).map(Usd::short).unwrap_or_default().into(),
            membership.exit_reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    table.render(style)
}
