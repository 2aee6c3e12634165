//! Rewrites attribute accesses, so that `a.b` reads the field `b` of a JSON
//! object.
//!
//! JSON objects are Python dicts in the interpreter. So `[...]`, `in`, `len`,
//! `.get`, `.items` and so on work as usual, and a dict is easily converted to
//! JSON. But dicts lack attribute access, and classes of the interpreter can't
//! have both attribute access and `[...]`, because it supports neither
//! `__getattr__` nor `__getitem__`. So the attribute accesses of the snippet are
//! replaced by calls of a helper function: `a.b` becomes
//! `_sluice_attribute(a,'b')`.
//!
//! Method calls, assignments to attributes, decorators, annotations and
//! attributes of imported modules are not rewritten. Edits keep all line breaks,
//! so that line numbers in error messages are those of the snippet.

use std::collections::HashSet;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_interpolated_string_element, walk_stmt};
use ruff_python_ast::{
    ConversionFlag, Decorator, Expr, ExprAttribute, ExprContext, InterpolatedElement,
    InterpolatedStringElement, ModModule, Stmt,
};
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextRange, TextSize};

/// Built-in functions, and the helper functions that replace them.
const REPLACEMENTS: [(&str, &str); 2] = [("getattr", "_sluice_getattr"), ("hasattr", "_sluice_hasattr")];

/// Returns the source with its attribute accesses rewritten.
pub(super) fn attributes(source: &str, parsed: &Parsed<ModModule>) -> String {
    let mut modules = Modules::default();
    modules.visit_body(&parsed.syntax().body);
    let mut rewriter =
        Rewriter { source, tokens: parsed.tokens(), modules: modules.names, edits: Vec::new() };
    rewriter.visit_body(&parsed.syntax().body);
    apply(source, rewriter.edits)
}

/// Replaces the ranges by the texts. Ranges don't overlap. If several start at
/// the same position, as in `a.b.c`, their insertions are equal, so that their
/// order doesn't matter.
fn apply(source: &str, mut edits: Vec<(TextRange, String)>) -> String {
    edits.sort_by_key(|(range, _)| (range.start(), range.end()));
    let mut result = String::with_capacity(source.len() * 2);
    let mut position = TextSize::new(0);
    for (range, text) in edits {
        result.push_str(&source[TextRange::new(position, range.start())]);
        result.push_str(&text);
        position = range.end();
    }
    result.push_str(&source[usize::from(position)..]);
    result
}

/// Names that `import` statements bind to modules.
#[derive(Default)]
struct Modules<'a> {
    names: HashSet<&'a str>,
}

impl<'a> Visitor<'a> for Modules<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::Import(import) = stmt {
            for alias in &import.names {
                let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                self.names.insert(name.split_once('.').map_or(name, |(first, _)| first));
            }
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, _: &'a Expr) {
        // Expressions don't contain imports.
    }
}

struct Rewriter<'a> {
    source: &'a str,
    tokens: &'a Tokens,
    modules: HashSet<&'a str>,
    edits: Vec<(TextRange, String)>,
}

impl<'a> Visitor<'a> for Rewriter<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                if let Expr::Attribute(method) = &*call.func {
                    self.visit_expr(&method.value);
                } else {
                    self.visit_expr(&call.func);
                }
                self.visit_arguments(&call.arguments);
                return;
            }
            Expr::Attribute(attribute) => self.rewrite(attribute),
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                let replacement = REPLACEMENTS.iter().find(|(builtin, _)| *builtin == name.id);
                if let Some((_, helper)) = replacement {
                    self.edits.push((name.range, (*helper).to_owned()));
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_annotation(&mut self, _: &'a Expr) {
        // Annotations are not evaluated.
    }

    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        if let InterpolatedStringElement::Interpolation(element) = element {
            self.expand_debug_text(element);
        }
        walk_interpolated_string_element(self, element);
    }

    fn visit_decorator(&mut self, _: &'a Decorator) {
        // The interpreter recognizes decorators by name.
    }
}

impl Rewriter<'_> {
    /// Replaces `{a.b=}` in an f-string by `a.b={a.b!r}`, because it would
    /// otherwise print the rewritten expression.
    fn expand_debug_text(&mut self, element: &InterpolatedElement) {
        let Some(debug) = &element.debug_text else {
            return;
        };
        let debug_range = TextRange::new(
            element.start() + TextSize::of('{'),
            element.expression.end() + TextSize::of(debug.trailing()),
        );
        let text = &self.source[debug_range];
        // These characters are rare, and would have to be escaped depending on
        // the quotes of the string.
        if text.contains(['\'', '"', '\\', '\n']) {
            return;
        }
        let literal = text.replace('{', "{{").replace('}', "}}");
        let needs_repr = element.conversion == ConversionFlag::None && element.format_spec.is_none();
        let mut suffix = debug.trailing().replace('=', "");
        suffix.push_str(if needs_repr { "!r" } else { "" });
        self.edits.push((TextRange::empty(element.start()), literal));
        self.edits.push((TextRange::new(element.expression.end(), debug_range.end()), suffix));
    }

    /// Adds the edits for one attribute access. They insert the start of a call,
    /// and replace the dot by a comma and the name by a string. Line breaks and
    /// comments in between don't change.
    fn rewrite(&mut self, attribute: &ExprAttribute) {
        let is_of_module = matches!(&*attribute.value, Expr::Name(name)
            if self.modules.contains(name.id.as_str()));
        if attribute.ctx != ExprContext::Load || is_of_module {
            return;
        }
        let between = TextRange::new(attribute.value.end(), attribute.attr.start());
        let dot = self.tokens.in_range(between).iter().rev().find(|token| token.kind() == TokenKind::Dot);
        // Never `None`, because an attribute access contains a dot.
        let Some(dot) = dot else { return };
        let start = attribute.start();
        // `return(a).b` must not become `return_sluice_attribute(…)`.
        let follows_word = self.source[..usize::from(start)]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        let space = if follows_word { " " } else { "" };
        self.edits.push((TextRange::empty(start), format!("{space}_sluice_attribute(")));
        self.edits.push((dot.range(), ",".to_owned()));
        self.edits.push((attribute.attr.range, format!("'{}')", attribute.attr.id)));
    }
}

#[cfg(test)]
mod tests {
    use ruff_python_parser::parse_module;

    fn rewrite(source: &str) -> String {
        super::attributes(source, &parse_module(source).unwrap())
            .replace("_sluice_attribute", "@")
            .replace("_sluice_", "$")
    }

    #[test]
    fn rewrites_reads_to_calls() {
        assert_eq!(rewrite("a.b"), "@(a,'b')");
        assert_eq!(rewrite("a.b.c"), "@(@(a,'b'),'c')");
        assert_eq!(rewrite("a[0].b + (c).d"), "@(a[0],'b') + @((c),'d')");
        assert_eq!(rewrite("x = 1if(a).b else 2"), "x = 1if @((a),'b') else 2");
        assert_eq!(rewrite("f(a.b, k=c.d)"), "f(@(a,'b'), k=@(c,'d'))");
        assert_eq!(rewrite("a.größe"), "@(a,'größe')");
    }

    #[test]
    fn keeps_methods_targets_decorators_and_modules() {
        for source in [
            "a.get('b')",
            "a.b = 1",
            "a.b += 1",
            "for a.b in c: pass",
            "@a.b\ndef f(x: a.b) -> a.b: pass",
            "import math\nmath.pi",
            "import os.path as p\np.sep",
        ] {
            assert_eq!(rewrite(source), source);
        }
        assert_eq!(rewrite("a.b.get('c').d"), "@(@(a,'b').get('c'),'d')");
        assert_eq!(rewrite("a.b.c = d.e"), "@(a,'b').c = @(d,'e')");
    }

    #[test]
    fn keeps_line_breaks_and_comments() {
        assert_eq!(rewrite("x = (a # one.\n  . # two.\n  b)"), "x = (@(a # one.\n  , # two.\n  'b'))");
        assert_eq!(rewrite("x = a \\\n  .b"), "x = @(a \\\n  ,'b')");
    }

    #[test]
    fn rewrites_expressions_in_f_strings() {
        assert_eq!(rewrite("f'{a.b} {c.d:>{e.f}} a.b'"), "f'{@(a,'b')} {@(c,'d'):>{@(e,'f')}} a.b'");
        assert_eq!(rewrite("'{a.b}'"), "'{a.b}'");
        assert_eq!(rewrite("f'{a.b=}'"), "f'a.b={@(a,'b')!r}'");
        assert_eq!(rewrite("f'{(a.b) = :>5}'"), "f'(a.b) = {(@(a,'b'))  :>5}'");
    }

    #[test]
    fn replaces_attribute_functions() {
        assert_eq!(rewrite("getattr(a, 'b') or hasattr(a, 'b')"), "$getattr(a, 'b') or $hasattr(a, 'b')");
    }
}
