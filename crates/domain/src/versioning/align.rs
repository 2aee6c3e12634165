//! Which elements of two lists are the same ones.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use serde_json::Value;

/// Which places of two lists belong together.
#[derive(Debug, Default)]
pub(super) struct Matching {
    /// (place before, place after), in the order of the list after.
    pub(super) kept: Vec<(usize, usize)>,
    /// The places before that have no counterpart, in order.
    pub(super) removed: Vec<usize>,
    /// The places after that have no counterpart, in order.
    pub(super) added: Vec<usize>,
}

impl Matching {
    /// Matches equal keys; where one stands several times, its first with its first, and so on.
    pub(super) fn of<K: Eq + Hash>(
        before: impl IntoIterator<Item = K>,
        after: impl IntoIterator<Item = K>,
    ) -> Self {
        let mut places: HashMap<K, VecDeque<usize>> = HashMap::new();
        for (place, key) in before.into_iter().enumerate() {
            places.entry(key).or_default().push_back(place);
        }
        let mut matching = Self::default();
        for (place, key) in after.into_iter().enumerate() {
            match places.get_mut(&key).and_then(VecDeque::pop_front) {
                Some(old) => matching.kept.push((old, place)),
                None => matching.added.push(place),
            }
        }
        matching.removed = places.into_values().flatten().collect();
        matching.removed.sort_unstable();
        matching
    }

    /// Whether what is in both lists stands in another order.
    pub(super) fn is_reordered(&self) -> bool {
        !self.kept.is_sorted_by_key(|(old, _)| *old)
    }

    /// Matches the elements of two JSON lists so that those that belong together stand in the same order:
    /// what has moved counts as removed and added. Objects with an `id` are known by it, all others by
    /// their content; as many others as were replaced in one spot belong together one by one.
    pub(super) fn in_order(before: &[Value], after: &[Value]) -> Self {
        let fixed = longest_in_order(&Self::of(before.iter().map(Key::of), after.iter().map(Key::of)).kept);
        let end = (before.len(), after.len());
        let mut matching = Self::default();
        let (mut old, mut new) = (0, 0);
        for next in fixed.into_iter().chain([end]) {
            let (gone, come) = (old..next.0, new..next.1);
            let nameless = |values: &[Value]| values.iter().all(|value| id(value).is_none());
            if gone.len() == come.len() && nameless(&before[gone.clone()]) && nameless(&after[come.clone()]) {
                matching.kept.extend(gone.zip(come));
            } else {
                matching.removed.extend(gone);
                matching.added.extend(come);
            }
            if next != end {
                matching.kept.push(next);
            }
            (old, new) = (next.0 + 1, next.1 + 1);
        }
        matching
    }
}

/// What an element of a list is known by.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Id(&'a str),
    Content(String),
}

impl<'a> Key<'a> {
    fn of(value: &'a Value) -> Self {
        let content = || serde_json_canonicalizer::to_string(value);
        id(value)
            .map_or_else(|| Self::Content(content().expect("a JSON value has a canonical form")), Self::Id)
    }
}

/// The `id` of an object.
pub(super) fn id(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

/// As many of `pairs`, which are sorted by their second place, as are sorted by their first, too.
fn longest_in_order(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length of a sorted selection, the pair at which the one that ends lowest ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous = Vec::with_capacity(pairs.len());
    for (place, (old, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *old);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let selection = std::iter::successors(ends.last().copied(), |place| previous[*place]);
    let mut selection: Vec<_> = selection.map(|place| pairs[place]).collect();
    selection.reverse();
    selection
}
