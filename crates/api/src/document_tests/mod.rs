//! Tests of the whole OpenAPI document.

mod limits;
mod node_kinds;
mod rules;
mod schemas;
mod v3_0;
