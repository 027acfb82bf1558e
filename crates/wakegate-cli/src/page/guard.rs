//! What holds for every request and every response, before and after anything else.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::app::App;

/// Most bytes that a request may bring.
pub(super) const MOST_BODY: usize = 4096;
/// Seconds that a request may take, its body and the queue's patience included.
const PATIENCE: Duration = Duration::from_secs(20);

/// Scripts, styles and data from here alone; nothing inline, nothing embedded, no forms, no
/// markup made by scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 9] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), display-capture=()",
    ),
];

/// A request that is not answered, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
    retry_s: Option<u64>,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, why: &'static str) -> Self {
        Self { status, why, retry_s: None }
    }

    /// Too many guesses.
    pub(super) fn limited(retry_s: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            why: "too many failed logins; wait a little",
            retry_s: Some(retry_s),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(json!({ "error": self.why }))).into_response();
        if let Some(seconds) = self.retry_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Refuses what is not meant for this page, or does not come from it.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match check(&app, &request) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "this took too long").into_response()
            }
        },
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(app: &App, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let site = &app.site;
    // Against DNS rebinding: a foreign name that was pointed here is still a foreign name.
    let named = headers.get_all(HOST).iter().count() == 1
        && text(&HOST).is_some_and(|host| site.is_host(host))
        && request.uri().authority().is_none_or(|authority| site.is_host(authority.as_str()));
    if !named {
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "this is another host's page"));
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin_ok = match text(&ORIGIN) {
        Some(origin) => site.is_origin(origin),
        None => is_read,
    };
    let fetch_site = text(&HeaderName::from_static("sec-fetch-site"));
    let is_api = request.uri().path().starts_with("/api/");
    let site_ok = !is_api || fetch_site.is_none_or(|from| from == "same-origin");
    if !origin_ok || !site_ok {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this comes from another page"));
    }
    let length = text(&CONTENT_LENGTH).map_or(Ok(0), str::parse::<usize>);
    if !length.is_ok_and(|length| length <= MOST_BODY) {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
    }
    Ok(())
}
