//! `history`: one symbol's memberships over time.

use serde_json::json;

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::store::history::{self, Membership};

use super::Context;
use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};

/// Shows in which universes a symbol has been, from when to when, and why it came and went
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync history NVDA
  cache-sync history BRK.B --json | jq -r '.[] | [.universe, .valid_from, .valid_to] | @tsv'")]
pub struct HistoryArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// Print a JSON array of memberships
    #[arg(long)]
    json: bool,
}

/// Runs `history`.
pub async fn history(args: &HistoryArgs, context: &Context) -> Result<(), Exit> {
    let unknown = || Exit::NotDone(format!("{:?} has never been in a universe of ours", args.symbol));
    let symbol = Symbol::parse(&args.symbol).ok_or_else(unknown)?;
    let desk = context.desk()?;
    let mut client = desk.database.client().await?;
    let transaction = client.begin().await?;
    let memberships = history::symbol_history(&transaction, &symbol).await?;
    if memberships.is_empty() {
        return Err(unknown());
    }
    if args.json {
        screen::print_json(&json!(memberships))
    } else {
        screen::print(&render_history(&memberships, &context.style))
    }
}

/// By which right it came; what was not recorded on its day is marked.
fn came(membership: &Membership) -> String {
    let mark = if membership.reconstructed { " (reconstructed)" } else { "" };
    format!("{}{mark}", membership.entry_reason)
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
