//! A cache of the latest versions of workflows, for starts of runs. Without it, each start reads the database,
//! which shows in a profile of the row `run` of `make bench`. Only for SQLite: other processes may change a PostgreSQL
//! database.

use std::collections::HashMap;

use parking_lot::Mutex;
use uuid::Uuid;

/// Maximum number of workflows.
const MAX_ENTRIES: usize = 10_000;

/// The ids of the latest versions, by workflow.
#[derive(Debug, Default)]
pub(crate) struct LatestVersionCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Incremented before and after changes are written: odd while they are written. The cache is empty then.
    epoch: u64,
    version_ids: HashMap<Uuid, Uuid>,
}

/// A cache miss, with the epoch before the version was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Miss(u64);

impl LatestVersionCache {
    /// Returns the id of the latest version of a workflow.
    pub(crate) fn get(&self, workflow: Uuid) -> Result<Uuid, Miss> {
        let entries = self.0.lock();
        entries.version_ids.get(&workflow).copied().ok_or(Miss(entries.epoch))
    }

    /// Inserts a version that was read after a miss, unless it may be stale: a change was written since the miss, or
    /// during it.
    pub(crate) fn insert_if_fresh(&self, miss: Miss, workflow: Uuid, version: Uuid) {
        let mut entries = self.0.lock();
        if is_writing(miss.0) || entries.epoch != miss.0 {
            return;
        }
        if entries.version_ids.len() >= MAX_ENTRIES {
            entries.version_ids.clear();
        }
        entries.version_ids.insert(workflow, version);
    }

    /// Clears the cache and keeps it empty until [`Self::end_changes`].
    pub(crate) fn begin_changes(&self) {
        let mut entries = self.0.lock();
        entries.epoch += if is_writing(entries.epoch) { 2 } else { 1 };
        entries.version_ids.clear();
    }

    /// Allows entries again: the changes are durable, and their callers have a reply. Must not be called after an error,
    /// because the transaction may still be committed.
    pub(crate) fn end_changes(&self) {
        self.0.lock().epoch += 1;
    }
}

fn is_writing(epoch: u64) -> bool {
    epoch % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_versions_read_before_or_during_changes() {
        let cache = LatestVersionCache::default();
        let (workflow, version) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let insert = |miss| {
            cache.insert_if_fresh(miss, workflow, version);
            cache.get(workflow).is_ok()
        };
        let before = cache.get(workflow).unwrap_err();
        cache.begin_changes();
        let during = cache.get(workflow).unwrap_err();
        assert!(!insert(before) && !insert(during));
        cache.end_changes();
        assert!(!insert(before) && !insert(during));
        assert!(insert(cache.get(workflow).unwrap_err()));
        assert_eq!(cache.get(workflow).unwrap(), version);
        cache.begin_changes();
        assert!(cache.get(workflow).is_err());
    }

    #[test]
    fn stays_empty_after_changes_that_failed() {
        let cache = LatestVersionCache::default();
        let (workflow, version) = (Uuid::from_u128(1), Uuid::from_u128(2));
        cache.begin_changes();
        cache.insert_if_fresh(cache.get(workflow).unwrap_err(), workflow, version);
        cache.begin_changes();
        cache.insert_if_fresh(cache.get(workflow).unwrap_err(), workflow, version);
        assert!(cache.get(workflow).is_err());
        cache.end_changes();
        cache.insert_if_fresh(cache.get(workflow).unwrap_err(), workflow, version);
        assert_eq!(cache.get(workflow).unwrap(), version);
    }
}
