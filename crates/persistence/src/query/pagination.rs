//! Parts of lists: in which order they are, behind which row they begin, and what is in them.

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

/// How far the time in an id may be from the time in its row. Both come from one clock, at nearly the same moment; ids
/// wait for a clock that was set back, so the bound is a generous one.
const SLACK: Duration = Duration::days(1);

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<O> {
    /// Which part, counted from where the order begins.
    pub page: Page,
    /// In which order, and behind which row it begins.
    pub order: O,
    /// Whether the least comes first.
    pub ascending: bool,
}

impl<O: Default> From<Page> for Part<O> {
    fn from(page: Page) -> Self {
        Self { page, ..Self::default() }
    }
}

/// What a part of a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T, O> {
    /// The rows, without those that can't be read.
    pub rows: Vec<T>,
    /// Where the next part begins; none when this one isn't full, so that there is no other.
    pub next: Option<O>,
}

/// A stretch of time, both ends within.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// At this time or earlier.
    pub to: Option<DateTime<Utc>>,
}

/// The part of a query's rows that is asked for, in the order of `columns`, of which no two rows share all. `after`
/// says what the row behind which it begins has in them.
pub(crate) fn placed<E: EntityTrait, O>(
    select: Select<E>,
    part: &Part<O>,
    columns: &[E::Column],
    after: Option<Vec<Value>>,
) -> Select<E> {
    let order = if part.ascending { Order::Asc } else { Order::Desc };
    let mut select = select.offset(part.page.offset()).limit(part.page.limit());
    for column in columns {
        select = select.order_by(*column, order.clone());
    }
    let Some(after) = after else { return select };
    let key = Expr::tuple(columns.iter().map(|column| column.into_expr()));
    let after = Expr::tuple(after.into_iter().map(Expr::val));
    select.filter(if part.ascending { key.gt(after) } else { key.lt(after) })
}

/// Reads a part of a list. `key` says where a row stands in the order, as far as the row tells.
pub(crate) async fn read<E: EntityTrait, T, O>(
    db: &impl StreamTrait,
    select: &Select<E>,
    page: Page,
    (read, size): (impl Fn(&QueryResult) -> Result<T, StoreError>, impl Fn(&T) -> usize),
    key: impl Fn(&QueryResult) -> Option<O>,
) -> Result<Listed<T, O>, StoreError> {
    let (mut found, mut last) = (0_u64, None);
    let seen = |row: &QueryResult| {
        found += 1;
        last = key(row).or_else(|| last.take());
        read(row)
    };
    let rows = convert::within_page(db, select, seen, size).await?;
    Ok(Listed { rows, next: last.filter(|_| found >= page.limit()) })
}

/// A query for how many rows another finds.
pub(crate) fn counting<E: EntityTrait>(select: Select<E>, column: E::Column) -> Select<E> {
    select.select_only().column_as(column.count(), "count")
}

/// How many rows there are, as [`counting`] asks.
pub(crate) async fn count<E: EntityTrait>(
    db: &impl ConnectionTrait,
    counting: Select<E>,
) -> Result<u64, StoreError> {
    let found: Option<i64> = counting.into_tuple().one(db).await.map_err(store_error)?;
    Ok(found.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// Rows with a time within a stretch.
pub(crate) fn within<E: EntityTrait>(select: Select<E>, column: E::Column, between: Between) -> Select<E> {
    select
        .apply_if(between.from, |select, from| select.filter(column.gte(comparable(from))))
        .apply_if(between.to, |select, to| select.filter(column.lte(comparable(to))))
}

/// As [`within`], of the time at which rows were made: their ids tell it as well, so that the index that a list is
/// ordered by finds where the stretch begins and ends.
pub(crate) fn made_within<E: EntityTrait>(
    select: Select<E>,
    column: E::Column,
    id: E::Column,
    between: Between,
) -> Select<E> {
    let Between { from, to } = between;
    within(select, column, between)
        .apply_if(from, |select, from| select.filter(id.gte(id_at(comparable(from) - SLACK, 0x00))))
        .apply_if(to, |select, to| select.filter(id.lte(id_at(comparable(to) + SLACK, 0xff))))
}

/// A bound for ids that were made at this time: version 7 begins with milliseconds (RFC 9562, 5.7).
fn id_at(time: DateTime<Utc>, rest: u8) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default().to_be_bytes();
    let mut id = [rest; 16];
    for (byte, of_time) in id.iter_mut().zip(millis.into_iter().skip(2)) {
        *byte = of_time;
    }
    Uuid::from_bytes(id)
}

/// The time, within the years that both stores can compare: SQLite compares times as text, for which
/// years need four digits.
pub(crate) fn comparable(time: DateTime<Utc>) -> DateTime<Utc> {
    let bound = |year, month, day| Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).single().unwrap_or(time);
    Ord::clamp(time, bound(1, 1, 1), bound(9999, 12, 31))
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which part, from 1.
    pub number: u64,
    /// How many rows a part has.
    pub size: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { number: 1, size: 10 }
    }
}

impl Page {
    /// How many rows are in front of this part; no more than a store can count.
    pub(crate) fn offset(self) -> u64 {
        Ord::min(self.number.saturating_sub(1).saturating_mul(self.size), i64::MAX as u64)
    }

    /// How many rows this part has at most.
    pub(crate) fn limit(self) -> u64 {
        Ord::min(self.size, i64::MAX as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_engine::clock;

    #[test]
    fn ids_lie_between_the_bounds_of_their_time() {
        let (before, id, after) = (clock::now(), clock::new_id(), clock::now());
        assert!(id_at(before, 0x00) <= id && id <= id_at(after, 0xff));
        assert!(id_at(before - SLACK, 0xff) < id && id < id_at(after + SLACK, 0x00));
        assert_eq!(id_at(DateTime::<Utc>::MIN_UTC, 0), Uuid::nil());
    }
}
