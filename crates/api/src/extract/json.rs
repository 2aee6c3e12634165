//! JSON request bodies. All errors of a body are reported together.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use sluice_domain::json_limits;
use sluice_domain::validation::{Code, path_pointer};
use utoipa::ToSchema;
use validator::{Validate, ValidationErrors};

use crate::blocking::cpu_bound;
use crate::error::{Problem, ProblemItem, ProblemKind, schema_errors};
use crate::state::AppState;

/// JSON of at least this size is parsed on another thread, so that it does not delay other requests.
pub(crate) const MIN_OFFLOAD_BYTES: usize = 64 << 10;

/// The JSON body of a request. All its problems are reported together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// Like [`Json`], but a missing body is an empty object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T> FromRequest<AppState> for Json<T>
where
    T: DeserializeOwned + Validate + ToSchema + Send + 'static,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, state.settings.max_body_bytes).await?;
        if bytes.is_empty() {
            return Err(Problem::new(ProblemKind::InvalidJson, "The body is missing. Send a JSON object."));
        }
        check_media_type(&parts.headers)?;
        parse_body(bytes).await.map(Self)
    }
}

/// The text of a JSON body, not parsed yet.
#[derive(Clone, Debug)]
pub(crate) struct JsonText(pub(crate) Vec<u8>);

impl FromRequest<AppState> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, state.settings.max_body_on(parts.uri.path())).await?;
        check_media_type(&parts.headers)?;
        Ok(Self(bytes))
    }
}

impl<T> FromRequest<AppState> for OptionalJson<T>
where
    T: DeserializeOwned + Validate + ToSchema + Send + 'static,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, state.settings.max_body_bytes).await?;
        if bytes.is_empty() {
            return parse_body(b"{}".to_vec()).await.map(Self);
        }
        check_media_type(&parts.headers)?;
        parse_body(bytes).await.map(Self)
    }
}

/// Returns the media type of a body in lowercase, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = |kind: &str| {
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    };
    match media_type(headers) {
        // A JSON Patch is a list of operations, not a document.
        Some(kind) if kind == "application/json-patch+json" => Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "JSON Patch is not supported here. Send a JSON Merge Patch as application/json or application/merge-patch+json.",
        )),
        Some(kind) if is_json(&kind) => Ok(()),
        _ => Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "The body must be JSON. Send the header Content-Type: application/json.",
        )),
    }
}

/// Reads a body of at most `max` bytes.
pub(crate) async fn read_body(headers: &HeaderMap, mut body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let content_length =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let mut bytes = Vec::with_capacity(content_length.unwrap_or_default().min(max));
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(ProblemKind::BadRequest, "The body is incomplete. Send it again.").caused_by(error)
        })?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size <= max {
            bytes.extend_from_slice(&data);
        } else if size > 4 * max {
            // Up to this size, the rest of the body is read and dropped. Many clients read the response only after they
            // have sent the whole body.
            break;
        }
    }
    if size > max {
        return Err(Problem::new(
            ProblemKind::TooLarge,
            format!("The body is larger than {max} bytes. Send a smaller body."),
        ));
    }
    Ok(bytes)
}

async fn parse_body<T>(bytes: Vec<u8>) -> Result<T, Problem>
where
    T: DeserializeOwned + Validate + ToSchema + Send + 'static,
{
    if bytes.len() < MIN_OFFLOAD_BYTES {
        return parse_json(&bytes);
    }
    cpu_bound(move || parse_json(&bytes)).await
}

/// Parses and validates JSON. Returns all problems together.
pub(crate) fn parse_json<T: DeserializeOwned + Validate + ToSchema>(bytes: &[u8]) -> Result<T, Problem> {
    json_limits::check_json(bytes).map_err(|error| json_problem(&error))?;
    // Serde would deserialize a list as an object whose fields are in order.
    let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let first_error = match serde_json::from_slice::<T>(bytes) {
        Ok(_) if !is_object => ProblemItem::new("", "type", "The value must be an object."),
        Ok(value) => match value.validate() {
            Ok(()) => return Ok(value),
            Err(errors) => validation_item(&errors),
        },
        Err(_) => parse_error_item::<T>(bytes),
    };
    // Parsing stops at the first problem. The schema finds all of them.
    let body = (bytes.len() <= schema_errors::MAX_VALIDATED_BYTES).then(|| serde_json::from_slice(bytes));
    let errors =
        body.and_then(Result::ok).map(|body| schema_errors::validate::<T>(&body)).unwrap_or_default();
    Err(Problem::invalid(
        ProblemKind::InvalidBody,
        if errors.is_empty() { vec![first_error] } else { errors },
    ))
}

/// Converts the first violation of a rule that the schema cannot express.
fn validation_item(errors: &ValidationErrors) -> ProblemItem {
    let fields = errors.field_errors();
    match fields.iter().find_map(|(name, errors)| Some((name, errors.first()?))) {
        Some((name, error)) => {
            let detail = error.message.clone().unwrap_or_else(|| "The value is invalid.".into());
            ProblemItem::new(format!("/{name}"), &error.code, detail)
        }
        None => ProblemItem::new("", "invalid", "The body is invalid. See the schema in /openapi.json."),
    }
}

/// Returns the error of the parser, which is used if the schema finds no violation.
fn parse_error_item<T: DeserializeOwned>(bytes: &[u8]) -> ProblemItem {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => ProblemItem::new("", "invalid", "The body is invalid. See the schema in /openapi.json."),
        Err(error) => {
            let pointer = path_pointer(error.path());
            ProblemItem::new(pointer, "invalid", format!("The value is invalid: {}.", error.inner()))
        }
    }
}

/// Converts the error of a text that is not JSON, or of JSON that the database can't store.
pub(crate) fn json_problem(error: &serde_json::Error) -> Problem {
    let position = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let code = match json_limits::violation(error) {
        None => {
            return Problem::new(
                ProblemKind::InvalidJson,
                format!("The body is not JSON: {reason} ({position})."),
            );
        }
        Some(json_limits::Violation::TooDeep) => Code::JsonTooDeep,
        Some(json_limits::Violation::Other) => Code::JsonRejected,
    };
    let detail = format!("The body is rejected: {reason} ({position}).");
    Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new("", code.as_str(), detail)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::workflows::request::WorkflowCreateRequest;

    fn problem_body(body: &str) -> serde_json::Value {
        let problem = parse_json::<WorkflowCreateRequest>(body.as_bytes()).unwrap_err();
        serde_json::to_value(problem.body(String::new())).unwrap()
    }

    fn pointers(body: &str) -> Vec<(String, String)> {
        let text = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap().to_owned();
        let body = problem_body(body);
        assert_eq!(body["status"], 422, "{body}");
        let items = body["errors"].as_array().unwrap().iter();
        let mut pointers: Vec<_> = items.map(|item| (text(item, "pointer"), text(item, "code"))).collect();
        pointers.sort();
        pointers
    }

    fn expect(body: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
        assert_eq!(pointers(body), expected, "{body}");
    }

    #[test]
    fn invalid_json_gets_400_with_its_position() {
        for body in ["{", "{\"name\": }", "nope", "{\"name\": \"\\ud800\"}", "{} {}", "{\"a\": 1e400}"] {
            let problem_body = problem_body(body);
            assert_eq!(problem_body["status"], 400, "{body}");
            assert!(problem_body["detail"].as_str().unwrap().contains("line 1, column"), "{problem_body}");
        }
    }

    #[test]
    fn json_that_cannot_be_stored_gets_422() {
        let deep = format!("{{\"name\": \"n\", \"x\": {}{}}}", "[".repeat(70), "]".repeat(70));
        expect(&deep, &[("", "json_too_deep")]);
        for body in ["{\"name\": \"a\\u0000\"}", "{\"name\": \"a\", \"name\": \"b\"}"] {
            expect(body, &[("", "json_rejected")]);
        }
    }

    #[test]
    fn all_problems_are_reported_together() {
        expect("{}", &[("/name", "missing")]);
        expect("[]", &[("", "type")]);
        expect(r#"{"name": 3}"#, &[("/name", "type")]);
        expect(r#"{"name": "x", "definition": 4}"#, &[("/definition", "type")]);
        expect(
            r#"{"name": "x", "definition": {"nodes": "no", "links": []}}"#,
            &[("/definition/nodes", "type")],
        );
        expect(
            r#"{"name": 3, "definition": {"nodes": [{"id": "a"}, {"id": 1, "node_type": "InputNode", "config": 3}],
                "spur_type": "zebra"}}"#,
            &[
                ("/definition/links", "missing"),
                ("/definition/nodes/0/node_type", "missing"),
                ("/definition/nodes/1/config", "type"),
                ("/definition/nodes/1/id", "type"),
                ("/definition/spur_type", "enum"),
                ("/name", "type"),
            ],
        );
        let inner = r#"{"nodes": [{"id": 1}], "links": []}"#;
        let body = format!(
            r#"{{"name": "x", "definition": {{"links": [], "nodes":
                [{{"id": "l", "node_type": "ForLoopNode", "subworkflow": {inner}}}]}}}}"#
        );
        let pointer = "/definition/nodes/0/subworkflow/nodes/0";
        expect(&body, &[(&format!("{pointer}/id"), "type"), (&format!("{pointer}/node_type"), "missing")]);
    }

    #[test]
    fn length_of_names_is_limited() {
        let body = |name: &str| serde_json::json!({"name": name}).to_string();
        expect(&body(&"x".repeat(256)), &[("/name", "length")]);
        expect(&body("a\tb"), &[("/name", "pattern")]);
        assert!(parse_json::<WorkflowCreateRequest>(body(&"é".repeat(255)).as_bytes()).is_ok());
    }
}
