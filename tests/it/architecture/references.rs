//! The paths that an item refers to.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta, UseTree};

/// A path in the source, such as `crate::store::RunStore`.
pub(crate) type Segments = Vec<String>;

/// Returns the name that an item defines in its module. Skips imports, modules and macros.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Returns true for items that only test builds have.
pub(crate) fn is_test_only(item: &Item) -> bool {
    attributes(item).iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        let condition = list.tokens.to_string();
        let words = condition.split(|letter: char| !letter.is_alphanumeric());
        attribute.path().is_ident("cfg")
            && words.clone().any(|word| word == "test")
            && !condition.contains("not")
            && !condition.contains("any")
    })
}

/// Returns the file that `#[path = "…"]` names.
pub(crate) fn path_attribute(module: &ItemMod) -> Option<String> {
    let attribute = module.attrs.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(literal) = &pair.value else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    Some(text.value())
}

/// Returns every path in an item. Skips imports and child modules, which the module tree handles.
pub(crate) fn collect(item: &Item) -> BTreeSet<Segments> {
    let mut paths = Paths::default();
    if !matches!(item, Item::Mod(_) | Item::Use(_)) {
        paths.visit_item(item);
    }
    paths.0
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[derive(Default)]
struct Paths(BTreeSet<Segments>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// Adds an import within a function.
    fn visit_use_tree(&mut self, tree: &'ast UseTree) {
        self.add_use(tree, &mut Vec::new());
    }

    /// Adds the paths among the tokens of a macro.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }

    /// `pub(in path)` is not a use of the path.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

impl Paths {
    fn add_use(&mut self, tree: &UseTree, prefix: &mut Segments) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_use(&path.tree, prefix);
                prefix.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree, prefix)),
            UseTree::Glob(_) => self.add(prefix.clone()),
            UseTree::Name(name) => self.add([prefix.clone(), vec![name.ident.to_string()]].concat()),
            UseTree::Rename(rename) => self.add([prefix.clone(), vec![rename.ident.to_string()]].concat()),
        }
    }

    fn add(&mut self, path: Segments) {
        self.0.insert(path);
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        // Number of colons since the last word. Two colons join words to a path.
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.add_path(std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.add_path(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add_path(path);
    }

    /// Adds a path found among tokens. A single lowercase word is skipped: it is more often a field or a variable than
    /// an item.
    fn add_path(&mut self, path: Segments) {
        let is_type = path.first().is_some_and(|word| word.starts_with(char::is_uppercase));
        if path.len() > 1 || is_type {
            self.0.insert(path);
        }
    }
}
