//! What is said about versions: notes, labels and who moved them. Of workflows: tags, and the number of the latest
//! version.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Workflows {
    Table,
    Id,
    Tags,
    Version,
}

#[derive(DeriveIden)]
enum WorkflowVersions {
    Table,
    Note,
    CreatedBy,
}

#[derive(DeriveIden)]
enum Labels {
    Table,
    WorkflowId,
    Name,
    Version,
    IsProtected,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum LabelMoves {
    Table,
    Id,
    WorkflowId,
    Name,
    FromVersion,
    ToVersion,
    MovedAt,
    MovedBy,
}

/// What the new column is for workflows that are there already.
const VERSION_OF_OLD_ROWS: &str = "UPDATE workflows SET version = COALESCE((SELECT MAX(v.version) \
     FROM workflow_versions v WHERE v.workflow_id = workflows.id), 1)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tags = ColumnDef::new(Workflows::Tags).text().not_null().default("[]").take();
        let note = ColumnDef::new(WorkflowVersions::Note).text().take();
        let by = ColumnDef::new(WorkflowVersions::CreatedBy).text().take();
        let version = ColumnDef::new(Workflows::Version).integer().not_null().default(1).take();
        for column in [tags, version] {
            manager.alter_table(Table::alter().table(Workflows::Table).add_column(column).take()).await?;
        }
        manager.get_connection().execute_unprepared(VERSION_OF_OLD_ROWS).await?;
        for column in [note, by] {
            let add = Table::alter().table(WorkflowVersions::Table).add_column(column).take();
            manager.alter_table(add).await?;
        }
        manager.create_table(labels()).await?;
        manager.create_table(label_moves()).await?;
        let of_label = Index::create()
            .name("label_moves_of_label")
            .table(LabelMoves::Table)
            .col(LabelMoves::WorkflowId)
            .col(LabelMoves::Name)
            .col(LabelMoves::Id)
            .take();
        manager.create_index(of_label).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn labels() -> TableCreateStatement {
    Table::create()
        .table(Labels::Table)
        .col(ColumnDef::new(Labels::WorkflowId).uuid().not_null())
        .col(ColumnDef::new(Labels::Name).text().not_null())
        .col(ColumnDef::new(Labels::Version).integer().not_null())
        .col(ColumnDef::new(Labels::IsProtected).boolean().not_null())
        .col(ColumnDef::new(Labels::CreatedAt).timestamp_with_time_zone().not_null())
        .col(ColumnDef::new(Labels::UpdatedAt).timestamp_with_time_zone().not_null())
        .primary_key(Index::create().col(Labels::WorkflowId).col(Labels::Name))
        .foreign_key(
            ForeignKey::create()
                .name("fk_labels_workflow")
                .from(Labels::Table, Labels::WorkflowId)
                .to(Workflows::Table, Workflows::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn label_moves() -> TableCreateStatement {
    Table::create()
        .table(LabelMoves::Table)
        .col(ColumnDef::new(LabelMoves::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(LabelMoves::WorkflowId).uuid().not_null())
        .col(ColumnDef::new(LabelMoves::Name).text().not_null())
        .col(ColumnDef::new(LabelMoves::FromVersion).integer())
        .col(ColumnDef::new(LabelMoves::ToVersion).integer())
        .col(ColumnDef::new(LabelMoves::MovedAt).timestamp_with_time_zone().not_null())
        .col(ColumnDef::new(LabelMoves::MovedBy).text())
        .foreign_key(
            ForeignKey::create()
                .name("fk_label_moves_workflow")
                .from(LabelMoves::Table, LabelMoves::WorkflowId)
                .to(Workflows::Table, Workflows::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}
