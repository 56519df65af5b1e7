//! `quarantine`, `approve` and `distrust`: which values are not believed, and a person's word on one of them.

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::universe::UniverseName;
use crate::plan::given::notice::Refusal;
use crate::plan::impact::{Hanging, Impact};
use crate::plan::market::screening::Quarantined;
use crate::service::values::{self, Distrust, Taken, Word};
use crate::service::{Approval, approve_value};
use crate::store::Database;
use crate::store::quarantine::QuarantineNow;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Lists the stocks whose value is not believed, with what they are worth meanwhile and when they are released
///
/// The price of a split that came before its shares, shares or caps that multiply without a split, caps that vanish: the
/// stock keeps its last good cap in every universe until the value explains itself, a person approves it
/// (cache-sync approve SYMBOL), or its time is up. accept_churn changes nothing here.
///
/// The ten largest that are new come first, then those on whose value most seats in tiers and rankings hang.
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
///
/// It says which universes the stock leaves and joins by it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync approve NFLX --dry-run      what it would come to
  cache-sync approve NFLX && cache-sync submit --wait
  cache-sync approve BRK.B --by jane
  cache-sync approve NFLX --undo")]
pub struct ApproveArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// Who says so, for the record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    by: String,
    /// Only show what it would come to
    #[arg(long, conflicts_with = "undo")]
    dry_run: bool,
    /// Take an approval back that no sync has used yet
    #[arg(long)]
    undo: bool,
}

/// Says that the value of a stock is wrong; the next sync goes by the last one that differs
///
/// For what the rules let pass. The stock is in quarantine until its value comes back, a split explains it, somebody
/// approves it, or 120 sessions are over. For a value that no earlier one can stand in for there are `pin` and `ban`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync distrust INTC --reason 'its share count is a hundred times too large'
  cache-sync distrust INTC --undo")]
pub struct DistrustArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", required_unless_present = "undo", default_value = "")]
    reason: String,
    /// Who says so, for the record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    by: String,
    /// Take it back, as long as no sync has used it
    #[arg(long)]
    undo: bool,
}

/// Runs `quarantine`.
pub async fn quarantine(args: &QuarantineArgs, context: &Context) -> Result<(), Exit> {
    let database = context.database()?;
    let (found, hanging) = values::quarantine_with_what_hangs(&database, &context.settings, now()).await?;
    if args.json {
        let as_of = found.as_of.unwrap_or_default();
        let entries = hanging.iter().map(|Hanging { entry, name, universes, seats }| {
            let mut json = entry_json(entry, as_of);
            json["approved"] = json!(found.is_approved(&entry.symbol));
            json["name"] = json!(name);
            json["universes"] = json!(universes);
            json["seats"] = json!(seats);
            json
        });
        screen::print_json(&entries.collect())
    } else {
        screen::print(&render_quarantine(&found, &hanging, &context.style))
    }
}

/// Runs `distrust`.
pub async fn distrust(args: &DistrustArgs, context: &Context) -> Result<(), Exit> {
    let unknown = || Exit::NotDone(format!("the source has no symbol {:?}", args.symbol));
    let symbol = Symbol::parse(&args.symbol).ok_or_else(unknown)?;
    let database = context.database()?;
    if args.undo {
        return take_back(&database, &symbol, Taken::Distrust).await;
    }
    let (by, reason) = (args.by.as_str(), args.reason.trim());
    if reason.is_empty() {
        return Err(Exit::Usage("--reason is empty; say why, for whoever finds it there".to_owned()));
    }
    match values::distrust_value(&database, &context.settings, &symbol, Word { by, reason }, now()).await? {
        Distrust::Given { distrusted, is_new, impact } => {
            let already = if is_new { "" } else { " already" };
            let good = distrusted.good;
            screen::print(&format!(
                "{symbol} is doubted{already}: the next sync goes by its value of {}, {} at {:.2}; {symbol} {}\n",
                good.as_of,
                Usd::from_cents(good.cap_cents).short(),
                good.close_dollars,
                impact_in_words(&impact)
            ))
        }
        Distrust::UnknownSymbol => Err(unknown()),
        other => Err(Exit::NotDone(format!("{symbol} {}", why_not(&other)))),
    }
}

fn why_not(distrust: &Distrust) -> &'static str {
    match distrust {
        Distrust::Given { .. } | Distrust::UnknownSymbol => "",
        Distrust::InQuarantine => "is in quarantine already; `cache-sync quarantine` shows it",
        Distrust::Approved => "is approved; first take that back: cache-sync approve SYMBOL --undo",
        Distrust::NothingElseKnown => {
            "has had this value for as long as runs are kept, so there is none to go by instead; \
             `cache-sync pin` and `cache-sync ban` decide on single universes"
        }
        Distrust::SwitchedOff => "can't be doubted: values are not screened (guards.quarantine is false)",
    }
}

async fn take_back(database: &Database, symbol: &Symbol, what: Taken) -> Result<(), Exit> {
    let (done, to_do) = match what {
        Taken::Approval => ("no longer approved; it stays in quarantine until it explains itself", "approve"),
        Taken::Distrust => ("no longer doubted; the next sync judges it by the rules", "doubt"),
    };
    if values::take_back(database, symbol, what).await? {
        screen::print(&format!("{symbol} is {done}\n"))
    } else {
        Err(Exit::NotDone(format!(
            "there is nothing to take back: nobody has asked the next sync to {to_do} {symbol}; what a sync has used \
             already is undone by the opposite word"
        )))
    }
}

/// `leaves mega_cap, top_100`, or why that can't be told.
fn impact_in_words(impact: &Result<Impact, Refusal>) -> String {
    match impact {
        Ok(impact) => format!("{} by that", impact.in_words()),
        Err(refusal) => format!("is in a market that can't be planned now ({refusal})"),
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
    let database = context.database()?;
    if args.undo {
        return take_back(&database, &symbol, Taken::Approval).await;
    }
    let impact = values::impact_of_approval(&database, &context.settings, &symbol, now()).await?;
    let impact = impact_in_words(&impact);
    if args.dry_run {
        return screen::print(&format!("approved, {symbol} {impact}; nothing is written\n"));
    }
    match approve_value(&database, &context.settings, &symbol, &args.by, now()).await? {
        Approval::Given { entry, is_new } => screen::print(&told(&entry, is_new, &impact)),
        Approval::NotInQuarantine => Err(absent()),
    }
}

fn told(entry: &Quarantined, is_new: bool, impact: &str) -> String {
    let already = if is_new { "" } else { " already" };
    let found = entry.found().map_or_else(|| "no cap".to_owned(), Usd::short);
    let Quarantined { symbol, .. } = entry;
    format!(
        "{symbol} is approved{already}: the next sync takes {found} for good; until then it is carried at {}; \
         {symbol} {impact}\n",
        entry.cap().short()
    )
}

/// The table of what is in quarantine.
pub fn render_quarantine(found: &QuarantineNow, hanging: &[Hanging], style: &Style) -> String {
    let Some(as_of) = found.as_of else {
        return "Nothing is in quarantine: no sync has looked at the market yet\n".to_owned();
    };
    if found.symbols.is_empty() {
        return format!("Nothing is in quarantine: the sync of {as_of} believed every value\n");
    }
    let titles =
        ["SYMBOL", "WHAT", "SINCE", "#SESSIONS LEFT", "#CAP", "#CAP FOUND", "WHAT WAS SEEN, AND HOW IT ENDS"];
    let mut table = Table::new(titles);
    for Hanging { entry, name, universes, seats } in hanging {
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
            format!("{}{}; {end}", who(name.as_deref(), universes, *seats), entry.seen()).into(),
        ]);
    }
    format!("{}\n", style.paint(Ink::Dim, &format!("As of the sync of {as_of}"))) + &table.render(style)
}

/// `Netflix Inc., in mega_cap, top_100 and 2 more, 2 seats hang on it: `; of the universes the tier and the smallest
/// ranking are named.
fn who(name: Option<&str>, universes: &[UniverseName], seats: usize) -> String {
    let size = |name: &str| name.strip_prefix("top_").and_then(|digits| digits.parse::<u32>().ok());
    let names = || universes.iter().map(UniverseName::as_str);
    let ranking = names().filter(|name| size(name).is_some()).min_by_key(|name| size(name));
    let shown: Vec<&str> = names().find(|name| name.ends_with("_cap")).into_iter().chain(ranking).collect();
    let mut parts: Vec<String> = name.map(ToOwned::to_owned).into_iter().collect();
    match (shown.is_empty(), universes.len() - shown.len()) {
        (true, 0) => {}
        (true, n) => parts.push(format!("in {n} universes")),
        (false, 0) => parts.push(format!("in {}", shown.join(", "))),
        (false, n) => parts.push(format!("in {} and {n} more", shown.join(", "))),
    }
    match seats {
        0 => {}
        1 => parts.push("1 seat hangs on it".to_owned()),
        n => parts.push(format!("{n} seats hang on it")),
    }
    if parts.is_empty() { String::new() } else { format!("{}: ", parts.join(", ")) }
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
            shares_since: None,
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
        let name = |text: &str| UniverseName::known(text);
        let hanging = [
            Hanging {
                entry: split(),
                name: Some("Netflix Inc. Common Stock".to_owned()),
                universes: ["all_stocks", "mega_cap", "top_100", "top_500"].map(name).into(),
                seats: 2,
            },
            Hanging { entry: vanished(), name: None, universes: Vec::new(), seats: 0 },
        ];
        insta::assert_snapshot!(render_quarantine(&found, &hanging, &Style { width: 130, ..Style::PLAIN }), @r"
        As of the sync of 2025-11-18
        SYMBOL  WHAT             SINCE       SESSIONS LEFT      CAP  CAP FOUND  WHAT WAS SEEN, AND HOW IT ENDS
        NFLX    suspected split  2025-11-17              3  472.59B     46.86B  Netflix Inc. Common Stock, in mega_cap, top_100 and 2
                                                                                more, 2 seats hang on it: close 1112.17 -> 110.29 as by a
                                                                                split of 10:1, with as many shares; carried until the
                                                                                shares follow, the price comes back, or 2025-11-24
        SATL    vanished         2025-11-17              8  328.04M       none  neither close x shares nor a stored cap, close 3.29 ->
                                                                                0.3800; approved, so until the next sync
        ");
        insta::assert_snapshot!(entry_json(&split(), date("2025-11-18")), @r#"{"symbol":"NFLX","anomaly":"suspected_split","since":"2025-11-17","sessions_left":3,"released_on":"2025-11-24","market_cap":"472590334231.00","found_market_cap":"46865126700.00","good_as_of":"2025-11-14","seen":"close 1112.17 -> 110.29 as by a split of 10:1, with as many shares","until":"until the shares follow, the price comes back, or 2025-11-24"}"#);
    }

    #[test]
    fn an_empty_quarantine_says_so() {
        let found = QuarantineNow { as_of: Some(date("2025-11-18")), ..QuarantineNow::default() };
        insta::assert_snapshot!(render_quarantine(&found, &[], &Style::PLAIN), @"Nothing is in quarantine: the sync of 2025-11-18 believed every value");
        insta::assert_snapshot!(render_quarantine(&QuarantineNow::default(), &[], &Style::PLAIN), @"Nothing is in quarantine: no sync has looked at the market yet");
    }

    #[test]
    fn an_approval_says_what_the_next_sync_takes() {
        insta::assert_snapshot!(told(&split(), true, "leaves mega_cap by that"), @"NFLX is approved: the next sync takes 46.86B for good; until then it is carried at 472.59B; NFLX leaves mega_cap by that");
        insta::assert_snapshot!(told(&vanished(), false, "changes no universe by that"), @"SATL is approved already: the next sync takes no cap for good; until then it is carried at 328.04M; SATL changes no universe by that");
    }
}
