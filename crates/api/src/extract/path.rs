//! Path parameters: ids, labels and versions.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Method;
use axum::http::request::Parts;
use sluice_domain::naming::{LABEL_RULE, is_valid_label};
use sluice_persistence::Pin;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

use crate::error::convert::{Resource, label_not_found};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::openapi::examples;
use crate::openapi::params::{path_parameter, text_schema};
use crate::patterns::{LABEL, PIN};

/// Returns the schema of an id.
fn id_schema() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build()
}

/// Maximum version number.
const MAX_VERSION: i32 = 999_999_999;

macro_rules! ids {
    ($($name:ident is $param:literal of $resource:ident: $description:literal, $example:expr;)*) => {
        $(
            #[doc = $description]
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $name(pub(crate) Uuid);

            impl<S: Send + Sync> FromRequestParts<S> for $name {
                type Rejection = Problem;

                async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                    parse_param_id(parts, state, $param).await.map(Self).ok_or_else(|| Resource::$resource.not_found())
                }
            }

            impl IntoParams for $name {
                fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                    vec![path_parameter($param, $description, id_schema(), $example)]
                }
            }
        )*
    };
}

ids! {
    WorkflowId is "workflow_id" of Workflow: "Id of the workflow.", examples::WORKFLOW_ID;
    RunId is "run_id" of Run: "Id of the run.", examples::RUN_ID;
    DatasetId is "dataset_id" of Dataset: "Id of the dataset.", examples::DATASET_ID;
    OutputFileId is "output_file_id" of OutputFile: "Id of the file.", examples::RUN_ID;
}

/// The name of a label, from the path.
#[derive(Clone, Debug)]
pub(crate) struct LabelName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for LabelName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = param(parts, state, "label").await.unwrap_or_default();
        if is_valid_label(&text) {
            return Ok(Self(text));
        }
        if parts.method != Method::PUT {
            return Err(label_not_found(&truncate(&text)));
        }
        let error = ProblemItem::new("/label", "format", LABEL_RULE.as_str());
        Err(Problem::invalid(ProblemKind::InvalidQuery, vec![error]))
    }
}

impl IntoParams for LabelName {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path_parameter("label", &LABEL_RULE, text_schema(LABEL), "production")]
    }
}

/// A version of a workflow, from the path.
#[derive(Clone, Debug)]
pub(crate) struct VersionPin(pub(crate) Pin);

impl<S: Send + Sync> FromRequestParts<S> for VersionPin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        pin(parts, state, "version").await.map(Self)
    }
}

impl IntoParams for VersionPin {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Version: a number, a label, or `latest`. `draft` is an alias of `latest`: there are no \
            unpublished drafts.";
        vec![path_parameter("version", description, text_schema(PIN), "1")]
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

impl IntoParams for DiffVersions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let first = "First version: a number, a label, or `latest`. `draft` is an alias of `latest`: there are no \
            unpublished drafts.";
        vec![
            path_parameter("a", first, text_schema(PIN), "1"),
            path_parameter("b", "Second version, in the same form.", text_schema(PIN), "draft"),
        ]
    }
}

async fn pin<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<Pin, Problem> {
    let text = param(parts, state, name).await.unwrap_or_default();
    parse_pin(&text).ok_or_else(|| {
        let text = truncate(&text);
        let detail = format!("Invalid version {text:?}. Use a number, a label, `latest` or `draft`.");
        Problem::new(ProblemKind::VersionNotFound, detail)
    })
}

/// Shortens a text for an error message.
fn truncate(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Parses a number, `draft`, `latest` or a label.
pub(crate) fn parse_pin(text: &str) -> Option<Pin> {
    match text {
        "draft" | "latest" => Some(Pin::Latest),
        label if is_valid_label(label) => Some(Pin::Label(label.to_owned())),
        number if number.starts_with(|c: char| ('1'..='9').contains(&c)) => {
            number.parse().ok().filter(|number| *number <= MAX_VERSION).map(Pin::Number)
        }
        _ => None,
    }
}

async fn param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(param, _)| *param == name).map(|(_, value)| value.to_owned())
}

/// Parses an id. Ids are opaque to clients, so an unparsable id is not found instead of malformed.
async fn parse_param_id<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<Uuid> {
    parse_id(&param(parts, state, name).await?)
}

/// Parses an id. Other spellings of a UUID are rejected, so that each resource has one id.
pub(crate) fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_other_spellings_of_ids() {
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
