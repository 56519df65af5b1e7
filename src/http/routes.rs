//! Which call goes where: one line each, and what is said to everything else.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, get, on};
use axum::{Router, middleware};

use super::problem::Problem;
use super::{Api, door, events, health, jobs, metrics, openapi, stats, trigger};

/// The most bytes of a body. A trigger has a hundred.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024;

/// Paths that need no key: they ask for nothing and tell no more than whether all is well.
pub(super) const OPEN_PATHS: [&str; 4] = ["/health", "/ready", "/metrics", "/openapi.json"];

/// One call.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    handler: MethodRouter<Arc<Api>>,
}

/// Every call there is. The document in `openapi.json` lists the same; a test compares.
pub(super) fn routes() -> Vec<Route> {
    let route = |method, path, handler| Route { method, path, handler };
    vec![
        route(Method::POST, "/api/processing/cache-sync/trigger", on(MethodFilter::POST, trigger::trigger)),
        route(Method::GET, "/api/processing/cache-sync/status/{job_id}", get(jobs::status)),
        route(Method::GET, "/api/processing/cache-sync/history", get(jobs::history)),
        route(Method::GET, "/api/processing/cache-sync/stats", get(stats::stats)),
        route(Method::GET, "/api/processing/cache-sync/events/{job_id}", get(events::events)),
        route(Method::GET, "/health", get(health::health)),
        route(Method::GET, "/ready", get(health::ready)),
        route(Method::GET, "/metrics", get(metrics::metrics)),
        route(Method::GET, "/openapi.json", get(openapi::openapi)),
    ]
}

/// All of it as one service.
pub(super) fn router(api: Arc<Api>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("there is no such path; /openapi.json lists those there are"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), door::attend))
        .with_state(api)
}
