/// The maximum length of a compared name, in bytes: longer ones are not typos.
const MAX_LENGTH: usize = 80;

/// The maximum number of names to compare.
const MAX_NAMES: usize = 2_000;

/// The minimum similarity of a suggestion, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.4;

/// Suggests the name in `known` that is most similar to `name`, if any is similar enough.
#[must_use]
pub fn suggest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let name = name.to_lowercase();
    let candidates = known.into_iter().filter(|known| known.len() <= MAX_LENGTH).take(MAX_NAMES);
    let (similarity, best) = candidates
        .map(|known| (strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &name), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (similarity >= MIN_SIMILARITY).then_some(best)
}
