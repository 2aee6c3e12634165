//! Extractors: what a request says, parsed and bounded, or a problem that says what to change.

use validator::ValidationError;

mod body;
mod path;
mod query;
pub(crate) mod shape;

pub(crate) use body::{Json, JsonText, LARGE, OptionalJson, media_type, parse_now, read_body, refused};
pub(crate) use path::{
    DatasetId, DiffVersions, LABEL, LabelName, OutputFileId, PIN, RunId, VersionPin, WorkflowId, parse_id,
    parse_pin,
};
pub(crate) use query::{FromQuery, MAX_PAGE, Query, Reader};

/// A check for texts that people see in one line.
pub(crate) fn no_control_characters(text: &str) -> Result<(), ValidationError> {
    if text.contains(char::is_control) { Err(ValidationError::new("control_characters")) } else { Ok(()) }
}
