//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a repeated request gets the stored
//! response. Responses are stored in the transaction of the change and kept for 24 hours.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use sluice_engine::{KeptAnswer, Remembered};

use crate::auth::caller::Caller;
use crate::blocking::spawn_detached;
use crate::change::claim::IdempotencyClaim;
use crate::error::{Problem, ProblemKind};
use crate::middleware::request_hash::hash_request;
use crate::state::AppState;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Marks a stored response.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The maximum length of a key, in characters.
const MAX_KEY: usize = 255;

/// The maximum size of a response that is stored after its change, in bytes.
const MAX_STORED: usize = 1 << 20;

/// The headers that are stored.
const STORED_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// Runs a POST with an idempotency key once; a repetition gets the stored response.
pub(crate) async fn replay_or_run(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let keys: Vec<HeaderValue> = keys.iter().filter(|_| request.method() == Method::POST).cloned().collect();
    if keys.is_empty() {
        return next.run(request).await;
    }
    // Runs to its end even if the client disconnects: the key is in use until then.
    let response = spawn_detached(async move { run_once(&state, &keys, request, next).await }).await;
    response.unwrap_or_else(Problem::into_response)
}

async fn run_once(
    state: &AppState,
    keys: &[HeaderValue],
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let [key] = keys else {
        let detail = "The request has several Idempotency-Key headers. Send one.";
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    };
    // Keys belong to the API key that uses them. No key contains a space.
    let caller = request.extensions().get::<Caller>().and_then(Caller::id);
    let key = caller.map_or_else(|| parse_key(key), |id| Ok(format!("{id} {}", parse_key(key)?)))?;
    let claimed = state.idempotency_keys.claim(&key).ok_or_else(|| {
        let detail = "A request with this Idempotency-Key is in progress. Retry when it has finished.";
        Problem::new(ProblemKind::RequestInProgress, detail)
    })?;
    let before = state.db.idempotency_get(&key).await?;
    let (request, hash) = hash_request(state, request, before.is_some()).await?;
    let started_run = match before {
        Some(before) if before.request_hash != hash.to_hex() => {
            let detail =
                "This Idempotency-Key was used for a different request. Use a new key for each request.";
            return Err(Problem::new(ProblemKind::KeyReused, detail));
        }
        Some(Remembered { answer: Some(answer), .. }) => return Ok(to_response(answer, true)),
        Some(before) => before.run_id,
        None => None,
    };
    let claim = IdempotencyClaim { key: claimed, hash, started_run, stored: Mutex::default() };
    let claim = Arc::new(claim);
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Arc::clone(&claim));
    let response = next.run(Request::from_parts(parts, body)).await;
    let mut response = store_response(state, &claim, response).await?;
    if started_run.is_some() {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if !response.status().is_server_error() {
        claim.key.release();
    }
    Ok(response)
}

/// Returns the response, stored if it is a success.
async fn store_response(
    state: &AppState,
    claim: &IdempotencyClaim,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let stored = claim.stored.lock().take();
    if let Some(stored) = stored {
        return Ok(to_response(stored, false));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Problem::internal)?.to_bytes();
    let Ok(text) = std::str::from_utf8(&body) else { return Ok(Response::from_parts(parts, body.into())) };
    if text.len() > MAX_STORED {
        // A repetition finds the run by its id.
        return Ok(Response::from_parts(parts, body.into()));
    }
    let header =
        |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers: STORED_HEADERS.iter().filter_map(header).collect(),
        body: text.to_owned(),
    };
    // The change is committed, so the client gets its response even if it is not stored.
    if let Err(error) = state.db.idempotency_store(claim.remembered(None, Some(answer))).await {
        tracing::warn!(%error, "response not stored for its idempotency key");
    }
    Ok(Response::from_parts(parts, body.into()))
}

fn to_response(answer: KeptAnswer, is_replayed: bool) -> Response {
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

fn parse_key(key: &HeaderValue) -> Result<String, Problem> {
    let is_valid =
        |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    let key = key.to_str().ok().filter(is_valid).map(str::to_owned);
    key.ok_or_else(|| {
        let detail = format!(
            "Idempotency-Key must have 1 to {MAX_KEY} visible ASCII characters. Use a UUID, for example."
        );
        Problem::new(ProblemKind::BadRequest, detail)
    })
}
