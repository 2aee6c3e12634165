//! Parts of lists: which one is asked for, and where the next one is. Answers are plain lists; where they go on is
//! said by headers: `Link` (RFC 8288) and `X-Next-Cursor`, and by `X-Total-Count` how long the whole list is.

use axum::Json;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sluice_persistence::{AuditOrder, Part, RunOrder, VersionOrder, WorkflowOrder};
use utoipa::IntoParams;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Required, Schema};
use uuid::Uuid;

use crate::extract::{FromQuery, Reader};
use crate::routes::PageQuery;

const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// A list with the headers that say where it goes on.
pub(crate) type ListAnswer<T> = (HeaderMap, Json<Vec<T>>);

/// An order that a list can have, and the row behind which a part of it begins.
pub(crate) trait Sorted: Sized {
    /// What the document calls `sort`.
    const NAME: &'static str;

    /// What `sort` may be, the default first. A dash in front: the greatest first.
    const SORTS: &'static [&'static str];

    /// The order, behind the row with this key; none when that is no key in it.
    fn behind(by: &str, key: Option<&str>) -> Option<Self>;

    /// The key of the row behind which the part begins.
    fn key(&self) -> Option<String>;
}

impl Sorted for WorkflowOrder {
    const NAME: &'static str = "WorkflowSort";
    const SORTS: &'static [&'static str] =
        &["-created_at", "created_at", "name", "-name", "updated_at", "-updated_at"];

    fn behind(by: &str, key: Option<&str>) -> Option<Self> {
        // PostgreSQL takes no NUL in a text.
        let name = |text: &str| (!text.contains('\0')).then(|| text.to_owned());
        let saved = |text: &str| {
            let (micros, id) = text.split_once('.')?;
            Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
        };
        match by {
            "name" => read(key, name).map(Self::Name),
            "updated_at" => read(key, saved).map(Self::Updated),
            _ => read(key, id).map(Self::Created),
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::Created(id) => id.map(|id| id.to_string()),
            Self::Name(name) => name.clone(),
            Self::Updated(saved) => saved.map(|(at, id)| format!("{}.{id}", at.timestamp_micros())),
        }
    }
}

impl Sorted for RunOrder {
    const NAME: &'static str = "RunSort";
    const SORTS: &'static [&'static str] = &["-start_time", "start_time"];

    fn behind(_: &str, key: Option<&str>) -> Option<Self> {
        read(key, id).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|id| id.to_string())
    }
}

impl Sorted for VersionOrder {
    const NAME: &'static str = "VersionSort";
    const SORTS: &'static [&'static str] = &["-version", "version"];

    fn behind(_: &str, key: Option<&str>) -> Option<Self> {
        read(key, |text| text.parse().ok()).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|number| number.to_string())
    }
}

impl Sorted for AuditOrder {
    const NAME: &'static str = "AuditSort";
    const SORTS: &'static [&'static str] = &["-at", "at"];

    fn behind(_: &str, key: Option<&str>) -> Option<Self> {
        read(key, id).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|id| id.to_string())
    }
}

fn id(text: &str) -> Option<Uuid> {
    text.parse().ok()
}

/// A key, if there is one; none when there is one that can't be read.
fn read<T>(key: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    key.map_or(Some(None), |text| parse(text).map(Some))
}

/// Which part of a list, and in which order.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery<O> {
    page: PageQuery,
    sort: &'static str,
    behind: Option<O>,
    /// Whether it is to be said how long the whole list is.
    pub(crate) count: bool,
}

impl<O: Sorted> FromQuery for ListQuery<O> {
    fn from_query(reader: &mut Reader) -> Self {
        Self::sorted(reader, O::SORTS.first().copied().unwrap_or_default())
    }
}

impl<O: Sorted> ListQuery<O> {
    /// The part that is asked for, in the order `default` where nothing is said.
    pub(crate) fn sorted(reader: &mut Reader, default: &'static str) -> Self {
        let page = PageQuery::from_query(reader);
        let sort = reader.choice("sort", O::SORTS, default);
        let behind = reader.cursor("cursor", |cursor| {
            let (of, key) = cursor.split_once('\n')?;
            O::behind(by(sort), Some(key)).filter(|_| of == sort)
        });
        if behind.is_some() && page.page > 1 {
            let detail = "cursor and page both say where the part begins. Send one of them.";
            reader.refuse("cursor", "conflict", detail);
        }
        Self { page, sort, behind, count: reader.flag("count", false) }
    }

    /// The part, for the store.
    pub(crate) fn part(&self) -> Part<O>
    where
        O: Clone + Default,
    {
        let order = self.behind.clone().or_else(|| O::behind(by(self.sort), None)).unwrap_or_default();
        Part { page: self.page.into(), order, ascending: !self.sort.starts_with('-') }
    }

    /// What is said about an answer: where the next part begins, and how long the whole list is.
    pub(crate) fn headers(&self, query: &RawQuery, next: Option<O>, total: Option<u64>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let kept = kept(query.0.as_deref().unwrap_or_default());
        let mut links = Vec::new();
        if let Some(key) = next.and_then(|next| next.key()) {
            let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!("{}\n{key}", self.sort));
            links.push(link(&kept, &format!("cursor={cursor}"), "next"));
            insert(&mut headers, NEXT_CURSOR, cursor);
        }
        let (page, is_behind) = (self.page.page, self.behind.is_some());
        if page > 1 {
            links.push(link(&kept, &format!("page={}", page - 1), "prev"));
        }
        if page > 1 || is_behind {
            links.push(link(&kept, "", "first"));
        }
        if !links.is_empty() {
            insert(&mut headers, header::LINK, links.join(", "));
        }
        if let Some(total) = total {
            headers.insert(TOTAL_COUNT, total.into());
        }
        headers
    }
}

/// What a sort goes by.
fn by(sort: &str) -> &str {
    sort.trim_start_matches('-')
}

/// What a query of a URI has to be written without (RFC 3986, 3.4), and a link besides. What is encoded already stays so.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The parameters that every part of a list has, as they were sent.
fn kept(query: &str) -> Vec<String> {
    let is_place = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        ["page", "cursor"].contains(&&*percent_decode_str(name).decode_utf8_lossy())
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty() && !is_place(pair));
    pairs.map(|pair| utf8_percent_encode(pair, UNSAFE).to_string()).collect()
}

/// A link to another part, relative to the list.
fn link(kept: &[String], place: &str, rel: &str) -> String {
    let pairs: Vec<&str> =
        kept.iter().map(String::as_str).chain([place]).filter(|pair| !pair.is_empty()).collect();
    format!("<?{}>; rel=\"{rel}\"", pairs.join("&"))
}

/// Sets a header.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Where a part begins, and whether the whole is counted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the shape of what `ListQuery` reads")]
struct PlaceQuery {
    /// Where the part begins: the `X-Next-Cursor` of the answer before, in the same order. Rows that are added or
    /// deleted meanwhile make no other row come twice or go missing. Not together with a `page` beyond 1.
    #[param(value_type = String, min_length = 1, max_length = 2048, pattern = "^[A-Za-z0-9_-]+$", required = false)]
    cursor: String,
    /// Whether the header `X-Total-Count` is to say how many items the list has in all.
    #[param(default = false, required = false)]
    count: bool,
}

impl<O: Sorted> IntoParams for ListQuery<O> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let default = O::SORTS.first().copied().unwrap_or_default();
        let description = format!(
            "In which order: `{default}` when absent. With a dash in front, the greatest or the newest first."
        );
        let sort = ParameterBuilder::new()
            .name("sort")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(Ref::from_schema_name(O::NAME)));
        let mut parameters = PageQuery::into_params(&place);
        parameters.extend(PlaceQuery::into_params(&place));
        parameters.push(sort.build());
        parameters
    }
}

/// The orders that lists can have, for the document.
pub(crate) fn orders() -> [(&'static str, RefOr<Schema>); 4] {
    fn order<O: Sorted>() -> (&'static str, RefOr<Schema>) {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(O::SORTS.iter().copied()))
            .description(Some("An order of a list. With a dash in front, the greatest or the newest first."));
        (O::NAME, Schema::Object(schema.build()).into())
    }
    [order::<WorkflowOrder>(), order::<RunOrder>(), order::<VersionOrder>(), order::<AuditOrder>()]
}

/// Declares the headers of a list, if the call answers one.
pub(crate) fn declare_headers(operation: &mut Operation) {
    let is_cursor =
        |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(known) if known.name == "cursor");
    if !operation.parameters.iter().flatten().any(is_cursor) {
        return;
    }
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    for (name, kind, description) in [
        (
            "Link",
            Type::String,
            "Other parts of the list (RFC 8288): `next`, `prev` and `first`, where they are known.",
        ),
        ("X-Next-Cursor", Type::String, "The `cursor` of the next part. Absent behind the last part."),
        ("X-Total-Count", Type::Integer, "How many items the list has in all, with `count=true`."),
    ] {
        let schema = ObjectBuilder::new().schema_type(kind);
        let header = HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build();
        answer.headers.insert(name.to_owned(), header.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ListQuery<WorkflowOrder> {
        let mut reader = Reader::of(text);
        let query = ListQuery::from_query(&mut reader);
        assert!(reader.is_fine(), "{text}");
        query
    }

    fn links(text: &str, next: Option<WorkflowOrder>) -> String {
        let headers = query(text).headers(&RawQuery(Some(text.to_owned())), next, None);
        headers.get(header::LINK).map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn links_keep_what_the_client_asked_for() {
        assert_eq!(links("", None), "");
        assert_eq!(
            links("page=3&q=a%20b&count=true", None),
            "<?q=a%20b&count=true&page=2>; rel=\"prev\", <?q=a%20b&count=true>; rel=\"first\""
        );
        // A place is taken out however it is written, and what no header and no link can hold is encoded.
        assert_eq!(kept("p%61ge=3&q=é\">+x&&tag=%3e&%63ursor=x"), ["q=%C3%A9%22%3E+x", "tag=%3e"]);
        let next = Some(WorkflowOrder::Name(Some("Orders".to_owned())));
        assert_eq!(links("sort=name", next), "<?sort=name&cursor=bmFtZQpPcmRlcnM>; rel=\"next\"");
    }

    #[test]
    fn a_cursor_says_what_its_order_said() {
        let id = Uuid::from_u128(7);
        let saved = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        for (sort, order) in [
            ("-created_at", WorkflowOrder::Created(Some(id))),
            ("name", WorkflowOrder::Name(Some("Ä\"b&c".to_owned()))),
            ("-updated_at", WorkflowOrder::Updated(Some((saved, id)))),
        ] {
            let headers = query(&format!("sort={sort}")).headers(&RawQuery(None), Some(order.clone()), None);
            let cursor = headers[NEXT_CURSOR].to_str().unwrap();
            assert_eq!(query(&format!("sort={sort}&cursor={cursor}")).part().order, order);
        }
    }
}
