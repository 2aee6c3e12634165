//! The one place where time and new ids come from.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// The time, to the microsecond: the finest that every store keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// An id that tells nothing, not even when it was made.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// A new id. Ids of one process grow with time, so their order is the order of creation.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the seam")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
