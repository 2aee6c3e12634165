//! The query parameters `version` and `label`, which select a version of a workflow.

use sluice_persistence::Pin;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::extract::query::{FromQuery, QueryReader};
use crate::openapi::params::{optional_parameter, text_schema};
use crate::patterns::{LABEL, PIN};

/// Version of a workflow, from `?version=` or `?label=`.
#[derive(Clone, Debug)]
pub(crate) struct PinQuery(pub(crate) Option<Pin>);

impl PinQuery {
    /// Returns the selected version, or the latest by default.
    pub(crate) fn or_latest(self) -> Pin {
        self.0.unwrap_or(Pin::Latest)
    }
}

impl IntoParams for PinQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let version = "Version: a number, a label, or `latest`. `draft` is an alias of `latest`: there are no \
            unpublished drafts. Default: the latest version; for rerunRun, the version of the original run.";
        let label = "Label of the version, as an alternative to `version`. Send only one of them.";
        vec![
            optional_parameter(ParameterIn::Query, "version", version, text_schema(PIN)),
            optional_parameter(ParameterIn::Query, "label", label, text_schema(LABEL)),
        ]
    }
}

impl FromQuery for PinQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        match (reader.pin("version"), reader.label("label")) {
            (Some(_), Some(_)) => {
                reader.conflict("version", "label");
                Self(None)
            }
            (pin, label) => Self(pin.or(label.map(Pin::Label))),
        }
    }
}
