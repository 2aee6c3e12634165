//! Requests that are carried out once, however often they are sent: the header `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header). The answer is kept in the transaction of the change it tells of, and
//! given again for 24 hours.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sluice_engine::{KeptAnswer, Remember, Remembered, Snapshot};
use uuid::Uuid;

use crate::AppState;
use crate::extract::{media_type, read_body};
use crate::problem::{Kind, Problem};

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
        is_new.then(|| Place { keys: Arc::clone(&self.0), key: key.to_owned() })
    }
}

/// A key that is in use until this is dropped.
struct Place {
    keys: Arc<Mutex<HashSet<String>>>,
    key: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.keys).remove(&self.key);
    }
}

/// What a handler knows of the key of its request; nothing, when it has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Once(Option<Arc<Claim>>);

#[derive(Debug)]
struct Claim {
    key: String,
    request_hash: String,
    /// The run that an earlier try of this request has started, and for which it gave no answer yet.
    started: Option<Uuid>,
    /// The answer that is kept with the change.
    kept: Mutex<Option<KeptAnswer>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

impl Once {
    /// Keeps the answer that `answer` makes with the change that it tells of.
    pub(crate) fn keep<T>(
        &self,
        answer: impl Fn(&T) -> Option<KeptAnswer> + Send + Sync + 'static,
    ) -> Option<Remember<T>> {
        let claim = Arc::clone(self.0.as_ref()?);
        Some(Remember::new(move |made| {
            let answer = answer(made);
            lock(&claim.kept).clone_from(&answer);
            claim.remembered(None, answer)
        }))
    }

    /// Keeps which run was started, with its start: the answer comes when the run has ended.
    pub(crate) fn keep_started(&self) -> Option<Remember<Snapshot>> {
        let claim = Arc::clone(self.0.as_ref()?);
        Some(Remember::new(move |started: &Snapshot| claim.remembered(Some(started.record.id), None)))
    }

    /// Whether the request has a key.
    pub(crate) fn has_key(&self) -> bool {
        self.0.is_some()
    }

    /// The run that an earlier try of this request has started.
    pub(crate) fn started(&self) -> Option<Uuid> {
        self.0.as_ref()?.started
    }
}

impl Claim {
    fn remembered(&self, run_id: Option<Uuid>, answer: Option<KeptAnswer>) -> Remembered {
        Remembered { key: self.key.clone(), request_hash: self.request_hash.clone(), run_id, answer }
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
    let key = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned();
    let Some(key) = key else { return next.run(request).await };
    // Whoever asked may go: the key is in use until the request is carried out all the same.
    let carried_out = tokio::spawn(async move { carried_out(&state, &key, request, next).await });
    match carried_out.await {
        Ok(answer) => answer.unwrap_or_else(Problem::into_response),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

async fn carried_out(
    state: &AppState,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = checked(key)?;
    let _place = state.in_progress.claim(&key).ok_or_else(|| {
        let detail =
            "A request with this Idempotency-Key is being carried out. Send it again when that is answered.";
        Problem::new(Kind::RequestInProgress, detail)
    })?;
    let (request, request_hash) = hashed(state, request).await?;
    let started = match state.db.remembered(&key).await? {
        Some(before) if before.request_hash != request_hash => {
            let detail =
                "This Idempotency-Key belongs to another request. Give each request a key of its own.";
            return Err(Problem::new(Kind::KeyReused, detail));
        }
        Some(Remembered { answer: Some(answer), .. }) => return Ok(answered(answer, true)),
        Some(before) => before.run_id,
        None => None,
    };
    let claim = Arc::new(Claim { key, request_hash, started, kept: Mutex::default() });
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Once(Some(Arc::clone(&claim))));
    let response = next.run(Request::from_parts(parts, body)).await;
    settled(state, &claim, response).await
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

/// The request, and the SHA-256 (hex) of its path, query and body. Of a form, whose text is another each time that it
/// is sent, path and query alone.
async fn hashed(state: &AppState, request: Request) -> Result<(Request, String), Problem> {
    let mut hash = Sha256::new();
    let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
    hash.update(asked.len().to_le_bytes());
    hash.update(asked);
    let is_form = media_type(request.headers()).as_deref() == Some("multipart/form-data");
    let request = if is_form {
        request
    } else {
        let (parts, body) = request.into_parts();
        let body = read_body(&parts.headers, body, state.settings.max_body_on(parts.uri.path())).await?;
        hash.update(&body);
        Request::from_parts(parts, Body::from(body))
    };
    Ok((request, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Nothing can panic halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
