//! Coming in by a link, and leaving.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::api::{Answered, Asked, Nothing, asked};
use super::app::{Acting, App, Peer, cookie};
use super::guard::Refusal;
use super::session::Login;
use wakegate::review::Act;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    secret: String,
}

pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    body: Asked<LogIn>,
) -> Answered<Response> {
    let LogIn { secret } = asked(body)?;
    app.settle().await?;
    let login = app.sessions()?.log_in(&secret, peer.from, app.now_ms());
    match login.map_err(|error| app.failed(error))? {
        Login::Open(opened) => {
            let name = opened.reviewer.as_str().to_owned();
            app.desk(move |desk| desk.queue.note(&name, Act::LoggedIn, None)).await?;
            let body = json!({ "reviewer": opened.reviewer.as_str(), "token": opened.token });
            // The server ends the session long before the cookie ends.
            let cookie = app.site.cookie(&opened.cookie, 24 * 3600);
            Ok(([(SET_COOKIE, cookie)], Json(body)).into_response())
        }
        Login::Refused { tell } => {
            if let Some(note) = tell {
                app.desk(move |desk| desk.queue.note("unknown", Act::Refused, Some(note))).await?;
            }
            Err(Refusal::new(StatusCode::FORBIDDEN, "this link is used, too old or wrong"))
        }
        Login::Limited { retry_s } => Err(Refusal::limited(retry_s)),
    }
}

/// Makes new links where they are due: instead of ones that are too old, and of the session
/// whose cookie is shown. They appear in the terminal, so asking for them is of use only there.
pub(super) async fn link(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Asked<Nothing>,
) -> Answered<Response> {
    asked(body)?;
    app.settle().await?;
    if let Some(cookie) = cookie(&headers, &app.site) {
        let ended = app.sessions()?.end(cookie, "a new link was asked for");
        if let Some(session) = ended {
            app.ended(session, true).await?;
        }
    }
    let late = app.sessions()?.late_links(app.now_ms());
    late.iter().try_for_each(|reviewer| app.announce(reviewer))?;
    Ok(([(SET_COOKIE, app.site.cookie("", 0))], Json(json!({}))).into_response())
}

pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    body: Asked<Nothing>,
) -> Answered<Response> {
    asked(body)?;
    let ended = app.sessions()?.end(&visitor.cookie, "logged out");
    if let Some(session) = ended {
        app.ended(session, true).await?;
    }
    Ok(([(SET_COOKIE, app.site.cookie("", 0))], Json(json!({}))).into_response())
}
