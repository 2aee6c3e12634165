//! Plans an import. Reads the database and changes nothing.

use std::collections::HashSet;

use sea_orm::{DatabaseTransaction, DbErr, EntityTrait};
use sluice_domain::transfer::{self, Incoming, IncomingLabel, IncomingVersion};
use sluice_domain::{naming, versioning};
use uuid::Uuid;

use super::changes::name_owner;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{label, workflow};
use crate::outcome::ImportAction;
use crate::writer::workflow_inserts::{NewWorkflow, ValidDefinition, free_name, tags_json, taken_names};

/// A workflow to be imported, every definition of it validated.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) id: Option<Uuid>,
    /// None: a definition alone, which is never taken for a workflow that is there.
    pub(super) name: Option<String>,
    pub(super) description: Option<Option<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) definition: ValidDefinition,
    pub(super) versions: Vec<(IncomingVersion, ValidDefinition)>,
    pub(super) labels: Vec<IncomingLabel>,
}

/// Handling of workflows that already exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Leaves them alone: everything imported is new.
    Create,
    /// Updates them: the one with the id, or else the one with the name.
    Update,
}

/// Result of an import for one workflow.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What.
    pub action: ImportAction,
    /// The id of the workflow; none when it would be new.
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// The number of its latest version.
    pub version: i32,
    /// The workflow before the import.
    pub before: Option<workflow::Model>,
    /// The hash of its latest version before; none where nothing was changed.
    pub before_hash: Option<String>,
    /// The workflow after the import.
    pub after: NewWorkflow,
    /// The labels that came with it.
    pub labels: Vec<label::Model>,
}

/// Why a workflow of an import can't be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRefusal {
    /// Another workflow has its name.
    NameTaken,
    /// The import holds the same workflow twice.
    Twice,
}

/// A workflow of an import that can't be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportRefused {
    /// Its place in the import.
    pub index: usize,
    /// Why.
    pub refusal: ImportRefusal,
}

impl From<Incoming> for Import {
    fn from(incoming: Incoming) -> Self {
        let Incoming { form: _, id, name, description, tags, definition, versions, labels } = incoming;
        let accepted = |definition: &sluice_domain::Definition| ValidDefinition {
            json: definition.to_json(),
            hash: versioning::definition_hash(definition),
        };
        let versions = versions.into_iter().map(|version| {
            let definition = accepted(&version.definition);
            (version, definition)
        });
        let versions = versions.collect();
        Self { id, name, description, tags, definition: accepted(&definition), versions, labels }
    }
}

/// One step of a plan.
pub(super) struct Step {
    pub(super) before: Option<workflow::Model>,
    pub(super) after: NewWorkflow,
    /// True if the import changes nothing.
    pub(super) is_same: bool,
}

impl Import {
    /// Returns the definition.
    #[must_use]
    pub fn into_definition(self) -> ValidDefinition {
        self.definition
    }

    /// Returns the content of a new workflow.
    fn new_workflow(&self, name: String) -> NewWorkflow {
        let description = self.description.clone().unwrap_or_else(|| Some(String::new()));
        let (definition, tags) = (self.definition.clone(), self.tags.clone());
        NewWorkflow { name, description, definition, tags }
    }

    /// Returns the step that updates `before`.
    fn over(&self, before: workflow::Model) -> Step {
        let definition = ValidDefinition {
            // White space is no change; what was kept stays as it was sent.
            json: if transfer::compact(&before.definition) == self.definition.json {
                before.definition.clone()
            } else {
                self.definition.json.clone()
            },
            hash: self.definition.hash.clone(),
        };
        let after = NewWorkflow {
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            description: self.description.clone().unwrap_or_else(|| before.description.clone()),
            definition,
            tags: self.tags.clone(),
        };
        let is_same = (&after.name, &after.description, &after.definition.json)
            == (&before.name, &before.description, &before.definition)
            && after.tags.as_deref().is_none_or(|tags| tags_json(tags) == before.tags);
        Step { before: Some(before), after, is_same }
    }

    /// The number of the latest version once it was created.
    pub(super) fn latest_number(&self) -> i32 {
        let Some((last, accepted)) = self.versions.last() else { return 1 };
        last.version.saturating_add(i32::from(accepted.hash != self.definition.hash))
    }
}

/// Plans an import, or returns every reason to reject it. Targets are resolved first, then names: a name counts as
/// free if the import renames the workflow that has it.
pub(super) async fn plan(
    tx: &DatabaseTransaction,
    imports: &[Import],
    mode: ImportMode,
) -> Result<Result<Vec<Step>, Vec<ImportRefused>>, DbErr> {
    let mut planned = Planned { steps: imports.iter().map(|_| None).collect(), ..Planned::default() };
    if mode == ImportMode::Update {
        planned.updates(tx, imports).await?;
    }
    planned.creations(tx, imports, mode).await?;
    if planned.refused.is_empty() {
        return Ok(Ok(planned.steps.into_iter().flatten().collect()));
    }
    planned.refused.sort_by_key(|refused| refused.index);
    Ok(Err(planned.refused))
}

/// A plan that is being made.
#[derive(Default)]
struct Planned {
    /// One for each import, once it is known.
    steps: Vec<Option<Step>>,
    refused: Vec<ImportRefused>,
    /// The names that workflows have after the import.
    names: HashSet<String>,
}

impl Planned {
    fn refuse(&mut self, index: usize, refusal: ImportRefusal) {
        self.refused.push(ImportRefused { index, refusal });
    }

    fn is_refused(&self, index: usize) -> bool {
        self.refused.iter().any(|refused| refused.index == index)
    }

    /// Plans what is done with workflows that are there.
    async fn updates(&mut self, tx: &DatabaseTransaction, imports: &[Import]) -> Result<(), DbErr> {
        let mut ids = HashSet::new();
        for (index, import) in imports.iter().enumerate() {
            let Some(id) = import.id else { continue };
            if !ids.insert(id) {
                self.refuse(index, ImportRefusal::Twice);
            } else if let Some(model) = workflow::Entity::find_by_id(id).one(tx).await? {
                self.steps[index] = Some(import.over(model));
            }
        }
        // Who is meant by an id keeps it: by a name is meant who has it, and isn't meant by an id.
        let by_id: HashSet<Uuid> = self.befores().map(|(_, before)| before.id).collect();
        let mut by_name = HashSet::new();
        for (index, import) in imports.iter().enumerate() {
            let is_open = self.steps[index].is_none() && !self.is_refused(index);
            let Some(name) = import.name.as_ref().filter(|_| is_open) else { continue };
            let Some(owner) = name_owner(tx, name).await?.filter(|owner| !by_id.contains(owner)) else {
                continue;
            };
            if !by_name.insert(owner) {
                self.refuse(index, ImportRefusal::Twice);
            } else if let Some(model) = workflow::Entity::find_by_id(owner).one(tx).await? {
                self.steps[index] = Some(import.over(model));
            }
        }
        self.check_names(tx).await
    }

    /// The workflows that are updated, with their places.
    fn befores(&self) -> impl Iterator<Item = (usize, &workflow::Model)> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(index, step)| Some((index, step.as_ref()?.before.as_ref()?)))
    }

    /// Rejects updates that take a name in use.
    async fn check_names(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let updated: HashSet<Uuid> = self.befores().map(|(_, before)| before.id).collect();
        let mut refused = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let Some(Step { before: Some(before), after, .. }) = step else { continue };
            if before.name != after.name {
                let owner = name_owner(tx, &after.name).await?;
                if owner.is_some_and(|owner| !updated.contains(&owner)) {
                    refused.push((index, ImportRefusal::NameTaken));
                    continue;
                }
            }
            if !self.names.insert(after.name.clone()) {
                refused.push((index, ImportRefusal::Twice));
            }
        }
        refused.into_iter().for_each(|(index, refusal)| self.refuse(index, refusal));
        Ok(())
    }

    /// Plans what is new: first what has to be called as it is, then what gets any name that is free.
    async fn creations(
        &mut self,
        tx: &DatabaseTransaction,
        imports: &[Import],
        mode: ImportMode,
    ) -> Result<(), DbErr> {
        let freed: HashSet<String> = self.befores().map(|(_, before)| before.name.clone()).collect();
        let is_fixed = |import: &Import| mode == ImportMode::Update && import.name.is_some();
        let order = (0..imports.len()).filter(|index| is_fixed(&imports[*index]));
        let order = order.chain((0..imports.len()).filter(|index| !is_fixed(&imports[*index])));
        for index in order.collect::<Vec<_>>() {
            if self.steps[index].is_some() || self.is_refused(index) {
                continue;
            }
            let import = &imports[index];
            let wanted = import.name.as_deref().unwrap_or(naming::UNTITLED);
            let mut name = naming::numbered_name(wanted, 1);
            if is_fixed(import) && self.names.contains(&name) {
                self.refuse(index, ImportRefusal::Twice);
                continue;
            }
            let is_freed = freed.contains(&name) && is_fixed(import);
            let is_taken =
                async || taken_names(&Tx::Orm(tx), [name.clone()]).await.map(|taken| !taken.is_empty());
            if self.names.contains(&name) || !is_freed && is_taken().await? {
                name = free_name(&Tx::Orm(tx), wanted, &self.names).await?;
            }
            self.names.insert(name.clone());
            let after = import.new_workflow(name);
            self.steps[index] = Some(Step { before: None, after, is_same: false });
        }
        Ok(())
    }
}
