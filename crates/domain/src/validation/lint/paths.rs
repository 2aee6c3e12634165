//! Dotted paths: splitting, and lookup of fields.

use std::collections::HashMap;

use crate::validation::Fields;

/// Returns the ways to split `path` into a first name, which may itself contain dots, and the rest; the longest name
/// first.
pub(super) fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = path.rmatch_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..]));
    std::iter::once((path, "")).chain(dots)
}

/// Returns the part of a path before the first dot.
pub(super) fn first_step(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// Looks up the longest prefix of `path` in `names`. Returns its value and the rest of the path.
pub(super) fn lookup_prefix<'p, V: Copy>(names: &HashMap<&str, V>, path: &'p str) -> Option<(V, &'p str)> {
    splits(path).find_map(|(name, rest)| Some((*names.get(name)?, rest)))
}

/// A field that doesn't exist.
#[derive(Clone, Debug)]
pub(super) struct MissingField {
    /// The name in the path.
    pub(super) name: String,
    /// The names of the existing fields.
    pub(super) known: Vec<String>,
}

/// Finds the first step of `path` that doesn't exist in `fields`.
pub(super) fn find_missing(fields: &Fields, path: &str) -> Option<MissingField> {
    let (mut fields, mut path) = (fields, path);
    while !path.is_empty() {
        let Some((inner, rest)) = splits(path).find_map(|(name, rest)| Some((fields.0.get(name)?, rest)))
        else {
            let mut known: Vec<String> = fields.0.keys().cloned().collect();
            known.sort();
            return Some(MissingField { name: first_step(path).to_owned(), known });
        };
        match inner {
            Some(inner) => (fields, path) = (inner, rest),
            None => return None,
        }
    }
    None
}
