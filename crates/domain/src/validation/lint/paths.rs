//! Dotted paths: where they can be split, and whether fields are there.

use std::collections::HashMap;

use crate::validation::Fields;

/// The ways to split `path` into a first name, which may hold dots itself, and the rest: the longest first.
pub(super) fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = path.rmatch_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..]));
    std::iter::once((path, "")).chain(dots)
}

/// The first step of a path.
pub(super) fn first(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The entry of `names` that `path` begins with, and the rest of the path.
pub(super) fn named<'p, V: Copy>(names: &HashMap<&str, V>, path: &'p str) -> Option<(V, &'p str)> {
    splits(path).find_map(|(name, rest)| Some((*names.get(name)?, rest)))
}

/// A field that isn't there.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    /// What the path calls it.
    pub(super) name: String,
    /// What is there.
    pub(super) known: Vec<String>,
}

/// The field at which `path` leaves `fields`.
pub(super) fn missing(fields: &Fields, path: &str) -> Option<Missing> {
    let (mut fields, mut path) = (fields, path);
    while !path.is_empty() {
        let Some((inner, rest)) = splits(path).find_map(|(name, rest)| Some((fields.0.get(name)?, rest)))
        else {
            let mut known: Vec<String> = fields.0.keys().cloned().collect();
            known.sort();
            return Some(Missing { name: first(path).to_owned(), known });
        };
        match inner {
            Some(inner) => (fields, path) = (inner, rest),
            None => return None,
        }
    }
    None
}
