//! Who gets a connection: everybody, up to a share for each peer and a number for all; and always a probe.
//!
//! Whether a connection is a probe's shows only in its request, so those beyond the share are taken too, a few at a time
//! and for a moment: long enough for a probe to ask and be answered.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections at once.
pub(super) const MAX_CONNECTIONS: usize = 512;
/// The most of them that one peer may have. Half: everybody behind one proxy is one peer.
pub(super) const MAX_OF_PEER: usize = MAX_CONNECTIONS / 2;
/// The most connections beyond these, on which nothing but probes are answered.
pub(super) const MAX_PROBES: usize = 64;

/// Counts connections. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    all: Arc<Semaphore>,
    probes: Arc<Semaphore>,
    of_peers: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// What a connection is good for.
#[derive(Debug)]
pub(super) enum Admitted {
    /// Everything.
    ForAll(Place),
    /// A probe, at once.
    ForProbe(OwnedSemaphorePermit),
    /// Nothing: there are too many even for probes.
    Refused,
}

/// A place among the connections of all; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    peer: IpAddr,
    of_peers: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            probes: Arc::new(Semaphore::new(MAX_PROBES)),
            of_peers: Arc::default(),
        }
    }

    /// Finds a place for a connection from `address`.
    pub(super) fn admit(&self, address: IpAddr) -> Admitted {
        if let Some(place) = self.place_for(peer_of(address)) {
            return Admitted::ForAll(place);
        }
        match Arc::clone(&self.probes).try_acquire_owned() {
            Ok(permit) => Admitted::ForProbe(permit),
            Err(_) => Admitted::Refused,
        }
    }

    fn place_for(&self, peer: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut of_peers = self.of_peers.lock().unwrap_or_else(PoisonError::into_inner);
        let open = of_peers.entry(peer).or_default();
        if *open >= MAX_OF_PEER {
            return None;
        }
        *open += 1;
        drop(of_peers);
        Some(Place { peer, of_peers: Arc::clone(&self.of_peers), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_peers = self.of_peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = of_peers.get_mut(&self.peer) {
            *open -= 1;
            if *open == 0 {
                of_peers.remove(&self.peer);
            }
        }
    }
}

/// One peer: an address, or all of a network that is one customer's.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(if address.is_loopback() { address } else { Ipv6Addr::from_bits(network) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_leaves_half_to_the_others_and_gets_its_share_back() {
        let admission = Admission::new();
        let places: Vec<Admitted> = (0..MAX_OF_PEER).map(|_| admission.admit([10, 0, 0, 1].into())).collect();
        assert!(places.iter().all(|admitted| matches!(admitted, Admitted::ForAll(_))));
        let probe = admission.admit([10, 0, 0, 1].into());
        assert!(matches!(probe, Admitted::ForProbe(_)), "{probe:?}");
        assert!(matches!(admission.admit([10, 0, 0, 2].into()), Admitted::ForAll(_)));
        drop(places);
        assert!(matches!(admission.admit([10, 0, 0, 1].into()), Admitted::ForAll(_)));
        assert!(admission.of_peers.lock().expect("unpoisoned").is_empty());
    }

    #[test]
    fn there_is_an_end_to_probes_too() {
        let admission = Admission::new();
        let open: Vec<Admitted> =
            (0..MAX_OF_PEER + MAX_PROBES).map(|_| admission.admit([1; 4].into())).collect();
        assert!(matches!(admission.admit([1; 4].into()), Admitted::Refused));
        drop(open);
    }

    #[test]
    fn a_network_of_the_newer_protocol_is_one_peer_and_a_mapped_address_is_its_own() {
        let peer = |text: &str| peer_of(text.parse().expect("an address"));
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_ne!(peer("::1"), peer("::2"));
    }
}
