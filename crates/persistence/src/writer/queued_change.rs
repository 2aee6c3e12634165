//! Changes other than the commits of runs.

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use sluice_engine::{Remember, StoreError};
use tokio::sync::oneshot;

use super::side_records;
use crate::change::{Change, Fault};
use crate::connection::disk_reserve;
use crate::connection::sqlite_fast_path::Tx;
use crate::error::WriteError;

/// A change with what is to be kept with it.
pub(super) struct Once<C: Change>(pub(super) C, pub(super) Option<Remember<C::Output>>);

impl<C: Change> Change for Once<C>
where
    C::Output: Sync,
{
    type Output = C::Output;

    const FREES_SPACE: bool = C::FREES_SPACE;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Self::Output, Fault> {
        let Self(change, remember) = self;
        let made = change.apply(tx).await?;
        let kept = remember.as_ref().map(|remember| remember.of(&made));
        side_records::keep(&Tx::Orm(tx), kept.iter()).await?;
        Ok(made)
    }
}

/// A change whose type is forgotten, so that different ones can wait in one queue.
pub(super) trait Work: Send {
    /// As [`Change::FREES_SPACE`].
    fn frees_space(&self) -> bool;

    /// Makes the change and keeps the answer.
    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>>;

    /// Answers: what was kept is durable.
    fn done(self: Box<Self>);

    /// Answers: nothing happened.
    fn failed(self: Box<Self>, error: StoreError);
}

/// A change and the caller who waits for it.
pub(super) struct Waiting<C: Change> {
    change: C,
    answer: Option<Result<C::Output, WriteError>>,
    reply: oneshot::Sender<Result<C::Output, WriteError>>,
}

impl<C: Change> Waiting<C> {
    pub(super) fn new(change: C, reply: oneshot::Sender<Result<C::Output, WriteError>>) -> Self {
        Self { change, answer: None, reply }
    }
}

impl<C: Change> Work for Waiting<C> {
    fn frees_space(&self) -> bool {
        C::FREES_SPACE
    }

    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move {
            let change = self.change.apply(tx);
            let made =
                if C::FREES_SPACE { disk_reserve::with_reserve(tx, change).await } else { change.await };
            self.answer = Some(match made {
                Ok(output) => Ok(output),
                Err(Fault::Refused(refusal)) => Err(refusal),
                Err(Fault::Database(error)) => return Err(error),
            });
            Ok(())
        })
    }

    fn done(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // Nobody there any more: the change stands all the same.
            let _ = self.reply.send(answer);
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error.into()));
    }
}
