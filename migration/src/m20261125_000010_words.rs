//! Which workflows are to be given their words anew, the words of versions, and when versions were made.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Workflows {
    Table,
    Id,
    HasWords,
}

#[derive(DeriveIden)]
enum WorkflowVersions {
    Table,
    WorkflowId,
    Version,
    CreatedAt,
}

#[derive(DeriveIden)]
enum VersionWords {
    Table,
    WorkflowId,
    Word,
    Version,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Not of what is there already, nor of what the release before this one writes: both are made up for when
        // the store is opened.
        let has_words = ColumnDef::new(Workflows::HasWords).boolean().not_null().default(false).take();
        let add = Table::alter().table(Workflows::Table).add_column(has_words).take();
        manager.alter_table(add).await?;
        manager.create_table(version_words()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn version_words() -> TableCreateStatement {
    Table::create()
        .table(VersionWords::Table)
        .col(ColumnDef::new(VersionWords::WorkflowId).uuid().not_null())
        // Bytes, as the words of workflows are.
        .col(ColumnDef::new(VersionWords::Word).blob().not_null())
        .col(ColumnDef::new(VersionWords::Version).integer().not_null())
        .primary_key(
            Index::create().col(VersionWords::WorkflowId).col(VersionWords::Word).col(VersionWords::Version),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_version_words_workflow")
                .from(VersionWords::Table, VersionWords::WorkflowId)
                .to(Workflows::Table, Workflows::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        // Of none, once all have theirs.
        Index::create()
            .name("workflows_without_words")
            .table(Workflows::Table)
            .col(Workflows::Id)
            .cond_where(Expr::cust("NOT has_words"))
            .take(),
        // With the number, so that a stretch of time is turned into numbers without looking at definitions.
        Index::create()
            .name("workflow_versions_created")
            .table(WorkflowVersions::Table)
            .col(WorkflowVersions::WorkflowId)
            .col(WorkflowVersions::CreatedAt)
            .col(WorkflowVersions::Version)
            .take(),
    ]
}
