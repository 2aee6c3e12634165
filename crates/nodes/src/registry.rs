//! The registry of node kinds.

use std::sync::LazyLock;

use crate::kinds::listing::{Category, Listing};
use crate::kinds::node_kind::RunnableKind;
use crate::kinds::planned::{PLANNED, PlannedKind};
use crate::kinds::runnable_kinds;

static RUNNABLE: LazyLock<Vec<RunnableKind>> = LazyLock::new(runnable_kinds);

static NODE_TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let catalog_kinds = Category::ALL.into_iter().flat_map(kinds_in);
    let legacy_kinds = PLANNED.iter().filter(|kind| kind.listing.is_none());
    catalog_kinds.map(|kind| kind.name()).chain(legacy_kinds.map(|kind| kind.name)).collect()
});

/// A node kind.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A kind that the server can run.
    Runnable(&'static RunnableKind),
    /// A kind that the server can't run yet.
    Planned(&'static PlannedKind),
}

impl Kind {
    /// Returns the node type in definitions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runnable(kind) => kind.name,
            Self::Planned(kind) => kind.name,
        }
    }

    /// Returns the entry in the catalog, if there is one.
    pub(crate) fn listing(self) -> Option<Listing> {
        match self {
            Self::Runnable(kind) => Some(kind.listing),
            Self::Planned(kind) => kind.listing,
        }
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    RUNNABLE.iter().map(Kind::Runnable).chain(PLANNED.iter().map(Kind::Planned))
}

/// Returns the kind with this name.
pub(crate) fn find(node_type: &str) -> Option<Kind> {
    kinds().find(|kind| kind.name() == node_type)
}

/// Returns the kind with this name, if the server can run it.
pub(crate) fn find_runnable(node_type: &str) -> Option<&'static RunnableKind> {
    RUNNABLE.iter().find(|kind| kind.name == node_type)
}

/// Returns the kinds of a category of the catalog.
pub(crate) fn kinds_in(category: Category) -> impl Iterator<Item = Kind> {
    kinds().filter(move |kind| kind.listing().is_some_and(|listing| listing.category == category))
}

/// Returns all node types: those of the catalog in its order, then legacy kinds.
pub(crate) fn node_types() -> &'static [&'static str] {
    &NODE_TYPES
}

/// Returns the node types that the server can run.
pub fn runnable_node_types() -> impl Iterator<Item = &'static str> {
    RUNNABLE.iter().map(|kind| kind.name)
}
