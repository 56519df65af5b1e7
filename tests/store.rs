//! What `store` promises, held against a real Postgres: one private server for the process, one database a test.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "store/world.rs"]
mod world;

#[path = "store/applying.rs"]
mod applying;
#[path = "store/histories.rs"]
mod histories;
#[path = "store/instruments.rs"]
mod instruments;
#[path = "store/knowing.rs"]
mod knowing;
#[path = "store/migrating.rs"]
mod migrating;
#[path = "store/queries.rs"]
mod queries;
#[path = "store/snapshots.rs"]
mod snapshots;
#[path = "store/sources.rs"]
mod sources;
