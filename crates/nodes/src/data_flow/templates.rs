//! References in Jinja templates.
//!
//! Templates are split into tokens, not parsed: the depth of a syntax tree, and so the stack that a parser needs, is up to
//! the author of the template.

use std::collections::HashSet;

use minijinja::machinery::{Token, tokenize};
use serde_json::{Map, Value};
use sluice_domain::validation::{Reference, pointer_step};

/// The longest text that is searched, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Filters and tests that handle missing fields.
const HANDLERS: [&str; 4] = ["default", "d", "defined", "undefined"];

/// References of the form `{{ title.field }}` in all texts of a config.
pub(crate) fn references(config: &Map<String, Value>) -> Vec<Reference> {
    let mut found = Vec::new();
    for (key, value) in config {
        walk(value, &format!("/{}", pointer_step(key)), &mut found);
    }
    found
}

fn walk(value: &Value, at: &str, found: &mut Vec<Reference>) {
    match value {
        Value::String(text) => found.extend(paths(text).into_iter().map(|path| Reference::field(at, path))),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, field)| walk(field, &format!("{at}/{}", pointer_step(key)), found));
        }
        _ => {}
    }
}

/// The paths that a template reads, each with at least a node and a field; none if the text isn't a template.
fn paths(text: &str) -> Vec<String> {
    if text.len() > MAX_BYTES || !(text.contains("{{") || text.contains("{%")) {
        return Vec::new();
    }
    let tokens = tokenize(text, false, Default::default()).map(|token| token.map(|(token, _)| token));
    let Ok(tokens) = tokens.collect::<Result<Vec<Token<'_>>, _>>() else { return Vec::new() };
    let mut reader = Reader::default();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let end = |token: &Token<'_>| matches!(token, Token::VariableEnd | Token::BlockEnd);
        match first {
            Token::VariableStart | Token::BlockStart => {
                // Without a closing tag, the text isn't a template.
                let Some(length) = after.iter().position(end) else { return Vec::new() };
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
    /// Variables that the template may define itself.
    variables: HashSet<String>,
}

impl Reader {
    /// Reads the inside of an expression or a statement.
    fn read_tag(&mut self, tokens: &[Token<'_>], is_statement: bool) {
        // Jinja's own variables with fields.
        self.variables.extend(["loop", "self", "super", "caller"].map(str::to_owned));
        let defines_variables = matches!(
            tokens.first(),
            Some(Token::Ident("set" | "for" | "macro" | "call" | "with" | "import" | "from" | "include"))
        );
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let Token::Ident(name) = token else {
                at += 1;
                continue;
            };
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            let (parts, length) = read_path(name, &tokens[at + 1..]);
            at += 1 + length;
            if parts.len() == 1 && is_statement && defines_variables {
                self.variables.insert((*name).to_owned());
            }
            // After a dot, the name is a field of a value; after a pipe, a filter.
            if parts.len() < 2 || matches!(before, Some(Token::Dot | Token::Pipe)) {
                continue;
            }
            let path = parts.join(".");
            if is_optional(&tokens[at..]) {
                self.optional.insert(path);
            } else {
                self.paths.push(path);
            }
        }
    }
}

/// The path that starts with `name`, and the number of tokens after the name that belong to it.
fn read_path(name: &str, tokens: &[Token<'_>]) -> (Vec<String>, usize) {
    let (mut parts, mut length) = (vec![name.to_owned()], 0);
    loop {
        match &tokens[length..] {
            // A name that is called is a method.
            [Token::Dot, Token::Ident(_), Token::ParenOpen, ..] => return (parts, length + 2),
            [Token::Dot, Token::Ident(name), ..] => {
                parts.push((*name).to_owned());
                length += 2;
            }
            [Token::BracketOpen, Token::Str(name), Token::BracketClose, ..] => {
                parts.push((*name).to_owned());
                length += 3;
            }
            // The result of a function isn't an output.
            [Token::ParenOpen, ..] if length == 0 => return (Vec::new(), 0),
            _ => return (parts, length),
        }
    }
}

/// True if the template handles a missing value before `rest`: `… | default(…)`, `… is defined`.
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
    fn expressions_and_statements_name_paths() {
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
    fn literals_comments_and_numbers_name_nothing() {
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
    fn optional_paths_are_ignored() {
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
    fn long_paths_and_deep_nesting_are_read() {
        let deep = format!("{{{{ a{} }}}}", ".b".repeat(100_000));
        assert_eq!(paths(&deep).len(), 1);
        assert!(paths(&format!("{{{{ {}a.b }}}}", "(".repeat(200_000))).len() <= 1);
    }
}
