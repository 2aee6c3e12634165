//! New workflows: many in three statements.

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use sluice_engine::{Remember, StoreError};
use tokio::sync::oneshot;

use super::work::Work;
use crate::direct::Tx;
use crate::remembered;
use crate::workflow_changes::create_all;
use crate::{NewWorkflow, Saved, WorkflowRow, WriteError};

/// A new workflow and the caller who waits for it.
pub(super) struct Creation {
    new: NewWorkflow,
    remember: Option<Remember<Saved>>,
    created: Option<WorkflowRow>,
    reply: oneshot::Sender<Result<WorkflowRow, WriteError>>,
}

impl Creation {
    pub(super) fn new(
        new: NewWorkflow,
        remember: Option<Remember<Saved>>,
        reply: oneshot::Sender<Result<WorkflowRow, WriteError>>,
    ) -> Self {
        Self { new, remember, created: None, reply }
    }
}

/// Writes new workflows, in their order.
pub(super) async fn insert(tx: &Tx<'_>, mut creations: Vec<&mut Creation>) -> Result<(), DbErr> {
    if creations.is_empty() {
        return Ok(());
    }
    let all: Vec<&NewWorkflow> = creations.iter().map(|creation| &creation.new).collect();
    let created = create_all(tx, &all).await?;
    let mut kept = Vec::new();
    for (creation, row) in creations.iter_mut().zip(created) {
        let after = Some(creation.new.definition.hash.clone());
        let saved = Saved { row, changed: true, before: None, after, label: None };
        kept.extend(creation.remember.as_ref().map(|remember| remember.of(&saved)));
        creation.created = Some(saved.row);
    }
    remembered::keep(tx, kept.iter()).await
}

impl Work for Creation {
    fn makes_room(&self) -> bool {
        false
    }

    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move { insert(&Tx::Orm(tx), vec![self]).await })
    }

    fn done(self: Box<Self>) {
        if let Some(created) = self.created {
            // Nobody there any more: the workflow stands all the same.
            let _ = self.reply.send(Ok(created));
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error.into()));
    }
}
