//! Keeps the stock and ETF **universes** of `TickStock` in step with the market: once a trading day, exactly once.
//!
//! After the end-of-day import has loaded prices, a job reorganises thousands of securities into universes
//! (market-cap tiers, top-N rankings, sector leaders, ...) that dropdowns, scanners and backtests run on. A group of
//! identical workers reads job requests from a Redis stream, decides, and writes to Postgres.
//!
//! # How a job flows
//!
//! Any worker takes a request from the stream, takes the lease, reads one snapshot, **decides** what should change
//! (pure code), **applies** it with everything that belongs to it in one transaction, tells the world from an
//! outbox, and only then acknowledges.
//!
//! ```text
//!  XREADGROUP ─► entry::parse ─► jobs::claim ─► Lease::acquire ─► reading::read ─► plan() ─► apply ─► commit
//!                    │ rejected      │ finished      │ busy            │ incomplete   │ refused  │ conflict
//!                    ▼               ▼               ▼                 ▼              ▼          ▼
//!               dead letter     tell again      wait in line      look again     job failed   do it again
//!
//!  commit ─► Relay::relay (outbox ─► hash, event stream, pub/sub) ─► XACK
//! ```
//!
//! [`worker::process`] is this on one screen. Beside it, every worker relays what a dead one left untold and puts
//! accepted jobs that lost their entry back on the stream; [`worker`] has the table of what happens when a worker
//! dies after each step.
//!
//! # What holds, always
//!
//! - **Postgres is the arbiter.** What is committed there happened, all else did not. The stream entry is only a
//!   request; status hash, events and pub/sub are projections of committed rows and can be made again.
//! - **One job at a time changes universes**, under a [`store::lease::Lease`]; its transaction carries history,
//!   audit, the job's end and the events it owes.
//! - **Every claim raises the lease number**, and the writing transaction checks it: a worker that slept and woke
//!   changes nothing.
//! - **Planning is pure.** [`plan::plan`] sees a snapshot, a policy and a date; no clock, no database. The same code
//!   serves the sync, the `plan` command and the tests.
//! - **Bad input never becomes a bad universe.** Guards refuse a market that can't be, and hold a universe whose
//!   change can't be believed.
//! - **Membership lives in our tables.** `cache_entries` repeats it for its readers, in one of two
//!   [layouts](store::layout), and is put right where somebody else has changed our rows.
//! - **"Could not read" and "read nothing" are different**, and no failure is reported as success.
//!
//! # Where to find things
//!
//! | module | answers |
//! |---|---|
//! | [`domain`] | which words do we use? Symbols, money, the NYSE calendar, universes, jobs |
//! | [`plan`] | what should change, and why? Why is a symbol where it is? Pure |
//! | [`wire`] | which shapes and names does the outside know? Pure |
//! | [`redis`](crate::redis) | how does a request come in, who holds it, and how is the world told? |
//! | [`store`] | what stands in Postgres, and how does it get there? |
//! | [`worker`] | who does what when, and what if it dies? |
//! | [`http`] | what can be asked and read over HTTP? |
//! | [`service`] | how is a job asked for and looked up? |
//! | [`trigger`] | what starts a sync by itself? |
//! | [`settings`] | what can be configured? |
//! | [`doctor`] | is this installation in order? |
//! | [`failure`] | which errors pass, and which need a person? |
//! | [`fault`] | where does a test cut the world? Nothing in a released program |
//! | [`demo`] | a made market and private servers, for the demo and the tests |
//! | [`cli`] | what does an operator see? |
//!
//! Dependencies point one way: domain ← plan ← wire ← redis, store ← worker ← service ←
//! HTTP API, triggers ← command line. A test reads the sources and checks it.

pub mod cli;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod failure;
pub mod fault;
#[cfg(test)]
#[path = "hostile/tests.rs"]
mod hostile;
pub mod http;
pub mod plan;
pub mod redis;
pub mod service;
pub mod settings;
pub mod store;
pub mod trigger;
pub mod wire;
pub mod worker;
