//! Style, script and icon: in the program, and served under names that change with what they hold, so that browsers may
//! keep them for good.

use std::sync::{Arc, LazyLock};

use crate::http::keys::hex;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Console;
use super::problem::Problem;

/// A file.
pub(super) struct Asset {
    stem: &'static str,
    extension: &'static str,
    kind: &'static str,
    text: &'static str,
    digest: LazyLock<String>,
}

/// How everything looks.
pub(super) static STYLE: Asset = Asset {
    stem: "console",
    extension: "css",
    kind: "text/css; charset=utf-8",
    text: include_str!("assets/console.css"),
    digest: LazyLock::new(|| digest(include_str!("assets/console.css"))),
};
/// What moves.
pub(super) static SCRIPT: Asset = Asset {
    stem: "console",
    extension: "js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("assets/console.js"),
    digest: LazyLock::new(|| digest(include_str!("assets/console.js"))),
};
/// The mark in a tab.
pub(super) static ICON: Asset = Asset {
    stem: "icon",
    extension: "svg",
    kind: "image/svg+xml",
    text: include_str!("assets/icon.svg"),
    digest: LazyLock::new(|| digest(include_str!("assets/icon.svg"))),
};

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..6])
}

impl Asset {
    fn name(&self) -> String {
        format!("{}-{}.{}", self.stem, *self.digest, self.extension)
    }
}

/// Where a file is.
pub(super) fn address(console: &Console, asset: &Asset) -> String {
    console.at(&format!("/assets/{}", asset.name()))
}

/// A file. Nobody has to be signed in: the form to sign in has a style as well.
pub(super) async fn asset(
    State(_): State<Arc<Console>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let known = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name() == name);
    let asset = known.ok_or_else(|| Problem::not_found("There is no such file."))?;
    let head =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((head, asset.text).into_response())
}
