//! Networks that swallow what is sent, and servers that change their role: no worker needs to be started again.

use std::time::{Duration, Instant};

use crate::world::{
    Direction, Process, Proxy, ProxyFlow as Flow, SHORT_LEASE, Target, Which, World, request, standby_socket,
    until,
};

/// The longest time until a job is done that somebody else can do: a lease of [`SHORT_LEASE`] and two seconds; a busy
/// machine needs several times as long.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

/// Has a worker hold a job at a gate until `strike` has done something to its network.
async fn owner_at_work(world: &World, worker: &Process) -> String {
    world.submit(&request("job")).await;
    world.reached_step("job", "apply").await;
    let owner = world.job("job").await.worker.unwrap();
    assert!(owner.contains(&format!("-{}-", worker.id())), "{owner}");
    owner
}

async fn assert_done_once(world: &World, id: &str) {
    assert_eq!(world.ended(id).await["status"], "completed");
    world.stream_is_empty().await;
    world.all_told().await;
    let names = world.event_names(id).await;
    assert_eq!(names.iter().filter(|name| *name == "cache_sync_completed").count(), 1, "{names:?}");
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn the_job_of_an_owner_that_is_cut_off_from_postgres_alone_is_done_by_another() {
    let world = World::with(&SHORT_LEASE).await;
    let postgres = Proxy::before_postgres().await;
    let owner = world.spawn_worker_behind(Some(&postgres), None);
    let gate = world.gate("insert on cache_sync_changes").await;
    let first = owner_at_work(&world, &owner).await;
    postgres.swallow_all();
    let began = Instant::now();
    gate.open().await;
    let _other = world.spawn_worker();
    assert_done_once(&world, "job").await;
    let took = began.elapsed();
    assert!(took < TAKEN_OVER_WITHIN, "took {took:?}");
    assert_ne!(world.job("job").await.worker.unwrap(), first);
    // Nor does it stand in the way of the next one.
    world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("next").await["status"], "completed");
    // And it is well again by itself.
    postgres.heal();
    until("the owner back at work", async || owner.log().contains("at work again")).await;
}

#[tokio::test]
async fn a_shared_redis_connection_that_freezes_is_replaced_and_the_job_is_told_and_acknowledged() {
    let world = World::with(&SHORT_LEASE).await;
    let redis = Proxy::before_redis(&world).await;
    let worker = world.spawn_worker_behind(None, Some(&redis));
    let gate = world.gate("insert on cache_sync_changes").await;
    owner_at_work(&world, &worker).await;
    // New ones pass: a NAT has forgotten the old ones.
    redis.treat(Flow::Swallow, Direction::Both, Which::Old);
    gate.open().await;
    assert_done_once(&world, "job").await;
    assert_eq!(world.job("job").await.attempt, 1);
    world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
    assert_done_once(&world, "next").await;
}

#[tokio::test]
async fn postgres_connections_that_freeze_are_replaced_and_the_job_is_done_by_the_same_worker() {
    let world = World::with(&SHORT_LEASE).await;
    let postgres = Proxy::before_postgres().await;
    let worker = world.spawn_worker_behind(Some(&postgres), None);
    let gate = world.gate("insert on cache_sync_changes").await;
    owner_at_work(&world, &worker).await;
    postgres.treat(Flow::Swallow, Direction::ToClient, Which::Old);
    gate.open().await;
    assert_done_once(&world, "job").await;
}

#[tokio::test]
async fn a_redis_that_fails_over_without_sentinel_is_followed_though_the_old_primary_lives_on_as_a_replica() {
    let world = World::with(&SHORT_LEASE).await;
    let replica = world.replica().await;
    let redis = Proxy::before_redis(&world).await;
    let worker = world.spawn_worker_behind(None, Some(&redis));
    world.submit(&request("before")).await;
    assert_done_once(&world, "before").await;
    // Until the name is changed, every new connection leads to the replica too.
    world.fail_over_to(&replica).await;
    until("the worker to say so", async || worker.log().contains("replica")).await;
    redis.lead_to(Target::Port(replica.port()));
    world.accept(&request("job")).await;
    until("the end of the job", async || world.job("job").await.status.is_final()).await;
    world.all_told().await;
    assert_eq!(world.job("job").await.attempt, 1);
}

#[tokio::test]
async fn connections_that_were_made_to_a_standby_are_left_when_the_primary_is_back() {
    let world = World::with(&SHORT_LEASE).await;
    let standby = standby_socket().await;
    let postgres = Proxy::before_postgres().await;
    postgres.lead_to(Target::Socket(standby));
    // Started while the name leads to a standby: a worker waits.
    let worker = world.spawn_worker_behind(Some(&postgres), None);
    world.xadd(&[("job_id", "job"), ("triggered_by", "admin")]).await;
    until("the worker to say so", async || worker.log().contains("standby")).await;
    let connections = postgres.connections();
    postgres.lead_to(Target::Socket(world.postgres_socket()));
    assert_done_once(&world, "job").await;
    assert_eq!(world.job("job").await.attempt, 1);
    assert!(connections < 8, "{connections} connections are held to a server that can't be used");
}

#[tokio::test]
async fn what_only_reads_works_on_a_standby() {
    let world = World::filled().await;
    let standby = standby_socket().await;
    let postgres = Proxy::before_postgres().await;
    postgres.lead_to(Target::Socket(standby));
    for command in [&["jobs"][..], &["jobs", "first"], &["history", "AAPL"], &["universes"]] {
        let ran = world.run_command_in(command, world.behind(Some(&postgres), None)).await;
        let is_known = !ran.remarks.contains("standby") && !ran.remarks.contains("read-only");
        assert!(is_known && ran.code != 3, "{command:?}: {} {}", ran.code, ran.remarks);
    }
}

#[tokio::test]
async fn no_attempt_is_burned_by_connections_that_can_not_be_had() {
    let world = World::with(&[("worker.max_attempts", "2")]).await;
    let postgres = Proxy::before_postgres().await;
    let worker = world.spawn_worker_behind(Some(&postgres), None);
    until("the worker", async || world.consumers().await.len() == 1).await;
    // None can be had, and then each ends in the middle of the claim.
    postgres.lead_to(Target::Nowhere);
    postgres.cut();
    world.submit(&request("job")).await;
    until("the worker to complain", async || worker.log().contains("trying again")).await;
    until("the entry to be handed back", async || worker.log().contains("handed back")).await;
    postgres.lead_to(Target::Socket(world.postgres_socket()));
    let gate = world.gate("insert on cache_sync_outbox").await;
    for _ in 0..4 {
        gate.reached().await;
        postgres.cut();
        until("the claim to be gone", async || gate.waiting().await.is_empty()).await;
    }
    gate.open().await;
    assert_done_once(&world, "job").await;
    assert_eq!(world.job("job").await.attempt, 1);
}
