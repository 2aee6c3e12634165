//! A cache of the latest versions of workflows, for starts of runs. Without it, each start reads the database, and the
//! row `run` of `make bench` falls by a tenth. It is for SQLite only: other servers may change a PostgreSQL database.

use std::collections::HashMap;

use parking_lot::Mutex;
use uuid::Uuid;

/// Maximum number of workflows.
const MAX_ENTRIES: usize = 10_000;

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct LatestVersionCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The number of invalidations. A version that was read during one may be stale.
    invalidations: u64,
    /// True while changes are written. The cache is empty then.
    is_invalidating: bool,
    version_ids: HashMap<Uuid, Uuid>,
}

/// A cache miss, with the number of invalidations before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Miss(u64);

impl LatestVersionCache {
    /// Returns the id of the latest version of a workflow.
    pub(crate) fn get(&self, workflow: Uuid) -> Result<Uuid, Miss> {
        let entries = self.0.lock();
        entries.version_ids.get(&workflow).copied().ok_or(Miss(entries.invalidations))
    }

    /// Inserts a version that was read after a miss, unless it may be stale.
    pub(crate) fn insert_if_fresh(&self, miss: Miss, workflow: Uuid, version: Uuid) {
        let mut entries = self.0.lock();
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
        let mut entries = self.0.lock();
        entries.invalidations += 1;
        entries.is_invalidating = true;
        entries.version_ids.clear();
    }

    /// Ends an invalidation: the changes are durable or have failed, and their callers have a reply.
    pub(crate) fn end_invalidation(&self) {
        self.0.lock().is_invalidating = false;
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
