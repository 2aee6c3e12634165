//! Workflows on the move: exported as one document, and imported, one or many at once.

mod incoming;
mod shapes;

use std::str::FromStr;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use sluice_domain::transfer::Document;
use sluice_domain::{Definition, json_limits, naming, versioning};
use sluice_engine::StoreError;
use sluice_persistence::{ImportAction, ImportMode, ImportOutcome, ImportRefusal, ImportRefused, Imported};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::validation::Diagnostic;
use crate::access::Caller;
use crate::aside::aside;
use crate::audit;
use crate::conditional::{Known, Tagged};
use crate::extract::{FromQuery, JsonText, Query, Reader, WorkflowId};
use crate::once::{Once, kept};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{BodyProblems, DefinitionProblems, ExportProblems, ServerProblems, WorkflowMissing};
use crate::{AppState, examples, schema};
use incoming::Taken;
use shapes::ImportRequest;
pub(crate) use shapes::WorkflowDocument;

/// The most workflows of one import.
pub(crate) const MAX_IMPORT: usize = 100;

/// What an export holds.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Whether it also holds the versions, the latest 1,000 of them, and their labels.
    #[param(default = false, required = false)]
    versions: bool,
}

impl FromQuery for ExportQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { versions: reader.flag("versions", false) }
    }
}

/// What an import does with workflows that are there already: `create` leaves them alone, everything imported is new;
/// `update` updates them; `dry_run` tells what `update` would do, and does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case", as = ImportMode)]
pub(crate) enum Mode {
    /// Everything is new.
    Create,
    /// What is there is updated.
    Update,
    /// Nothing is written.
    DryRun,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "dry_run" => Ok(Self::DryRun),
            _ => Err(()),
        }
    }
}

/// How workflows are imported.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// What is done with workflows that are there already; `create` when absent.
    #[param(value_type = Mode, required = false)]
    mode: Mode,
    /// The name of a workflow that comes without one, as a definition alone does.
    #[param(required = false, min_length = 1, max_length = 255)]
    name: Option<String>,
}

impl FromQuery for ImportQuery {
    fn from_query(reader: &mut Reader) -> Self {
        let mode = reader.word("mode", "create, update, dry_run").unwrap_or(Mode::Create);
        Self { mode, name: reader.text_up_to(naming::MAX_NAME_LENGTH, "name") }
    }
}

/// What an import did, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportAnswer {
    /// One for each workflow, in the order of the body.
    #[schema(max_items = 100)]
    results: Vec<ImportResult>,
}

/// What an import did with one workflow, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportResult {
    /// What it did.
    action: Action,
    /// The id of the workflow; null when `dry_run` would create it.
    #[schema(required = true)]
    id: Option<Uuid>,
    /// What it is called.
    name: String,
    /// The number of its latest version.
    #[schema(minimum = 1)]
    version: i32,
    /// Of an update: what differs in the definition.
    #[schema(value_type = Option<schema::DefinitionDiff>, required = true)]
    diff: Option<versioning::DefinitionDiff>,
    /// What looks wrong with it.
    diagnostics: Vec<Diagnostic>,
}

/// What is done with a workflow: `create` it is new, `update` it replaces what is there, `unchanged` the same is there.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ImportAction)]
pub(crate) enum Action {
    /// It is new.
    Create,
    /// It replaces what is there.
    Update,
    /// The same is there.
    Unchanged,
}

impl From<ImportAction> for Action {
    fn from(action: ImportAction) -> Self {
        match action {
            ImportAction::Create => Self::Create,
            ImportAction::Update => Self::Update,
            ImportAction::Unchanged => Self::Unchanged,
        }
    }
}

/// Export a workflow.
///
/// One document with all that a workflow is, for another server or for git; its `checksum` tells whether it arrived
/// whole. importWorkflows takes it.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/export/", tag = "workflows", operation_id = "exportWorkflow",
    params(
        WorkflowId,
        Known,
        ExportQuery,
    ),
    responses(
        (status = 200, description = "The document.",
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = WorkflowDocument, example = json!(examples::document())),
        (status = 304, description = "The client has it already."),
        WorkflowMissing, ExportProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_export(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<ExportQuery>,
    known: Known,
) -> Result<Response, Problem> {
    let found = state.db.workflow_document(id, query.versions).await.map_err(|error| match error {
        StoreError::PageTooLarge(bytes) => too_large(bytes, query),
        other => other.into(),
    })?;
    let (row, document) = found.ok_or_else(|| Resource::Workflow.missing())?;
    let most = state.settings.max_import_bytes;
    let written = aside(move || Written::of(document.sealed(), most)).await?;
    let Written { checksum, json } = written.ok_or_else(|| too_large(most, query))?;
    // Labels move without a change of the workflow.
    let etag = match checksum {
        Some(checksum) if query.versions => format!("{}-{}", row.version, checksum.replace(':', "-")),
        _ => row.etag(),
    };
    Ok(Tagged::new(etag, json).unless_known(&known))
}

/// A document as it is answered.
struct Written {
    checksum: Option<String>,
    json: Box<RawValue>,
}

impl Written {
    /// None when it is more than an import takes.
    fn of(document: Document, most: usize) -> Result<Option<Self>, Problem> {
        let (checksum, json) = (document.checksum().map(str::to_owned), document.to_json());
        drop(document);
        if json.len() > most || json_limits::check_documents(json.as_bytes()).is_err() {
            return Ok(None);
        }
        Ok(Some(Self { checksum, json: RawValue::from_string(json).map_err(Problem::internal)? }))
    }
}

fn too_large(bytes: usize, query: ExportQuery) -> Problem {
    let advice = match query.versions {
        true => "Export without ?versions=true, or with sluice export.",
        false => "Export with sluice export.",
    };
    Problem::new(
        Kind::TooLarge,
        format!("The document has more than the {bytes} bytes that an import takes. {advice}"),
    )
}

/// Import workflows.
///
/// Takes a document of exportWorkflow, what createWorkflow takes, a definition alone, or a list of these, up to 100:
/// all are imported, or none. With `create` each is a new workflow, its name made unique; versions and labels of a
/// document come with it. With `update` the workflow with the document's id is updated, or else the one with its name;
/// where there is neither, it is created, and keeps its id if that is a UUIDv7. An update saves as updateWorkflow does. Every problem of every
/// workflow is told, with the codes of createWorkflow and `checksum_mismatch`.
#[utoipa::path(
    post, path = "/wf/import/", tag = "workflows", operation_id = "importWorkflows",
    params(ImportQuery),
    request_body(content = ImportRequest, description = "The workflow, or a list of them.", example = json!(examples::document())),
    responses(
        (status = 200, description = "What was done.", body = ImportAnswer, example = json!(examples::imported())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_import(
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    caller: Caller,
    once: Once,
    JsonText(text): JsonText,
) -> Result<Answer<ImportAnswer>, Problem> {
    let ImportQuery { mode, name } = query;
    let kinds = state.settings.kinds();
    let taken = aside(move || incoming::take(&text, name.as_deref(), &kinds)).await?;
    let places: Vec<String> = taken.iter().map(|one| one.place.clone()).collect();
    let (imports, found): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .map(|Taken { import, diagnostics, .. }| (import.by(caller.name().map(str::to_owned)), diagnostics))
        .unzip();
    // What differs is found before the change is made: everybody else who writes would wait for it.
    let (imports, planned) = match mode {
        Mode::Create => (imports, None),
        Mode::Update | Mode::DryRun => {
            let planned = state.db.import_plan(&imports, ImportMode::Update).await?;
            (imports, Some(planned.map_err(|refused| refusals(&refused, &places))?))
        }
    };
    let (planned, foreseen) = aside(move || {
        let foreseen = planned.iter().flatten().map(Foreseen::of).collect::<Vec<_>>();
        (planned, foreseen)
    })
    .await;
    let answer = Arc::new(Answering { found, foreseen });
    let keep = {
        let answer = Arc::clone(&answer);
        once.keep(audit::imported, move |done: &ImportOutcome| kept(&[], &answer.to(done.as_ref().ok()?)))
    };
    let done = match mode {
        Mode::Create => state.db.import(imports, ImportMode::Create, keep).await,
        Mode::Update => state.db.import(imports, ImportMode::Update, keep).await,
        Mode::DryRun => Ok(Ok(planned.unwrap_or_default())),
    };
    let done = done.map_err(|error| Resource::Workflow.write(error))?;
    let done = done.map_err(|refused| refusals(&refused, &places))?;
    Ok(Answer(aside(move || answer.to(&done)).await))
}

/// What is known of an answer before the import is made.
struct Answering {
    found: Vec<Vec<Diagnostic>>,
    /// Of each workflow, unless all are new.
    foreseen: Vec<Foreseen>,
}

/// What an update comes to if nobody else saves the workflow before.
struct Foreseen {
    /// The definition that is replaced.
    before: Option<String>,
    diff: Option<versioning::DefinitionDiff>,
}

impl Foreseen {
    fn of(planned: &Imported) -> Self {
        let before = planned.before.as_ref().map(|before| before.definition.clone());
        Self { before, diff: difference(planned) }
    }
}

impl Answering {
    fn to(&self, done: &[Imported]) -> ImportAnswer {
        let mut foreseen = self.foreseen.iter();
        let result = |(one, diagnostics): (&Imported, &Vec<Diagnostic>)| {
            let before = one.before.as_ref().map(|before| &before.definition);
            let diff = match foreseen.next() {
                Some(foreseen) if foreseen.before.as_ref() == before => foreseen.diff.clone(),
                _ => difference(one),
            };
            let Imported { action, id, name, version, .. } = one;
            let (action, name, diagnostics) = ((*action).into(), name.clone(), diagnostics.clone());
            ImportResult { action, id: *id, name, version: *version, diff, diagnostics }
        };
        ImportAnswer { results: done.iter().zip(&self.found).map(result).collect() }
    }
}

/// What an update changes in the definition.
fn difference(imported: &Imported) -> Option<versioning::DefinitionDiff> {
    let before = imported.before.as_ref().filter(|_| imported.action == ImportAction::Update)?;
    let read = |json: &str| serde_json::from_str::<Definition>(json).ok();
    Some(versioning::diff(&read(&before.definition)?, &read(&imported.after.definition.json)?, false))
}

fn refusals(refused: &[ImportRefused], places: &[String]) -> Problem {
    let item = |ImportRefused { index, refusal }: &ImportRefused| {
        let place = places.get(*index).map_or("", String::as_str);
        match refusal {
            ImportRefusal::NameTaken => {
                let detail = "Another workflow has this name. Choose another one, or rename that one first.";
                ProblemItem::new(format!("{place}/name"), "name_taken", detail)
            }
            ImportRefusal::Twice => {
                let detail =
                    "The import holds this workflow twice, by its id or its name. Leave one of them out.";
                ProblemItem::new(place, "duplicate", detail)
            }
        }
    };
    Problem::invalid(Kind::InvalidBody, refused.iter().map(item).collect())
}
