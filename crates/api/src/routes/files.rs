//! Files: uploads that inputs of runs refer to.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use http_body_util::Limited;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::Changed;
use crate::extract::{media_type, parse_id};
use crate::files::{self, Limits, Upload};
use crate::once::Once;
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{ServerProblems, UploadProblems, WorkflowMissing};
use crate::values::PathsByNode;
use crate::{AppState, Settings, examples};

/// The longest text field of a form, in bytes.
const MAX_TEXT: usize = 1024;
/// How long the rest of a refused upload is read, for clients that see an answer only after they sent all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Files for a node of a workflow.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of a form that is read field by field")]
pub(crate) struct UploadForm {
    /// The workflow.
    #[schema(format = Uuid)]
    workflow_id: String,
    /// The node whose input they are for.
    #[schema(min_length = 1, max_length = 1024)]
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
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The files and where they belong."),
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
    let (workflow_id, node_id, upload) = received(&state, request).await?.complete()?;
    existing(&state, workflow_id).await?;
    let paths = upload.place(workflow_id).await?;
    // A workflow that was deleted meanwhile took no notice of files that came after it.
    if let Err(problem) = existing(&state, workflow_id).await {
        if problem.kind == Kind::WorkflowNotFound {
            files::remove_folders(&state.settings.data_dir, workflow_id).await;
        }
        return Err(problem);
    }
    let entries = once.entries(paths.iter().map(|path| Changed::made("file", path)).collect());
    // The files are there: that is answered even when the store can't take down who brought them.
    if let Err(error) = state.db.audit_append(entries).await {
        tracing::warn!(%error, "an upload is not in the audit log");
    }
    Ok(Answer(HashMap::from([(node_id, paths)])))
}

async fn existing(state: &AppState, workflow_id: Uuid) -> Result<(), Problem> {
    let version = state.db.latest_version_id(workflow_id).await?;
    version.map(drop).ok_or_else(|| Resource::Workflow.missing())
}

async fn received(state: &AppState, request: Request) -> Result<Form, Problem> {
    if media_type(request.headers()).as_deref() != Some("multipart/form-data") {
        let detail = "Files are sent as a form. Send it with Content-Type: multipart/form-data.";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let (parts, body) = request.into_parts();
    let body = Body::new(Limited::new(body, largest_form(&state.settings)));
    let request = Request::from_parts(parts, body);
    let mut multipart = Multipart::from_request(request, state).await.map_err(no_form)?;
    let form = Form::read(state, &mut multipart).await;
    if form.is_err() {
        let _ = tokio::time::timeout(PATIENCE, drained(&mut multipart)).await;
    }
    form
}

/// What a form of the largest files can take, with some room for what is around them.
fn largest_form(settings: &Settings) -> usize {
    let files = u64::try_from(settings.max_upload_files).unwrap_or(u64::MAX);
    let bytes = files.saturating_mul(settings.max_upload_bytes).saturating_add(1 << 20);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn no_form(rejection: MultipartRejection) -> Problem {
    Problem::new(Kind::BadRequest, "The form has no boundary. Let your client write the Content-Type header.")
        .caused_by(rejection)
}

/// Reads what is left, and drops it.
async fn drained(multipart: &mut Multipart) {
    while let Ok(Some(mut field)) = multipart.next_field().await {
        while let Ok(Some(_)) = field.chunk().await {}
    }
}

fn broken(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Kind::TooLarge, "The form is too large. Send less at once.");
    }
    Problem::new(Kind::BadRequest, "The form breaks off or can't be read. Send it again.").caused_by(error)
}

impl Form {
    async fn read(state: &AppState, multipart: &mut Multipart) -> Result<Self, Problem> {
        let settings = &state.settings;
        let limits = Limits { bytes: settings.max_upload_bytes, files: settings.max_upload_files };
        let mut form =
            Self { workflow_id: None, node_id: None, upload: Upload::new(&settings.data_dir, limits) };
        while let Some(mut field) = multipart.next_field().await.map_err(broken)? {
            match field.name() {
                Some("workflow_id") => form.workflow_id = Some(text(&mut field, "/workflow_id").await?),
                Some("node_id") => form.node_id = Some(text(&mut field, "/node_id").await?),
                Some("files") => form.keep(&mut field).await?,
                _ => drop(text(&mut field, "").await?),
            }
        }
        Ok(form)
    }

    async fn keep(&mut self, field: &mut Field<'_>) -> Result<(), Problem> {
        let mut writing = self.upload.begin(field.file_name().unwrap_or_default()).await?;
        while let Some(piece) = field.chunk().await.map_err(broken)? {
            writing.write(&piece).await?;
        }
        self.upload.end(writing).await
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

/// A short text field.
async fn text(field: &mut Field<'_>, pointer: &str) -> Result<String, Problem> {
    let refused = |code: &str, detail: String| {
        Problem::invalid(Kind::InvalidBody, vec![ProblemItem::new(pointer, code, detail)])
    };
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_TEXT {
            return Err(refused(
                "length",
                format!("A text field is longer than {MAX_TEXT} bytes. Shorten it."),
            ));
        }
    }
    let text = String::from_utf8(bytes);
    text.map_err(|_| refused("type", "A text field is not UTF-8. Send it as UTF-8.".to_owned()))
}
