//! Who may come in: whoever knows one of the keys.
//!
//! Only the SHA-256 of a key is kept, and what a request brings is hashed before it is compared, in constant time and
//! with every key there is. So the time of an answer tells nothing about a key, not even its length.

use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::settings::HttpSettings;

/// The header that carries a key.
const HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// The log's name for the key in `CACHE_SYNC_API_KEY`.
const MAIN_KEY: &str = "api_key";

/// What whoever holds a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Look, and change things.
    Operator,
    /// Look.
    ReadOnly,
}

/// One key, by its hash.
pub(crate) struct Key {
    /// Its name, in logs and in what its holder changes.
    pub(crate) name: String,
    /// What its holder may do.
    pub(crate) right: Right,
    digest: [u8; 32],
}

impl Key {
    /// What tells this key from another one under the same name, and tells nothing about it.
    pub(crate) fn fingerprint(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"cache-sync key fingerprint").chain_update(self.digest).finalize();
        hex(&digest[..12])
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("four bits");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The keys, by their hashes.
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// The keys of these settings.
    ///
    /// # Errors
    /// A sentence, if there is none: an API that anybody may use is never meant.
    pub(crate) fn of(settings: &HttpSettings) -> Result<Self, String> {
        let main =
            settings.api_key.as_ref().map(|key| (MAIN_KEY.to_owned(), sha256(key.expose().as_bytes())));
        let named = settings.keys.iter().map(|(name, digest)| (name.clone(), *digest));
        let read_only = settings.read_only_keys.iter().map(|(name, digest)| (name.clone(), *digest));
        let with = |right| move |(name, digest)| Key { name, right, digest };
        let operators = main.into_iter().chain(named).map(with(Right::Operator));
        let keys: Vec<Key> = operators.chain(read_only.map(with(Right::ReadOnly))).collect();
        if keys.is_empty() {
            return Err(
                "the roles api and console need a key: set CACHE_SYNC_API_KEY, or put the SHA-256 of one \
                        under [http.keys] in the configuration file"
                    .to_owned(),
            );
        }
        Ok(Self(keys))
    }

    /// The key that a request brings in its header; `None` where it brings none, several, or a wrong one.
    pub(super) fn holder(&self, headers: &HeaderMap) -> Option<&Key> {
        let mut given = headers.get_all(HEADER).iter();
        let (Some(key), None) = (given.next(), given.next()) else { return None };
        self.of_secret(key.as_bytes())
    }

    /// The key that is spelled so.
    pub(crate) fn of_secret(&self, secret: &[u8]) -> Option<&Key> {
        let digest = sha256(secret);
        let mut holder = None;
        for key in &self.0 {
            if bool::from(key.digest.as_slice().ct_eq(digest.as_slice())) {
                holder = Some(key);
            }
        }
        holder
    }

    /// The key of this name and fingerprint: `None` once it was rotated or taken away.
    pub(crate) fn named(&self, name: &str, fingerprint: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name && key.fingerprint() == fingerprint)
    }
}

fn sha256(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::Secret;

    fn settings(api_key: Option<&str>, named: &[(&str, &str)]) -> HttpSettings {
        HttpSettings {
            listen: "127.0.0.1:0".parse().expect("an address"),
            api_key: api_key.map(Secret::new),
            base_path: String::new(),
            keys: named.iter().map(|(name, key)| ((*name).to_owned(), sha256(key.as_bytes()))).collect(),
            read_only_keys: BTreeMap::from([("desk".to_owned(), sha256(b"look"))]),
            max_queued_jobs: 100,
        }
    }

    fn with(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HEADER, value.parse().expect("a header"))).collect()
    }

    #[test]
    fn each_key_opens_under_its_name_and_nothing_else_does() {
        let keys = Keys::of(&settings(Some("one"), &[("scanner", "two")])).expect("there are keys");
        let holder =
            |values: &[&'static str]| keys.holder(&with(values)).map(|key| (key.name.clone(), key.right));
        assert_eq!(holder(&["one"]), Some((MAIN_KEY.to_owned(), Right::Operator)));
        assert_eq!(holder(&["two"]), Some(("scanner".to_owned(), Right::Operator)));
        assert_eq!(holder(&["look"]), Some(("desk".to_owned(), Right::ReadOnly)));
        for wrong in [&[][..], &[""], &["One"], &["one "], &["on"], &["three"], &["one", "one"]] {
            assert_eq!(holder(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn without_any_key_there_is_no_api() {
        let none = HttpSettings { read_only_keys: BTreeMap::new(), ..settings(None, &[]) };
        let refused = Keys::of(&none).err().expect("refused");
        assert!(refused.contains("CACHE_SYNC_API_KEY"), "{refused}");
        assert!(Keys::of(&HttpSettings { keys: BTreeMap::new(), ..settings(Some("k"), &[]) }).is_ok());
    }

    #[test]
    fn a_rotated_key_is_no_longer_found_under_its_name() {
        let keys = Keys::of(&settings(None, &[("scanner", "two")])).expect("there are keys");
        let fingerprint = keys.of_secret(b"two").expect("a key").fingerprint();
        assert!(keys.named("scanner", &fingerprint).is_some() && keys.named("desk", &fingerprint).is_none());
        let rotated = Keys::of(&settings(None, &[("scanner", "three")])).expect("there are keys");
        assert!(rotated.named("scanner", &fingerprint).is_none());
    }
}
