//! Imports between the files of a crate, and the two rules for them: no cycles, and no import of a higher level.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::module_tree::{ModuleTree, Target};
use super::references::Segments;

/// The files of a crate, and the names that each file uses from the others.
pub(crate) struct Imports {
    /// Names by (importing file, defining file).
    edges: BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>,
    files: BTreeSet<PathBuf>,
    root: PathBuf,
}

/// An import that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) names: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} ({})", self.from, self.to, self.names.join(", "))
    }
}

/// The top-level files and folders of a crate, from the top down. Those of one level are peers.
pub(crate) type Order = Vec<BTreeSet<String>>;

impl Imports {
    /// Reads the crate whose root is `root`.
    pub(crate) fn of(root: &Path) -> Self {
        let folder = root.parent().expect("the folder of the root");
        let name = root.strip_prefix(folder).expect("a file name");
        Self::new(&ModuleTree::new(name, &|file| std::fs::read_to_string(folder.join(file)).ok()))
    }

    pub(crate) fn new(tree: &ModuleTree) -> Self {
        let mut edges: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (id, module) in tree.modules.iter().enumerate() {
            let mut add = |target: usize, path: &Segments| {
                let file = &tree.modules[target].file;
                if *file != module.file {
                    let edge = (module.file.clone(), file.clone());
                    edges.entry(edge).or_default().insert(path.last().cloned().unwrap_or_default());
                }
            };
            // A module that is imported is used through paths, which are among the references.
            let imports = module.imports.iter().filter(|import| !import.is_reexport);
            for path in imports.map(|import| &import.path).chain(&module.references) {
                if let Some(Target::Item(target)) = tree.resolve(id, path) {
                    add(target, path);
                }
            }
            for glob in module.globs.iter().filter(|glob| !glob.is_reexport) {
                match tree.resolve(id, &glob.path) {
                    // A trait that a glob imports is used without its name.
                    Some(Target::Module(target)) if !tree.modules[target].items.is_empty() => {
                        add(target, &glob.path);
                    }
                    Some(Target::Item(target)) => add(target, &glob.path),
                    _ => {}
                }
            }
        }
        let files = tree.modules.iter().map(|module| module.file.clone()).collect();
        Self { edges, files, root: tree.modules[0].file.clone() }
    }

    /// Returns the imports that are part of a cycle, except those in `exceptions`: (from, to).
    pub(crate) fn cycles(&self, exceptions: &[(&str, &str)]) -> Vec<Violation> {
        let edges: Vec<_> =
            self.edges.keys().filter(|(from, to)| !is_exception(exceptions, from, to)).collect();
        let mut next: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
        for (from, to) in &edges {
            next.entry(from).or_default().push(to);
        }
        let reaches = |from: &Path, to: &Path| {
            let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
            while let Some(file) = waiting.pop() {
                if file == to {
                    return true;
                }
                if seen.insert(file) {
                    waiting.extend(next.get(file).into_iter().flatten());
                }
            }
            false
        };
        edges.iter().filter(|(from, to)| reaches(to, from)).map(|edge| self.violation(edge)).collect()
    }

    /// Returns the imports of files that are higher in the order.
    pub(crate) fn upward_violations(&self, order: &Order, exceptions: &[(&str, &str)]) -> Vec<Violation> {
        // The root is above everything.
        let level = |file: &Path| {
            if file == self.root {
                Some(0)
            } else {
                Some(1 + order.iter().position(|level| level.contains(&top(file)))?)
            }
        };
        let is_upward =
            |from: &Path, to: &Path| matches!((level(from), level(to)), (Some(from), Some(to)) if to < from);
        let edges =
            self.edges.keys().filter(|(from, to)| is_upward(from, to) && !is_exception(exceptions, from, to));
        edges.map(|edge| self.violation(edge)).collect()
    }

    /// Returns true if a top-level file or folder imports another one.
    pub(crate) fn needs_order(&self) -> bool {
        self.edges.keys().any(|(from, to)| *from != self.root && *to != self.root && top(from) != top(to))
    }

    /// Returns the names that are only in the order or only in the crate.
    pub(crate) fn order_mismatches(&self, order: &Order) -> Vec<String> {
        let listed: BTreeSet<String> = order.iter().flatten().cloned().collect();
        let present = self.files.iter().filter(|file| **file != self.root).map(|file| top(file)).collect();
        listed.symmetric_difference(&present).cloned().collect()
    }

    fn violation(&self, edge: &(PathBuf, PathBuf)) -> Violation {
        let names = self.edges[edge].iter().cloned().collect();
        Violation { from: edge.0.display().to_string(), to: edge.1.display().to_string(), names }
    }
}

fn is_exception(exceptions: &[(&str, &str)], from: &Path, to: &Path) -> bool {
    exceptions.iter().any(|(importer, imported)| from == Path::new(importer) && to == Path::new(imported))
}

/// Returns the first part of a path: `routes` for `routes/runs/start.rs`, `state` for `state.rs`.
fn top(file: &Path) -> String {
    let first = file.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// Finds the order of a crate in a document: a line `crate: top > middle, its peer > bottom`. A line that starts with
/// `>` continues the previous one.
pub(crate) fn order(document: &str, krate: &str) -> Option<Order> {
    let plain = document.replace('`', "");
    let mut lines = plain.lines().map(str::trim);
    let first = lines
        .find_map(|line| line.strip_prefix(krate)?.strip_prefix(':').filter(|rest| rest.contains('>')))?;
    let more = lines.take_while(|line| line.starts_with('>'));
    let text: String = std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ");
    let name = |name: &str| name.trim().trim_end_matches('/').trim_end_matches(".rs").to_owned();
    let level = |level: &str| level.split(',').map(name).filter(|name| !name.is_empty()).collect();
    Some(text.split('>').map(level).filter(|level: &BTreeSet<String>| !level.is_empty()).collect())
}
