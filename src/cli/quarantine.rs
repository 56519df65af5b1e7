//! `quarantine` and `approve`: which values are not believed, and that one of them is right.

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::plan::market::screening::Quarantined;
use crate::service::{Approval, approve_value};
use crate::store::Limits;
use crate::store::quarantine::{self, QuarantineNow};

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Lists the stocks whose value is not believed, with what they are worth meanwhile and when they are released
///
/// The price of a split that came before its shares, shares or caps that multiply without a split, caps that vanish: the
/// stock keeps its last good cap in every universe until the value explains itself, a person approves it
/// (cache-sync approve SYMBOL), or its time is up. accept_churn changes nothing here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync quarantine
  cache-sync quarantine --json | jq -r '.[].symbol'")]
pub struct QuarantineArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Says that the value of a stock in quarantine is right; the next sync believes it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync approve NFLX && cache-sync submit --wait
  cache-sync approve BRK.B --by jane")]
pub struct ApproveArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// Who says so, for the record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    by: String,
}

/// Runs `quarantine`.
pub async fn quarantine(args: &QuarantineArgs, context: &Context) -> Result<(), Exit> {
    let mut client = context.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let found = quarantine::read(&transaction).await?;
    if args.json {
        let as_of = found.as_of.unwrap_or_default();
        let entries = found.symbols.iter().map(|entry| {
            let mut json = entry_json(entry, as_of);
            json["approved"] = json!(found.is_approved(&entry.symbol));
            json
        });
        screen::print_json(&entries.collect())
    } else {
        screen::print(&render_quarantine(&found, &context.style))
    }
}

/// Runs `approve`.
pub async fn approve(args: &ApproveArgs, context: &Context) -> Result<(), Exit> {
    let absent = || {
        Exit::NotDone(format!(
            "{:?} is not in quarantine, so there is nothing to approve; `cache-sync quarantine` lists what is",
            args.symbol
        ))
    };
    let symbol = Symbol::parse(&args.symbol).ok_or_else(absent)?;
    match approve_value(&context.database()?, &context.settings, &symbol, &args.by, now()).await? {
        Approval::Given { entry, is_new } => screen::print(&told(&entry, is_new)),
        Approval::NotInQuarantine => Err(absent()),
    }
}

fn told(entry: &Quarantined, is_new: bool) -> String {
    let already = if is_new { "" } else { " already" };
    let found = entry.found().map_or_else(|| "no cap".to_owned(), Usd::short);
    let Quarantined { symbol, .. } = entry;
    format!(
        "{symbol} is approved{already}: the next sync takes {found} for good; until then it is carried at {}\n",
        entry.cap().short()
    )
}

/// The table of what is in quarantine.
pub fn render_quarantine(found: &QuarantineNow, style: &Style) -> String {
    let Some(as_of) = found.as_of else {
        return "Nothing is in quarantine: no sync has looked at the market yet\n".to_owned();
    };
    if found.symbols.is_empty() {
        return format!("Nothing is in quarantine: the sync of {as_of} believed every value\n");
    }
    let titles =
        ["SYMBOL", "WHAT", "SINCE", "#SESSIONS LEFT", "#CAP", "#CAP FOUND", "WHAT WAS SEEN, AND HOW IT ENDS"];
    let mut table = Table::new(titles);
    for entry in &found.symbols {
        let end = if found.is_approved(&entry.symbol) {
            "approved, so until the next sync".to_owned()
        } else {
            format!("carried {}", entry.until())
        };
        table.row([
            Cell::new(Ink::Bold, entry.symbol.as_str()),
            Cell::new(Ink::Yellow, entry.anomaly.title()),
            entry.since.to_string().into(),
            screen::thousands(entry.sessions_left(as_of)).into(),
            entry.cap().short().into(),
            entry.found().map_or_else(|| "none".to_owned(), Usd::short).into(),
            format!("{}; {end}", entry.seen()).into(),
        ]);
    }
    format!("{}\n", style.paint(Ink::Dim, &format!("As of the sync of {as_of}"))) + &table.render(style)
}

/// One entry for a program, as it stands on `as_of`.
pub fn entry_json(entry: &Quarantined, as_of: NaiveDate) -> Value {
    json!({
        "symbol": entry.symbol,
        "anomaly": entry.anomaly,
        "since": entry.since,
        "sessions_left": entry.sessions_left(as_of),
        "released_on": entry.released_on(),
        "market_cap": entry.cap().to_string(),
        "found_market_cap": entry.found().map(|cap| cap.to_string()),
        "good_as_of": entry.good_as_of,
        "seen": entry.seen(),
        "until": entry.until(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::market::screening::Anomaly;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn split() -> Quarantined {
        Quarantined {
            symbol: Symbol::parse("NFLX").expect("a symbol"),
            anomaly: Anomaly::SuspectedSplit,
            since: date("2025-11-17"),
            good_as_of: date("2025-11-14"),
            cap_cents: 47_259_033_423_100,
            found_cents: Some(4_686_512_670_000),
            factor: 0.0992,
            close_before: Some(1_112.17),
            close_found: Some(110.29),
            shares_found: Some(424_926_346.0),
            good_cap_cents: Some(47_259_033_423_100),
            turnover: None,
            sessions: None,
        }
    }

    fn vanished() -> Quarantined {
        Quarantined {
            symbol: Symbol::parse("SATL").expect("a symbol"),
            anomaly: Anomaly::Vanished,
            cap_cents: 32_804_888_100,
            found_cents: None,
            factor: 1.0,
            close_before: Some(3.285),
            close_found: Some(0.38),
            shares_found: None,
            ..split()
        }
    }

    #[test]
    fn what_is_in_quarantine_is_listed_a_line_each() {
        let found = QuarantineNow {
            as_of: Some(date("2025-11-18")),
            symbols: vec![split(), vanished()],
            approved: vec![vanished().symbol],
        };
        insta::assert_snapshot!(render_quarantine(&found, &Style { width: 130, ..Style::PLAIN }), @r"
        As of the sync of 2025-11-18
        SYMBOL  WHAT             SINCE       SESSIONS LEFT      CAP  CAP FOUND  WHAT WAS SEEN, AND HOW IT ENDS
        NFLX    suspected split  2025-11-17              3  472.59B     46.86B  close 1112.17 -> 110.29 as by a split of 10:1, with as
                                                                                many shares; carried until the shares follow, the price comes
                                                                                back, or 2025-11-24
        SATL    vanished         2025-11-17              8  328.04M       none  neither close x shares nor a stored cap, close 3.29 ->
                                                                                0.3800; approved, so until the next sync
        ");
        insta::assert_snapshot!(entry_json(&split(), date("2025-11-18")), @r#"{"symbol":"NFLX","anomaly":"suspected_split","since":"2025-11-17","sessions_left":3,"released_on":"2025-11-24","market_cap":"472590334231.00","found_market_cap":"46865126700.00","good_as_of":"2025-11-14","seen":"close 1112.17 -> 110.29 as by a split of 10:1, with as many shares","until":"until the shares follow, the price comes back, or 2025-11-24"}"#);
    }

    #[test]
    fn an_empty_quarantine_says_so() {
        let found = QuarantineNow { as_of: Some(date("2025-11-18")), ..QuarantineNow::default() };
        insta::assert_snapshot!(render_quarantine(&found, &Style::PLAIN), @"Nothing is in quarantine: the sync of 2025-11-18 believed every value");
        insta::assert_snapshot!(render_quarantine(&QuarantineNow::default(), &Style::PLAIN), @"Nothing is in quarantine: no sync has looked at the market yet");
    }

    #[test]
    fn an_approval_says_what_the_next_sync_takes() {
        insta::assert_snapshot!(told(&split(), true), @"NFLX is approved: the next sync takes 46.86B for good; until then it is carried at 472.59B");
        insta::assert_snapshot!(told(&vanished(), false), @"SATL is approved already: the next sync takes no cap for good; until then it is carried at 328.04M");
    }
}
