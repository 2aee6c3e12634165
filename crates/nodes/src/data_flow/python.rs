//! References in Python code.
//!
//! The code is split into tokens, not parsed. The author of the code controls the depth of the syntax tree, and so the
//! stack usage of a parser.

use sluice_domain::validation::Reference;

/// Maximum length of code that is searched, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The variable with the inputs in Python code.
const INPUTS: &str = "input_model";

/// Names in code that handles missing fields.
const HANDLERS: [&str; 4] = ["try", "del", "hasattr", "getattr"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'c> {
    /// A name, a keyword or a number.
    Word(&'c str),
    /// A string literal, with its content unless it has escapes or a prefix.
    Text(Option<&'c str>),
    /// Any other character.
    Symbol(char),
}

/// Returns the references of the form `input_model.title.field`. Returns no references if the code may change
/// `input_model`, or handles missing fields.
pub(crate) fn references(code: &str) -> Vec<Reference> {
    let tokens = if code.len() <= MAX_BYTES { tokens(code) } else { Vec::new() };
    let mut references = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let previous = |steps: usize| index.checked_sub(steps).map(|index| tokens[index]);
        match token {
            Token::Word(INPUTS) if previous(1) != Some(Token::Symbol('.')) => {
                let tests_membership = previous(1) == Some(Token::Word("in"))
                    && matches!(previous(2), Some(Token::Text(_) | Token::Word("not")));
                let (parts, rest) = read_path(&tokens[index + 1..]);
                if tests_membership || parts.is_none() || is_assignment(rest) {
                    return Vec::new();
                }
                let path = parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("."));
                references.extend(path.map(|path| Reference::field("/code", path)));
            }
            Token::Word(word) if HANDLERS.contains(word) => return Vec::new(),
            _ => {}
        }
    }
    references
}

/// Returns the steps of a path and the tokens after it, or `None` and all tokens if they don't start with a path.
fn read_path<'t, 'c>(mut rest: &'t [Token<'c>]) -> (Option<Vec<&'c str>>, &'t [Token<'c>]) {
    let mut parts = Vec::new();
    if !matches!(rest, [Token::Symbol('.' | '['), ..]) {
        return (None, rest);
    }
    loop {
        match rest {
            // A name before a parenthesis is a method.
            [Token::Symbol('.'), Token::Word(_), after @ ..]
                if after.first() == Some(&Token::Symbol('(')) =>
            {
                return (Some(parts), after);
            }
            [Token::Symbol('.'), Token::Word(name), after @ ..]
            | [Token::Symbol('['), Token::Text(Some(name)), Token::Symbol(']'), after @ ..] => {
                parts.push(*name);
                rest = after;
            }
            _ => return (Some(parts), rest),
        }
    }
}

/// Returns true if the expression before `rest` is the target of an assignment.
fn is_assignment(rest: &[Token<'_>]) -> bool {
    let is_operator = |sign: &Token<'_>| matches!(sign, Token::Symbol(c) if "+-*/%@&|^<>:".contains(*c));
    match rest {
        [Token::Symbol('='), after @ ..] => after.first() != Some(&Token::Symbol('=')),
        [first, Token::Symbol('='), ..] if is_operator(first) => !matches!(first, Token::Symbol('<' | '>')),
        [first, second, Token::Symbol('='), ..] if first == second => is_operator(first),
        _ => false,
    }
}

/// Returns the tokens of code, without white space and comments.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let (mut tokens, mut rest) = (Vec::new(), code);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                let (text, length) = read_literal(rest, first);
                // A prefix, as in f"…", changes the meaning of the literal.
                let prefix =
                    code.get(..code.len() - rest.len()).and_then(|before| before.chars().next_back());
                if prefix.is_some_and(is_word) {
                    tokens.pop();
                    tokens.push(Token::Text(None));
                } else {
                    tokens.push(Token::Text(text));
                }
                length
            }
            first if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..length]));
                length
            }
            // A backslash joins two lines.
            '\\' => first.len_utf8(),
            first => {
                tokens.extend((!first.is_whitespace()).then_some(Token::Symbol(first)));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// Returns the content of the string literal at the start of `rest`, or `None` if it has escapes, and the length of the
/// literal.
fn read_literal(rest: &str, quote: char) -> (Option<&str>, usize) {
    let triple = String::from(quote).repeat(3);
    let end = if rest.starts_with(&triple) { triple } else { quote.into() };
    let mut position = end.len();
    let mut is_plain = true;
    while let Some(remaining) = rest.get(position..).filter(|remaining| !remaining.is_empty()) {
        if remaining.starts_with(&end) {
            return (is_plain.then(|| &rest[end.len()..position]), position + end.len());
        }
        let mut chars = remaining.chars();
        let first = chars.next();
        position += first.map_or(1, char::len_utf8);
        if first == Some('\\') {
            is_plain = false;
            position += chars.next().map_or(0, char::len_utf8);
        }
    }
    (None, rest.len())
}

/// Returns true if the code may use all inputs, because it uses `input_model` or the output of a node as a whole.
pub(crate) fn uses_all_inputs(code: &str) -> bool {
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

    fn paths(code: &str) -> Vec<String> {
        references(code).into_iter().map(|reference| reference.path).collect()
    }

    #[test]
    fn finds_paths_in_code() {
        for (code, expected) in [
            ("return {'a': input_model.n.a}", vec!["n.a"]),
            ("x = input_model['My node'][\"b\"][0]\ny = input_model . n \\\n .c", vec!["My node.b", "n.c"]),
            ("return input_model.n.text.strip() + input_model.m.items()", vec!["n.text", "m"]),
            ("a = input_model.n.a == input_model.n.b", vec!["n.a", "n.b"]),
            ("a = input_model.n.a <= 3 or input_model.n.b << 1", vec!["n.a", "n.b"]),
            ("for x in input_model.n.list: pass", vec!["n.list"]),
            ("input_model.get('n')", vec![]),
        ] {
            assert_eq!(paths(code), expected, "{code}");
        }
    }

    #[test]
    fn ignores_literals_and_comments() {
        for code in [
            "# input_model.n.a",
            "x = 'input_model.n.a'",
            "x = \"it's input_model.n.a\"",
            "x = '''\n'input_model.n.a' '' '''",
            "x = f'{input_model.n.a}'",
            "x = 'a\\'input_model.n.a'",
            "x = other.input_model.n.a",
            "x = my_input_model.n.a",
            "'input_model.n.a",
        ] {
            assert!(paths(code).is_empty(), "{code}");
        }
        assert_eq!(paths("x = 'a' # it's\ny = input_model.n.a"), ["n.a"]);
    }

    #[test]
    fn ignores_code_that_handles_missing_fields() {
        for before in [
            "input_model = other\n",
            "input_model.n.a = 3\n",
            "input_model.n.a += 3\n",
            "input_model['n'] **= 3\n",
            "try:\n  pass\nexcept AttributeError: pass\n",
            "if hasattr(input_model.n, 'a'): pass\n",
            "if 'a' in input_model.n: pass\n",
            "if x not in input_model.n: pass\n",
            "def f(input_model): pass\n",
            "for input_model in x: pass\n",
            "del x\n",
        ] {
            assert!(paths(&format!("{before}return input_model.n.a")).is_empty(), "{before}");
        }
    }

    #[test]
    fn recognizes_code_that_uses_all_inputs() {
        for code in ["return {'a': input_model.n.a}", "return {'a': input_model.n['a']}", "return {}"] {
            assert!(!uses_all_inputs(code), "{code}");
        }
        for code in ["return dict(input_model)", "x = input_model.n\nreturn x"] {
            assert!(uses_all_inputs(code), "{code}");
        }
    }
}
