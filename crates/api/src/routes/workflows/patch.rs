//! `PATCH /wf/{workflow_id}/`

use axum::extract::State;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::naming::{self, MAX_DESCRIPTION_LENGTH};
use sluice_persistence::WorkflowDetails;
use utoipa::ToSchema;
use validator::Validate;

use crate::change::ChangeContext;
use crate::error::responses::{
    BodyProblems, PatchProblems, PreconditionProblems, ServerProblems, WorkflowMissing,
};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::etag::{Preconditions, WithETag};
use crate::extract::for_resource::{ForWorkflow, valid_or_not_found};
use crate::extract::json::Json;
use crate::extract::path::WorkflowId;
use crate::openapi::examples;
use crate::patterns::no_control_characters;
use crate::routes::workflows::request::MAX_NAME_LENGTH;
use crate::routes::workflows::{Workflow, workflow_or_problem};
use crate::state::AppState;

/// A JSON Merge Patch (RFC 7396) of a workflow. Absent fields are kept.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowPatch {
    /// Name.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schema(
        required = false,
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[validate(length(min = 1, max = MAX_NAME_LENGTH), custom(function = no_control_characters))]
    name: Option<String>,
    /// Description. Null removes it.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schema(value_type = Option<String>, required = false, nullable = true, max_length = 65_536)]
    description: Option<Option<String>>,
    /// Tags. Null removes all.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schema(value_type = Option<Vec<String>>, required = false, nullable = true, max_items = 50)]
    tags: Option<Option<Vec<String>>>,
    /// Always rejected. Other read-only fields are ignored, but a client that sends a definition expects it to be
    /// saved.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schema(ignore)]
    definition: Option<IgnoredAny>,
}

/// Deserializes a field that is present, even if it is null.
fn deserialize_present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Update the name, description or tags.
///
/// Applies a JSON Merge Patch (RFC 7396) to the name, description and tags. Creates no version.
#[utoipa::path(
    patch, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "patchWorkflow",
    params(
        WorkflowId,
        Preconditions,
    ),
    request_body(description = "The fields to change.", content(
        (WorkflowPatch = "application/json", example = json!(examples::workflow_patch())),
        (WorkflowPatch = "application/merge-patch+json", example = json!(examples::workflow_patch())),
    )),
    responses(
        (status = 200, description = "The saved workflow.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, BodyProblems, PreconditionProblems, PatchProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_patch(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    preconditions: Preconditions,
    change: ChangeContext,
    ForWorkflow(Json(patch)): ForWorkflow<Json<WorkflowPatch>>,
) -> Result<WithETag<Workflow>, Problem> {
    let details = valid_or_not_found(&state, id, patch.into_details()).await?;
    let saved =
        state.db.workflow_patch(id, details, preconditions.save_options.clone(), Some(change.origin())).await;
    workflow_or_problem(&state, id, &preconditions, saved).await
}

impl WorkflowPatch {
    fn into_details(self) -> Result<WorkflowDetails, Problem> {
        let Self { name, description, tags, definition } = self;
        if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let item =
                ProblemItem::new("/name", "length", "The name is blank. Send a name, or omit the field.");
            return Err(Problem::invalid(ProblemKind::InvalidBody, vec![item]));
        }
        if definition.is_some() {
            let detail =
                "PATCH changes the name, description and tags only. Replace the definition with PUT.";
            return Err(Problem::invalid(
                ProblemKind::InvalidBody,
                vec![ProblemItem::new("/definition", "not_patched", detail)],
            ));
        }
        let tags = tags.map(Option::unwrap_or_default);
        if tags.as_deref().is_some_and(|tags| !naming::are_valid_tags(tags)) {
            let item = ProblemItem::new("/tags", "tags", naming::TAGS_RULE.as_str());
            return Err(Problem::invalid(ProblemKind::InvalidBody, vec![item]));
        }
        if description
            .as_ref()
            .and_then(Option::as_ref)
            .is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_LENGTH)
        {
            let detail = format!("This is longer than {MAX_DESCRIPTION_LENGTH} characters. Shorten it.");
            return Err(Problem::invalid(
                ProblemKind::InvalidBody,
                vec![ProblemItem::new("/description", "length", detail)],
            ));
        }
        // Null becomes the empty text, as for a workflow without a description.
        let description = description.map(|text| Some(text.unwrap_or_default()));
        Ok(WorkflowDetails { name, description, tags })
    }
}
