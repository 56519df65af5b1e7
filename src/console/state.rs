//! What the pages work with, and where they are.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::hub::{self, Hub};
use super::limiter::Limiter;
use super::session::Sessions;
use super::tickets::Tickets;
use crate::http::keys::Keys;
use crate::service::Service;
use crate::settings::Settings;
use crate::worker::shutdown::Shutdown;

/// Where the pages are, behind the path that a proxy shows the server under.
pub(super) const ROOT: &str = "/console";
/// The most pages that are made at once of those that read the whole market.
const MAX_MARKET_PAGES: usize = 2;

/// What the pages work with.
pub struct Console {
    pub(super) service: Service,
    pub(super) settings: Settings,
    pub(super) keys: Keys,
    pub(super) sessions: Sessions,
    pub(super) limiter: Limiter,
    pub(super) tickets: Tickets,
    pub(super) live: Hub,
    pub(super) market_pages: Semaphore,
    pub(super) root: String,
    pub(super) shutdown: Shutdown,
}

impl Console {
    /// A console by these settings, connected to nothing yet. Must be called inside a runtime.
    ///
    /// # Errors
    /// A sentence; above all, if there is no key.
    pub fn new(settings: &Settings, shutdown: Shutdown) -> Result<Arc<Self>, String> {
        let service = Service::new(settings)?.with_redis_timeout(hub::REDIS_WITHIN);
        Ok(Arc::new(Self {
            live: Hub::new(service.clone(), shutdown.clone()),
            keys: Keys::of(&settings.http)?,
            sessions: Sessions::new(settings.http.api_key.as_ref()),
            limiter: Limiter::default(),
            tickets: Tickets::default(),
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
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }
}
