//! Imports of workflows: all of them or none.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter};
use sluice_domain::transfer::{ImportAction, ImportMode};
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, clock};
use uuid::Uuid;

use super::changes::{Save, SaveOptions, save};
use super::import_plan::{Import, ImportOutcome, PlannedImport, plan};
use super::labels;
use crate::change::{Audited, Change, Fault, actor};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::{workflow, workflow_version};
use crate::error::{WriteError, store_error};
use crate::outcome::Outcome;
use crate::search::index;
use crate::writer::workflow_inserts::{SavedWorkflow, new_version, tags_json};

/// Versions per statement, far below the maximum number of variables.
const VERSIONS_PER_INSERT: usize = 100;
/// Note of a version created by an import.
const IMPORT_NOTE: &str = "Imported.";

impl Database {
    /// Imports workflows in one transaction. If any workflow is rejected, returns all rejections and changes nothing. A
    /// dry run returns the plan of an update.
    ///
    /// # Errors
    /// The database failed.
    pub async fn workflow_import(
        &self,
        imports: Arc<[Import]>,
        mode: ImportMode,
        origin: Option<ChangeOrigin>,
    ) -> Result<ImportOutcome, WriteError> {
        if mode == ImportMode::DryRun {
            return Ok(self.workflow_import_plan(&imports, mode).await?);
        }
        let actor = actor(origin.as_ref());
        self.writer().audited_change(ImportWorkflows { imports, mode, actor }, origin).await
    }

    /// Returns the result that [`Self::workflow_import`] would have, without changing anything.
    ///
    /// # Errors
    /// The database failed.
    pub async fn workflow_import_plan(
        &self,
        imports: &[Import],
        mode: ImportMode,
    ) -> Result<ImportOutcome, StoreError> {
        let tx = self.read_transaction().await?;
        plan(&tx, imports, mode).await.map_err(store_error)
    }
}

impl Audited for ImportOutcome {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        self.iter().flatten().flat_map(|imported| imported.audit_entries.clone()).collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        let imported = self.as_ref().ok()?;
        Some(Outcome::Import(imported.iter().map(|imported| imported.outcome.clone()).collect()))
    }
}

struct ImportWorkflows {
    imports: Arc<[Import]>,
    mode: ImportMode,
    /// The name of the API key.
    actor: Option<String>,
}

impl Change for ImportWorkflows {
    type Output = ImportOutcome;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<ImportOutcome, Fault> {
        let mut planned = match plan(tx, &self.imports, self.mode).await? {
            Ok(planned) => planned,
            Err(rejections) => return Ok(Err(rejections)),
        };
        release_names(tx, &planned).await?;
        let options = SaveOptions { note: Some(IMPORT_NOTE.to_owned()), ..SaveOptions::default() };
        for (imported, import) in planned.iter_mut().zip(self.imports.iter()) {
            match &imported.before {
                None => self.create(tx, import, imported).await?,
                Some(before) if imported.outcome.action == ImportAction::Update => {
                    let new = Save { new: &imported.after, options: &options, actor: self.actor.as_deref() };
                    let saved = save(tx, before.clone(), new).await?;
                    imported.audit_entries = saved.audit_entries();
                    imported.outcome.version = saved.row.version;
                }
                Some(_) => {}
            }
        }
        Ok(Ok(planned))
    }
}

/// Gives temporary names to workflows that get another name, so that names can be swapped in any order. No workflow has
/// a temporary name already: such a name begins with a control character, which valid names don't contain.
async fn release_names(tx: &DatabaseTransaction, planned: &[PlannedImport]) -> Result<(), DbErr> {
    let updates = planned.iter().filter_map(|imported| Some((imported.before.as_ref()?, &imported.after)));
    for (before, _) in updates.filter(|(before, after)| before.name != after.name) {
        workflow::Entity::update_many()
            .col_expr(workflow::Column::Name, Expr::value(format!("\u{1}{}", before.id)))
            .filter(workflow::Column::Id.eq(before.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

impl ImportWorkflows {
    /// Creates a workflow with its history. An update keeps the id of the document if the id contains the time of
    /// creation, because lists rely on that.
    async fn create(
        &self,
        tx: &DatabaseTransaction,
        import: &Import,
        imported: &mut PlannedImport,
    ) -> Result<(), DbErr> {
        let (after, actor) = (&imported.after, self.actor.as_deref());
        let now = clock::now();
        let id = import.document.id.filter(|_| self.mode == ImportMode::Update);
        let kept_id = id.and_then(|id| Some((id, creation_time(id).filter(|time| *time <= now)?)));
        let (id, created_at) = kept_id.unwrap_or_else(|| (clock::new_id(), now));
        let row = workflow::Model {
            id,
            name: after.name.clone(),
            description: after.description.clone(),
            definition: after.definition.json.clone(),
            created_at,
            updated_at: now,
            tags: tags_json(after.tags.as_deref().unwrap_or_default()),
            version: imported.outcome.version,
        };
        workflow::Entity::insert(row.clone().into_active_model()).exec_without_returning(tx).await?;
        let tx = Tx::Orm(tx);
        index::insert(&tx, std::slice::from_ref(&row)).await?;
        let mut versions = imported_versions(&row, import);
        if versions.last().is_none_or(|last| last.version != row.version) {
            versions.push(new_version(&row, &after.definition, actor, now));
        }
        for versions in versions.chunks(VERSIONS_PER_INSERT) {
            index::insert_versions(&tx, versions.to_vec()).await?;
        }
        let labels = import.document.labels.as_deref().unwrap_or_default();
        let labels = labels::insert(&tx, id, labels, actor).await?;
        let created = SavedWorkflow::of_creation(row, after.definition.hash.clone());
        let labels = labels.iter().map(|label| label.audit_entry(None, Some(label)));
        imported.audit_entries = created.audit_entries().into_iter().chain(labels).collect();
        imported.outcome.id = Some(id);
        Ok(())
    }
}

/// The time in a UUIDv7.
fn creation_time(id: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = (id.get_version_num() == 7).then(|| id.get_timestamp())??.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// The versions in a document.
fn imported_versions(row: &workflow::Model, import: &Import) -> Vec<workflow_version::Model> {
    let versions = import.document.versions.iter().flatten().zip(&import.versions);
    let versions = versions.map(|(version, definition)| workflow_version::Model {
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
    versions.collect()
}
