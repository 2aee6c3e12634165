//! Templates in configs: which outputs they name.
//!
//! They are read as a line of tokens, as Jinja's lexer makes them: a parser's tree is as deep as the author of a template
//! likes, here where everything else goes on.

use std::collections::HashSet;

use minijinja::machinery::{Token, tokenize};
use serde_json::{Map, Value};
use sluice_domain::validation::{Reference, pointer_step};

/// The longest text that is looked into.
const MAX_BYTES: usize = 256 * 1024;

/// The words after which a template copes with what isn't there.
const CAUTIOUS: [&str; 4] = ["default", "d", "defined", "undefined"];

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

/// The paths that a template reads, each at least a node and a field; none where it is no template.
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
                // What isn't closed is no template.
                let Some(length) = after.iter().position(end) else { return Vec::new() };
                reader.tag(&after[..length], matches!(first, Token::BlockStart));
                rest = &after[length..];
            }
            _ => rest = after,
        }
    }
    let Reader { found, cautious, own } = reader;
    let is_certain = |path: &String| {
        let first = path.split('.').next().unwrap_or_default();
        !cautious.contains(path) && !own.contains(first)
    };
    found.into_iter().filter(is_certain).collect()
}

#[derive(Default)]
struct Reader {
    found: Vec<String>,
    /// Paths that the template expects to be missing at times.
    cautious: HashSet<String>,
    /// Names that the template may make itself.
    own: HashSet<String>,
}

impl Reader {
    /// Reads what stands between the braces of an expression, or of a statement.
    fn tag(&mut self, tokens: &[Token<'_>], is_statement: bool) {
        // Those of Jinja that have fields.
        self.own.extend(["loop", "self", "super", "caller"].map(str::to_owned));
        let makes_names = matches!(
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
            let (parts, length) = chain(name, &tokens[at + 1..]);
            at += 1 + length;
            if parts.len() == 1 && is_statement && makes_names {
                self.own.insert((*name).to_owned());
            }
            // Behind a dot it is a field of a value, behind a pipe a filter.
            if parts.len() < 2 || matches!(before, Some(Token::Dot | Token::Pipe)) {
                continue;
            }
            let path = parts.join(".");
            if copes(&tokens[at..]) {
                self.cautious.insert(path);
            } else {
                self.found.push(path);
            }
        }
    }
}

/// The path that begins with a name, and how many of the tokens after the name belong to it.
fn chain(name: &str, tokens: &[Token<'_>]) -> (Vec<String>, usize) {
    let (mut parts, mut length) = (vec![name.to_owned()], 0);
    loop {
        match &tokens[length..] {
            // What is called is a method of a value.
            [Token::Dot, Token::Ident(_), Token::ParenOpen, ..] => return (parts, length + 2),
            [Token::Dot, Token::Ident(name), ..] => {
                parts.push((*name).to_owned());
                length += 2;
            }
            [Token::BracketOpen, Token::Str(name), Token::BracketClose, ..] => {
                parts.push((*name).to_owned());
                length += 3;
            }
            // A function gives something else than its name says.
            [Token::ParenOpen, ..] if length == 0 => return (Vec::new(), 0),
            _ => return (parts, length),
        }
    }
}

/// Whether what stands before may be missing: `… | default(…)`, `… is defined`.
fn copes(rest: &[Token<'_>]) -> bool {
    let word = match rest {
        [Token::Pipe, Token::Ident(word), ..] => word,
        [Token::Ident("is"), Token::Ident("not"), Token::Ident(word), ..] => word,
        [Token::Ident("is"), Token::Ident(word), ..] => word,
        _ => return false,
    };
    CAUTIOUS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_expressions_and_statements() {
        for (text, wanted) in [
            ("a {{ a.b }} {{c.d.e|upper}} {{- f.g -}}", vec!["a.b", "c.d.e", "f.g"]),
            ("{{ a.b.strip() }} {{ a['b'] }} {{ a }} {{ a.b[0].c }}", vec!["a.b", "a.b", "a.b"]),
            ("{{ x + a.b ~ c.d | replace(e.f, 'g.h') }}", vec!["a.b", "c.d", "e.f"]),
            ("{% if a.b == 'x.y' %}{{ c.d }}{% endif %}", vec!["a.b", "c.d"]),
            ("{% for x in a.b %}{{ x.c }}{{ loop.index }}{% endfor %}", vec!["a.b"]),
            ("{% set x = a.b %}{{ x.c }}", vec!["a.b"]),
            ("{% macro m(x) %}{{ x.c }}{% endmacro %}", vec![]),
            ("{{ f(a.b).c }} {{ range(3).x }}", vec!["a.b"]),
        ] {
            assert_eq!(paths(text), wanted, "{text}");
        }
    }

    #[test]
    fn texts_comments_and_numbers_name_nothing() {
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
    fn what_may_be_missing_is_left_alone() {
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
    fn endless_chains_are_read_as_they_are() {
        let deep = format!("{{{{ a{} }}}}", ".b".repeat(100_000));
        assert_eq!(paths(&deep).len(), 1);
        assert!(paths(&format!("{{{{ {}a.b }}}}", "(".repeat(200_000))).len() <= 1);
    }
}
