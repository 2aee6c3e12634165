//! End-to-end tests: HTTP calls to the real binary, on SQLite and on PostgreSQL.

mod architecture;
mod contract;
mod durability;
mod nodes;
mod operations;
mod routes;
mod support;
