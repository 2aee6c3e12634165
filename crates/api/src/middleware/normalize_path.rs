//! Path normalization: the prefix `/api` and the trailing slash are optional.

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};

/// Prefixes of paths without a trailing slash.
const WITHOUT_SLASH: [&str; 4] = ["/docs", "/openapi.json", "/healthz", "/readyz"];

/// Rewrites the path of a request to the form that the router matches.
#[must_use]
pub fn normalize_path<B>(mut request: Request<B>) -> Request<B> {
    if let Some(uri) = normalize(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the normalized URI, or `None` if it is normalized already.
fn normalize(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let mut relative = path;
    if let Some(rest) = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')) {
        relative = rest;
    }
    let is_bare = WITHOUT_SLASH
        .iter()
        .any(|bare| relative.strip_prefix(bare).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let slash = if is_bare || relative.ends_with('/') { "" } else { "/" };
    if relative.len() == path.len() && slash.is_empty() {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{relative}{slash}{query}")).ok();
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalize_text(uri: &str) -> String {
        let uri: Uri = uri.parse().unwrap();
        normalize(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn every_path_is_served_in_four_forms() {
        for uri in ["/wf/", "/wf", "/api/wf/", "/api/wf"] {
            assert_eq!(normalize_text(uri), "/wf/");
            assert_eq!(normalize_text(&format!("{uri}?page=2&x=%2F")), "/wf/?page=2&x=%2F");
        }
        assert_eq!(normalize_text("/api/wf/1/run"), "/wf/1/run/");
        assert_eq!(normalize_text("/"), "/");
        assert_eq!(normalize_text("/apis"), "/apis/");
        assert_eq!(normalize_text("/api"), "/api/");
        assert_eq!(normalize_text("/api/api/wf"), "/api/wf/");
    }

    #[test]
    fn some_paths_get_no_slash() {
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/", "/docs/swagger-ui.css"] {
            assert_eq!(normalize_text(path), path);
            assert_eq!(normalize_text(&format!("/api{path}")), path);
        }
        assert_eq!(normalize_text("/docsy"), "/docsy/");
    }
}
