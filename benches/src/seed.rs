//! Seeding of a database with many rows while the server is stopped.

use std::path::Path;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::args::Failure;

/// Copies the newest workflow and the oldest run until there are `rows` of each.
pub(crate) fn seed(file: &Path, rows: u64) -> Result<(), Failure> {
    let mut db = Connection::open(file)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")?;
    let tx = db.transaction()?;
    let missing = |table: &str| -> Result<u64, Failure> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(rows.saturating_sub(tx.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs()))
    };
    let (workflows, runs) = (missing("workflows")?, missing("runs")?);
    {
        let sql = "SELECT max(id) FROM workflows WHERE name NOT LIKE 'copy %'";
        let original_workflow: Vec<u8> = tx.query_row(sql, [], |row| row.get(0))?;
        let mut copy_workflow = tx.prepare(
            "INSERT INTO workflows (id, name, description, definition, created_at, updated_at, tags, version) \
             SELECT ?1, 'copy ' || hex(?1), description, definition, created_at, updated_at, tags, version \
             FROM workflows WHERE id = ?2",
        )?;
        let mut copy_words = tx.prepare(
            "INSERT INTO workflow_words (workflow_id, word) SELECT ?1, word FROM workflow_words WHERE workflow_id = ?2",
        )?;
        for _ in 0..workflows {
            let id = new_id();
            copy_workflow.execute(params![id, original_workflow])?;
            copy_words.execute(params![id, original_workflow])?;
        }
        let original_run: Vec<u8> = tx.query_row("SELECT min(id) FROM runs", [], |row| row.get(0))?;
        let mut copy_run = tx.prepare(
            "INSERT INTO runs (id, workflow_id, version_id, run_type, status, start_time, has_open_pause) \
             SELECT ?1, workflow_id, version_id, run_type, status, start_time, has_open_pause \
             FROM runs WHERE id = ?2",
        )?;
        let mut copy_log = tx.prepare(
            "INSERT INTO run_log (run_id, seq, events) SELECT ?1, seq, events FROM run_log WHERE run_id = ?2",
        )?;
        for _ in 0..runs {
            let id = new_id();
            copy_run.execute(params![id, original_run])?;
            copy_log.execute(params![id, original_run])?;
        }
    }
    tx.commit()?;
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn new_id() -> Vec<u8> {
    let id: Uuid = sluice_engine::clock::new_id();
    id.as_bytes().to_vec()
}
