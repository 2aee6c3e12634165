//! The audit log: the author, the subject and the time of every change. Entries are written in the transaction of the
//! change.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryResult, QueryTrait as _, Select,
};
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError};
use uuid::Uuid;

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::audit_entry;
use crate::error::WriteError;
use crate::query::convert;
use crate::query::pagination::{self, Page, PageRequest, RowReader, TimeRange};
use crate::writer::side_records::{self, SideRecords};

/// Estimated size of an entry, in bytes.
const ENTRY_BYTES: usize = 512;

/// A filter of audit entries. Entries have to match all fields that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The name of the API key.
    pub actor: Option<String>,
    /// The operation.
    pub operation: Option<String>,
    /// The id of the subject.
    pub subject_id: Option<String>,
    /// The time of the change.
    pub time: TimeRange,
}

/// The order of a list of entries: by time. Contains the id of the entry after which a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditOrder(pub Option<Uuid>);

impl Database {
    /// Returns a page of the audit log. Skips and logs unreadable entries.
    ///
    /// # Errors
    /// The page is too large, or the database failed.
    pub async fn audit_list(
        &self,
        filter: AuditFilter,
        request: PageRequest<AuditOrder>,
    ) -> Result<Page<audit_entry::Model, AuditOrder>, StoreError> {
        let after = request.order.0.map(|id| vec![id.into()]);
        let select =
            pagination::paginate(select_filtered(filter), &request, &[audit_entry::Column::Id], after);
        let reader = RowReader {
            read: |row: &QueryResult| convert::read(row, "", "audit_log"),
            size: |_: &audit_entry::Model| ENTRY_BYTES,
            sort_key: |row: &QueryResult| Some(AuditOrder(Some(row.try_get("", "id").ok()?))),
        };
        pagination::read_page(self.read_pool(), &select, request.page, reader).await
    }

    /// Counts audit entries.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_count(&self, filter: AuditFilter) -> Result<u64, StoreError> {
        let select = pagination::select_count(select_filtered(filter), audit_entry::Column::Id);
        pagination::count(self.read_pool(), select).await
    }

    /// Appends audit entries for a change outside the database.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_append(
        &self,
        origin: ChangeOrigin,
        entries: Vec<AuditEntry>,
    ) -> Result<(), WriteError> {
        self.writer().change(AppendEntries(SideRecords::audit_only(origin, entries))).await
    }
}

struct AppendEntries(SideRecords);

impl Change for AppendEntries {
    type Output = ();

    const CHANGES_VERSIONS: bool = false;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        Ok(side_records::insert(&Tx::Orm(tx), std::iter::once(&self.0)).await?)
    }
}

fn select_filtered(filter: AuditFilter) -> Select<audit_entry::Entity> {
    use audit_entry::Column::{Actor, At, Id, Operation, SubjectId};
    let AuditFilter { actor, operation, subject_id, time } = filter;
    let select = audit_entry::Entity::find()
        .apply_if(actor, |select, actor| select.filter(Actor.eq(actor)))
        .apply_if(operation, |select, operation| select.filter(Operation.eq(operation)))
        .apply_if(subject_id, |select, id| select.filter(SubjectId.eq(id)));
    pagination::filter_created(select, At, Id, time)
}
