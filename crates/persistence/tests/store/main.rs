//! The store from outside, everything on SQLite and on PostgreSQL.
//!
//! `SLUICE_TEST_POSTGRES_URL` names a PostgreSQL in which databases can be created.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod lists;
mod opening;
mod plans;
mod queries;
mod run_log;
mod support;
mod throughput;
mod words;
mod workflows;
