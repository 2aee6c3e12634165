use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Method;
use axum::http::request::Parts;
use sluice_domain::naming::is_label;
use sluice_persistence::Pin;
use uuid::Uuid;

use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::{Resource, no_label};

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

/// The name of a label, from the path.
#[derive(Clone, Debug)]
pub(crate) struct LabelName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for LabelName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = param(parts, state, "label").await.unwrap_or_default();
        if is_label(&text) {
            return Ok(Self(text));
        }
        if parts.method != Method::PUT {
            return Err(no_label(&shown(&text)));
        }
        let detail = "A label is a small letter, then small letters, digits, _ and -, 64 at most, and not draft or latest.";
        Err(Problem::invalid(Kind::InvalidQuery, vec![ProblemItem::new("/label", "format", detail)]))
    }
}

/// The version of a workflow that is meant, from the path.
#[derive(Clone, Debug)]
pub(crate) struct VersionPin(pub(crate) Pin);

impl<S: Send + Sync> FromRequestParts<S> for VersionPin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        pin(parts, state, "version").await.map(Self)
    }
}

/// The two versions that are compared, from the path.
#[derive(Clone, Debug)]
pub(crate) struct DiffVersions(pub(crate) Pin, pub(crate) Pin);

impl<S: Send + Sync> FromRequestParts<S> for DiffVersions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(pin(parts, state, "a").await?, pin(parts, state, "b").await?))
    }
}

async fn pin<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<Pin, Problem> {
    let text = param(parts, state, name).await.unwrap_or_default();
    parse_pin(&text).ok_or_else(|| {
        let text = shown(&text);
        let detail = format!(
            "There is no version {text:?}. Give a number, `draft` for the current state, or a label."
        );
        Problem::new(Kind::VersionNotFound, detail)
    })
}

/// As much of a text as a sentence has room for.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A number, `draft` or `latest`, or a label.
pub(crate) fn parse_pin(text: &str) -> Option<Pin> {
    match text {
        "draft" | "latest" => Some(Pin::Latest),
        label if is_label(label) => Some(Pin::Label(label.to_owned())),
        number if number.starts_with(|c: char| ('1'..='9').contains(&c)) => {
            number.parse().ok().map(Pin::Number)
        }
        _ => None,
    }
}

async fn param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(param, _)| *param == name).map(|(_, value)| value.to_owned())
}

/// Ids are opaque to clients: what is no id of ours stands for nothing, it is not malformed.
async fn id<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<Uuid> {
    parse_id(&param(parts, state, name).await?)
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
