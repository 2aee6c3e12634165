//! CORS: the origins whose pages may call the API.

use axum::http::Method;
use axum::http::header::{HeaderName, HeaderValue};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Request headers that pages may send.
const ALLOWED: [&str; 11] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-api-key",
    "x-change-note",
    "x-request-id",
    "traceparent",
    "tracestate",
];

/// Response headers that pages may read.
const EXPOSED: [&str; 11] = [
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "traceparent",
    "x-next-cursor",
    "x-request-id",
    "x-total-count",
];

/// Returns a layer that allows calls from pages of these origins.
pub(crate) fn layer(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(ALLOWED.map(HeaderName::from_static))
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(std::time::Duration::from_secs(600))
}
