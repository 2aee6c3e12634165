//! Authentication and authorization of requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;

use crate::auth::caller::Caller;
use crate::auth::key_cache::rejection_reason;
use crate::auth::rate_limit::RateLimitHeaders;
use crate::error::{Problem, ProblemKind};
use crate::operations::Operation;
use crate::settings::Admission;
use crate::state::AppState;

/// The interval at which the key of an open event stream is checked again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Authenticates the request and checks its scope.
pub(crate) async fn authenticate<F: Future<Output = Response>>(
    state: &AppState,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let (headers, result) = admit(state, &parts).await;
    let caller = match result {
        Ok(caller) => caller,
        Err(problem) => return with_headers(problem.into_response(), headers),
    };
    parts.extensions.insert(caller.clone());
    let mut response = with_headers(next(Request::from_parts(parts, body)).await, headers);
    if let Some(key) = caller.0.as_ref().filter(|_| is_event_stream(&response)) {
        let end = until_revoked(state.clone(), key.id.clone());
        response = response.map(|body| Body::from_stream(body.into_data_stream().take_until(end)));
    }
    // Read by the request log.
    response.extensions_mut().insert(caller);
    response
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(mime::TEXT_EVENT_STREAM.as_ref().as_bytes()))
}

/// Waits until a key is no longer accepted.
async fn until_revoked(state: AppState, id: String) {
    loop {
        tokio::time::sleep(RECHECK_INTERVAL).await;
        // An unavailable database revokes no key.
        let Ok(key) = state.db.api_key_get(&id).await else { continue };
        if key.is_none_or(|key| rejection_reason(&key).is_some()) {
            return;
        }
    }
}

/// Returns the caller or the problem of a rejected request. Returns the rate limit headers in both cases.
async fn admit(state: &AppState, request: &Parts) -> (RateLimitHeaders, Result<Caller, Problem>) {
    let operation = request.extensions.get::<Arc<Operation>>();
    if state.settings.admission == Admission::Everyone || is_public(request, operation) {
        return (RateLimitHeaders::new(), Ok(Caller::default()));
    }
    match state.keys.has_keys(&state.db).await {
        Ok(true) => {}
        Ok(false) => {
            return (RateLimitHeaders::new(), check_same_site(request).map(|()| Caller::default()));
        }
        Err(problem) => return (RateLimitHeaders::new(), Err(problem)),
    }
    let key = match state.keys.authenticate(&state.db, &request.headers).await {
        Ok(key) => key,
        Err(problem) => return (RateLimitHeaders::new(), Err(problem)),
    };
    let (headers, within_limit) = state.rate_limit.count(&key);
    if let Err(problem) = within_limit {
        return (headers, Err(problem));
    }
    state.keys.save_last_use(&state.db, &key).await;
    let caller = Caller(Some(key));
    let result = match operation.and_then(|operation| operation.scope) {
        Some(scope) => caller.require_scope(scope),
        None => Ok(()),
    };
    (headers, result.map(|()| caller))
}

/// Returns true for paths that need no key. Checks the matched route, not the spelling of the path.
fn is_public(request: &Parts, operation: Option<&Arc<Operation>>) -> bool {
    let path = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_document = path == "/openapi.json" || path == "/docs" || path.starts_with("/docs/");
    is_document || operation.is_some_and(|operation| operation.scope.is_none())
}

/// Rejects calls from web pages of other origins, and calls under a foreign host name (DNS rebinding). A server without
/// keys accepts calls from every program on its machine, including browsers with pages of other origins.
fn check_same_site(request: &Parts) -> Result<(), Problem> {
    let reject = |detail: &str| Err(Problem::new(ProblemKind::CrossSite, detail));
    // The authority of the request target overrides the header Host (RFC 9112, 3.2.2).
    let host = match (request.uri.authority(), request.headers.get(header::HOST)) {
        (Some(target), _) => Some(target.clone()),
        (None, Some(host)) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        (None, None) => return Ok(()),
    };
    if !host.as_ref().is_some_and(is_local) {
        return reject(
            "A server without API keys accepts only requests to localhost or to its IP address. Use one of them, or create an API key.",
        );
    }
    let Some(origin) = request.headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    if origin.as_ref().and_then(Uri::authority) != host.as_ref() {
        return reject(
            "A server without API keys rejects requests from other web sites. Create an API key, and allow the site with --cors-origin.",
        );
    }
    Ok(())
}

fn is_local(host: &Authority) -> bool {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

fn with_headers(mut response: Response, headers: RateLimitHeaders) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
