//! What lists are searched by: tags and words of workflows, and indexes for the filters of runs.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Workflows {
    Table,
    Id,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum WorkflowTags {
    Table,
    Tag,
    WorkflowId,
}

#[derive(DeriveIden)]
enum WorkflowWords {
    Table,
    Word,
    WorkflowId,
    IsOfName,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    Id,
    WorkflowId,
    Status,
    RunType,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [tags(), words()] {
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

fn tags() -> TableCreateStatement {
    Table::create()
        .table(WorkflowTags::Table)
        .col(ColumnDef::new(WorkflowTags::Tag).text().not_null())
        .col(ColumnDef::new(WorkflowTags::WorkflowId).uuid().not_null())
        .primary_key(Index::create().col(WorkflowTags::Tag).col(WorkflowTags::WorkflowId))
        .foreign_key(&mut of_workflow(
            "fk_workflow_tags_workflow",
            WorkflowTags::Table,
            WorkflowTags::WorkflowId,
        ))
        .take()
}

fn words() -> TableCreateStatement {
    Table::create()
        .table(WorkflowWords::Table)
        // Bytes, so that what begins alike stands together whatever the collation of the database.
        .col(ColumnDef::new(WorkflowWords::Word).blob().not_null())
        .col(ColumnDef::new(WorkflowWords::WorkflowId).uuid().not_null())
        .col(ColumnDef::new(WorkflowWords::IsOfName).boolean().not_null())
        .primary_key(Index::create().col(WorkflowWords::Word).col(WorkflowWords::WorkflowId))
        .foreign_key(&mut of_workflow(
            "fk_workflow_words_workflow",
            WorkflowWords::Table,
            WorkflowWords::WorkflowId,
        ))
        .take()
}

fn of_workflow(name: &str, table: impl IntoTableRef, column: impl IntoIden) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, column)
        .to(Workflows::Table, Workflows::Id)
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        // So that writing them anew, and deleting a workflow, doesn't look at those of all.
        index("workflow_tags_of_workflow", WorkflowTags::Table).col(WorkflowTags::WorkflowId).take(),
        index("workflow_words_of_workflow", WorkflowWords::Table).col(WorkflowWords::WorkflowId).take(),
        index("workflows_updated", Workflows::Table).col(Workflows::UpdatedAt).col(Workflows::Id).take(),
        // The id stands last: it is the order of the lists.
        index("runs_of_workflow_status", Runs::Table)
            .col(Runs::WorkflowId)
            .col(Runs::Status)
            .col(Runs::Id)
            .take(),
        index("runs_of_status", Runs::Table).col(Runs::Status).col(Runs::Id).take(),
        // Also the batches, which are runs of one type.
        index("runs_of_type", Runs::Table).col(Runs::RunType).col(Runs::Id).take(),
    ]
}

fn index(name: &str, table: impl IntoTableRef) -> IndexCreateStatement {
    Index::create().name(name).table(table).take()
}
