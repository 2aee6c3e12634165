//! Matching of the elements of two lists.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use serde_json::Value;

/// Pairs of positions in two lists whose elements match.
#[derive(Debug, Default)]
pub(super) struct Matching {
    /// (position before, position after), in the order of the list after.
    pub(super) matched: Vec<(usize, usize)>,
    /// The positions before without a match, in order.
    pub(super) removed: Vec<usize>,
    /// The positions after without a match, in order.
    pub(super) added: Vec<usize>,
}

impl Matching {
    /// Matches equal keys. Duplicate keys match in order: the first with the first, and so on.
    pub(super) fn by_key<K: Eq + Hash>(
        before: impl IntoIterator<Item = K>,
        after: impl IntoIterator<Item = K>,
    ) -> Self {
        let mut positions: HashMap<K, VecDeque<usize>> = HashMap::new();
        for (position, key) in before.into_iter().enumerate() {
            positions.entry(key).or_default().push_back(position);
        }
        let mut matching = Self::default();
        for (position, key) in after.into_iter().enumerate() {
            match positions.get_mut(&key).and_then(VecDeque::pop_front) {
                Some(old) => matching.matched.push((old, position)),
                None => matching.added.push(position),
            }
        }
        matching.removed = positions.into_values().flatten().collect();
        matching.removed.sort_unstable();
        matching
    }

    /// Returns true if the matched elements are in a different order.
    pub(super) fn is_reordered(&self) -> bool {
        !self.matched.is_sorted_by_key(|(old, _)| *old)
    }

    /// Matches the elements of two JSON arrays in the same order: a moved element counts as removed and added. Objects
    /// with an `id` match by id, all others by content. If a run of others is replaced with a run of the same length,
    /// they match one by one.
    pub(super) fn in_same_order(before: &[Value], after: &[Value]) -> Self {
        let anchors = longest_increasing_pairs(
            &Self::by_key(before.iter().map(Key::new), after.iter().map(Key::new)).matched,
        );
        let end = (before.len(), after.len());
        let mut matching = Self::default();
        let (mut old, mut new) = (0, 0);
        for next in anchors.into_iter().chain([end]) {
            let (removed, added) = (old..next.0, new..next.1);
            let without_ids = |values: &[Value]| values.iter().all(|value| id(value).is_none());
            if removed.len() == added.len()
                && without_ids(&before[removed.clone()])
                && without_ids(&after[added.clone()])
            {
                matching.matched.extend(removed.zip(added));
            } else {
                matching.removed.extend(removed);
                matching.added.extend(added);
            }
            if next != end {
                matching.matched.push(next);
            }
            (old, new) = (next.0 + 1, next.1 + 1);
        }
        matching
    }
}

/// The key by which an element of an array is matched.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Id(&'a str),
    Content(String),
}

impl<'a> Key<'a> {
    fn new(value: &'a Value) -> Self {
        let content = || serde_json_canonicalizer::to_string(value);
        id(value)
            .map_or_else(|| Self::Content(content().expect("a JSON value has a canonical form")), Self::Id)
    }
}

/// Returns the `id` of an object.
pub(super) fn id(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

/// Returns the longest selection of `pairs`, which are sorted by their second position, that is sorted by the first
/// too.
fn longest_increasing_pairs(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // The last pair of the selection that ends lowest, for each length.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous = Vec::with_capacity(pairs.len());
    for (position, (old, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *old);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = position,
            None => ends.push(position),
        }
    }
    let selection = std::iter::successors(ends.last().copied(), |position| previous[*position]);
    let mut selection: Vec<_> = selection.map(|position| pairs[position]).collect();
    selection.reverse();
    selection
}
