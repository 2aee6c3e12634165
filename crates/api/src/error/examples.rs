//! Examples of problems for the OpenAPI document.

use serde_json::Value;

use crate::error::convert::Resource;
use crate::error::{FailedNode, Problem, ProblemItem, ProblemKind};

/// The run of the examples.
pub(crate) const RUN_ID: &str = "019aa2b5-0b7c-7f12-8a44-91d0c2e4f602";

fn uuid(text: &str) -> uuid::Uuid {
    uuid::Uuid::try_parse(text).unwrap_or_default()
}

/// A problem of this kind as clients see it.
pub(crate) fn problem(kind: ProblemKind) -> Value {
    let item = ProblemItem::new;
    let problem = match kind {
        ProblemKind::WorkflowNotFound => Resource::Workflow.not_found(),
        ProblemKind::DatasetNotFound => Resource::Dataset.not_found(),
        ProblemKind::OutputFileNotFound => Resource::OutputFile.not_found(),
        ProblemKind::RunNotFound => Resource::Run.not_found(),
        ProblemKind::InvalidBody => {
            Problem::invalid(kind, vec![item("/name", "missing", "name is missing. Add it.")])
        }
        ProblemKind::InvalidDefinition => {
            let detail = "The link ends at \"gaet\", but no node has this id. Did you mean \"gate\"?";
            Problem::invalid(kind, vec![item("/definition/links/0/target_id", "link_target_unknown", detail)])
        }
        ProblemKind::InvalidQuery => {
            let detail = "page must be between 1 and 1000000000, got 0.";
            Problem::invalid(kind, vec![item("/page", "range", detail)])
        }
        ProblemKind::RunFailed => {
            let failed = FailedNode { node_id: "p".to_owned(), error: "division by zero".to_owned() };
            Problem::new(kind, "The node \"p\" failed: division by zero").with_run(uuid(RUN_ID), vec![failed])
        }
        other => Problem::new(other, detail(other)),
    };
    let instance = "urn:uuid:019aa2b5-3d21-7e90-b7c5-0d1e2f3a4b05".to_owned();
    serde_json::to_value(problem.body(instance)).unwrap_or_default()
}

fn detail(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::InvalidJson => "The body is not JSON: expected value (line 1, column 10).",
        ProblemKind::DefinitionMissing => "The definition is missing. Send the complete workflow.",
        ProblemKind::NoOpenPause => {
            "The run has no open pause. GET /wf/pause_history/{run_id}/ lists its pauses."
        }
        ProblemKind::RunEnded => "The run has already ended with the status COMPLETED. Start a new run.",
        ProblemKind::PartialRun => "The node \"gate\" has no output. Give it in partial_outputs.",
        ProblemKind::RequestTimeout => "The body arrived too slowly or not completely. Send it again.",
        ProblemKind::UnknownEventId => {
            "Last-Event-ID must be the id of an event of this stream. Omit it to start at the beginning."
        }
        ProblemKind::TooManyStreams => {
            "The maximum number of event streams is open. Close one, or try again later."
        }
        ProblemKind::RerunRefused => {
            "There is no node \"gaet\" at the top of the workflow. Name one of its nodes."
        }
        ProblemKind::RunNotFailed => {
            "Only FAILED runs can be retried, and this run is COMPLETED. Start a new run with POST /run/{run_id}/rerun/."
        }
        ProblemKind::VersionNotFound => {
            "The workflow has no version 7. GET /wf/{workflow_id}/versions/ lists its versions."
        }
        ProblemKind::LabelNotFound => {
            "The workflow has no label \"staging\". GET /wf/{workflow_id}/labels/ lists its labels."
        }
        ProblemKind::LabelProtected => {
            "The label \"production\" is protected, so saving can't move it. Move it with PUT /wf/{workflow_id}/labels/{label}/."
        }
        ProblemKind::TooManyLabels => "A workflow can have at most 100 labels. Delete one first.",
        ProblemKind::NoEarlierVersion => "The label \"production\" has no previous version to roll back to.",
        ProblemKind::PreconditionFailed => {
            "The workflow has changed since it was read. Read it again, then retry with its current ETag."
        }
        ProblemKind::NotAcceptable => {
            "The differences are available as application/json, application/json-patch+json and text/plain. Accept one of them."
        }
        ProblemKind::RequestInProgress => {
            "A request with this Idempotency-Key is in progress. Retry when it has finished."
        }
        ProblemKind::Unauthenticated => {
            "The API key is missing. Send it in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`."
        }
        ProblemKind::ScopeMissing => {
            "The API key \"ci\" lacks the scope runs:write, which this operation requires. Use a key with that scope."
        }
        ProblemKind::TooManyRequests => "Rate limit exceeded for the API key \"ci\". Retry in 120 ms.",
        ProblemKind::NotYourself => {
            "The API key \"ci\" may not decide in the name of \"grace\". Send the name of the key as user_id, or use a key that may act for others."
        }
        ProblemKind::KeyReused => {
            "This Idempotency-Key was used for a different request. Use a new key for each request."
        }
        ProblemKind::NameTaken => "Another workflow has this name. Choose a different name.",
        ProblemKind::MethodNotAllowed => {
            "This path does not support this method. The Allow header lists the supported methods."
        }
        ProblemKind::HeadersTooLarge => {
            "The headers are longer than 65536 bytes. Send fewer or shorter headers."
        }
        ProblemKind::BadRequest => "The request is malformed. See /openapi.json for its format.",
        ProblemKind::TooLarge => "The body is larger than 8388608 bytes. Send a smaller body.",
        ProblemKind::UnsupportedMediaType => {
            "The body must be JSON. Send the header Content-Type: application/json."
        }
        ProblemKind::StoreUnavailable => "The database is unavailable. Try again in a moment.",
        ProblemKind::Internal => {
            "Internal error. Try again. If it persists, report the request id to the operator of the server."
        }
        _ => "The request can't be carried out as it is.",
    }
}
