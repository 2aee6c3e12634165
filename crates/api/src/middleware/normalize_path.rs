//! Path normalization: the prefix `/api` and the trailing slash are optional.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Prefixes of paths without a trailing slash.
const WITHOUT_SLASH: [&str; 4] = ["/docs", "/openapi.json", "/healthz", "/readyz"];

/// Rewrites the path of a request to the form that the router knows.
pub(crate) fn normalize_path(mut request: Request) -> Request {
    if let Some(uri) = normalize(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The normalized URI; none when it is normalized already.
fn normalize(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let mut served = path;
    if let Some(rest) = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')) {
        served = rest;
    }
    let is_bare = WITHOUT_SLASH
        .iter()
        .any(|bare| served.strip_prefix(bare).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let slash = if is_bare || served.ends_with('/') { "" } else { "/" };
    if served.len() == path.len() && slash.is_empty() {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{served}{slash}{query}")).ok();
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(uri: &str) -> String {
        let uri: Uri = uri.parse().unwrap();
        normalize(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn every_path_is_served_in_four_forms() {
        for uri in ["/wf/", "/wf", "/api/wf/", "/api/wf"] {
            assert_eq!(served(uri), "/wf/");
            assert_eq!(served(&format!("{uri}?page=2&x=%2F")), "/wf/?page=2&x=%2F");
        }
        assert_eq!(served("/api/wf/1/run"), "/wf/1/run/");
        assert_eq!(served("/"), "/");
        assert_eq!(served("/apis"), "/apis/");
        assert_eq!(served("/api"), "/api/");
        assert_eq!(served("/api/api/wf"), "/api/wf/");
    }

    #[test]
    fn some_paths_have_no_slash() {
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/", "/docs/swagger-ui.css"] {
            assert_eq!(served(path), path);
            assert_eq!(served(&format!("/api{path}")), path);
        }
        assert_eq!(served("/docsy"), "/docsy/");
    }
}
