//! A job that should not have been can be undone, as a job itself.

use std::collections::HashMap;

use cache_sync::domain::job::{JobId, JobRequest};
use cache_sync::domain::task::Mode;

use crate::world::{World, background, request};

/// The rows of `cache_entries` to the letter, but for when they were written.
const ROWS: &str = "
    select universe, cache_type,
           case when jsonb_typeof(content) = 'object' then content - 'last_updated' else content end
    from cache_entries order by universe";
/// What is known of our universes, but for when and by whom it was found out.
const KNOWN: &str = "
    select universe, cache_type, symbol_count, members_digest, status, held_runs, total_market_cap
    from cache_entries_metadata order by universe";

fn revert_of(job: &str, id: &str) -> JobRequest {
    JobRequest { mode: Mode::Revert, revert_of: JobId::parse(job), ..request(id) }
}

impl World {
    /// Asks for the revert of a job as the command does, and works until it has ended.
    async fn revert(&self, job: &str, id: &str) -> HashMap<String, String> {
        self.submit(&revert_of(job, id)).await;
        self.run_once().await;
        self.status(id).await
    }

    async fn revert_done(&self, job: &str, id: &str) -> HashMap<String, String> {
        let status = self.revert(job, id).await;
        assert_eq!(status["status"], "completed", "{}", status["error"]);
        self.assert_history_is_consistent().await;
        status
    }

    /// A full sync that a person tells to believe everything.
    async fn sync_believing(&self, id: &str) {
        self.xadd(&[("job_id", id), ("accept_churn", "true"), ("triggered_by", "admin")]).await;
        self.run_once().await;
        assert_eq!(self.status(id).await["status"], "completed");
    }

    /// The command: its exit code and what it wrote to standard error.
    async fn command(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut process = self.spawn(args);
        let code = process.end().await.code();
        (code, process.log())
    }
}

/// The caps of the sixty largest are halved over night.
/// Nearly halved: a price of just a half would be taken for that of a split 2:1.
async fn caps_are_halved(world: &World) {
    let symbols: Vec<String> = (1..=60).map(background).collect();
    let moves: Vec<(&str, f64)> = symbols.iter().map(|symbol| (symbol.as_str(), 0.56)).collect();
    world.close_next_day(&moves).await;
}

#[tokio::test]
async fn after_a_revert_every_row_is_what_it_was_but_for_its_time() {
    let world = World::filled().await;
    let (rows, known) = (world.ask(ROWS).await, world.ask(KNOWN).await);
    let times =
        "select universe, content ->> 'last_updated', updated_at from cache_entries order by universe";
    let written = world.ask(times).await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    assert_ne!(world.ask(ROWS).await, rows);
    let changes = world.status("bad").await["total_changes"].clone();

    let status = world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
    assert_eq!(world.ask(KNOWN).await, known);
    assert_ne!(world.ask(times).await, written, "readers see that it was written anew");
    assert_eq!((status["mode"].as_str(), status["percentage"].as_str()), ("revert", "100"));
    assert_eq!((&status["total_changes"], status["warnings"].as_str()), (&changes, "[]"));
    assert_eq!(status["as_of"], "2026-03-03");
    let stamps = "select count(*) from cache_entries_metadata where last_job_id = 'undo' and last_as_of <> '2026-03-02'";
    assert_eq!(world.count(stamps).await, 0);
}

#[tokio::test]
async fn history_and_audit_tell_of_a_revert() {
    let world = World::filled().await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    // A mega cap of 296 billion that became a large one.
    let fallen = background(6);
    world.close_next_day(&[]).await;
    world.sync("next").await;
    world.revert_done("bad", "undo").await;
    assert_eq!(
        world.history("mega_cap", &fallen).await,
        ["2026-03-02 2026-03-03 first_fill rule", "2026-03-04 - revert -"]
    );
    assert_eq!(world.history("large_cap", &fallen).await, ["2026-03-03 2026-03-04 rule revert"]);
    let audit = format!(
        "select universe, action, reason, task, as_of from cache_sync_changes
         where job_id = 'undo' and symbol = '{fallen}' and universe like '%_cap' order by universe"
    );
    assert_eq!(
        world.ask(&audit).await,
        [
            "large_cap removed revert market_cap_recalculation 2026-03-04",
            "mega_cap added revert market_cap_recalculation 2026-03-04"
        ]
    );
}

#[tokio::test]
async fn what_a_date_undoes_on_itself_never_was() {
    let world = World::filled().await;
    let intervals = "select universe, symbol, valid_from, valid_to, entry_reason, exit_reason
                     from universe_membership order by 1, 2, 3";
    let history = world.ask(intervals).await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(intervals).await, history);
}

#[tokio::test]
async fn a_revert_is_told_like_a_sync_with_its_own_reason() {
    let world = World::filled().await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("bad").await;
    let listener = world.listen().await;
    world.revert_done("bad", "undo").await;
    let heard = listener.hear_end_of("undo").await;
    let updates: Vec<_> = heard.iter().filter(|heard| heard.message["event"] == "universe_updated").collect();
    let of = |name: &str| {
        let found = updates.iter().find(|heard| heard.message["payload"]["universe"] == name);
        found.unwrap().message["payload"].clone()
    };
    assert_eq!(updates.len(), 2);
    assert_eq!((&of("mega_cap")["reason"], &of("mega_cap")["action"]), (&"revert".into(), &"removed".into()));
    assert_eq!((&of("large_cap")["action"], &of("large_cap")["added"]), (&"added".into(), &1.into()));
    let end = &heard.last().unwrap().message;
    assert_eq!((&end["event"], &end["payload"]["mode"]), (&"cache_sync_completed".into(), &"revert".into()));
    assert_eq!(
        world.event_names("undo").await,
        [
            "cache_sync_triggered",
            "cache_sync_started",
            "universe_updated",
            "universe_updated",
            "cache_sync_completed"
        ]
    );
}

#[tokio::test]
async fn jobs_that_ran_later_are_undone_too() {
    let world = World::filled().await;
    let rows = world.ask(ROWS).await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    world.close_next_day(&[(&background(70), 4.0)]).await;
    world.sync("later").await;
    world.close_next_day(&[(&background(90), 9.0)]).await;
    world.sync("last").await;
    let status = world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
    assert!(
        status["warnings"]
            .contains("later_jobs_undone: 2 jobs that ran later are undone with it: later, last"),
        "{}",
        status["warnings"]
    );
}

#[tokio::test]
async fn only_the_last_of_several_jobs_can_be_undone() {
    let world = World::filled().await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("good").await;
    let rows = world.ask(ROWS).await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
}

#[tokio::test]
async fn the_revert_of_a_revert_brings_it_all_back() {
    let world = World::filled().await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    let (rows, known) = (world.ask(ROWS).await, world.ask(KNOWN).await);
    world.revert_done("bad", "undo").await;
    world.revert_done("undo", "redo").await;
    assert_eq!((world.ask(ROWS).await, world.ask(KNOWN).await), (rows, known));
    // The sync that follows finds everything in order.
    let status = world.sync("again").await;
    assert_eq!((status["total_changes"].as_str(), status["held_universes"].as_str()), ("0", "[]"));
}

#[tokio::test]
async fn the_sync_after_a_revert_is_judged_by_what_stood_before_the_bad_job() {
    let world = World::filled().await;
    world.sql("update symbols set active = false where symbol > 'BG120'").await;
    world.close_next_day(&[]).await;
    world.sync_believing("bad").await;
    world.revert_done("bad", "undo").await;

    world.xadd(&[("job_id", "blind"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let error = world.status("blind").await["error"].clone();
    assert!(error.starts_with("active_drop: 120 active stocks, 130 on"), "{error}");

    world.sql("update symbols set active = true").await;
    world.import_closes(world.today().await, 100).await;
    let status = world.sync("repaired").await;
    assert_eq!((status["total_changes"].as_str(), status["held_universes"].as_str()), ("0", "[]"));
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_held_back_guard_lets_the_repaired_import_pass_after_a_revert() {
    let world = World::filled().await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    world.revert_done("bad", "undo").await;
    world.sql("update ohlcv_daily set close = 100").await;
    world.close_next_day(&[]).await;
    let status = world.sync("repaired").await;
    assert_eq!((status["total_changes"].as_str(), status["held_universes"].as_str()), ("0", "[]"));
    assert_eq!(status["as_of"], "2026-03-04");
}

#[tokio::test]
async fn the_first_sync_can_be_undone_to_the_rows_that_stood_there_before() {
    let world = World::new().await;
    let (stays, goes) = (background(1), background(50));
    world
        .sql(&format!(
            "insert into cache_entries (universe, cache_type, content) values
             ('mega_cap', 'market_cap', '{{\"symbols\": [\"{stays}\", \"{goes}\", \"{stays}\"], \"n\": 1.50}}'),
             ('large_cap', 'market_cap', '{{\"symbols\": [], \"last_updated\": 7}}')"
        ))
        .await;
    let rows = "select universe, cache_type, content from cache_entries order by universe";
    let before = world.ask(rows).await;
    world.sync("first").await;
    let filled = (world.ask(ROWS).await, world.ask(KNOWN).await);

    world.revert_done("first", "undo").await;
    assert_eq!(world.ask(rows).await, before);
    assert_eq!(world.count("select count(*) from cache_entries_metadata").await, 0);
    assert_eq!(world.count("select count(*) from universe_membership where valid_to is null").await, 0);

    world.revert_done("undo", "redo").await;
    assert_eq!((world.ask(ROWS).await, world.ask(KNOWN).await), filled);
    world.revert_done("redo", "undo-again").await;
    assert_eq!(world.ask(rows).await, before);

    world.close_next_day(&[]).await;
    world.sync("second").await;
    assert_eq!((world.ask(ROWS).await, world.ask(KNOWN).await), filled);
    assert_eq!(world.history("mega_cap", &stays).await, ["2026-03-03 - adopted -"]);
    assert_eq!(world.history("top_100", &stays).await, ["2026-03-03 - first_fill -"]);
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn after_the_revert_of_the_first_sync_the_next_one_is_judged_as_a_first_one() {
    let world = World::filled_with(&[("guards.min_active_stocks", "130")]).await;
    world.revert_done("first", "undo").await;
    world.delist(&background(130)).await;
    world.xadd(&[("job_id", "small"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let error = world.status("small").await["error"].clone();
    assert!(error.starts_with("too_few_stocks: 129 active stocks"), "{error}");
}

#[tokio::test]
async fn foreign_rows_get_their_symbols_back_unless_somebody_wrote_them_since() {
    let world = World::filled().await;
    let gone = background(20);
    let list = format!(r#"{{"symbols": ["{gone}", 7, "ELSE", "{gone}"], "count": 4, "price": 1.50}}"#);
    world
        .sql(&format!(
            "insert into cache_entries (universe, cache_type, content) values
             ('watchlist', 'custom', '{list}'), ('mine', null, '{list}')"
        ))
        .await;
    let rows = world.ask(ROWS).await;
    world.delist(&gone).await;
    world.close_next_day(&[]).await;
    world.sync("bad").await;
    let cleaned = world.ask(ROWS).await;
    assert_ne!(cleaned, rows);

    let status = world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
    assert!(status["universes_updated"].contains("watchlist"), "{}", status["universes_updated"]);
    let audit = "select symbol, action, reason, task from cache_sync_changes
                 where job_id = 'undo' and universe = 'watchlist'";
    let line = format!("{gone} added revert delisted_cleanup");
    assert_eq!(world.ask(audit).await, [line.clone(), line]);
    assert_eq!(world.count("select count(*) from universe_membership where universe = 'watchlist'").await, 0);

    world.revert_done("undo", "redo").await;
    assert_eq!(world.ask(ROWS).await, cleaned);

    // Its owner takes a symbol out and leaves the time as it is.
    let edit = r#"update cache_entries set content = '{"symbols": [7], "count": 1}' where universe = 'mine'"#;
    world.sql(edit).await;
    let mine = "select content, updated_at from cache_entries where universe = 'mine'";
    let edited = world.ask(mine).await;
    let status = world.revert_done("redo", "undo-again").await;
    assert_eq!(world.ask(mine).await, edited);
    assert!(status["warnings"].contains("foreign_changed: 1 foreign row"), "{}", status["warnings"]);
    assert!(!status["universes_updated"].contains("mine"));
}

#[tokio::test]
async fn a_row_that_somebody_deleted_since_comes_back() {
    let world = World::filled().await;
    let rows = world.ask(ROWS).await;
    caps_are_halved(&world).await;
    world.sync_believing("bad").await;
    world.sql("delete from cache_entries where universe in ('mega_cap', 'mid_cap')").await;
    world.sql("update cache_entries set content = '[]', cache_type = 'x' where universe = 'large_cap'").await;
    world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
}

#[tokio::test]
async fn what_can_not_be_reverted_is_refused_by_the_command_and_by_the_worker() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    world.sync("calm").await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("bad").await;
    world.revert_done("bad", "undo").await;
    world.sql("update symbols set active = false where symbol > 'BG060'").await;
    world.xadd(&[("job_id", "refused"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    world.sql("delete from cache_sync_runs where job_id = 'first'").await;

    let (rows, history) = (world.ask(ROWS).await, world.ask("select count(*) from cache_sync_changes").await);
    for (job, code, sentence) in [
        ("nobody", "unknown_job", "there is no job \"nobody\"; `cache-sync jobs` lists the recent ones"),
        ("calm", "nothing_to_revert", "job calm changed no universe, so there is nothing to revert"),
        ("refused", "nothing_to_revert", "job refused changed no universe, so there is nothing to revert"),
        (
            "bad",
            "nothing_to_revert",
            "the universes stand as they stood before job bad already; nothing is left to revert",
        ),
        ("first", "run_forgotten", "what stood in the universes before job first is no longer kept"),
    ] {
        let (code_of_exit, said) = world.command(&["revert", job]).await;
        assert_eq!(code_of_exit, Some(1), "{job}: {said}");
        assert!(said.starts_with(&format!("error: {sentence}")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");

        let status = world.revert(job, &format!("undo-{job}")).await;
        assert_eq!(status["status"], "failed");
        assert!(status["error"].starts_with(&format!("{code}: {sentence}")), "{}", status["error"]);
    }
    assert_eq!(world.ask(ROWS).await, rows);
    assert_eq!(world.ask("select count(*) from cache_sync_changes").await, history);
}

#[tokio::test]
async fn a_job_that_has_not_ended_is_not_reverted() {
    let world = World::filled().await;
    world.accept(&request("waiting")).await;
    let (code, said) = world.command(&["revert", "waiting"]).await;
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("error: job waiting has not ended, so there is nothing to revert yet"),
        "{said}"
    );
    assert_eq!(world.count("select count(*) from cache_sync_jobs where mode = 'revert'").await, 0);
}

#[tokio::test]
async fn the_command_waits_for_its_job_and_says_what_else_is_undone() {
    let world = World::filled().await;
    let rows = world.ask(ROWS).await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("bad").await;
    world.close_next_day(&[(&background(14), 1.2)]).await;
    world.sync("later").await;
    let _worker = world.start_worker();
    let (code, said) = world.command(&["revert", "bad", "--wait", "--timeout", "25"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (first, states) = said.split_once('\n').unwrap();
    assert_eq!(first, "note: 1 job that ran later is undone with it: later");
    let is_state = |line: &str| line == "queued" || line.starts_with("running: ");
    assert!(states.lines().all(is_state), "nothing is said beside what the job is at: {states}");
    assert_eq!(world.ask(ROWS).await, rows);
    let asked = "select mode, revert_of, triggered_by, status from cache_sync_jobs where mode = 'revert'";
    assert_eq!(world.ask(asked).await, ["revert bad cli completed"]);
}

#[tokio::test]
async fn thirty_runs_back_can_be_reverted() {
    let world = World::filled().await;
    let rows = world.ask(ROWS).await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("bad").await;
    // Runs between, as thirty evenings would leave them, so that the one before the bad job is forgotten.
    world
        .sql(
            "insert into cache_sync_runs (as_of, job_id, mode, recorded_at, active_stocks, closes, symbols, caps_cents,
                                          closes_dollars, shares, sectors)
             select as_of, 'between-' || n, mode, recorded_at, active_stocks, closes, symbols, caps_cents,
                    closes_dollars, shares, sectors
             from cache_sync_runs, generate_series(1, 29) as n where job_id = 'bad';
             delete from cache_sync_runs where job_id = 'first'",
        )
        .await;
    world.revert_done("bad", "undo").await;
    assert_eq!(world.ask(ROWS).await, rows);
    assert_eq!(world.count("select count(*) from cache_sync_runs").await, 30);
    world.close_next_day(&[]).await;
    let status = world.sync("next").await;
    assert_eq!(status["universes_updated"], r#"["large_cap","mega_cap"]"#);
}
