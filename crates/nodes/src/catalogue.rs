//! The catalogue: what editors need to know of each kind.

use std::sync::LazyLock;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::builtin::runnable;
use crate::config::{Common, ConfigSchema};
use crate::known::{LISTED, Listed};

/// A kind, as the catalogue shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Kind {
    /// The node type.
    pub name: &'static str,
    /// The JSON Schema of what the node takes.
    pub input: Value,
    /// The JSON Schema of what the node gives.
    pub output: Value,
    /// The JSON Schema of its config; the title is the name that people see.
    pub config: Value,
    /// How an editor marks it.
    pub visual_tag: VisualTag,
    /// Whether the kind fixes what its nodes give.
    pub has_fixed_output: bool,
    /// Whether this program can run it. Of a kind that it can't any config is taken.
    #[serde(skip)]
    pub is_runnable: bool,
    /// The path of the logo of the service that it talks to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<&'static str>,
    /// The service that it talks to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<&'static str>,
}

/// How an editor marks a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VisualTag {
    /// A few letters.
    pub acronym: &'static str,
    /// The colour, as `#RRGGBB`.
    pub color: &'static str,
}

/// The kinds by category, in the order in which editors show them. As JSON: `{category: [kind]}`.
#[derive(Clone, Debug)]
pub struct Groups(Vec<(&'static str, Vec<Kind>)>);

impl Groups {
    /// The categories, each with its kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[Kind])> {
        self.0.iter().map(|(category, kinds)| (*category, kinds.as_slice()))
    }
}

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

static CATALOGUE: LazyLock<Groups> = LazyLock::new(|| {
    let group =
        |(category, kinds): &(&'static str, &[Listed])| (*category, kinds.iter().map(entry).collect());
    Groups(LISTED.iter().map(group).collect())
});

/// The kinds that workflows can be built from. Also lists the kinds of PySpur that this program can't run
/// yet; their descriptions say so.
#[must_use]
pub fn catalogue() -> &'static Groups {
    &CATALOGUE
}

fn entry(kind: &Listed) -> Kind {
    let side =
        |side: &str| json!({"title": format!("{}{side}", kind.name), "type": "object", "properties": {}});
    Kind {
        name: kind.name,
        input: side("Input"),
        output: side("Output"),
        config: config(kind),
        visual_tag: VisualTag { acronym: kind.acronym, color: kind.color },
        has_fixed_output: kind.has_fixed_output,
        is_runnable: runnable(kind.name).is_some(),
        logo: kind.service.map(|service| service.logo),
        category: kind.service.map(|service| service.name),
    }
}

fn config(kind: &Listed) -> Value {
    let mut schema: Map<String, Value> = Map::new();
    schema.insert("title".to_owned(), kind.title.into());
    if let Some(runnable) = runnable(kind.name) {
        // The title of the struct must not replace the one that people see.
        schema.extend(runnable.schema.json.clone().into_iter().filter(|(key, _)| key != "title"));
        return Value::Object(schema);
    }
    schema.extend(ConfigSchema::of::<Common>().json.into_iter().filter(|(key, _)| key != "title"));
    let description =
        format!("{} is known and can be saved with any config, but not run by this server yet.", kind.title);
    schema.insert("description".to_owned(), description.into());
    if let Some(default) = schema
        .get_mut("properties")
        .and_then(|properties| properties.get_mut("has_fixed_output"))
        .and_then(|property| property.get_mut("default"))
    {
        *default = kind.has_fixed_output.into();
    }
    Value::Object(schema)
}
