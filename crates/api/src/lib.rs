//! The HTTP interface and its OpenAPI document.
//!
//! This is the only crate that knows HTTP: paths, status codes, headers, multipart. A handler extracts,
//! calls the store or the engine, and converts; what a workflow is and how a run goes is decided elsewhere.
//!
//! - [`app`] is the whole interface as one router, ready to be served;
//! - [`document`] is its OpenAPI document;
//! - [`metrics_app`] are the numbers, for an address of their own;
//! - [`sweep_files`] removes, at start, the files that an earlier process left behind.

mod access;
mod aside;
mod audit;
mod conditional;
mod document;
mod edge;
mod examples;
mod extract;
mod files;
mod form;
mod headers;
mod lists;
mod metrics;
mod once;
mod openapi;
mod operations;
mod paced;
mod parameters;
mod problem;
mod refusal;
mod responses;
mod router;
mod routes;
pub mod schema;
mod state;
mod table;
mod time;
mod trace;
mod values;

pub use document::{OpenApiVersion, document, document_text};
pub use files::{FILE_FOLDERS, sweep_files};
pub use metrics::metrics_app;
pub use router::app;
pub use routes::validation::diagnose;
pub use state::{Admission, AppState, Settings};
