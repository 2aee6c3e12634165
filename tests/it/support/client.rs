//! Requests to the server under test, and its responses.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use reqwest::multipart::Form;
use serde_json::Value;

use super::coverage;

/// A request builder. `.await` sends the request.
#[must_use = "`.await` sends a request"]
pub(crate) struct Request(RequestBuilder);

impl Request {
    pub(crate) fn new(builder: RequestBuilder) -> Self {
        Self(builder)
    }

    /// Adds a header. A header that is added twice is sent twice.
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self(self.0.header(name, value.as_ref()))
    }

    pub(crate) fn headers<V: AsRef<[u8]>>(self, headers: &[(&str, V)]) -> Self {
        headers.iter().fold(self, |request, (name, value)| request.header(name, value))
    }

    pub(crate) fn api_key(self, key: &str) -> Self {
        Self(self.0.bearer_auth(key))
    }

    pub(crate) fn idempotency_key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn if_match(self, etag: &str) -> Self {
        self.header("if-match", etag)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub(crate) fn optional_json(self, body: Option<&Value>) -> Self {
        match body {
            Some(body) => self.json(body),
            None => self,
        }
    }

    pub(crate) fn merge_patch(self, patch: &Value) -> Self {
        self.body("application/merge-patch+json", patch.to_string())
    }

    pub(crate) fn form(self, form: Form) -> Self {
        Self(self.0.multipart(form))
    }

    /// Sets a body of any media type. The body may be invalid.
    pub(crate) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = self.header("content-type", content_type);
        Self(request.0.body(body.into()))
    }

    /// Sends the request. A connection error fails the test.
    pub(crate) async fn send(self) -> Response {
        self.execute().await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Sends the request. Returns `None` on a connection error.
    pub(crate) async fn try_send(self) -> Option<Response> {
        self.execute().await.ok()
    }

    async fn execute(self) -> reqwest::Result<Response> {
        let (client, request) = self.0.build_split();
        let request = request?;
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        coverage::record(&method, &path, status, &text);
        Ok(Response { request: format!("{method} {path}"), status, headers, text })
    }

    /// Sends the request and returns the response before its body is read.
    pub(crate) async fn stream(self) -> reqwest::Response {
        let (client, request) = self.0.build_split();
        let request = request.expect("a valid request");
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response =
            client.execute(request).await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        coverage::record(&method, &path, response.status().as_u16(), "");
        response
    }
}

impl IntoFuture for Request {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A response of the server with its complete body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn content_type(&self) -> &str {
        self.headers.get("content-type").map_or("", |v| v.to_str().expect("a text header"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{}: {e}: {}", self.request, self.text))
    }

    /// Returns the body of a response with this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    pub(crate) fn ok(self) -> Value {
        self.expect(200)
    }

    /// Returns the problem of a response with this status. Checks that it has the members of RFC 9457, and that it does
    /// not reveal details of the implementation.
    pub(crate) fn problem(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        let kind = self.content_type();
        assert!(kind.starts_with("application/problem+json"), "{}: {kind}: {}", self.request, self.text);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{}: {problem}", self.request);
        for member in ["type", "title", "detail", "instance"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {problem}", self.request);
        }
        let text = self.text.to_lowercase();
        for secret in ["select ", "insert into", "sqlite", "sqlx", "panicked", "backtrace", ".rs:", "/tmp"] {
            assert!(!text.contains(secret), "{} contains `{secret}`: {}", self.request, self.text);
        }
        problem
    }

    /// Returns the JSON pointers of a 422, in their order.
    pub(crate) fn pointers(self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        for error in errors {
            for member in ["code", "detail"] {
                let text = error[member].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "no {member} in {error}");
            }
        }
        errors.iter().map(|e| e["pointer"].as_str().expect("a pointer").to_owned()).collect()
    }
}
