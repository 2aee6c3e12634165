//! Files: uploads that inputs of runs refer to.

use std::collections::HashMap;

use axum::Json as Answer;
use axum::extract::multipart::Field;
use axum::extract::{Request, State};
use sluice_domain::validation;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::aside::to_its_end;
use crate::audit::Changed;
use crate::extract::parse_id;
use crate::files::{self, Limits, Upload};
use crate::form::{self, FromForm, piece, text};
use crate::once::Once;
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{ServerProblems, UploadProblems, WorkflowMissing};
use crate::values::PathsByNode;
use crate::{AppState, Settings, examples};

/// The longest text field, in characters: as the id of a node.
const MAX_TEXT: usize = validation::MAX_NODE_NAME_LENGTH;

/// Files for a node of a workflow.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of a form that is read field by field")]
pub(crate) struct UploadForm {
    /// The workflow.
    #[schema(format = Uuid)]
    workflow_id: String,
    /// The node whose input they are for.
    #[schema(min_length = 1, max_length = 1000)]
    node_id: String,
    /// The files.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1)]
    files: Vec<Vec<u8>>,
}

/// A form as far as it was read.
#[derive(Debug)]
struct Form {
    workflow_id: Option<String>,
    node_id: Option<String>,
    upload: Upload,
}

/// Upload files.
///
/// The fields may come in any order. The paths in the answer go into `files` of a start request. Nothing
/// is kept unless everything is.
#[utoipa::path(
    post, path = "/wf/upload_test_files/", tag = "files", operation_id = "uploadTestFiles",
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The files and where they belong.",
        example = json!(examples::upload_form())),
    responses(
        (status = 200, description = "The path of every file, in the order of the form, by node id.",
            body = PathsByNode, example = json!(examples::uploaded())),
        WorkflowMissing, UploadProblems, ServerProblems,
    )
)]
pub(crate) async fn test_file_upload(
    State(state): State<AppState>,
    once: Once,
    request: Request,
) -> Result<Answer<HashMap<String, Vec<String>>>, Problem> {
    let settings = &state.settings;
    let max = settings.max_upload_bytes.saturating_mul(settings.max_upload_files as u64);
    let form = form::read(request, &state, max, Form::new(settings)).await?;
    let (workflow_id, node_id, upload) = form.complete()?;
    existing(&state, workflow_id).await?;
    let paths = to_its_end(async move { kept(&state, workflow_id, upload, &once).await }).await?;
    Ok(Answer(HashMap::from([(node_id, paths)])))
}

/// Gives the files their place, and writes down who brought them: both, or neither.
async fn kept(
    state: &AppState,
    workflow_id: Uuid,
    upload: Upload,
    once: &Once,
) -> Result<Vec<String>, Problem> {
    let data_dir = &state.settings.data_dir;
    let paths = upload.place(workflow_id).await?;
    // A workflow that was deleted meanwhile took no notice of files that came after it.
    if let Err(problem) = existing(state, workflow_id).await {
        match problem.kind {
            Kind::WorkflowNotFound => files::remove_folders(data_dir, workflow_id).await,
            _ => files::remove(data_dir, &paths).await,
        }
        return Err(problem);
    }
    let entries = once.entries(paths.iter().map(|path| Changed::made("file", path)).collect());
    if let Err(error) = state.db.audit_append(entries).await {
        files::remove(data_dir, &paths).await;
        return Err(Resource::Workflow.write(error));
    }
    Ok(paths)
}

async fn existing(state: &AppState, workflow_id: Uuid) -> Result<(), Problem> {
    let version = state.db.latest_version_id(workflow_id).await?;
    version.map(drop).ok_or_else(|| Resource::Workflow.missing())
}

impl Form {
    fn new(settings: &Settings) -> Self {
        let limits = Limits { bytes: settings.max_upload_bytes, files: settings.max_upload_files };
        Self { workflow_id: None, node_id: None, upload: Upload::new(&settings.data_dir, limits) }
    }

    /// The whole form, or everything that it lacks.
    fn complete(self) -> Result<(Uuid, String, Upload), Problem> {
        let Self { workflow_id, node_id, upload } = self;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (workflow_id, node_id) = (given(workflow_id), given(node_id));
        let lacks = [
            ("workflow_id", workflow_id.is_none(), "Add the id of the workflow."),
            ("node_id", node_id.is_none(), "Add the id of the node that the files are for."),
            ("files", upload.is_empty(), "Add at least one file."),
        ];
        let lacks = lacks.into_iter().filter(|(_, lacks, _)| *lacks).map(|(name, _, what)| {
            ProblemItem::new(format!("/{name}"), "missing", format!("{name} is missing. {what}"))
        });
        let (Some(workflow_id), Some(node_id), false) = (workflow_id, node_id, upload.is_empty()) else {
            return Err(Problem::invalid(Kind::InvalidBody, lacks.collect()));
        };
        let workflow_id = parse_id(&workflow_id).ok_or_else(|| Resource::Workflow.missing())?;
        Ok((workflow_id, node_id, upload))
    }
}

impl FromForm for Form {
    async fn take(&mut self, field: &mut Field<'_>) -> Result<(), Problem> {
        match field.name() {
            Some("workflow_id") => self.workflow_id = Some(text(field, MAX_TEXT).await?),
            Some("node_id") => self.node_id = Some(text(field, MAX_TEXT).await?),
            Some("files") => {
                let mut writing = self.upload.begin(field.file_name().unwrap_or_default()).await?;
                while let Some(piece) = piece(field).await? {
                    writing.write(&piece).await?;
                }
                self.upload.end(writing).await?;
            }
            _ => drop(text(field, MAX_TEXT).await?),
        }
        Ok(())
    }
}
