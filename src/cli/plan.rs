//! `plan`: what a sync would change now. Shown like the plans of infrastructure tools: `+` joins, `-` leaves, `~` goes on
//! under another symbol, `!` is held, and a summary in one line.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use crate::domain::job::{JobId, JobRequest};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::plan::draft::measure::Measure;
use crate::plan::market::screening::{QUARANTINED, Released};
use crate::plan::result::{Before, Hold, Joined, Left, Plan, PlannedUniverse, Renamed};

use crate::service::{Preview, preview};

use super::exit::Exit;
use super::jobs::render_warnings;
use super::quarantine::entry_json;
use super::screen::{self, Cell, Ink, Style, Table, counted, printable, wrapped};
use super::submit::mode_parser;
use super::{Context, now};

/// Shows what a sync would change now, and writes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync plan
  cache-sync plan --mode market_cap --all
  cache-sync plan --accept-churn      (what would pass if the size guards were open)
  cache-sync plan --json | jq '.universes[] | select(.hold)'")]
pub struct PlanArgs {
    /// What to plan
    #[arg(long, default_value = "full", value_parser = mode_parser())]
    pub mode: Mode,
    /// The date to plan for [default: the newest complete one]
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<NaiveDate>,
    /// Believe changes that the size guards would hold back
    #[arg(long)]
    pub accept_churn: bool,
    /// Show every symbol, not only the first ten of a universe
    #[arg(long)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

impl PlanArgs {
    /// The screen, with as many lines as were asked for.
    pub fn style(&self, style: Style) -> Style {
        Style { lines: if self.all { usize::MAX } else { style.lines }, ..style }
    }
}

/// Runs `plan`.
pub async fn plan(args: &PlanArgs, context: &Context) -> Result<(), Exit> {
    let plan = decide(args, context).await?;
    if args.json {
        screen::print_json(&plan_json(&plan))
    } else {
        screen::print(&render_plan(&plan, &args.style(context.style)))
    }
}

async fn decide(args: &PlanArgs, context: &Context) -> Result<Plan, Exit> {
    let request = JobRequest {
        as_of: args.as_of,
        accept_churn: args.accept_churn,
        ..JobRequest::new(JobId::fresh(), args.mode, "cli", now())
    };
    let settings = &context.settings;
    match preview(&context.database()?, settings, &request).await? {
        Preview::Planned(plan) => Ok(*plan),
        Preview::Waiting { seen } => {
            Err(Exit::NotDone(format!("the import is not complete: {seen}; a sync would wait for it")))
        }
        Preview::Refused(refusal) => Err(refusal.into()),
    }
}

/// The plan for a person.
pub fn render_plan(plan: &Plan, style: &Style) -> String {
    let mut text = format!(
        "Plan for {}, mode {}, from {}\n",
        style.paint(Ink::Bold, &plan.as_of.to_string()),
        plan.mode,
        counted(plan.total_symbols, "security", "securities")
    );
    for universe in plan.universes.iter().filter(|universe| is_worth_showing(universe)) {
        text += &render_universe(universe, style);
    }
    text += &render_foreign(plan, style);
    text += &render_quarantine(plan, style);
    // Told at length above.
    let others = plan.warnings.iter().filter(|warning| warning.code != QUARANTINED);
    let warnings: Vec<String> = others.map(ToString::to_string).collect();
    text += &render_warnings(&warnings, style);
    text + &format!("\n{}\n", style.paint(Ink::Bold, &summary(plan)))
}

/// Whether something happens to a universe.
fn is_worth_showing(universe: &PlannedUniverse) -> bool {
    universe.changes() > 0 || universe.rewrite || universe.hold.is_some() || adopted(universe) > 0
}

fn render_universe(universe: &PlannedUniverse, style: &Style) -> String {
    let mut text = format!(
        "\n{}  {}\n",
        style.paint(Ink::Bold, universe.name.as_str()),
        style.paint(Ink::Dim, &heading(universe))
    );
    let mut table = Table::new(["", ""]);
    let joined = universe.joiners().map(|Joined { symbol, why, .. }| (symbol, why.as_ref()));
    add_changes(&mut table, "  +", Ink::Green, joined, style);
    let left = universe.left.iter().map(|Left { symbol, why, .. }| (symbol, why.as_ref()));
    add_changes(&mut table, "  -", Ink::Red, left, style);
    let renamed = universe.renamed.iter().map(|Renamed { symbol, why, .. }| (symbol, why.as_ref()));
    add_changes(&mut table, "  ~", Ink::Yellow, renamed, style);
    text += &table.render(style);
    if let Some(hold) = &universe.hold {
        text += &render_hold(hold, style);
    }
    text
}

/// `market_leader, 100 members: 2 join, 2 leave`.
fn heading(universe: &PlannedUniverse) -> String {
    let mut facts = Vec::new();
    match (universe.joiners().count(), universe.left.len()) {
        (0, 0) => {}
        (joined, 0) => facts.push(format!("{} join", screen::thousands(joined as u64))),
        (0, left) => facts.push(format!("{} leave", screen::thousands(left as u64))),
        (joined, left) => {
            facts.push(format!(
                "{} join, {} leave",
                screen::thousands(joined as u64),
                screen::thousands(left as u64)
            ));
        }
    }
    if !universe.renamed.is_empty() {
        facts.push(format!("{} renamed", screen::thousands(universe.renamed.len() as u64)));
    }
    match (universe.before, adopted(universe)) {
        (Before::Nothing, _) => facts.push("new".to_owned()),
        (_, adopted @ 1..) => facts.push(format!("{} adopted", counted(adopted, "member", "members"))),
        _ => {}
    }
    if universe.rewrite && universe.changes() == 0 && universe.before == Before::Managed {
        facts.push("the stored order or content differs and is rewritten".to_owned());
    }
    let size = counted(universe.members.len(), "member", "members");
    let about = format!("{}, {size}", universe.cache_type);
    if facts.is_empty() { about } else { format!("{about}: {}", facts.join(", ")) }
}

fn adopted(universe: &PlannedUniverse) -> usize {
    universe.joined.len() - universe.joiners().count()
}

fn add_changes<'a>(
    table: &mut Table,
    sign: &str,
    ink: Ink,
    changes: impl Iterator<Item = (&'a Symbol, &'a str)>,
    style: &Style,
) {
    let mut rest: usize = 0;
    for (index, (symbol, why)) in changes.enumerate() {
        if index < style.lines {
            table.row([Cell::new(ink, format!("{sign} {symbol}")), why.into()]);
        } else {
            rest += 1;
        }
    }
    if rest > 0 {
        table.row([Cell::new(ink, format!("{sign} ...")), Cell::new(Ink::Dim, and_more(rest))]);
    }
}

/// What is said in place of what is not shown.
fn and_more(rest: usize) -> String {
    format!("and {} more (--all)", screen::thousands(rest as u64))
}

fn render_hold(hold: &Hold, style: &Style) -> String {
    let runs = match hold.runs {
        0 | 1 => String::new(),
        runs => format!(", run {runs} in a row"),
    };
    let mut table = Table::new(["", ""]);
    let sentence = format!("held{runs}: {}", hold.reason);
    table.row([Cell::new(Ink::Yellow, "  !"), Cell::new(Ink::Yellow, sentence)]);
    let symbols = |symbols: &[Symbol]| symbols.iter().map(ToString::to_string).collect::<Vec<_>>();
    table.render(style)
        + &render_symbols("    + ", Ink::Green, &symbols(&hold.would_join), style)
        + &render_symbols("    - ", Ink::Red, &symbols(&hold.would_leave), style)
}

/// Symbols without reasons, many to a line.
fn render_symbols(sign: &str, ink: Ink, symbols: &[String], style: &Style) -> String {
    let room = style.width.saturating_sub(sign.len());
    let lines = wrapped(&printable(&symbols.join(" ")), room);
    let shown: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).take(style.lines).collect();
    let in_shown: usize = shown.iter().map(|line| line.split(' ').count()).sum();
    let mut text = String::new();
    for line in shown {
        text += &style.paint(ink, &format!("{sign}{line}"));
        text.push('\n');
    }
    let rest = symbols.len().saturating_sub(in_shown);
    if rest > 0 {
        text += &style.paint(Ink::Dim, &format!("{}... {}", " ".repeat(sign.len()), and_more(rest)));
        text.push('\n');
    }
    text
}

fn render_foreign(plan: &Plan, style: &Style) -> String {
    let rows = plan.foreign.iter().map(|row| {
        let heading =
            format!("a row of others, {} to take out", counted(row.elements.len(), "symbol", "symbols"));
        format!(
            "\n{}  {}\n{}",
            style.paint(Ink::Bold, &printable(&row.universe)),
            style.paint(Ink::Dim, &heading),
            render_symbols("  - ", Ink::Red, &row.elements, style)
        )
    });
    rows.collect()
}

/// The values that are not believed, and those that are believed again.
fn render_quarantine(plan: &Plan, style: &Style) -> String {
    let entries = &plan.run.quarantine.symbols;
    if entries.is_empty() && plan.released.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["", "", ""]);
    for entry in entries {
        let found = entry.found().map_or_else(|| "none".to_owned(), Usd::short);
        let facts = format!(
            "carried at {} since {}, found {found}, {}: {}; {}",
            entry.cap().short(),
            entry.since,
            entry.anomaly.title(),
            entry.seen(),
            entry.until()
        );
        table.row([Cell::new(Ink::Yellow, "  !"), entry.symbol.as_str().into(), facts.into()]);
    }
    for Released { was, why } in &plan.released {
        let facts = format!("believed again, {} of {}: {}", was.anomaly.title(), was.since, why.as_str());
        table.row([Cell::new(Ink::Green, "  ="), was.symbol.as_str().into(), facts.into()]);
    }
    let heading = match entries.len() {
        0 => "nothing is in it any more".to_owned(),
        n => format!("{} not believed", counted(n, "value is", "values are")),
    };
    format!("\n{}  {}\n", style.paint(Ink::Bold, "quarantine"), style.paint(Ink::Dim, &heading))
        + &table.render(style)
}

/// `Plan: 37 to add, 12 to remove in 9 universes; 2 held; 17 unchanged.`
fn summary(plan: &Plan) -> String {
    let added: usize = plan.universes.iter().map(|universe| universe.joiners().count()).sum();
    let renamed: usize = plan.universes.iter().map(|universe| universe.renamed.len()).sum();
    let removed = plan.total_changes() - added - renamed;
    let adopted: usize = plan.universes.iter().map(adopted).sum();
    let rewritten =
        plan.universes.iter().filter(|universe| universe.rewrite && universe.changes() == 0).count();
    let unchanged = plan.universes.iter().filter(|universe| !is_worth_showing(universe)).count();
    let mut parts = vec![if plan.total_changes() == 0 {
        "no memberships change".to_owned()
    } else {
        let renamed = match renamed {
            0 => String::new(),
            renamed => format!(", {} to rename", screen::thousands(renamed as u64)),
        };
        format!(
            "{} to add, {} to remove{renamed} in {}",
            screen::thousands(added as u64),
            screen::thousands(removed as u64),
            counted(plan.updated().len(), "universe", "universes")
        )
    }];
    for (number, what) in [
        (adopted, "adopted"),
        (rewritten, "rewritten"),
        (plan.held().len(), "held"),
        (unchanged, "unchanged"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", screen::thousands(number as u64)));
        }
    }
    format!("Plan: {}.", parts.join("; "))
}

/// The plan for a program, under the names of the status hash and of `cache_sync_changes`.
pub fn plan_json(plan: &Plan) -> Value {
    let tasks: Map<String, Value> = plan
        .tasks
        .iter()
        .map(|task| (task.task.to_string(), json!({"status": task.status, "changes": task.changes})))
        .collect();
    let foreign =
        plan.foreign.iter().map(|row| json!({"universe": row.universe, "removed_symbols": row.elements}));
    let quarantined = plan.run.quarantine.symbols.iter().map(|entry| entry_json(entry, plan.as_of));
    let released = plan
        .released
        .iter()
        .map(|it| json!({"symbol": it.was.symbol, "anomaly": it.was.anomaly, "since": it.was.since, "why": it.why.as_str()}));
    json!({
        "as_of": plan.as_of,
        "mode": plan.mode,
        "total_symbols": plan.total_symbols,
        "total_changes": plan.total_changes(),
        "universes_updated": plan.updated(),
        "held_universes": plan.held(),
        "task_results": tasks,
        "warnings": plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "measures": plan.measures.iter().map(Measure::to_json).collect::<Vec<_>>(),
        "universes": plan.universes.iter().map(universe_json).collect::<Vec<_>>(),
        "foreign": foreign.collect::<Vec<_>>(),
        "quarantined": quarantined.collect::<Vec<_>>(),
        "released": released.collect::<Vec<_>>(),
    })
}

fn universe_json(universe: &PlannedUniverse) -> Value {
    let joined = universe.joined.iter().map(|joined| {
        json!({
            "action": "added", "symbol": joined.symbol, "reason": joined.reason, "task": joined.task,
            "rank": joined.rank, "market_cap": joined.cap.map(|cap| cap.to_string()), "why": joined.why,
        })
    });
    let left = universe.left.iter().map(|left| {
        json!({
            "action": "removed", "symbol": left.symbol, "reason": left.reason, "task": left.task,
            "market_cap": left.cap.map(|cap| cap.to_string()), "why": left.why,
        })
    });
    let renamed = universe.renamed.iter().map(|renamed| {
        json!({
            "action": "renamed", "symbol": renamed.symbol, "reason": renamed.by, "task": universe.task,
            "rank": renamed.rank, "market_cap": renamed.cap.map(|cap| cap.to_string()), "why": renamed.why,
            "before": {"symbol": renamed.from}, "after": {"symbol": renamed.symbol},
        })
    });
    let hold = universe.hold.as_ref().map(|hold| {
        json!({
            "reason": hold.reason, "held_runs": hold.runs, "added_symbols": hold.would_join,
            "removed_symbols": hold.would_leave,
        })
    });
    json!({
        "universe": universe.name,
        "cache_type": universe.cache_type,
        "task": universe.task,
        "status": universe.status,
        "symbol_count": universe.members.len(),
        "added": universe.joiners().count(),
        "removed": universe.left.len(),
        "renamed": universe.renamed.len(),
        "total_market_cap": universe.total_cap.to_string(),
        "rewrite": universe.rewrite,
        "hold": hold,
        "changes": joined.chain(left).chain(renamed).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
    use crate::domain::identity::SameBy;
    use crate::domain::money::Usd;
    use crate::domain::task::SyncTask;
    use crate::domain::task::TaskStatus;
    use crate::domain::universe::{CacheType, UniverseName};
    use crate::plan::given::notice::Warning;
    use crate::plan::given::snapshot::RunState;
    use crate::plan::market::Counts;
    use crate::plan::result::{ForeignCleanup, TaskReport};

    const TASK: SyncTask = SyncTask::MarketCapRecalculation;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("a symbol")
    }

    fn symbols(text: &str) -> Vec<Symbol> {
        text.split_whitespace().map(symbol).collect()
    }

    fn joined(text: &str, reason: EntryReason, why: &str) -> Joined {
        let cap = Some(Usd::dollars(10_210_000_000));
        Joined { symbol: symbol(text), reason, task: TASK, rank: 1, cap, why: why.into() }
    }

    fn left(text: &str, reason: ExitReason, why: &str) -> Left {
        Left { symbol: symbol(text), reason, task: TASK, cap: None, why: why.into() }
    }

    /// A universe that nothing happens to.
    fn universe(name: &str, cache_type: CacheType, members: &str) -> PlannedUniverse {
        PlannedUniverse {
            name: UniverseName::known(name),
            cache_type,
            task: TASK,
            members: symbols(members),
            metadata: json!({}),
            rewrite: false,
            before: Before::Managed,
            joined: Vec::new(),
            left: Vec::new(),
            renamed: Vec::new(),
            status: UniverseStatus::Ok,
            hold: None,
            total_cap: Usd::dollars(1_000),
            members_with_cap: 0,
        }
    }

    /// A plan that changes nothing.
    fn plan(universes: Vec<PlannedUniverse>) -> Plan {
        Plan {
            as_of: NaiveDate::from_ymd_opt(2026, 1, 9).expect("a date"),
            mode: Mode::Full,
            universes,
            foreign: Vec::new(),
            restored: Vec::new(),
            identities: Vec::new(),
            tasks: vec![TaskReport { task: TASK, status: TaskStatus::Completed, changes: 3 }],
            warnings: Vec::new(),
            measures: Vec::new(),
            run: RunState::default(),
            released: Vec::new(),
            counts: Counts::default(),
            total_symbols: 5_612,
        }
    }

    /// An ordinary evening with something of everything.
    fn ordinary() -> Plan {
        let large = PlannedUniverse {
            rewrite: true,
            joined: vec![
                joined("NEWT", EntryReason::Rule, "cap 10.21B, large_cap starts at 10B"),
                joined("BRK.B", EntryReason::Return, "back after 2 sessions"),
            ],
            left: vec![left("OLDT", ExitReason::Delisted, "delisted on 2026-01-08")],
            ..universe("large_cap", CacheType::MarketCap, "NEWT BRK.B AAA")
        };
        let held = PlannedUniverse {
            status: UniverseStatus::Held,
            hold: Some(Hold {
                reason: "14 of 100 would join, more than the 10 that are believed".to_owned(),
                runs: 2,
                would_join: symbols("C1 C2 C3"),
                would_leave: symbols("D1"),
            }),
            ..universe("top_100", CacheType::MarketLeader, "AAA BBB")
        };
        let reordered =
            PlannedUniverse { rewrite: true, ..universe("top_500", CacheType::MarketLeader, "BBB AAA") };
        let found = PlannedUniverse {
            before: Before::Unmanaged,
            rewrite: true,
            joined: vec![joined("AAA", EntryReason::Adopted, "was in the row")],
            ..universe("top_10_energy", CacheType::SectorLeader, "AAA")
        };
        Plan {
            foreign: vec![ForeignCleanup {
                universe: "my list".to_owned(),
                elements: vec!["OLDT".to_owned()],
            }],
            warnings: vec![Warning {
                code: "active_unknown",
                text: "3 securities do not say whether they trade".to_owned(),
            }],
            ..plan(vec![large, held, reordered, found, universe("mega_cap", CacheType::MarketCap, "BBB")])
        }
    }

    #[test]
    fn an_ordinary_plan_reads_like_a_plan() {
        insta::assert_snapshot!(render_plan(&ordinary(), &Style::PLAIN), @r"
        Plan for 2026-01-09, mode full, from 5,612 securities

        large_cap  market_cap, 3 members: 2 join, 1 leave
          + NEWT   cap 10.21B, large_cap starts at 10B
          + BRK.B  back after 2 sessions
          - OLDT   delisted on 2026-01-08

        top_100  market_leader, 2 members
          !  held, run 2 in a row: 14 of 100 would join, more than the 10 that are believed
            + C1 C2 C3
            - D1

        top_500  market_leader, 2 members: the stored order or content differs and is rewritten

        top_10_energy  sector_leader, 1 member: 1 member adopted

        my list  a row of others, 1 symbol to take out
          - OLDT

        Warnings
          !  active_unknown: 3 securities do not say whether they trade

        Plan: 2 to add, 2 to remove in 2 universes; 1 adopted; 2 rewritten; 1 held; 1 unchanged.
        ");
    }

    #[test]
    fn a_renamed_member_is_shown_once_under_its_new_symbol() {
        let renamed = Renamed {
            from: symbol("FB"),
            symbol: symbol("META"),
            by: SameBy::ShareClassFigi,
            rank: 1,
            cap: None,
            why: "was FB until now, same share-class FIGI; rank 1 of 100".into(),
        };
        let top = PlannedUniverse {
            rewrite: true,
            renamed: vec![renamed],
            ..universe("top_100", CacheType::MarketLeader, "META AAA")
        };
        let plan = plan(vec![top]);
        insta::assert_snapshot!(render_plan(&plan, &Style::PLAIN), @r"
        Plan for 2026-01-09, mode full, from 5,612 securities

        top_100  market_leader, 2 members: 1 renamed
          ~ META  was FB until now, same share-class FIGI; rank 1 of 100

        Plan: 0 to add, 0 to remove, 1 to rename in 1 universe.
        ");
        let json = &plan_json(&plan)["universes"][0];
        assert_eq!((&json["added"], &json["removed"], &json["renamed"]), (&json!(0), &json!(0), &json!(1)));
        let change = &json["changes"][0];
        assert_eq!((&change["action"], &change["reason"]), (&json!("renamed"), &json!("share_class_figi")));
        assert_eq!(
            (&change["before"], &change["after"]),
            (&json!({"symbol": "FB"}), &json!({"symbol": "META"}))
        );
    }

    #[test]
    fn a_plan_without_changes_is_three_lines() {
        let quiet = plan(vec![universe("mega_cap", CacheType::MarketCap, "AAA")]);
        insta::assert_snapshot!(render_plan(&quiet, &Style::PLAIN), @r"
        Plan for 2026-01-09, mode full, from 5,612 securities

        Plan: no memberships change; 1 unchanged.
        ");
    }

    #[test]
    fn a_first_fill_shows_the_first_and_counts_the_rest() {
        let joined: Vec<Joined> =
            (1..=1_215).map(|n| joined(&format!("S{n}"), EntryReason::FirstFill, "first fill")).collect();
        let first = PlannedUniverse {
            before: Before::Nothing,
            rewrite: true,
            joined,
            ..universe("all_stocks", CacheType::Complete, "S1 S2")
        };
        let first = plan(vec![first]);
        insta::assert_snapshot!(render_plan(&first, &Style { lines: 3, ..Style::PLAIN }), @r"
        Plan for 2026-01-09, mode full, from 5,612 securities

        all_stocks  complete, 2 members: 1,215 join, new
          + S1   first fill
          + S2   first fill
          + S3   first fill
          + ...  and 1,212 more (--all)

        Plan: 1,215 to add, 0 to remove in 1 universe.
        ");
        let all = PlanArgs { mode: Mode::Full, as_of: None, accept_churn: false, all: true, json: false };
        assert_eq!(render_plan(&first, &all.style(Style::PLAIN)).matches("  + S").count(), 1_215);
    }

    #[test]
    fn joiners_are_green_leavers_red_and_holds_yellow() {
        let style = Style { color: true, ..Style::PLAIN };
        let text = render_plan(&ordinary(), &style);
        for colored in
            ["\u{1b}[32m  + NEWT\u{1b}[0m", "\u{1b}[31m  - OLDT\u{1b}[0m", "\u{1b}[33m  !\u{1b}[0m"]
        {
            assert!(text.contains(colored), "{colored:?} in {text}");
        }
    }

    #[test]
    fn json_says_what_the_screen_says() {
        let plan = plan_json(&ordinary());
        assert_eq!(plan["total_changes"], 4);
        assert_eq!(plan["universes_updated"], json!(["large_cap", "my list"]));
        assert_eq!(plan["held_universes"], json!(["top_100"]));
        insta::assert_snapshot!(format!("{:#}", plan["universes"][0]), @r#"
        {
          "universe": "large_cap",
          "cache_type": "market_cap",
          "task": "market_cap_recalculation",
          "status": "ok",
          "symbol_count": 3,
          "added": 2,
          "removed": 1,
          "renamed": 0,
          "total_market_cap": "1000.00",
          "rewrite": true,
          "hold": null,
          "changes": [
            {
              "action": "added",
              "symbol": "NEWT",
              "reason": "rule",
              "task": "market_cap_recalculation",
              "rank": 1,
              "market_cap": "10210000000.00",
              "why": "cap 10.21B, large_cap starts at 10B"
            },
            {
              "action": "added",
              "symbol": "BRK.B",
              "reason": "return",
              "task": "market_cap_recalculation",
              "rank": 1,
              "market_cap": "10210000000.00",
              "why": "back after 2 sessions"
            },
            {
              "action": "removed",
              "symbol": "OLDT",
              "reason": "delisted",
              "task": "market_cap_recalculation",
              "market_cap": null,
              "why": "delisted on 2026-01-08"
            }
          ]
        }
        "#);
        insta::assert_snapshot!(plan["universes"][1]["hold"], @r#"{"reason":"14 of 100 would join, more than the 10 that are believed","held_runs":2,"added_symbols":["C1","C2","C3"],"removed_symbols":["D1"]}"#);
        insta::assert_snapshot!(plan["foreign"], @r#"[{"universe":"my list","removed_symbols":["OLDT"]}]"#);
    }
}
