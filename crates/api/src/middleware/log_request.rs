//! The outermost layer: request id, metrics, span and one log line per request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{FutureExt as _, TraceId};

use crate::auth::caller::Caller;
use crate::change::request_id::{REQUEST_ID, RequestId};
use crate::metrics::OperationMetrics;
use crate::middleware::error_body::{FailedRequest, render_problem};
use crate::middleware::security_headers;
use crate::middleware::trace_context::RequestTrace;
use crate::operations::Operations;

/// Paths of probes, which are not logged.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The state of the layer.
pub(crate) struct RequestObserver {
    pub(crate) operations: Operations,
    pub(crate) metrics: OperationMetrics,
    /// Creates spans. `None` without a collector.
    pub(crate) tracer: Option<Arc<BoxedTracer>>,
}

/// Assigns the request id, renders problems, and records the request in metrics, trace and log.
pub(crate) async fn observe(
    State(observer): State<Arc<RequestObserver>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = RequestId::from_headers(request.headers());
    let method = known_method(request.method());
    // Logs the pattern, not the path: ids are not logged.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    let operation = observer.operations.find(&method, request.extensions()).cloned();
    request.extensions_mut().insert(id.clone());
    if let Some(operation) = &operation {
        request.extensions_mut().insert(Arc::clone(operation));
    }
    let is_probe = PROBES.contains(&path);
    let tracer = observer.tracer.as_ref().filter(|_| !is_probe);
    let trace = RequestTrace::begin(request.headers(), tracer, &method, path);
    let mut response = match trace.context() {
        None => next.run(request).await,
        Some(context) => next.run(request).with_context(context.clone()).await,
    };
    let caller = response.extensions_mut().remove::<Caller>().unwrap_or_default();
    let failed = FailedRequest { method: &method, path, id: &id, trace_id: trace.id() };
    let mut response = render_problem(response, &failed);
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    security_headers::insert(response.headers_mut(), path);
    trace.insert_headers(response.headers_mut());
    let operation = operation.as_ref().map(|operation| operation.id.as_str());
    let (status, elapsed) = (response.status(), started.elapsed());
    observer.metrics.record(operation, status, elapsed);
    let operation = operation.unwrap_or("-");
    trace.end(operation, id.as_str(), status);
    if !is_probe {
        let key = caller.name().unwrap_or("-");
        LogLine { method: &method, path, operation, key, request_id: id.as_str(), trace_id: trace.id() }
            .write(status, elapsed);
    }
    response
}

/// Returns the method, or `_OTHER` (the value of OpenTelemetry) if it is unknown, so that the text of a client is not
/// logged.
fn known_method(method: &Method) -> Method {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    if KNOWN.contains(method) {
        return method.clone();
    }
    Method::from_bytes(b"_OTHER").unwrap_or_default()
}

/// The fields of the log line of a request.
struct LogLine<'a> {
    method: &'a Method,
    path: &'a str,
    operation: &'a str,
    key: &'a str,
    request_id: &'a str,
    trace_id: TraceId,
}

impl LogLine<'_> {
    fn write(self, status: StatusCode, elapsed: Duration) {
        let Self { method, path, operation, key, request_id, trace_id } = self;
        let (status, took_ms) = (status.as_u16(), elapsed.as_micros() as f64 / 1000.0);
        tracing::info!(
            %method, path, operation, status, took_ms, key, request_id, %trace_id, "request"
        );
    }
}
