//! The table of operations: id and scope by method and path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::http::{Extensions, Method};
use axum::routing::MethodFilter;
use sluice_domain::api_scope::ApiScope;

/// A call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name in the document.
    pub(crate) id: String,
    /// Required scope. None if the operation needs no API key.
    pub(crate) scope: Option<ApiScope>,
}

/// All calls, by their paths.
#[derive(Clone, Debug)]
pub(crate) struct Operations(Arc<HashMap<String, Calls>>);

/// The calls of one path.
type Calls = Vec<(MethodFilter, Arc<Operation>)>;

impl FromIterator<(String, MethodFilter, Operation)> for Operations {
    fn from_iter<I: IntoIterator<Item = (String, MethodFilter, Operation)>>(all: I) -> Self {
        let mut paths: HashMap<String, Calls> = HashMap::new();
        for (path, methods, operation) in all {
            paths.entry(path).or_default().push((methods, Arc::new(operation)));
        }
        Self(Arc::new(paths))
    }
}

impl Operations {
    /// Required scope of an operation. None if it needs no API key or does not exist.
    pub(crate) fn scope(&self, id: &str) -> Option<ApiScope> {
        self.0.values().flatten().find(|(_, call)| call.id == id)?.1.scope
    }

    /// The names of all calls.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|(_, call)| call.id.as_str())
    }

    /// The call that a request makes; none when the document doesn't know it.
    pub(crate) fn find(&self, method: &Method, extensions: &Extensions) -> Option<&Arc<Operation>> {
        let path = extensions.get::<MatchedPath>()?;
        // A HEAD is answered by what answers a GET.
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let method = MethodFilter::try_from(method).ok()?;
        self.0.get(path.as_str())?.iter().find(|(known, _)| *known == method).map(|(_, call)| call)
    }
}
