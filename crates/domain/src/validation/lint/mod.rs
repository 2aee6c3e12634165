//! Lints: warnings and hints about a definition that can be saved.

mod gates;
mod inputs;
mod linter;
mod paths;
mod reach;
mod references;
mod titles;
mod view;

pub(super) use linter::find;
