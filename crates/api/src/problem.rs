//! Problems as RFC 9457 describes them: what every answer that is no success looks like.

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
use uuid::Uuid;

use crate::schema::DefinitionDiff;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $status:ident $slug:literal $title:literal,)*) => {
        /// The kinds of problems. A kind keeps its URI and meaning for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Kind {
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
        }
    };
}

kinds! {
    /// The request makes no sense as it is.
    BadRequest = BAD_REQUEST "bad-request" "Bad request",
    /// The body is no JSON.
    InvalidJson = BAD_REQUEST "invalid-json" "The body is not JSON",
    /// A workflow can't be replaced by nothing.
    DefinitionMissing = BAD_REQUEST "definition-missing" "No definition",
    /// Nobody is waited for.
    NoOpenPause = BAD_REQUEST "no-open-pause" "No open pause",
    /// The run has ended.
    RunEnded = BAD_REQUEST "run-ended" "The run has ended",
    /// A single node could not be run.
    PartialRun = BAD_REQUEST "partial-run" "The node could not be run",
    /// The header `Last-Event-ID` names no event of the stream.
    UnknownEventId = BAD_REQUEST "unknown-event-id" "No such event",
    /// A run can't be made from another one as was asked.
    RerunRefused = BAD_REQUEST "rerun-refused" "The run can't be made from the other one",
    /// Only a run that has failed can be retried.
    RunNotFailed = BAD_REQUEST "run-not-failed" "The run has not failed",
    /// The definition can't be made ready to run.
    Unrunnable = BAD_REQUEST "unrunnable" "The workflow can't be run",
    /// The call needs a key, and has none that is known.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "No valid API key",
    /// The key isn't for this call.
    ScopeMissing = FORBIDDEN "scope-missing" "The API key lacks a scope",
    /// A web page of somewhere else made the call.
    CrossSite = FORBIDDEN "cross-site" "The call comes from another site",
    /// The key may not act for this person.
    NotYourself = FORBIDDEN "not-yourself" "The API key may not act for others",
    /// The key has made more calls than it may.
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "Too many requests",
    /// There is no such workflow.
    WorkflowNotFound = NOT_FOUND "workflow-not-found" "Workflow not found",
    /// There is no such run.
    RunNotFound = NOT_FOUND "run-not-found" "Run not found",
    /// There is no such dataset.
    DatasetNotFound = NOT_FOUND "dataset-not-found" "Dataset not found",
    /// There is no such output file.
    OutputFileNotFound = NOT_FOUND "output-file-not-found" "Output file not found",
    /// There is nothing at this path.
    PathNotFound = NOT_FOUND "path-not-found" "Path not found",
    /// The path doesn't take this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    /// The answer has no such form.
    NotAcceptable = NOT_ACCEPTABLE "not-acceptable" "No such form of the answer",
    /// The body of the request stopped coming.
    RequestTimeout = REQUEST_TIMEOUT "request-timeout" "The body came too late",
    /// The path and query are longer than the server takes.
    UriTooLong = URI_TOO_LONG "uri-too-long" "The path is too long",
    /// The headers are longer than the server takes.
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" "The headers are too long",
    /// The workflow has no such version.
    VersionNotFound = NOT_FOUND "version-not-found" "Version not found",
    /// The workflow has no such label.
    LabelNotFound = NOT_FOUND "label-not-found" "Label not found",
    /// Saving doesn't move the label.
    LabelProtected = CONFLICT "label-protected" "The label is protected",
    /// The workflow has as many labels as are taken.
    TooManyLabels = CONFLICT "too-many-labels" "Too many labels",
    /// The label stood nowhere else.
    NoEarlierVersion = CONFLICT "no-earlier-version" "There is no version before",
    /// The workflow is not what the client takes it for.
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "The workflow has changed",
    /// The same request is being carried out.
    RequestInProgress = CONFLICT "request-in-progress" "The request is being carried out",
    /// The key belongs to another request.
    KeyReused = UNPROCESSABLE_ENTITY "key-reused" "The Idempotency-Key belongs to another request",
    /// The name belongs to another workflow.
    NameTaken = CONFLICT "name-taken" "The name is taken",
    /// The body or a file is larger than the server takes.
    TooLarge = PAYLOAD_TOO_LARGE "too-large" "Too large",
    /// The body is in a format that the path doesn't take.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type",
    /// The body doesn't fit.
    InvalidBody = UNPROCESSABLE_ENTITY "invalid-body" "The body does not fit",
    /// The definition of a workflow has problems.
    InvalidDefinition = UNPROCESSABLE_ENTITY "invalid-definition" "The definition has problems",
    /// The query doesn't fit.
    InvalidQuery = UNPROCESSABLE_ENTITY "invalid-query" "The path or query does not fit",
    /// The run that was waited for failed.
    RunFailed = FAILED_DEPENDENCY "run-failed" "The run failed",
    /// As many event streams are open as the server takes.
    TooManyStreams = TOO_MANY_REQUESTS "too-many-streams" "Too many event streams",
    /// The server failed.
    Internal = INTERNAL_SERVER_ERROR "internal" "The server failed",
    /// The store can't be reached.
    StoreUnavailable = SERVICE_UNAVAILABLE "store-unavailable" "The store can't be reached",
    /// The server takes no new runs.
    Draining = SERVICE_UNAVAILABLE "draining" "The server is stopping",
}

/// An answer that is no success. The edge writes it out, because only the edge knows the request's id.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: String,
    errors: Vec<ProblemItem>,
    run: Option<(Uuid, Vec<FailedNode>)>,
    changed: Option<Box<Changed>>,
    cause: Option<Cause>,
}

/// What a workflow is now that a client takes for something else.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// Its entity tag, in quotes.
    pub(crate) current_etag: String,
    /// The number of its latest version.
    pub(crate) current_version: i32,
    /// What has changed since the version that the client has seen.
    pub(crate) diff: Option<Value>,
}

/// What went wrong inside: for the log, never for a client.
type Cause = Arc<dyn Error + Send + Sync>;

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), run: None, changed: None, cause: None }
    }

    /// The problems of single places.
    pub(crate) fn into_errors(self) -> Vec<ProblemItem> {
        self.errors
    }

    /// A body or query with these problems.
    pub(crate) fn invalid(kind: Kind, errors: Vec<ProblemItem>) -> Self {
        let detail = match errors.as_slice() {
            [] => "Compare the request with the document at /openapi.json.".to_owned(),
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("At {}: {}", one.pointer, one.detail),
            [first, ..] => {
                format!(
                    "There are {} problems, listed in errors. At {}: {}",
                    errors.len(),
                    first.pointer,
                    first.detail
                )
            }
        };
        Self { errors, ..Self::new(kind, detail) }
    }

    /// A failure of the server, whose cause goes to the log alone.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail =
            "The server failed to answer. Try again; if it stays, tell its operator the request's id.";
        Self::new(Kind::Internal, detail).caused_by(cause)
    }

    /// The store does not answer, whatever the reason.
    pub(crate) fn store_away(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::StoreUnavailable, "The store can't be reached. Try again in a moment.")
            .caused_by(cause)
    }

    /// There is no room for what was to be kept.
    pub(crate) fn store_full(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail = "The store is full: nothing can be saved before its operator makes room. What is there can \
            be read, and deleted.";
        Self::new(Kind::StoreUnavailable, detail).caused_by(cause)
    }

    /// A file of the server could not be written or read.
    pub(crate) fn file(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::store_full(error),
            _ => Self::internal(error),
        }
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    pub(crate) fn of_run(mut self, run_id: Uuid, failed_nodes: Vec<FailedNode>) -> Self {
        self.run = Some((run_id, failed_nodes));
        self
    }

    pub(crate) fn with_changed(mut self, changed: Changed) -> Self {
        self.changed = Some(Box::new(changed));
        self
    }

    /// The whole chain of causes in one line; none when there is nothing to log.
    pub(crate) fn cause(&self) -> Option<String> {
        let mut next: Option<&dyn Error> = Some(self.cause.as_deref()?);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        Some(chain.join(": "))
    }

    /// The problem as clients see it.
    pub(crate) fn body(&self, instance: String) -> ProblemBody {
        let (run_id, failed_nodes) = self.run.clone().unzip();
        let changed = self.changed.as_deref().cloned();
        ProblemBody {
            kind: self.kind.uri().to_owned(),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            instance,
            errors: self.errors.clone(),
            run_id,
            failed_nodes: failed_nodes.unwrap_or_default(),
            current_etag: changed.as_ref().map(|changed| changed.current_etag.clone()),
            current_version: changed.as_ref().map(|changed| changed.current_version),
            diff: changed.and_then(|changed| changed.diff),
        }
    }

    /// The answer, written out.
    pub(crate) fn respond(&self, instance: String) -> Response {
        let body = serde_json::to_vec(&self.body(instance)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if is_for_later(self.kind.status()) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sluice\""));
        }
        let etag =
            self.changed.as_ref().and_then(|changed| HeaderValue::from_str(&changed.current_etag).ok());
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// Whether the same request may be carried out later.
pub(crate) fn is_for_later(status: StatusCode) -> bool {
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

/// A problem (RFC 9457): why the request was not carried out, and what to change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The kind of the problem: a stable URI reference.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/workflow-not-found")]
    kind: String,
    /// The kind in a few words.
    title: String,
    /// The status code of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time and what to change.
    detail: String,
    /// The request: the same id as in the header `x-request-id`.
    #[schema(format = "uri-reference")]
    instance: String,
    /// Every problem of a body or a query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<ProblemItem>,
    /// The run that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    run_id: Option<Uuid>,
    /// The nodes that failed in that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    failed_nodes: Vec<FailedNode>,
    /// The entity tag of a workflow that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    current_etag: Option<String>,
    /// The number of its latest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    current_version: Option<i32>,
    /// What has changed since the version that the client has seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DefinitionDiff, required = false, nullable = false)]
    diff: Option<Value>,
}

/// One problem of a body or a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemItem)]
pub(crate) struct ProblemItem {
    /// Where, as an RFC 6901 pointer into the body; of a query, `/` and the parameter's name.
    #[schema(example = "/definition/nodes/0/node_type")]
    pub(crate) pointer: String,
    /// The kind of the problem: a word that keeps its meaning.
    #[schema(example = "missing")]
    pub(crate) code: String,
    /// What is wrong and what to change.
    pub(crate) detail: String,
    /// The node concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub(crate) node_id: Option<String>,
}

impl ProblemItem {
    pub(crate) fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.to_owned(), detail: detail.into(), node_id: None }
    }
}

/// A node that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FailedNode)]
pub(crate) struct FailedNode {
    /// The id of the node.
    pub(crate) node_id: String,
    /// What went wrong.
    pub(crate) error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let items =
            vec![ProblemItem::new("/name", "missing", "Add it."), ProblemItem::new("/x", "type", "No.")];
        let problem = Problem::invalid(Kind::InvalidBody, items).caused_by("secret");
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
    fn every_kind_has_a_uri_of_its_own() {
        let uris: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(uris.len(), Kind::ALL.len());
    }
}
