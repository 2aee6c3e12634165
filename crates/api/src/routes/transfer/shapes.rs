//! The shapes of documents in the OpenAPI document. Documents themselves are written and read by the domain.

use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ArrayBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::MAX_IMPORT;
use crate::routes::workflows::WorkflowCreateRequest;
use crate::schema;

/// A workflow as it leaves a server and comes to another.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct WorkflowDocument {
    /// What the document is: `sluice/workflow`.
    #[schema(pattern = "^sluice/workflow$")]
    format: String,
    /// 1 in this release.
    #[schema(minimum = 1)]
    format_version: u32,
    /// The id that it has where it comes from.
    #[schema(required = false, nullable = true)]
    id: Option<Uuid>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// What it is for. Absent at an update: as it is.
    #[schema(required = false, nullable = true, max_length = 65_536)]
    description: Option<String>,
    /// The words that it is filed under. Absent or null at an update: as they are.
    #[schema(required = false, nullable = true, max_items = 50)]
    tags: Option<Vec<String>>,
    /// What it does.
    definition: schema::WorkflowDefinition,
    /// The SHA-256 (hex) of the RFC 8785 canonical JSON of the definition without what does not execute; not read.
    #[schema(required = false, nullable = true)]
    definition_hash: Option<String>,
    /// `sha256:` and the SHA-256 (hex) of the RFC 8785 canonical JSON of the document without this member. An import
    /// refuses a document that it doesn't fit; it may be absent.
    #[schema(required = false, nullable = true)]
    checksum: Option<String>,
    /// Its versions, the earliest first, numbered without a gap. Taken over where the workflow is new.
    #[schema(required = false, nullable = true, max_items = 1_000)]
    versions: Option<Vec<DocumentVersion>>,
    /// Names that stand for versions of the document. Taken over where the workflow is new.
    #[schema(required = false, nullable = true, max_items = 100)]
    labels: Option<Vec<DocumentLabel>>,
}

/// A version of a workflow in its document.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct DocumentVersion {
    /// Its number.
    #[schema(minimum = 1, maximum = 900_000_000)]
    version: i32,
    /// What the workflow was called.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// What the workflow was for.
    #[schema(required = false, nullable = true, max_length = 65_536)]
    description: Option<String>,
    /// What the workflow did.
    definition: schema::WorkflowDefinition,
    /// As in the document; not read.
    #[schema(required = false, nullable = true)]
    definition_hash: Option<String>,
    /// What the change was for that made it.
    #[schema(required = false, nullable = true, max_length = 1_000)]
    note: Option<String>,
    /// Who made it, in the words of the document: an import can't know. Null when nothing is said.
    #[schema(required = false, nullable = true, max_length = 255)]
    created_by: Option<String>,
    /// When it was saved first.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// A label of a workflow in its document.
#[expect(dead_code, reason = "it describes what the domain writes and reads")]
#[derive(Debug, ToSchema)]
pub(crate) struct DocumentLabel {
    /// The label: a small letter, then small letters, digits, `_` and `-`; not `draft` or `latest`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    label: String,
    /// The number of the version that it stands for.
    #[schema(minimum = 1)]
    version: i32,
    /// Whether saving never moves it.
    #[schema(required = false, default = false)]
    protected: bool,
}

/// What can be imported. It only describes the body, which is looked into as it was sent.
pub(crate) struct ImportRequest;

/// The name of the schema of one workflow to be imported.
const ITEM: &str = "ImportItem";
/// The name of the schema of a list of them.
const LIST: &str = "ImportList";

fn any_of(description: &str) -> AnyOfBuilder {
    AnyOfBuilder::new()
        .description(Some(description))
        .item(Ref::from_schema_name(WorkflowDocument::name()))
        .item(Ref::from_schema_name(WorkflowCreateRequest::name()))
        .item(Ref::from_schema_name(schema::WorkflowDefinition::name()))
}

impl PartialSchema for ImportRequest {
    fn schema() -> RefOr<Schema> {
        let forms = any_of("A workflow to be imported in any of its forms, or a list of them.")
            .item(Ref::from_schema_name(LIST));
        Schema::AnyOf(forms.build()).into()
    }
}

impl ToSchema for ImportRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let item = any_of("A document, a workflow as it would be saved, or a definition alone.");
        schemas.push((ITEM.to_owned(), Schema::AnyOf(item.build()).into()));
        let list = ArrayBuilder::new()
            .description(Some("Workflows to be imported: all of them, or none."))
            .items(Ref::from_schema_name(ITEM))
            .max_items(Some(MAX_IMPORT));
        schemas.push((LIST.to_owned(), Schema::Array(list.build()).into()));
    }
}
