//! Uploads of files that the inputs of runs refer to.

use std::collections::HashMap;

use axum::Json as JsonResponse;
use axum::extract::multipart::Field;
use axum::extract::{Request, State};
use sluice_domain::graph;
use sluice_engine::{AuditEntry, Subject};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::blocking::spawn_detached;
use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{ServerProblems, UploadProblems, WorkflowMissing};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::multipart;
use crate::extract::multipart::{FromForm, next_chunk, text_field};
use crate::extract::path::parse_id;
use crate::openapi::examples;
use crate::openapi::value_types::PathsByNode;
use crate::settings::Settings;
use crate::state::AppState;
use crate::uploads::cleanup;
use crate::uploads::upload::{Upload, UploadLimits};

/// Maximum length of a text field, in characters. The longest field is the id of a node.
const MAX_TEXT: usize = graph::MAX_NODE_NAME_LENGTH;

/// Files for the input of a node.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "declares a form that is read field by field")]
pub(crate) struct UploadForm {
    /// Id of the workflow.
    #[schema(format = Uuid)]
    workflow_id: String,
    /// Id of the node that uses the files.
    #[schema(min_length = 1, max_length = 1000)]
    node_id: String,
    /// The files.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1)]
    files: Vec<Vec<u8>>,
}

/// The fields of a form that have been read.
#[derive(Debug)]
struct UploadFields {
    workflow_id: Option<String>,
    node_id: Option<String>,
    upload: Upload,
}

/// Upload files.
///
/// Stores files for the inputs of runs. The form fields may have any order. Put the returned paths into `files` of a
/// start request. If the server rejects a file, it stores none of them.
#[utoipa::path(
    post, path = "/wf/upload_test_files/", tag = "files", operation_id = "uploadTestFiles",
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The files, with their workflow and node.",
        example = json!(examples::upload_form())),
    responses(
        (status = 200, description = "The paths of the files, in form order, by node id.",
            body = PathsByNode, example = json!(examples::upload_paths())),
        WorkflowMissing, UploadProblems, ServerProblems,
    )
)]
pub(crate) async fn test_file_upload(
    State(state): State<AppState>,
    change: ChangeContext,
    request: Request,
) -> Result<JsonResponse<HashMap<String, Vec<String>>>, Problem> {
    let settings = &state.settings;
    let max = settings.max_upload_bytes.saturating_mul(settings.max_upload_files as u64);
    let form = multipart::read_form(request, &state, max, UploadFields::new(settings)).await?;
    let (workflow_id, node_id, upload) = form.complete()?;
    require_workflow(&state, workflow_id).await?;
    let paths =
        spawn_detached(async move { place_files(&state, workflow_id, upload, &change).await }).await?;
    Ok(JsonResponse(HashMap::from([(node_id, paths)])))
}

/// Moves the files to the folder of the workflow and appends an audit entry for each. If one of
/// the two steps fails, undoes both.
async fn place_files(
    state: &AppState,
    workflow_id: Uuid,
    upload: Upload,
    change: &ChangeContext,
) -> Result<Vec<String>, Problem> {
    let data_dir = &state.settings.data_dir;
    let paths = upload.commit(workflow_id).await?;
    // If the workflow was deleted meanwhile, the deletion did not remove the files that were just moved.
    if let Err(problem) = require_workflow(state, workflow_id).await {
        match problem.kind {
            ProblemKind::WorkflowNotFound => cleanup::remove_folders(data_dir, workflow_id).await,
            _ => cleanup::remove_files(data_dir, &paths).await,
        }
        return Err(problem);
    }
    let entries = paths.iter().map(|path| AuditEntry::new(Subject::File, path)).collect();
    if let Err(error) = state.db.audit_append(change.origin(), entries).await {
        cleanup::remove_files(data_dir, &paths).await;
        return Err(Resource::Workflow.write_problem(error));
    }
    Ok(paths)
}

async fn require_workflow(state: &AppState, workflow_id: Uuid) -> Result<(), Problem> {
    let version = state.db.latest_version_id(workflow_id).await?;
    version.map(drop).ok_or_else(|| Resource::Workflow.not_found())
}

impl UploadFields {
    fn new(settings: &Settings) -> Self {
        let limits = UploadLimits { bytes: settings.max_upload_bytes, files: settings.max_upload_files };
        Self { workflow_id: None, node_id: None, upload: Upload::new(&settings.data_dir, limits) }
    }

    /// Returns the fields of a complete form, or the problems of all missing fields.
    fn complete(self) -> Result<(Uuid, String, Upload), Problem> {
        let Self { workflow_id, node_id, upload } = self;
        let not_blank = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (workflow_id, node_id) = (not_blank(workflow_id), not_blank(node_id));
        let missing = [
            ("workflow_id", workflow_id.is_none(), "Add the id of the workflow."),
            ("node_id", node_id.is_none(), "Add the id of the node that uses the files."),
            ("files", upload.is_empty(), "Add at least one file."),
        ];
        let missing = missing.into_iter().filter(|(_, missing, _)| *missing).map(|(name, _, help)| {
            ProblemItem::new(format!("/{name}"), "missing", format!("{name} is missing. {help}"))
        });
        let (Some(workflow_id), Some(node_id), false) = (workflow_id, node_id, upload.is_empty()) else {
            return Err(Problem::invalid(ProblemKind::InvalidBody, missing.collect()));
        };
        let workflow_id = parse_id(&workflow_id).ok_or_else(|| Resource::Workflow.not_found())?;
        Ok((workflow_id, node_id, upload))
    }
}

impl FromForm for UploadFields {
    async fn add_field(&mut self, field: &mut Field<'_>) -> Result<(), Problem> {
        match field.name() {
            Some("workflow_id") => self.workflow_id = Some(text_field(field, MAX_TEXT).await?),
            Some("node_id") => self.node_id = Some(text_field(field, MAX_TEXT).await?),
            Some("files") => {
                let mut writer = self.upload.start_file(field.file_name().unwrap_or_default()).await?;
                while let Some(chunk) = next_chunk(field).await? {
                    writer.write(&chunk).await?;
                }
                self.upload.finish_file(writer).await?;
            }
            _ => drop(text_field(field, MAX_TEXT).await?),
        }
        Ok(())
    }
}
