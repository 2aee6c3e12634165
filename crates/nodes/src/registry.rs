//! Look-ups in the list of node kinds.

use std::sync::LazyLock;

use crate::kinds::listing::{Category, Listing};
use crate::kinds::node_kind::RunnableKind;
use crate::kinds::planned::{PLANNED, PlannedKind};
use crate::kinds::runnable_kinds;

static RUNNABLE: LazyLock<Vec<RunnableKind>> = LazyLock::new(runnable_kinds);

static NODE_TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let listed = Category::ALL.into_iter().flat_map(listed);
    let unlisted = PLANNED.iter().filter(|kind| kind.listing.is_none());
    listed.map(|kind| kind.name()).chain(unlisted.map(|kind| kind.name)).collect()
});

/// A kind of node.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A kind that the server can run.
    Runnable(&'static RunnableKind),
    /// A kind that the server can't run yet.
    Planned(&'static PlannedKind),
}

impl Kind {
    /// The node type, as definitions name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runnable(kind) => kind.name,
            Self::Planned(kind) => kind.name,
        }
    }

    /// The entry in the catalog.
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

/// The kind with this name.
pub(crate) fn find(node_type: &str) -> Option<Kind> {
    kinds().find(|kind| kind.name() == node_type)
}

/// The kind with this name, if the server can run it.
pub(crate) fn find_runnable(node_type: &str) -> Option<&'static RunnableKind> {
    RUNNABLE.iter().find(|kind| kind.name == node_type)
}

/// The kinds of a category of the catalog.
pub(crate) fn listed(category: Category) -> impl Iterator<Item = Kind> {
    kinds().filter(move |kind| kind.listing().is_some_and(|listing| listing.category == category))
}

/// Every node type: those of the catalog in its order, then the others.
pub(crate) fn node_types() -> &'static [&'static str] {
    &NODE_TYPES
}

/// The node types that the server can run.
pub fn runnable_node_types() -> impl Iterator<Item = &'static str> {
    RUNNABLE.iter().map(|kind| kind.name)
}
