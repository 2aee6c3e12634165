//! Python code in configs: which outputs it names.
//!
//! The code is read as a line of tokens, which takes what it takes whatever the code is: a parser's tree is as deep as
//! its author likes, here where everything else goes on.

use sluice_domain::validation::Reference;

/// The longest code that is looked into.
const MAX_BYTES: usize = 256 * 1024;

/// What arrives, in Python code.
const INPUTS: &str = "input_model";

/// Where these stand, the code copes with what isn't there.
const CAUTIOUS: [&str; 4] = ["try", "del", "hasattr", "getattr"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'c> {
    /// A name, a keyword or a number.
    Word(&'c str),
    /// A text in quotes; what is in it, where it stands there as it is.
    Text(Option<&'c str>),
    /// Anything else.
    Sign(char),
}

/// The `input_model.title.field` of code. None at all where the code may have `input_model` changed, or looks first
/// whether something is there.
pub(super) fn references(code: &str) -> Vec<Reference> {
    let tokens = if code.len() <= MAX_BYTES { tokens(code) } else { Vec::new() };
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |steps: usize| at.checked_sub(steps).map(|at| tokens[at]);
        match token {
            Token::Word(INPUTS) if before(1) != Some(Token::Sign('.')) => {
                let asks = before(1) == Some(Token::Word("in"))
                    && matches!(before(2), Some(Token::Text(_) | Token::Word("not")));
                let (parts, rest) = chain(&tokens[at + 1..]);
                if asks || parts.is_none() || assigns(rest) {
                    return Vec::new();
                }
                let path = parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("."));
                found.extend(path.map(|path| Reference::field("/code", path)));
            }
            Token::Word(word) if CAUTIOUS.contains(word) => return Vec::new(),
            _ => {}
        }
    }
    found
}

/// The steps of a path, and what comes after it; no steps where something else than a path begins.
fn chain<'t, 'c>(mut rest: &'t [Token<'c>]) -> (Option<Vec<&'c str>>, &'t [Token<'c>]) {
    let mut parts = Vec::new();
    if !matches!(rest, [Token::Sign('.' | '['), ..]) {
        return (None, rest);
    }
    loop {
        match rest {
            // What is called is a method of a value.
            [Token::Sign('.'), Token::Word(_), after @ ..] if after.first() == Some(&Token::Sign('(')) => {
                return (Some(parts), after);
            }
            [Token::Sign('.'), Token::Word(name), after @ ..]
            | [Token::Sign('['), Token::Text(Some(name)), Token::Sign(']'), after @ ..] => {
                parts.push(*name);
                rest = after;
            }
            _ => return (Some(parts), rest),
        }
    }
}

/// Whether what stands before is given another value.
fn assigns(rest: &[Token<'_>]) -> bool {
    let is_operator = |sign: &Token<'_>| matches!(sign, Token::Sign(c) if "+-*/%@&|^<>:".contains(*c));
    match rest {
        [Token::Sign('='), after @ ..] => after.first() != Some(&Token::Sign('=')),
        [first, Token::Sign('='), ..] if is_operator(first) => !matches!(first, Token::Sign('<' | '>')),
        [first, second, Token::Sign('='), ..] if first == second => is_operator(first),
        _ => false,
    }
}

/// The tokens of code, without white space and comments.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                let (text, length) = text(rest, first);
                // A prefix makes something else of the text.
                let prefix =
                    code.get(..code.len() - rest.len()).and_then(|before| before.chars().next_back());
                if prefix.is_some_and(is_word) {
                    found.pop();
                    found.push(Token::Text(None));
                } else {
                    found.push(Token::Text(text));
                }
                length
            }
            first if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                found.push(Token::Word(&rest[..length]));
                length
            }
            // What goes on in the next line goes on.
            '\\' => first.len_utf8(),
            first => {
                found.extend((!first.is_whitespace()).then_some(Token::Sign(first)));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// What is in the quotes at the beginning of `rest`, unless something in there stands for something else, and how long
/// all is.
fn text(rest: &str, quote: char) -> (Option<&str>, usize) {
    let triple = String::from(quote).repeat(3);
    let end = if rest.starts_with(&triple) { triple } else { quote.into() };
    let mut at = end.len();
    let mut is_plain = true;
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        if left.starts_with(&end) {
            return (is_plain.then(|| &rest[end.len()..at]), at + end.len());
        }
        let mut letters = left.chars();
        let first = letters.next();
        at += first.map_or(1, char::len_utf8);
        if first == Some('\\') {
            is_plain = false;
            at += letters.next().map_or(0, char::len_utf8);
        }
    }
    (None, rest.len())
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

    fn paths(code: &str) -> Vec<String> {
        references(code).into_iter().map(|reference| reference.path).collect()
    }

    #[test]
    fn paths_are_read_from_code() {
        for (code, wanted) in [
            ("return {'a': input_model.n.a}", vec!["n.a"]),
            ("x = input_model['My node'][\"b\"][0]\ny = input_model . n \\\n .c", vec!["My node.b", "n.c"]),
            ("return input_model.n.text.strip() + input_model.m.items()", vec!["n.text", "m"]),
            ("a = input_model.n.a == input_model.n.b", vec!["n.a", "n.b"]),
            ("a = input_model.n.a <= 3 or input_model.n.b << 1", vec!["n.a", "n.b"]),
            ("for x in input_model.n.list: pass", vec!["n.list"]),
            ("input_model.get('n')", vec![]),
        ] {
            assert_eq!(paths(code), wanted, "{code}");
        }
    }

    #[test]
    fn texts_and_comments_name_nothing() {
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
    fn code_that_copes_with_what_is_missing_is_left_alone() {
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
    fn code_that_takes_single_fields_is_told_from_code_that_takes_all() {
        for code in ["return {'a': input_model.n.a}", "return {'a': input_model.n['a']}", "return {}"] {
            assert!(!takes_all(code), "{code}");
        }
        for code in ["return dict(input_model)", "x = input_model.n\nreturn x"] {
            assert!(takes_all(code), "{code}");
        }
    }
}
