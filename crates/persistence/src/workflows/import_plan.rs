//! The plan of an import: the effect on each workflow. Reads the database and changes nothing.

use std::collections::{BTreeMap, HashSet};

use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use sluice_domain::transfer::{self, ImportAction, ImportMode, WorkflowDocument};
use sluice_domain::{Definition, naming};
use sluice_engine::AuditEntry;

use super::changes::{latest_version, name_owner, with_new_layout};
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::workflow;
use crate::outcome::ImportedWorkflow;
use crate::writer::workflow_inserts::{NewWorkflow, ValidDefinition, free_name, tags_json};

/// A workflow to import, with its definitions as they are stored.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) document: WorkflowDocument,
    pub(super) definition: ValidDefinition,
    /// The definitions of its versions.
    pub(super) versions: Vec<ValidDefinition>,
}

/// The result of an import for one workflow.
#[derive(Clone, Debug)]
pub struct PlannedImport {
    /// The outcome.
    pub outcome: ImportedWorkflow,
    /// The workflow before the import.
    pub before: Option<workflow::Model>,
    /// The content after the import.
    pub after: NewWorkflow,
    pub(super) audit_entries: Vec<AuditEntry>,
}

/// The reason why a workflow can't be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRejection {
    /// Another workflow has its name.
    #[error("Another workflow has this name. Choose a different name, or rename the other workflow first.")]
    NameTaken,
    /// The import contains the workflow twice.
    #[error("The import has this workflow twice, by id or by name. Delete one of them.")]
    Duplicate,
}

/// The results of an import in its order, or all rejections by index.
pub type ImportOutcome = Result<Vec<PlannedImport>, BTreeMap<usize, ImportRejection>>;

impl From<WorkflowDocument> for Import {
    fn from(document: WorkflowDocument) -> Self {
        let versions = document.versions.iter().flatten();
        let versions = versions.map(|version| ValidDefinition::new(&version.definition)).collect();
        Self { definition: ValidDefinition::new(&document.definition), versions, document }
    }
}

impl Import {
    /// The definition.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.document.definition
    }

    /// The number of the latest version of a new workflow: the last number in the document, or one more if the
    /// definition executes differently from that version.
    fn latest_number(&self) -> i32 {
        let last = self.document.versions.as_ref().and_then(|versions| versions.last());
        let is_new = self.versions.last().is_none_or(|last| last.hash != self.definition.hash);
        last.map_or(0, |last| last.version).saturating_add(i32::from(is_new))
    }

    /// Plans the import into a workflow, or a new one.
    async fn plan(
        &self,
        tx: &DatabaseTransaction,
        before: Option<workflow::Model>,
        name: String,
    ) -> Result<PlannedImport, DbErr> {
        let old_description = before.as_ref().map(|before| before.description.clone());
        let mut after = NewWorkflow {
            name: name.clone(),
            description: self.document.description.clone().or(old_description).unwrap_or(Some(String::new())),
            definition: self.definition.clone(),
            tags: self.document.tags.clone(),
        };
        let (action, version) = (ImportAction::Create, self.latest_number());
        let mut outcome = ImportedWorkflow { action, id: None, name, version, replaced: None };
        if let Some(before) = &before {
            let same_version = latest_version(tx, before.id).await?;
            let same_version = same_version.filter(|latest| latest.hash == after.definition.hash);
            if let Some(latest) = &same_version {
                // A save keeps the stored text, except for the layout. Only whitespace may still differ.
                let saved = with_new_layout(tx, latest.id, before, &after.definition).await?;
                let is_same = transfer::compact(&saved) == transfer::compact(&before.definition);
                after.definition.json = if is_same { before.definition.clone() } else { saved };
            }
            (outcome.action, outcome.id) = (ImportAction::Unchanged, Some(before.id));
            outcome.version = before.version;
            if !is_identical(before, &after) {
                outcome.version = before.version.saturating_add(i32::from(same_version.is_none()));
                outcome.action = ImportAction::Update;
                outcome.replaced = Some(before.definition.clone());
            }
        }
        Ok(PlannedImport { outcome, before, after, audit_entries: Vec::new() })
    }
}

fn is_identical(before: &workflow::Model, after: &NewWorkflow) -> bool {
    (&before.name, &before.description, &before.definition)
        == (&after.name, &after.description, &after.definition.json)
        && after.tags.as_deref().is_none_or(|tags| tags_json(tags) == before.tags)
}

/// Plans an import, or returns all rejections.
pub(super) async fn plan(
    tx: &DatabaseTransaction,
    imports: &[Import],
    mode: ImportMode,
) -> Result<ImportOutcome, DbErr> {
    let (mut targets, mut names) = (vec![None; imports.len()], HashSet::new());
    if mode != ImportMode::Create {
        let mut rejections = BTreeMap::new();
        let ids: HashSet<_> = imports.iter().filter_map(|import| import.document.id).collect();
        let mut seen = HashSet::new();
        for (index, Import { document: WorkflowDocument { id, name, .. }, .. }) in imports.iter().enumerate()
        {
            let by_id = match id {
                Some(id) => workflow::Entity::find_by_id(*id).one(tx).await?,
                None => None,
            };
            // No workflow has the empty name of a bare definition. Ids take precedence over names: a workflow that the
            // import contains by id gets the name in its document.
            let by_name = workflow::Entity::find().filter(workflow::Column::Name.eq(name)).one(tx).await?;
            let by_name = by_name.filter(|owner| !ids.contains(&owner.id));
            if id.is_some_and(|id| !seen.insert(id)) || !name.is_empty() && !names.insert(name.clone()) {
                rejections.insert(index, ImportRejection::Duplicate);
            } else if by_id.is_some() && by_name.is_some() {
                rejections.insert(index, ImportRejection::NameTaken);
            }
            targets[index] = by_id.or(by_name);
        }
        if !rejections.is_empty() {
            return Ok(Err(rejections));
        }
    }
    let mut planned = Vec::with_capacity(imports.len());
    for (import, target) in imports.iter().zip(targets) {
        let mut name = import.document.name.clone();
        if mode == ImportMode::Create || name.is_empty() {
            name = unused_name(tx, &name, &names).await?;
            names.insert(name.clone());
        }
        planned.push(import.plan(tx, target, name).await?);
    }
    Ok(Ok(planned))
}

/// Returns a name for a new workflow: the given name, with a number if it is used.
async fn unused_name(
    tx: &DatabaseTransaction,
    name: &str,
    reserved: &HashSet<String>,
) -> Result<String, DbErr> {
    let name = if name.is_empty() { naming::UNTITLED } else { name };
    if reserved.contains(name) || name_owner(tx, name).await?.is_some() {
        return free_name(&Tx::Orm(tx), name, reserved).await;
    }
    Ok(name.to_owned())
}
