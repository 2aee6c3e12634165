//! The latest versions of workflows, for starts of runs: asked for once, and not at each of thousands of starts. For a
//! file of SQLite, which one process has for itself: whatever changes it goes through the writer here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// How many are kept.
const MOST: usize = 10_000;

/// What is known of them.
#[derive(Debug, Default)]
pub(crate) struct LatestVersions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// How many changes have begun. What was read while another one began may be out of date.
    changes: u64,
    /// Whether a change is being made. Nothing is known then.
    is_changing: bool,
    ids: HashMap<Uuid, Uuid>,
}

/// That a version has to be read, and when that began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown(u64);

impl LatestVersions {
    /// The id of the latest version of a workflow.
    pub(crate) fn get(&self, workflow: Uuid) -> Result<Uuid, Unknown> {
        let known = self.lock();
        known.ids.get(&workflow).copied().ok_or(Unknown(known.changes))
    }

    /// Takes what was read, unless it may be out of date.
    pub(crate) fn learn(&self, unknown: Unknown, workflow: Uuid, version: Uuid) {
        let mut known = self.lock();
        if known.is_changing || known.changes != unknown.0 {
            return;
        }
        if known.ids.len() >= MOST {
            known.ids.clear();
        }
        known.ids.insert(workflow, version);
    }

    /// From now on anything may change, until [`Self::changed`].
    pub(crate) fn changing(&self) {
        let mut known = self.lock();
        known.changes += 1;
        known.is_changing = true;
        known.ids.clear();
    }

    /// What was changing has changed, or has not, and whoever asked for it knows.
    pub(crate) fn changed(&self) {
        self.lock().is_changing = false;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_beside_a_change_is_not_kept() {
        let versions = LatestVersions::default();
        let (workflow, version) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let before = versions.get(workflow).unwrap_err();
        versions.changing();
        let during = versions.get(workflow).unwrap_err();
        versions.learn(during, workflow, version);
        assert!(versions.get(workflow).is_err());
        versions.changed();
        versions.learn(before, workflow, version);
        assert!(versions.get(workflow).is_err());
        versions.learn(versions.get(workflow).unwrap_err(), workflow, version);
        assert_eq!(versions.get(workflow).unwrap(), version);
        versions.changing();
        assert!(versions.get(workflow).is_err());
    }
}
