//! `replay`: past days decided again, a line each, with what the guards measured. A table of what was measured over all
//! of them follows, so that somebody who moves a bound sees which days it would have stopped.
//!
//! Lines come as the days are decided: a replay of years takes minutes. So columns are of a fixed width.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::domain::task::Mode;
use crate::domain::universe::CacheType;
use crate::plan::draft::measure::{Guard, Measure};
use crate::plan::given::policy::{Guards, Policy};
use crate::plan::market::screening::QUARANTINED;
use crate::plan::replay::Decided;
use crate::plan::replay::history::Chronicle;
use crate::plan::replay::stats::{self, Moves, Sample, Tally};
use crate::plan::result::{Plan, PlannedUniverse, held_by_reason};
use crate::service::replay::{self as replaying, Backfilled, ReplayOrder, Turn};
use crate::store::read::past::Known;

use super::exit::Exit;
use super::plan::plan_json;
use super::screen::{self, Cell, Ink, Style, Table, counted};
use super::submit::mode_parser;
use super::{Context, now};

/// Decides past days again, and shows what would have changed, been held or been refused
///
/// Every trading day from the first to the last is decided as a sync would have decided it, on the universes that the
/// day before left behind; the first day begins with what history has of the evening before it, or with nothing. Nothing
/// is written, and no job waits for it. To try other settings, change them and run it again: the fingerprint of the
/// rules in force is shown.
///
/// Closes are those of the day. The table of symbols is only as it is today, so the past is made of it as far as there
/// is evidence: delisted securities trade until their delisted_date, without one until their last close; nothing is there
/// before its list_date, without one before its first close. Shares and sectors are those that the kept run of the day
/// saw (the last 30 runs are kept), or the last one before it; without such, those of today. A stored market cap moves
/// with the price. Types, names, codes and the assets of funds are those of today. So where closes are not adjusted for
/// splits, a split since then shows as a wrong cap before it, unless a run of that time is kept.
///
/// With --backfill what was decided becomes history, for `universes NAME --as-of` and backtests: only for days before
/// all that history tells of, with nothing changed that exists, in one transaction, as a job of its own. Memberships that
/// are left at the end lead up to the first recorded date and end there with reason `rule`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: memberships that changed, by kind of universe; then the largest share that each guard measured, as near to its
bound (the line below the headings) as any of the day; ! marks what was too much.

Examples:
  cache-sync replay --from 2026-01-02 --to 2026-03-31
  cache-sync replay --from 2026-01-02 --to 2026-03-31 --set guards.tier_churn_pct=12
  cache-sync replay --from 2026-03-02 --to 2026-03-02 --all
  cache-sync replay --from 2025-01-02 --to 2025-12-31 --backfill
  cache-sync replay --from 2025-01-02 --to 2025-12-31 --json | jq -c 'select(.status == \"refused\")'")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct ReplayArgs {
    /// The first day
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,
    /// The last day
    #[arg(long, value_name = "DATE")]
    to: NaiveDate,
    /// What to decide
    #[arg(long, default_value = "full", value_parser = mode_parser())]
    mode: Mode,
    /// Believe changes that the size guards would hold back
    #[arg(long)]
    accept_churn: bool,
    /// Write the decided days as history, marked as reconstructed; only before all that history tells of
    #[arg(long)]
    backfill: bool,
    /// Also show every symbol that joins or leaves
    #[arg(long)]
    all: bool,
    /// Print a JSON object a line for each day, and one with the summary
    #[arg(long)]
    json: bool,
}

/// Runs `replay`.
pub async fn replay(args: &ReplayArgs, context: &Context) -> Result<(), Exit> {
    let ReplayArgs { from, to, mode, accept_churn, backfill, all, json } = *args;
    if from > to {
        return Err(Exit::Usage(format!("--from {from} is after --to {to}")));
    }
    let order = ReplayOrder { from, to, mode, accept_churn };
    if !order.has_session() {
        return Err(Exit::Usage(format!("there is no trading day from {from} to {to}")));
    }
    let database = context.database()?;
    if backfill {
        // Said before the work rather than after it.
        replaying::check_backfill(&order, replaying::history_begins(&database).await?)
            .map_err(Exit::NotDone)?;
    }
    let mut display = Display::new(context.style, all, json);
    let mut chronicle = Chronicle::default();
    let securities = replaying::replay(&database, &context.settings, &order, |turn| {
        if let Turn::Day { decided: Decided::Planned(plan), .. } = &turn {
            // Ten years of changes are not kept for nothing.
            if backfill {
                chronicle.add(plan);
            }
        }
        display.show(&turn)
    })
    .await?;
    let fingerprint = display.header.fingerprint.clone();
    display.end(&order, backfill)?;
    if !backfill {
        return Ok(());
    }
    let written = replaying::backfill(&database, &order, chronicle, &securities, &fingerprint, now()).await?;
    say_written(&written.map_err(Exit::NotDone)?, json)
}

/// What became of it all.
fn say_written(written: &Backfilled, json: bool) -> Result<(), Exit> {
    let Backfilled { job_id, memberships, changes, recorded_from } = written;
    if json {
        let backfilled = json!({
            "job_id": job_id, "memberships": memberships, "changes": changes, "recorded_from": recorded_from,
        });
        return screen::print(&format!("{}\n", json!({"backfilled": backfilled})));
    }
    screen::print(&format!(
        "Written: {} up to {recorded_from}, and {} of the audit, by job {job_id}.\n",
        counted(*memberships, "reconstructed membership", "reconstructed memberships"),
        counted(*changes, "line", "lines")
    ))
}

/// What is shown while a replay goes on, and counted for its end.
struct Display {
    style: Style,
    all: bool,
    json: bool,
    bar: ProgressBar,
    tally: Tally,
    header: Header,
    /// How printing went.
    printed: Result<(), Exit>,
}

/// What the days were decided by and on.
#[derive(Debug, Default)]
struct Header {
    fingerprint: String,
    guards: Guards,
    known: Known,
}

impl Display {
    fn new(style: Style, all: bool, json: bool) -> Self {
        // Nothing where standard error is no terminal.
        let bar = ProgressBar::new(0);
        if let Ok(look) = ProgressStyle::with_template("{bar:30} {pos} of {len} days  {elapsed}, {eta} left")
        {
            bar.set_style(look);
        }
        let (tally, header) = (Tally::default(), Header::default());
        Self { style, all, json, bar, tally, header, printed: Ok(()) }
    }

    /// Shows a turn of the replay; whether to go on.
    fn show(&mut self, turn: &Turn<'_>) -> bool {
        let text = match turn {
            Turn::Begins { policy, known, days } => {
                self.bar.set_length(*days as u64);
                self.header = Header::of(policy, known);
                if self.json { String::new() } else { headings(&self.header.guards, &self.style) }
            }
            Turn::Day { date, decided } => {
                self.tally.add(*date, decided);
                self.bar.inc(1);
                if self.json {
                    format!("{}\n", day_json(*date, decided, self.all))
                } else {
                    render_day(*date, decided, self.all, &self.style)
                }
            }
        };
        self.printed = self.bar.suspend(|| screen::print(&text));
        self.printed.is_ok()
    }

    fn end(self, order: &ReplayOrder, is_written: bool) -> Result<(), Exit> {
        self.bar.finish_and_clear();
        self.printed?;
        if self.json {
            screen::print(&format!("{}\n", summary_json(order, is_written, &self.header, &self.tally)))
        } else {
            screen::print(&render_summary(order, is_written, &self.header, &self.tally, &self.style))
        }
    }
}

impl Header {
    fn of(policy: &Policy, known: &Known) -> Self {
        Self { fingerprint: policy.fingerprint(), guards: policy.guards.clone(), known: known.clone() }
    }
}

/// The kinds of universes that have a column, and its heading.
const KINDS: [(CacheType, &str); 7] = [
    (CacheType::MarketCap, "TIERS"),
    (CacheType::MarketLeader, "RANKS"),
    (CacheType::SectorLeader, "SECTORS"),
    (CacheType::Theme, "THEMES"),
    (CacheType::Ipo, "IPOS"),
    (CacheType::Etf, "ETFS"),
    (CacheType::Complete, "ALL"),
];
/// The guards that have a column, and its heading.
const GUARDS: [(Guard, &str); 6] = [
    (Guard::ActiveDrop, "ACTIVE"),
    (Guard::CapsMissing, "CAPS"),
    (Guard::SectorsChanged, "SECTOR"),
    (Guard::TierChurn, "CHURN"),
    (Guard::Top100Added, "TOP100"),
    (Guard::RankingAdded, "RANKING"),
];
/// Characters of a column.
const COLUMN: usize = 8;

/// The headings, and below those of the guards their bounds.
fn headings(guards: &Guards, style: &Style) -> String {
    let kinds: String =
        KINDS.iter().map(|(_, title)| format!("{title:>width$}", width = title.len() + 2)).collect();
    let titles: String = GUARDS.iter().map(|(_, title)| format!("{title:>COLUMN$}")).collect();
    let bounds: String =
        GUARDS.iter().map(|(guard, _)| format!("{:>COLUMN$}", percent(bound(*guard, guards)))).collect();
    let blank = " ".repeat(kinds.len());
    format!(
        "{}\n{}\n",
        style.paint(Ink::Bold, &format!("{:10}{kinds} |{titles}", "DATE")),
        style.paint(Ink::Dim, &format!("{:10}{blank} |{bounds}", "at most"))
    )
}

/// The bound of a guard for one session, in percent.
fn bound(guard: Guard, guards: &Guards) -> f64 {
    match guard {
        Guard::ActiveDrop => guards.max_active_drop_pct,
        Guard::CapsMissing => guards.max_caps_missing_pct,
        Guard::SectorsChanged => Guards::MAX_SECTORS_CHANGED_PCT,
        Guard::TierChurn => guards.tier_churn_pct,
        Guard::Top100Added => guards.top_100_added_pct,
        Guard::RankingAdded => guards.ranking_added_pct,
        Guard::TooFewStocks | Guard::WouldBeEmpty => 0.0,
    }
}

/// A line for the day, and more where something would have been kept back.
fn render_day(date: NaiveDate, decided: &Decided, all: bool, style: &Style) -> String {
    let measures = stats::measures(decided);
    let nearest = stats::nearest(measures);
    let moves = match decided {
        Decided::Planned(plan) => stats::moves(plan),
        Decided::Refused(_) | Decided::Incomplete { .. } => BTreeMap::new(),
    };
    let is_planned = matches!(decided, Decided::Planned(_));
    let kinds: String = KINDS
        .iter()
        .map(|(kind, title)| {
            let number = if is_planned { moved(moves.get(kind)) } else { "-".to_owned() };
            format!("{number:>width$}", width = title.len() + 2)
        })
        .collect();
    let guards: String = GUARDS.iter().map(|(guard, _)| seen(nearest.get(guard).copied(), style)).collect();
    let mut text = format!("{date}{kinds} |{guards}").trim_end().to_owned() + "\n";
    for line in remarks(decided) {
        text += &remark(&line, style);
    }
    if let Decided::Planned(plan) = decided {
        let changed = plan.universes.iter().filter(|universe| all && universe.changes() > 0);
        text += &changed.map(|universe| members(universe, style)).collect::<String>();
    }
    text
}

fn moved(moves: Option<&Moves>) -> String {
    moves
        .filter(|moves| moves.total() > 0)
        .map_or("0".to_owned(), |moves| screen::thousands(moves.total() as u64))
}

/// What a guard measured, in a column: nothing where it had nothing to compare with.
fn seen(measure: Option<&Measure>, style: &Style) -> String {
    let Some(measure) = measure else { return format!("{:>COLUMN$}", "-") };
    let mark = if measure.is_exceeded() { "!" } else { "" };
    let text = format!("{:>COLUMN$}", format!("{mark}{}", percent(measure.judged_pct())));
    style.paint(if measure.is_exceeded() { Ink::Yellow } else { Ink::Plain }, &text)
}

/// What would have been kept back on a day, or was filled, a sentence each.
fn remarks(decided: &Decided) -> Vec<String> {
    match decided {
        Decided::Planned(plan) => {
            let filled = stats::filled(plan);
            let first = (filled > 0).then(|| {
                let universes = plan.universes.iter().filter(|universe| !universe.members.is_empty()).count();
                format!(
                    "first fill: {} in {}",
                    counted(filled, "membership", "memberships"),
                    counted(universes, "universe", "universes")
                )
            });
            let held = held_by_reason(&plan.universes);
            let held = held.iter().map(|(reason, names)| format!("held: {}: {reason}", names.join(", ")));
            let quarantined = plan.warnings.iter().filter(|warning| warning.code == QUARANTINED);
            first.into_iter().chain(held).chain(quarantined.map(ToString::to_string)).collect()
        }
        Decided::Refused(refused) => vec![format!("refused: {}", refused.refusal)],
        Decided::Incomplete { have, usual } => {
            vec![format!("incomplete, so left out: {}", crate::plan::given::date::closes_text(*have, *usual))]
        }
    }
}

fn remark(text: &str, style: &Style) -> String {
    let is_quiet = text.starts_with("first fill");
    let (sign, ink) = if is_quiet { (" ", Ink::Dim) } else { ("!", Ink::Yellow) };
    let mut table = Table::new(["", ""]);
    table.row([Cell::new(ink, format!("  {sign}")), Cell::new(ink, text)]);
    table.render(style)
}

/// `large_cap +ABC -XYZ`, all of them.
fn members(universe: &PlannedUniverse, style: &Style) -> String {
    let joined = universe.joiners().map(|joined| format!("+{}", joined.symbol));
    let left = universe.left.iter().map(|left| format!("-{}", left.symbol));
    let symbols: Vec<String> = joined.chain(left).collect();
    let mut table = Table::new(["", ""]);
    table.row([Cell::new(Ink::Dim, format!("    {}", universe.name)), symbols.join(" ").into()]);
    table.render(style)
}

/// What was measured over all days, what changed, and what it all was decided on.
fn render_summary(
    order: &ReplayOrder,
    is_written: bool,
    header: &Header,
    tally: &Tally,
    style: &Style,
) -> String {
    let mut text = format!("\n{}\n\n", style.paint(Ink::Bold, &outcome(tally)));
    let mut table =
        Table::new(["GUARD", "#BOUND", "#DAYS", "#MEDIAN", "#99 OF 100", "#NEAREST", "ON", "#TOO MUCH"]);
    for spread in tally.spreads() {
        // A first day has enough stocks, or was refused and has said so.
        if spread.guard == Guard::TooFewStocks && spread.exceeded == 0 {
            continue;
        }
        let pct = |sample: &Sample| percent(sample.measure.judged_pct());
        let ink = if spread.exceeded > 0 { Ink::Yellow } else { Ink::Plain };
        let on = match &spread.nearest.measure {
            measure if measure.judged_pct() <= 0.0 => String::new(),
            Measure { universe: Some(name), .. } => format!("{} {name}", spread.nearest.date),
            Measure { universe: None, .. } => spread.nearest.date.to_string(),
        };
        table.row([
            Cell::new(ink, spread.guard.as_str()),
            percent(bound(spread.guard, &header.guards)).into(),
            screen::thousands(spread.days as u64).into(),
            pct(spread.median).into(),
            pct(spread.p99).into(),
            Cell::new(ink, pct(spread.nearest)),
            on.into(),
            Cell::new(ink, screen::thousands(spread.exceeded as u64)),
        ]);
    }
    text += &table.render(style);
    text += "\n";
    if tally.planned > 0 {
        text += &render_moves(tally, style);
        text += "\n";
    }
    for line in assumptions(order, is_written, header) {
        text += &format!("{}\n", style.paint(Ink::Dim, &line));
    }
    text
}

fn render_moves(tally: &Tally, style: &Style) -> String {
    let mut table = Table::new(["CHANGED", "#ADDED", "#REMOVED", "#A DAY"]);
    for (kind, moves) in &tally.moves {
        let a_day = moves.total() as f64 / tally.planned as f64;
        table.row([
            kind.as_str().into(),
            screen::thousands(moves.added as u64).into(),
            screen::thousands(moves.removed as u64).into(),
            format!("{a_day:.1}").into(),
        ]);
    }
    table.render(style)
}

/// `10 days: 9 planned; on 1 of them something held; 1 refused`.
fn outcome(tally: &Tally) -> String {
    let Tally { planned, held, quarantined, refused, incomplete, .. } = tally;
    let days = planned + refused + incomplete;
    let mut parts = vec![format!("{planned} planned")];
    parts.extend((*held > 0).then(|| format!("on {held} of them something held")));
    parts.extend((*quarantined > 0).then(|| format!("on {quarantined} of them a value not believed")));
    parts.extend((*refused > 0).then(|| format!("{refused} refused")));
    parts.extend((*incomplete > 0).then(|| format!("{incomplete} incomplete")));
    format!("{}: {}", counted(days, "day", "days"), parts.join("; "))
}

/// What the days were decided by, what was known and what was taken for it.
fn assumptions(order: &ReplayOrder, is_written: bool, header: &Header) -> Vec<String> {
    let Header { fingerprint, known, .. } = header;
    let opened = if order.accept_churn { ", size guards open" } else { "" };
    let written = if is_written { "" } else { "; nothing was written" };
    let mut lines = vec![format!("Rules {fingerprint}, mode {}{opened}{written}.", order.mode)];
    lines.push(match (known.begins_with_history, known.last_run) {
        (false, _) => "The first day began with empty universes.".to_owned(),
        (true, Some(run)) => {
            format!("The first day began with the universes of history, compared with the run of {run}.")
        }
        (true, None) => {
            "The first day began with the universes of history; no run before it is kept to compare with."
                .to_owned()
        }
    });
    lines.push(match known.kept_runs {
        Some((first, _)) if first <= order.from => {
            "Shares and sectors are those that the kept runs saw.".to_owned()
        }
        Some((first, _)) if first <= order.to => format!(
            "Shares and sectors are those that the kept runs saw from {first} on, before that those of today."
        ),
        Some(_) | None => "Shares and sectors are those of today: no run of these days is kept.".to_owned(),
    });
    match known.newest_close {
        Some(newest) if newest < order.to => {
            lines.push(format!("Closes end on {newest}, and so did the replay."));
        }
        Some(_) => {}
        None => lines.push("There are no closes.".to_owned()),
    }
    if known.undated > 0 {
        lines.push(format!(
            "{} without a delisted_date, taken as trading until the last close.",
            counted(known.undated, "inactive security", "inactive securities")
        ));
    }
    lines
}

/// `31 %`, `8.9 %`, `0.02 %`: what is small keeps its first digit.
fn percent(value: f64) -> String {
    let text = if value > 0.0 && value < 1.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A day for a program.
fn day_json(date: NaiveDate, decided: &Decided, all: bool) -> Value {
    let measures: Vec<Value> = stats::measures(decided).iter().map(Measure::to_json).collect();
    match decided {
        Decided::Planned(plan) => json!({
            "date": date,
            "status": "planned",
            "total_symbols": plan.total_symbols,
            "total_changes": plan.total_changes(),
            "first_fill": stats::filled(plan),
            "changes": moves_json(&stats::moves(plan)),
            "measures": measures,
            "held_universes": plan.held(),
            "held": held_json(plan),
            "warnings": plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "universes": all.then(|| plan_json(plan)["universes"].take()),
        }),
        Decided::Refused(refused) => json!({
            "date": date,
            "status": "refused",
            "refusal": refused.refusal.code,
            "error": refused.refusal.to_string(),
            "measures": measures,
        }),
        Decided::Incomplete { have, usual } => json!({
            "date": date,
            "status": "incomplete",
            "closes": have,
            "usual": usual,
        }),
    }
}

fn held_json(plan: &Plan) -> Vec<Value> {
    let held = held_by_reason(&plan.universes);
    held.iter().map(|(reason, names)| json!({"universes": names, "reason": reason})).collect()
}

fn moves_json(moves: &BTreeMap<CacheType, Moves>) -> Map<String, Value> {
    let by_kind = moves
        .iter()
        .map(|(kind, moves)| (kind.to_string(), json!({"added": moves.added, "removed": moves.removed})));
    by_kind.collect()
}

/// The summary for a program, in an object of its own key.
fn summary_json(order: &ReplayOrder, is_written: bool, header: &Header, tally: &Tally) -> Value {
    let sample = |sample: &Sample| json!({"date": sample.date, "measure": sample.measure.to_json()});
    let guards: Map<String, Value> = tally
        .spreads()
        .iter()
        .map(|spread| {
            let about = json!({
                "setting": spread.guard.setting(),
                "allowed_pct": bound(spread.guard, &header.guards),
                "days": spread.days,
                "exceeded": spread.exceeded,
                "median": sample(spread.median),
                "p99": sample(spread.p99),
                "nearest": sample(spread.nearest),
            });
            (spread.guard.to_string(), about)
        })
        .collect();
    json!({"summary": {
        "from": order.from,
        "to": order.to,
        "mode": order.mode,
        "policy_fingerprint": header.fingerprint,
        "planned": tally.planned,
        "held": tally.held,
        "quarantined": tally.quarantined,
        "refused": tally.refused,
        "incomplete": tally.incomplete,
        "first_fill": tally.filled,
        "changes": moves_json(&tally.moves),
        "guards": guards,
        "assumptions": assumptions(order, is_written, header),
    }})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::universe::UniverseName;
    use crate::plan::given::notice::Refusal;
    use crate::plan::result::Refused;

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).expect("a date")
    }

    fn measure(guard: Guard, counted: usize, of: usize, allowed_pct: f64) -> Measure {
        let universe = (guard == Guard::TierChurn).then(|| UniverseName::known("mega_cap"));
        Measure { guard, universe, counted, of, at_least: 1, allowed_pct, sessions: 1 }
    }

    fn refused() -> Decided {
        let text =
            "5,400 active stocks, 5,612 on 2026-01-08: down by 3.8 %, at most 3 % is expected".to_owned();
        Decided::Refused(Refused {
            refusal: Refusal { code: "active_drop", text },
            measures: vec![
                measure(Guard::ActiveDrop, 212, 5_612, 3.0),
                measure(Guard::TierChurn, 1, 300, 20.0),
            ],
        })
    }

    fn order() -> ReplayOrder {
        ReplayOrder { from: date(8), to: date(12), mode: Mode::Full, accept_churn: false }
    }

    #[test]
    fn a_day_is_a_line_and_what_was_kept_back_is_told_below_it() {
        let guards = Guards::default();
        let text = headings(&guards, &Style::PLAIN)
            + &render_day(date(9), &refused(), false, &Style::PLAIN)
            + &render_day(date(12), &Decided::Incomplete { have: 3_412, usual: 5_600 }, false, &Style::PLAIN);
        insta::assert_snapshot!(text, @r"
        DATE        TIERS  RANKS  SECTORS  THEMES  IPOS  ETFS  ALL |  ACTIVE    CAPS  SECTOR   CHURN  TOP100 RANKING
        at most                                                    |     3 %     1 %    10 %    20 %    10 %     5 %
        2026-01-09      -      -        -       -     -     -    - |  !3.8 %       -       -  0.33 %       -       -
          !  refused: active_drop: 5,400 active stocks, 5,612 on 2026-01-08: down by 3.8 %, at most 3 % is expected
        2026-01-12      -      -        -       -     -     -    - |       -       -       -       -       -       -
          !  incomplete, so left out: 3,412 of 5,600 closes
        ");
        assert!(text.lines().all(|line| line.chars().count() <= Style::PLAIN.width));
    }

    #[test]
    fn the_summary_tells_how_near_the_guards_came_and_what_it_rests_on() {
        let mut tally = Tally::default();
        tally.add(date(9), &refused());
        tally.add(date(12), &Decided::Incomplete { have: 3_412, usual: 5_600 });
        let known = Known {
            kept_runs: Some((date(9), date(12))),
            begins_with_history: true,
            last_run: Some(date(7)),
            newest_close: Some(date(9)),
            undated: 1,
        };
        let header = Header { fingerprint: "0123456789abcdef".to_owned(), guards: Guards::default(), known };
        insta::assert_snapshot!(render_summary(&order(), false, &header, &tally, &Style::PLAIN), @r"

        2 days: 0 planned; 1 refused; 1 incomplete

        GUARD        BOUND  DAYS  MEDIAN  99 OF 100  NEAREST  ON                   TOO MUCH
        active_drop    3 %     1   3.8 %      3.8 %    3.8 %  2026-01-09           1
        tier_churn    20 %     1  0.33 %     0.33 %   0.33 %  2026-01-09 mega_cap  0

        Rules 0123456789abcdef, mode full; nothing was written.
        The first day began with the universes of history, compared with the run of 2026-01-07.
        Shares and sectors are those that the kept runs saw from 2026-01-09 on, before that those of today.
        Closes end on 2026-01-09, and so did the replay.
        1 inactive security without a delisted_date, taken as trading until the last close.
        ");
        let summary = &summary_json(&order(), true, &header, &tally)["summary"];
        assert_eq!((&summary["refused"], &summary["incomplete"]), (&json!(1), &json!(1)));
        assert_eq!(summary["guards"]["active_drop"]["nearest"]["measure"]["seen_pct"], json!(3.78));
        assert_eq!(summary["guards"]["active_drop"]["setting"], "guards.max_active_drop_pct");
    }

    #[test]
    fn a_day_for_a_program_is_one_line() {
        insta::assert_snapshot!(day_json(date(9), &refused(), false), @r#"{"date":"2026-01-09","status":"refused","refusal":"active_drop","error":"active_drop: 5,400 active stocks, 5,612 on 2026-01-08: down by 3.8 %, at most 3 % is expected","measures":[{"guard":"active_drop","universe":null,"counted":212,"of":5612,"seen_pct":3.78,"allowed_pct":3.0,"at_least":1,"sessions":1,"exceeded":true},{"guard":"tier_churn","universe":"mega_cap","counted":1,"of":300,"seen_pct":0.33,"allowed_pct":20.0,"at_least":1,"sessions":1,"exceeded":false}]}"#);
        insta::assert_snapshot!(day_json(date(12), &Decided::Incomplete { have: 3, usual: 5 }, false), @r#"{"date":"2026-01-12","status":"incomplete","closes":3,"usual":5}"#);
    }

    #[test]
    fn small_shares_keep_a_digit() {
        let shown = [0.0, 0.018, 0.5, 3.0, 8.93, 100.0].map(percent);
        assert_eq!(shown, ["0 %", "0.02 %", "0.5 %", "3 %", "8.9 %", "100 %"]);
    }
}
