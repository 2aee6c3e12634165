//! Helpers of the tests: a server with its database, clients, definitions, and checks.

pub(crate) mod api_keys;
pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod coverage;
pub(crate) mod database;
pub(crate) mod definitions;
pub(crate) mod json;
pub(crate) mod polling;
pub(crate) mod postgres_cluster;
pub(crate) mod process;
pub(crate) mod run_log;
pub(crate) mod sse;
pub(crate) mod trace_collector;
