//! Changes of the database.

use crate::error::WriteError;
use sea_orm::{DatabaseTransaction, DbErr};

/// A change of the database. It can be made again when its transaction was lost.
pub(crate) trait Change: Send + Sync + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// Whether it frees more than it takes: such a change is made in a store that is full, too.
    const FREES_SPACE: bool = false;

    /// Makes the change. [`Fault::Refused`] only before anything is written: others share the transaction.
    fn apply(&self, tx: &DatabaseTransaction) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// Why a change could not be made within its transaction.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It must not be made: found before anything was written, so the transaction can go on.
    Refused(WriteError),
    /// The database failed: the transaction is lost.
    Database(DbErr),
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        Self::Refused(error)
    }
}
