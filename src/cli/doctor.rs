//! `doctor`: what is wrong or doubtful, each with its remedy.

use serde_json::{Value, json};

use crate::doctor::{Finding, Level, Report, examine};

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Checks configuration, servers, tables and data; each finding comes with its remedy
///
/// Changes nothing. Exits 0 without errors (warnings do not count), 1 with one, 3 where a server is out of reach.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync doctor
  cache-sync doctor --json | jq '.findings[] | select(.level != \"ok\")'")]
pub struct DoctorArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `doctor`.
pub async fn doctor(args: &DoctorArgs, context: &Context) -> Result<(), Exit> {
    let report = examine(&context.settings, now()).await;
    if args.json {
        screen::print_json(&report_json(&report))?;
    } else {
        screen::print(&render_report(&report, &context.style))?;
    }
    match report.worst() {
        _ if report.out_of_reach => Err(Exit::OutOfReachAsShown),
        Level::Error => Err(Exit::NotDoneAsShown),
        Level::Warn | Level::Ok => Ok(()),
    }
}

/// The findings as a table, each remedy below its finding.
pub fn render_report(report: &Report, style: &Style) -> String {
    let mut table = Table::new(["", "", ""]);
    for finding in &report.findings {
        let ink = ink(finding.level);
        table.row([
            Cell::new(ink, finding.level.as_str()),
            finding.subject.into(),
            finding.what.as_str().into(),
        ]);
        if !finding.remedy.is_empty() {
            table.row(["".into(), "".into(), Cell::new(Ink::Bold, format!("-> {}", finding.remedy))]);
        }
    }
    let count = |level| report.findings.iter().filter(|finding| finding.level == level).count();
    let summary = format!(
        "{}, {}",
        screen::counted(count(Level::Error), "error", "errors"),
        screen::counted(count(Level::Warn), "warning", "warnings")
    );
    format!("{}\n{}.\n", table.render(style), style.paint(ink(report.worst()), &summary))
}

fn ink(level: Level) -> Ink {
    match level {
        Level::Ok => Ink::Green,
        Level::Warn => Ink::Yellow,
        Level::Error => Ink::Red,
    }
}

/// The findings for a program.
pub fn report_json(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "level": finding.level, "subject": finding.subject, "what": finding.what, "remedy": finding.remedy,
        })
    };
    json!({
        "level": report.worst(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_with_their_remedies() {
        let report = Report {
            findings: vec![
                Finding::ok("postgres", "version 16.2"),
                Finding::warn("redis", "the append-only file is off", "set appendonly yes"),
                Finding::error("schema", "the tables are missing", "run: cache-sync migrate"),
            ],
            out_of_reach: false,
        };
        insta::assert_snapshot!(render_report(&report, &Style::PLAIN), @r"
        ok     postgres  version 16.2
        warn   redis     the append-only file is off
                         -> set appendonly yes
        error  schema    the tables are missing
                         -> run: cache-sync migrate

        1 error, 1 warning.
        ");
        insta::assert_snapshot!(report_json(&report), @r#"{"level":"error","findings":[{"level":"ok","subject":"postgres","what":"version 16.2","remedy":""},{"level":"warn","subject":"redis","what":"the append-only file is off","remedy":"set appendonly yes"},{"level":"error","subject":"schema","what":"the tables are missing","remedy":"run: cache-sync migrate"}]}"#);
    }
}
