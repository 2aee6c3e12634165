//! A reserve of pages for deletes, so that rows can be deleted from a full SQLite file.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

/// Pages by which a delete may exceed the size limit: its audit entry is written before the freed pages can be reused.
const RESERVE_PAGES: i64 = 256;
/// The maximum page count of SQLite.
const MAX_PAGES: i64 = 4_294_967_294;

/// Runs a change with the size limit raised by the reserve.
pub(crate) async fn with_reserve<T, E: From<DbErr>>(
    tx: &DatabaseTransaction,
    change: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return change.await;
    }
    let limit = set_max_pages(tx, None).await?;
    set_max_pages(tx, Some(limit.saturating_add(RESERVE_PAGES).min(MAX_PAGES))).await?;
    let result = change.await;
    // The limit isn't part of the transaction: it has to be restored after a rollback too. A file that has outgrown the
    // limit keeps its size as the limit until the next start.
    set_max_pages(tx, Some(limit)).await?;
    result
}

/// Sets the size limit, if given. Returns the limit in effect, in pages.
async fn set_max_pages(tx: &DatabaseTransaction, pages: Option<i64>) -> Result<i64, DbErr> {
    let pages = pages.map_or_else(String::new, |pages| format!(" = {pages}"));
    let pragma = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA max_page_count{pages}"));
    let row = tx.query_one_raw(pragma).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("max_page_count".to_owned()))?.try_get_by_index(0)
}
