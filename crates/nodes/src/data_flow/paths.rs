//! Config fields that map names to dotted paths, such as `output_map`.

use indexmap::IndexMap;
use sluice_domain::validation::{Fields, Reference, pointer_step};

/// Returns the references in the config field `field`.
pub(crate) fn references(field: &str, paths: &IndexMap<String, String>) -> Vec<Reference> {
    let paths = paths.iter().filter(|(_, path)| !path.is_empty());
    paths.map(|(name, path)| Reference::field(format!("/{field}/{}", pointer_step(name)), path)).collect()
}

/// Returns the names as the fields of an output, or `None` if the map is empty, which stands for all inputs.
pub(crate) fn fields(paths: &IndexMap<String, String>) -> Option<Fields> {
    (!paths.is_empty()).then(|| Fields(paths.keys().map(|name| (name.clone(), None)).collect()))
}
