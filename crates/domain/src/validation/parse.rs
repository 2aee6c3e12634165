use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{Code, Diagnostic, pointer_step};

/// Parses a part of a workflow.
///
/// # Errors
/// The first deviation from the shape of `T`.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Box<Diagnostic>> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer: String = error.path().iter().filter_map(pointer_segment).collect();
        let text = error.inner().to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let message = format!("Invalid definition: {reason}. See docs/workflows.md for the format.");
        Box::new(Diagnostic::new(Code::ShapeInvalid, pointer, message))
    })
}

fn pointer_segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", pointer_step(key))),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}
