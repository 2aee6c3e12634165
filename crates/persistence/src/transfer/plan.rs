//! What an import comes to, found by reading alone.

use std::collections::HashSet;

use sea_orm::{DatabaseTransaction, DbErr, EntityTrait};
use sluice_domain::transfer::{self, Incoming, IncomingLabel, IncomingVersion};
use sluice_domain::{naming, versioning};
use uuid::Uuid;

use crate::direct::Tx;
use crate::entity::workflow;
use crate::workflow_changes::{free_name, listed, owner_of, taken_of};
use crate::{Accepted, NewWorkflow, WorkflowRow, rows};

/// A workflow to be imported, every definition of it validated.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) id: Option<Uuid>,
    /// None: a definition alone, which is never taken for a workflow that is there.
    pub(super) name: Option<String>,
    pub(super) description: Option<Option<String>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) definition: Accepted,
    pub(super) versions: Vec<(IncomingVersion, Accepted)>,
    pub(super) labels: Vec<IncomingLabel>,
}

/// What an import does with workflows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Leaves them alone: everything imported is new.
    Create,
    /// Updates them: the one with the id, or else the one with the name.
    Update,
}

/// What is done with one workflow of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportAction {
    /// It is new.
    Create,
    /// It replaces what a workflow says.
    Update,
    /// A workflow says the same already.
    Unchanged,
}

/// What an import did with one workflow, or would do.
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
    /// What it was before.
    pub before: Option<WorkflowRow>,
    /// What it says after.
    pub after: NewWorkflow,
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
        let accepted = |definition: &sluice_domain::Definition| Accepted {
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
    pub(super) before: Option<WorkflowRow>,
    pub(super) after: NewWorkflow,
    /// Whether `after` says what `before` says.
    pub(super) is_same: bool,
}

impl Import {
    /// What a new workflow says.
    fn new_workflow(&self, name: String) -> NewWorkflow {
        let description = self.description.clone().unwrap_or_else(|| Some(String::new()));
        NewWorkflow { name, description, definition: self.definition.clone(), tags: self.tags.clone() }
    }

    /// What a workflow says that this is laid over.
    fn over(&self, before: WorkflowRow) -> Step {
        let definition = Accepted {
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
            && after.tags.as_deref().is_none_or(|tags| listed(tags) == before.tags);
        Step { before: Some(before), after, is_same }
    }

    /// The number of the latest version once it was created.
    pub(super) fn latest_number(&self) -> i32 {
        let Some((last, accepted)) = self.versions.last() else { return 1 };
        last.version.saturating_add(i32::from(accepted.hash != self.definition.hash))
    }
}

/// What an import comes to, in its order, or everything that keeps it from being made.
pub(super) async fn plan(
    tx: &DatabaseTransaction,
    imports: &[Import],
    mode: ImportMode,
) -> Result<Result<Vec<Step>, Vec<ImportRefused>>, DbErr> {
    let mut planned = Planned::default();
    for (index, import) in imports.iter().enumerate() {
        let refusal = match before(tx, import, mode).await? {
            Some(before) => planned.update(tx, import.over(before)).await?,
            None => planned.create(tx, import, mode).await?,
        };
        planned.refused.extend(refusal.map(|refusal| ImportRefused { index, refusal }));
    }
    Ok(if planned.refused.is_empty() { Ok(planned.steps) } else { Err(planned.refused) })
}

/// A plan that is being made.
#[derive(Default)]
struct Planned {
    steps: Vec<Step>,
    refused: Vec<ImportRefused>,
    ids: HashSet<Uuid>,
    names: HashSet<String>,
}

impl Planned {
    async fn update(&mut self, tx: &DatabaseTransaction, step: Step) -> Result<Option<ImportRefusal>, DbErr> {
        let id = step.before.as_ref().map(|before| before.id);
        let owner = owner_of(tx, &step.after.name).await?;
        if owner.is_some() && owner != id {
            return Ok(Some(ImportRefusal::NameTaken));
        }
        let is_first = id.is_none_or(|id| self.ids.insert(id)) && self.names.insert(step.after.name.clone());
        self.steps.push(step);
        Ok((!is_first).then_some(ImportRefusal::Twice))
    }

    async fn create(
        &mut self,
        tx: &DatabaseTransaction,
        import: &Import,
        mode: ImportMode,
    ) -> Result<Option<ImportRefusal>, DbErr> {
        let wanted = import.name.as_deref().unwrap_or(naming::UNTITLED);
        if mode == ImportMode::Update {
            let is_named_twice = import.name.is_some() && self.names.contains(wanted);
            if is_named_twice || import.id.is_some_and(|id| !self.ids.insert(id)) {
                return Ok(Some(ImportRefusal::Twice));
            }
        }
        let mut name = naming::candidate(wanted, 1);
        if self.names.contains(&name) || !taken_of(&Tx::Orm(tx), [name.clone()]).await?.is_empty() {
            name = free_name(&Tx::Orm(tx), wanted, &self.names).await?;
        }
        self.names.insert(name.clone());
        self.steps.push(Step { before: None, after: import.new_workflow(name), is_same: false });
        Ok(None)
    }
}

/// The workflow that an import is meant for.
async fn before(
    tx: &DatabaseTransaction,
    import: &Import,
    mode: ImportMode,
) -> Result<Option<WorkflowRow>, DbErr> {
    if mode == ImportMode::Create {
        return Ok(None);
    }
    if let Some(id) = import.id
        && let Some(model) = workflow::Entity::find_by_id(id).one(tx).await?
    {
        return Ok(Some(rows::of_workflow(model)));
    }
    let Some(name) = &import.name else { return Ok(None) };
    let Some(id) = owner_of(tx, name).await? else { return Ok(None) };
    Ok(workflow::Entity::find_by_id(id).one(tx).await?.map(rows::of_workflow))
}
