//! Workflows: create, read, replace, copy and delete them.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_domain::graph::{self, Definition, SpurType};
use sluice_domain::naming::MAX_DESCRIPTION_LENGTH;
use sluice_domain::{naming, validation, versioning};
use sluice_engine::{EngineError, KeptAnswer, RunStore, StoreError};
use sluice_nodes::NodeKinds;
use sluice_persistence::{Accepted, Details, NewWorkflow, Saving, WorkflowRow, WriteError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{PinQuery, stored_json};
use crate::access::Caller;
use crate::aside::aside;
use crate::audit;
use crate::conditional::{ChangeNote, Edit, Known, Tagged};
use crate::extract::{FromQuery, Json, LARGE, Query, Reader, WorkflowId, no_control_characters};
use crate::once::Once;
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{
    BodyProblems, Conditional, DefinitionProblems, KnownRefused, LabelProtected, PatchProblems,
    ReplaceProblems, ServerProblems, VersionMissing, WorkflowMissing,
};
use crate::time::Timestamp;
use crate::{AppState, examples, files, schema};

/// A workflow to be saved.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowCreateRequest {
    /// What people call it. Empty: `Untitled Workflow`.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = 255), custom(function = no_control_characters))]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = "", max_length = 65_536)]
    #[validate(length(max = 65_536))]
    description: Option<String>,
    /// What it does. None, or one without nodes: the default definition of its `spur_type`.
    #[serde(default)]
    #[schema(value_type = Option<schema::WorkflowDefinition>, required = false, nullable = true)]
    definition: Option<Definition>,
    /// Words to file it under.
    #[serde(default)]
    #[schema(required = false, nullable = true, max_items = 50)]
    #[validate(custom(function = tags_fit))]
    tags: Option<Vec<String>>,
}

/// A workflow to be saved in place of another.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowReplaceRequest {
    /// What people call it. Empty: `Untitled Workflow`.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = 255), custom(function = no_control_characters))]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = "", max_length = 65_536)]
    #[validate(length(max = 65_536))]
    description: Option<String>,
    /// What it does. One without nodes: the default definition of its `spur_type`.
    // Read where it is missing too: that is a problem of its own, after that of a workflow that isn't there.
    #[serde(default)]
    #[schema(value_type = schema::WorkflowDefinition, required = true)]
    definition: Option<Definition>,
    /// Words to file it under. Absent or null: those that it has.
    #[serde(default)]
    #[schema(required = false, nullable = true, max_items = 50)]
    #[validate(custom(function = tags_fit))]
    tags: Option<Vec<String>>,
}

impl From<WorkflowReplaceRequest> for WorkflowCreateRequest {
    fn from(replaced: WorkflowReplaceRequest) -> Self {
        let WorkflowReplaceRequest { name, description, definition, tags } = replaced;
        Self { name, description, definition, tags }
    }
}

/// What is said about a workflow beside what it does (RFC 7396): what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowPatch {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        required = false,
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[validate(length(min = 1, max = 255), custom(function = no_control_characters))]
    name: Option<String>,
    /// What it is for; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, nullable = true, max_length = 65_536)]
    description: Option<Option<String>>,
    /// Words to file it under; null takes all away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, required = false, nullable = true, max_items = 50)]
    tags: Option<Option<Vec<String>>>,
    /// Refused, where other fields that can't be set are ignored: whoever sends it means to change it.
    #[serde(default, deserialize_with = "present")]
    #[schema(ignore)]
    definition: Option<IgnoredAny>,
}

/// A field that is there, be it null.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// At most 50 words, each once, of 1 to 64 characters.
fn tags_fit(tags: &[String]) -> Result<(), validator::ValidationError> {
    match naming::are_valid_tags(tags) {
        true => Ok(()),
        false => Err(validator::ValidationError::new("tags").with_message(naming::TAGS_RULE.as_str().into())),
    }
}

/// What saving does beside.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SaveQuery {
    /// The label that is to stand for what is saved, unless it is protected.
    #[param(required = false, min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    pub(crate) label: Option<String>,
}

impl FromQuery for SaveQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { label: reader.label("label") }
    }
}

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// Its id.
    id: Uuid,
    /// What people call it; no other workflow has this name.
    name: String,
    /// What it is for.
    #[schema(required = true)]
    description: Option<String>,
    /// What it does.
    #[schema(value_type = schema::WorkflowDefinition)]
    definition: Box<RawValue>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was saved last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The words that it is filed under.
    tags: Vec<String>,
    /// The number of its latest version.
    #[schema(minimum = 1)]
    version: i32,
}

/// A variable that a workflow gives at one of its ends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputVariable {
    /// The leaf node that gives it.
    node_id: String,
    /// Its name in that node's output.
    variable_name: String,
    /// `{node_id}-{variable_name}`.
    prefixed_variable: String,
}

impl TryFrom<WorkflowRow> for Workflow {
    type Error = Problem;

    fn try_from(row: WorkflowRow) -> Result<Self, Problem> {
        let WorkflowRow { id, name, description, definition, created_at, updated_at, tags, version } = row;
        // A list that can't be read hides no workflow.
        let tags = serde_json::from_str(&tags).unwrap_or_default();
        let definition = stored_json(definition, "workflows", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self { id, name, description, definition, created_at, updated_at, tags, version })
    }
}

impl Workflow {
    /// The answer about a workflow, to be kept for a request that is sent again.
    pub(crate) fn kept(row: &WorkflowRow) -> Option<KeptAnswer> {
        Self::tagged(row.clone()).ok()?.kept()
    }

    /// The workflow with its entity tag.
    pub(crate) fn tagged(row: WorkflowRow) -> Result<Tagged<Self>, Problem> {
        let etag = row.etag();
        Ok(Tagged::new(etag, row.try_into()?))
    }
}

impl WorkflowCreateRequest {
    /// The workflow to be saved, every problem of its definition found first.
    async fn accept(self, kinds: NodeKinds) -> Result<NewWorkflow, Problem> {
        let Self { name, description, definition, tags } = self;
        let name = if name.trim().is_empty() { naming::UNTITLED.to_owned() } else { name };
        let definition = checked(definition.unwrap_or_default(), kinds).await?;
        Ok(NewWorkflow {
            name,
            description: Some(description.unwrap_or_default()),
            definition,
            tags,
            by: None,
        })
    }
}

/// The definition in its stored form.
async fn checked(mut definition: Definition, kinds: NodeKinds) -> Result<Accepted, Problem> {
    definition.normalize();
    let definition = definition.or_default();
    let json = definition.to_json();
    if json.len() < LARGE {
        return check(&definition, json, &kinds);
    }
    aside(move || check(&definition, json, &kinds)).await
}

fn check(definition: &Definition, json: String, kinds: &NodeKinds) -> Result<Accepted, Problem> {
    let found = validation::validate(definition, kinds);
    if !found.is_empty() {
        return Err(Problem::invalid(Kind::InvalidDefinition, found.into_iter().map(item).collect()));
    }
    Ok(Accepted { json, hash: versioning::definition_hash(definition) })
}

fn item(diagnostic: validation::Diagnostic) -> ProblemItem {
    let validation::Diagnostic { code, pointer, node_id, message, .. } = diagnostic;
    ProblemItem {
        pointer: format!("/definition{pointer}"),
        code: code.as_str().to_owned(),
        detail: message,
        node_id,
    }
}

/// Create a workflow.
///
/// A taken name gets a suffix that makes it unique. Without a definition, or with one without nodes, the
/// workflow starts from the default definition of its `spur_type`. Nothing is saved unless the whole
/// definition is valid; what is merely unfinished is.
#[utoipa::path(
    post, path = "/wf/", tag = "workflows", operation_id = "createWorkflow",
    request_body(content = WorkflowCreateRequest, description = "The workflow.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The workflow as it was saved.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_create(
    State(state): State<AppState>,
    caller: Caller,
    once: Once,
    Json(request): Json<WorkflowCreateRequest>,
) -> Result<Tagged<Workflow>, Problem> {
    let new = request.accept(state.settings.kinds()).await?;
    let new = NewWorkflow { by: caller.into_name(), ..new };
    let keep = once.keep(audit::workflow, |saved| Workflow::kept(&saved.row));
    Workflow::tagged(state.db.workflow_create(new, keep).await?)
}

/// Get a workflow.
///
/// Its definition comes back as it was saved.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "getWorkflow",
    params(
        WorkflowId,
        Known,
    ),
    responses(
        (status = 304, description = "The client has it already."),
        (status = 200, description = "The workflow.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, KnownRefused, ServerProblems,
    )
)]
pub(crate) async fn workflow_get(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    known: Known,
) -> Result<Response, Problem> {
    let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    Ok(Workflow::tagged(row)?.unless_known(&known))
}

/// Replace a workflow.
///
/// Replaces name, description and definition. A change of what executes makes a new version; a change of
/// the layout alone does not. Runs that have begun keep the version that they began with.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "updateWorkflow",
    params(
        WorkflowId,
        Edit,
        ChangeNote,
        SaveQuery,
    ),
    request_body(content = WorkflowReplaceRequest, description = "The workflow, whole.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The workflow as it was saved.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, BodyProblems, DefinitionProblems, ReplaceProblems, Conditional, ServerProblems,
    )
)]
pub(crate) async fn workflow_update(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<SaveQuery>,
    edit: Edit,
    once: Once,
    request: Result<Json<WorkflowReplaceRequest>, Problem>,
) -> Result<Tagged<Workflow>, Problem> {
    let replaced = match request {
        Ok(Json(request)) if request.definition.is_none() => Err(definition_missing()),
        Ok(Json(request)) => WorkflowCreateRequest::from(request).accept(state.settings.kinds()).await,
        Err(problem) => Err(problem),
    };
    let replaced = found_first(&state, id, replaced).await?;
    let saving = Saving { label: query.label, ..edit.saving.clone() };
    let saved = state.db.workflow_update(id, replaced, saving, once.tell(audit::workflow)).await;
    answered(&state, id, &edit, saved).await
}

/// The workflow as it was saved, or why it was not.
async fn answered(
    state: &AppState,
    id: Uuid,
    edit: &Edit,
    saved: Result<WorkflowRow, WriteError>,
) -> Result<Tagged<Workflow>, Problem> {
    match saved {
        Ok(row) => Workflow::tagged(row),
        Err(error) => Err(edit.refused(state, id, error).await),
    }
}

/// Change what is said about a workflow.
///
/// Name, description and tags alone, as a JSON Merge Patch (RFC 7396). Makes no version.
#[utoipa::path(
    patch, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "patchWorkflow",
    params(
        WorkflowId,
        Edit,
    ),
    request_body(description = "What is to change.", content(
        (WorkflowPatch = "application/json", example = json!(examples::workflow_patch())),
        (WorkflowPatch = "application/merge-patch+json", example = json!(examples::workflow_patch())),
    )),
    responses(
        (status = 200, description = "The workflow as it was saved.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, BodyProblems, Conditional, PatchProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_patch(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    edit: Edit,
    once: Once,
    request: Result<Json<WorkflowPatch>, Problem>,
) -> Result<Tagged<Workflow>, Problem> {
    let details = request.and_then(|Json(patch)| patch.accept());
    let details = found_first(&state, id, details).await?;
    let saved = state.db.workflow_patch(id, details, edit.saving.clone(), once.tell(audit::workflow)).await;
    answered(&state, id, &edit, saved).await
}

impl WorkflowPatch {
    fn accept(self) -> Result<Details, Problem> {
        let Self { name, description, tags, definition } = self;
        if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let wrong = ProblemItem::new("/name", "length", "The name is blank. Give one, or leave it out.");
            return Err(Problem::invalid(Kind::InvalidBody, vec![wrong]));
        }
        if definition.is_some() {
            let detail = "PATCH changes name, description and tags. Replace the definition with PUT.";
            return Err(Problem::invalid(
                Kind::InvalidBody,
                vec![ProblemItem::new("/definition", "not_patched", detail)],
            ));
        }
        let tags = tags.map(Option::unwrap_or_default);
        if tags.as_deref().is_some_and(|tags| !naming::are_valid_tags(tags)) {
            let wrong = ProblemItem::new("/tags", "tags", naming::TAGS_RULE.as_str());
            return Err(Problem::invalid(Kind::InvalidBody, vec![wrong]));
        }
        if description
            .as_ref()
            .and_then(Option::as_ref)
            .is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_LENGTH)
        {
            let detail = format!("This is longer than {MAX_DESCRIPTION_LENGTH} characters. Shorten it.");
            return Err(Problem::invalid(
                Kind::InvalidBody,
                vec![ProblemItem::new("/description", "length", detail)],
            ));
        }
        // Nothing is the empty text, as in a workflow that was saved without a description.
        let description = description.map(|text| Some(text.unwrap_or_default()));
        Ok(Details { name, description, tags })
    }
}

fn definition_missing() -> Problem {
    let detail =
        "A workflow is replaced whole. Send its definition too, or use PUT /wf/{workflow_id}/reset/.";
    Problem::new(Kind::DefinitionMissing, detail)
}

/// `result`, unless it is a problem and the workflow doesn't even exist. Asks the store for problems only.
pub(crate) async fn found_first<T>(
    state: &AppState,
    id: Uuid,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    match result {
        Err(_) if state.db.latest_version_id(id).await?.is_none() => Err(Resource::Workflow.missing()),
        result => result,
    }
}

/// Reset a workflow.
///
/// Puts the default definition of its `spur_type` back. Its id, name, versions and runs stay.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/reset/", tag = "workflows", operation_id = "resetWorkflow",
    params(
        WorkflowId,
        Edit,
        ChangeNote,
        SaveQuery,
    ),
    responses(
        (status = 200, description = "The workflow with the default definition.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, Conditional, LabelProtected, ServerProblems,
    )
)]
pub(crate) async fn workflow_reset(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<SaveQuery>,
    edit: Edit,
    once: Once,
) -> Result<Tagged<Workflow>, Problem> {
    let mut defaults = Vec::new();
    for of in SpurType::ALL {
        defaults.push((of, checked(Definition::default_for(of), NodeKinds::default()).await?));
    }
    let saving = Saving { label: query.label, ..edit.saving.clone() };
    let saved = state.db.workflow_reset(id, defaults, saving, once.tell(audit::workflow)).await;
    answered(&state, id, &edit, saved).await
}

/// Delete a workflow.
///
/// With its versions, runs, pauses and files: all or nothing. Runs that have not ended are canceled first.
#[utoipa::path(
    delete, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "deleteWorkflow",
    params(
        WorkflowId,
        Edit,
    ),
    responses(
        (status = 204, description = "The workflow is gone."),
        WorkflowMissing, Conditional, ServerProblems,
    )
)]
pub(crate) async fn workflow_delete(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    edit: Edit,
    once: Once,
) -> Result<StatusCode, Problem> {
    // Checked again with the deletion; here, before runs are canceled for nothing.
    if let Some(condition) = &edit.saving.condition {
        let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
        if !condition.holds(&row.etag()) {
            return Err(edit.refused(&state, id, WriteError::Changed(Box::new(row))).await);
        }
    }
    for run in state.db.unfinished_runs(id).await? {
        match state.engine.run_cancel(run, once.tell(audit::run_called_off)).await {
            // A run that ended or vanished meanwhile needs no canceling. Where the store has no room for that, the run
            // goes with the workflow as it is.
            Ok(_) | Err(EngineError::NotFound | EngineError::Refused(_)) => {}
            Err(EngineError::Store(StoreError::Full(_))) => {}
            Err(error) => return Err(Resource::Run.engine(error)),
        }
    }
    files::mark_deleted(&state.settings.data_dir, id).await?;
    let deleted = state.db.workflow_delete(id, edit.saving.clone(), once.tell(audit::deleted(id))).await;
    if matches!(deleted, Ok(()) | Err(WriteError::NotFound)) {
        files::remove_folders(&state.settings.data_dir, id).await;
    }
    match deleted {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(edit.refused(&state, id, error).await),
    }
}

/// Copy a workflow.
///
/// The copy is named `{name} (Copy)`, made unique; it has the description, the tags and the definition (the current
/// one, or that of a version), but no runs and no files.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/duplicate/", tag = "workflows", operation_id = "duplicateWorkflow",
    params(
        WorkflowId,
        PinQuery,
    ),
    responses(
        (status = 200, description = "The copy.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        VersionMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_duplicate(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    caller: Caller,
    once: Once,
) -> Result<Tagged<Workflow>, Problem> {
    let keep = once.keep(audit::workflow, |saved| Workflow::kept(&saved.row));
    let copy = state.db.workflow_duplicate(id, pin.or_latest(), caller.into_name(), keep).await;
    Workflow::tagged(copy.map_err(|error| Resource::Workflow.write(error))?)
}

/// List output variables.
///
/// One row for each variable in the `config.output_schema` of a leaf node (one without an outgoing link),
/// in node order.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/output_variables/", tag = "workflows", operation_id = "listOutputVariables",
    params(WorkflowId),
    responses(
        (status = 200, description = "The variables.", body = Vec<OutputVariable>, example = json!(examples::output_variables())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn output_variable_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<Answer<Vec<OutputVariable>>, Problem> {
    let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    let definition: Definition = serde_json::from_str(&row.definition).map_err(Problem::internal)?;
    let rows = graph::output_variables(&definition).into_iter();
    Ok(Answer(rows.map(OutputVariable::from).collect()))
}

impl From<graph::OutputVariable> for OutputVariable {
    fn from(variable: graph::OutputVariable) -> Self {
        let graph::OutputVariable { node_id, variable_name, prefixed_variable } = variable;
        Self { node_id, variable_name, prefixed_variable }
    }
}
