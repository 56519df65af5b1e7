//! The operator's console: pages for people under `/console`, made by the server.
//!
//! ```text
//!  request ─► handle: session, head, frame ─► access: may they? ─► one file a page ─► Page ─► the frame around it
//!  live.rs ─► one reader per thing that is watched ─► server-sent events to everybody who watches it
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `session`, `limiter`, `sign_in`, `access` | who is it, and what may they do? |
//! | `handle`, `layout`, `problem` | what is common to all pages? |
//! | `value`, `chart`, `diff`, `text` | how does a value, a chart, a plan look? |
//! | `live` | what is sent to whoever watches? |
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
use tokio::sync::Semaphore;

use crate::http::keys::Keys;
use crate::service::Service;
use crate::settings::Settings;
use crate::worker::shutdown::Shutdown;

mod access;
mod assets;
mod chart;
mod dead;
mod diff;
mod doctor;
mod guards;
mod handle;
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
mod symbol;
mod text;
mod tonight;
mod universe;
mod universes;
mod value;
mod verdict;

/// Where the pages are, behind the path that a proxy shows the server under.
const ROOT: &str = "/console";
/// The most bytes of a form: a reason of a few hundred characters, and some names.
const MAX_FORM_BYTES: usize = 16 * 1024;
/// The most pages that are made at once of those that read the whole market.
const MAX_MARKET_PAGES: usize = 2;

/// What the pages work with.
pub struct Console {
    service: Service,
    settings: Settings,
    keys: Keys,
    sessions: session::Sessions,
    limiter: limiter::Limiter,
    tickets: sign_in::Tickets,
    live: live::Hub,
    market_pages: Semaphore,
    root: String,
    shutdown: Shutdown,
}

impl Console {
    /// A console by these settings, connected to nothing yet. Must be called inside a runtime.
    ///
    /// # Errors
    /// A sentence; above all, if there is no key.
    pub fn new(settings: &Settings, shutdown: Shutdown) -> Result<Arc<Self>, String> {
        let service = Service::new(settings)?.with_redis_timeout(live::REDIS_WITHIN);
        Ok(Arc::new(Self {
            live: live::Hub::new(service.clone(), shutdown.clone()),
            keys: Keys::of(&settings.http)?,
            sessions: session::Sessions::new(settings.http.api_key.as_ref()),
            limiter: limiter::Limiter::default(),
            tickets: sign_in::Tickets::default(),
            market_pages: Semaphore::new(MAX_MARKET_PAGES),
            root: format!("{}{ROOT}", settings.http.base_path),
            settings: settings.clone(),
            service,
            shutdown,
        }))
    }

    /// A path that signs its first visitor in, once, as the holder of the key of this spelling; `None` where there is no
    /// such key. For somebody who has just started the program by hand.
    pub fn ticket(&self, secret: &str) -> Option<String> {
        let key = self.keys.of_secret(secret.as_bytes())?;
        let ticket = self.sessions.token();
        self.tickets.issue(&ticket, &key.name, &key.fingerprint());
        Some(self.at(&format!("/ticket/{ticket}")))
    }

    /// A path of the console as links have it.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

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
