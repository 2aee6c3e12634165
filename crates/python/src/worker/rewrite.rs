//! Lets `a.b` read the field `b` of a JSON object.
//!
//! JSON objects are plain Python dicts in the interpreter. So `[...]`, `in`,
//! `len`, `.get`, `.items` and the rest work as everybody expects, and a dict is
//! easily converted back to JSON. The one thing that a dict lacks is attribute
//! access, and no class of the interpreter can have both that and `[...]` (it
//! supports neither `__getattr__` nor `__getitem__`). So the attribute accesses
//! of the snippet are replaced by calls of a helper function: `a.b` becomes
//! `_sluice_attribute(a,'b')`.
//!
//! Method calls, assignments to attributes, decorators, annotations and
//! attributes of imported modules stay as they are. Every edit keeps all line
//! breaks, so lines in error messages are the snippet's.

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

/// The source with its attribute accesses rewritten.
pub(super) fn attributes(source: &str, parsed: &Parsed<ModModule>) -> String {
    let mut modules = Modules::default();
    modules.visit_body(&parsed.syntax().body);
    let mut rewriter =
        Rewriter { source, tokens: parsed.tokens(), modules: modules.names, edits: Vec::new() };
    rewriter.visit_body(&parsed.syntax().body);
    apply(source, rewriter.edits)
}

/// Replaces the ranges by the texts. Ranges don't overlap. Where several start at
/// the same place, as in `a.b.c`, the insertions are equal, so their order doesn't
/// matter.
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
        // Expressions import nothing.
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
        // Never evaluated.
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
    /// Makes `a.b={a.b!r}` of an f-string's `{a.b=}`, which would otherwise
    /// show the rewritten expression.
    fn expand_debug_text(&mut self, element: &InterpolatedElement) {
        let Some(debug) = &element.debug_text else {
            return;
        };
        let shown = TextRange::new(
            element.start() + TextSize::of('{'),
            element.expression.end() + TextSize::of(debug.trailing()),
        );
        let text = &self.source[shown];
        // Escaping these would depend on the quotes of the string, and they are
        // rare.
        if text.contains(['\'', '"', '\\', '\n']) {
            return;
        }
        let literal = text.replace('{', "{{").replace('}', "}}");
        let repr = element.conversion == ConversionFlag::None && element.format_spec.is_none();
        let mut rest = debug.trailing().replace('=', "");
        rest.push_str(if repr { "!r" } else { "" });
        self.edits.push((TextRange::empty(element.start()), literal));
        self.edits.push((TextRange::new(element.expression.end(), shown.end()), rest));
    }

    /// Adds the edits for one attribute access: the start of a call, a comma for
    /// the dot and a string for the name. Everything between these, such as line
    /// breaks and comments, stays unchanged.
    fn rewrite(&mut self, attribute: &ExprAttribute) {
        let of_module = matches!(&*attribute.value, Expr::Name(name)
            if self.modules.contains(name.id.as_str()));
        if attribute.ctx != ExprContext::Load || of_module {
            return;
        }
        let between = TextRange::new(attribute.value.end(), attribute.attr.start());
        let dot = self.tokens.in_range(between).iter().rev().find(|token| token.kind() == TokenKind::Dot);
        // The parser wouldn't have made an attribute of it without a dot.
        let Some(dot) = dot else { return };
        let start = attribute.start();
        // `return(a).b` is allowed, `return_sluice_attribute(…)` isn't the same.
        let glued = self.source[..usize::from(start)]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        let space = if glued { " " } else { "" };
        self.edits.push((TextRange::empty(start), format!("{space}_sluice_attribute(")));
        self.edits.push((dot.range(), ",".to_owned()));
        self.edits.push((attribute.attr.range, format!("'{}')", attribute.attr.id)));
    }
}

#[cfg(test)]
mod tests {
    use ruff_python_parser::parse_module;

    fn rewritten(source: &str) -> String {
        super::attributes(source, &parse_module(source).unwrap())
            .replace("_sluice_attribute", "@")
            .replace("_sluice_", "$")
    }

    #[test]
    fn reads_become_calls() {
        assert_eq!(rewritten("a.b"), "@(a,'b')");
        assert_eq!(rewritten("a.b.c"), "@(@(a,'b'),'c')");
        assert_eq!(rewritten("a[0].b + (c).d"), "@(a[0],'b') + @((c),'d')");
        assert_eq!(rewritten("x = 1if(a).b else 2"), "x = 1if @((a),'b') else 2");
        assert_eq!(rewritten("f(a.b, k=c.d)"), "f(@(a,'b'), k=@(c,'d'))");
        assert_eq!(rewritten("a.größe"), "@(a,'größe')");
    }

    #[test]
    fn methods_targets_decorators_and_modules_stay() {
        for source in [
            "a.get('b')",
            "a.b = 1",
            "a.b += 1",
            "for a.b in c: pass",
            "@a.b\ndef f(x: a.b) -> a.b: pass",
            "import math\nmath.pi",
            "import os.path as p\np.sep",
        ] {
            assert_eq!(rewritten(source), source);
        }
        assert_eq!(rewritten("a.b.get('c').d"), "@(@(a,'b').get('c'),'d')");
        assert_eq!(rewritten("a.b.c = d.e"), "@(a,'b').c = @(d,'e')");
    }

    #[test]
    fn line_breaks_and_comments_stay() {
        assert_eq!(rewritten("x = (a # one.\n  . # two.\n  b)"), "x = (@(a # one.\n  , # two.\n  'b'))");
        assert_eq!(rewritten("x = a \\\n  .b"), "x = @(a \\\n  ,'b')");
    }

    #[test]
    fn f_strings_are_rewritten_inside() {
        assert_eq!(rewritten("f'{a.b} {c.d:>{e.f}} a.b'"), "f'{@(a,'b')} {@(c,'d'):>{@(e,'f')}} a.b'");
        assert_eq!(rewritten("'{a.b}'"), "'{a.b}'");
        assert_eq!(rewritten("f'{a.b=}'"), "f'a.b={@(a,'b')!r}'");
        assert_eq!(rewritten("f'{(a.b) = :>5}'"), "f'(a.b) = {(@(a,'b'))  :>5}'");
    }

    #[test]
    fn attribute_functions_get_their_replacements() {
        assert_eq!(rewritten("getattr(a, 'b') or hasattr(a, 'b')"), "$getattr(a, 'b') or $hasattr(a, 'b')");
    }
}
