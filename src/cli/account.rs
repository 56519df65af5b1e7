//! `jobs show`: everything about one job.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::job::JobStatus;
use crate::service::Service;
use crate::store::account::{JobAccount, UniverseChanges};
use crate::worker::announce::status_of;

use super::exit::Exit;
use super::jobs::{
    facts, look, parse_job_id, render_facts, render_heading, render_tasks, render_warnings, unknown_job,
};
use super::picture::Picture;
use super::screen::{self, Cell, Ink, Style, Table, iso};
use super::{Context, now};

/// Shows everything about one job: what it did to each universe, what was held and why, who has it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync jobs show eod-2026-01-09
  cache-sync jobs show eod-2026-01-09 --json | jq -r '.changes[] | [.universe, .added, .removed] | @tsv'")]
pub struct ShowArgs {
    /// The job's id, as `submit` and `jobs` print it
    job_id: String,
    /// Print a JSON object: the fields of the status hash, the columns of the job, and what belongs to it
    #[arg(long)]
    json: bool,
}

/// Runs `jobs show`.
pub async fn show(args: &ShowArgs, context: &Context) -> Result<(), Exit> {
    let job_id = parse_job_id(&args.job_id)?;
    let service = context.service()?;
    let account = service.account(&job_id).await?.ok_or_else(|| unknown_job(job_id.as_str()))?;
    let picture = picture(&service, &account).await?;
    if args.json {
        screen::print_json(&account_json(&picture, &account))
    } else {
        screen::print(&render_account(&picture, &account, now(), &context.style))
    }
}

/// The status of the job. Progress shows in Redis only; all else comes from the row, so that it agrees with the rest.
async fn picture(service: &Service, account: &JobAccount) -> Result<Picture, Exit> {
    let row = &account.row;
    match row.status {
        JobStatus::Running => look(service, row.id()).await,
        JobStatus::Queued
        | JobStatus::Retrying
        | JobStatus::Completed
        | JobStatus::Failed
        | JobStatus::Cancelled => Ok(Picture::of(&status_of(row, row.last_seq, row.updated_at))),
    }
}

/// Everything about one job, for a person.
pub fn render_account(job: &Picture, account: &JobAccount, now: DateTime<Utc>, style: &Style) -> String {
    let mut facts = facts(job, now);
    facts.extend(more_facts(account, now));
    render_heading(job, style)
        + &render_facts(&facts, style)
        + &render_digest(&account.row.result.digest, style)
        + &render_tasks(job, style)
        + &render_changes(&account.changes, style)
        + &render_held(&account.changes, style)
        + &render_warnings(&account.row.warnings, style)
}

/// What the row knows beyond the status hash.
fn more_facts(account: &JobAccount, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let row = &account.row;
    let request = &row.request;
    let ago = |at: Option<DateTime<Utc>>| at.map(|at| screen::when(at, now)).unwrap_or_default();
    let flags = [(request.force, "force"), (request.accept_churn, "accept_churn")];
    let flags: Vec<&str> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
    let is_open = !row.status.is_final();
    vec![
        ("accepted", iso(row.created_at)),
        ("began", row.start_time.map(|at| began(row.created_at, at)).unwrap_or_default()),
        ("ended", row.end_time.map(iso).unwrap_or_default()),
        ("with", flags.join(", ")),
        ("date wanted", request.as_of.map(|date| date.to_string()).unwrap_or_default()),
        ("dedupe key", request.dedupe_key.clone().unwrap_or_default()),
        ("undoes", request.revert_of.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("next try", ago(row.not_before)),
        ("waits since", ago(row.waiting_since.filter(|_| is_open))),
        ("cancel asked", ago(row.cancel_requested_at)),
        ("held by", if is_open { held_by(account, now) } else { String::new() }),
        ("last step", row.last_step.clone().unwrap_or_default()),
        ("events", format!("{} sent, {} unsent", account.outbox.sent, account.outbox.unsent)),
        ("error", row.error.clone().unwrap_or_default()),
    ]
}

/// When it was first begun, and how long that took.
fn began(accepted: DateTime<Utc>, start: DateTime<Utc>) -> String {
    let waited = (start - accepted).num_milliseconds() as f64 / 1000.0;
    format!("{}, after {}", iso(start), screen::duration(waited))
}

fn held_by(account: &JobAccount, now: DateTime<Utc>) -> String {
    let Some(holder) = &account.holder else { return String::new() };
    let step = holder.step.as_deref().unwrap_or("claim");
    let until = screen::when(holder.expires_at, now);
    let lease = if holder.is_expired { "its lease ran out" } else { "its lease runs out" };
    format!("worker {}, at step {step}; {lease} {until}", holder.worker)
}

fn render_digest(digest: &str, style: &Style) -> String {
    if digest.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["", ""]);
    for part in digest.split("; ") {
        table.row([Cell::new(Ink::Dim, "  -"), part.into()]);
    }
    format!("\n{}\n{}", style.paint(Ink::Bold, "In short"), table.render(style))
}

fn render_changes(changes: &[UniverseChanges], style: &Style) -> String {
    let is_touched = |universe: &&UniverseChanges| universe.added + universe.removed + universe.renamed > 0;
    let mut table = Table::new(["  UNIVERSE", "#ADDED", "#REMOVED", ""]);
    let mut is_empty = true;
    for universe in changes.iter().filter(is_touched) {
        is_empty = false;
        let renamed = match universe.renamed {
            0 => String::new(),
            renamed => format!("{} renamed", screen::thousands(renamed)),
        };
        let number = |count: i64| if count == 0 { String::new() } else { screen::thousands(count) };
        table.row([
            format!("  {}", universe.universe).into(),
            Cell::new(Ink::Green, number(universe.added)),
            Cell::new(Ink::Red, number(universe.removed)),
            renamed.into(),
        ]);
    }
    if is_empty { String::new() } else { format!("\n{}", table.render(style)) }
}

/// The universes that a guard held, with why and how much was kept back.
fn render_held(changes: &[UniverseChanges], style: &Style) -> String {
    let mut table = Table::new(["", "", ""]);
    let mut is_empty = true;
    for universe in changes {
        let Some(reason) = &universe.held_reason else { continue };
        is_empty = false;
        let count = |list: &str| {
            let proposal = universe.held_proposal.as_ref();
            proposal.and_then(|proposal| proposal[list].as_array()).map_or(0, Vec::len)
        };
        let kept_back = format!(
            "{reason} ({} would join, {} leave)",
            screen::thousands(count("would_join") as u64),
            screen::thousands(count("would_leave") as u64)
        );
        table.row([Cell::new(Ink::Yellow, "  !"), universe.universe.as_str().into(), kept_back.into()]);
    }
    if is_empty {
        String::new()
    } else {
        format!("\n{}\n{}", style.paint(Ink::Bold, "Held"), table.render(style))
    }
}

/// Everything about one job, for a program.
pub fn account_json(job: &Picture, account: &JobAccount) -> Value {
    let row = &account.row;
    let request = &row.request;
    let time = |at: Option<DateTime<Utc>>| at.map(iso);
    let mut fields = match job.to_json() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let columns = json!({
        "force": request.force,
        "accept_churn": request.accept_churn,
        "requested_as_of": request.as_of,
        "dedupe_key": request.dedupe_key,
        "revert_of": request.revert_of,
        "lease_number": row.lease_number,
        "not_before": time(row.not_before),
        "waiting_since": time(row.waiting_since),
        "cancel_requested_at": time(row.cancel_requested_at),
        "entry_id": row.entry_id,
        "last_step": row.last_step,
        "policy_fingerprint": row.policy_fingerprint,
        "digest": row.result.digest,
        "changes": account.changes,
        "owner": account.holder,
        "outbox": account.outbox,
    });
    if let Value::Object(columns) = columns {
        fields.extend(columns);
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, JobRequest};
    use crate::domain::task::Mode;
    use crate::store::account::{Holder, OutboxCount};
    use crate::store::jobs::JobRow;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// A job that has just been accepted.
    fn row() -> JobRow {
        let accepted = at("2026-01-09T21:10:00Z");
        let id = JobId::parse("eod-2026-01-09").expect("an id");
        let request = JobRequest {
            force: true,
            dedupe_key: Some("eod:2026-01-09".to_owned()),
            ..JobRequest::new(id, Mode::Full, "eod_import", accepted)
        };
        JobRow { entry_id: Some("1767993000000-0".to_owned()), ..JobRow::accepted(request, accepted) }
    }

    fn account(row: JobRow) -> JobAccount {
        JobAccount { row, changes: Vec::new(), holder: None, outbox: OutboxCount { unsent: 0, sent: 0 } }
    }

    fn completed() -> JobAccount {
        let result = json!({
            "total_changes": 12, "universes_updated": ["mega_cap", "top_100"], "held_universes": ["large_cap"],
            "task_results": {"market_cap_recalculation": {"status": "completed", "changes": 12, "duration_seconds": 0.218}},
            "completed": 5, "total_symbols": 6004,
            "digest": "mega_cap +NVDA; delisted PEAX; large_cap held: 31 of 712 would change; 12 changes in 2 universes",
        });
        let changes = |universe: &str, added, removed| UniverseChanges {
            universe: universe.to_owned(),
            added,
            removed,
            renamed: 0,
            held_reason: None,
            held_proposal: None,
        };
        let held = UniverseChanges {
            held_reason: Some("31 of 712 would change".to_owned()),
            held_proposal: Some(json!({"would_join": ["A", "B"], "would_leave": ["C"]})),
            ..changes("large_cap", 0, 0)
        };
        let row = JobRow {
            status: JobStatus::Completed,
            as_of: "2026-01-09".parse().ok(),
            attempt: 1,
            lease_number: 1,
            start_time: Some(at("2026-01-09T21:10:01Z")),
            end_time: Some(at("2026-01-09T21:10:02.212Z")),
            worker: Some("alpha-71-9f3b".to_owned()),
            last_seq: 1_000_110,
            warnings: vec!["held: large_cap: 31 of 712 would change".to_owned()],
            result: serde_json::from_value(result).expect("a result"),
            ..row()
        };
        JobAccount {
            changes: vec![held, changes("mega_cap", 1, 0), changes("top_100", 6, 5)],
            outbox: OutboxCount { unsent: 1, sent: 6 },
            ..account(row)
        }
    }

    fn shown(account: &JobAccount) -> String {
        let row = &account.row;
        let picture = Picture::of(&status_of(row, row.last_seq, row.updated_at));
        render_account(&picture, account, at("2026-01-09T21:40:00Z"), &Style::PLAIN)
    }

    #[test]
    fn a_completed_job_shows_what_it_did_to_each_universe_and_what_was_held() {
        insta::assert_snapshot!(shown(&completed()), @r"
        Job eod-2026-01-09: completed

          mode        full
          as of       2026-01-09
          asked for   30 min ago by eod_import
          attempt     1, by alpha-71-9f3b
          took        1.2 s
          changes     12 in 2 universes
          accepted    2026-01-09T21:10:00.000Z
          began       2026-01-09T21:10:01.000Z, after 1.0 s
          ended       2026-01-09T21:10:02.212Z
          with        force
          dedupe key  eod:2026-01-09
          events      6 sent, 1 unsent

        In short
          -  mega_cap +NVDA
          -  delisted PEAX
          -  large_cap held: 31 of 712 would change
          -  12 changes in 2 universes

          SUB-TASK                  STATUS     CHANGES  TOOK
          market_cap_recalculation  completed       12  218 ms

          UNIVERSE  ADDED  REMOVED
          mega_cap      1
          top_100       6        5

        Held
          !  large_cap  31 of 712 would change (2 would join, 1 leave)

        Warnings
          !  held: large_cap: 31 of 712 would change
        ");
    }

    #[test]
    fn a_job_at_work_shows_who_holds_it_and_how_far_it_is() {
        let running = JobAccount {
            holder: Some(Holder {
                worker: "alpha-71-9f3b".to_owned(),
                lease_number: 1,
                step: Some("plan".to_owned()),
                expires_at: at("2026-01-09T21:40:14Z"),
                is_expired: false,
            }),
            ..account(JobRow {
                status: JobStatus::Running,
                attempt: 1,
                start_time: Some(at("2026-01-09T21:39:57Z")),
                worker: Some("alpha-71-9f3b".to_owned()),
                cancel_requested_at: Some(at("2026-01-09T21:39:59Z")),
                ..row()
            })
        };
        insta::assert_snapshot!(shown(&running), @r"
        Job eod-2026-01-09: running

          mode          full
          asked for     30 min ago by eod_import
          attempt       1, by alpha-71-9f3b
          took          3.0 s
          accepted      2026-01-09T21:10:00.000Z
          began         2026-01-09T21:39:57.000Z, after 29 min 57 s
          with          force
          dedupe key    eod:2026-01-09
          cancel asked  1 s ago
          held by       worker alpha-71-9f3b, at step plan; its lease runs out in 14 s
          events        0 sent, 0 unsent
        ");
    }

    #[test]
    fn json_has_the_fields_of_the_status_hash_and_the_columns_of_the_job() {
        let account = completed();
        let picture = Picture::of(&status_of(&account.row, account.row.last_seq, account.row.updated_at));
        let value = account_json(&picture, &account);
        let keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
        insta::assert_snapshot!(keys.join(" "), @"job_id mode status phase current_task completed total_items percentage attempt worker triggered_by run_id as_of created_at start_time end_time updated_at duration_seconds total_changes universes_updated held_universes task_results warnings error replay_of seq force accept_churn requested_as_of dedupe_key revert_of lease_number not_before waiting_since cancel_requested_at entry_id last_step policy_fingerprint digest changes owner outbox");
        insta::assert_snapshot!(format!("{}\n{}", value["changes"], value["outbox"]), @r#"
        [{"universe":"large_cap","added":0,"removed":0,"renamed":0,"held_reason":"31 of 712 would change","held_proposal":{"would_join":["A","B"],"would_leave":["C"]}},{"universe":"mega_cap","added":1,"removed":0,"renamed":0,"held_reason":null,"held_proposal":null},{"universe":"top_100","added":6,"removed":5,"renamed":0,"held_reason":null,"held_proposal":null}]
        {"unsent":1,"sent":6}
        "#);
    }
}
