//! Security headers of responses.

use axum::http::header;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers of every response: data that a browser must not run, frame or sniff.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Browsers may cache a response and must revalidate it, which entity tags make cheap.
    (header::CACHE_CONTROL, "private, no-cache"),
];

/// The policy for Swagger UI, which loads scripts and has images in its styles.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds the headers that the response does not have yet.
pub(crate) fn insert(headers: &mut HeaderMap, path: &str) {
    if path.starts_with("/docs") {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(DOCS_POLICY));
    }
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
