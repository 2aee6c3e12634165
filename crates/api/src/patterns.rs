//! Regular expressions of the OpenAPI document, and the checks that go with them.

use validator::ValidationError;

/// Text without control characters.
pub(crate) const ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// A label.
pub(crate) const LABEL: &str = "^[a-z][a-z0-9_-]{0,63}$";

/// A version: a number, `draft`, `latest` or a label.
pub(crate) const PIN: &str = "^([1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63})$";

/// Rejects control characters in text that is shown in one line.
pub(crate) fn no_control_characters(text: &str) -> Result<(), ValidationError> {
    if text.contains(char::is_control) { Err(ValidationError::new("control_characters")) } else { Ok(()) }
}
