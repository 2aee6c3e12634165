//! Tests of the public interface. Most of them run on SQLite and on PostgreSQL.
//!
//! `SLUICE_TEST_POSTGRES_URL` is the URL of a PostgreSQL server on which databases can be created.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod lists;
mod opening;
mod plans;
mod queries;
mod run_log;
mod support;
mod throughput;
mod words;
mod workflows;
