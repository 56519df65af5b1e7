//! Which call goes where: one line each, and what is said to everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use super::problem::Problem;
use super::{Api, cancel, events, explain, health, jobs, metrics, middleware, openapi, stats, trigger};

/// The most bytes of a body. A trigger has a hundred.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;

/// Paths that need no key: they ask for nothing and tell no more than whether all is well.
pub(super) const OPEN_PATHS: [&str; 4] = ["/health", "/ready", "/metrics", "/openapi.json"];

/// One call: its method and path, as the document names them too, and what answers it.
pub(super) type Route = (Method, &'static str, MethodRouter<Arc<Api>>);

/// Every call there is. The document in `openapi.json` lists the same; a test compares.
pub(super) fn routes() -> Vec<Route> {
    vec![
        (Method::POST, "/api/processing/cache-sync/trigger", post(trigger::trigger)),
        (Method::GET, "/api/processing/cache-sync/status/{job_id}", get(jobs::status)),
        (Method::GET, "/api/processing/cache-sync/history", get(jobs::history)),
        (Method::GET, "/api/processing/cache-sync/stats", get(stats::stats)),
        (Method::GET, "/api/processing/cache-sync/events/{job_id}", get(events::events)),
        (Method::GET, "/api/processing/cache-sync/explain/{symbol}", get(explain::explain)),
        // A job called trigger, history or stats is cancelled by the command: these names are taken here.
        (Method::DELETE, "/api/processing/cache-sync/{job_id}", delete(cancel::cancel)),
        (Method::GET, "/health", get(health::health)),
        (Method::GET, "/ready", get(health::ready)),
        (Method::GET, "/metrics", get(metrics::metrics)),
        (Method::GET, "/openapi.json", get(openapi::openapi)),
    ]
}

/// All of it as one service.
pub(super) fn router(api: Arc<Api>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (_, path, handler)| router.route(path, handler))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("there is no such path; /openapi.json lists those there are"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(&api), middleware::handle))
        .with_state(api)
}
