//! Cursor pagination. Responses are plain lists; `Link` (RFC 8288) and `X-Next-Cursor` point to the next page, and
//! `X-Total-Count` is the length of the whole list.

use axum::Json;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sluice_persistence::{AuditOrder, PageRequest, RunOrder, VersionOrder, WorkflowOrder};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use uuid::Uuid;

use crate::extract::page::PageQuery;
use crate::extract::query::{FromQuery, QueryReader};

const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// A page of a list with its pagination headers.
pub(crate) type ListResponse<T> = (HeaderMap, Json<Vec<T>>);

/// A sort order of a list, and the row after which a page begins.
pub(crate) trait SortKey: Sized {
    /// Schema name of the sort order in the OpenAPI document.
    const NAME: &'static str;

    /// Values of `sort`, the default first. A leading `-` means descending.
    const SORTS: &'static [&'static str];

    /// Returns the order, starting after the row with this key. Returns `None` if the key is invalid.
    fn after(by: &str, key: Option<&str>) -> Option<Self>;

    /// Returns the key of the row after which the page begins.
    fn key(&self) -> Option<String>;
}

impl SortKey for WorkflowOrder {
    const NAME: &'static str = "WorkflowSort";
    const SORTS: &'static [&'static str] =
        &["-created_at", "created_at", "name", "-name", "updated_at", "-updated_at"];

    fn after(by: &str, key: Option<&str>) -> Option<Self> {
        // PostgreSQL rejects NUL in text.
        let name = |text: &str| (!text.contains('\0')).then(|| text.to_owned());
        let updated = |text: &str| {
            let (micros, id) = text.split_once('.')?;
            Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
        };
        match by {
            "name" => parse_key(key, name).map(Self::Name),
            "updated_at" => parse_key(key, updated).map(Self::Updated),
            _ => parse_key(key, parse_uuid).map(Self::Created),
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::Created(id) => id.map(|id| id.to_string()),
            Self::Name(name) => name.clone(),
            Self::Updated(updated) => updated.map(|(at, id)| format!("{}.{id}", at.timestamp_micros())),
        }
    }
}

impl SortKey for RunOrder {
    const NAME: &'static str = "RunSort";
    const SORTS: &'static [&'static str] = &["-start_time", "start_time"];

    fn after(_: &str, key: Option<&str>) -> Option<Self> {
        parse_key(key, parse_uuid).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|id| id.to_string())
    }
}

impl SortKey for VersionOrder {
    const NAME: &'static str = "VersionSort";
    const SORTS: &'static [&'static str] = &["-version", "version"];

    fn after(_: &str, key: Option<&str>) -> Option<Self> {
        parse_key(key, |text| text.parse().ok()).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|number| number.to_string())
    }
}

impl SortKey for AuditOrder {
    const NAME: &'static str = "AuditSort";
    const SORTS: &'static [&'static str] = &["-at", "at"];

    fn after(_: &str, key: Option<&str>) -> Option<Self> {
        parse_key(key, parse_uuid).map(Self)
    }

    fn key(&self) -> Option<String> {
        self.0.map(|id| id.to_string())
    }
}

fn parse_uuid(text: &str) -> Option<Uuid> {
    text.parse().ok()
}

/// Parses a key if there is one. Returns `None` if the key is invalid.
fn parse_key<T>(key: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    key.map_or(Some(None), |text| parse(text).map(Some))
}

/// Page and sort order of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery<O> {
    page: PageQuery,
    sort: &'static str,
    after: Option<O>,
    /// True if the response includes the length of the whole list.
    pub(crate) count: bool,
}

impl<O: SortKey> FromQuery for ListQuery<O> {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self::with_default(reader, O::SORTS.first().copied().unwrap_or_default())
    }
}

impl<O: SortKey> ListQuery<O> {
    /// Reads the parameters. The default sort order is `default`.
    pub(crate) fn with_default(reader: &mut QueryReader, default: &'static str) -> Self {
        let page = PageQuery::from_query(reader);
        let sort = reader.choice("sort", O::SORTS, default);
        let after = reader.cursor("cursor", |cursor| {
            let (cursor_sort, key) = cursor.split_once('\n')?;
            O::after(sort_column(sort), Some(key)).filter(|_| cursor_sort == sort)
        });
        if after.is_some() && page.page > 1 {
            let detail = "cursor and page can't be combined. Send one of them.";
            reader.reject("cursor", "conflict", detail);
        }
        Self { page, sort, after, count: reader.flag("count", false) }
    }

    /// Returns the requested page for the query of the database.
    pub(crate) fn page_request(&self) -> PageRequest<O>
    where
        O: Clone + Default,
    {
        let order = self.after.clone().or_else(|| O::after(sort_column(self.sort), None)).unwrap_or_default();
        PageRequest { page: self.page.into(), order, ascending: !self.sort.starts_with('-') }
    }

    /// Returns the pagination headers: links, next cursor and total count.
    pub(crate) fn response_headers(
        &self,
        query: &RawQuery,
        next: Option<O>,
        total: Option<u64>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let parameters = shared_parameters(query.0.as_deref().unwrap_or_default());
        let mut links = Vec::new();
        if let Some(key) = next.and_then(|next| next.key()) {
            let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!("{}\n{key}", self.sort));
            links.push(link(&parameters, &format!("cursor={cursor}"), "next"));
            insert_header(&mut headers, NEXT_CURSOR, cursor);
        }
        let (page, is_after) = (self.page.page, self.after.is_some());
        if page > 1 {
            links.push(link(&parameters, &format!("page={}", page - 1), "prev"));
        }
        if page > 1 || is_after {
            links.push(link(&parameters, "", "first"));
        }
        if !links.is_empty() {
            insert_header(&mut headers, header::LINK, links.join(", "));
        }
        if let Some(total) = total {
            headers.insert(TOTAL_COUNT, total.into());
        }
        headers
    }
}

/// Returns the name of the sorted field, without the direction.
fn sort_column(sort: &str) -> &str {
    sort.trim_start_matches('-')
}

/// Characters that are percent-encoded in the query of a link (RFC 3986, 3.4). `%` is not, so encoded parameters stay
/// as they are.
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

/// Returns the parameters that all pages share, percent-encoded for a link.
fn shared_parameters(query: &str) -> Vec<String> {
    let is_position = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        ["page", "cursor"].contains(&&*percent_decode_str(name).decode_utf8_lossy())
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty() && !is_position(pair));
    pairs.map(|pair| utf8_percent_encode(pair, UNSAFE).to_string()).collect()
}

/// Returns a link to another page, relative to the list.
fn link(parameters: &[String], position: &str, rel: &str) -> String {
    let pairs: Vec<&str> =
        parameters.iter().map(String::as_str).chain([position]).filter(|pair| !pair.is_empty()).collect();
    format!("<?{}>; rel=\"{rel}\"", pairs.join("&"))
}

/// Sets a header.
fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Cursor of a page, and the flag that requests the total count.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "declares the parameters that `ListQuery` reads")]
struct CursorQuery {
    /// Cursor: the value of `X-Next-Cursor` in the response with the previous page. Send the same `sort` and
    /// filters as for that page, and omit `page`. Items added or deleted in between do not cause other items to be
    /// repeated or skipped.
    #[param(value_type = String, min_length = 1, max_length = 2048, pattern = "^[A-Za-z0-9_-]+$", required = false)]
    cursor: String,
    /// If true, the response has the header `X-Total-Count` with the number of items on all pages.
    #[param(default = false, required = false)]
    count: bool,
}

impl<O: SortKey> IntoParams for ListQuery<O> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let default = O::SORTS.first().copied().unwrap_or_default();
        let description = format!("Sort order. Default: `{default}`. A leading `-` means descending.");
        let sort = ParameterBuilder::new()
            .name("sort")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(Ref::from_schema_name(O::NAME)));
        let mut parameters = PageQuery::into_params(&place);
        parameters.extend(CursorQuery::into_params(&place));
        parameters.push(sort.build());
        parameters
    }
}

/// Returns the schemas of the sort orders.
pub(crate) fn sort_schemas() -> [(String, RefOr<Schema>); 4] {
    fn order<O: SortKey>() -> (String, RefOr<Schema>) {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(O::SORTS.iter().copied()))
            .description(Some("Sort order. A leading `-` means descending."));
        (O::NAME.to_owned(), Schema::Object(schema.build()).into())
    }
    [order::<WorkflowOrder>(), order::<RunOrder>(), order::<VersionOrder>(), order::<AuditOrder>()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ListQuery<WorkflowOrder> {
        let mut reader = QueryReader::from_text(text);
        let query = ListQuery::from_query(&mut reader);
        assert!(reader.has_no_errors(), "{text}");
        query
    }

    fn links(text: &str, next: Option<WorkflowOrder>) -> String {
        let headers = query(text).response_headers(&RawQuery(Some(text.to_owned())), next, None);
        headers.get(header::LINK).map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn links_keep_the_other_parameters() {
        assert_eq!(links("", None), "");
        assert_eq!(
            links("page=3&q=a%20b&count=true", None),
            "<?q=a%20b&count=true&page=2>; rel=\"prev\", <?q=a%20b&count=true>; rel=\"first\""
        );
        // Page and cursor are removed in any encoding. Characters that are invalid in a header or a link are encoded.
        assert_eq!(
            shared_parameters("p%61ge=3&q=é\">+x&&tag=%3e&%63ursor=x"),
            ["q=%C3%A9%22%3E+x", "tag=%3e"]
        );
        let next = Some(WorkflowOrder::Name(Some("Orders".to_owned())));
        assert_eq!(links("sort=name", next), "<?sort=name&cursor=bmFtZQpPcmRlcnM>; rel=\"next\"");
    }

    #[test]
    fn cursor_round_trips_its_sort_key() {
        let id = Uuid::from_u128(7);
        let updated_at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        for (sort, order) in [
            ("-created_at", WorkflowOrder::Created(Some(id))),
            ("name", WorkflowOrder::Name(Some("Ä\"b&c".to_owned()))),
            ("-updated_at", WorkflowOrder::Updated(Some((updated_at, id)))),
        ] {
            let headers =
                query(&format!("sort={sort}")).response_headers(&RawQuery(None), Some(order.clone()), None);
            let cursor = headers[NEXT_CURSOR].to_str().unwrap();
            assert_eq!(query(&format!("sort={sort}&cursor={cursor}")).page_request().order, order);
        }
    }
}
