//! Into the store: everything of an import, or nothing.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter};
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, Subject, clock};
use uuid::Uuid;

use super::changes::{Save, SaveOptions, save};
use super::import_plan::{Import, ImportMode, ImportRefused, Imported, Step, plan};
use super::labels;
use crate::change::{Audited, Change, Fault, actor};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::{workflow, workflow_version};
use crate::error::{WriteError, store_error};
use crate::outcome::{ImportAction, ImportedWorkflow, Outcome};
use crate::search::index;
use crate::writer::workflow_inserts::{NewWorkflow, new_version, tags_json};

/// Versions per statement, far below the maximum number of variables.
const VERSIONS: usize = 100;
/// Note of a version created by an import.
const NOTE: &str = "Imported.";

/// The result for every workflow of an import, or all rejections.
pub type ImportOutcome = Result<Vec<Imported>, Vec<ImportRefused>>;

impl Database {
    /// Imports workflows in one transaction. If any workflow is rejected, returns all rejections and changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn workflow_import(
        &self,
        imports: Vec<Import>,
        mode: ImportMode,
        origin: Option<ChangeOrigin>,
    ) -> Result<ImportOutcome, WriteError> {
        let actor = actor(origin.as_ref());
        self.writer().audited_change(All { imports, mode, actor }, origin).await
    }

    /// Returns the result that [`Self::workflow_import`] would have, without changing anything.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn workflow_import_plan(
        &self,
        imports: &[Import],
        mode: ImportMode,
    ) -> Result<ImportOutcome, StoreError> {
        let tx = self.read_transaction().await?;
        let planned = plan(&tx, imports, mode).await.map_err(store_error)?;
        Ok(planned.map(|steps| steps.into_iter().zip(imports).map(would).collect()))
    }
}

impl Audited for ImportOutcome {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        self.iter().flatten().flat_map(Imported::audit_entries).collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        let imported = self.as_ref().ok()?;
        Some(Outcome::Import(imported.iter().map(ImportedWorkflow::from).collect()))
    }
}

impl Imported {
    /// The entries of the workflow and of its new labels.
    fn audit_entries(&self) -> Vec<AuditEntry> {
        let Some(id) = self.id.filter(|_| self.action != ImportAction::Unchanged) else { return Vec::new() };
        let after = Some(self.after.definition.hash.clone());
        let workflow = AuditEntry::new(Subject::Workflow, id).with_states(self.before_hash.clone(), after);
        let labels = self.labels.iter().map(|label| label.audit_entry(None, Some(label)));
        std::iter::once(workflow).chain(labels).collect()
    }
}

impl From<&Imported> for ImportedWorkflow {
    fn from(imported: &Imported) -> Self {
        let Imported { action, id, name, version, before, .. } = imported;
        let replaced = before.as_ref().filter(|_| *action == ImportAction::Update);
        let replaced = replaced.map(|before| before.definition.clone());
        Self { action: *action, id: *id, name: name.clone(), version: *version, replaced }
    }
}

/// A workflow of an import, with the parts that all workflows share.
#[derive(Clone, Copy)]
struct ImportSource<'a> {
    import: &'a Import,
    mode: ImportMode,
    /// The name of the API key.
    actor: Option<&'a str>,
}

/// All workflows of an import.
struct All {
    imports: Vec<Import>,
    mode: ImportMode,
    actor: Option<String>,
}

impl Change for All {
    type Output = ImportOutcome;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Self::Output, Fault> {
        let Self { imports, mode, actor } = self;
        let steps = match plan(tx, imports, *mode).await? {
            Ok(steps) => steps,
            Err(refused) => return Ok(Err(refused)),
        };
        make_way(tx, &steps).await?;
        let mut done = Vec::with_capacity(steps.len());
        for (step, import) in steps.into_iter().zip(imports) {
            done.push(take(tx, step, ImportSource { import, mode: *mode, actor: actor.as_deref() }).await?);
        }
        Ok(Ok(done))
    }
}

/// Takes names away that others of the import get, so that names can be swapped in any order. Nobody but this
/// transaction sees what stands in for them, and no workflow is called so: names have no control characters.
async fn make_way(tx: &DatabaseTransaction, steps: &[Step]) -> Result<(), DbErr> {
    let wanted: HashSet<&str> = steps.iter().map(|step| step.after.name.as_str()).collect();
    let befores = steps.iter().filter_map(|step| Some((step.before.as_ref()?, &step.after.name)));
    for (before, after) in befores {
        if before.name != *after && wanted.contains(before.name.as_str()) {
            workflow::Entity::update_many()
                .col_expr(workflow::Column::Name, Expr::value(format!("\u{1}{}", before.id)))
                .filter(workflow::Column::Id.eq(before.id))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

/// Returns the result of a step without executing it.
fn would((step, import): (Step, &Import)) -> Imported {
    let Step { before, after, is_same } = step;
    let (action, version) = match &before {
        None => (ImportAction::Create, import.latest_number()),
        Some(before) if is_same => (ImportAction::Unchanged, before.version),
        Some(before) => {
            let is_version = !has_hash(&before.definition, &after.definition.hash);
            (ImportAction::Update, before.version.saturating_add(i32::from(is_version)))
        }
    };
    let (id, name) = (before.as_ref().map(|before| before.id), after.name.clone());
    Imported { action, id, name, version, before, before_hash: None, after, labels: Vec::new() }
}

/// True if a stored definition has this hash.
fn has_hash(definition: &str, hash: &str) -> bool {
    let read = serde_json::from_str(definition);
    read.is_ok_and(|definition| sluice_domain::versioning::definition_hash(&definition) == hash)
}

async fn take(tx: &DatabaseTransaction, step: Step, source: ImportSource<'_>) -> Result<Imported, Fault> {
    let ImportSource { import, actor, .. } = source;
    let Step { before, after, is_same } = step;
    let (mut before_hash, mut set) = (None, Vec::new());
    let (action, row) = match &before {
        None => {
            let row = create(tx, &after, source).await?;
            set = labels::insert(&Tx::Orm(tx), row.id, &import.labels, actor).await?;
            (ImportAction::Create, row)
        }
        Some(before) if is_same => (ImportAction::Unchanged, before.clone()),
        Some(before) => {
            let options = SaveOptions { note: Some(NOTE.to_owned()), ..SaveOptions::default() };
            let saved = save(tx, before.clone(), Save { new: &after, options: &options, actor }).await?;
            before_hash = saved.before;
            (ImportAction::Update, saved.row)
        }
    };
    Ok(Imported {
        action,
        id: Some(row.id),
        name: row.name,
        version: row.version,
        before,
        before_hash,
        after,
        labels: set,
    })
}

/// A new workflow with its history. It keeps the id that it had elsewhere, unless everything shall be new.
async fn create(
    tx: &DatabaseTransaction,
    new: &NewWorkflow,
    source: ImportSource<'_>,
) -> Result<workflow::Model, DbErr> {
    let ImportSource { import, mode, .. } = source;
    let now = clock::now();
    let kept = import.id.filter(|_| mode == ImportMode::Update);
    let kept = kept.and_then(|id| Some((id, made_at(id).filter(|made| *made <= now)?)));
    let (id, made) = kept.unwrap_or_else(|| (clock::new_id(), now));
    let row = workflow::Model {
        id,
        name: new.name.clone(),
        description: new.description.clone(),
        definition: new.definition.json.clone(),
        created_at: made,
        updated_at: now,
        tags: tags_json(new.tags.as_deref().unwrap_or_default()),
        version: import.latest_number(),
    };
    workflow::Entity::insert(row.clone().into_active_model()).exec_without_returning(tx).await?;
    index::insert(&Tx::Orm(tx), std::slice::from_ref(&row)).await?;
    for some in versions(&row, new, source, now).chunks(VERSIONS) {
        index::insert_versions(&Tx::Orm(tx), some.to_vec()).await?;
    }
    Ok(row)
}

/// When a workflow with this id was made: ids of version 7 tell it, and lists rely on that. Other ids are not kept.
fn made_at(id: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = (id.get_version_num() == 7).then(|| id.get_timestamp())??.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// The versions of a new workflow: those that it brings, and one more where it executes in another way than the last.
fn versions(
    row: &workflow::Model,
    new: &NewWorkflow,
    source: ImportSource<'_>,
    now: DateTime<Utc>,
) -> Vec<workflow_version::Model> {
    let ImportSource { import, actor, .. } = source;
    let brought = import.versions.iter().map(|(version, definition)| workflow_version::Model {
        id: clock::new_id(),
        workflow_id: row.id,
        version: version.version,
        name: version.name.clone(),
        description: version.description.clone(),
        definition: definition.json.clone(),
        definition_hash: definition.hash.clone(),
        created_at: version.created_at,
        updated_at: version.created_at,
        note: version.note.clone(),
        created_by: version.created_by.clone(),
    });
    let mut all: Vec<_> = brought.collect();
    let is_last = import.versions.last().is_some_and(|(last, _)| last.version == row.version);
    if !is_last {
        all.push(new_version(row, &new.definition, actor, now));
    }
    all
}
