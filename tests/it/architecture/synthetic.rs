//! Tests of the import rules on small synthetic crates.

use std::path::Path;

use super::imports::{Imports, order};
use super::module_tree::ModuleTree;

/// Returns the imports of a crate with these files: (path, text).
fn imports(files: &[(&str, &str)]) -> Imports {
    let read = |file: &Path| {
        let entry = files.iter().find(|(path, _)| file == Path::new(path));
        entry.map(|(_, text)| (*text).to_owned())
    };
    Imports::new(&ModuleTree::new(Path::new("lib.rs"), &read))
}

fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    imports(files).cycles(&[]).iter().map(ToString::to_string).collect()
}

fn upward_violations(document: &str, files: &[(&str, &str)]) -> Vec<String> {
    let order = order(document, "demo").expect("an order");
    imports(files).upward_violations(&order, &[]).iter().map(ToString::to_string).collect()
}

#[test]
fn accepts_imports_in_one_direction() {
    let files = [
        ("lib.rs", "mod high; mod low; pub use high::High;"),
        ("high.rs", "use crate::low::{self, Low}; pub struct High(Low); fn make() -> Low { low::make() }"),
        ("low.rs", "pub struct Low; pub fn make() -> Low { Low }"),
    ];
    assert_eq!(cycles(&files), Vec::<String>::new());
}

#[test]
fn rejects_two_modules_that_import_each_other() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use super::a::A; pub struct B(Box<A>);"),
    ];
    assert_eq!(cycles(&files), ["a.rs → b.rs (B)", "b.rs → a.rs (A)"]);
}

#[test]
fn rejects_a_cycle_of_three_through_paths_in_bodies_and_macros() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub fn a() { crate::b::b() }"),
        ("b.rs", "pub fn b() { println!(\"{:?}\", crate::c::c()) }"),
        ("c.rs", "pub fn c() { fn inner() { use crate::a::a as other; other() } inner() }"),
    ];
    assert_eq!(cycles(&files), ["a.rs → b.rs (b)", "b.rs → c.rs (c)", "c.rs → a.rs (a)"]);
}

#[test]
fn finds_a_cycle_through_reexports() {
    let files = [
        ("lib.rs", "mod store; mod user; pub use store::Store;"),
        ("store/mod.rs", "mod file; pub use self::file::*;"),
        ("store/file.rs", "use crate::user; pub struct Store(user::Name);"),
        ("user.rs", "pub struct Name; fn open(_: crate::Store) {}"),
    ];
    assert_eq!(cycles(&files), ["store/file.rs → user.rs (Name)", "user.rs → store/file.rs (Store)"]);
}

#[test]
fn counts_a_reexport_as_an_import_only_when_the_module_uses_the_name() {
    let parts = ("parts/one.rs", "use super::Whole; pub struct One(Box<Whole>);");
    let root = ("lib.rs", "mod parts;");
    let facade = ("parts/mod.rs", "mod one; pub use one::One; pub struct Whole;");
    assert_eq!(cycles(&[root, facade, parts]), Vec::<String>::new());
    let user = ("parts/mod.rs", "mod one; pub use one::One; pub struct Whole(Option<One>);");
    assert_eq!(
        cycles(&[root, user, parts]),
        ["parts/mod.rs → parts/one.rs (One)", "parts/one.rs → parts/mod.rs (Whole)"]
    );
}

#[test]
fn counts_names_defined_by_a_macro_as_items_of_its_module() {
    let files = [
        ("lib.rs", "mod kinds; mod list;"),
        ("kinds.rs", "make_kinds! { First } pub fn all() { crate::list::all() }"),
        ("list.rs", "use crate::kinds::First; pub fn all() -> First { First }"),
    ];
    assert_eq!(cycles(&files), ["kinds.rs → list.rs (all)", "list.rs → kinds.rs (First)"]);
}

#[test]
fn attributes_exported_macros_to_their_file() {
    let files = [
        ("lib.rs", "mod macros; mod user; use user::call;"),
        ("macros.rs", "#[macro_export] macro_rules! shout { () => {} }"),
        ("user.rs", "pub fn call() { crate::shout!() }"),
    ];
    assert_eq!(cycles(&files), Vec::<String>::new());
}

#[test]
fn ignores_modules_and_items_of_tests() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; #[cfg(test)] use crate::b::B; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("b.rs", "use crate::a::A; pub struct B(A);"),
    ];
    assert_eq!(cycles(&files), Vec::<String>::new());
}

#[test]
fn follows_path_attributes_and_modules_in_one_file() {
    let files = [
        (
            "lib.rs",
            "mod a { pub struct A; pub mod inner { pub use super::A; } } #[path = \"other.rs\"] mod b;",
        ),
        ("other.rs", "use crate::a::inner::A; pub struct B(A);"),
    ];
    assert_eq!(cycles(&files), Vec::<String>::new());
    assert_eq!(upward_violations("demo: a > other", &files), ["other.rs → lib.rs (A)"]);
}

#[test]
fn rejects_an_import_that_goes_upward() {
    let files = [
        ("lib.rs", "mod routes; mod state; mod error;"),
        ("routes/mod.rs", "mod runs; use crate::state::State;"),
        ("routes/runs.rs", "use crate::error::Error; pub struct Page;"),
        ("state.rs", "pub struct State(crate::routes::runs::Page);"),
        ("error.rs", "pub struct Error;"),
    ];
    assert_eq!(
        upward_violations("demo: routes > state > error", &files),
        ["state.rs → routes/runs.rs (Page)"]
    );
    assert_eq!(
        upward_violations("demo: state > routes > error", &files),
        ["routes/mod.rs → state.rs (State)"]
    );
    assert_eq!(upward_violations("demo: routes, state > error", &files), Vec::<String>::new());
}

#[test]
fn rejects_an_import_of_the_root() {
    let files = [("lib.rs", "mod a; pub struct Root;"), ("a.rs", "use crate::Root;")];
    assert_eq!(upward_violations("demo: a > nothing", &files), ["a.rs → lib.rs (Root)"]);
}

#[test]
fn accepts_listed_exceptions() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use crate::a::A; pub struct B(Box<A>);"),
    ];
    assert_eq!(imports(&files).cycles(&[("b.rs", "a.rs")]), []);
    let order = order("demo: a > b", "demo").expect("an order");
    assert_eq!(imports(&files).upward_violations(&order, &[("b.rs", "a.rs")]), []);
}

#[test]
fn reads_the_order_of_a_crate_from_a_document() {
    let document = "Text.\n\n```text\nother: x > y\ndemo: `routes/` > extract.rs, auth\n      > error\n```\n";
    let parsed = order(document, "demo").expect("an order");
    let names: Vec<Vec<&str>> =
        parsed.iter().map(|level| level.iter().map(String::as_str).collect()).collect();
    assert_eq!(names, [vec!["routes"], vec!["auth", "extract"], vec!["error"]]);
    assert!(order(document, "none").is_none());
    let files = [
        ("lib.rs", "mod routes; mod extra; mod error;"),
        ("routes.rs", ""),
        ("extra.rs", ""),
        ("error.rs", ""),
    ];
    assert_eq!(imports(&files).order_mismatches(&parsed), ["auth", "extra", "extract"]);
}
