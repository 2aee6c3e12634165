//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a repeated request gets the response of the
//! first one.
//!
//! The transaction of a change stores its outcome. The response replaces the outcome before it is sent. If the server
//! crashes in between, the response to a repeated request is built from the outcome.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use sluice_engine::RunOutcome;
use sluice_persistence::{IdempotencyRecord, MAX_IDEMPOTENCY_KEY_LENGTH, Outcome, RequestResult};

use crate::auth::caller::Caller;
use crate::blocking::spawn_detached;
use crate::change::claim::IdempotencyClaim;
use crate::change::request_hash::RequestHash;
use crate::error::{Problem, ProblemKind};
use crate::middleware::request_hash::hash_request;
use crate::state::AppState;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Marks the response to a repeated request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The maximum size of a stored response, in bytes. Larger responses are built again from the outcome.
const MAX_STORED: usize = 16 << 20;

/// The headers that are stored.
const STORED_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// A repeated request whose outcome is stored, but not its response.
pub(crate) struct RepeatedRequest {
    pub(crate) request: Request,
    pub(crate) outcome: Outcome,
    /// The time of the change.
    pub(crate) changed_at: DateTime<Utc>,
}

/// Builds the response from the outcome.
pub(crate) type RespondToRepeated =
    fn(AppState, RepeatedRequest) -> BoxFuture<'static, Result<Response, Problem>>;

/// The state of this check.
#[derive(Clone)]
pub(crate) struct Idempotency {
    pub(crate) state: AppState,
    pub(crate) respond: RespondToRepeated,
}

impl Idempotency {
    /// Runs a POST with an idempotency key once.
    pub(crate) async fn replay_or_run(&self, request: Request, next: Next) -> Response {
        let keys = request.headers().get_all(IDEMPOTENCY_KEY);
        let keys: Vec<HeaderValue> =
            keys.iter().filter(|_| request.method() == Method::POST).cloned().collect();
        if keys.is_empty() {
            return next.run(request).await;
        }
        // Runs to completion even if the client disconnects: the key is in use until then.
        let idempotency = self.clone();
        let response = spawn_detached(async move { idempotency.run_once(&keys, request, next).await }).await;
        response.unwrap_or_else(Problem::into_response)
    }

    async fn run_once(
        &self,
        keys: &[HeaderValue],
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let state = &self.state;
        let key = parse_key(keys, &request)?;
        let key_claim = state.idempotency_keys.claim(&key).ok_or_else(|| {
            let detail = "A request with this Idempotency-Key is in progress. Retry when it has finished.";
            Problem::new(ProblemKind::RequestInProgress, detail)
        })?;
        let record = state.db.idempotency_get(&key).await?;
        let (request, hash) = hash_request(state, request, record.is_some()).await?;
        let (mut outcome, mut started_run) = (None, None);
        if let Some(IdempotencyRecord { request_hash, created_at, result }) = record {
            require_same_request(&request_hash, &hash)?;
            match result {
                RequestResult::Response(stored) => return parse_response(&stored).map(mark_replayed),
                // The handler waits for the run.
                RequestResult::Outcome(Outcome::Run(RunOutcome::Awaited { run_id })) => {
                    started_run = Some(run_id);
                }
                RequestResult::Outcome(stored) => outcome = Some((stored, created_at)),
            }
        }
        let is_repeated = outcome.is_some() || started_run.is_some();
        let claim = Arc::new(IdempotencyClaim { key: key_claim, hash, started_run });
        let response = match outcome {
            Some((outcome, changed_at)) => {
                (self.respond)(state.clone(), RepeatedRequest { request, outcome, changed_at }).await?
            }
            None => {
                let (mut parts, body) = request.into_parts();
                parts.extensions.insert(Arc::clone(&claim));
                next.run(Request::from_parts(parts, body)).await
            }
        };
        let response = store_response(state, &claim, response).await?;
        if !response.status().is_server_error() {
            claim.key.release();
        }
        Ok(if is_repeated { mark_replayed(response) } else { response })
    }
}

/// Stores a successful response, and returns it.
async fn store_response(
    state: &AppState,
    claim: &Arc<IdempotencyClaim>,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Problem::internal)?.to_bytes();
    let response = |body| Ok(Response::from_parts(parts.clone(), Body::from(body)));
    let Some(text) = std::str::from_utf8(&body).ok().filter(|text| text.len() <= MAX_STORED) else {
        return response(body);
    };
    let header =
        |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let stored = StoredResponse {
        status: parts.status.as_u16(),
        headers: STORED_HEADERS.iter().filter_map(header).collect(),
        body: text.to_owned(),
    };
    let stored = serde_json::to_string(&stored).map_err(Problem::internal)?;
    // The change is committed, so the client gets its response even if it is not stored.
    if let Err(error) = state.db.idempotency_store(claim.to_key(), stored).await {
        tracing::warn!(%error, "response not stored for its idempotency key");
    }
    response(body)
}

/// The stored form of a response.
#[derive(Serialize, Deserialize)]
struct StoredResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn parse_response(stored: &str) -> Result<Response, Problem> {
    let StoredResponse { status, headers, body } = serde_json::from_str(stored).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(Problem::internal)?;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn mark_replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn require_same_request(stored: &str, hash: &RequestHash) -> Result<(), Problem> {
    if stored == hash.to_hex() {
        return Ok(());
    }
    let detail = "This Idempotency-Key was used for a different request. Use a new key for each request.";
    Err(Problem::new(ProblemKind::KeyReused, detail))
}

/// Returns the key. Keys belong to the API key that uses them.
fn parse_key(keys: &[HeaderValue], request: &Request) -> Result<String, Problem> {
    let [key] = keys else {
        let detail = "The request has several Idempotency-Key headers. Send one.";
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    };
    let is_valid = |key: &&str| {
        (1..=MAX_IDEMPOTENCY_KEY_LENGTH).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    };
    let key = key.to_str().ok().filter(is_valid).ok_or_else(|| {
        let detail = format!(
            "Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} visible ASCII characters. Use a UUID, for example."
        );
        Problem::new(ProblemKind::BadRequest, detail)
    })?;
    // A key contains no space.
    let caller = request.extensions().get::<Caller>().and_then(Caller::id);
    Ok(caller.map_or_else(|| key.to_owned(), |id| format!("{id} {key}")))
}
