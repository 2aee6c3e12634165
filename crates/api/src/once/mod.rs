//! Requests that are carried out once, however often they are sent: the header `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header). The answer is kept in the transaction of the change it tells of, and
//! given again for 24 hours.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use serde::Serialize;
use sluice_engine::{AuditEntry, Kept, KeptAnswer, Remember, Remembered, Snapshot};
use uuid::Uuid;

mod asked;

use asked::Asked;

use crate::AppState;
use crate::access::Caller;
use crate::aside::to_its_end;
use crate::audit::{self, Changed, Origin};
use crate::problem::{Kind, Problem};
use crate::state::lock;

/// The key of a request that is to be carried out once.
pub(crate) const KEY: &str = "idempotency-key";
/// Says that an answer was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in characters.
const MAX_KEY: usize = 255;
/// The most bytes of an answer that is kept after its request was carried out.
const MAX_KEPT: usize = 1 << 20;
/// What of an answer's headers is given again.
const HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// The keys of the requests that are being carried out. One server has a store for itself, so they are all here.
#[derive(Clone, Debug, Default)]
pub(crate) struct InProgress(Arc<Mutex<HashSet<String>>>);

impl InProgress {
    fn claim(&self, key: &str) -> Option<Place> {
        let is_new = lock(&self.0).insert(key.to_owned());
        is_new.then(|| Place {
            keys: Arc::clone(&self.0),
            key: key.to_owned(),
            given_up: AtomicBool::default(),
        })
    }
}

/// A key that is in use until this is given up or dropped.
#[derive(Debug)]
struct Place {
    keys: Arc<Mutex<HashSet<String>>>,
    key: String,
    given_up: AtomicBool,
}

impl Place {
    fn give_up(&self) {
        // Once: after that it may be another request's.
        if !self.given_up.swap(true, Ordering::AcqRel) {
            lock(&self.keys).remove(&self.key);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// What a handler keeps with the change that it makes: the answer, if its request has a key, and what the audit log says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Once {
    claim: Option<Arc<Claim>>,
    origin: Origin,
}

#[derive(Debug)]
pub(crate) struct Claim {
    /// Held by the change as well, which may still come when its request was told that the store gave no answer: until
    /// then the same request is in progress.
    place: Place,
    asked: Asked,
    /// The run that an earlier try of this request has started, and for which it gave no answer yet.
    started: Option<Uuid>,
    /// The answer that is kept with the change.
    kept: Mutex<Option<KeptAnswer>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { claim: parts.extensions.get().cloned(), origin: Origin::of(&parts.extensions) })
    }
}

impl Once {
    /// Keeps the answer that `answer` makes with the change that it tells of, and what `changed` says of it.
    pub(crate) fn keep<T>(
        &self,
        changed: impl Fn(&T) -> Vec<Changed> + Send + Sync + 'static,
        answer: impl Fn(&T) -> Option<KeptAnswer> + Send + Sync + 'static,
    ) -> Option<Remember<T>> {
        let Self { claim, origin } = self.clone();
        Some(Remember::new(move |made| {
            let answer = claim.as_ref().and_then(|claim| {
                let answer = answer(made)?;
                lock(&claim.kept).clone_from(&Some(answer.clone()));
                Some(claim.remembered(None, Some(answer)))
            });
            Kept { answer, audit: origin.entries(changed(made)) }
        }))
    }

    /// Keeps what `changed` says of a change. Its answer, if the request has a key, is kept after it.
    pub(crate) fn tell<T>(
        &self,
        changed: impl Fn(&T) -> Vec<Changed> + Send + Sync + 'static,
    ) -> Option<Remember<T>> {
        let origin = self.origin.clone();
        Some(Remember::new(move |made| Kept { answer: None, audit: origin.entries(changed(made)) }))
    }

    /// Keeps the answer that `answer` makes of a run that starts. A run has a log of its own: the audit log says who
    /// started it, where that is known.
    pub(crate) fn keep_start(
        &self,
        answer: impl Fn(&Snapshot) -> Option<KeptAnswer> + Send + Sync + 'static,
    ) -> Option<Remember<Snapshot>> {
        if self.claim.is_none() && !self.origin.is_known() {
            return None;
        }
        let is_known = self.origin.is_known();
        self.keep(move |run| if is_known { audit::run(run) } else { Vec::new() }, answer)
    }

    /// Notes which run was started, with its start: the answer is kept when the run has ended.
    pub(crate) fn note_run(&self) -> Option<Remember<Snapshot>> {
        let Self { claim, origin } = self.clone();
        if claim.is_none() && !origin.is_known() {
            return None;
        }
        Some(Remember::new(move |started: &Snapshot| {
            let answer = claim.as_ref().map(|claim| claim.remembered(Some(started.record.id), None));
            let changed = if origin.is_known() { audit::run(started) } else { Vec::new() };
            Kept { answer, audit: origin.entries(changed) }
        }))
    }

    /// The entries of the audit log of a change that has no transaction.
    pub(crate) fn entries(&self, changed: Vec<Changed>) -> Vec<AuditEntry> {
        self.origin.entries(changed)
    }

    /// Whether the request has a key.
    pub(crate) fn has_key(&self) -> bool {
        self.claim.is_some()
    }

    /// The run that an earlier try of this request has started.
    pub(crate) fn started(&self) -> Option<Uuid> {
        self.claim.as_ref()?.started
    }
}

impl Claim {
    fn remembered(&self, run_id: Option<Uuid>, answer: Option<KeptAnswer>) -> Remembered {
        Remembered { key: self.place.key.clone(), request_hash: self.asked.hash(), run_id, answer }
    }
}

/// An answer in JSON, to be kept. None when it can't be written as JSON, which no answer of ours is.
pub(crate) fn kept(headers: &[(HeaderName, String)], answer: &impl Serialize) -> Option<KeptAnswer> {
    let json = (header::CONTENT_TYPE, "application/json".to_owned());
    let headers = headers.iter().chain([&json]).map(|(name, value)| (name.to_string(), value.clone()));
    Some(KeptAnswer { status: 200, headers: headers.collect(), body: serde_json::to_string(answer).ok()? })
}

/// Carries a POST with a key out once.
pub(crate) async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let keys = request.headers().get_all(KEY);
    let keys: Vec<HeaderValue> = keys.iter().filter(|_| request.method() == Method::POST).cloned().collect();
    if keys.is_empty() {
        return next.run(request).await;
    }
    // Whoever asked may go: the key is in use until the request is carried out all the same.
    let answer = to_its_end(async move { carried_out(&state, &keys, request, next).await }).await;
    answer.unwrap_or_else(Problem::into_response)
}

async fn carried_out(
    state: &AppState,
    keys: &[HeaderValue],
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let [key] = keys else {
        let detail = "There is more than one header Idempotency-Key. Send it once.";
        return Err(Problem::new(Kind::BadRequest, detail));
    };
    // What one API key asked for is not told to another. No key has a space in it.
    let caller = request.extensions().get::<Caller>().and_then(Caller::id);
    let key = caller.map_or_else(|| checked(key), |id| Ok(format!("{id} {}", checked(key)?)))?;
    let place = state.in_progress.claim(&key).ok_or_else(|| {
        let detail =
            "A request with this Idempotency-Key is being carried out. Send it again when that is answered.";
        Problem::new(Kind::RequestInProgress, detail)
    })?;
    let before = state.db.remembered(&key).await?;
    let (request, asked) = Asked::of(state, request, before.is_some()).await?;
    let started = match before {
        Some(before) if before.request_hash != asked.hash() => {
            let detail =
                "This Idempotency-Key belongs to another request. Give each request a key of its own.";
            return Err(Problem::new(Kind::KeyReused, detail));
        }
        Some(Remembered { answer: Some(answer), .. }) => return Ok(answered(answer, true)),
        Some(before) => before.run_id,
        None => None,
    };
    let claim = Arc::new(Claim { place, asked, started, kept: Mutex::default() });
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Arc::clone(&claim));
    let response = next.run(Request::from_parts(parts, body)).await;
    let mut response = settled(state, &claim, response).await?;
    if started.is_some() {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if !response.status().is_server_error() {
        claim.place.give_up();
    }
    Ok(response)
}

/// The response, its answer kept.
async fn settled(state: &AppState, claim: &Claim, response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let kept = lock(&claim.kept).take();
    if let Some(kept) = kept {
        return Ok(answered(kept, false));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Problem::internal)?.to_bytes();
    let Ok(text) = std::str::from_utf8(&body) else { return Ok(Response::from_parts(parts, body.into())) };
    if text.len() > MAX_KEPT {
        // A run that was waited for is found again by its id.
        return Ok(Response::from_parts(parts, body.into()));
    }
    let header =
        |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers: HEADERS.iter().filter_map(header).collect(),
        body: text.to_owned(),
    };
    // What was asked for has happened: it is answered even when the answer can't be kept.
    if let Err(error) = state.db.remember(claim.remembered(None, Some(answer))).await {
        tracing::warn!(%error, "an answer is not kept for a request that is sent again");
    }
    Ok(Response::from_parts(parts, body.into()))
}

fn answered(answer: KeptAnswer, is_replayed: bool) -> Response {
    let KeptAnswer { status, headers, body } = answer;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if is_replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn checked(key: &HeaderValue) -> Result<String, Problem> {
    let fits = |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    let key = key.to_str().ok().filter(fits).map(str::to_owned);
    key.ok_or_else(|| {
        let detail = format!(
            "The header Idempotency-Key must be 1 to {MAX_KEY} visible characters of ASCII, such as a UUID."
        );
        Problem::new(Kind::BadRequest, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_use_as_long_as_the_change_may_come() {
        let keys = InProgress::default();
        let place = keys.claim("k").unwrap();
        let claim = Claim { place, asked: Asked::default(), started: None, kept: Mutex::default() };
        let once = Once { claim: Some(Arc::new(claim)), origin: Origin::default() };
        // What waits in the queue of the writer.
        let change = once.keep(|()| Vec::new(), |()| None);
        drop(once);
        assert!(keys.claim("k").is_none());
        drop(change);
        let next = keys.claim("k").unwrap();
        next.give_up();
        let after = keys.claim("k").unwrap();
        drop(next);
        assert!(keys.claim("k").is_none());
        drop(after);
    }
}
