//! What a workflow is: the graph, its validation, its versions and the life of a run.
//!
//! This crate is pure: it reads no clock, no random source, no file and no network. Time and ids are
//! passed in, so that everything here can be tested by its inputs and outputs alone.

pub mod access;
pub mod graph;
pub mod guard;
pub mod naming;
mod object;
pub mod pause;
pub mod run;
pub mod transfer;
pub mod validation;
pub mod versioning;

pub use graph::{Definition, Link, Node, SpurType};
