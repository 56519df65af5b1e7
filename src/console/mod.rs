//! The operator's console: pages for people under `/console`, made by the server.
//!
//! ```text
//!  request ─► handle: session, head, frame ─► access: may they? ─► one file a page ─► Page ─► the frame around it
//!  hub.rs  ─► one reader per thing that is watched ─► server-sent events to everybody who watches it
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `state` | what do all pages work with? |
//! | `session`, `limiter`, `tickets`, `sign_in`, `access` | who is it, and what may they do? |
//! | `handle`, `layout`, `problem` | what is common to all pages? |
//! | `value`, `chart`, `diff`, `text` | how does a value, a chart, a plan look? |
//! | `hub`, `live` | what is sent to whoever watches? |
//! | `tonight`, `universes`, `universe`, `symbol`, `jobs`, `job`, `preview`, `quarantine`, `dead`, `pins`, `guards`, `doctor` | one page each, with what can be done on it |
//! | `assets` | style, script and icon, as they are served |
//!
//! # Why pages are made here and not in the browser
//! An operator looks at ten past four, perhaps from a phone, perhaps through a proxy that lets little through. A page that
//! arrives whole can be read at once, printed, saved and read aloud; a small script adds what moves. What a page says is
//! rendered by the functions that the commands print with, so both say the same.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, any, get, post};
use axum::{Router, middleware};

pub use self::state::Console;
use self::state::ROOT;

mod access;
mod assets;
mod chart;
mod dead;
mod diff;
mod doctor;
mod guards;
mod handle;
mod hub;
mod job;
mod jobs;
mod layout;
mod limiter;
mod live;
mod pins;
mod preview;
mod problem;
mod quarantine;
mod session;
mod sign_in;
mod state;
mod symbol;
mod text;
mod tickets;
mod tonight;
mod universe;
mod universes;
mod value;
mod verdict;

/// The most bytes of a form: a reason of a few hundred characters, and some names.
const MAX_FORM_BYTES: usize = 16 * 1024;
impl Console {
    /// All pages as one service.
    pub fn router(self: &Arc<Self>) -> Router {
        let pages: [(&str, MethodRouter<Arc<Self>>); 30] = [
            ("", get(layout::to_start)),
            ("/", get(tonight::page)),
            ("/live", get(live::tonight)),
            ("/sign-in", get(sign_in::page).post(sign_in::sign_in)),
            ("/sign-out", post(sign_in::sign_out)),
            ("/ticket/{ticket}", get(sign_in::ticket)),
            ("/universes", get(universes::page)),
            ("/universes/{universe}", get(universe::page)),
            ("/universes/{universe}/members.csv", get(universe::csv)),
            ("/symbols", get(symbol::search)),
            ("/symbols/{symbol}", get(symbol::page)),
            ("/jobs", get(jobs::page).post(jobs::submit)),
            ("/jobs/{job_id}", get(job::page)),
            ("/jobs/{job_id}/live", get(live::job)),
            ("/jobs/{job_id}/cancel", post(job::cancel)),
            ("/jobs/{job_id}/revert", get(preview::revert).post(job::revert)),
            ("/plan", get(preview::plan)),
            ("/quarantine", get(quarantine::page)),
            ("/quarantine/{symbol}", get(quarantine::entry)),
            ("/quarantine/{symbol}/approve", post(quarantine::approve)),
            ("/dead", get(dead::page)),
            ("/dead/purge", post(dead::purge)),
            ("/dead/{id}", get(dead::letter)),
            ("/dead/{id}/replay", post(dead::replay)),
            ("/pins", get(pins::page).post(pins::decide)),
            ("/pins/remove", post(pins::remove)),
            ("/guards", get(guards::page)),
            ("/doctor", get(doctor::page)),
            ("/assets/{name}", get(assets::asset)),
            ("/{*rest}", any(async || problem::Problem::not_found("There is no such page."))),
        ];
        let router = pages
            .into_iter()
            .fold(Router::new(), |router, (path, page)| router.route(&format!("{ROOT}{path}"), page));
        router
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::from_fn_with_state(Arc::clone(self), handle::handle))
            .with_state(Arc::clone(self))
    }
}
