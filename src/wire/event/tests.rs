use super::*;
use crate::domain::task::TaskStatus;

/// A world in which job `job-1` says everything at half past nine.
struct Scene {
    names: Names,
    job_id: JobId,
}

impl Scene {
    fn new() -> Self {
        Self { names: Names::default(), job_id: JobId::parse("job-1").expect("valid") }
    }

    fn occasion(&self) -> Occasion<'_> {
        let at = DateTime::from_timestamp_millis(1_767_389_400_250).expect("in range");
        Occasion { names: &self.names, job_id: &self.job_id, mode: Mode::Full, seq: 1_000_001, at }
    }
}

fn symbols(count: usize) -> Vec<Symbol> {
    (0..count).map(|n| symbol(&format!("S{n}"))).collect()
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("valid")
}

fn universe(text: &str) -> UniverseName {
    UniverseName::known(text)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn triggered_says_who_asked_and_through_which_door() {
    let scene = Scene::new();
    let event = Occasion { seq: 1, ..scene.occasion() }.triggered(Source::Api, true, "api");
    assert_eq!(
        event,
        Event {
            seq: 1,
            name: EventName::Triggered,
            channels: texts(&["tickstock:cache:sync_triggered"]),
            envelope: json!({
                "event": "cache_sync_triggered",
                "timestamp": "2026-01-02T21:30:00.250Z",
                "source": "cache_sync_api",
                "version": "1.0",
                "payload": {"job_id": "job-1", "mode": "full", "seq": 1, "force": true, "triggered_by": "api"},
            }),
        }
    );
    let by_command = scene.occasion().triggered(Source::Job, false, "cli");
    assert_eq!(by_command.envelope["source"], "daily_cache_sync_job");
}

#[test]
fn started_says_how_much_is_ahead() {
    let event = Scene::new().occasion().started(Started { run_id: None, total_items: 5 });
    assert_eq!(event.channels, ["tickstock:cache:started"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "cache_sync_started",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "run_id": "", "phase": "cache_sync", "total_items": 5,
            },
        })
    );
}

#[test]
fn progress_counts_sub_tasks_and_leaves_out_what_is_unknown() {
    let mut progress = Progress {
        run_id: Some("4711"),
        current_task: SyncTask::IpoAssignment,
        completed: 2,
        total_items: 5,
        total_symbols: Some(5_601),
    };
    let scene = Scene::new();
    let event = scene.occasion().progress(progress);
    assert_eq!(event.channels, ["tickstock:cache:progress"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "cache_sync_progress",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "run_id": "4711", "phase": "cache_sync", "current_task": "ipo_assignment",
                "completed": 2, "total_items": 5, "percentage": 40, "total_symbols": 5_601,
            },
        })
    );
    progress.total_symbols = None;
    let payload = &scene.occasion().progress(progress).envelope["payload"];
    assert!(payload.get("total_symbols").is_none(), "{payload}");
}

#[test]
fn an_updated_universe_lists_who_joined_and_who_left() {
    let (name, added, removed) = (universe("top_100"), [symbol("NEWT"), symbol("BRK.B")], [symbol("OLD")]);
    let update = UniverseUpdated {
        universe: &name,
        cache_type: CacheType::MarketLeader,
        added: &added,
        removed: &removed,
        count: 100,
        cause: Cause::Task(SyncTask::MarketCapRecalculation),
    };
    let scene = Scene::new();
    let event = scene.occasion().universe_updated(update);
    assert_eq!(event.channels, ["tickstock:universe:updated"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "universe_updated",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "universe": "top_100", "cache_type": "market_leader", "action": "updated",
                "added": 2, "removed": 1, "count": 100, "reason": "market_cap_recalculation",
                "added_symbols": ["NEWT", "BRK.B"], "removed_symbols": ["OLD"],
            },
        })
    );

    let joiners = UniverseUpdated { removed: &[], ..update };
    assert_eq!(scene.occasion().universe_updated(joiners).envelope["payload"]["action"], "added");
    let leavers = UniverseUpdated { added: &[], cause: Cause::Revert, ..update };
    let payload = &scene.occasion().universe_updated(leavers).envelope["payload"];
    assert_eq!((&payload["action"], &payload["reason"]), (&json!("removed"), &json!("revert")));
    assert_eq!(payload["added_symbols"], json!([]));
}

#[test]
fn lists_of_symbols_stop_at_a_hundred_and_the_counts_do_not() {
    let (name, many) = (universe("all_stocks"), symbols(5_600));
    let update = UniverseUpdated {
        universe: &name,
        cache_type: CacheType::Complete,
        added: &many,
        removed: &many[..101],
        count: 5_600,
        cause: Cause::Task(SyncTask::MarketCapRecalculation),
    };
    let scene = Scene::new();
    let payload = &scene.occasion().universe_updated(update).envelope["payload"];
    assert_eq!((&payload["added"], &payload["removed"]), (&json!(5_600), &json!(101)));
    assert_eq!(payload["added_symbols"].as_array().map(Vec::len), Some(100));
    assert_eq!(payload["removed_symbols"].as_array().map(Vec::len), Some(100));

    let cleanup = DelistingCleanup { symbols: &many, universes: &[] };
    let payload = &scene.occasion().delisting_cleanup(cleanup).envelope["payload"];
    assert_eq!(payload["removed_count"], 5_600);
    assert_eq!(payload["symbols"].as_array().map(Vec::len), Some(100));
}

#[test]
fn a_new_listing_is_announced_with_what_is_known_of_it() {
    let (newt, spac) = (symbol("NEWT"), symbol("SPAC"));
    let (theme, recent) = (universe("biotech_innovators"), universe("recent_ipos"));
    let known = IpoAssignment {
        symbol: &newt,
        universe: &theme,
        reason: "listing",
        market_cap: Usd::from_decimal("12400000000.129".parse().expect("a number")),
        sector: Some(Sector::Healthcare),
    };
    let unknown =
        IpoAssignment { symbol: &spac, universe: &recent, reason: "listing", market_cap: None, sector: None };

    let events = Scene::new().occasion().ipo_assignments(&[known, unknown]);
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1_000_001, 1_000_002]);
    assert_eq!(events[0].channels, ["tickstock:cache:ipo_assignment"]);
    assert_eq!(
        events[0].envelope,
        json!({
            "event": "ipo_assignment",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "symbol": "NEWT", "universe": "biotech_innovators", "reason": "listing",
                "market_cap": 12_400_000_000.12, "sector": "healthcare",
            },
        })
    );
    assert_eq!(
        events[1].envelope["payload"],
        json!({
            "job_id": "job-1", "mode": "full", "seq": 1_000_002,
            "symbol": "SPAC", "universe": "recent_ipos", "reason": "listing", "sector": "",
        })
    );
}

#[test]
fn beyond_five_hundred_new_listings_each_universe_is_summed_up() {
    let (many, theme, recent) = (symbols(500), universe("ai_ml_leaders"), universe("recent_ipos"));
    let assign = |symbol, universe| IpoAssignment {
        symbol,
        universe,
        reason: "listing",
        market_cap: None,
        sector: None,
    };
    let mut assignments: Vec<_> = many.iter().map(|symbol| assign(symbol, &recent)).collect();
    let scene = Scene::new();
    assert_eq!(scene.occasion().ipo_assignments(&assignments).len(), 500);

    assignments.push(assign(&many[7], &theme));
    let events = scene.occasion().ipo_assignments(&assignments);
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1_000_001, 1_000_002]);
    let payload = &events[0].envelope["payload"];
    assert_eq!((&payload["universe"], &payload["count"]), (&json!("recent_ipos"), &json!(500)));
    assert_eq!(payload["symbols"].as_array().map(Vec::len), Some(100));
    assert_eq!(
        events[1].envelope["payload"],
        json!({
            "job_id": "job-1", "mode": "full", "seq": 1_000_002,
            "universe": "ai_ml_leaders", "count": 1, "symbols": ["S7"],
        })
    );
    assert_eq!(scene.occasion().ipo_assignments(&[]), []);
}

#[test]
fn a_cleanup_names_the_symbols_and_the_universes_they_left() {
    let (gone, left) = ([symbol("OLD")], texts(&["top_100", "favourites:old"]));
    let event =
        Scene::new().occasion().delisting_cleanup(DelistingCleanup { symbols: &gone, universes: &left });
    assert_eq!(event.channels, ["tickstock:cache:delisting_cleanup"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "delisting_cleanup",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "removed_count": 1, "symbols": ["OLD"], "universes": ["top_100", "favourites:old"],
            },
        })
    );
}

#[test]
fn completed_is_one_event_on_two_channels() {
    let (updated, held, warnings) = (texts(&["top_100"]), texts(&["top_500"]), texts(&["held: top_500"]));
    let results = BTreeMap::from([
        (SyncTask::IpoAssignment, TaskResult { status: TaskStatus::Skipped, changes: 0, duration_ms: 0 }),
        (
            SyncTask::MarketCapRecalculation,
            TaskResult { status: TaskStatus::Completed, changes: 12, duration_ms: 1_234 },
        ),
    ]);
    let completed = Completed {
        ending: Ending::Completed,
        total_changes: 12,
        universes_updated: &updated,
        held_universes: &held,
        duration_ms: 2_005,
        task_results: &results,
        warnings: &warnings,
        run_id: Some("4711"),
        digest: "12 changes in 1 universe",
        policy_fingerprint: "a1b2",
    };
    let scene = Scene::new();
    let event = scene.occasion().completed(completed);
    assert_eq!(event.channels, ["tickstock:cache:sync_complete", "tickstock:cache:completed"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "cache_sync_completed",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001,
                "status": "completed", "total_changes": 12,
                "universes_updated": ["top_100"], "held_universes": ["top_500"], "duration_seconds": 2.005,
                "task_results": {
                    "market_cap_recalculation": {"status": "completed", "changes": 12, "duration_seconds": 1.234},
                    "ipo_assignment": {"status": "skipped", "changes": 0, "duration_seconds": 0.0},
                },
                "warnings": ["held: top_500"], "error": "", "run_id": "4711", "phase": "cache_sync",
                "digest": "12 changes in 1 universe", "policy_fingerprint": "a1b2",
            },
        })
    );

    for (ending, status, error) in
        [(Ending::Failed("no closes"), "failed", "no closes"), (Ending::Cancelled, "failed", "cancelled")]
    {
        let payload = &scene.occasion().completed(Completed { ending, ..completed }).envelope["payload"];
        assert_eq!((&payload["status"], &payload["error"]), (&json!(status), &json!(error)));
    }
}

#[test]
fn an_error_is_a_flat_record_and_an_envelope_in_one_object() {
    let report = ErrorReport {
        severity: Severity::Warning,
        message: "top_500 was held",
        category: "guard",
        component: "worker",
        context: Map::from_iter([
            ("universe".to_owned(), json!("top_500")),
            ("limit".to_owned(), Value::Null),
        ]),
    };
    let scene = Scene::new();
    let event = scene.occasion().error(&report);
    let id = event.envelope["error_id"].clone();
    assert_eq!(event.channels, ["tickstock:errors"]);
    assert_eq!(
        event.envelope,
        json!({
            "event": "cache_sync_error",
            "timestamp": "2026-01-02T21:30:00.250Z",
            "source": "daily_cache_sync_job",
            "version": "1.0",
            "payload": {
                "job_id": "job-1", "mode": "full", "seq": 1_000_001, "error_id": id, "severity": "warning",
                "message": "top_500 was held", "category": "guard", "component": "worker",
            },
            "error_id": id,
            "severity": "warning",
            "message": "top_500 was held",
            "category": "guard",
            "component": "worker",
            "context": {"universe": "top_500"},
        })
    );
    assert_eq!(id.as_str().map(str::len), Some(36));
    assert_eq!(scene.occasion().error(&report).envelope["error_id"], id, "told again it is the same error");
    let next = Occasion { seq: 1_000_002, ..scene.occasion() }.error(&report);
    assert_ne!(next.envelope["error_id"], id);
}

#[test]
fn an_error_without_a_job_has_the_same_shape() {
    let report = ErrorReport {
        severity: Severity::Error,
        message: "the import ended with ERROR: nothing is synced",
        category: "signal",
        component: "trigger",
        context: Map::new(),
    };
    let scene = Scene::new();
    let (channels, message) = service_error(&scene.names, &report, scene.occasion().at);
    assert_eq!(channels, ["tickstock:errors"]);
    assert_eq!(message["payload"]["job_id"], "");
    assert_eq!(message["payload"]["message"], message["message"]);
    let keys =
        |envelope: &Value| envelope.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&message), keys(&scene.occasion().error(&report).envelope));
}

#[test]
fn an_outbox_row_becomes_the_event_it_was() {
    let scene = Scene::new();
    let event = scene.occasion().started(Started { run_id: None, total_items: 1 });
    let again = Event::from_parts(event.seq, event.channels.clone(), event.envelope.clone());
    assert_eq!(again, Ok(event));
    for envelope in [json!(null), json!({}), json!({"event": "cache_sync_begun"})] {
        assert!(Event::from_parts(1, Vec::new(), envelope).is_err());
    }
}
