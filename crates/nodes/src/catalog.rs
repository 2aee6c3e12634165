//! The catalog of node kinds for editors.

use std::sync::LazyLock;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::config::common::CommonConfig;
use crate::config::config_schema::ConfigSchema;
use crate::kinds::listing::{Category, Listing};
use crate::registry::{self, Kind};

/// A kind in the catalog.
#[derive(Clone, Debug, Serialize)]
pub struct CatalogEntry {
    /// The node type.
    pub name: &'static str,
    /// JSON Schema of the inputs of the node.
    pub input: Value,
    /// JSON Schema of the output of the node.
    pub output: Value,
    /// JSON Schema of the config. Its title is the display name of the kind.
    pub config: Value,
    /// The badge of the kind in editors.
    pub visual_tag: VisualTag,
    /// True if the kind determines the fields of its output.
    pub has_fixed_output: bool,
    /// True if the server can run the kind. If not, configs aren't checked.
    #[serde(skip)]
    pub is_runnable: bool,
    /// Path of the logo of the external service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<&'static str>,
    /// The external service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<&'static str>,
}

/// The badge of a kind in editors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VisualTag {
    /// A few letters.
    pub acronym: &'static str,
    /// The color, as `#RRGGBB`.
    pub color: &'static str,
}

/// The kinds by category, in the order in which editors show them. As JSON: `{category: [kind]}`.
#[derive(Clone, Debug)]
pub struct CatalogCategories(Vec<(&'static str, Vec<CatalogEntry>)>);

impl CatalogCategories {
    /// Returns the categories, each with its kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[CatalogEntry])> {
        self.0.iter().map(|(category, entries)| (*category, entries.as_slice()))
    }
}

impl Serialize for CatalogCategories {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

static CATALOG: LazyLock<CatalogCategories> = LazyLock::new(|| {
    let categories = Category::ALL.into_iter();
    CatalogCategories(categories.map(|category| (category.as_str(), entries(category))).collect())
});

/// Returns the catalog. It includes planned kinds: a workflow can contain them, but the server can't run them yet.
#[must_use]
pub fn catalog() -> &'static CatalogCategories {
    &CATALOG
}

fn entries(category: Category) -> Vec<CatalogEntry> {
    registry::kinds_in(category).filter_map(|kind| Some(entry(kind, kind.listing()?))).collect()
}

fn entry(kind: Kind, listing: Listing) -> CatalogEntry {
    let name = kind.name();
    let empty_schema =
        |suffix: &str| json!({"title": format!("{name}{suffix}"), "type": "object", "properties": {}});
    CatalogEntry {
        name,
        input: empty_schema("Input"),
        output: empty_schema("Output"),
        config: config(kind, listing),
        visual_tag: VisualTag { acronym: listing.acronym, color: listing.color },
        has_fixed_output: listing.has_fixed_output,
        is_runnable: matches!(kind, Kind::Runnable(_)),
        logo: listing.service.map(|service| service.logo),
        category: listing.service.map(|service| service.name),
    }
}

fn config(kind: Kind, listing: Listing) -> Value {
    let json = match kind {
        Kind::Runnable(kind) => kind.schema.json.clone(),
        Kind::Planned(_) => planned_config(listing),
    };
    let mut schema = Map::from_iter([("title".to_owned(), listing.title.into())]);
    // The title of the struct must not replace the display name.
    schema.extend(json.into_iter().filter(|(key, _)| key != "title"));
    Value::Object(schema)
}

fn planned_config(listing: Listing) -> Map<String, Value> {
    let mut schema = ConfigSchema::of::<CommonConfig>().json;
    let description = format!(
        "{} nodes can be saved with any config, but this version of Sluice can't run them.",
        listing.title
    );
    schema.insert("description".to_owned(), description.into());
    let has_fixed_output =
        schema.get_mut("properties").and_then(|properties| properties.get_mut("has_fixed_output"));
    if let Some(default) = has_fixed_output.and_then(|property| property.get_mut("default")) {
        *default = listing.has_fixed_output.into();
    }
    schema
}
