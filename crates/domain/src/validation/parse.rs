use serde::de::DeserializeOwned;

use super::{Code, Diagnostic, path_pointer};

/// Parses a part of a workflow.
///
/// # Errors
/// The first deviation from the shape of `T`.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Box<Diagnostic>> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = path_pointer(error.path());
        let text = error.inner().to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let message = format!("Invalid definition: {reason}. See docs/workflows.md for the format.");
        Box::new(Diagnostic::new(Code::ShapeInvalid, pointer, message))
    })
}
