use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use uuid::Uuid;

use crate::problem::Problem;
use crate::refusal::Resource;

/// The id of a workflow, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkflowId(pub(crate) Uuid);

/// The id of a run, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunId(pub(crate) Uuid);

/// The id of a dataset, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatasetId(pub(crate) Uuid);

/// The id of an output file, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputFileId(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for DatasetId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id(parts, state, "dataset_id").await.map(Self).ok_or_else(|| Resource::Dataset.missing())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OutputFileId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id(parts, state, "output_file_id").await.map(Self).ok_or_else(|| Resource::OutputFile.missing())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WorkflowId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id(parts, state, "workflow_id").await.map(Self).ok_or_else(|| Resource::Workflow.missing())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RunId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        id(parts, state, "run_id").await.map(Self).ok_or_else(|| Resource::Run.missing())
    }
}

/// Ids are opaque to clients: what is no id of ours stands for nothing, it is not malformed.
async fn id<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<Uuid> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let (_, value) = params.iter().find(|(param, _)| *param == name)?;
    parse_id(value)
}

/// An id exactly as it was handed out: one thing has one id.
pub(crate) fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handed_out_is_an_id() {
        assert!(parse_id("0192aa00-0000-7000-8000-00000000000a").is_some());
        for text in [
            "nope",
            "",
            "0192AA00-0000-7000-8000-00000000000A",
            "0192aa0000007000800000000000000a",
            "{0192aa00-0000-7000-8000-00000000000a}",
            "urn:uuid:0192aa00-0000-7000-8000-00000000000a",
        ] {
            assert!(parse_id(text).is_none(), "{text}");
        }
    }
}
