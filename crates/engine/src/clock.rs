//! The only source of time and new ids.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Returns the current time, truncated to microseconds: the finest resolution that every database keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Returns a random id, which reveals nothing about its time of creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only place that draws random ids")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// Returns a new id. Within one process ids grow with time, so sorting by id sorts by creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the only place that makes time-ordered ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
