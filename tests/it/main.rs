//! The whole program from outside: HTTP against the real binary, on a SQLite file and on PostgreSQL.

mod architecture;
mod contract;
mod durability;
mod nodes;
mod operations;
mod routes;
mod support;
