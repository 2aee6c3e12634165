//! The id of a request.

use axum::http::{HeaderMap, HeaderName};
use sluice_engine::clock;
use uuid::Uuid;

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that a client may choose.
const MAX_REQUEST_ID: usize = 64;

/// The id of a request: the id that the client sent if it is a valid token, otherwise a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let is_token = |id: &&str| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let requested = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_token);
        Self(requested.map_or_else(|| clock::new_id().to_string(), str::to_owned))
    }

    /// Returns the id, as in the header `x-request-id`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as a URI reference.
    pub(crate) fn to_uri(&self) -> String {
        match Uuid::try_parse(&self.0) {
            Ok(id) => format!("urn:uuid:{id}"),
            Err(_) => format!("/requests/{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn accepts_only_ids_that_are_tokens() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(&REQUEST_ID, HeaderValue::from_str(value).unwrap());
            RequestId::from_headers(&headers).0
        };
        assert_eq!(id("req-1.A_b"), "req-1.A_b");
        for bad in ["", "a b", "a\"b", "{}", "a/b", &"x".repeat(65)] {
            assert_ne!(id(bad), bad);
        }
        let uuid = "0192aa00-0000-7000-8000-000000000000";
        assert_eq!(RequestId(uuid.to_owned()).to_uri(), format!("urn:uuid:{uuid}"));
        assert_eq!(RequestId("r1".to_owned()).to_uri(), "/requests/r1");
    }
}
