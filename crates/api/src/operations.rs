//! The table of operations: id and scope by method and path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::http::{Extensions, Method};
use axum::routing::MethodFilter;
use sluice_domain::api_scope::ApiScope;

/// An operation of the API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Operation id in the document.
    pub(crate) id: String,
    /// Required scope. `None` if the operation needs no API key.
    pub(crate) scope: Option<ApiScope>,
}

/// All operations by path.
#[derive(Clone, Debug)]
pub(crate) struct Operations(Arc<HashMap<String, PathOperations>>);

/// The operations of a path.
type PathOperations = Vec<(MethodFilter, Arc<Operation>)>;

impl FromIterator<(String, MethodFilter, Operation)> for Operations {
    fn from_iter<I: IntoIterator<Item = (String, MethodFilter, Operation)>>(all: I) -> Self {
        let mut paths: HashMap<String, PathOperations> = HashMap::new();
        for (path, methods, operation) in all {
            paths.entry(path).or_default().push((methods, Arc::new(operation)));
        }
        Self(Arc::new(paths))
    }
}

impl Operations {
    /// Returns the required scope of an operation, or `None` if it needs no API key or does not exist.
    pub(crate) fn scope(&self, id: &str) -> Option<ApiScope> {
        self.0.values().flatten().find(|(_, operation)| operation.id == id)?.1.scope
    }

    /// Returns the ids of all operations.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|(_, operation)| operation.id.as_str())
    }

    /// Returns the operation of a request, or `None` if its path or method has no operation.
    pub(crate) fn find(&self, method: &Method, extensions: &Extensions) -> Option<&Arc<Operation>> {
        let path = extensions.get::<MatchedPath>()?;
        // A handler of GET also handles HEAD.
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        let method = MethodFilter::try_from(method).ok()?;
        self.0
            .get(path.as_str())?
            .iter()
            .find(|(methods, _)| *methods == method)
            .map(|(_, operation)| operation)
    }
}
