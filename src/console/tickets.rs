//! Links that sign somebody in without a key, once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a ticket can be used.
const TICKET_LASTS: Duration = Duration::from_secs(600);
/// The most tickets at once.
const MAX_TICKETS: usize = 16;
/// Tickets that were handed out: each signs one visitor in, once.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

struct Ticket {
    name: String,
    fingerprint: String,
    until: Instant,
}

impl Tickets {
    /// Notes a ticket for the holder of a key.
    pub(super) fn issue(&self, ticket: &str, name: &str, fingerprint: &str) {
        let mut tickets = self.0.lock().expect("nobody panics with it");
        let now = Instant::now();
        tickets.retain(|_, known| known.until > now);
        if tickets.len() < MAX_TICKETS {
            let known = Ticket {
                name: name.to_owned(),
                fingerprint: fingerprint.to_owned(),
                until: now + TICKET_LASTS,
            };
            tickets.insert(ticket.to_owned(), known);
        }
    }

    /// Uses a ticket up: the name and the fingerprint of the key it was for.
    pub(super) fn redeem(&self, ticket: &str) -> Option<(String, String)> {
        let used = self.0.lock().expect("nobody panics with it").remove(ticket)?;
        (used.until > Instant::now()).then_some((used.name, used.fingerprint))
    }
}
