//! Limits for the URI and the headers of a request.

use axum::extract::Request;

use crate::error::{Problem, ProblemKind};

/// The maximum size of all headers, names and values, in bytes.
const MAX_HEADERS: usize = 64 << 10;

/// The maximum length of path and query, in bytes.
const MAX_URI: usize = 8 << 10;

/// Returns the detail of [`ProblemKind::UriTooLong`].
pub(crate) fn uri_too_long() -> String {
    format!("The path and query are longer than {MAX_URI} bytes. Shorten them.")
}

/// Returns the detail of [`ProblemKind::HeadersTooLarge`].
pub(crate) fn headers_too_large() -> String {
    format!("The headers are longer than {MAX_HEADERS} bytes. Send fewer or shorter headers.")
}

/// Returns the problem of a request whose URI or headers are too long, or `None`.
pub(crate) fn check_size(request: &Request) -> Option<Problem> {
    let uri = request.uri().path_and_query().map_or(0, |all| all.as_str().len());
    if uri > MAX_URI {
        return Some(Problem::new(ProblemKind::UriTooLong, uri_too_long()));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers > MAX_HEADERS).then(|| Problem::new(ProblemKind::HeadersTooLarge, headers_too_large()))
}
