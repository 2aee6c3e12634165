//! Tests of node kinds in runs through the API.

mod loops;
mod policies;
mod python;
mod routers;
