//! The workflow model: graphs, validation, versions and the life of a run.
//!
//! This crate is pure: it reads no clock, no random source, no file and no network. Callers pass in times and
//! ids, so inputs alone determine every result.

pub mod api_scope;
pub mod draw;
pub mod graph;
pub mod json_limits;
pub mod naming;
pub mod pause;
pub mod run;
mod strict_object;
pub mod transfer;
pub mod validation;
pub mod versioning;

pub use graph::{Definition, Link, Node, SpurType};
