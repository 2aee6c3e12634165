//! The query parameters `page` and `page_size`.

use utoipa::IntoParams;

use crate::extract::query::{FromQuery, MAX_PAGE, QueryReader};

/// Page of a list, by number.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Page number, from 1.
    #[param(minimum = 1, maximum = 1_000_000_000, default = 1, required = false)]
    pub(crate) page: u64,
    /// Number of items per page.
    #[param(minimum = 1, maximum = 100, default = 10, required = false)]
    page_size: u64,
}

impl FromQuery for PageQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { page: reader.number("page", MAX_PAGE, 1), page_size: reader.page_size() }
    }
}

impl From<PageQuery> for sluice_persistence::PageNumber {
    fn from(PageQuery { page, page_size }: PageQuery) -> Self {
        Self { number: page, size: page_size }
    }
}
