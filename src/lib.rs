//! Keeps the stock and ETF **universes** of `TickStock` in step with the market: once a trading day, exactly once.
//!
//! After the end-of-day import has loaded prices, a job reorganises thousands of securities into universes
//! (market-cap tiers, top-N rankings, sector leaders, ...) that dropdowns, scanners and backtests run on. A group of
//! identical workers reads job requests from a Redis stream, decides, and writes to Postgres.
//!
//! # How a job flows
//!
//! Any worker takes a request from the stream, takes the lease, reads one snapshot, **decides** what should change
//! (pure code), **applies** it with history, audit and events in one transaction, publishes the events from an outbox,
//! and only then acknowledges the request.
//!
//! ```text
//!  XREADGROUP ─► entry::parse ─► jobs::claim ─► Lease::acquire ─► reading::read ─► plan() ─► apply ─► commit
//!                    │ rejected      │ finished      │ busy            │ incomplete   │ refused  │ conflict
//!                    ▼               ▼               ▼                 ▼              ▼          ▼
//!               dead letter     publish again   wait for lease    wait           job failed   plan again
//!
//!  commit ─► Relay::relay (outbox ─► hash, event stream, pub/sub) ─► XACK
//! ```
//!
//! [`worker::process`] is this on one screen. Beside it, every worker publishes the events that a dead worker left in the outbox,
//! and puts accepted jobs whose stream entry was lost back on the stream; [`worker`] has the table of what happens when a worker
//! dies after each step.
//!
//! # What holds, always
//!
//! - **Postgres is the arbiter.** What is committed there happened; nothing else did. The stream entry is only a
//!   request; status hash, events and pub/sub are projections of committed rows and can be made again.
//! - **One job at a time changes universes**, under a [`store::lease::Lease`]; its transaction carries history,
//!   audit, the job's end and its unsent events.
//! - **Every claim raises the lease number**, and the writing transaction checks it: a worker that was suspended and resumes
//!   changes nothing.
//! - **Planning is pure.** [`plan::plan`] sees a snapshot, a policy and a date; no clock, no database. The same code
//!   serves the sync, the `plan` command and the tests.
//! - **Bad input never becomes a bad universe.** Guards refuse a market that is not plausible, and hold a universe
//!   whose change is not.
//! - **Membership lives in our tables.** `cache_entries` is a copy for its readers, in one of two
//!   [layouts](store::layout); a sync repairs our rows that somebody else has changed.
//! - **"Could not read" and "read nothing" are different**, and no failure is reported as success.
//!
//! # Where to find things
//!
//! | module | answers |
//! |---|---|
//! | [`domain`] | which types does everything else speak in? Symbols, money, the NYSE calendar, universes, jobs |
//! | [`plan`] | what should change, and why? Why is a symbol where it is? Pure |
//! | [`wire`] | which shapes and names does the outside know? Pure |
//! | [`redis`] | how does a request come in, who owns it, and how are its events published? |
//! | [`store`] | what is in Postgres, and how does it get there? |
//! | [`worker`] | who does what when, and what if it dies? |
//! | [`http`] | what can be asked and read over HTTP? |
//! | [`service`] | how is a job asked for and looked up? |
//! | [`trigger`] | what starts a sync by itself? |
//! | [`settings`] | what can be configured? |
//! | [`doctor`] | is this installation in order? |
//! | [`failure`] | which errors pass, and which need a person? |
//! | [`fault`] | where can a test stop the program? Compiled into test builds only |
//! | [`demo`] | an invented market and private servers, for the demo and the tests |
//! | [`cli`] | what does an operator see? |
//!
//! Dependencies point one way: domain ← plan ← wire ← redis, store ← worker ← service ←
//! HTTP API, triggers ← command line. A test reads the sources and checks it.

pub mod cli;
pub mod console;
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
pub mod render;
pub mod service;
pub mod settings;
pub mod store;
pub mod trigger;
pub mod wire;
pub mod worker;
