/// The longest word that is compared with others: longer ones are no slips of the pen.
const MAX_COMPARED: usize = 80;

/// How many names a word is compared with at most.
const MAX_NAMES: usize = 2_000;

/// The one of `known` that `name` may have been meant to be.
#[must_use]
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let name = (name.len() <= MAX_COMPARED).then(|| name.to_lowercase())?;
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &name);
    let short = known.into_iter().filter(|known| known.len() <= MAX_COMPARED).take(MAX_NAMES);
    let (best, nearest) = short.map(|known| (likeness(known), known)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best >= 0.4).then_some(nearest)
}
