//! Pagination of lists. A cursor is the sort key of the last row of a page; the next page begins after it.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    QueryTrait, Select, StreamTrait, Value,
};
use sluice_engine::StoreError;
use uuid::Uuid;

use super::convert;
use crate::error::store_error;

/// Maximum difference between the time in an id and the time in its row. Both are read from the clock at nearly the
/// same moment. After the clock was set back, ids keep the later time so that they grow.
const ID_TIME_TOLERANCE: Duration = Duration::days(1);

/// A request for a page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest<O> {
    /// The page number, counted from the row after the sort key.
    pub page: PageNumber,
    /// The order, and the sort key after which the page begins.
    pub order: O,
    /// True for ascending order.
    pub ascending: bool,
}

impl<O: Default> From<PageNumber> for PageRequest<O> {
    fn from(page: PageNumber) -> Self {
        Self { page, ..Self::default() }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, O> {
    /// The rows, without unreadable ones.
    pub rows: Vec<T>,
    /// The sort key after which the next page begins, or `None` if this page isn't full.
    pub next: Option<O>,
}

/// A page number and a page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageNumber {
    /// The page number, from 1.
    pub number: u64,
    /// The maximum number of rows.
    pub size: u64,
}

impl Default for PageNumber {
    fn default() -> Self {
        Self { number: 1, size: 10 }
    }
}

impl PageNumber {
    /// Returns the number of rows before the page, within the range of the databases.
    pub(crate) fn offset(self) -> u64 {
        Ord::min(self.number.saturating_sub(1).saturating_mul(self.size), i64::MAX as u64)
    }

    /// Returns the maximum number of rows, within the range of the databases.
    pub(crate) fn limit(self) -> u64 {
        Ord::min(self.size, i64::MAX as u64)
    }
}

/// A time range. Includes both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest time.
    pub from: Option<DateTime<Utc>>,
    /// The latest time.
    pub to: Option<DateTime<Utc>>,
}

/// Restricts a query to a page, ordered by `columns`, which are unique together. `after` is the sort key after which
/// the page begins, with a value for each column.
pub(crate) fn paginate<E: EntityTrait, O>(
    select: Select<E>,
    request: &PageRequest<O>,
    columns: &[E::Column],
    after: Option<Vec<Value>>,
) -> Select<E> {
    let order = if request.ascending { Order::Asc } else { Order::Desc };
    let mut select = select.offset(request.page.offset()).limit(request.page.limit());
    for column in columns {
        select = select.order_by(*column, order.clone());
    }
    let Some(after) = after else { return select };
    let key = Expr::tuple(columns.iter().map(|column| column.into_expr()));
    let after = Expr::tuple(after.into_iter().map(Expr::val));
    select.filter(if request.ascending { key.gt(after) } else { key.lt(after) })
}

/// Functions that read a row of a list.
pub(crate) struct RowReader<R, S, K> {
    /// Reads the row.
    pub(crate) read: R,
    /// Returns the size of the row's JSON, in bytes.
    pub(crate) size: S,
    /// Returns the sort key of the row, unless its columns are unreadable.
    pub(crate) sort_key: K,
}

/// Reads a page of a list.
pub(crate) async fn read_page<E: EntityTrait, T, O>(
    db: &impl StreamTrait,
    select: &Select<E>,
    page: PageNumber,
    reader: RowReader<
        impl Fn(&QueryResult) -> Result<T, StoreError>,
        impl Fn(&T) -> usize,
        impl Fn(&QueryResult) -> Option<O>,
    >,
) -> Result<Page<T, O>, StoreError> {
    let (mut row_count, mut last) = (0_u64, None);
    let read_row = |row: &QueryResult| {
        row_count += 1;
        last = (reader.sort_key)(row).or_else(|| last.take());
        (reader.read)(row)
    };
    let rows = convert::stream_page(db, select, read_row, reader.size).await?;
    Ok(Page { rows, next: last.filter(|_| row_count >= page.limit()) })
}

/// Converts a query to one that counts its rows.
pub(crate) fn select_count<E: EntityTrait>(select: Select<E>, column: E::Column) -> Select<E> {
    select.select_only().column_as(column.count(), "count")
}

/// Runs a query made by [`select_count`].
pub(crate) async fn count<E: EntityTrait>(
    db: &impl ConnectionTrait,
    select: Select<E>,
) -> Result<u64, StoreError> {
    let count: Option<i64> = select.into_tuple().one(db).await.map_err(store_error)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// Filters rows by a time.
pub(crate) fn filter_time<E: EntityTrait>(
    select: Select<E>,
    column: E::Column,
    range: TimeRange,
) -> Select<E> {
    select
        .apply_if(range.from, |select, from| select.filter(column.gte(clamp_time(from))))
        .apply_if(range.to, |select, to| select.filter(column.lte(clamp_time(to))))
}

/// Filters rows by their time of creation. Filters by their ids too, which contain the time, so that the index of the
/// list's order finds both ends of the range.
pub(crate) fn filter_created<E: EntityTrait>(
    select: Select<E>,
    column: E::Column,
    id: E::Column,
    range: TimeRange,
) -> Select<E> {
    filter_time(select, column, range)
        .apply_if(range.from, |select, from| {
            select.filter(id.gte(id_bound(clamp_time(from) - ID_TIME_TOLERANCE, 0x00)))
        })
        .apply_if(range.to, |select, to| {
            select.filter(id.lte(id_bound(clamp_time(to) + ID_TIME_TOLERANCE, 0xff)))
        })
}

/// Returns a bound for the ids that were created at this time. A UUIDv7 begins with the time in milliseconds (RFC 9562,
/// section 5.7); `rest` fills the other bytes.
fn id_bound(time: DateTime<Utc>, rest: u8) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default().to_be_bytes();
    let mut id = [rest; 16];
    for (byte, time_byte) in id.iter_mut().zip(millis.into_iter().skip(2)) {
        *byte = time_byte;
    }
    Uuid::from_bytes(id)
}

/// Clamps a time to the years 1 to 9999: SQLite compares times as text, which requires years of four digits.
pub(crate) fn clamp_time(time: DateTime<Utc>) -> DateTime<Utc> {
    let min = Utc.with_ymd_and_hms(1, 1, 1, 0, 0, 0).single().unwrap_or(time);
    let max = Utc.with_ymd_and_hms(9999, 12, 31, 0, 0, 0).single().unwrap_or(time);
    Ord::clamp(time, min, max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_engine::clock;

    #[test]
    fn id_bounds_enclose_ids_of_the_same_time() {
        let (before, id, after) = (clock::now(), clock::new_id(), clock::now());
        assert!(id_bound(before, 0x00) <= id && id <= id_bound(after, 0xff));
        assert!(
            id_bound(before - ID_TIME_TOLERANCE, 0xff) < id && id < id_bound(after + ID_TIME_TOLERANCE, 0x00)
        );
        assert_eq!(id_bound(DateTime::<Utc>::MIN_UTC, 0), Uuid::nil());
    }
}
