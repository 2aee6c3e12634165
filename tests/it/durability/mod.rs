//! Tests of crashes, restarts and failures of the database.

mod compatibility;
mod concurrency;
mod crashes;
mod failpoints;
mod idempotency;
mod outages;
mod restarts;
