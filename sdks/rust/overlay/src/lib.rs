//! The client of the Sluice workflow server: a function per operation in [`apis`], a type per schema in
//! [`models`], and the event streams in [`events`].
#![allow(unused_imports, clippy::too_many_arguments)]

pub mod apis;
pub mod events;
pub mod models;
