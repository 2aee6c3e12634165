//! The calls, one file a resource: its types beside its handlers.

use serde_json::value::RawValue;
use sluice_engine::StoreError;
use utoipa::IntoParams;

use crate::extract::{FromQuery, MAX_PAGE, Reader};
use crate::problem::{Kind, Problem};

pub(crate) mod catalogue;
pub(crate) mod datasets;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod output_files;
pub(crate) mod pause_events;
pub(crate) mod pauses;
pub(crate) mod runs;
pub(crate) mod validation;
pub(crate) mod versions;
pub(crate) mod workflows;

/// Which part of a list.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000_000, default = 1, required = false)]
    page: u64,
    /// How many items a page has.
    #[param(minimum = 1, maximum = 100, default = 10, required = false)]
    page_size: u64,
}

impl FromQuery for PageQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { page: reader.number("page", MAX_PAGE, 1), page_size: reader.number("page_size", 100, 10) }
    }
}

impl From<PageQuery> for sluice_persistence::Page {
    fn from(PageQuery { page, page_size }: PageQuery) -> Self {
        Self { number: page, size: page_size }
    }
}

/// A stored JSON text, to be answered as it stands.
fn stored_json(text: String, table: &'static str, id: impl ToString) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text).map_err(|error| {
        let what = format!("its definition is not JSON: {error}");
        StoreError::Unreadable { table, id: id.to_string(), what }.into()
    })
}

/// The items that can be read; the others are logged and left out, so that one bad row hides no good ones.
fn readable<T>(items: impl IntoIterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Problem> {
    let mut kept = Vec::new();
    for item in items {
        match item {
            Ok(item) => kept.push(item),
            // The store is away: that is no row's fault.
            Err(problem) if problem.kind == Kind::StoreUnavailable => return Err(problem),
            Err(problem) => tracing::error!(cause = problem.cause(), "left out of a list: {problem}"),
        }
    }
    Ok(kept)
}
