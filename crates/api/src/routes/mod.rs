//! The calls, one file a resource: its types beside its handlers.

use serde_json::value::RawValue;
use sluice_engine::StoreError;
use sluice_persistence::Pin;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::extract::{FromQuery, LABEL, MAX_PAGE, PIN, Reader};
use crate::parameters::{optional, text};
use crate::problem::{Kind, Problem};

pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod datasets;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod labels;
pub(crate) mod output_files;
pub(crate) mod pause_events;
pub(crate) mod pauses;
pub(crate) mod runs;
pub(crate) mod transfer;
pub(crate) mod validation;
pub(crate) mod versions;
pub(crate) mod workflow_list;
pub(crate) mod workflows;

/// Which part of a list.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000_000, default = 1, required = false)]
    pub(crate) page: u64,
    /// How many items a page has.
    #[param(minimum = 1, maximum = 100, default = 10, required = false)]
    page_size: u64,
}

impl FromQuery for PageQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { page: reader.number("page", MAX_PAGE, 1), page_size: reader.page_size() }
    }
}

/// Which version of a workflow is meant, if any is named.
#[derive(Clone, Debug)]
pub(crate) struct PinQuery(pub(crate) Option<Pin>);

impl PinQuery {
    /// The one that is named, or else the latest.
    pub(crate) fn or_latest(self) -> Pin {
        self.0.unwrap_or(Pin::Latest)
    }
}

impl IntoParams for PinQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let version = "The version: its number, `latest` or `draft` for the latest, or a label.";
        let label = "The label that stands for the version.";
        vec![
            optional(ParameterIn::Query, "version", version, text(PIN)),
            optional(ParameterIn::Query, "label", label, text(LABEL)),
        ]
    }
}

impl FromQuery for PinQuery {
    fn from_query(reader: &mut Reader) -> Self {
        match (reader.pin("version"), reader.label("label")) {
            (Some(_), Some(_)) => {
                reader.conflict("version", "label");
                Self(None)
            }
            (pin, label) => Self(pin.or(label.map(Pin::Label))),
        }
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
