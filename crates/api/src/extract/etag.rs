//! Conditional requests (RFC 9110, 13): entity tags and preconditions.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::{ETag, Header, IfMatch};
use serde::Serialize;
use sluice_domain::{Definition, versioning};
use sluice_engine::KeptAnswer;
use sluice_persistence::{Pin, Precondition, SaveOptions, WorkflowRow, WriteError};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::blocking::cpu_bound;
use crate::change::kept;
use crate::error::convert::Resource;
use crate::error::{CurrentState, Problem, ProblemKind};
use crate::openapi::params::{optional_parameter, text_schema};
use crate::patterns::ONE_LINE;
use crate::state::AppState;

/// Header with the note of a change.
pub(crate) const CHANGE_NOTE: &str = "x-change-note";

/// The longest note, in characters.
pub(crate) const MAX_CHANGE_NOTE: usize = 1_000;

/// An answer with its entity tag.
#[derive(Debug)]
pub(crate) struct WithETag<T> {
    etag: String,
    body: T,
}

impl<T> WithETag<T> {
    /// `etag` is the opaque part of the tag, without quotes.
    pub(crate) fn new(etag: String, body: T) -> Self {
        Self { etag, body }
    }

    /// The answer, to be kept for a request that is sent again.
    pub(crate) fn stored_response(&self) -> Option<KeptAnswer>
    where
        T: Serialize,
    {
        kept(&[(header::ETAG, quote(&self.etag))], &self.body)
    }

    /// 304 without the answer for a client that has it already.
    pub(crate) fn unless_match(self, if_none_match: &IfNoneMatch) -> Response
    where
        T: Serialize,
    {
        let is_match = if_none_match.0.as_ref().is_some_and(|etags| {
            // A tag of ours always reads as one.
            quote(&self.etag).parse().is_ok_and(|etag: ETag| !etags.precondition_passes(&etag))
        });
        if is_match {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, quote(&self.etag))]).into_response();
        }
        self.into_response()
    }
}

impl<T: Serialize> IntoResponse for WithETag<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, quote(&self.etag))], Json(self.body)).into_response()
    }
}

pub(crate) fn quote(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The header `If-None-Match`.
#[derive(Debug)]
pub(crate) struct IfNoneMatch(Option<headers::IfNoneMatch>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_header(&parts.headers).map(Self)
    }
}

/// The headers `If-Match` and `X-Change-Note` of a change to a workflow.
#[derive(Debug)]
pub(crate) struct Preconditions {
    pub(crate) saving: SaveOptions,
    /// The version that the client has seen, as its entity tag says.
    client_version: Option<i32>,
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let condition = read_header::<IfMatch>(&parts.headers)?.map(|wanted| {
            Precondition::new(move |etag| {
                quote(etag).parse().is_ok_and(|etag: ETag| wanted.precondition_passes(&etag))
            })
        });
        let by = parts.extensions.get::<Caller>().and_then(Caller::name).map(str::to_owned);
        let saving = SaveOptions {
            precondition: condition,
            note: read_change_note(&parts.headers)?,
            by,
            ..SaveOptions::default()
        };
        Ok(Self { saving, client_version: client_version(&parts.headers) })
    }
}

impl Preconditions {
    /// Why the change was not made. What has changed since the client looked is told with it.
    pub(crate) async fn explain(&self, state: &AppState, id: Uuid, error: WriteError) -> Problem {
        let WriteError::PreconditionFailed(current) = error else {
            return Resource::Workflow.write_problem(error);
        };
        let seen = match self.client_version {
            Some(number) => state.db.pinned_version(id, &Pin::Number(number)).await.ok().flatten(),
            None => None,
        };
        let after = current.definition.clone();
        let compare = move || {
            let before: Definition = serde_json::from_str(&seen?.definition).ok()?;
            let after: Definition = serde_json::from_str(&after).ok()?;
            Some(versioning::diff(&before, &after, false))
        };
        precondition_failed(&current, cpu_bound(compare).await)
    }
}

fn precondition_failed(current: &WorkflowRow, diff: Option<versioning::DefinitionDiff>) -> Problem {
    let etag = quote(&current.etag());
    let is_beside = diff.as_ref().is_some_and(|diff| *diff == versioning::DefinitionDiff::default());
    let what = if is_beside { ", but only in its name, description, tags or layout" } else { "" };
    let detail = format!(
        "The workflow has changed since it was read{what}. Its ETag is now {etag}. Read it again, then retry with that ETag in If-Match."
    );
    let diff = diff.and_then(|diff| serde_json::to_value(diff).ok());
    let current_state = CurrentState { current_etag: etag, current_version: current.version, diff };
    Problem::new(ProblemKind::PreconditionFailed, detail).with_current_state(current_state)
}

/// Pattern of `If-Match` and `If-None-Match` (RFC 9110, 13.1.1 and 13.1.2).
const ETAG_LIST: &str = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#;

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the response that the client has cached.";
        vec![optional_parameter(ParameterIn::Header, "If-None-Match", description, text_schema(ETAG_LIST))]
    }
}

impl IntoParams for Preconditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the workflow as the client last read it. If the workflow has changed since, the request is rejected. Without this header, the last write wins.";
        vec![optional_parameter(ParameterIn::Header, "If-Match", description, text_schema(ETAG_LIST))]
    }
}

/// The header `X-Change-Note` of changes that may make a version, read with [`Edit`].
pub(crate) struct ChangeNote;

impl IntoParams for ChangeNote {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let note = ObjectBuilder::from(text_schema(ONE_LINE)).max_length(Some(MAX_CHANGE_NOTE)).build();
        let description = "Note to store with the new version.";
        vec![optional_parameter(ParameterIn::Header, "X-Change-Note", description, note)]
    }
}

/// A header of entity tags; none when it isn't there.
fn read_header<H: Header>(headers: &HeaderMap) -> Result<Option<H>, Problem> {
    let name: &HeaderName = H::name();
    let values = headers.get_all(name);
    let lines: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or_default()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // The library takes what is malformed for a tag that matches nothing: its sender would look for a change.
    let read = H::decode(&mut values.iter()).ok().filter(|_| is_etag_list(&lines.join(",")));
    read.map(Some).ok_or_else(|| {
        let detail = format!("The header {name} must be `*` or a list of quoted ETags, such as \"abc\".");
        Problem::new(ProblemKind::BadRequest, detail)
    })
}

/// True for `*` and for a list of entity tags (RFC 9110, 8.8.3 and 5.6.1).
fn is_etag_list(text: &str) -> bool {
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

fn read_change_note(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(CHANGE_NOTE) else { return Ok(None) };
    let fits = |note: &&str| note.chars().count() <= MAX_CHANGE_NOTE && !note.contains(char::is_control);
    let note = std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(fits);
    let note = note.ok_or_else(|| {
        let detail = format!(
            "The header X-Change-Note must be UTF-8 text of at most {MAX_CHANGE_NOTE} characters without control characters."
        );
        Problem::new(ProblemKind::BadRequest, detail)
    })?;
    Ok(Some(note.to_owned()).filter(|note| !note.is_empty()))
}

/// The version in the first of our own tags.
fn client_version(headers: &HeaderMap) -> Option<i32> {
    let text = headers.get(header::IF_MATCH).map(HeaderValue::to_str)?.ok()?;
    text.trim_start().strip_prefix('"')?.split_once('-')?.0.parse().ok()
}
