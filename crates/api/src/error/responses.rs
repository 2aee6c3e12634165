//! Declarations of error responses for the OpenAPI document, in sets that handlers name in `responses(…)`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, Responses};

use crate::error::examples;
use crate::error::{MEDIA_TYPE, ProblemKind, is_retryable};

/// Returns the response for a kind of problem. Its key is unique, so that a status can have several responses until
/// [`merge_by_status`] merges them.
fn problem(kind: ProblemKind, description: &str) -> (String, RefOr<Response>) {
    let example = ExampleBuilder::new().summary(kind.title()).value(Some(examples::problem(kind))).build();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter([(kind.slug(), example)])
        .build();
    let mut response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content);
    if is_retryable(kind.status()) {
        let header =
            HeaderBuilder::new().description(Some("Seconds to wait before the next attempt.")).build();
        response = response.header("Retry-After", header);
    }
    (format!("{} {} {description}", kind.status().as_u16(), kind.slug()), response.build().into())
}

/// Merges the responses of each status into one. Its description lists the alternatives.
pub(crate) fn merge_by_status(responses: &mut Responses) {
    let mut merged: BTreeMap<String, RefOr<Response>> = BTreeMap::new();
    let mut alternatives: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, response) in std::mem::take(&mut responses.responses) {
        let status = key.split(' ').next().unwrap_or_default().to_owned();
        if let RefOr::T(response) = &response {
            let descriptions = alternatives.entry(status.clone()).or_default();
            if !descriptions.contains(&response.description) {
                descriptions.push(response.description.clone());
            }
        }
        match merged.entry(status) {
            Entry::Vacant(entry) => drop(entry.insert(response)),
            Entry::Occupied(mut entry) => {
                if let (RefOr::T(target), RefOr::T(source)) = (entry.get_mut(), response) {
                    merge(target, source);
                }
            }
        }
    }
    for (status, descriptions) in alternatives {
        if let (Some(RefOr::T(response)), true) = (merged.get_mut(&status), descriptions.len() > 1) {
            response.description = format!("One of these:\n- {}", descriptions.join("\n- "));
        }
    }
    responses.responses = merged;
}

/// Adds the headers and the examples of `source` to `target`.
fn merge(target: &mut Response, source: Response) {
    target.headers.extend(source.headers);
    for (media_type, content) in source.content {
        match (target.content.get_mut(&media_type), content) {
            (Some(RefOr::T(known)), RefOr::T(content)) => known.examples.extend(content.examples),
            (_, content) => drop(target.content.insert(media_type, content)),
        }
    }
}

macro_rules! problems {
    ($($(#[doc = $doc:literal])* $name:ident { $($kind:ident: $description:literal,)* })*) => {
        $(
            $(#[doc = $doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([$(problem(ProblemKind::$kind, $description)),*])
                }
            }
        )*
    };
}

problems! {
    /// Problems of every operation that uses the database.
    ServerProblems {
        Internal: "Internal error. The server log has the cause, with the request id.",
        StoreUnavailable: "The database is unavailable or full, or the server is shutting down.",
    }
    /// Problems of every operation that requires an API key.
    AccessProblems {
        Unauthenticated: "The API key is missing or invalid.",
        ScopeMissing: "The API key lacks the required scope.",
        TooManyRequests: "The rate limit of the API key is exceeded.",
    }
    /// Problems of every operation with headers, even without a body or query.
    HeaderProblems {
        HeadersTooLarge: "The headers are too long.",
    }
    /// Problems of every operation with a JSON body.
    BodyProblems {
        InvalidJson: "The body is not JSON.",
        RequestTimeout: "The body is incomplete or arrived too slowly.",
        TooLarge: "The body is too large.",
        UnsupportedMediaType: "The content type of the body is not JSON.",
        InvalidBody: "The body is invalid.",
    }
    /// Problems of operations that accept any JSON text.
    JsonTextProblems {
        RequestTimeout: "The body is incomplete or arrived too slowly.",
        TooLarge: "The body is too large.",
        UnsupportedMediaType: "The content type of the body is not JSON.",
    }
    /// Problems of every operation with a query.
    QueryProblems {
        InvalidQuery: "The path or query is invalid.",
        UriTooLong: "The path and query are too long.",
    }
    /// Problem of every operation on a workflow.
    WorkflowMissing {
        WorkflowNotFound: "The workflow does not exist.",
    }
    /// Problems of exports.
    ExportProblems {
        TooLarge: "The response would be too large.",
        BadRequest: "A header is invalid.",
    }
    /// Problem of every operation on a run.
    RunMissing {
        RunNotFound: "The run does not exist.",
    }
    /// Problem of a repeated request that started a run.
    StartedRunMissing {
        RunNotFound: "The run of the earlier request with this `Idempotency-Key` was deleted.",
    }
    /// Problem of every operation on a dataset.
    DatasetMissing {
        DatasetNotFound: "The dataset does not exist.",
    }
    /// Problem of every operation on an output file.
    OutputFileMissing {
        OutputFileNotFound: "The output file does not exist.",
    }
    /// Problems of starting a batch.
    BatchProblems {
        DatasetNotFound: "The dataset does not exist.",
        InvalidJson: "The body is not JSON.",
        BadRequest: "The form is malformed.",
        RequestTimeout: "The body is incomplete or arrived too slowly.",
        TooLarge: "The body has too many rows.",
        UnsupportedMediaType: "The content type of the body is neither JSON nor multipart/form-data.",
        InvalidBody: "The body or a row is invalid.",
    }
    /// Problems of saving a definition.
    DefinitionProblems {
        InvalidDefinition: "The definition is invalid.",
    }
    /// Problems of replacing a workflow.
    ReplaceProblems {
        DefinitionMissing: "The body has no definition.",
        NameTaken: "Another workflow has this name.",
        LabelProtected: "The label is protected.",
        TooManyLabels: "The workflow has the maximum number of labels.",
    }
    /// Problems of changes with `If-Match`.
    PreconditionProblems {
        BadRequest: "A header is invalid.",
        PreconditionFailed: "The workflow has changed: its `ETag` does not match `If-Match`. `diff` has the changes to \
            the definition, if any.",
    }
    /// Problems of reads with `If-None-Match`.
    IfNoneMatchProblems {
        BadRequest: "A header is invalid.",
    }
    /// Problems of saving with a label.
    LabelProtected {
        LabelProtected: "The label is protected.",
        TooManyLabels: "The workflow has the maximum number of labels.",
    }
    /// Problems of patching a workflow.
    PatchProblems {
        NameTaken: "Another workflow has this name.",
    }
    /// Problems of requests with an `Idempotency-Key`.
    IdempotencyProblems {
        BadRequest: "A header is invalid.",
        RequestTimeout: "The body is incomplete or arrived too slowly.",
        TooLarge: "The body is too large.",
        RequestInProgress: "A request with this `Idempotency-Key` is in progress.",
        KeyReused: "The `Idempotency-Key` was used for a different request.",
    }
    /// Problems of comparing versions.
    DiffProblems {
        NotAcceptable: "The `Accept` header names no available format.",
        InvalidQuery: "The path or query is invalid.",
    }
    /// Problems of every operation on a version.
    VersionMissing {
        WorkflowNotFound: "The workflow does not exist.",
        VersionNotFound: "The version does not exist.",
        LabelNotFound: "The label does not exist.",
    }
    /// Problems of operations that take a version number.
    VersionNumberMissing {
        WorkflowNotFound: "The workflow does not exist.",
        VersionNotFound: "The version does not exist.",
    }
    /// Problems of every operation on a label.
    LabelMissing {
        WorkflowNotFound: "The workflow does not exist.",
        LabelNotFound: "The label does not exist.",
    }
    /// Problems of setting a label.
    TooManyLabels {
        TooManyLabels: "The workflow has the maximum number of labels.",
        InvalidQuery: "The label is invalid.",
    }
    /// Problems of rolling back a label.
    NoEarlierVersion {
        NoEarlierVersion: "The label has no previous version.",
    }
    /// Problems of waiting for a run.
    FailedRunProblems {
        RunFailed: "The run failed. `failed_nodes` has the errors.",
    }
    /// Problems of canceling a run.
    CancelProblems {
        RunEnded: "The run has already ended.",
    }
    /// Problems of event streams.
    StreamProblems {
        UnknownEventId: "`Last-Event-ID` is not a number, or is beyond the last event of the run.",
        TooManyStreams: "The maximum number of event streams is open.",
    }
    /// Problems of reruns.
    RerunProblems {
        RerunRefused: "The rerun is not possible.",
    }
    /// Problems of retrying a run.
    RunNotFailed {
        RunNotFailed: "The run has not failed.",
    }
    /// Problems of deciding a pause.
    NoOpenPause {
        NoOpenPause: "The pause is not open.",
        NotYourself: "The API key may not decide on behalf of this person.",
    }
    /// Problems of running one node.
    PartialProblems {
        PartialRun: "The node can't be run.",
    }
    /// Problems of uploads.
    UploadProblems {
        BadRequest: "The form is malformed.",
        RequestTimeout: "The body is incomplete or arrived too slowly.",
        TooLarge: "A file is too large, or there are too many files or rows.",
        UnsupportedMediaType: "The content type of the body is not multipart/form-data.",
        InvalidBody: "The form is invalid.",
    }
}

/// Problems that any request can have before routing. They are declared together as the `default` response.
pub(crate) struct AnyProblem;

impl IntoResponses for AnyProblem {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "Any other problem. Every path can return 400 (malformed request), 403 (cross-site request), 404 (unknown path), 405 (method not allowed), 414 (path too long) and 431 (headers too long).";
        let (_, response) = problem(ProblemKind::MethodNotAllowed, description);
        BTreeMap::from([("default".to_owned(), response)])
    }
}
