//! `GET .../explain/{symbol}`: why a symbol is in a universe or is not, as the command `explain` tells it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use chrono::Utc;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, READ_LIMITS, SERVER_WITHIN};
use crate::service::{self, Answer, Question};

/// Which universes are wanted.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Wanted {
    /// One of them; none for all.
    universe: Option<String>,
}

/// One symbol. It reads the whole market, so not everybody can ask at once.
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Path(symbol) = path.map_err(|_| Problem::unknown_symbol(None))?;
    let Query(Wanted { universe }) = wanted.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let turn = tokio::time::timeout(SERVER_WITHIN, api.explanations.acquire()).await;
    let _turn = turn.map_err(|_| Problem::unavailable("too many symbols are asked about at once"))?;
    let question = Question { symbol, universe };
    match service::explain(&api.service.database, &api.settings, question, READ_LIMITS, Utc::now()).await? {
        Answer::Explained(explanation) => Ok(Json(json!(explanation))),
        Answer::UnknownSymbol { nearest } => Err(Problem::unknown_symbol(nearest.as_deref())),
        Answer::UnknownUniverse { nearest } => Err(Problem::unknown_universe(nearest.as_deref())),
        Answer::Refused(refusal) => Err(Problem::unavailable(refusal.to_string())),
    }
}
