//! The only source of the current time and of new ids.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Returns the current time, truncated to microseconds: the finest resolution that both databases store.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only function that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Returns a random id, which reveals nothing about its time of creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only function that creates random ids")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// Returns a new id. Within one process ids grow with time, so sorting by id sorts by creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only function that creates time-ordered ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
