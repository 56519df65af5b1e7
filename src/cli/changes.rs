//! `changes`: who joined and who left, by a job, on a date or since one. Shown as `plan` shows what is to come.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::json;

use crate::domain::job::JobId;
use crate::store::changes::{self, MAX_CHANGES, RecordedChange, RecordedChanges, Scope};

use super::Context;
use super::exit::Exit;
use super::jobs::unknown_job;
use super::screen::{self, Cell, Ink, Style, Table, counted, printable, thousands};

/// Shows who joined and who left which universe: by one job, on one date, or since one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync changes                              (the newest date that was synced)
  cache-sync changes 2026-01-09
  cache-sync changes eod-2026-01-09 top_100
  cache-sync changes --since 2026-01-01 top_100 --all
  cache-sync changes --json | jq -r '.changes[] | [.universe, .action, .symbol, .reason] | @tsv'")]
pub struct ChangesArgs {
    /// A job's id or a date, and a universe; each may be left out
    #[arg(value_name = "JOB_ID | DATE", num_args = 0..=2)]
    of: Vec<String>,
    /// This date and all later ones
    #[arg(long, value_name = "DATE")]
    since: Option<NaiveDate>,
    /// Show every symbol, not only the first ten of a universe
    #[arg(long)]
    all: bool,
    /// Print a JSON object: the jobs, and their changes with reasons
    #[arg(long)]
    json: bool,
}

/// What somebody asks for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    scope: Scope,
    universe: Option<String>,
}

/// Runs `changes`.
pub async fn changes(args: &ChangesArgs, context: &Context) -> Result<(), Exit> {
    let mut client = context.client().await?;
    let of: Vec<&str> = args.of.iter().map(String::as_str).collect();
    let universes = crate::plan::members::universes::Universe::kinds_by_name(&context.settings.policy());
    let is_universe = |name: &str| universes.keys().any(|universe| universe.as_str() == name);
    let question = question(&of, args.since, is_universe)?;
    let found = changes::read(&mut client, &question.scope, question.universe.as_deref()).await?;
    if let (Scope::Job(id), true, true) = (&question.scope, found.syncs.is_empty(), found.changes.is_empty())
    {
        let job = context.service()?.job(id).await?.ok_or_else(|| unknown_job(id.as_str()))?;
        if !job.status.is_final() {
            let text = format!("job {id} is {}, so it has changed nothing yet", job.status);
            return Err(Exit::NotDone(format!("{text}; follow it with: cache-sync status {id} --watch")));
        }
    }
    if args.json {
        return screen::print_json(&json!({
            "jobs": found.syncs, "changes": found.changes, "are_cut": found.are_cut,
        }));
    }
    let lines = if args.all { usize::MAX } else { context.style.lines };
    screen::print(&render(&question, &found, &Style { lines, ..context.style }))
}

/// What the words of the command line ask for. A word that is a date is one; one that is the name of a universe too, and it
/// comes last.
fn question(
    words: &[&str],
    since: Option<NaiveDate>,
    is_universe: impl Fn(&str) -> bool,
) -> Result<Question, Exit> {
    let (of, universe) = match words {
        [] => (None, None),
        [word] if is_universe(word) => (None, Some(*word)),
        [word] => (Some(*word), None),
        [word, universe, ..] => (Some(*word), Some(*universe)),
    };
    let scope = match (of, since) {
        (None, None) => Scope::Newest,
        (None, Some(since)) => Scope::Since(since),
        (Some(word), Some(_)) => {
            return Err(Exit::Usage(format!(
                "--since goes with a universe only, and {word:?} is none of ours; cache-sync universes lists them"
            )));
        }
        (Some(word), None) => match word.parse() {
            Ok(date) => Scope::Date(date),
            Err(_) => Scope::Job(JobId::parse(word).ok_or_else(|| unknown_job(word))?),
        },
    };
    Ok(Question { scope, universe: universe.map(ToOwned::to_owned) })
}

/// The changes for a person: first how many, then whose, by date and universe.
fn render(question: &Question, found: &RecordedChanges, style: &Style) -> String {
    let mut text = format!("{}\n", style.paint(Ink::Bold, &verdict(question, found)));
    if question.universe.is_none() {
        for sync in &found.syncs {
            text += &format!("  {}  {}\n", style.paint(Ink::Dim, &sync.job_id), printable(&sync.digest));
        }
    }
    let mut by_universe: BTreeMap<(NaiveDate, &str), Vec<&RecordedChange>> = BTreeMap::new();
    for change in &found.changes {
        by_universe.entry((change.as_of, &change.universe)).or_default().push(change);
    }
    let dates: std::collections::BTreeSet<NaiveDate> = by_universe.keys().map(|(date, _)| *date).collect();
    for ((date, universe), changes) in by_universe {
        let date = if dates.len() > 1 { format!("{date}  ") } else { String::new() };
        text +=
            &format!("\n{}{}\n", style.paint(Ink::Dim, &date), style.paint(Ink::Bold, &printable(universe)));
        text += &render_universe(&changes, style);
    }
    if found.are_cut {
        let most = thousands(MAX_CHANGES as u64);
        text +=
            &format!("\nOnly the first {most} changes are shown; ask for a shorter time or one universe.\n");
    }
    text
}

/// `2026-01-09: 68 changes in 11 universes; 5 held`.
fn verdict(question: &Question, found: &RecordedChanges) -> String {
    let changes = found.changes.iter().filter(|change| change.symbol.is_some()).count();
    let held = found.changes.len() - changes;
    let universes: std::collections::BTreeSet<&str> = found
        .changes
        .iter()
        .filter(|change| change.symbol.is_some())
        .map(|change| &*change.universe)
        .collect();
    let what = match (&question.universe, changes) {
        (_, 0) => "no memberships changed".to_owned(),
        (Some(_), _) => counted(changes, "change", "changes"),
        (None, _) => format!(
            "{} in {}",
            counted(changes, "change", "changes"),
            counted(universes.len(), "universe", "universes")
        ),
    };
    let place = question.universe.as_ref().map(|universe| format!(" in {universe}")).unwrap_or_default();
    let held = if held == 0 { String::new() } else { format!("; held {}", times(held)) };
    let synced = found.syncs.last().map(|sync| sync.as_of);
    match (&question.scope, synced) {
        (Scope::Newest, None) => {
            "nothing has been synced yet; ask for it with: cache-sync submit --wait".to_owned()
        }
        (Scope::Newest, Some(date)) => format!("{date}{place}: {what}{held}"),
        (Scope::Job(id), Some(date)) => format!("job {id}, for {date}{place}: {what}{held}"),
        (Scope::Job(id), None) => format!("job {id}{place}: {what}{held}"),
        (Scope::Date(date), None) if found.changes.is_empty() => {
            format!("{date}{place}: no job of that date is known, and no change")
        }
        (Scope::Date(date), _) => format!("{date}{place}: {what}{held}"),
        (Scope::Since(date), _) => format!("since {date}{place}: {what}{held}"),
    }
}

fn times(number: usize) -> String {
    counted(number, "time", "times")
}

/// The changes of one universe: who joined, who left, who goes by another symbol, and what was held back.
fn render_universe(changes: &[&RecordedChange], style: &Style) -> String {
    let mut table = Table::new(["", ""]);
    for (action, sign, ink) in [
        ("added", "+", Ink::Green),
        ("removed", "-", Ink::Red),
        ("renamed", "~", Ink::Yellow),
        ("held", "!", Ink::Yellow),
    ] {
        let of_action: Vec<_> = changes.iter().filter(|change| change.action == action).collect();
        for change in of_action.iter().take(style.lines) {
            let symbol = change.symbol.as_deref().unwrap_or_default();
            table.row([
                Cell::new(ink, format!("  {sign} {symbol}").trim_end().to_owned()),
                why(change).into(),
            ]);
        }
        let rest = of_action.len().saturating_sub(style.lines);
        if rest > 0 {
            let more = format!("and {} more (--all)", thousands(rest as u64));
            table.row([Cell::new(ink, format!("  {sign} ...")), Cell::new(Ink::Dim, more)]);
        }
    }
    table.render(style)
}

fn why(change: &RecordedChange) -> String {
    let RecordedChange { reason, renamed_from, why, would_join, would_leave, .. } = change;
    if change.action == "held" {
        return format!("held: {reason} ({would_join} would join, {would_leave} leave)");
    }
    let from = renamed_from.as_ref().map(|from| format!("was {from}"));
    match (why, from) {
        (_, Some(from)) => from,
        // Where a job undid another, or a person decided, the reason says more than the rule.
        (Some(why), None) if !why.is_empty() => why.clone(),
        _ => reason.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::changes::RecordedSync;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn asked(words: &[&str], since: Option<&str>) -> Result<(Scope, Option<String>), Exit> {
        let asked = question(words, since.map(date), |name| name == "top_100");
        asked.map(|Question { scope, universe }| (scope, universe))
    }

    #[test]
    fn a_word_is_a_date_a_universe_or_a_job() {
        let job = |id: &str| Scope::Job(JobId::parse(id).expect("an id"));
        let top = || Some("top_100".to_owned());
        assert_eq!(asked(&[], None), Ok((Scope::Newest, None)));
        assert_eq!(asked(&["top_100"], None), Ok((Scope::Newest, top())));
        assert_eq!(asked(&["2026-01-09"], None), Ok((Scope::Date(date("2026-01-09")), None)));
        assert_eq!(asked(&["eod-2026-01-09", "top_100"], None), Ok((job("eod-2026-01-09"), top())));
        assert_eq!(asked(&["top_100"], Some("2026-01-01")), Ok((Scope::Since(date("2026-01-01")), top())));
        assert_eq!(asked(&["a:b"], None).expect_err("no id").code(), 1);
        assert_eq!(asked(&["eod"], Some("2026-01-01")).expect_err("both").code(), 2);
    }

    fn change(universe: &str, action: &str, symbol: &str, why: &str) -> RecordedChange {
        RecordedChange {
            job_id: "eod-2026-01-09".to_owned(),
            as_of: date("2026-01-09"),
            universe: universe.to_owned(),
            symbol: Some(symbol.to_owned()).filter(|symbol| !symbol.is_empty()),
            action: action.to_owned(),
            reason: if action == "held" {
                "31 of 712 would change".to_owned()
            } else {
                "rank_out".to_owned()
            },
            renamed_from: (action == "renamed").then(|| "FB".to_owned()),
            why: Some(why.to_owned()).filter(|why| !why.is_empty()),
            rank: None,
            cap: None,
            would_join: 12,
            would_leave: 19,
        }
    }

    #[test]
    fn changes_are_shown_by_universe_after_their_number() {
        let found = RecordedChanges {
            syncs: vec![RecordedSync {
                job_id: "eod-2026-01-09".to_owned(),
                as_of: date("2026-01-09"),
                mode: "full".to_owned(),
                digest: "NVDA joins top_10".to_owned(),
            }],
            changes: vec![
                change("top_100", "added", "NVDA", "rank 3"),
                change("top_100", "added", "AMD", "rank 90"),
                change("top_100", "added", "KO", "rank 99"),
                change("top_100", "removed", "F", ""),
                change("ai", "renamed", "META", ""),
                change("large_cap", "held", "", ""),
            ],
            are_cut: false,
        };
        let newest = Question { scope: Scope::Newest, universe: None };
        insta::assert_snapshot!(render(&newest, &found, &Style { lines: 2, ..Style::PLAIN }), @r"
        2026-01-09: 5 changes in 2 universes; held 1 time
          eod-2026-01-09  NVDA joins top_10

        ai
          ~ META  was FB

        large_cap
          !  held: 31 of 712 would change (12 would join, 19 leave)

        top_100
          + NVDA  rank 3
          + AMD   rank 90
          + ...   and 1 more (--all)
          - F     rank out
        ");
        let nothing = RecordedChanges::default();
        assert_eq!(
            render(&newest, &nothing, &Style::PLAIN),
            "nothing has been synced yet; ask for it with: cache-sync submit --wait\n"
        );
        let quiet = Question { scope: Scope::Date(date("2026-01-10")), universe: None };
        assert_eq!(
            render(&quiet, &nothing, &Style::PLAIN),
            "2026-01-10: no job of that date is known, and no change\n"
        );
    }
}
