//! What can be looked up about one job, while it works and after its end.

use cache_sync::domain::job::JobId;
use cache_sync::store::account::JobAccount;

use crate::world::{World, background, request, stock};

async fn account(world: &World, id: &str) -> JobAccount {
    world.service().account(&JobId::parse(id).unwrap()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_job_at_work_names_its_worker_and_its_step_and_has_changed_nothing_yet() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker_named("a");
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    world.reached_step("job", "apply").await;
    let at_work = account(&world, "job").await;
    let holder = at_work.holder.unwrap();
    assert!(holder.worker.starts_with("a-"), "{holder:?}");
    assert_eq!(holder.step.as_deref(), Some("apply"));
    assert_eq!((holder.lease_number, holder.is_expired), (1, false));
    assert!(at_work.changes.is_empty());
    gate.open().await;
    world.ended("job").await;
    worker.stop().await;
    assert_eq!(account(&world, "job").await.holder, None);
}

#[tokio::test]
async fn a_job_that_ended_accounts_for_every_change_and_every_hold_and_every_event() {
    let world = World::filled().await;
    world.list(stock("NEWT").cap("12.4B").listed_days_ago(3)).await;
    for number in 0..12 {
        world.list(stock(&format!("GIANT{number}")).cap("900B")).await;
    }
    world.close_next_day(&[(&background(13), 1.1)]).await;
    let status = world.sync("second").await;
    let account = account(&world, "second").await;

    let total: i64 = account.changes.iter().map(|universe| universe.added + universe.removed).sum();
    assert_eq!(total.to_string(), status["total_changes"]);
    let of = |name: &str| account.changes.iter().find(|universe| universe.universe == name);
    assert_eq!(of("recent_ipos").map(|universe| (universe.added, universe.removed)), Some((1, 0)));
    let held: Vec<&str> = account
        .changes
        .iter()
        .filter(|universe| universe.held_reason.is_some())
        .map(|universe| universe.universe.as_str())
        .collect();
    assert_eq!(serde_json::to_string(&held).unwrap(), status["held_universes"]);
    assert!(held.contains(&"mega_cap"), "{held:?}");
    let kept_back = of("mega_cap").unwrap().held_proposal.as_ref().unwrap();
    assert!(kept_back["would_join"].as_array().is_some_and(|joiners| joiners.len() >= 12), "{kept_back}");
    assert!(account.row.result.digest.contains("new listings NEWT"));
    let told = world.events("second").await.iter().filter(|told| told.event != "cache_sync_progress").count();
    assert_eq!((account.outbox.unsent, account.outbox.sent), (0, told as i64));
}

#[tokio::test]
async fn an_unknown_job_has_no_account_and_the_commands_say_so() {
    let world = World::new().await;
    assert_eq!(world.service().account(&JobId::parse("nobody").unwrap()).await.unwrap(), None);
    for args in [&["jobs", "show", "nobody"][..], &["cancel", "nobody"]] {
        let mut command = world.spawn(args);
        assert_eq!(command.end().await.code(), Some(1), "{args:?}");
        assert!(command.log().contains("there is no job \"nobody\""), "{}", command.log());
    }
    world.submit(&request("job")).await;
    for (args, code) in [
        (&["jobs", "show", "job", "--json"][..], 0),
        (&["jobs", "--limit", "5"], 0),
        (&["cancel", "job"], 0),
        (&["cancel", "job"], 1),
    ] {
        let mut command = world.spawn(args);
        assert_eq!(command.end().await.code(), Some(code), "{args:?}: {}", command.log());
    }
    assert_eq!(world.status("job").await["status"], "cancelled");
}

#[tokio::test]
async fn themes_can_be_looked_at_and_an_unknown_one_is_named_with_its_nearest() {
    let world = World::filled().await;
    for (args, code) in [
        (&["themes", "candidates", "--json"][..], 0),
        (&["themes", "candidates", "biotech_innovators", "--all"], 0),
        (&["themes", "recall"], 0),
        (&["themes", "candidates", "biotech_inovators"], 1),
    ] {
        let mut command = world.spawn(args);
        assert_eq!(command.end().await.code(), Some(code), "{args:?}: {}", command.log());
        assert_eq!(command.log().contains("did you mean \"biotech_innovators\""), code == 1);
    }
}
