//! How often somebody may try a key: a few wrong ones a minute, from one address and in all.
//!
//! A right key gives nothing back and takes nothing away, so whoever signs in often is not locked out; but while the
//! wrong ones of an address are used up, no key is looked at, the right one neither. Behind a proxy everybody has its
//! address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Wrong keys of one address in one window.
const EACH: u32 = 5;
/// Wrong keys of all addresses together in one window.
const ALL: u32 = 60;
/// How long wrong keys count.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered at once; the limit for all of them keeps it far below.
const MAX_ADDRESSES: usize = 1_024;

/// Counts wrong keys.
#[derive(Default)]
pub(crate) struct Limiter(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: Count,
    by_address: HashMap<IpAddr, Count>,
}

/// Wrong keys since the beginning of a window.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since: Option<Instant>,
    wrong: u32,
}

impl Count {
    fn is_current(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) < WINDOW)
    }

    fn is_used_up(&self, limit: u32, now: Instant) -> bool {
        self.is_current(now) && self.wrong >= limit
    }

    fn add(&mut self, now: Instant) {
        if !self.is_current(now) {
            *self = Self { since: Some(now), wrong: 0 };
        }
        self.wrong += 1;
    }
}

impl Limiter {
    /// Whether a key from this address may be looked at.
    pub(crate) fn allows(&self, address: IpAddr, now: Instant) -> bool {
        let counts = self.0.lock().expect("nobody panics with it");
        let own = counts.by_address.get(&address);
        !counts.all.is_used_up(ALL, now) && !own.is_some_and(|own| own.is_used_up(EACH, now))
    }

    /// A wrong key came from this address.
    pub(crate) fn note_wrong(&self, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock().expect("nobody panics with it");
        counts.by_address.retain(|_, count| count.is_current(now));
        counts.all.add(now);
        if counts.by_address.len() < MAX_ADDRESSES {
            counts.by_address.entry(address).or_default().add(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn an_address_has_a_few_wrong_keys_a_minute_and_others_are_not_hindered() {
        let (limiter, began) = (Limiter::default(), Instant::now());
        for _ in 0..EACH {
            assert!(limiter.allows(address(1), began));
            limiter.note_wrong(address(1), began);
        }
        assert!(!limiter.allows(address(1), began) && limiter.allows(address(2), began));
        assert!(!limiter.allows(address(1), began + WINDOW.saturating_sub(Duration::from_millis(1))));
        assert!(limiter.allows(address(1), began + WINDOW));
    }

    #[test]
    fn all_addresses_together_have_a_limit_too() {
        let (limiter, began) = (Limiter::default(), Instant::now());
        for number in 0..ALL {
            limiter.note_wrong(address(number as u8), began);
        }
        assert!(!limiter.allows(address(200), began));
        assert!(limiter.allows(address(200), began + WINDOW));
    }
}
