//! The initial schema: all tables and indexes of the first release.

use sea_orm::sea_query::{
    ConditionalStatement as _, Expr, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index,
    IndexCreateStatement, Table, TableCreateStatement,
};
use sea_orm::{DbBackend, Statement};

use crate::columns::{
    big_integer, big_integer_null, blob, boolean, integer, integer_null, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};
use crate::migration::Migration;

pub(super) const MIGRATION: Migration =
    Migration { name: "m20261128_000001_initial_schema", statements: initial_schema };

fn initial_schema(backend: DbBackend) -> Vec<Statement> {
    let tables = [
        workflows(),
        workflow_versions(),
        labels(),
        label_moves(),
        workflow_tags(),
        workflow_words(),
        version_words(),
        datasets(),
        dataset_rows(),
        runs(),
        run_log(),
        batch_rows(),
        pause_events(),
        idempotency_keys(),
        api_keys(),
        audit_log(),
        probes(),
    ];
    let indexes = [workflow_indexes(), run_indexes(), other_indexes()];
    let append_only = match backend {
        DbBackend::Postgres => &POSTGRES_APPEND_ONLY[..],
        _ => &SQLITE_APPEND_ONLY[..],
    };
    let tables = tables.iter().map(|table| backend.build(table));
    let indexes = indexes.iter().flatten().map(|index| backend.build(index));
    let append_only = append_only.iter().map(|sql| Statement::from_string(backend, *sql));
    tables.chain(indexes).chain(append_only).collect()
}

fn workflows() -> TableCreateStatement {
    Table::create()
        .table("workflows")
        .col(uuid("id").primary_key())
        .col(text("name").unique_key())
        .col(text_null("description"))
        .col(text("definition"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(text("tags"))
        .col(integer("version"))
        .take()
}

fn workflow_versions() -> TableCreateStatement {
    Table::create()
        .table("workflow_versions")
        .col(uuid("id").primary_key())
        .col(uuid("workflow_id"))
        .col(integer("version"))
        .col(text("name"))
        .col(text_null("description"))
        .col(text("definition"))
        .col(text("definition_hash"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(text_null("note"))
        .col(text_null("created_by"))
        .foreign_key(&mut child_of_workflow("fk_workflow_versions_workflow", "workflow_versions"))
        .take()
}

fn labels() -> TableCreateStatement {
    Table::create()
        .table("labels")
        .col(uuid("workflow_id"))
        .col(text("name"))
        .col(integer("version"))
        .col(boolean("is_protected"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .primary_key(Index::create().col("workflow_id").col("name"))
        .foreign_key(&mut child_of_workflow("fk_labels_workflow", "labels"))
        .take()
}

fn label_moves() -> TableCreateStatement {
    Table::create()
        .table("label_moves")
        .col(uuid("id").primary_key())
        .col(uuid("workflow_id"))
        .col(text("name"))
        .col(integer_null("from_version"))
        .col(integer_null("to_version"))
        .col(timestamp_with_time_zone("moved_at"))
        .col(text_null("moved_by"))
        .foreign_key(&mut child_of_workflow("fk_label_moves_workflow", "label_moves"))
        .take()
}

fn workflow_tags() -> TableCreateStatement {
    Table::create()
        .table("workflow_tags")
        .col(text("tag"))
        .col(uuid("workflow_id"))
        .primary_key(Index::create().col("tag").col("workflow_id"))
        .foreign_key(&mut child_of_workflow("fk_workflow_tags_workflow", "workflow_tags"))
        .take()
}

/// Defines the table `workflow_words`. Words are stored as bytes, so that words with a prefix are a range of the index
/// in any collation.
fn workflow_words() -> TableCreateStatement {
    Table::create()
        .table("workflow_words")
        .col(blob("word"))
        .col(uuid("workflow_id"))
        .primary_key(Index::create().col("word").col("workflow_id"))
        .foreign_key(&mut child_of_workflow("fk_workflow_words_workflow", "workflow_words"))
        .take()
}

fn version_words() -> TableCreateStatement {
    Table::create()
        .table("version_words")
        .col(uuid("workflow_id"))
        .col(blob("word"))
        .col(integer("version"))
        .primary_key(Index::create().col("workflow_id").col("word").col("version"))
        .foreign_key(&mut child_of_workflow("fk_version_words_workflow", "version_words"))
        .take()
}

fn datasets() -> TableCreateStatement {
    Table::create()
        .table("datasets")
        .col(uuid("id").primary_key())
        .col(text("name"))
        .col(text_null("description"))
        .col(text("filename"))
        .col(big_integer("rows"))
        .col(boolean("is_text"))
        .col(timestamp_with_time_zone("created_at"))
        .take()
}

fn dataset_rows() -> TableCreateStatement {
    Table::create()
        .table("dataset_rows")
        .col(uuid("dataset_id"))
        .col(big_integer("row"))
        .col(text("fields"))
        .primary_key(Index::create().col("dataset_id").col("row"))
        .foreign_key(&mut cascading_key("fk_dataset_rows_dataset", "dataset_rows", "dataset_id", "datasets"))
        .take()
}

fn runs() -> TableCreateStatement {
    let statuses = "status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'PAUSED', 'CANCELED')";
    Table::create()
        .table("runs")
        .col(uuid("id").primary_key())
        .col(uuid("workflow_id"))
        .col(uuid("version_id"))
        // Not a foreign key, because clients choose the parent, which may be any id.
        .col(uuid_null("parent_run_id"))
        .col(text("run_type"))
        .col(text("status").check(Expr::cust(statuses)))
        .col(timestamp_with_time_zone("start_time"))
        .col(timestamp_with_time_zone_null("end_time"))
        .col(boolean("has_open_pause"))
        .col(big_integer_null("batch_row"))
        // Not a foreign key, because the dataset may be deleted.
        .col(uuid_null("dataset_id"))
        .foreign_key(&mut child_of_workflow("fk_runs_workflow", "runs"))
        .foreign_key(&mut cascading_key("fk_runs_version", "runs", "version_id", "workflow_versions"))
        .take()
}

fn run_log() -> TableCreateStatement {
    Table::create()
        .table("run_log")
        .col(uuid("run_id"))
        .col(big_integer("seq"))
        .col(text("events"))
        .primary_key(Index::create().col("run_id").col("seq"))
        .foreign_key(&mut child_of_run("fk_run_log_run", "run_log"))
        .take()
}

fn batch_rows() -> TableCreateStatement {
    Table::create()
        .table("batch_rows")
        .col(uuid("run_id"))
        .col(big_integer("row"))
        .col(text("inputs"))
        .primary_key(Index::create().col("run_id").col("row"))
        .foreign_key(&mut child_of_run("fk_batch_rows_run", "batch_rows"))
        .take()
}

fn pause_events() -> TableCreateStatement {
    Table::create()
        .table("pause_events")
        .col(big_integer("id").auto_increment().primary_key())
        .col(uuid("run_id"))
        .col(text("event"))
        .foreign_key(&mut child_of_run("fk_pause_events_run", "pause_events"))
        .take()
}

fn idempotency_keys() -> TableCreateStatement {
    Table::create()
        .table("idempotency_keys")
        .col(text("key").primary_key())
        .col(text("request_hash"))
        .col(text_null("outcome"))
        .col(text_null("response"))
        .col(timestamp_with_time_zone("created_at"))
        .take()
}

fn api_keys() -> TableCreateStatement {
    Table::create()
        .table("api_keys")
        .col(text("id").primary_key())
        .col(text("name").unique_key())
        .col(text("secret_hash"))
        .col(text("scopes"))
        .col(boolean("for_others"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(timestamp_with_time_zone_null("last_used_at"))
        .take()
}

fn audit_log() -> TableCreateStatement {
    Table::create()
        .table("audit_log")
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("at"))
        .col(text_null("actor"))
        .col(text("operation"))
        .col(text("request_id"))
        .col(text("subject"))
        .col(text("subject_id"))
        .col(text_null("before"))
        .col(text_null("after"))
        .take()
}

/// Defines the table `probes`, in which the write probe inserts and deletes a row.
fn probes() -> TableCreateStatement {
    Table::create().table("probes").col(big_integer("id").primary_key()).col(text("filler")).take()
}

fn workflow_indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("workflows_updated", "workflows", &["updated_at", "id"]),
        index("workflow_versions_number", "workflow_versions", &["workflow_id", "version"]).unique().take(),
        // Contains the version number, so that a query for a time range doesn't read the definitions.
        index("workflow_versions_created", "workflow_versions", &["workflow_id", "created_at", "version"]),
        index("label_moves_of_label", "label_moves", &["workflow_id", "name", "id"]),
        // To update and delete a workflow without a scan.
        index("workflow_tags_of_workflow", "workflow_tags", &["workflow_id"]),
        index("workflow_words_of_workflow", "workflow_words", &["workflow_id"]),
    ]
}

/// Defines the indexes of `runs`. Lists of runs are sorted by id, so the id is the last column of the indexes for their
/// filters. A query uses a partial index only if it contains exactly the same condition.
fn run_indexes() -> Vec<IndexCreateStatement> {
    let unfinished_row = "batch_row IS NOT NULL AND status IN ('PENDING', 'RUNNING', 'PAUSED')";
    vec![
        index("runs_of_workflow", "runs", &["workflow_id", "id"]),
        index("runs_of_workflow_status", "runs", &["workflow_id", "status", "id"]),
        index("runs_of_status", "runs", &["status", "id"]),
        index("runs_of_type", "runs", &["run_type", "id"]),
        index("runs_of_parent", "runs", &["parent_run_id", "id"]),
        // To delete a version without a scan.
        index("runs_of_version", "runs", &["version_id"]),
        partial_index("runs_driven", &["id"], "status IN ('PENDING', 'RUNNING')"),
        partial_index(
            "runs_unfinished",
            &["workflow_id", "id"],
            "status IN ('PENDING', 'RUNNING', 'PAUSED')",
        ),
        partial_index("runs_with_open_pause", &["id"], "has_open_pause"),
        partial_index("runs_of_batch", &["parent_run_id", "batch_row"], "batch_row IS NOT NULL")
            .unique()
            .take(),
        partial_index("runs_batch_status", &["parent_run_id", "status"], "batch_row IS NOT NULL"),
        partial_index("runs_unfinished_rows", &["parent_run_id"], unfinished_row),
        partial_index("runs_of_dataset", &["dataset_id", "id"], "dataset_id IS NOT NULL"),
    ]
}

fn other_indexes() -> Vec<IndexCreateStatement> {
    vec![
        // To delete a run without a scan.
        index("pause_events_of_run", "pause_events", &["run_id"]),
        index("idempotency_keys_by_age", "idempotency_keys", &["created_at"]),
        index("audit_log_by_subject", "audit_log", &["subject_id", "id"]),
        index("audit_log_by_actor", "audit_log", &["actor", "id"]),
        index("audit_log_by_operation", "audit_log", &["operation", "id"]),
    ]
}

fn index(name: &str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

/// Defines a partial index of the runs that match a condition.
fn partial_index(name: &str, columns: &[&'static str], condition: &'static str) -> IndexCreateStatement {
    index(name, "runs", columns).cond_where(Expr::cust(condition)).take()
}

fn child_of_workflow(name: &str, table: &'static str) -> ForeignKeyCreateStatement {
    cascading_key(name, table, "workflow_id", "workflows")
}

fn child_of_run(name: &str, table: &'static str) -> ForeignKeyCreateStatement {
    cascading_key(name, table, "run_id", "runs")
}

/// Defines a foreign key. A row is deleted when the row that it references is deleted.
fn cascading_key(
    name: &str,
    table: &'static str,
    column: &'static str,
    parent: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, column)
        .to(parent, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

/// Triggers that make the audit log append-only, for SQLite.
const SQLITE_APPEND_ONLY: [&str; 3] = [
    // `REPLACE` deletes the old row without firing the trigger for deletes.
    "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log \
     WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR NEW.rowid > 0 AND rowid = NEW.rowid) BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN \
     SELECT RAISE(ABORT, 'the audit log is append-only'); END",
];

/// Triggers that make the audit log append-only, for PostgreSQL.
const POSTGRES_APPEND_ONLY: [&str; 2] = [
    "CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
];
