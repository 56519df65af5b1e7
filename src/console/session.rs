//! Who is signed in: a sealed cookie, which nobody but this program can make, read or change.
//!
//! ```text
//!   key ─► sign in ─► cookie = hex(nonce, AES-256-GCM{key's name and fingerprint, CSRF token, end})
//!   cookie ─► open ─► not ended, not signed out, the key is still there under its name and fingerprint ─► Session
//! ```
//!
//! Nothing is kept of a session but its sign-out, so one goes on through a restart and at every instance that seals with
//! the same secret. A key that is rotated or taken away ends its sessions, because its fingerprint is no longer known.
//!
//! # Why the secret is stretched
//! It is made of `CACHE_SYNC_API_KEY`, the one secret that every instance has. A holder of another key has a cookie at
//! which secrets can be guessed without asking this server; so each guess costs as much as this start does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::http::keys::{Key, Keys, Right, hex};
use crate::settings::Secret;

/// The cookie of a session.
pub(super) const COOKIE: &str = "cache_sync_console";
/// How long somebody stays signed in: a working day.
const LASTS: TimeDelta = TimeDelta::hours(12);
/// Rounds of PBKDF2-HMAC-SHA256 over the secret, as OWASP advises; some 0.2 s, once at the start.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("more than none");
/// What the secret is stretched with: it keeps what is made here apart from all else that is made of the same key.
const SALT: &[u8] = b"tickstock-cache-sync console session v1";
/// Sign-outs that are remembered until their sessions would have ended by themselves; the oldest is forgotten first.
const MAX_SIGNED_OUT: usize = 10_000;
/// The longest cookie that is looked at.
const MAX_COOKIE_BYTES: usize = 1_024;

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The name of the key.
    pub(crate) name: String,
    /// What its holder may do.
    pub(crate) right: Right,
    /// What every form brings along; no other page can know it.
    pub(crate) csrf: String,
    /// When it ends by itself.
    pub(crate) ends_at: DateTime<Utc>,
}

impl Session {
    /// Whether its holder may change things.
    pub(crate) fn is_operator(&self) -> bool {
        self.right == Right::Operator
    }

    /// Who changes something, as jobs and the audit have it.
    pub(crate) fn actor(&self) -> String {
        format!("console:{}", self.name)
    }

    /// Whether a form brings this session's token.
    pub(crate) fn is_own_token(&self, token: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(token.as_bytes()))
    }
}

/// What a cookie holds.
#[derive(Serialize, Deserialize)]
struct Sealed {
    name: String,
    fingerprint: String,
    csrf: String,
    ends_at: DateTime<Utc>,
}

/// Seals sessions and opens them.
pub(crate) struct Sessions {
    key: LessSafeKey,
    random: SystemRandom,
    signed_out: Mutex<HashMap<String, DateTime<Utc>>>,
}

impl Sessions {
    /// Sessions sealed with what is made of `secret`; without one, with a secret of this process's, so that they end
    /// with it.
    pub(crate) fn new(secret: Option<&Secret>) -> Self {
        let random = SystemRandom::new();
        let mut bytes = [0; 32];
        match secret {
            Some(secret) => {
                let secret = secret.expose().as_bytes();
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, SALT, secret, &mut bytes);
            }
            None => random.fill(&mut bytes).expect("the system has random numbers"),
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("the key has the length of the algorithm");
        Self { key: LessSafeKey::new(key), random, signed_out: Mutex::default() }
    }

    /// A new session of the holder of `key`, and the cookie that stands for it.
    pub(crate) fn begin(&self, key: &Key, now: DateTime<Utc>) -> (Session, String) {
        let sealed = Sealed {
            name: key.name.clone(),
            fingerprint: key.fingerprint(),
            csrf: self.token(),
            ends_at: now + LASTS,
        };
        let cookie = self.seal(&serde_json::to_vec(&sealed).expect("a session is plain data"));
        let Sealed { name, csrf, ends_at, .. } = sealed;
        (Session { name, right: key.right, csrf, ends_at }, cookie)
    }

    /// The session that a cookie stands for, if it is one of ours and goes on.
    pub(crate) fn open(&self, cookie: &str, keys: &Keys, now: DateTime<Utc>) -> Option<Session> {
        let Sealed { name, fingerprint, csrf, ends_at } =
            serde_json::from_slice(&self.unseal(cookie)?).ok()?;
        let key = keys.named(&name, &fingerprint)?;
        let goes_on = now < ends_at && !self.is_signed_out(&csrf);
        goes_on.then_some(Session { name, right: key.right, csrf, ends_at })
    }

    /// Ends a session for good, also for whoever has a copy of its cookie.
    pub(crate) fn end(&self, session: &Session, now: DateTime<Utc>) {
        let mut signed_out = self.signed_out.lock().expect("nobody panics with it");
        signed_out.retain(|_, ends_at| *ends_at > now);
        if signed_out.len() >= MAX_SIGNED_OUT {
            let oldest = signed_out.iter().min_by_key(|(_, ends_at)| **ends_at).map(|(csrf, _)| csrf.clone());
            oldest.and_then(|oldest| signed_out.remove(&oldest));
        }
        signed_out.insert(session.csrf.clone(), session.ends_at);
    }

    fn is_signed_out(&self, csrf: &str) -> bool {
        self.signed_out.lock().expect("nobody panics with it").contains_key(csrf)
    }

    /// A text that nobody can guess.
    pub(crate) fn token(&self) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).expect("the system has random numbers");
        hex(&bytes)
    }

    fn seal(&self, text: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).expect("the system has random numbers");
        let mut sealed = text.to_vec();
        let of_this = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(of_this, Aad::empty(), &mut sealed).expect("it is short enough");
        hex(&nonce) + &hex(&sealed)
    }

    fn unseal(&self, cookie: &str) -> Option<Vec<u8>> {
        let bytes = unhex(cookie).filter(|_| cookie.len() <= MAX_COOKIE_BYTES)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        Some(self.key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.to_vec())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::settings::HttpSettings;

    fn keys(named: &[(&str, &str)]) -> Keys {
        let named = named.iter().map(|(name, key)| ((*name).to_owned(), Sha256::digest(key).into()));
        Keys::of(&HttpSettings {
            listen: "127.0.0.1:0".parse().expect("an address"),
            api_key: None,
            base_path: String::new(),
            max_queued_jobs: 100,
            keys: named.collect(),
            read_only_keys: BTreeMap::from([("desk".to_owned(), Sha256::digest("look").into())]),
        })
        .expect("there are keys")
    }

    fn now() -> DateTime<Utc> {
        "2026-03-02T21:10:00Z".parse().expect("a time")
    }

    #[test]
    fn a_session_is_opened_as_it_was_sealed() {
        let (sessions, keys) = (Sessions::new(None), keys(&[("jane", "one")]));
        for (secret, is_operator) in [("one", true), ("look", false)] {
            let key = keys.of_secret(secret.as_bytes()).expect("a key");
            let (session, cookie) = sessions.begin(key, now());
            assert_eq!(sessions.open(&cookie, &keys, now()), Some(session.clone()));
            assert_eq!(
                (session.is_operator(), session.actor()),
                (is_operator, format!("console:{}", key.name))
            );
            assert!(session.is_own_token(&session.csrf) && !session.is_own_token("") && cookie.len() < 600);
        }
    }

    #[test]
    fn it_ends_after_its_time_with_its_key_and_by_signing_out() {
        let (sessions, keys) = (Sessions::new(None), keys(&[("jane", "one")]));
        let (session, cookie) = sessions.begin(keys.of_secret(b"one").expect("a key"), now());
        let opens = |keys: &Keys, at| sessions.open(&cookie, keys, at).is_some();
        assert!(opens(&keys, now() + LASTS - TimeDelta::seconds(1)) && !opens(&keys, now() + LASTS));
        assert!(!opens(&super::tests::keys(&[("jane", "two")]), now()), "the key was rotated");
        assert!(!opens(&super::tests::keys(&[("john", "one")]), now()), "the key has another name");
        sessions.end(&session, now());
        assert!(!opens(&keys, now()));
    }

    #[test]
    fn a_cookie_of_anybody_else_opens_nothing() {
        let (sessions, keys) = (Sessions::new(None), keys(&[("jane", "one")]));
        let (_, cookie) = sessions.begin(keys.of_secret(b"one").expect("a key"), now());
        let (_, of_another) = Sessions::new(None).begin(keys.of_secret(b"one").expect("a key"), now());
        let mut changed = cookie.clone();
        let last = if changed.pop() == Some('0') { '1' } else { '0' };
        changed.push(last);
        let long = "ab".repeat(MAX_COOKIE_BYTES);
        for odd in [&of_another, &changed, "", "zz", "abc", "00", &cookie[2..], &long, "äö"] {
            assert_eq!(sessions.open(odd, &keys, now()), None, "{odd}");
        }
    }

    #[test]
    fn instances_with_one_secret_open_each_others_cookies() {
        let secret = Secret::new("k3y");
        let keys = keys(&[("jane", "one")]);
        let (_, cookie) = Sessions::new(Some(&secret)).begin(keys.of_secret(b"one").expect("a key"), now());
        assert!(Sessions::new(Some(&secret)).open(&cookie, &keys, now()).is_some());
        assert!(Sessions::new(Some(&Secret::new("other"))).open(&cookie, &keys, now()).is_none());
    }
}
