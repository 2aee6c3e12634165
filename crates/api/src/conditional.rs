//! Conditional requests (RFC 9110, 13): entity tags, what is answered to those who have the answer already, and
//! changes that are made only of what their caller has seen.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::{ETag, Header, IfMatch, IfNoneMatch};
use serde::Serialize;
use sluice_domain::{Definition, versioning};
use sluice_engine::KeptAnswer;
use sluice_persistence::{Condition, Pin, Saving, WorkflowRow, WriteError};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;
use uuid::Uuid;

use crate::AppState;
use crate::access::Caller;
use crate::aside::aside;
use crate::once::kept;
use crate::parameters::{IN_ONE_LINE, optional, text};
use crate::problem::{Changed, Kind, Problem};
use crate::refusal::Resource;

/// What a change is for, in the words of whoever makes it.
pub(crate) const CHANGE_NOTE: &str = "x-change-note";

/// The longest note, in characters.
pub(crate) const MAX_NOTE: usize = 1_000;

/// An answer with its entity tag.
#[derive(Debug)]
pub(crate) struct Tagged<T> {
    etag: String,
    answer: T,
}

impl<T> Tagged<T> {
    /// `etag` is the opaque part of the tag, without quotes.
    pub(crate) fn new(etag: String, answer: T) -> Self {
        Self { etag, answer }
    }

    /// The answer, to be kept for a request that is sent again.
    pub(crate) fn kept(&self) -> Option<KeptAnswer>
    where
        T: Serialize,
    {
        kept(&[(header::ETAG, quoted(&self.etag))], &self.answer)
    }

    /// 304 without the answer for a client that has it already.
    pub(crate) fn unless_known(self, known: &Known) -> Response
    where
        T: Serialize,
    {
        let is_known = known.0.as_ref().is_some_and(|known| {
            // A tag of ours always reads as one.
            quoted(&self.etag).parse().is_ok_and(|etag: ETag| !known.precondition_passes(&etag))
        });
        if is_known {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, quoted(&self.etag))]).into_response();
        }
        self.into_response()
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, quoted(&self.etag))], Json(self.answer)).into_response()
    }
}

pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// What a client says that it has: the header `If-None-Match`.
#[derive(Debug)]
pub(crate) struct Known(Option<IfNoneMatch>);

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

/// How a workflow is to be changed: the headers `If-Match` and `X-Change-Note`.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) saving: Saving,
    /// The version that the client has seen, as its entity tag says.
    seen: Option<i32>,
}

impl<S: Send + Sync> FromRequestParts<S> for Edit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let condition = read::<IfMatch>(&parts.headers)?.map(|wanted| {
            Condition::new(move |etag| {
                quoted(etag).parse().is_ok_and(|etag: ETag| wanted.precondition_passes(&etag))
            })
        });
        let by = parts.extensions.get::<Caller>().and_then(Caller::name).map(str::to_owned);
        let saving = Saving { condition, note: note(&parts.headers)?, by, ..Saving::default() };
        Ok(Self { saving, seen: seen(&parts.headers) })
    }
}

impl Edit {
    /// Why the change was not made. What has changed since the client looked is told with it.
    pub(crate) async fn refused(&self, state: &AppState, id: Uuid, error: WriteError) -> Problem {
        let WriteError::Changed(current) = error else { return Resource::Workflow.write(error) };
        let seen = match self.seen {
            Some(number) => state.db.pinned_version(id, &Pin::Number(number)).await.ok().flatten(),
            None => None,
        };
        let after = current.definition.clone();
        let compare = move || {
            let before: Definition = serde_json::from_str(&seen?.definition).ok()?;
            let after: Definition = serde_json::from_str(&after).ok()?;
            Some(versioning::diff(&before, &after, false))
        };
        changed(&current, aside(compare).await)
    }
}

fn changed(current: &WorkflowRow, diff: Option<versioning::DefinitionDiff>) -> Problem {
    let etag = quoted(&current.etag());
    let is_beside = diff.as_ref().is_some_and(|diff| *diff == versioning::DefinitionDiff::default());
    let what = if is_beside {
        ", though not in what it executes: in its name, description, tags or layout"
    } else {
        ""
    };
    let detail = format!(
        "The workflow has changed since you read it{what}: its ETag is {etag} now. Read it again, and send the change \
         with that in If-Match."
    );
    let diff = diff.and_then(|diff| serde_json::to_value(diff).ok());
    let changed = Changed { current_etag: etag, current_version: current.version, diff };
    Problem::new(Kind::PreconditionFailed, detail).with_changed(changed)
}

/// What conditions look like (RFC 9110, 13.1.1 and 13.1.2).
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#;

impl IntoParams for Known {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the answer that the client has.";
        vec![optional(ParameterIn::Header, "If-None-Match", description, text(TAGS))]
    }
}

impl IntoParams for Edit {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the workflow that the client has seen: what has changed since is left alone. Without it, the last change wins.";
        vec![optional(ParameterIn::Header, "If-Match", description, text(TAGS))]
    }
}

/// The header `X-Change-Note` of changes that may make a version, read with [`Edit`].
pub(crate) struct ChangeNote;

impl IntoParams for ChangeNote {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let note = ObjectBuilder::from(text(IN_ONE_LINE)).max_length(Some(MAX_NOTE)).build();
        let description = "What the change is for; kept with the version that it makes.";
        vec![optional(ParameterIn::Header, "X-Change-Note", description, note)]
    }
}

/// A header of entity tags; none when it isn't there.
fn read<H: Header>(headers: &HeaderMap) -> Result<Option<H>, Problem> {
    let name: &HeaderName = H::name();
    let values = headers.get_all(name);
    let lines: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or_default()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // The library takes what is malformed for a tag that matches nothing: its sender would look for a change.
    let read = H::decode(&mut values.iter()).ok().filter(|_| are_tags(&lines.join(",")));
    read.map(Some).ok_or_else(|| {
        let detail =
            format!("The header {name} must be * or entity tags in quotes, as they came in the header ETag.");
        Problem::new(Kind::BadRequest, detail)
    })
}

/// Whether a text is `*` or a list of entity tags (RFC 9110, 8.8.3 and 5.6.1).
fn are_tags(text: &str) -> bool {
    let space = [' ', '\t'];
    let mut rest = text.trim_matches(space);
    if rest == "*" {
        return true;
    }
    let mut some = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return some;
        }
        let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
        let Some((tag, after)) = opened.and_then(|tag| tag.split_once('"')) else { return false };
        rest = after.trim_start_matches(space);
        if tag.contains(space) || !(rest.is_empty() || rest.starts_with(',')) {
            return false;
        }
        some = true;
    }
}

fn note(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(CHANGE_NOTE) else { return Ok(None) };
    let fits = |note: &&str| note.chars().count() <= MAX_NOTE && !note.contains(char::is_control);
    let note = std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(fits);
    let note = note.ok_or_else(|| {
        let detail = format!(
            "The header X-Change-Note must be UTF-8 without control characters, and has at most {MAX_NOTE} characters."
        );
        Problem::new(Kind::BadRequest, detail)
    })?;
    Ok(Some(note.to_owned()).filter(|note| !note.is_empty()))
}

/// The version in the first of our own tags.
fn seen(headers: &HeaderMap) -> Option<i32> {
    let text = headers.get(header::IF_MATCH).map(HeaderValue::to_str)?.ok()?;
    text.trim_start().strip_prefix('"')?.split_once('-')?.0.parse().ok()
}
