//! `pin`, `ban`, `unpin`, `unban` and `pins`: memberships by hand.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use crate::domain::calendar::new_york_date;
use crate::domain::pin::{Pin, PinKind};
use crate::service::pins::{self, Decided, Wish};
use crate::store::pins::StoredPin;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Who pins, where the environment does not say.
const SOMEBODY: &str = "cli";

/// Pins a symbol to a universe: from the next sync on it is a member, whatever the rules say
///
/// A pin to a tier takes the symbol out of the others; in a ranking, among the leaders of a sector or in a theme it takes
/// a seat, and the last one gives way. A pin to a ranking holds for the larger ones, too. The same again replaces
/// reason and date. What is pinned and can't be seated is a warning in every sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync pin NEWT biotech_innovators --reason 'its SIC code is that of its former business'
  cache-sync pin ACME large_cap --reason 'split on the 24th, its shares lag' --until 2026-07-31
  cache-sync plan                     shows what the next sync makes of it")]
pub struct PinArgs {
    #[command(flatten)]
    wish: WishArgs,
}

/// Bans a symbol from a universe: from the next sync on it is no member, whatever the rules say
///
/// A ban from a tier leaves the symbol in no tier. A ban from a ranking holds for the smaller ones, too; one from
/// all_stocks for every universe of stocks, one from etf_all for every category of funds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync ban ACME top_500 --reason 'its shares are counted twice'
  cache-sync ban ACME all_stocks --reason 'a shell' --until 2026-12-31")]
pub struct BanArgs {
    #[command(flatten)]
    wish: WishArgs,
}

#[derive(Debug, clap::Args)]
struct WishArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// The universe
    universe: String,
    /// Why, for whoever finds it in `plan`, `explain` and history
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last date of a sync for which it counts [default: for ever]
    #[arg(long, value_name = "DATE")]
    until: Option<NaiveDate>,
    /// Print a JSON object: kind, symbol, universe, reason, until, created_at, created_by
    #[arg(long)]
    json: bool,
}

/// Takes a pin back: from the next sync on the rules decide again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cache-sync unpin ACME large_cap")]
pub struct UnpinArgs {
    #[command(flatten)]
    what: BackArgs,
}

/// Takes a ban back: from the next sync on the rules decide again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cache-sync unban ACME top_500")]
pub struct UnbanArgs {
    #[command(flatten)]
    what: BackArgs,
}

#[derive(Debug, clap::Args)]
struct BackArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// The universe
    universe: String,
    /// Print a JSON object: what was decided
    #[arg(long)]
    json: bool,
}

/// Lists what is pinned and banned
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync pins
  cache-sync pins --json | jq -r '.[] | select(.kind == \"ban\") | [.symbol, .universe, .reason] | @tsv'")]
pub struct PinsArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Runs `pin`.
pub async fn pin(args: &PinArgs, context: &Context) -> Result<(), Exit> {
    decide(PinKind::Pin, &args.wish, context).await
}

/// Runs `ban`.
pub async fn ban(args: &BanArgs, context: &Context) -> Result<(), Exit> {
    decide(PinKind::Ban, &args.wish, context).await
}

/// Runs `unpin`.
pub async fn unpin(args: &UnpinArgs, context: &Context) -> Result<(), Exit> {
    take_back(PinKind::Pin, &args.what, context).await
}

/// Runs `unban`.
pub async fn unban(args: &UnbanArgs, context: &Context) -> Result<(), Exit> {
    take_back(PinKind::Ban, &args.what, context).await
}

/// Runs `pins`.
pub async fn pins(args: &PinsArgs, context: &Context) -> Result<(), Exit> {
    let stored = pins::list(&context.database()?).await?;
    if args.json {
        screen::print_json(&json!(stored))
    } else {
        screen::print(&render(&stored, new_york_date(now()), &context.style))
    }
}

async fn decide(kind: PinKind, args: &WishArgs, context: &Context) -> Result<(), Exit> {
    let now = now();
    let WishArgs { symbol, universe, reason, until, json } = args;
    if reason.trim().is_empty() {
        return Err(Exit::Usage("--reason is empty; say why, for whoever finds it there".to_owned()));
    }
    if let Some(until) = until.filter(|until| *until < new_york_date(now)) {
        return Err(Exit::Usage(format!("--until {until} is over already")));
    }
    let wish = Wish {
        kind,
        symbol: symbol.clone(),
        universe: universe.clone(),
        reason: reason.trim().to_owned(),
        until: *until,
        created_by: whoever_this_is(),
    };
    let decided = pins::decide(&context.database()?, &context.settings, wish, now).await?;
    let (stored, text, remark) = told(kind, symbol, universe, decided)?;
    if let Some(remark) = remark {
        screen::remark(&remark);
    }
    if *json { screen::print_json(&json!(stored)) } else { screen::print(&format!("{text}\n")) }
}

/// What was written, a sentence for a person, and a remark where it has no effect; an error where nothing was written.
fn told(
    kind: PinKind,
    symbol: &str,
    universe: &str,
    decided: Decided,
) -> Result<(StoredPin, String, Option<String>), Exit> {
    match decided {
        Decided::Written { stored, replaced, idle } => {
            let before = replaced.map_or_else(String::new, |old| format!(", in place of: {}", old.pin));
            let text = format!("{}{before}; it counts from the next sync on", sentence(&stored.pin));
            Ok((stored, text, idle.map(|idle| format!("warning: {idle}; it has no effect as things stand"))))
        }
        Decided::UnknownSymbol { nearest } => {
            let hint = nearest.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            Err(Exit::NotDone(format!("the source has no symbol {symbol:?}{hint}")))
        }
        Decided::UnknownUniverse { nearest } => {
            let hint = match nearest {
                Some(near) => format!("did you mean {near:?}?"),
                None => "`cache-sync universes` lists them all".to_owned(),
            };
            Err(Exit::NotDone(format!("there is no universe {universe:?} of ours; {hint}")))
        }
        Decided::InTheWay(other) => Err(Exit::NotDone(format!(
            "{} can't be {} {universe}: {}; first take that back: cache-sync {} {} {}",
            other.pin.symbol,
            preposition(kind),
            sentence(&other.pin),
            undo(other.pin.kind),
            other.pin.symbol,
            other.pin.universe
        ))),
    }
}

async fn take_back(kind: PinKind, args: &BackArgs, context: &Context) -> Result<(), Exit> {
    let BackArgs { symbol, universe, json } = args;
    let taken = pins::take_back(&context.database()?, kind, symbol, universe).await?;
    let stored = taken.map_err(|others| nothing_to_take_back(kind, symbol, universe, &others))?;
    if *json {
        return screen::print_json(&json!(stored));
    }
    let (symbol, how) = (&stored.pin.symbol, preposition(kind));
    screen::print(&format!(
        "{symbol} is no longer {how} {universe}; from the next sync on the rules decide\n"
    ))
}

fn nothing_to_take_back(kind: PinKind, symbol: &str, universe: &str, others: &[StoredPin]) -> Exit {
    let what: Vec<String> = others
        .iter()
        .map(|other| format!("{} {}", preposition(other.pin.kind), other.pin.universe))
        .collect();
    let hint = if what.is_empty() {
        "`cache-sync pins` lists what is".to_owned()
    } else {
        format!("but {}", what.join(", "))
    };
    Exit::NotDone(format!("{symbol} is not {} {universe}; {hint}", preposition(kind)))
}

/// `ACME is pinned to large_cap until 2026-07-31: its shares lag`.
fn sentence(pin: &Pin) -> String {
    let until = pin.until.map_or_else(String::new, |until| format!(" until {until}"));
    format!("{} is {} {}{until}: {}", pin.symbol, preposition(pin.kind), pin.universe, pin.reason)
}

fn preposition(kind: PinKind) -> &'static str {
    match kind {
        PinKind::Pin => "pinned to",
        PinKind::Ban => "banned from",
    }
}

fn undo(kind: PinKind) -> &'static str {
    match kind {
        PinKind::Pin => "unpin",
        PinKind::Ban => "unban",
    }
}

/// A table of pins and bans; those that are over are dim.
fn render(stored: &[StoredPin], today: NaiveDate, style: &Style) -> String {
    if stored.is_empty() {
        return "nothing is pinned or banned\n".to_owned();
    }
    let mut table = Table::new(["UNIVERSE", "SYMBOL", "KIND", "UNTIL", "SINCE", "BY", "REASON"]);
    for StoredPin { pin, created_at, created_by } in stored {
        let ink = match pin.kind {
            _ if !pin.is_in_force(today) => Ink::Dim,
            PinKind::Pin => Ink::Green,
            PinKind::Ban => Ink::Red,
        };
        table.row([
            Cell::new(ink, pin.universe.as_str()),
            Cell::new(ink, pin.symbol.as_str()),
            Cell::new(ink, pin.kind.as_str()),
            until(pin, today).into(),
            day(*created_at).into(),
            created_by.as_str().into(),
            pin.reason.as_str().into(),
        ]);
    }
    table.render(style)
}

fn until(pin: &Pin, today: NaiveDate) -> String {
    match pin.until {
        None => "for ever".to_owned(),
        Some(until) if !pin.is_in_force(today) => format!("{until}, over"),
        Some(until) => until.to_string(),
    }
}

fn day(at: DateTime<Utc>) -> String {
    new_york_date(at).to_string()
}

/// Whoever has logged in; behind `sudo`, whoever had before.
fn whoever_this_is() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|user| !user.trim().is_empty());
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| named(name))
        .unwrap_or_else(|| SOMEBODY.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::symbol::Symbol;
    use crate::domain::universe::UniverseName;

    fn stored(kind: PinKind, symbol: &str, universe: &str, until: Option<&str>) -> StoredPin {
        let pin = Pin {
            kind,
            symbol: Symbol::parse(symbol).expect("a symbol"),
            universe: UniverseName::known(universe),
            reason: "its shares lag".to_owned(),
            until: until.map(|date| date.parse().expect("a date")),
        };
        let created_at = "2026-07-21T21:00:00Z".parse().expect("a time");
        StoredPin { pin, created_at, created_by: "admin".to_owned() }
    }

    #[test]
    fn pins_stand_in_a_table() {
        let all = [
            stored(PinKind::Pin, "ACME", "large_cap", Some("2026-07-31")),
            stored(PinKind::Ban, "BRK/B", "top_500", None),
            stored(PinKind::Pin, "OLDE", "top_100", Some("2026-07-20")),
        ];
        let today = "2026-07-21".parse().expect("a date");
        insta::assert_snapshot!(render(&all, today, &Style::PLAIN), @r"
        UNIVERSE   SYMBOL  KIND  UNTIL             SINCE       BY     REASON
        large_cap  ACME    pin   2026-07-31        2026-07-21  admin  its shares lag
        top_500    BRK/B   ban   for ever          2026-07-21  admin  its shares lag
        top_100    OLDE    pin   2026-07-20, over  2026-07-21  admin  its shares lag
        ");
        assert_eq!(render(&[], today, &Style::PLAIN), "nothing is pinned or banned\n");
    }

    #[test]
    fn what_became_of_a_wish_is_told_in_a_sentence() {
        let told = |kind, decided| told(kind, "acme", "large_cap", decided);
        let pin = || stored(PinKind::Pin, "ACME", "large_cap", Some("2026-07-31"));
        let written = |replaced, idle| Decided::Written { stored: pin(), replaced, idle };
        let (_, text, remark) = told(PinKind::Pin, written(None, None)).expect("written");
        assert_eq!(
            text,
            "ACME is pinned to large_cap until 2026-07-31: its shares lag; it counts from the next sync on"
        );
        assert_eq!(remark, None);
        let old = stored(PinKind::Pin, "ACME", "large_cap", None);
        let idle = Some("ACME is pinned to large_cap, but is no longer active".to_owned());
        let (_, text, remark) = told(PinKind::Pin, written(Some(old), idle)).expect("written");
        assert!(text.contains(", in place of: pinned by hand: its shares lag; it counts"), "{text}");
        assert_eq!(
            remark.as_deref(),
            Some(
                "warning: ACME is pinned to large_cap, but is no longer active; it has no effect as things stand"
            )
        );
        let refused =
            |decided| told(PinKind::Ban, decided).expect_err("refused").message().map(ToOwned::to_owned);
        assert_eq!(
            refused(Decided::InTheWay(pin())).as_deref(),
            Some(
                "ACME can't be banned from large_cap: ACME is pinned to large_cap until 2026-07-31: its shares lag; \
                 first take that back: cache-sync unpin ACME large_cap"
            )
        );
        assert_eq!(
            refused(Decided::UnknownSymbol { nearest: Some("ACME".to_owned()) }).as_deref(),
            Some("the source has no symbol \"acme\"; did you mean \"ACME\"?")
        );
        assert_eq!(
            nothing_to_take_back(PinKind::Ban, "ACME", "top_100", &[pin()]).message(),
            Some("ACME is not banned from top_100; but pinned to large_cap")
        );
    }
}
