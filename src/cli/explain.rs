//! `explain`: why a symbol is in a universe or is not, with numbers.

use serde_json::json;

use crate::domain::money::Usd;
use crate::plan::explain::{Explanation, Outlook, StandingWord, Subject, Verdict};
use crate::service::{self, Answer, Question};
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
    let answer = service::explain(&database, &context.settings, question, Limits::default(), now()).await?;
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
    let mut table = Table::new(["UNIVERSE", "#PLACE", "SINCE", "WHY"]);
    for verdict in &explanation.universes {
        let ink = if verdict.is_member { Ink::Green } else { Ink::Dim };
        table.row([
            Cell::new(ink, verdict.universe.as_str()),
            verdict.rank.map_or_else(|| "not in".to_owned(), screen::thousands).into(),
            since(verdict).into(),
            why(verdict),
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
        let basis = &subject.sector_basis;
        let none = || format!("none known: {basis}");
        let sector = subject.sector.map_or_else(none, |sector| format!("{}, {basis}", sector.title()));
        table.row(["  sector".into(), sector.into()]);
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

fn why(verdict: &Verdict) -> Cell {
    let differs = match verdict.outlook {
        Outlook::StaysIn | Outlook::StaysOut => return verdict.why.as_str().into(),
        Outlook::WouldJoin => "a sync would add it now",
        Outlook::WouldLeave => "a sync would remove it now",
        Outlook::HeldIn => "held in",
        Outlook::HeldOut => "held out",
    };
    Cell::new(Ink::Yellow, format!("{differs}: {}", verdict.why))
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

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::domain::symbol::Symbol;
    use crate::domain::task::SyncTask;
    use crate::domain::universe::{CacheType, UniverseName};
    use crate::plan::explain::{Check, PastMembership};

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn verdict(name: &str, rank: Option<usize>, outlook: Outlook, why: &str) -> Verdict {
        Verdict {
            universe: UniverseName::known(name),
            cache_type: CacheType::MarketCap,
            task: SyncTask::MarketCapRecalculation,
            is_member: rank.is_some(),
            rank,
            valid_from: rank.map(|_| date("2026-03-02")),
            entry_reason: rank.map(|_| "rule".to_owned()),
            entry_evidence: rank.map(|_| "cap 10.21B, large_cap starts at 10B".to_owned()),
            last_membership: None,
            outlook,
            hold: None,
            why: why.to_owned(),
            checks: vec![Check {
                check: "bounds",
                is_met: outlook.is_wanted(),
                text: why.to_owned(),
                remedy: String::new(),
            }],
            to_change: "to stay: a cap of 10B (3.0 % more)".to_owned(),
        }
    }

    fn explanation() -> Explanation {
        let short = "9.71B, large_cap starts at 10B, 3.0 % short";
        let held = Verdict {
            hold: Some("5 of 20 members of top_100 would join or leave; submit --accept-churn".to_owned()),
            ..verdict("top_100", None, Outlook::HeldOut, "rank 99, 1.2 % above rank 101")
        };
        let left = Verdict {
            last_membership: Some(PastMembership {
                valid_from: date("2026-01-05"),
                valid_to: date("2026-02-06"),
                exit_reason: Some("rule".to_owned()),
            }),
            ..verdict("small_cap", None, Outlook::StaysOut, "9.71B, small_cap ends at 2B, 385.5 % above")
        };
        Explanation {
            as_of: date("2026-03-03"),
            subject: Subject {
                symbol: Symbol::parse("ACME").expect("a symbol"),
                name: Some("Acme\u{1b}[31m Corp".to_owned()),
                kind: Some("CS".to_owned()),
                standing: StandingWord::Eligible,
                market_cap: Usd::from_decimal(9_710_000_000_i64.into()),
                market_cap_basis: "close 97.1 of 2026-03-03 x 100,000,000 shares".to_owned(),
                rank: Some(99),
                ranked: 4_066,
                sector: None,
                sector_basis: "it has neither text nor SIC code".to_owned(),
                list_date: None,
                remarks: vec!["2 rows of symbols are this symbol: ACME counts, not ACME".to_owned()],
            },
            refused: None,
            universes: vec![
                verdict("large_cap", Some(700), Outlook::WouldLeave, short),
                verdict("mid_cap", None, Outlook::WouldJoin, short),
                held,
                left,
            ],
        }
    }

    #[test]
    fn what_a_sync_would_change_and_what_is_held_stand_out() {
        insta::assert_snapshot!(render_all(&explanation(), &Style::PLAIN), @r"
        ACME  Acme [31m Corp
          as of   2026-03-03
          type    CS, an eligible stock
          cap     9.71B, close 97.1 of 2026-03-03 x 100,000,000 shares; rank 99 of 4,066
          sector  none known: it has neither text nor SIC code
          !       2 rows of symbols are this symbol: ACME counts, not ACME

        UNIVERSE    PLACE  SINCE            WHY
        large_cap     700  2026-03-02       a sync would remove it now: 9.71B, large_cap starts at 10B, 3.0 % short
        mid_cap    not in                   a sync would add it now: 9.71B, large_cap starts at 10B, 3.0 % short
        top_100    not in                   held out: rank 99, 1.2 % above rank 101
        small_cap  not in  left 2026-02-06  9.71B, small_cap ends at 2B, 385.5 % above

        !  top_100 held: 5 of 20 members of top_100 would join or leave; submit --accept-churn
        ");
    }

    #[test]
    fn one_universe_is_told_with_all_that_it_takes() {
        let mut explanation = explanation();
        explanation.universes.truncate(1);
        explanation.refused = Some("active_drop: 15 active stocks".to_owned());
        insta::assert_snapshot!(render_one(&explanation, &Style::PLAIN), @r"
        ACME  Acme [31m Corp
          as of   2026-03-03
          type    CS, an eligible stock
          cap     9.71B, close 97.1 of 2026-03-03 x 100,000,000 shares; rank 99 of 4,066
          sector  none known: it has neither text nor SIC code
          !       2 rows of symbols are this symbol: ACME counts, not ACME

        large_cap
          now       a member, place 700, since 2026-03-02 by rule: cap 10.21B, large_cap starts at 10B
          a sync    would remove it now
          why       9.71B, large_cap starts at 10B, 3.0 % short
          it takes  - 9.71B, large_cap starts at 10B, 3.0 % short
          to stay   a cap of 10B (3.0 % more)

        !  a sync would be refused: active_drop: 15 active stocks
        ");
    }

    #[test]
    fn the_json_has_the_names_of_columns() {
        let mut explanation = explanation();
        explanation.universes.truncate(1);
        insta::assert_snapshot!(json!(explanation), @r#"{"as_of":"2026-03-03","symbol":"ACME","name":"Acme\u001b[31m Corp","type":"CS","standing":"eligible","market_cap":"9710000000.00","market_cap_basis":"close 97.1 of 2026-03-03 x 100,000,000 shares","rank":99,"ranked":4066,"sector":null,"sector_basis":"it has neither text nor SIC code","list_date":null,"remarks":["2 rows of symbols are this symbol: ACME counts, not ACME"],"refused":null,"universes":[{"universe":"large_cap","cache_type":"market_cap","task":"market_cap_recalculation","is_member":true,"rank":700,"valid_from":"2026-03-02","entry_reason":"rule","entry_evidence":"cap 10.21B, large_cap starts at 10B","last_membership":null,"outlook":"would_leave","hold":null,"why":"9.71B, large_cap starts at 10B, 3.0 % short","checks":[{"check":"bounds","is_met":false,"text":"9.71B, large_cap starts at 10B, 3.0 % short"}],"to_change":"to stay: a cap of 10B (3.0 % more)"}]}"#);
    }
}
