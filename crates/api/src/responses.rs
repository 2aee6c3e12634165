//! The problems that calls can answer, each set declared once: `responses(…)` of a handler names the sets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, Responses};

use crate::examples;
use crate::problem::{Kind, MEDIA_TYPE, is_for_later};

/// A problem under its status and its kind: what has one status is [brought together](by_status) later, as a map of
/// responses has room for one of each key.
fn problem(kind: Kind, description: &str) -> (String, RefOr<Response>) {
    let example = ExampleBuilder::new().summary(kind.title()).value(Some(examples::problem(kind))).build();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter([(kind.slug(), example)])
        .build();
    let mut response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content);
    if is_for_later(kind.status()) {
        let header = HeaderBuilder::new().description(Some("After how many seconds to try again.")).build();
        response = response.header("Retry-After", header);
    }
    (format!("{} {} {description}", kind.status().as_u16(), kind.slug()), response.build().into())
}

/// The answers of a call, those of one status in one: with what each is, and an example of each kind of problem.
pub(crate) fn by_status(responses: &mut Responses) {
    let mut together = BTreeMap::new();
    for (key, response) in std::mem::take(&mut responses.responses) {
        let status = key.split(' ').next().unwrap_or_default().to_owned();
        match together.entry(status) {
            Entry::Vacant(free) => drop(free.insert(response)),
            Entry::Occupied(mut known) => {
                if let (RefOr::T(known), RefOr::T(other)) = (known.get_mut(), response) {
                    join(known, other);
                }
            }
        }
    }
    responses.responses = together;
}

fn join(known: &mut Response, other: Response) {
    if !known.description.contains(&other.description) {
        known.description.push(' ');
        known.description.push_str(&other.description);
    }
    known.headers.extend(other.headers);
    for (media_type, content) in other.content {
        match (known.content.get_mut(&media_type), content) {
            (Some(RefOr::T(known)), RefOr::T(content)) => known.examples.extend(content.examples),
            (_, content) => drop(known.content.insert(media_type, content)),
        }
    }
}

macro_rules! problems {
    ($($(#[doc = $doc:literal])* $name:ident { $($kind:ident: $description:literal,)* })*) => {
        $(
            $(#[doc = $doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([$(problem(Kind::$kind, $description)),*])
                }
            }
        )*
    };
}

problems! {
    /// What every call that asks the store can answer.
    ServerProblems {
        Internal: "The server failed; its log says why, under the id of the request.",
        StoreUnavailable: "The store can't be reached, or the server is stopping.",
    }
    /// What every call that asks for a key can answer.
    AccessProblems {
        Unauthenticated: "No API key is sent, or none that is known.",
        ScopeMissing: "The API key lacks the scope of the call.",
        TooManyRequests: "The API key has made as many calls as it may, for now.",
    }
    /// What even a call can answer that has nothing else to get wrong.
    HeadersRefused {
        HeadersTooLarge: "The headers are longer than the server takes.",
    }
    /// What every call with a JSON body can answer.
    BodyProblems {
        InvalidJson: "The body is not JSON.",
        RequestTimeout: "The body came too slowly, or stopped.",
        TooLarge: "The body is larger than the server takes.",
        UnsupportedMediaType: "The body is not sent as JSON.",
        InvalidBody: "The body does not fit; `errors` lists every problem.",
    }
    /// What a call can answer that takes whatever it is sent as JSON.
    TextProblems {
        RequestTimeout: "The body came too slowly, or stopped.",
        TooLarge: "The body is larger than the server takes.",
        UnsupportedMediaType: "The body is not sent as JSON.",
    }
    /// What every call with a query can answer.
    QueryProblems {
        InvalidQuery: "The path or query does not fit; `errors` lists every problem.",
        UriTooLong: "The path and query are longer than the server takes.",
    }
    /// What every call on a workflow can answer.
    WorkflowMissing {
        WorkflowNotFound: "There is no such workflow.",
    }
    /// What an export can answer.
    ExportProblems {
        TooLarge: "There is too much to be told at once.",
        BadRequest: "A header can't be read.",
    }
    /// What every call on a run can answer.
    RunMissing {
        RunNotFound: "There is no such run.",
    }
    /// What every call on a dataset can answer.
    DatasetMissing {
        DatasetNotFound: "There is no such dataset.",
    }
    /// What every call on an output file can answer.
    OutputFileMissing {
        OutputFileNotFound: "There is no such output file.",
    }
    /// What starting a batch can answer.
    BatchProblems {
        DatasetNotFound: "There is no such dataset.",
        InvalidJson: "The body is not JSON.",
        BadRequest: "The form can't be read.",
        RequestTimeout: "The body came too slowly, or stopped.",
        TooLarge: "The body is larger, or there are more rows, than the server takes.",
        UnsupportedMediaType: "The body is neither JSON nor multipart/form-data.",
        InvalidBody: "The body or its rows do not fit; `errors` lists what is wrong.",
    }
    /// What saving a definition can answer.
    DefinitionProblems {
        InvalidDefinition: "The body or its definition does not fit; `errors` lists every problem.",
    }
    /// What replacing a workflow can answer.
    ReplaceProblems {
        DefinitionMissing: "The body has no definition.",
        NameTaken: "Another workflow has this name.",
        LabelProtected: "The label is protected.",
        TooManyLabels: "The workflow has 100 labels, which is as many as are taken.",
    }
    /// What a change on a condition can answer.
    Conditional {
        BadRequest: "A header can't be read.",
        PreconditionFailed: "The workflow is not what `If-Match` says: `diff` tells what has changed since.",
    }
    /// What reading what the client may have already can answer.
    KnownRefused {
        BadRequest: "A header can't be read.",
    }
    /// What saving under a label can answer.
    LabelProtected {
        LabelProtected: "The label is protected.",
        TooManyLabels: "The workflow has 100 labels, which is as many as are taken.",
    }
    /// What changing a workflow in part can answer.
    PatchProblems {
        NameTaken: "Another workflow has this name.",
    }
    /// What a request with a key can answer.
    KeyProblems {
        BadRequest: "A header can't be read.",
        RequestTimeout: "The body came too slowly, or stopped.",
        TooLarge: "The body is larger than the server takes.",
        RequestInProgress: "A request with this `Idempotency-Key` is being carried out.",
        KeyReused: "The `Idempotency-Key` belongs to another request.",
    }
    /// What comparing versions can answer.
    DiffProblems {
        NotAcceptable: "The header `Accept` names no form that there is.",
        InvalidQuery: "The path or query does not fit; `errors` lists every problem.",
    }
    /// What every call on a version can answer.
    VersionMissing {
        WorkflowNotFound: "There is no such workflow.",
        VersionNotFound: "There is no such version.",
        LabelNotFound: "There is no such label.",
    }
    /// What a call that names a version by its number can answer.
    NumberMissing {
        WorkflowNotFound: "There is no such workflow.",
        VersionNotFound: "There is no such version.",
    }
    /// What every call on a label can answer.
    LabelMissing {
        WorkflowNotFound: "There is no such workflow.",
        LabelNotFound: "There is no such label.",
    }
    /// What setting a label can answer.
    TooManyLabels {
        TooManyLabels: "The workflow has 100 labels, which is as many as are taken.",
        InvalidQuery: "The label or the body does not fit; `errors` lists every problem.",
    }
    /// What rolling a label back can answer.
    NoEarlierVersion {
        NoEarlierVersion: "The label stood nowhere else.",
    }
    /// What waiting for a run can answer.
    FailedRun {
        RunFailed: "The run failed; `failed_nodes` says where and why.",
    }
    /// What canceling a run can answer.
    EndedRun {
        RunEnded: "The run has ended already.",
    }
    /// What an event stream can answer.
    StreamProblems {
        UnknownEventId: "The header Last-Event-ID names no event of the stream.",
        TooManyStreams: "As many streams are open as the server takes.",
    }
    /// What running again can answer.
    RerunProblems {
        RerunRefused: "The run can't be made so.",
    }
    /// What retrying a run can answer.
    RunNotFailed {
        RunNotFailed: "The run has not failed.",
    }
    /// What settling a pause can answer.
    NoOpenPause {
        NoOpenPause: "No such pause is open.",
        NotYourself: "The API key may not decide in this person's name.",
    }
    /// What running one node can answer.
    PartialProblems {
        PartialRun: "The node could not be run.",
    }
    /// What an upload can answer.
    UploadProblems {
        BadRequest: "The form can't be read.",
        RequestTimeout: "The form came too slowly, or stopped.",
        TooLarge: "A file is larger, or there are more of them, than the server takes.",
        UnsupportedMediaType: "The body is no multipart/form-data.",
        InvalidBody: "The form does not fit; `errors` lists every problem.",
    }
}

/// What any call can answer before it is looked into. Each alone would say nothing of the call that it stands at.
pub(crate) struct AnyProblem;

impl IntoResponses for AnyProblem {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "Any other problem. Before a call is looked into: 400 and 414 for requests that can't be read \
            or have too long a path, 403 for calls of other sites, 404 and 405 for paths and methods that are not \
            served, 431 for headers that are too long.";
        let (_, response) = problem(Kind::MethodNotAllowed, description);
        BTreeMap::from([("default".to_owned(), response)])
    }
}
