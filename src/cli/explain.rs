//! `explain`: why a symbol is in a universe or is not, with numbers.

use serde_json::json;

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::plan::explain::{Explanation, Outlook, StandingWord, Subject, Verdict};
use crate::requests::{self, Answer, Question};
use crate::store::Limits;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Explains why a symbol is in a universe or is not: the rule, the evidence, the distance to the boundary
///
/// Tells both what stands in the universes now and what the rules would decide on the newest complete date: where a sync
/// would add or remove the symbol, or a guard holds the universe, it says so. Without a universe it goes through all of
/// them, those that the symbol is in first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync explain NVDA
  cache-sync explain BRK.B top_100
  cache-sync explain NVDA --json | jq -r '.universes[] | select(.is_member) | [.universe, .why] | @tsv'")]
pub struct ExplainArgs {
    /// The symbol; / - . are one
    symbol: String,
    /// The one universe to explain in detail
    universe: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `explain`.
pub async fn explain(args: &ExplainArgs, context: &Context) -> Result<(), Exit> {
    let ExplainArgs { symbol, universe, json } = args;
    let question = Question { symbol: symbol.clone(), universe: universe.clone() };
    let database = context.database()?;
    let answer = requests::explain(&database, &context.settings, question, Limits::default(), now()).await?;
    let explanation = match answer {
        Answer::Explained(explanation) => explanation,
        Answer::UnknownSymbol { nearest } => return Err(unknown_symbol(symbol, nearest.as_deref())),
        Answer::UnknownUniverse { nearest } => {
            return Err(unknown_universe(universe.as_deref().unwrap_or_default(), nearest.as_deref()));
        }
        Answer::Refused(refusal) => {
            return Err(Exit::NotDone(format!("there is no market to look at: {refusal}")));
        }
    };
    if *json {
        screen::print_json(&json!(explanation))
    } else if universe.is_some() {
        screen::print(&render_one(&explanation, &context.style))
    } else {
        screen::print(&render_all(&explanation, &context.style))
    }
}

fn unknown_symbol(symbol: &str, nearest: Option<&str>) -> Exit {
    let hint = nearest.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    Exit::NotDone(format!("neither the source nor history knows a symbol {symbol:?}{hint}"))
}

fn unknown_universe(universe: &str, nearest: Option<&str>) -> Exit {
    let hint = match nearest {
        Some(near) => format!("did you mean {near:?}?"),
        None => "`cache-sync universes` lists them all".to_owned(),
    };
    Exit::NotDone(format!("there is no universe {universe:?} of ours; {hint}"))
}

/// A line for each universe.
pub fn render_all(explanation: &Explanation, style: &Style) -> String {
    let mut table = Table::new(["UNIVERSE", "#PLACE", "SINCE", "A SYNC NOW", "WHY"]);
    for verdict in &explanation.universes {
        let ink = if verdict.is_member { Ink::Green } else { Ink::Dim };
        table.row([
            Cell::new(ink, verdict.universe.as_str()),
            verdict.rank.map_or_else(|| "not in".to_owned(), screen::thousands).into(),
            since(verdict).into(),
            Cell::new(Ink::Yellow, in_short(verdict.outlook)),
            verdict.why.as_str().into(),
        ]);
    }
    format!("{}\n{}{}", heading(explanation, style), table.render(style), holds(explanation, style))
}

/// Everything about the universes of the explanation, of which there is one.
pub fn render_one(explanation: &Explanation, style: &Style) -> String {
    let mut text = heading(explanation, style);
    for verdict in &explanation.universes {
        text += &format!("\n{}\n", style.paint(Ink::Bold, verdict.universe.as_str()));
        let mut table = Table::new(["", ""]);
        table.row(["  now".into(), membership(verdict).into()]);
        table.row(["  a sync".into(), in_full(verdict.outlook).into()]);
        table.row(["  why".into(), verdict.why.as_str().into()]);
        for (place, check) in verdict.checks.iter().enumerate() {
            let (ink, sign) = if check.is_met { (Ink::Green, '+') } else { (Ink::Red, '-') };
            let label = if place == 0 { "  it takes" } else { "" };
            table.row([label.into(), Cell::new(ink, format!("{sign} {}", check.text))]);
        }
        if let Some((label, change)) = verdict.to_change.split_once(": ") {
            table.row([format!("  {label}").into(), change.into()]);
        }
        text += &table.render(style);
    }
    text + &holds(explanation, style)
}

/// Who it is.
fn heading(explanation: &Explanation, style: &Style) -> String {
    let subject = &explanation.subject;
    let mut table = Table::new(["", ""]);
    table.row(["  as of".into(), explanation.as_of.to_string().into()]);
    table.row(["  type".into(), kind(subject).into()]);
    if subject.standing != StandingWord::Missing {
        table.row(["  cap".into(), cap(subject).into()]);
    }
    if subject.standing == StandingWord::Eligible {
        let sector = subject.sector.map_or_else(|| "none known".to_owned(), Sector::title);
        table.row(["  sector".into(), format!("{sector}, {}", subject.sector_basis).into()]);
    }
    for remark in &subject.remarks {
        table.row([Cell::new(Ink::Yellow, "  !"), Cell::new(Ink::Yellow, remark)]);
    }
    let name = subject.name.as_deref().unwrap_or_default();
    let symbol = style.paint(Ink::Bold, &screen::printable(subject.symbol.as_str()));
    let line = format!("{symbol}  {}", style.paint(Ink::Dim, &screen::printable(name)));
    format!("{}\n{}", line.trim_end(), table.render(style))
}

fn kind(subject: &Subject) -> String {
    let standing = match subject.standing {
        StandingWord::Eligible => "an eligible stock",
        StandingWord::Fund => "an exchange-traded product",
        StandingWord::OtherType => "in no universe",
        StandingWord::ActivityUnknown => "active is empty, so in no universe",
        StandingWord::Delisted => "it no longer trades",
        StandingWord::Missing => return "no row in symbols".to_owned(),
    };
    let listed = subject.list_date.map_or_else(String::new, |date| format!(", listed {date}"));
    format!("{}, {standing}{listed}", subject.kind.as_deref().unwrap_or_default())
}

fn cap(subject: &Subject) -> String {
    let cap = subject.market_cap.map_or_else(String::new, |cap| format!("{}, ", Usd::short(cap)));
    let rank = subject.rank.map_or_else(String::new, |rank| {
        format!("; rank {} of {}", screen::thousands(rank), screen::thousands(subject.ranked))
    });
    format!("{cap}{}{rank}", subject.market_cap_basis)
}

fn since(verdict: &Verdict) -> String {
    match (verdict.valid_from, &verdict.last_membership) {
        (Some(date), _) => date.to_string(),
        (None, Some(last)) if !verdict.is_member => format!("left {}", last.valid_to),
        (None, _) => String::new(),
    }
}

fn in_short(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::StaysIn | Outlook::StaysOut => "",
        Outlook::WouldJoin => "adds it",
        Outlook::WouldLeave => "removes it",
        Outlook::HeldIn => "held in",
        Outlook::HeldOut => "held out",
    }
}

fn in_full(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::StaysIn | Outlook::StaysOut => "would not change that",
        Outlook::WouldJoin => "would add it now",
        Outlook::WouldLeave => "would remove it now",
        Outlook::HeldIn => "would leave it in, though the rules want it out",
        Outlook::HeldOut => "would leave it out, though the rules want it in",
    }
}

fn membership(verdict: &Verdict) -> String {
    let past = verdict.last_membership.as_ref().map_or_else(String::new, |last| {
        let reason = last.exit_reason.as_deref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("; it was one from {} to {}{reason}", last.valid_from, last.valid_to)
    });
    let Some(place) = verdict.rank else { return format!("no member{past}") };
    let since = verdict.valid_from.map_or_else(String::new, |date| format!(", since {date}"));
    let reason = verdict.entry_reason.as_deref().map_or_else(String::new, |reason| format!(" by {reason}"));
    let evidence =
        verdict.entry_evidence.as_deref().map_or_else(String::new, |evidence| format!(": {evidence}"));
    format!("a member, place {}{since}{reason}{evidence}{past}", screen::thousands(place))
}

/// Why nothing moves where the rules want something moved.
fn holds(explanation: &Explanation, style: &Style) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for verdict in &explanation.universes {
        let Some(reason) = verdict.hold.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, universes)) => universes.push(verdict.universe.as_str()),
            None => reasons.push((reason, vec![verdict.universe.as_str()])),
        }
    }
    let mut table = Table::new(["", ""]);
    if let Some(refused) = &explanation.refused {
        table.row([
            Cell::new(Ink::Yellow, "!"),
            Cell::new(Ink::Yellow, format!("a sync would be refused: {refused}")),
        ]);
    }
    for (reason, universes) in reasons {
        let sentence = format!("{} held: {reason}", universes.join(", "));
        table.row([Cell::new(Ink::Yellow, "!"), Cell::new(Ink::Yellow, sentence)]);
    }
    let text = table.render(style);
    if text.is_empty() { text } else { format!("\n{text}") }
}
