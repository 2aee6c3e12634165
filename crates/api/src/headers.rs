//! What every answer tells browsers: what may be made of it, and who may read it.

use axum::http::Method;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Whatever is answered is data: nothing in it is run, framed or guessed at.
const DATA: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // May be kept, by the one browser alone, and is asked for again each time: entity tags make that cheap.
    (header::CACHE_CONTROL, "private, no-cache"),
];

/// Swagger UI is a page with scripts of its own, and with images in its styles.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds them, unless the answer has said something itself.
pub(crate) fn harden(headers: &mut HeaderMap, path: &str) {
    if path.starts_with("/docs") {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(PAGE_POLICY));
    }
    for (name, value) in DATA {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Lets pages of these origins call.
pub(crate) fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let named =
        |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    let sent =
        ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id"];
    let more = ["x-api-key", "x-change-note", "x-request-id", "traceparent", "tracestate"];
    let told =
        ["etag", "idempotency-replayed", "link", "location", "ratelimit", "ratelimit-policy", "retry-after"];
    let told_too = ["traceparent", "x-next-cursor", "x-request-id", "x-total-count"];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(named(&[&sent[..], &more[..]].concat()))
        .expose_headers(named(&[&told[..], &told_too[..]].concat()))
        .max_age(std::time::Duration::from_secs(600))
}
