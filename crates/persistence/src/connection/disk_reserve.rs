//! Room for what makes room: an SQLite file that has reached its limit can still be deleted from.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

/// By how many pages of the file a change may be beyond its limit that frees more than it takes: it is written down in
/// the audit log before anything of what it frees can be used.
const RESERVE: i64 = 256;
/// The most pages that SQLite counts.
const MOST: i64 = 4_294_967_294;

/// Makes a change that may go beyond the limit of the file by a little.
pub(crate) async fn with_reserve<T, E: From<DbErr>>(
    tx: &DatabaseTransaction,
    change: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return change.await;
    }
    let limit = set_limit(tx, None).await?;
    set_limit(tx, Some(limit.saturating_add(RESERVE).min(MOST))).await?;
    let made = change.await;
    // Not a part of the transaction: it has to be set back also where that is undone. A file that has become larger
    // than the limit keeps its size as limit until the next start.
    set_limit(tx, Some(limit)).await?;
    made
}

/// The limit of the file in pages, as it is from now on.
async fn set_limit(tx: &DatabaseTransaction, pages: Option<i64>) -> Result<i64, DbErr> {
    let pages = pages.map_or_else(String::new, |pages| format!(" = {pages}"));
    let pragma = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA max_page_count{pages}"));
    let row = tx.query_one_raw(pragma).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("a limit".to_owned()))?.try_get_by_index(0)
}
