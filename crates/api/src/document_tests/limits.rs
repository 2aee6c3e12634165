//! Checks that the limits in the document are enforced. The attributes of utoipa do not accept constants.

use serde_json::{Value, json};
use sluice_domain::graph::{MAX_LINKS, MAX_NODE_NAME_LENGTH, MAX_NODES};
use sluice_domain::naming::{
    LABEL_LIMIT, MAX_DESCRIPTION_LENGTH, MAX_LABEL_LENGTH, MAX_LABELS, MAX_NAME_LENGTH, MAX_NOTE_LENGTH,
    MAX_TAGS,
};
use sluice_domain::transfer::{MAX_VERSION_NUMBER, MAX_VERSIONS};
use sluice_persistence::MAX_KEY_NAME_LENGTH;

use crate::error::ProblemKind;
use crate::extract::query::{MAX_PAGE, MAX_TEXT};
use crate::middleware::size_limit;
use crate::openapi::OpenApiVersion;
use crate::patterns::{LABEL, PIN};
use crate::router;
use crate::routes::audit_log::MAX_SUBJECT_ID_LENGTH;
use crate::routes::datasets::MAX_QUERIED_DESCRIPTION_LENGTH;
use crate::routes::pauses::decide::MAX_USER_ID_LENGTH;
use crate::routes::runs::batch::{DEFAULT_MINI_BATCH_SIZE, MAX_MINI_BATCH_SIZE};
use crate::routes::runs::start_request::MAX_WAIT_SECONDS;
use crate::routes::workflows::import_body::MAX_IMPORTED_WORKFLOWS;
use crate::settings::Settings;

fn document() -> Value {
    router::document(OpenApiVersion::V3_1)
}

/// Asserts that `field` of a schema has the limit `keyword`.
fn assert_field(document: &Value, field: &str, keyword: &str, limit: impl Into<Value>) {
    let (schema, property) = field.split_once('.').unwrap();
    let shape = &document["components"]["schemas"][schema]["properties"][property];
    assert_eq!(shape[keyword], limit.into(), "{field}: {shape}");
}

#[test]
fn fields_have_the_enforced_limits() {
    let document = document();
    for (field, limit) in [
        ("WorkflowCreateRequest.name", MAX_NAME_LENGTH),
        ("WorkflowReplaceRequest.name", MAX_NAME_LENGTH),
        ("WorkflowPatch.name", MAX_NAME_LENGTH),
        ("DatasetForm.name", MAX_NAME_LENGTH),
        ("WorkflowCreateRequest.description", MAX_DESCRIPTION_LENGTH),
        ("WorkflowReplaceRequest.description", MAX_DESCRIPTION_LENGTH),
        ("WorkflowPatch.description", MAX_DESCRIPTION_LENGTH),
        ("DatasetForm.description", MAX_DESCRIPTION_LENGTH),
        ("OtherNode.id", MAX_NODE_NAME_LENGTH),
        ("OtherNode.title", MAX_NODE_NAME_LENGTH),
        ("UploadForm.node_id", MAX_NODE_NAME_LENGTH),
        ("Label.label", MAX_LABEL_LENGTH),
        ("WorkflowDocument.name", MAX_NAME_LENGTH),
        ("WorkflowDocument.description", MAX_DESCRIPTION_LENGTH),
        ("DocumentVersion.name", MAX_NAME_LENGTH),
        ("DocumentVersion.description", MAX_DESCRIPTION_LENGTH),
        ("DocumentVersion.note", MAX_NOTE_LENGTH),
        ("DocumentVersion.created_by", MAX_NAME_LENGTH),
        ("DocumentLabel.label", MAX_LABEL_LENGTH),
    ] {
        assert_field(&document, field, "maxLength", limit);
    }
    for (field, limit) in [
        ("WorkflowDefinition.nodes", MAX_NODES),
        ("WorkflowDefinition.links", MAX_LINKS),
        ("WorkflowCreateRequest.tags", MAX_TAGS),
        ("WorkflowReplaceRequest.tags", MAX_TAGS),
        ("WorkflowPatch.tags", MAX_TAGS),
        ("WorkflowDocument.tags", MAX_TAGS),
        ("WorkflowDocument.versions", MAX_VERSIONS),
        ("WorkflowDocument.labels", MAX_LABELS),
        ("ImportResponse.results", MAX_IMPORTED_WORKFLOWS),
    ] {
        assert_field(&document, field, "maxItems", limit);
    }
    assert_field(&document, "DocumentVersion.version", "maximum", MAX_VERSION_NUMBER);
    assert_field(&document, "ResumeRunRequest.user_id", "maxLength", MAX_USER_ID_LENGTH);
    for form in ["BatchRunRequest", "BatchRunForm"] {
        let field = format!("{form}.mini_batch_size");
        assert_field(&document, &field, "maximum", MAX_MINI_BATCH_SIZE);
        assert_field(&document, &field, "default", DEFAULT_MINI_BATCH_SIZE);
    }
}

#[test]
fn parameters_have_the_enforced_limits() {
    let document = document();
    let settings = Settings::new("data");
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut count = 0;
    for operation in operations {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let (keyword, limit) = match name {
                "page" => ("maximum", json!(MAX_PAGE)),
                "page_size" => ("maximum", json!(settings.max_page_size)),
                "wait_seconds" => ("maximum", json!(MAX_WAIT_SECONDS)),
                "run_type" | "tag" | "operation" => ("maxLength", json!(MAX_TEXT)),
                "actor" => ("maxLength", json!(MAX_KEY_NAME_LENGTH)),
                "subject_id" => ("maxLength", json!(MAX_SUBJECT_ID_LENGTH)),
                "description" => ("maxLength", json!(MAX_QUERIED_DESCRIPTION_LENGTH)),
                _ => continue,
            };
            let actual = &parameter["schema"][keyword];
            assert!(actual == &limit || actual.as_f64() == limit.as_f64(), "{name}: {parameter}");
            count += 1;
        }
    }
    assert!(count > 20, "only {count} parameters were checked");
}

#[test]
fn patterns_have_the_length_of_a_label() {
    let pattern = format!("[a-z][a-z0-9_-]{{0,{}}}", MAX_LABEL_LENGTH - 1);
    assert_eq!(LABEL, format!("^{pattern}$"));
    assert!(PIN.contains(&pattern), "{PIN}");
}

#[test]
fn examples_of_problems_are_real_details() {
    assert_eq!(ProblemKind::TooManyLabels.example(), *LABEL_LIMIT);
    assert_eq!(ProblemKind::UriTooLong.example(), size_limit::uri_too_long());
    assert_eq!(ProblemKind::HeadersTooLarge.example(), size_limit::headers_too_large());
}
