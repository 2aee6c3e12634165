//! Templates and code in configs: which outputs they name.

use serde_json::{Map, Value};
use sluice_domain::validation::{Reference, pointer_step};

/// The longest text that is looked into.
const MAX_BYTES: usize = 256 * 1024;

/// What arrives, in Python code.
const INPUTS: &str = "input_model";

/// What the `{{ title.field }}` of all texts of a config refer to.
pub(super) fn references(config: &Map<String, Value>) -> Vec<Reference> {
    let mut found = Vec::new();
    for (key, value) in config {
        walk(value, &format!("/{}", pointer_step(key)), &mut found);
    }
    found
}

fn walk(value: &Value, at: &str, found: &mut Vec<Reference>) {
    match value {
        Value::String(text) => {
            found.extend(paths(text).map(|path| Reference { pointer: at.to_owned(), path: path.to_owned() }))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, field)| walk(field, &format!("{at}/{}", pointer_step(key)), found));
        }
        _ => {}
    }
}

/// The paths that begin the expressions of a template.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    // Statements can set names of their own; which names are nodes is unknown then.
    let is_plain = text.len() <= MAX_BYTES && !text.contains("{%") && !text.contains("{#");
    let expressions = text.split("{{").skip(1).filter(move |_| is_plain);
    expressions.filter_map(|rest| path(rest.split_once("}}")?.0))
}

/// The path at the beginning of an expression: at least a node and a field.
fn path(expression: &str) -> Option<&str> {
    let expression = expression.trim_start_matches('-').trim_start();
    let is_part = |c: char| c == '_' || c == '.' || c.is_alphanumeric();
    let end = expression.find(|c| !is_part(c)).unwrap_or(expression.len());
    let (path, rest) = expression.split_at(end);
    // What is called is a method of a value.
    let path = if rest.starts_with('(') { path.rsplit_once('.')?.0 } else { path };
    let is_name = |name: &str| name.starts_with(|c: char| c == '_' || c.is_alphanumeric());
    let starts_well = path.starts_with(|c: char| c == '_' || c.is_alphabetic());
    (starts_well && path.contains('.') && path.split('.').all(is_name)).then_some(path)
}

/// Whether Python code may use all that arrives: where it takes `input_model`, or a node of it, as a whole.
pub(super) fn takes_all(code: &str) -> bool {
    code.split(INPUTS).skip(1).any(|rest| {
        let Some(rest) = rest.strip_prefix('.') else { return true };
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let (_, rest) = rest.split_at(end);
        !(rest.starts_with('.') || rest.starts_with('['))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_the_beginning_of_expressions() {
        let found = |text: &'static str| paths(text).collect::<Vec<_>>();
        assert_eq!(found("a {{ a.b }} {{c.d.e|upper}} {{- f.g -}}"), ["a.b", "c.d.e", "f.g"]);
        assert_eq!(found("{{ a.b.strip() }} {{ a['b'] }} {{ a }} {{ 'x.y' }} {{ a.b"), ["a.b"]);
        assert!(found("{% for x in a.b %}{{ x.c }}{% endfor %}").is_empty());
    }

    #[test]
    fn code_that_takes_single_fields_is_told_from_code_that_takes_all() {
        for code in ["return {'a': input_model.n.a}", "return {'a': input_model.n['a']}", "return {}"] {
            assert!(!takes_all(code), "{code}");
        }
        for code in ["return dict(input_model)", "x = input_model.n\nreturn x"] {
            assert!(takes_all(code), "{code}");
        }
    }
}
