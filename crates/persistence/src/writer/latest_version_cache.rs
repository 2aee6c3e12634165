//! A cache of the latest versions of workflows, for starts of runs. Used only with SQLite, because other servers may
//! change a PostgreSQL database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// Maximum number of workflows.
const MAX_ENTRIES: usize = 10_000;

/// The ids of the latest versions, by workflow id.
#[derive(Debug, Default)]
pub(crate) struct LatestVersionCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The number of invalidations. A version that was read before or during an invalidation may be stale.
    invalidations: u64,
    /// True while changes are written. The cache then stays empty.
    is_invalidating: bool,
    version_ids: HashMap<Uuid, Uuid>,
}

/// A cache miss, with the number of invalidations at that time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Miss(u64);

impl LatestVersionCache {
    /// Returns the id of the latest version of a workflow.
    pub(crate) fn get(&self, workflow: Uuid) -> Result<Uuid, Miss> {
        let entries = self.lock();
        entries.version_ids.get(&workflow).copied().ok_or(Miss(entries.invalidations))
    }

    /// Inserts a version that was read after a miss, unless it may be stale.
    pub(crate) fn insert_if_fresh(&self, miss: Miss, workflow: Uuid, version: Uuid) {
        let mut entries = self.lock();
        if entries.is_invalidating || entries.invalidations != miss.0 {
            return;
        }
        if entries.version_ids.len() >= MAX_ENTRIES {
            entries.version_ids.clear();
        }
        entries.version_ids.insert(workflow, version);
    }

    /// Clears the cache and keeps it empty until [`Self::end_invalidation`].
    pub(crate) fn begin_invalidation(&self) {
        let mut entries = self.lock();
        entries.invalidations += 1;
        entries.is_invalidating = true;
        entries.version_ids.clear();
    }

    /// Ends an invalidation. To be called after the changes are durable or have failed, and their callers have a reply.
    pub(crate) fn end_invalidation(&self) {
        self.lock().is_invalidating = false;
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_versions_read_during_an_invalidation() {
        let cache = LatestVersionCache::default();
        let (workflow, version) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let before = cache.get(workflow).unwrap_err();
        cache.begin_invalidation();
        let during = cache.get(workflow).unwrap_err();
        cache.insert_if_fresh(during, workflow, version);
        assert!(cache.get(workflow).is_err());
        cache.end_invalidation();
        cache.insert_if_fresh(before, workflow, version);
        assert!(cache.get(workflow).is_err());
        cache.insert_if_fresh(cache.get(workflow).unwrap_err(), workflow, version);
        assert_eq!(cache.get(workflow).unwrap(), version);
        cache.begin_invalidation();
        assert!(cache.get(workflow).is_err());
    }
}
