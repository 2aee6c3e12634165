//! Changes that the writer applies.

use sea_orm::{DatabaseTransaction, DbErr};
use sluice_engine::{AuditEntry, ChangeOrigin};

use crate::error::WriteError;
use crate::outcome::Outcome;

/// A change of the database. The writer applies it again if its transaction is lost.
pub(crate) trait Change: Send + Sync + 'static {
    /// The result.
    type Output: Send + 'static;

    /// True if the change frees more space than it takes: it is then applied even if the database is full.
    const FREES_SPACE: bool = false;

    /// Applies the change. Returns [`Fault::Rejected`] only before the first write: other changes share the transaction.
    fn apply(&self, tx: &DatabaseTransaction) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// The result of a change that requests make.
pub(crate) trait Audited: Send + Sync + 'static {
    /// Returns the audit entries; none if nothing has changed.
    fn audit_entries(&self) -> Vec<AuditEntry>;

    /// Returns the outcome for an idempotency key. None if the change was rejected, and for deletions, which are
    /// idempotent without a key.
    fn outcome(&self) -> Option<Outcome> {
        None
    }
}

/// Returns the name of the API key that makes a change.
pub(crate) fn actor(origin: Option<&ChangeOrigin>) -> Option<String> {
    origin?.actor.clone()
}

/// A change failed within its transaction.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Rejected before the first write: the transaction continues.
    Rejected(WriteError),
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
        Self::Rejected(error)
    }
}
