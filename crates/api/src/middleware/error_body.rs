//! Bodies of error responses: `application/problem+json`.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use opentelemetry::trace::TraceId;

use crate::change::request_id::RequestId;
use crate::error::{MEDIA_TYPE, Problem, ProblemKind};

/// The fields of a failed request that are logged.
pub(crate) struct FailedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) id: &'a RequestId,
    pub(crate) trace_id: TraceId,
}

/// Turns the problem of a response into its body. An error response without a problem gets one.
pub(crate) fn render_problem(mut response: Response, request: &FailedRequest<'_>) -> Response {
    if request.method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return respond_to_options(response);
    }
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| fallback_problem(&response));
    let Some(problem) = problem else { return response };
    if let Some(cause) = problem.cause() {
        log_cause(&problem, &cause, request);
    }
    let mut rendered = problem.respond(request.id.to_uri());
    // Headers of inner layers are kept, except for those that describe the old body.
    let headers = std::mem::take(response.headers_mut());
    for (name, value) in &headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            rendered.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
    }
    rendered
}

fn log_cause(problem: &Problem, cause: &str, request: &FailedRequest<'_>) {
    let FailedRequest { method, path, id, trace_id } = request;
    let (title, request_id) = (problem.kind.title(), id.as_str());
    if problem.kind.status().is_server_error() {
        tracing::error!(%method, path, request_id, %trace_id, cause, "{title}");
    } else {
        tracing::debug!(%method, path, request_id, %trace_id, cause, "{title}");
    }
}

/// Turns the 405 for an OPTIONS request into a 204 with the header `Allow`.
fn respond_to_options(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn fallback_problem(response: &Response) -> Option<Problem> {
    let status = response.status();
    let is_rendered = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == MEDIA_TYPE);
    if is_rendered || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => Problem::new(
            ProblemKind::PathNotFound,
            "The path does not exist. /docs lists the paths of the API.",
        ),
        // The router adds the header `Allow` outside of this layer.
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            ProblemKind::MethodNotAllowed,
            "This path does not support this method. The Allow header lists the supported methods.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(ProblemKind::TooLarge, "The body is too large. Send a smaller body.")
        }
        _ if status.is_server_error() => Problem::internal(format!("{status} without a problem")),
        _ => Problem::new(
            ProblemKind::BadRequest,
            "The request is malformed. See /openapi.json for its format.",
        ),
    })
}

/// Returns the response of a handler, or a problem if the handler panics.
pub(crate) async fn catch_panic(response: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(response).catch_unwind().await.unwrap_or_else(respond_to_panic)
}

fn respond_to_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let cause = format!("handler panicked: {}", text.unwrap_or_default());
    Problem::internal(cause).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_becomes_an_internal_problem() {
        let response = catch_panic(async { panic!("no {}", "luck") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!(problem.kind, ProblemKind::Internal);
        assert_eq!(problem.cause().unwrap(), "handler panicked: no luck");
        assert_eq!(catch_panic(async { StatusCode::OK.into_response() }).await.status(), StatusCode::OK);
    }
}
