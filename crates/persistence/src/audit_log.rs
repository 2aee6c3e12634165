//! The audit log: who changed what, when. Written in the transaction of the change.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryResult, QueryTrait as _, Select,
};
use sluice_engine::{AuditEntry, StoreError};
use uuid::Uuid;

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::audit_entry as entity;
use crate::error::{WriteError, store_error};
use crate::query::pagination::{self, Between, Listed, Part};
use crate::writer::side_records::insert_audit;

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its id; ids grow with time.
    pub id: Uuid,
    /// When the change was made.
    pub at: DateTime<Utc>,
    /// The name of the API key; none on a server without keys.
    pub actor: Option<String>,
    /// The name of the call in the OpenAPI document.
    pub operation: String,
    /// The id of the request.
    pub request_id: String,
    /// What kind of thing has changed.
    pub subject: String,
    /// Which one.
    pub subject_id: String,
    /// What it was before.
    pub before: Option<String>,
    /// What it is since.
    pub after: Option<String>,
}

/// Which entries a list shall have: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Changes with this key.
    pub actor: Option<String>,
    /// Changes by this call.
    pub operation: Option<String>,
    /// Changes of this thing.
    pub subject_id: Option<String>,
    /// When they were made.
    pub made: Between,
}

/// The order of a list of entries, by when they were made, and the entry behind which it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditOrder(pub Option<Uuid>);

impl Database {
    /// Entries of the audit log.
    ///
    /// # Errors
    /// When the store fails, or the part is too large.
    pub async fn audit(
        &self,
        filter: AuditFilter,
        part: Part<AuditOrder>,
    ) -> Result<Listed<AuditRow, AuditOrder>, StoreError> {
        let after = part.order.0.map(|id| vec![id.into()]);
        let select = pagination::placed(filtered(filter), &part, &[entity::Column::Id], after);
        let key = |row: &QueryResult| Some(AuditOrder(Some(row.try_get("", "id").ok()?)));
        pagination::read(self.readers(), &select, part.page, (read, |_: &AuditRow| 512), key).await
    }

    /// How many entries fit a filter.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_count(&self, filter: AuditFilter) -> Result<u64, StoreError> {
        pagination::count(self.readers(), pagination::counting(filtered(filter), entity::Column::Id)).await
    }

    /// Writes entries of a change that has no transaction of its own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_append(&self, entries: Vec<AuditEntry>) -> Result<(), WriteError> {
        self.writer().change(Append(entries)).await
    }
}

struct Append(Vec<AuditEntry>);

impl Change for Append {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        Ok(insert_audit(&Tx::Orm(tx), &self.0.iter().collect::<Vec<_>>()).await?)
    }
}

fn filtered(filter: AuditFilter) -> Select<entity::Entity> {
    use entity::Column::{Actor, At, Id, Operation, SubjectId};
    let AuditFilter { actor, operation, subject_id, made } = filter;
    let select = entity::Entity::find()
        .apply_if(actor, |select, actor| select.filter(Actor.eq(actor)))
        .apply_if(operation, |select, operation| select.filter(Operation.eq(operation)))
        .apply_if(subject_id, |select, id| select.filter(SubjectId.eq(id)));
    pagination::made_within(select, At, Id, made)
}

fn read(row: &QueryResult) -> Result<AuditRow, StoreError> {
    use sea_orm::FromQueryResult as _;
    let entity::Model { id, at, actor, operation, request_id, subject, subject_id, before, after } =
        entity::Model::from_query_result(row, "").map_err(store_error)?;
    Ok(AuditRow { id, at, actor, operation, request_id, subject, subject_id, before, after })
}
