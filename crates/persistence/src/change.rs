//! Changes that the writer applies.

use sea_orm::{DatabaseTransaction, DbErr};
use sluice_engine::{AuditEntry, ChangeOrigin};

use crate::error::WriteError;
use crate::outcome::Outcome;

/// A change of the database. The writer applies it again if its transaction is rolled back.
pub(crate) trait Change: Send + Sync + 'static {
    /// The result of the change.
    type Output: Send + 'static;

    /// True if the change frees more space than it uses. It is then applied even if the database is full.
    const FREES_SPACE: bool = false;

    /// True if the change may change the latest version of a workflow, or delete one.
    const CHANGES_VERSIONS: bool = true;

    /// Applies the change. Must not return [`Fault::Rejected`] after the first write: other changes share the
    /// transaction.
    fn apply(&self, tx: &DatabaseTransaction) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// The result of a change that is recorded in the audit log.
pub(crate) trait Audited: Send + Sync + 'static {
    /// Returns the audit entries. Empty if nothing has changed.
    fn audit_entries(&self) -> Vec<AuditEntry>;

    /// Returns the outcome to store for an idempotency key. `None` if the change was rejected, and for deletions, which
    /// are idempotent without a key.
    fn outcome(&self) -> Option<Outcome> {
        None
    }
}

/// Returns the name of the API key that makes a change.
pub(crate) fn actor(origin: Option<&ChangeOrigin>) -> Option<String> {
    origin?.actor.clone()
}

/// The reason why a change failed within its transaction.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The change was rejected before its first write. The transaction continues.
    Rejected(WriteError),
    /// The database failed. The transaction has to be rolled back.
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
