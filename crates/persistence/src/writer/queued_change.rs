//! Changes in the writer's queue.

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use sluice_engine::{ChangeOrigin, StoreError};
use tokio::sync::oneshot;

use super::side_records::{self, SideRecords};
use crate::change::{Audited, Change, Fault};
use crate::connection::disk_reserve;
use crate::connection::sqlite_fast_path::Tx;
use crate::error::WriteError;

/// A change with its origin. Applying it also writes the side records.
pub(super) struct AuditedChange<C> {
    pub(super) change: C,
    pub(super) origin: Option<ChangeOrigin>,
}

impl<C: Change> Change for AuditedChange<C>
where
    C::Output: Audited,
{
    type Output = C::Output;

    const FREES_SPACE: bool = C::FREES_SPACE;
    const CHANGES_VERSIONS: bool = C::CHANGES_VERSIONS;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Self::Output, Fault> {
        let output = self.change.apply(tx).await?;
        let records = self.origin.as_ref().map(|origin| SideRecords::of_result(origin, &output));
        side_records::insert(&Tx::Orm(tx), records.iter()).await?;
        Ok(output)
    }
}

/// A change of any type, with the channel of its caller.
pub(super) trait QueuedChange: Send {
    /// Returns [`Change::FREES_SPACE`].
    fn frees_space(&self) -> bool;

    /// Returns [`Change::CHANGES_VERSIONS`].
    fn changes_versions(&self) -> bool;

    /// Applies the change and stores its result.
    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>>;

    /// Replies with the result. To be called after the transaction is durable.
    fn reply(self: Box<Self>);

    /// Replies with the error of the transaction.
    fn reply_error(self: Box<Self>, error: StoreError);
}

/// A change and the channel of its caller.
pub(super) struct PendingChange<C: Change> {
    change: C,
    result: Option<Result<C::Output, WriteError>>,
    reply: oneshot::Sender<Result<C::Output, WriteError>>,
}

impl<C: Change> PendingChange<C> {
    pub(super) fn new(change: C, reply: oneshot::Sender<Result<C::Output, WriteError>>) -> Self {
        Self { change, result: None, reply }
    }
}

impl<C: Change> QueuedChange for PendingChange<C> {
    fn frees_space(&self) -> bool {
        C::FREES_SPACE
    }

    fn changes_versions(&self) -> bool {
        C::CHANGES_VERSIONS
    }

    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move {
            let change = self.change.apply(tx);
            let result =
                if C::FREES_SPACE { disk_reserve::with_reserve(tx, change).await } else { change.await };
            self.result = Some(match result {
                Ok(output) => Ok(output),
                Err(Fault::Rejected(error)) => Err(error),
                Err(Fault::Database(error)) => return Err(error),
            });
            Ok(())
        })
    }

    fn reply(self: Box<Self>) {
        let Self { change, result, reply } = *self;
        // Frees the idempotency key before the client can repeat the request.
        drop(change);
        if let Some(result) = result {
            // The change is durable even if the caller is gone.
            let _ = reply.send(result);
        }
    }

    fn reply_error(self: Box<Self>, error: StoreError) {
        let Self { change, reply, .. } = *self;
        drop(change);
        let _ = reply.send(Err(error.into()));
    }
}
