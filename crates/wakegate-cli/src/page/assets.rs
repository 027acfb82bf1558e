//! The page itself, in the binary. Nothing else is served: no path names a file.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type and text of each.
pub(super) const ALL: [(&str, &str, &str); 8] = [
    ("/", HTML, include_str!("assets/page.html")),
    ("/page.css", CSS, include_str!("assets/page.css")),
    ("/page.js", JS, include_str!("assets/page.js")),
    ("/api.js", JS, include_str!("assets/api.js")),
    ("/clip.js", JS, include_str!("assets/clip.js")),
    ("/player.js", JS, include_str!("assets/player.js")),
    ("/overview.js", JS, include_str!("assets/overview.js")),
    ("/icon.svg", SVG, include_str!("assets/icon.svg")),
];

pub(super) fn serve<S: Clone + Send + Sync + 'static>(
    kind: &'static str,
    text: &'static str,
) -> MethodRouter<S> {
    get(move || async move { response(kind, text) })
}

fn response(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}
