use std::collections::HashSet;

use crate::Node;
use crate::validation::{Catalog, Code};

/// The maximum number of routes in a message.
const MAX_LISTED: usize = 10;
/// The maximum length of a name in a message, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// The routes of a router.
pub(super) struct Routes {
    names: HashSet<String>,
    /// The advice for a link with a wrong route.
    advice: String,
}

impl Routes {
    pub(super) fn new(catalog: &dyn Catalog, router: &Node) -> Self {
        let names = catalog.routes(router).unwrap_or_default();
        let mut listing =
            names.iter().take(MAX_LISTED).map(|name| truncate(name)).collect::<Vec<_>>().join(", ");
        if names.len() > MAX_LISTED {
            listing.push_str(", …");
        }
        let advice = if names.is_empty() {
            "Add a route to the router.".to_owned()
        } else {
            format!("Set source_handle to one of: {listing}.")
        };
        Self { names: names.into_iter().collect(), advice }
    }

    /// Checks that a link may leave the router `id` by `handle`.
    pub(super) fn check(&self, id: &str, handle: Option<&str>) -> Result<(), (Code, String)> {
        let advice = &self.advice;
        match handle.filter(|handle| !handle.is_empty()) {
            None => Err((
                Code::RouterLinkWithoutHandle,
                format!("The link from the router \"{id}\" names no route. {advice}"),
            )),
            Some(handle) if !self.names.contains(handle) => Err((
                Code::RouterLinkUnknownRoute,
                format!("The router \"{id}\" has no route \"{}\". {advice}", truncate(handle)),
            )),
            Some(_) => Ok(()),
        }
    }
}

fn truncate(name: &str) -> String {
    if name.chars().count() <= MAX_NAME_LENGTH {
        return name.to_owned();
    }
    name.chars().take(MAX_NAME_LENGTH).chain(['…']).collect()
}
