//! The outermost layer: request ids, one log line a request, problems written out, panics caught.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::FutureExt as _;
use sluice_engine::clock;
use uuid::Uuid;

use crate::Settings;
use crate::access::Caller;
use crate::headers;
use crate::metrics::Counted;
use crate::operations::Operations;
use crate::paced::{Late, Paced, Rest};
use crate::problem::{Kind, MEDIA_TYPE, Problem};
use crate::trace::Trace;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken from a client.
const MAX_REQUEST_ID: usize = 64;

/// What probes ask every few seconds is not worth a line in the log.
const QUIET: [&str; 2] = ["/healthz", "/readyz"];

/// Prefixes of paths that are served as they stand, without a slash at their end.
const BARE: [&str; 4] = ["/docs", "/openapi.json", "/healthz", "/readyz"];

/// The id of a request: the client's, when it is harmless, else a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestId(String);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let token = |id: &&str| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let given = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(token);
        Self(given.map_or_else(|| clock::new_id().to_string(), str::to_owned))
    }

    /// The id, as it stands in the header `x-request-id`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The request as a URI reference.
    fn instance(&self) -> String {
        match Uuid::try_parse(&self.0) {
            Ok(id) => format!("urn:uuid:{id}"),
            Err(_) => format!("/requests/{}", self.0),
        }
    }
}

/// The most bytes of the headers of a request, names and values.
const MAX_HEADERS: usize = 64 << 10;
/// The most bytes of the path and query of a request.
const MAX_URI: usize = 8 << 10;

/// What the outermost layer works with.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) operations: Operations,
    /// The numbers of requests.
    pub(crate) counted: Counted,
    /// What makes spans, when somebody wants them.
    pub(crate) tracer: Option<Arc<BoxedTracer>>,
}

/// Gives every request an id, writes problems out and logs.
pub(crate) async fn edge(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let method = named(request.method());
    // The pattern and not the path: no id of a client comes into the log.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    let operation = edge.operations.find(&method, request.extensions()).cloned();
    request.extensions_mut().insert(id.clone());
    if let Some(operation) = &operation {
        request.extensions_mut().insert(Arc::clone(operation));
    }
    let is_quiet = QUIET.contains(&path);
    let tracer = edge.tracer.as_ref().filter(|_| !is_quiet);
    let trace = Trace::begin(request.headers(), tracer, &method, path);
    let mut response = match trace.context() {
        None => next.run(request).await,
        Some(context) => next.run(request).with_context(context.clone()).await,
    };
    let caller = response.extensions_mut().remove::<Caller>().unwrap_or_default();
    let mut response = written_out(response, &method, path, &id, &trace);
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    headers::harden(response.headers_mut(), path);
    trace.answer(response.headers_mut());
    let operation = operation.as_ref().map(|operation| operation.id.as_str());
    let (status, took) = (response.status(), started.elapsed());
    edge.counted.take(operation, status, took);
    let operation = operation.unwrap_or("-");
    trace.end(operation, &id.0, status);
    if !is_quiet {
        log((&method, path, operation), status, took, (&id, &caller, &trace));
    }
    response
}

/// The method, when it has a name that is known: whatever else a client sends there doesn't come into a log.
fn named(method: &Method) -> Method {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let more = [Method::OPTIONS, Method::TRACE, Method::CONNECT];
    let known = known.iter().chain(&more).find(|known| *known == method).cloned();
    // The name that OpenTelemetry gives them.
    known.or_else(|| Method::from_bytes(b"_OTHER").ok()).unwrap_or_default()
}

fn too_long(request: &Request) -> Option<Problem> {
    let uri = request.uri().path_and_query().map_or(0, |all| all.as_str().len());
    if uri > MAX_URI {
        let detail = format!("The path and query are longer than {MAX_URI} bytes. Send less in them.");
        return Some(Problem::new(Kind::UriTooLong, detail));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers > MAX_HEADERS).then(|| {
        let detail = format!("The headers are longer than {MAX_HEADERS} bytes. Send fewer, or shorter ones.");
        Problem::new(Kind::HeadersTooLarge, detail)
    })
}

/// Refuses what is too long, and gives up a body that stops coming.
pub(crate) async fn bounded(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    if let Some(problem) = too_long(&request) {
        return problem.into_response();
    }
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (late, rest) = (Late::default(), Rest::default());
    let paced = |body| Body::new(Paced::new(body, settings.body_pause, late.clone(), rest.clone()));
    let mut response = next.run(request.map(paced)).await;
    if late.get() {
        let detail = "The body came too slowly, or stopped. Send it again, without pauses.";
        response = Problem::new(Kind::RequestTimeout, detail).into_response();
    }
    if late.get() || !rest.is_read().await {
        // The rest of the body may come, or not: there is no next request on this connection.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The one line of a request.
fn log(
    (method, path, operation): (&Method, &str, &str),
    status: StatusCode,
    took: Duration,
    (id, caller, trace): (&RequestId, &Caller, &Trace),
) {
    let key = caller.name().unwrap_or("-");
    let (status, took_ms) = (status.as_u16(), took.as_micros() as f64 / 1000.0);
    tracing::info!(
        %method, path, operation, status, took_ms, key, request_id = id.0, trace_id = %trace.id(), "request"
    );
}

/// The answer with its problem as body; whatever refuses without a problem gets one.
fn written_out(
    mut response: Response,
    method: &Method,
    path: &str,
    id: &RequestId,
    trace: &Trace,
) -> Response {
    if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return options(response);
    }
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| fallback(&response));
    let Some(problem) = problem else { return response };
    if let Some(cause) = problem.cause() {
        let (title, request_id, trace_id) = (problem.kind.title(), &id.0, trace.id());
        if problem.kind.status().is_server_error() {
            tracing::error!(%method, path, request_id, %trace_id, cause, "{title}");
        } else {
            tracing::debug!(%method, path, request_id, %trace_id, cause, "{title}");
        }
    }
    let mut written = problem.respond(id.instance());
    // What layers below have added, but for what described another body.
    let told = std::mem::take(response.headers_mut());
    for (name, value) in
        told.iter().filter(|(name, _)| ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name))
    {
        written.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    written
}

/// What a path takes.
fn options(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn fallback(response: &Response) -> Option<Problem> {
    let status = response.status();
    let is_written = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == MEDIA_TYPE);
    if is_written || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => Problem::new(
            Kind::PathNotFound,
            "There is nothing at this path. See /docs for the paths that are served.",
        ),
        // The router adds the header Allow around this layer.
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            Kind::MethodNotAllowed,
            "This path doesn't take this method. The header Allow says which it takes.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Kind::TooLarge, "The body is too large. Send less at once.")
        }
        _ if status.is_server_error() => Problem::internal(format!("a plain {status}")),
        _ => Problem::new(
            Kind::BadRequest,
            "The request can't be read. Compare it with the document at /openapi.json.",
        ),
    })
}

/// The answer of a handler that panicked.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let cause = format!("a handler panicked: {}", text.unwrap_or_default());
    axum::response::IntoResponse::into_response(Problem::internal(cause))
}

/// Lets every path be asked for under `/api` too, and without the slash at its end.
pub(crate) fn rewritten(mut request: Request) -> Request {
    if let Some(uri) = rewrite(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn rewrite(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let mut served = path;
    if let Some(rest) = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')) {
        served = rest;
    }
    let is_bare = BARE
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
        rewrite(&uri).unwrap_or(uri).to_string()
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

    #[test]
    fn only_harmless_ids_are_taken_from_clients() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(&REQUEST_ID, HeaderValue::from_str(value).unwrap());
            RequestId::of(&headers).0
        };
        assert_eq!(id("req-1.A_b"), "req-1.A_b");
        for bad in ["", "a b", "a\"b", "{}", "a/b", &"x".repeat(65)] {
            assert_ne!(id(bad), bad);
        }
        let uuid = "0192aa00-0000-7000-8000-000000000000";
        assert_eq!(RequestId(uuid.to_owned()).instance(), format!("urn:uuid:{uuid}"));
        assert_eq!(RequestId("r1".to_owned()).instance(), "/requests/r1");
    }
}
