//! Tests that the modules of each crate use each other one way: none uses itself by a detour.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

/// The crates whose modules are checked, as folders from the root of the repository.
const CRATES: [&str; 5] =
    ["crates/domain", "crates/auth", "crates/persistence", "crates/web", "migration"];

/// A path of names: a module from the root of its crate, or a path as it is written in the source.
type Names = Vec<String>;

/// What a file says about itself and about others.
#[derive(Default)]
struct Module {
    /// The names that it makes, those of its child modules included.
    items: BTreeSet<String>,
    /// The paths that it imports, under the name by which it calls them; `*` for all names of one.
    imports: Vec<(String, Names)>,
    /// The paths that it names.
    paths: Vec<Names>,
}

/// The modules of a crate, without those that only tests have.
#[derive(Default)]
struct Crate(BTreeMap<Names, Module>);

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut all = Self::default();
        all.add(Names::new(), &folder.join("src/lib.rs"), &folder.join("src"));
        all
    }

    /// Reads a module's file, and the files of its children, which are in `folder`.
    fn add(&mut self, name: Names, file: &Path, folder: &Path) {
        let source = fs::read_to_string(file).unwrap();
        let syntax = syn::parse_file(&source).unwrap();
        let mut module = Module::default();
        for item in &syntax.items {
            let attributes = attributes(item);
            if is_for_tests(attributes) {
                continue;
            }
            if let Item::Mod(ItemMod { ident, content: None, .. }) = item {
                let child = ident.to_string();
                let (flat, deep) =
                    (folder.join(format!("{child}.rs")), folder.join(&child).join("mod.rs"));
                let file: PathBuf = if flat.exists() { flat } else { deep };
                let name = name.iter().chain([&child]).cloned().collect();
                self.add(name, &file, &folder.join(&child));
            }
            module.items.extend(named(item));
            module.visit_item(item);
        }
        self.0.insert(name, module);
    }

    /// Returns the module in which the item of a path is made, which is written in `from`.
    fn target(&self, from: &Names, path: &[String], depth: usize) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Names::new(),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            child => self.child(from, child)?,
        };
        for name in rest {
            if name == "super" {
                at = at.split_last()?.1.to_vec();
            } else if let Some(child) = self.child(&at, name) {
                at = child;
            } else {
                return self.origin(&at, name, depth);
            }
        }
        Some(at)
    }

    fn child(&self, of: &Names, name: &str) -> Option<Names> {
        let child: Names = of.iter().map(String::as_str).chain([name]).map(str::to_owned).collect();
        self.0.contains_key(&child).then_some(child)
    }

    /// Returns the module that makes a name, which `module` may only pass on; `None` for another crate's.
    fn origin(&self, module: &Names, name: &str, depth: usize) -> Option<Names> {
        let said = self.0.get(module)?;
        assert!(depth < 9, "{module:?} passes {name} on without end");
        if let Some((_, path)) = said.imports.iter().find(|(alias, _)| alias == name) {
            return self.target(module, path, depth + 1);
        }
        let all = said.imports.iter().filter(|(alias, _)| alias == "*");
        let from = all
            .filter_map(|(_, path)| self.target(module, path, depth + 1))
            .find(|from| self.0.get(from).is_some_and(|from| from.items.contains(name)));
        Some(from.unwrap_or_else(|| module.clone()))
    }

    /// Returns which modules each one uses.
    fn uses(&self) -> BTreeMap<&Names, BTreeSet<Names>> {
        let uses = self.0.iter().map(|(name, module)| {
            let imported = module.imports.iter().map(|(_, path)| path);
            let paths = imported.chain(&module.paths);
            let mut used: BTreeSet<_> =
                paths.filter_map(|path| self.target(name, path, 0)).collect();
            used.remove(name);
            (name, used)
        });
        uses.collect()
    }

    /// Returns a way from a module back to itself, if there is one.
    fn circle(&self) -> Option<Vec<String>> {
        let uses = self.uses();
        uses.keys().find_map(|start| {
            // The ways from the start, the shortest first.
            let mut ways = vec![vec![(*start).clone()]];
            let mut seen = BTreeSet::new();
            while !ways.is_empty() {
                let mut longer = Vec::new();
                for way in ways {
                    for next in uses.get(way.last().unwrap()).into_iter().flatten() {
                        if next == *start {
                            return Some(way.iter().map(|name| name.join("::")).collect());
                        }
                        if seen.insert(next.clone()) {
                            longer.push(way.iter().chain([next]).cloned().collect());
                        }
                    }
                }
                ways = longer;
            }
            None
        })
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        read_use(&item.tree, &mut Names::new(), &mut self.imports);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }
}

fn read_use(tree: &UseTree, before: &mut Names, imports: &mut Vec<(String, Names)>) {
    let mut import = |alias: &str, name: Option<String>| {
        let path: Names = before.iter().cloned().chain(name).collect();
        imports.push((alias.to_owned(), path));
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            read_use(&path.tree, before, imports);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            import(&before.last().cloned().unwrap_or_default(), None);
        }
        UseTree::Name(name) => import(&name.ident.to_string(), Some(name.ident.to_string())),
        UseTree::Rename(new) => import(&new.rename.to_string(), Some(new.ident.to_string())),
        UseTree::Glob(_) => import("*", None),
        UseTree::Group(group) => {
            for tree in &group.items {
                read_use(tree, before, imports);
            }
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is compiled for tests alone: `#[cfg(test)]`, `#[cfg(doctest)]`, or a contract.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|one| one.path().is_ident("cfg")).any(|one| {
        one.parse_args::<syn::Path>().is_ok_and(|of| of.is_ident("test") || of.is_ident("doctest"))
    })
}

/// Returns the name that an item makes, if it makes one.
fn named(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

#[test]
fn the_modules_of_each_crate_use_each_other_one_way() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for name in CRATES {
        let modules = Crate::read(&root.join(name));
        assert!(modules.0.len() > 3, "{name} has modules");
        assert!(modules.uses().values().any(|used| !used.is_empty()), "{name} has paths");
        if let Some(circle) = modules.circle() {
            panic!("in {name}, each of these uses the next, and the last the first: {circle:#?}");
        }
    }
}

#[test]
fn a_circle_is_found_through_what_a_module_passes_on() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join("src").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; pub use b::c::{B, C as D};");
    write("a.rs", "pub struct A; fn f(_: crate::D) {}");
    write("b/mod.rs", "pub(crate) mod c;");
    write("b/c.rs", "pub struct B; pub struct C; #[cfg(test)] mod tests { use crate::a::A; }");
    assert_eq!(Crate::read(folder.path()).circle(), None);
    write("b/c.rs", "pub struct B; pub struct C; impl C { fn g(_: super::super::a::A) {} }");
    let circle = Crate::read(folder.path()).circle().unwrap();
    assert_eq!(circle, ["a", "b::c"]);
}
