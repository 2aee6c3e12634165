//! Errors: problems that block a save.

mod chatbot;
mod checker;
mod cycles;
mod numbers;
mod routes;

pub(super) use checker::find;
