//! The modules of a crate, and the names that each of them defines and imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::{Item, ItemMod, UseTree};

use super::references::{self, Segments};

/// A name that a module imports.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Segments,
    /// A re-export does not count as a use of the name.
    pub(crate) is_reexport: bool,
}

/// A module, or an enum, whose names are all imported: `use path::*`.
#[derive(Debug)]
pub(crate) struct Glob {
    pub(crate) path: Segments,
    pub(crate) is_reexport: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Relative to the folder of the crate's root.
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// Names of the items that this module defines itself.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) globs: Vec<Glob>,
    /// Paths in the bodies and signatures of the items.
    pub(crate) references: BTreeSet<Segments>,
}

/// Target of a path: a module, or an item of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(usize),
    Item(usize),
}

#[derive(Debug, Default)]
pub(crate) struct ModuleTree {
    pub(crate) modules: Vec<Module>,
    /// Macros that `#[macro_export]` moves to the root, and the modules that define them.
    exported_macros: BTreeMap<String, usize>,
}

impl ModuleTree {
    /// Reads the crate whose root is `root`. `read` returns the text of a file of the crate.
    pub(crate) fn new(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut tree = Self::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        tree.add_file(root.to_owned(), folder, None, read);
        tree
    }

    /// Adds the module in `file`; its child modules are in `folder`.
    fn add_file(
        &mut self,
        file: PathBuf,
        folder: PathBuf,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let text = read(&file).unwrap_or_else(|| panic!("{} is missing", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add_module(&parsed.items, file, folder, parent, read)
    }

    fn add_module(
        &mut self,
        items: &[Item],
        file: PathBuf,
        folder: PathBuf,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module { file: file.clone(), parent, ..Module::default() });
        for item in items.iter().filter(|item| !references::is_test_only(item)) {
            match item {
                Item::Mod(module) => {
                    let child = self.add_child(module, id, &file, &folder, read);
                    self.modules[id].children.insert(module.ident.to_string(), child);
                }
                Item::Use(item) => {
                    let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
                    self.modules[id].add_imports(&item.tree, &mut Vec::new(), is_reexport);
                }
                Item::Macro(item) => {
                    if let Some(name) = &item.ident {
                        self.modules[id].items.insert(name.to_string());
                        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                            self.exported_macros.insert(name.to_string(), id);
                        }
                    }
                }
                _ => self.modules[id].items.extend(references::name_of(item)),
            }
            self.modules[id].references.extend(references::collect(item));
        }
        id
    }

    fn add_child(
        &mut self,
        module: &ItemMod,
        parent: usize,
        file: &Path,
        folder: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let name = module.ident.to_string();
        if let Some((_, items)) = &module.content {
            return self.add_module(items, file.to_owned(), folder.join(&name), Some(parent), read);
        }
        let named_file = folder.join(format!("{name}.rs"));
        let mod_file = folder.join(&name).join("mod.rs");
        let child = if let Some(path) = references::path_attribute(module) {
            file.parent().unwrap_or(Path::new("")).join(path)
        } else if read(&named_file).is_some() {
            named_file
        } else {
            mod_file
        };
        self.add_file(child, folder.join(&name), Some(parent), read)
    }

    /// Resolves a path that the module `from` contains. Returns `None` for paths of other crates.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.resolve_unless_seen(from, path, &mut BTreeSet::new())
    }

    fn resolve_unless_seen(
        &self,
        from: usize,
        path: &[String],
        seen: &mut BTreeSet<(usize, String)>,
    ) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.look_up(from, name, seen)?,
        };
        for segment in rest {
            let Target::Module(module) = target else { return Some(target) };
            target = match segment.as_str() {
                "self" => target,
                "super" => Target::Module(self.modules[module].parent?),
                // A name that a macro defines belongs to the module that calls the macro.
                name => self.look_up(module, name, seen).unwrap_or(Target::Item(module)),
            };
        }
        Some(target)
    }

    /// Finds a name in a module: among its children, its items and its imports.
    fn look_up(&self, module: usize, name: &str, seen: &mut BTreeSet<(usize, String)>) -> Option<Target> {
        let scope = &self.modules[module];
        if let Some(child) = scope.children.get(name) {
            return Some(Target::Module(*child));
        }
        if scope.items.contains(name) {
            return Some(Target::Item(module));
        }
        if module == 0
            && let Some(definition) = self.exported_macros.get(name)
        {
            return Some(Target::Item(*definition));
        }
        if !seen.insert((module, name.to_owned())) {
            return None;
        }
        if let Some(import) = scope.imports.iter().find(|import| import.name == name) {
            return self.resolve_unless_seen(module, &import.path, seen);
        }
        scope.globs.iter().find_map(|glob| match self.resolve_unless_seen(module, &glob.path, seen)? {
            Target::Module(imported) if imported != module => self.look_up(imported, name, seen),
            _ => None,
        })
    }
}

impl Module {
    /// Adds the imports of a `use` item. `prefix` is the path above `tree`.
    fn add_imports(&mut self, tree: &UseTree, prefix: &mut Segments, is_reexport: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_imports(&path.tree, prefix, is_reexport);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_imports(tree, prefix, is_reexport);
                }
            }
            UseTree::Glob(_) => self.globs.push(Glob { path: prefix.clone(), is_reexport }),
            UseTree::Name(name) => self.add_import(&name.ident, &name.ident, prefix, is_reexport),
            UseTree::Rename(rename) => self.add_import(&rename.ident, &rename.rename, prefix, is_reexport),
        }
    }

    fn add_import(&mut self, item: &syn::Ident, name: &syn::Ident, prefix: &Segments, is_reexport: bool) {
        let mut path = prefix.clone();
        let mut name = name.to_string();
        if item == "self" {
            // `use a::b::{self}` imports `b`.
            if name == "self" {
                name = prefix.last().cloned().unwrap_or_default();
            }
        } else {
            path.push(item.to_string());
        }
        self.imports.push(Import { name, path, is_reexport });
    }
}
