//! `adopt`: rows of universe types that nobody keeps any more.

use serde_json::json;

use crate::service::adopt::{self, Doing, Leftovers};
use crate::store::leftovers::Leftover;

use super::exit::Exit;
use super::screen::{self, counted};
use super::{Context, now};

/// Lists rows that the job before left in AppV2's table and that nobody keeps, and removes them
///
/// No sync touches them: they are somebody else's. Delisted stocks stay in them, and a bare list among them stops AppV2's
/// end-of-day reader. Settings, dev_*, priority_stocks and other environments are never among them. What is removed is
/// kept, and --undo puts it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync adopt --plan             what nobody keeps, and the statement that would remove it
  cache-sync adopt --apply            removes it
  cache-sync adopt --undo             puts back what was removed last")]
pub struct AdoptArgs {
    #[command(flatten)]
    doing: DoingArgs,
    /// Print a JSON object: rows, groups, statement; with --undo restored
    #[arg(long)]
    json: bool,
}

/// One of the three.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct DoingArgs {
    /// List them; nothing is written
    #[arg(long)]
    plan: bool,
    /// Remove them, and keep them for --undo
    #[arg(long)]
    apply: bool,
    /// Put back what was removed last
    #[arg(long)]
    undo: bool,
}

/// Runs `adopt`.
pub async fn adopt(args: &AdoptArgs, context: &Context) -> Result<(), Exit> {
    let database = context.database()?;
    if args.doing.undo {
        return undo(args, adopt::undo(&database, now()).await?);
    }
    let doing = if args.doing.apply { Doing::Apply } else { Doing::Plan };
    let leftovers = adopt::adopt(&database, &context.settings, doing, now()).await?;
    if args.json {
        let Leftovers { rows, groups, statement } = &leftovers;
        return screen::print_json(&json!({"rows": rows, "groups": groups, "statement": statement}));
    }
    screen::print(&render(&leftovers, doing))
}

fn undo(args: &AdoptArgs, restored: i64) -> Result<(), Exit> {
    if args.json {
        return screen::print_json(&json!({"restored": restored}));
    }
    if restored == 0 {
        return Err(Exit::NotDone("nothing was removed that is not back already".to_owned()));
    }
    screen::print(&format!("{restored} rows of cache_entries stand there again.\n"))
}

fn render(Leftovers { rows, groups, statement }: &Leftovers, doing: Doing) -> String {
    if rows.is_empty() && groups.is_empty() {
        return "Every row of a universe is kept by somebody.\n".to_owned();
    }
    let mut text: String = rows.iter().map(line).collect();
    text += &groups.iter().map(|name| format!("group {name}: belongs to no universe\n")).collect::<String>();
    let rows = counted(rows.len(), "row", "rows");
    let groups = counted(groups.len(), "group", "groups");
    text += &match doing {
        Doing::Plan => {
            format!("{rows} and {groups} that nobody keeps; `cache-sync adopt --apply` removes them")
        }
        Doing::Apply => format!("{rows} and {groups} removed; `cache-sync adopt --undo` puts the rows back"),
    };
    text += match (doing, statement.is_empty()) {
        (Doing::Plan, false) => ", or:\n",
        _ => ".\n",
    };
    if doing == Doing::Plan && !statement.is_empty() {
        text += &format!("{statement}\n");
    }
    text
}

fn line(Leftover { kind, name, key, tickers, unknown, breaks }: &Leftover) -> String {
    let stale = format!("{}, {unknown} of them in no universe", counted(*tickers, "ticker", "tickers"));
    let breaks = breaks.map(|what| format!("; {what}")).unwrap_or_default();
    format!("{kind} / {name} / {key}: {stale}{breaks}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_shown_with_what_they_break_and_what_removes_them() {
        let row = Leftover {
            kind: "stock_universe".to_owned(),
            name: "themes".to_owned(),
            key: "ai".to_owned(),
            tickers: 4,
            unknown: 1,
            breaks: Some("a bare list"),
        };
        let found =
            Leftovers { rows: vec![row], groups: vec!["top_50".to_owned()], statement: "delete;".to_owned() };
        insta::assert_snapshot!(render(&found, Doing::Plan), @r"
        stock_universe / themes / ai: 4 tickers, 1 of them in no universe; a bare list
        group top_50: belongs to no universe
        1 row and 1 group that nobody keeps; `cache-sync adopt --apply` removes them, or:
        delete;
        ");
        assert!(
            render(&found, Doing::Apply)
                .ends_with("removed; `cache-sync adopt --undo` puts the rows back.\n")
        );
        assert_eq!(
            render(&Leftovers::default(), Doing::Plan),
            "Every row of a universe is kept by somebody.\n"
        );
    }
}
