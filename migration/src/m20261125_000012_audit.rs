//! The audit log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum AuditLog {
    Table,
    Id,
    At,
    Actor,
    Operation,
    RequestId,
    Subject,
    SubjectId,
    Before,
    After,
}

/// What is written stays, whoever asks for something else.
const SQLITE_APPEND_ONLY: [&str; 3] = [
    // A REPLACE deletes without asking the trigger for deletes.
    "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log \
     WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR NEW.rowid > 0 AND rowid = NEW.rowid) BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
];
const POSTGRES_APPEND_ONLY: [&str; 2] = [
    "CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(AuditLog::Table)
            .col(ColumnDef::new(AuditLog::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(AuditLog::At).timestamp_with_time_zone().not_null())
            .col(ColumnDef::new(AuditLog::Actor).text())
            .col(ColumnDef::new(AuditLog::Operation).text().not_null())
            .col(ColumnDef::new(AuditLog::RequestId).text().not_null())
            .col(ColumnDef::new(AuditLog::Subject).text().not_null())
            .col(ColumnDef::new(AuditLog::SubjectId).text().not_null())
            .col(ColumnDef::new(AuditLog::Before).text())
            .col(ColumnDef::new(AuditLog::After).text())
            .take();
        manager.create_table(table).await?;
        for (name, column) in [
            ("audit_log_by_subject", AuditLog::SubjectId),
            ("audit_log_by_actor", AuditLog::Actor),
            ("audit_log_by_operation", AuditLog::Operation),
        ] {
            let index =
                Index::create().name(name).table(AuditLog::Table).col(column).col(AuditLog::Id).take();
            manager.create_index(index).await?;
        }
        let connection = manager.get_connection();
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => &POSTGRES_APPEND_ONLY[..],
            _ => &SQLITE_APPEND_ONLY[..],
        };
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
