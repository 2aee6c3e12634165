//! What the document says of each call, found by method and path when the call is made.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::http::{Extensions, Method};
use sluice_domain::access::Scope;
use utoipa::openapi::path::Operation as Described;
use utoipa::openapi::{HttpMethod, OpenApi, PathItem};

/// The tag of calls that nobody needs a key for.
const OPEN_TAG: &str = "health";
/// Calls that send what they ask about, and change nothing.
const ASKING: [&str; 1] = ["validateWorkflow"];

/// A call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name in the document.
    pub(crate) id: String,
    /// What a key needs to make it; none for calls that need no key.
    pub(crate) scope: Option<Scope>,
}

/// All calls of the document, by their paths.
#[derive(Clone, Debug)]
pub(crate) struct Operations(Arc<HashMap<String, Calls>>);

/// The calls of one path.
type Calls = Vec<(Method, Arc<Operation>)>;

impl Operations {
    /// The calls of this document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let calls = |item: &PathItem| {
            methods(item)
                .filter_map(|(method, described)| {
                    let id = described.operation_id.clone()?;
                    let scope = scope(&method, described);
                    Some((http_method(&method), Arc::new(Operation { id, scope })))
                })
                .collect()
        };
        let paths = document.paths.paths.iter();
        Self(Arc::new(paths.map(|(path, item)| (path.clone(), calls(item))).collect()))
    }

    /// The names of all calls.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|(_, call)| call.id.as_str())
    }

    /// The call that a request makes; none when the document doesn't know it.
    pub(crate) fn find(&self, method: &Method, extensions: &Extensions) -> Option<&Arc<Operation>> {
        let path = extensions.get::<MatchedPath>()?;
        // A HEAD is answered by what answers a GET.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path.as_str())?.iter().find(|(known, _)| known == method).map(|(_, call)| call)
    }
}

/// Each method of a path with what it does.
fn methods(item: &PathItem) -> impl Iterator<Item = (HttpMethod, &Described)> {
    let all = [
        (HttpMethod::Get, &item.get),
        (HttpMethod::Put, &item.put),
        (HttpMethod::Post, &item.post),
        (HttpMethod::Delete, &item.delete),
        (HttpMethod::Patch, &item.patch),
    ];
    all.into_iter().filter_map(|(method, described)| Some((method, described.as_ref()?)))
}

/// Each method of a path with what it does, to be written on.
pub(crate) fn methods_mut(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Described)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
        (HttpMethod::Patch, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, described)| Some((method, described.as_mut()?)))
}

fn http_method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Put => Method::PUT,
        HttpMethod::Post => Method::POST,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Patch => Method::PATCH,
        _ => Method::GET,
    }
}

/// The scope of a call: what it is about, by its tag, and whether it changes anything. A call with an unknown tag is
/// for administrators, so that a new one is never open by mistake.
pub(crate) fn scope(method: &HttpMethod, described: &Described) -> Option<Scope> {
    let tag = described.tags.iter().flatten().next().map_or("", String::as_str);
    let is_asking = described.operation_id.as_deref().is_some_and(|id| ASKING.contains(&id));
    let (read, write) = match tag {
        OPEN_TAG => return None,
        "workflows" | "versions" | "catalogue" => (Scope::WorkflowsRead, Scope::WorkflowsWrite),
        "runs" | "batches" | "files" => (Scope::RunsRead, Scope::RunsWrite),
        "pauses" => (Scope::ApprovalsRead, Scope::ApprovalsWrite),
        _ => (Scope::Admin, Scope::Admin),
    };
    Some(if is_asking || matches!(method, HttpMethod::Get) { read } else { write })
}
