//! The whole program from outside: HTTP against the real binary, on a SQLite file and on PostgreSQL.
//! The files are named after the routes, or after what they show of the program.

mod app;
mod architecture;
mod cluster;
mod collector;
mod graphs;
mod process;
mod run_log;
mod saving;

mod sse;
mod store;

mod access;
mod again;
mod answered;
mod audit;
mod backups;
mod batches;
mod bounds;
mod catalogue;
mod cli;
mod concurrency;
mod crashes;
mod deploy;
mod durability;
mod events;
mod examples;
mod failpoints;
mod health;
mod idempotency;
mod labels;
mod lists;
mod loops;
mod manual;
mod metrics;
mod notify;
mod openapi;
mod outages;
mod pasted;
mod pauses;
mod policies;
mod problems;
mod python;
mod recorded;
mod routers;
mod rude_clients;
mod runs;
mod sdks;
mod traces;
mod transfer;
mod transfer_files;
mod uploads;
mod validation;
mod versions;
mod workflows;
