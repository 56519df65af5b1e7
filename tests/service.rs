//! What the service promises, held against real servers: every guarantee from both sides, and the world cut at each
//! arrow of a job's way from the stream to the acknowledgement.
//!
//! Each test has a [`World`](world::World) of its own. Workers run in this process, or, where one is to be killed, as
//! the program itself. What a worker logs is shown with `CACHE_SYNC_TEST_LOG=1` and `--nocapture`.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the fault tests share it, and use other verbs")]
mod world;

#[path = "service/accounts.rs"]
mod accounts;
#[path = "service/adopting.rs"]
mod adopting;
#[path = "service/appv2.rs"]
mod appv2;
#[path = "service/cancelling.rs"]
mod cancelling;
#[path = "service/crashes.rs"]
mod crashes;
#[path = "service/explaining.rs"]
mod explaining;
#[path = "service/failovers.rs"]
mod failovers;
#[path = "service/groups.rs"]
mod groups;
#[path = "service/guards.rs"]
mod guards;
#[path = "service/hostile.rs"]
mod hostile;
#[path = "service/http.rs"]
mod http;
#[path = "service/identities.rs"]
mod identities;
#[path = "service/imports.rs"]
mod imports;
#[path = "service/limits.rs"]
mod limits;
#[path = "service/losses.rs"]
mod losses;
#[path = "service/pins.rs"]
mod pins;
#[path = "service/quarantine.rs"]
mod quarantine;
#[path = "service/questions.rs"]
mod questions;
#[path = "service/refusals.rs"]
mod refusals;
#[path = "service/replays.rs"]
mod replays;
#[path = "service/requests.rs"]
mod requests;
#[path = "service/retries.rs"]
mod retries;
#[path = "service/reverts.rs"]
mod reverts;
#[path = "service/schemas.rs"]
mod schemas;
#[path = "service/silence.rs"]
mod silence;
#[path = "service/streams.rs"]
mod streams;
#[path = "service/telling.rs"]
mod telling;
#[path = "service/triggers.rs"]
mod triggers;
#[path = "service/universes.rs"]
mod universes;
#[path = "service/workers.rs"]
mod workers;
