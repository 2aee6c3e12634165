//! Error responses: problem details (RFC 9457).

pub(crate) mod convert;
pub(crate) mod examples;
pub(crate) mod responses;
pub(crate) mod schema_errors;

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::RefBuilder;
use utoipa::openapi::{RefOr, Schema};
use uuid::Uuid;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! problem_kinds {
    ($($variant:ident = $status:ident $slug:literal $title:literal $example:literal,)*) => {
        /// The kinds of problems. Kinds keep their URI and meaning permanently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $($variant,)*
        }

        impl ProblemKind {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            pub(crate) fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("/problems/", $slug),)* }
            }

            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns a `detail` for the examples of the OpenAPI document.
            pub(crate) fn example(self) -> &'static str {
                match self { $(Self::$variant => $example,)* }
            }
        }
    };
}

problem_kinds! {
    BadRequest = BAD_REQUEST "bad-request" "Bad request"
        "The request is malformed. See /openapi.json for its format.",
    InvalidJson = BAD_REQUEST "invalid-json" "Invalid JSON"
        "The body is not JSON: expected value (line 1, column 10).",
    DefinitionMissing = BAD_REQUEST "definition-missing" "Definition missing"
        "The definition is missing. Add it, or save the default one with PUT /wf/{workflow_id}/reset/.",
    NoOpenPause = BAD_REQUEST "no-open-pause" "No open pause"
        "The run has no open pause. GET /wf/pause_history/{run_id}/ lists its pauses.",
    RunEnded = BAD_REQUEST "run-ended" "Run already ended"
        "The run has already ended with the status COMPLETED. Start a new run.",
    PartialRun = BAD_REQUEST "partial-run" "Node can't be run"
        "The node \"gate\" waits for a person. Pass its output in partial_outputs.",
    UnknownEventId = BAD_REQUEST "unknown-event-id" "Unknown event id"
        "Last-Event-ID must be the id of an event of this stream. Omit it to connect without one.",
    RerunRefused = BAD_REQUEST "rerun-refused" "Rerun not possible"
        "The workflow has no node \"gaet\" outside of loops. Send the id of a node that is not in a loop.",
    RunNotFailed = BAD_REQUEST "run-not-failed" "Run has not failed"
        "Only FAILED runs can be retried, and this run is COMPLETED. Start a new run with POST /run/{run_id}/rerun/.",
    Unrunnable = BAD_REQUEST "unrunnable" "Workflow can't be run"
        "The links form a cycle. Remove one of them.",
    Unauthenticated = UNAUTHORIZED "unauthenticated" "API key missing or invalid"
        "The API key is missing. Send it in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
    ScopeMissing = FORBIDDEN "scope-missing" "Scope missing"
        "The API key \"ci\" lacks the scope runs:write, which this operation requires. Use a key with that scope.",
    CrossSite = FORBIDDEN "cross-site" "Cross-site request"
        "A server without API keys rejects requests from other web sites. Create an API key, and allow the site with --cors-origin.",
    NotYourself = FORBIDDEN "not-yourself" "API key may not act for others"
        "The API key \"ci\" may not decide on behalf of \"grace\". Send the name of the key as user_id, or use a key that may act for others.",
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "Too many requests"
        "Rate limit exceeded for the API key \"ci\". Retry in 120 ms.",
    WorkflowNotFound = NOT_FOUND "workflow-not-found" "Workflow not found"
        "The workflow does not exist. GET /wf/ lists the workflows.",
    RunNotFound = NOT_FOUND "run-not-found" "Run not found"
        "The run does not exist. GET /run/ lists the runs.",
    DatasetNotFound = NOT_FOUND "dataset-not-found" "Dataset not found"
        "The dataset does not exist. GET /ds/ lists the datasets.",
    OutputFileNotFound = NOT_FOUND "output-file-not-found" "Output file not found"
        "The output file does not exist. GET /of/ lists the output files.",
    PathNotFound = NOT_FOUND "path-not-found" "Path not found"
        "The path does not exist. /docs lists the paths of the API.",
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed"
        "This path does not support this method. The Allow header lists the supported methods.",
    NotAcceptable = NOT_ACCEPTABLE "not-acceptable" "Not acceptable"
        "The differences are available as application/json, application/json-patch+json and text/plain. Accept one of them.",
    RequestTimeout = REQUEST_TIMEOUT "request-timeout" "Request timeout"
        "The body is incomplete or arrived too slowly. Send it again.",
    UriTooLong = URI_TOO_LONG "uri-too-long" "URI too long"
        "The path and query are longer than 8192 bytes. Shorten them.",
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" "Headers too large"
        "The headers are longer than 65536 bytes. Send fewer or shorter headers.",
    VersionNotFound = NOT_FOUND "version-not-found" "Version not found"
        "The workflow has no version 7. GET /wf/{workflow_id}/versions/ lists its versions.",
    LabelNotFound = NOT_FOUND "label-not-found" "Label not found"
        "The workflow has no label \"staging\". GET /wf/{workflow_id}/labels/ lists its labels.",
    LabelProtected = CONFLICT "label-protected" "Label protected"
        "The label \"production\" is protected, so saving can't move it. Move it with PUT /wf/{workflow_id}/labels/{label}/.",
    TooManyLabels = CONFLICT "too-many-labels" "Too many labels"
        "A workflow can have at most 100 labels. Delete one first.",
    NoEarlierVersion = CONFLICT "no-earlier-version" "No earlier version"
        "The label \"production\" has no previous version to roll back to.",
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "Precondition failed"
        "The workflow has changed since it was read. Read it again, then retry with its current ETag.",
    RequestInProgress = CONFLICT "request-in-progress" "Request in progress"
        "A request with this Idempotency-Key is in progress. Retry when it has finished.",
    KeyReused = UNPROCESSABLE_ENTITY "key-reused" "Idempotency key reused"
        "This Idempotency-Key was used for a different request. Use a new key for each request.",
    NameTaken = CONFLICT "name-taken" "Name taken"
        "Another workflow has this name. Choose a different name.",
    TooLarge = PAYLOAD_TOO_LARGE "too-large" "Too large"
        "The body is larger than 8388608 bytes. Send a smaller body.",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type"
        "The body must be JSON. Send the header Content-Type: application/json.",
    InvalidBody = UNPROCESSABLE_ENTITY "invalid-body" "Invalid body"
        "name is missing. Add it.",
    InvalidDefinition = UNPROCESSABLE_ENTITY "invalid-definition" "Invalid definition"
        "The link ends at \"gaet\", but no node has this id. Use the id of an existing node, or remove the \
         link.",
    InvalidQuery = UNPROCESSABLE_ENTITY "invalid-query" "Invalid path or query"
        "page must be between 1 and 1000000000, got 0.",
    RunFailed = FAILED_DEPENDENCY "run-failed" "Run failed"
        "The node \"p\" failed: division by zero",
    TooManyStreams = TOO_MANY_REQUESTS "too-many-streams" "Too many event streams"
        "The maximum number of event streams is open. Close one, or try again later.",
    Internal = INTERNAL_SERVER_ERROR "internal" "Internal error"
        "Internal error. Try again. If it persists, report the request id to the operator of the server.",
    StoreUnavailable = SERVICE_UNAVAILABLE "store-unavailable" "Database unavailable"
        "The database is unavailable. Try again in a moment.",
    Draining = SERVICE_UNAVAILABLE "draining" "Server shutting down"
        "The server is shutting down. Try again in a moment.",
}

/// An error response. A middleware serializes it, because only the middleware knows the request id.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    detail: String,
    errors: Vec<ProblemItem>,
    run: Option<(Uuid, Vec<FailedNode>)>,
    current_state: Option<Box<CurrentState>>,
    cause: Option<Cause>,
}

/// Current state of a workflow, for a client whose precondition failed.
#[derive(Clone, Debug)]
pub(crate) struct CurrentState {
    /// Its entity tag, in quotes.
    pub(crate) current_etag: String,
    /// Number of the latest version.
    pub(crate) current_version: i32,
    /// Changes to the definition, except its layout, since the version in `If-Match`. Absent if that version is
    /// unknown.
    pub(crate) diff: Option<Value>,
}

/// Internal cause. It is logged and never sent to a client.
type Cause = Arc<dyn Error + Send + Sync>;

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), run: None, current_state: None, cause: None }
    }

    /// Returns the problems of the path, query or body.
    pub(crate) fn into_errors(self) -> Vec<ProblemItem> {
        self.errors
    }

    /// Returns the problem of an invalid path, query or body.
    pub(crate) fn invalid(kind: ProblemKind, errors: Vec<ProblemItem>) -> Self {
        let detail = match errors.as_slice() {
            [] => "The request is invalid. See /openapi.json for its format.".to_owned(),
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("At {}: {}", one.pointer, one.detail),
            [first, ..] => {
                format!(
                    "{} problems, listed in errors. The first, at {}: {}",
                    errors.len(),
                    first.pointer,
                    first.detail
                )
            }
        };
        Self { errors, ..Self::new(kind, detail) }
    }

    /// Returns the problem of an internal error. Only the log has its cause.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail =
            "Internal error. Try again. If it persists, report the request id to the operator of the server.";
        Self::new(ProblemKind::Internal, detail).caused_by(cause)
    }

    /// Returns the problem of an unavailable database.
    pub(crate) fn database_unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ProblemKind::StoreUnavailable, "The database is unavailable. Try again in a moment.")
            .caused_by(cause)
    }

    /// Returns the problem of a full database or disk.
    pub(crate) fn database_full(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The database is full. Until its operator frees space, data can be read and deleted but not saved.";
        Self::new(ProblemKind::StoreUnavailable, detail).caused_by(cause)
    }

    /// Returns the problem of a file that could not be written or read.
    pub(crate) fn from_io_error(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::database_full(error),
            _ => Self::internal(error),
        }
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    pub(crate) fn with_run(mut self, run_id: Uuid, failed_nodes: Vec<FailedNode>) -> Self {
        self.run = Some((run_id, failed_nodes));
        self
    }

    pub(crate) fn with_current_state(mut self, current_state: CurrentState) -> Self {
        self.current_state = Some(Box::new(current_state));
        self
    }

    /// Returns the chain of causes in one line, or `None` if there is nothing to log.
    pub(crate) fn cause(&self) -> Option<String> {
        let mut next: Option<&dyn Error> = Some(self.cause.as_deref()?);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        Some(chain.join(": "))
    }

    /// Returns the body of the response.
    pub(crate) fn body(&self, instance: String) -> ProblemBody {
        let (run_id, failed_nodes) = self.run.clone().unzip();
        let current_state = self.current_state.as_deref().cloned();
        ProblemBody {
            kind: self.kind.uri().to_owned(),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            instance,
            errors: self.errors.clone(),
            run_id,
            failed_nodes: failed_nodes.unwrap_or_default(),
            current_etag: current_state.as_ref().map(|current_state| current_state.current_etag.clone()),
            current_version: current_state.as_ref().map(|current_state| current_state.current_version),
            diff: current_state.and_then(|current_state| current_state.diff),
        }
    }

    /// Returns the response with its serialized body.
    pub(crate) fn respond(&self, instance: String) -> Response {
        let body = serde_json::to_vec(&self.body(instance)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if is_retryable(self.kind.status()) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if self.kind == ProblemKind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sluice\""));
        }
        let etag = self
            .current_state
            .as_ref()
            .and_then(|current_state| HeaderValue::from_str(&current_state.current_etag).ok());
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// Returns true if the same request can succeed later.
pub(crate) fn is_retryable(status: StatusCode) -> bool {
    [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

/// Returns a reference to the schema `DefinitionDiff`, which the operation `diffVersions` adds to the document.
fn definition_diff() -> RefOr<Schema> {
    let description = "Changes to the definition, except its layout, since the version in `If-Match`. Absent if that \
        version is unknown.";
    let diff = RefBuilder::new().ref_location_from_schema_name("DefinitionDiff");
    diff.description(Some(description)).build().into()
}

/// Problem details (RFC 9457): the reason for the failure and what to change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Kind of the problem, a stable URI reference.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/workflow-not-found")]
    kind: String,
    /// Short summary of the kind.
    title: String,
    /// HTTP status code.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Details of this occurrence and what to change.
    detail: String,
    /// URI reference with the request id: `urn:uuid:` and the id, or `/requests/` and an id that is not a
    /// UUID.
    #[schema(format = "uri-reference")]
    instance: String,
    /// Problems of the path, query or body. Long lists are truncated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<ProblemItem>,
    /// Id of the failed run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    run_id: Option<Uuid>,
    /// The failed nodes of the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    failed_nodes: Vec<FailedNode>,
    /// Current ETag of the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    current_etag: Option<String>,
    /// Number of the latest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    current_version: Option<i32>,
    /// Changes to the definition, except its layout, since the version in `If-Match`. Absent if that version is
    /// unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = definition_diff, required = false)]
    diff: Option<Value>,
}

/// A problem of the path, query or body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemItem)]
pub(crate) struct ProblemItem {
    /// JSON Pointer (RFC 6901) into the body. For a parameter in the path or query: `/` and its name.
    #[schema(example = "/definition/nodes/0/node_type")]
    pub(crate) pointer: String,
    /// Stable code of the problem.
    #[schema(example = "missing")]
    pub(crate) code: String,
    /// Message: the problem and what to change.
    pub(crate) detail: String,
    /// Id of the affected node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub(crate) node_id: Option<String>,
}

impl ProblemItem {
    pub(crate) fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.to_owned(), detail: detail.into(), node_id: None }
    }
}

/// A failed node with its error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FailedNode)]
pub(crate) struct FailedNode {
    /// Id of the node.
    pub(crate) node_id: String,
    /// Error message.
    pub(crate) error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_has_the_members_of_the_rfc() {
        let items =
            vec![ProblemItem::new("/name", "missing", "Add it."), ProblemItem::new("/x", "type", "No.")];
        let problem = Problem::invalid(ProblemKind::InvalidBody, items).caused_by("secret");
        let body = serde_json::to_value(problem.body("urn:uuid:1".to_owned())).unwrap();
        assert_eq!(body["type"], "/problems/invalid-body");
        assert_eq!(body["status"], 422);
        assert_eq!(body["instance"], "urn:uuid:1");
        assert_eq!(body["errors"][0]["pointer"], "/name");
        assert_eq!(body["errors"].as_array().unwrap().len(), 2);
        assert!(body.get("run_id").is_none());
        assert!(!body.to_string().contains("secret"));
        assert_eq!(problem.cause().as_deref(), Some("secret"));
    }

    #[test]
    fn every_kind_has_a_unique_uri() {
        let uris: std::collections::HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(uris.len(), ProblemKind::ALL.len());
    }
}
