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

/// The keys, by their hashes.
pub(super) struct Keys(Vec<(String, [u8; 32])>);

impl Keys {
    /// The keys of these settings.
    ///
    /// # Errors
    /// A sentence, if there is none: an API that anybody may use is never meant.
    pub(super) fn of(settings: &HttpSettings) -> Result<Self, String> {
        let main =
            settings.api_key.as_ref().map(|key| (MAIN_KEY.to_owned(), sha256(key.expose().as_bytes())));
        let named = settings.keys.iter().map(|(name, digest)| (name.clone(), *digest));
        let keys: Vec<_> = main.into_iter().chain(named).collect();
        if keys.is_empty() {
            return Err("the api role needs a key: set CACHE_SYNC_API_KEY, or put the SHA-256 of one under \
                        [http.keys] in the configuration file"
                .to_owned());
        }
        Ok(Self(keys))
    }

    /// The name of the key that a request brings; `None` where it brings none, several, or a wrong one.
    pub(super) fn holder(&self, headers: &HeaderMap) -> Option<&str> {
        let mut given = headers.get_all(HEADER).iter();
        let (Some(key), None) = (given.next(), given.next()) else { return None };
        let digest = sha256(key.as_bytes());
        let mut holder = None;
        for (name, known) in &self.0 {
            if bool::from(known.as_slice().ct_eq(digest.as_slice())) {
                holder = Some(name.as_str());
            }
        }
        holder
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
            keys: named.iter().map(|(name, key)| ((*name).to_owned(), sha256(key.as_bytes()))).collect(),
            max_queued_jobs: 100,
        }
    }

    fn with(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HEADER, value.parse().expect("a header"))).collect()
    }

    #[test]
    fn each_key_opens_under_its_name_and_nothing_else_does() {
        let keys = Keys::of(&settings(Some("one"), &[("scanner", "two")])).expect("there are keys");
        assert_eq!(keys.holder(&with(&["one"])), Some(MAIN_KEY));
        assert_eq!(keys.holder(&with(&["two"])), Some("scanner"));
        for wrong in [&[][..], &[""], &["One"], &["one "], &["on"], &["three"], &["one", "one"]] {
            assert_eq!(keys.holder(&with(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn without_any_key_there_is_no_api() {
        let refused = Keys::of(&settings(None, &[])).err().expect("refused");
        assert!(refused.contains("CACHE_SYNC_API_KEY"), "{refused}");
        assert!(Keys::of(&HttpSettings { keys: BTreeMap::new(), ..settings(Some("k"), &[]) }).is_ok());
    }
}
