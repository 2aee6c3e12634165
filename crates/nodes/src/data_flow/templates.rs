//! References in Jinja templates.
//!
//! Templates are split into tokens, not parsed. The author of the template controls the depth of the syntax tree, and
//! so the stack usage of a parser.

use std::collections::HashSet;

use minijinja::machinery::{Token, tokenize};
use serde_json::{Map, Value};
use sluice_domain::validation::{Reference, pointer_step};

/// Maximum length of a text that is searched, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Filters and tests that handle missing fields.
const HANDLERS: [&str; 4] = ["default", "d", "defined", "undefined"];

/// Returns the references of the form `{{ title.field }}` in all texts of a config.
pub(crate) fn references(config: &Map<String, Value>) -> Vec<Reference> {
    let mut references = Vec::new();
    for (key, value) in config {
        add_references(value, &format!("/{}", pointer_step(key)), &mut references);
    }
    references
}

/// Appends the references in all texts of `value`.
fn add_references(value: &Value, pointer: &str, references: &mut Vec<Reference>) {
    match value {
        Value::String(text) => {
            references.extend(paths(text).into_iter().map(|path| Reference::field(pointer, path)));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_references(item, &format!("{pointer}/{index}"), references);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                add_references(field, &format!("{pointer}/{}", pointer_step(key)), references);
            }
        }
        _ => {}
    }
}

/// Returns the paths that a template reads, each with at least a node and a field. Empty if the text isn't a template.
fn paths(text: &str) -> Vec<String> {
    if text.len() > MAX_BYTES || !(text.contains("{{") || text.contains("{%")) {
        return Vec::new();
    }
    let tokens = tokenize(text, false, Default::default()).map(|token| token.map(|(token, _)| token));
    let Ok(tokens) = tokens.collect::<Result<Vec<Token<'_>>, _>>() else { return Vec::new() };
    let mut reader = Reader::default();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let is_end = |token: &Token<'_>| matches!(token, Token::VariableEnd | Token::BlockEnd);
        match first {
            Token::VariableStart | Token::BlockStart => {
                // Without a closing tag, the text isn't a template.
                let Some(length) = after.iter().position(is_end) else { return Vec::new() };
                reader.read_tag(&after[..length], matches!(first, Token::BlockStart));
                rest = &after[length..];
            }
            _ => rest = after,
        }
    }
    let Reader { mut paths, optional, variables } = reader;
    paths.retain(|path| {
        let first = path.split('.').next().unwrap_or_default();
        !optional.contains(path) && !variables.contains(first)
    });
    paths
}

#[derive(Default)]
struct Reader {
    paths: Vec<String>,
    /// Paths that may be missing.
    optional: HashSet<String>,
    /// Variables that the template may define.
    variables: HashSet<String>,
}

impl Reader {
    /// Reads the content of an expression or a statement.
    fn read_tag(&mut self, tokens: &[Token<'_>], is_statement: bool) {
        // Built-in variables of Jinja that have fields.
        self.variables.extend(["loop", "self", "super", "caller"].map(str::to_owned));
        let defines_variables = matches!(
            tokens.first(),
            Some(Token::Ident("set" | "for" | "macro" | "call" | "with" | "import" | "from" | "include"))
        );
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            let Token::Ident(name) = token else {
                index += 1;
                continue;
            };
            let previous = index.checked_sub(1).map(|previous| &tokens[previous]);
            let (parts, length) = read_path(name, &tokens[index + 1..]);
            index += 1 + length;
            if parts.len() == 1 && is_statement && defines_variables {
                self.variables.insert((*name).to_owned());
            }
            // After a dot, the name is a field of a value. After a pipe, it is a filter.
            if parts.len() < 2 || matches!(previous, Some(Token::Dot | Token::Pipe)) {
                continue;
            }
            let path = parts.join(".");
            if is_optional(&tokens[index..]) {
                self.optional.insert(path);
            } else {
                self.paths.push(path);
            }
        }
    }
}

/// Returns the steps of the path that starts with `name`, and the number of its tokens after the name.
fn read_path(name: &str, tokens: &[Token<'_>]) -> (Vec<String>, usize) {
    let (mut parts, mut length) = (vec![name.to_owned()], 0);
    loop {
        match &tokens[length..] {
            // A name before a parenthesis is a method.
            [Token::Dot, Token::Ident(_), Token::ParenOpen, ..] => return (parts, length + 2),
            [Token::Dot, Token::Ident(name), ..] => {
                parts.push((*name).to_owned());
                length += 2;
            }
            [Token::BracketOpen, Token::Str(name), Token::BracketClose, ..] => {
                parts.push((*name).to_owned());
                length += 3;
            }
            // The result of a function is not the output of a node.
            [Token::ParenOpen, ..] if length == 0 => return (Vec::new(), 0),
            _ => return (parts, length),
        }
    }
}

/// Returns true if the template handles a missing value before `rest`: `… | default(…)`, `… is defined`.
fn is_optional(rest: &[Token<'_>]) -> bool {
    let word = match rest {
        [Token::Pipe, Token::Ident(word), ..] => word,
        [Token::Ident("is"), Token::Ident("not"), Token::Ident(word), ..] => word,
        [Token::Ident("is"), Token::Ident(word), ..] => word,
        _ => return false,
    };
    HANDLERS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_paths_in_expressions_and_statements() {
        for (text, expected) in [
            ("a {{ a.b }} {{c.d.e|upper}} {{- f.g -}}", vec!["a.b", "c.d.e", "f.g"]),
            ("{{ a.b.strip() }} {{ a['b'] }} {{ a }} {{ a.b[0].c }}", vec!["a.b", "a.b", "a.b"]),
            ("{{ x + a.b ~ c.d | replace(e.f, 'g.h') }}", vec!["a.b", "c.d", "e.f"]),
            ("{% if a.b == 'x.y' %}{{ c.d }}{% endif %}", vec!["a.b", "c.d"]),
            ("{% for x in a.b %}{{ x.c }}{{ loop.index }}{% endfor %}", vec!["a.b"]),
            ("{% set x = a.b %}{{ x.c }}", vec!["a.b"]),
            ("{% macro m(x) %}{{ x.c }}{% endmacro %}", vec![]),
            ("{{ f(a.b).c }} {{ range(3).x }}", vec!["a.b"]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn ignores_literals_comments_and_numbers() {
        for text in [
            "{{ \"a.b\" }}",
            "{{ 'a.b' ~ \"c.d }} e.f\" }}",
            "{{ x | default(\"foo.bar\") }}",
            "{# {{ a.b }} #}",
            "{% raw %}{{ a.b }}{% endraw %}",
            "{{ 1.5 }} a.b",
            "{{ x | a.b }}",
            "{{ a.b",
            "{{ a.b $ }}",
        ] {
            assert!(paths(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn ignores_optional_paths() {
        for text in [
            "{{ a.b | default('x') }}",
            "{{ a.b|d }}",
            "{% if a.b is defined %}{{ a.b }}{% endif %}",
            "{{ 1 if a.b is not defined else a.b }}",
        ] {
            assert!(paths(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn reads_long_paths_and_deep_nesting() {
        let deep = format!("{{{{ a{} }}}}", ".b".repeat(100_000));
        assert_eq!(paths(&deep).len(), 1);
        assert!(paths(&format!("{{{{ {}a.b }}}}", "(".repeat(200_000))).len() <= 1);
    }
}
