//! Properties of the pure parts, on random inputs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod draw;
mod graph;
mod kinds;
mod run;
mod transfer;
mod validation;
mod versioning;
