//! The HTTP interface and its OpenAPI document.
//!
//! This is the only crate that depends on HTTP: paths, status codes, headers, multipart. A handler extracts, calls the
//! database or the engine, and converts; workflow and run logic lives in other crates.
//!
//! - [`app`] returns the router of the API, and [`normalize_path`] rewrites the path of a request for it;
//! - [`document`] returns its OpenAPI document;
//! - [`metrics_app`] returns the router of the metrics, for a separate address;
//! - [`sweep_files`] removes files that an earlier process left behind.

mod auth;
mod blocking;
mod change;
#[cfg(test)]
mod document_tests;
mod error;
mod extract;
mod metrics;
mod middleware;
mod openapi;
mod operations;
mod patterns;
mod router;
mod routes;
mod settings;
mod state;
mod tabular;
mod timestamp;
mod uploads;

pub use middleware::normalize_path::normalize_path;
pub use openapi::OpenApiVersion;
pub use router::{app, document, document_text};
pub use routes::metrics::metrics_app;
pub use routes::validation::diagnose;
pub use settings::{Admission, Settings};
pub use state::AppState;
pub use uploads::cleanup::sweep_files;
pub use uploads::folders::FILE_FOLDERS;
