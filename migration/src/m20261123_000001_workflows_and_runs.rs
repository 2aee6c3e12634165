//! Workflows and their versions, runs and their logs.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Workflows {
    Table,
    Id,
    Name,
    Description,
    Definition,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum WorkflowVersions {
    Table,
    Id,
    WorkflowId,
    Version,
    Name,
    Description,
    Definition,
    DefinitionHash,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    Id,
    WorkflowId,
    VersionId,
    ParentRunId,
    RunType,
    Status,
    StartTime,
    EndTime,
    HasOpenPause,
}

#[derive(DeriveIden)]
enum RunLog {
    Table,
    RunId,
    Seq,
    Events,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [workflows(), workflow_versions(), runs(), run_log()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn workflows() -> TableCreateStatement {
    Table::create()
        .table(Workflows::Table)
        .col(ColumnDef::new(Workflows::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(Workflows::Name).text().not_null().unique_key())
        .col(ColumnDef::new(Workflows::Description).text())
        .col(ColumnDef::new(Workflows::Definition).text().not_null())
        .col(ColumnDef::new(Workflows::CreatedAt).timestamp_with_time_zone().not_null())
        .col(ColumnDef::new(Workflows::UpdatedAt).timestamp_with_time_zone().not_null())
        .take()
}

fn workflow_versions() -> TableCreateStatement {
    Table::create()
        .table(WorkflowVersions::Table)
        .col(ColumnDef::new(WorkflowVersions::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(WorkflowVersions::WorkflowId).uuid().not_null())
        .col(ColumnDef::new(WorkflowVersions::Version).integer().not_null())
        .col(ColumnDef::new(WorkflowVersions::Name).text().not_null())
        .col(ColumnDef::new(WorkflowVersions::Description).text())
        .col(ColumnDef::new(WorkflowVersions::Definition).text().not_null())
        .col(ColumnDef::new(WorkflowVersions::DefinitionHash).text().not_null())
        .col(ColumnDef::new(WorkflowVersions::CreatedAt).timestamp_with_time_zone().not_null())
        .col(ColumnDef::new(WorkflowVersions::UpdatedAt).timestamp_with_time_zone().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("fk_workflow_versions_workflow")
                .from(WorkflowVersions::Table, WorkflowVersions::WorkflowId)
                .to(Workflows::Table, Workflows::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn runs() -> TableCreateStatement {
    let known = "status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'PAUSED', 'CANCELED')";
    Table::create()
        .table(Runs::Table)
        .col(ColumnDef::new(Runs::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(Runs::WorkflowId).uuid().not_null())
        .col(ColumnDef::new(Runs::VersionId).uuid().not_null())
        // Clients name the parent, so it may be any id: no foreign key.
        .col(ColumnDef::new(Runs::ParentRunId).uuid())
        .col(ColumnDef::new(Runs::RunType).text().not_null())
        .col(ColumnDef::new(Runs::Status).text().not_null().check(Expr::cust(known)))
        .col(ColumnDef::new(Runs::StartTime).timestamp_with_time_zone().not_null())
        .col(ColumnDef::new(Runs::EndTime).timestamp_with_time_zone())
        .col(ColumnDef::new(Runs::HasOpenPause).boolean().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("fk_runs_workflow")
                .from(Runs::Table, Runs::WorkflowId)
                .to(Workflows::Table, Workflows::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_runs_version")
                .from(Runs::Table, Runs::VersionId)
                .to(WorkflowVersions::Table, WorkflowVersions::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn run_log() -> TableCreateStatement {
    Table::create()
        .table(RunLog::Table)
        .col(ColumnDef::new(RunLog::RunId).uuid().not_null())
        .col(ColumnDef::new(RunLog::Seq).big_integer().not_null())
        .col(ColumnDef::new(RunLog::Events).text().not_null())
        .primary_key(Index::create().col(RunLog::RunId).col(RunLog::Seq))
        .foreign_key(
            ForeignKey::create()
                .name("fk_run_log_run")
                .from(RunLog::Table, RunLog::RunId)
                .to(Runs::Table, Runs::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("workflow_versions_number", WorkflowVersions::Table)
            .col(WorkflowVersions::WorkflowId)
            .col(WorkflowVersions::Version)
            .unique()
            .take(),
        // The runs of a workflow, newest first.
        index("runs_of_workflow", Runs::Table).col(Runs::WorkflowId).col(Runs::Id).take(),
        // The runs without a parent, newest first.
        index("runs_of_parent", Runs::Table).col(Runs::ParentRunId).col(Runs::Id).take(),
        // So that deleting a version doesn't look at every run.
        index("runs_of_version", Runs::Table).col(Runs::VersionId).take(),
        // These hold only the few runs that have not ended; queries repeat their words to use them.
        index("runs_driven", Runs::Table)
            .col(Runs::Id)
            .cond_where(Expr::cust("status IN ('PENDING', 'RUNNING')"))
            .take(),
        index("runs_unfinished", Runs::Table)
            .col(Runs::WorkflowId)
            .col(Runs::Id)
            .cond_where(Expr::cust("status IN ('PENDING', 'RUNNING', 'PAUSED')"))
            .take(),
        index("runs_with_open_pause", Runs::Table)
            .col(Runs::Id)
            .cond_where(Expr::cust("has_open_pause"))
            .take(),
    ]
}

fn index(name: &str, table: impl IntoTableRef) -> IndexCreateStatement {
    Index::create().name(name).table(table).take()
}
