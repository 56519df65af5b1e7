//! Gates in Postgres: they hold whoever comes by, so that a test can cut the world at a chosen place.
//!
//! A gate is a trigger on a table of this test's own database. It waits for an advisory lock that the test holds.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{World, eventually, until};

static GATES: AtomicU32 = AtomicU32::new(0);

/// A closed gate. It opens when told, or with its connection.
pub(crate) struct Gate<'a> {
    world: &'a World,
    number: u32,
    keeper: cache_sync::store::Client,
}

impl World {
    /// Closes a gate before a kind of statement: `insert on cache_sync_changes`.
    pub(crate) async fn gate(&self, statement: &str) -> Gate<'_> {
        self.close_gate(|name, function| {
            format!(
                "create trigger {name} before {statement} for each statement execute function {function}()"
            )
        })
        .await
    }

    /// Closes a gate before a change of rows that fulfil a condition: `update on cache_sync_outbox`, `new.seq > 5`.
    pub(crate) async fn gate_for(&self, change: &str, condition: &str) -> Gate<'_> {
        self.close_gate(|name, function| {
            format!(
                "create trigger {name} before {change} for each row when ({condition}) execute function {function}()"
            )
        })
        .await
    }

    /// Closes a gate inside the commit of a job that completes.
    pub(crate) async fn gate_in_commit(&self) -> Gate<'_> {
        self.close_gate(|name, function| {
            format!(
                "create constraint trigger {name} after update on cache_sync_jobs deferrable initially deferred
                 for each row when (new.status = 'completed') execute function {function}()"
            )
        })
        .await
    }

    async fn close_gate(&self, trigger: impl Fn(&str, &str) -> String) -> Gate<'_> {
        let number = GATES.fetch_add(1, Ordering::Relaxed);
        let keeper = self.database.dedicated().await.unwrap();
        keeper.batch_execute(&format!("select pg_advisory_lock(4711, {number})")).await.unwrap();
        let (name, function) = (format!("gate_{number}"), format!("wait_at_gate_{number}"));
        self.sql(&format!(
            "create function {function}() returns trigger language plpgsql as $$
             begin perform pg_advisory_xact_lock_shared(4711, {number}); return new; end $$;
             {}",
            trigger(&name, &function)
        ))
        .await;
        Gate { world: self, number, keeper }
    }
}

impl Gate<'_> {
    /// Waits until somebody stands at it; the process id of the backend.
    pub(crate) async fn reached(&self) -> i32 {
        eventually("somebody at the gate", async || self.waiting().await.first().copied()).await
    }

    /// Waits until somebody else stands at it.
    pub(crate) async fn reached_by_other_than(&self, backend: i32) -> i32 {
        eventually("somebody else at the gate", async || {
            self.waiting().await.into_iter().find(|waiting| *waiting != backend)
        })
        .await
    }

    /// Who stands at it.
    pub(crate) async fn waiting(&self) -> Vec<i32> {
        let number = self.number;
        let waiting = format!(
            "select pid from pg_locks where locktype = 'advisory' and classid = 4711 and objid = {number}
             and not granted and database = (select oid from pg_database where datname = current_database())"
        );
        self.world.ask(&waiting).await.iter().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Opens it for everybody, and waits until nobody stands there.
    pub(crate) async fn open(self) {
        let number = self.number;
        self.keeper.batch_execute(&format!("select pg_advisory_unlock(4711, {number})")).await.unwrap();
        until("an empty gate", async || self.waiting().await.is_empty()).await;
    }
}
