//! Tests that run snippets in worker processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod language;
mod sandbox;
mod support;
