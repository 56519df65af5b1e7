//! `GET /openapi.json`: what is promised, for programs. The document is kept by hand beside this file; tests hold it
//! against the routes and against real answers.

use axum::http::header;
use axum::response::IntoResponse;

/// The document.
const DOCUMENT: &str = include_str!("openapi.json");

/// Serves it.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::routes::{OPEN_PATHS, routes};
    use super::*;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).expect("the document is JSON")
    }

    #[test]
    fn every_route_is_documented_and_every_documented_call_has_a_route() {
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        let documented: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, calls)| {
                let methods = calls.as_object().expect("calls").keys();
                methods.filter(|key| *key != "parameters").map(|method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let routed: BTreeSet<(String, String)> =
            routes().iter().map(|(method, path, _)| ((*path).to_owned(), method.to_string())).collect();
        assert_eq!(documented, routed);
    }

    #[test]
    fn the_document_says_where_a_key_is_needed() {
        let document = document();
        assert_eq!(document["security"][0], serde_json::json!({"ApiKey": []}));
        for (path, calls) in document["paths"].as_object().expect("paths") {
            for call in calls.as_object().expect("calls").values() {
                let is_open = call["security"] == serde_json::json!([]);
                assert_eq!(is_open, OPEN_PATHS.contains(&path.as_str()), "{path}");
            }
        }
    }

    #[test]
    fn the_document_is_of_this_version() {
        assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
