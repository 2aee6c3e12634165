//! What configs say of how nodes stand to each other, for the lints of the domain.

mod fields;
mod keys;
mod python;
mod routes;
mod templates;

use serde_json::{Map, Value};
use sluice_domain::Node;
use sluice_domain::graph::node_type;
use sluice_domain::validation::{
    Code, DataFlow, Fields, Finding, Inputs, Output, Reference, ReferenceScope, SideEffects, pointer_step,
};

use crate::builtin::runnable;
use crate::kinds::human_intervention::HumanIntervention;
use crate::kinds::python_func::PYTHON_FUNC;
use crate::{json_schema, known};

/// The fields of configs that every kind may declare what it gives in.
const OUTPUT_SCHEMA: &str = "output_schema";
const OUTPUT_JSON_SCHEMA: &str = "output_json_schema";

/// The field of an input under which files come.
const FILES: &str = "files";

/// What the config of `node` says.
pub(crate) fn of(node: &Node) -> DataFlow {
    let config = node.config.to_map();
    let mut data_flow = match node.node_type.as_str() {
        node_type::INPUT => DataFlow { output: with_files(fields::declared(&config)), ..DataFlow::default() },
        node_type::OUTPUT => output(&config),
        node_type::ROUTER => router(&config),
        node_type::FOR_LOOP => for_loop(&config),
        "StaticValueNode" => {
            DataFlow { output: fields::of_values(config.get("values")), ..DataFlow::default() }
        }
        "CoalesceNode" => coalesce(&config),
        "MergeNode" => DataFlow { output: Output::Inputs, ..DataFlow::default() },
        <HumanIntervention as crate::builtin::NodeKind>::NAME => {
            DataFlow { output: Output::ExtendedInputs, is_gate: true, ..DataFlow::default() }
        }
        PYTHON_FUNC => python(&config),
        name => by_name(name, &config),
    };
    if let Some(kind) = runnable(&node.node_type) {
        data_flow.findings.extend(keys::unknown(&kind.schema.json, &config));
    }
    data_flow.findings.extend(schema(node, &config));
    data_flow
}

/// What an input declares, and the files that come with a run.
fn with_files(declared: Output) -> Output {
    match declared {
        Output::Fields(Fields(mut fields)) => {
            fields.entry(FILES.to_owned()).or_insert(None);
            Output::Fields(Fields(fields))
        }
        other => other,
    }
}

/// The paths of a config field that is {name: path}.
fn paths_in(config: &Map<String, Value>, field: &str) -> Vec<Reference> {
    let entries = config.get(field).and_then(Value::as_object).into_iter().flatten();
    let path = |(name, path): (&String, &Value)| {
        let path = path.as_str().filter(|path| !path.is_empty())?;
        Some(Reference::field(format!("/{field}/{}", pointer_step(name)), path))
    };
    entries.filter_map(path).collect()
}

/// The keys of a config field that is {name: path}, as fields of what the node gives.
fn keys_of(config: &Map<String, Value>, field: &str) -> Option<Fields> {
    let entries = config.get(field).and_then(Value::as_object).filter(|entries| !entries.is_empty())?;
    Some(Fields(entries.keys().map(|key| (key.clone(), None)).collect()))
}

fn output(config: &Map<String, Value>) -> DataFlow {
    let keys = keys_of(config, "output_map");
    let inputs = Inputs { uses_all: keys.is_none(), ..Inputs::default() };
    let output = keys.map_or(Output::Inputs, Output::Fields);
    DataFlow { references: paths_in(config, "output_map"), inputs, output, ..DataFlow::default() }
}

fn coalesce(config: &Map<String, Value>) -> DataFlow {
    let preferences = config.get("preferences").and_then(Value::as_array).into_iter().flatten().enumerate();
    let names = preferences.filter_map(|(index, name)| Some((index, name.as_str()?)));
    let references = names.filter(|(_, name)| !name.is_empty());
    let references = references.map(|(index, name)| Reference::node(format!("/preferences/{index}"), name));
    let inputs = Inputs { any_is_enough: true, ..Inputs::default() };
    DataFlow { references: references.collect(), inputs, output: Output::OneInput, ..DataFlow::default() }
}

fn router(config: &Map<String, Value>) -> DataFlow {
    let (references, findings) = routes::look(config);
    let exclusive_routes = routes::exclusive(config);
    DataFlow { references, output: Output::Inputs, findings, exclusive_routes, ..DataFlow::default() }
}

fn for_loop(config: &Map<String, Value>) -> DataFlow {
    let references = paths_in(config, "input_map");
    let nodes = config.get("subworkflow").and_then(|body| body.get("nodes")?.as_array());
    let output = nodes.and_then(|nodes| {
        let is_output =
            |node: &&Value| node.get("node_type").and_then(Value::as_str) == Some(node_type::OUTPUT);
        keys_of(nodes.iter().find(is_output)?.get("config")?.as_object()?, "output_map")
    });
    let inputs = Inputs { uses_all: references.is_empty(), ..Inputs::default() };
    let body_input = keys_of(config, "input_map");
    DataFlow { references, inputs, output: Output::Body(output), body_input, ..DataFlow::default() }
}

fn python(config: &Map<String, Value>) -> DataFlow {
    let code = config.get("code").and_then(Value::as_str).unwrap_or_default();
    let declared = config.get(OUTPUT_SCHEMA).and_then(Value::as_object).filter(|fields| !fields.is_empty());
    let output = declared.map_or(Output::Unknown, |declared| {
        Output::Fields(Fields(declared.keys().map(|name| (name.clone(), None)).collect()))
    });
    let inputs = Inputs { uses_all: python::takes_all(code), ..Inputs::default() };
    DataFlow { references: python::references(code), inputs, output, ..DataFlow::default() }
}

/// Kinds that are known by name: what they declare, and the templates in their texts.
fn by_name(name: &str, config: &Map<String, Value>) -> DataFlow {
    let is_llm = known::is_llm(name);
    let mut references = templates::references(config);
    references.extend(variables(config));
    let side_effects = if is_llm { SideEffects::None } else { SideEffects::Possible };
    DataFlow {
        references,
        inputs: Inputs { scope: ReferenceScope::Upstream, uses_all: !is_llm, any_is_enough: false },
        output: fields::declared(config),
        side_effects,
        ..DataFlow::default()
    }
}

/// The configs of models that name an output without braces: that of earlier messages, where it is used, and those of
/// images and the like.
fn variables(config: &Map<String, Value>) -> Vec<Reference> {
    let uses_history = config.get("enable_message_history") == Some(&Value::Bool(true));
    let history = config.get("message_history_variable").and_then(Value::as_str);
    // Without a dot it may be a field of whatever arrives.
    let history = history.filter(|path| uses_history && path.contains('.'));
    let mut found: Vec<Reference> =
        history.map(|path| Reference::field("/message_history_variable", path)).into_iter().collect();
    found.extend(paths_in(config, "url_variables"));
    found
}

/// An `output_json_schema` that is no JSON Schema; that of an input node which enforces it, also one that can't be
/// checked.
fn schema(node: &Node, config: &Map<String, Value>) -> Option<Finding> {
    let schema = config.get(OUTPUT_JSON_SCHEMA)?;
    let is_enforced = config.get("enforce_schema") == Some(&Value::Bool(true));
    let problem = if node.node_type == node_type::INPUT && is_enforced {
        json_schema::compile(&serde_json::from_value(schema.clone()).ok()?).err()?
    } else {
        json_schema::problem(schema)?
    };
    let pointer = format!("/{OUTPUT_JSON_SCHEMA}");
    Some(Finding { code: Code::SchemaInvalid, pointer, message: problem, help: None })
}
