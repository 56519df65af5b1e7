//! Which file uses which, from the imports and paths in the sources, and whether that leads back to where it began.
//!
//! Inside a folder each file, each folder and the folder's own `mod.rs` is one place. What a `mod.rs` only passes on
//! with `pub use` counts as a use of where the name comes from. `cargo test --test architecture circle -- --nocapture`
//! prints how many pairs of places use each other; to count those of another tree, build this test with its path:
//! `CARGO_MANIFEST_DIR=<tree> rustc --edition 2024 --test tests/architecture.rs -o seen && ./seen circle --nocapture`.

use std::collections::{BTreeMap, BTreeSet};

/// The path of a module from the root of the crate.
type Module = Vec<String>;
/// A place in a folder uses another one.
type Uses = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Who uses whom, by folder.
pub(crate) struct Imports {
    modules: BTreeSet<Module>,
    passed_on: BTreeMap<(Module, String), (Module, String)>,
    used: Vec<(Module, (Module, String))>,
}

impl Imports {
    /// The imports of sources, given as the path of the module with its code.
    pub(crate) fn of<'s>(sources: impl Iterator<Item = (&'s str, &'s str)> + Clone) -> Self {
        let module = |path: &str| -> Module {
            let parts = path.split("::").filter(|part| !["lib", ""].contains(part));
            parts.map(str::to_owned).collect()
        };
        let modules = sources.clone().map(|(path, _)| module(path)).collect();
        let mut imports = Self { modules, passed_on: BTreeMap::new(), used: Vec::new() };
        for (path, code) in sources {
            imports.read(&module(path), code);
        }
        imports
    }

    fn read(&mut self, module: &Module, code: &str) {
        let mut rest = String::new();
        for statement in code.split_inclusive(';') {
            let Some(at) = use_at(statement) else {
                rest.push_str(statement);
                continue;
            };
            let (before, tree) = statement.split_at(at);
            rest.push_str(before);
            let is_public = before.trim_end().rsplit(['\n', ';']).next().unwrap_or("").contains("pub");
            let tree = tree.trim_start_matches("use ").trim_end_matches(';');
            for path in leaves(tree) {
                let Some(found) = self.resolve(module, &path) else { continue };
                if is_public {
                    self.passed_on.insert((module.clone(), found.1.clone()), found);
                } else {
                    self.used.push((module.clone(), found));
                }
            }
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        for word in rest.split(|c| !is_name(c)).filter(|word| word.contains("::")) {
            let path: Vec<String> = word.split("::").map(str::to_owned).collect();
            if let Some(found) = self.resolve(module, &path) {
                self.used.push((module.clone(), found));
            }
        }
    }

    /// The module that a path leads to, and the name in it.
    fn resolve(&self, module: &Module, path: &[String]) -> Option<(Module, String)> {
        let mut at = module.clone();
        let mut words = path.iter().map(String::as_str).peekable();
        match *words.peek()? {
            "crate" => at.clear(),
            "self" | "super" => {}
            first => {
                let child: Module = at.iter().cloned().chain([first.to_owned()]).collect();
                self.modules.contains(&child).then_some(())?;
            }
        }
        while let Some(word) = words.peek() {
            match *word {
                "crate" | "self" => {}
                "super" => drop(at.pop()),
                word => {
                    at.push(word.to_owned());
                    if !self.modules.contains(&at) {
                        at.pop();
                        break;
                    }
                }
            }
            words.next();
        }
        Some((at, words.next().unwrap_or_default().to_owned()))
    }

    /// Where a name comes from that modules pass on.
    fn origin(&self, mut name: (Module, String)) -> Module {
        let mut seen = BTreeSet::new();
        while let Some(further) = self.passed_on.get(&name).filter(|_| seen.insert(name.clone())) {
            name = further.clone();
        }
        name.0
    }

    /// By folder: which of its places use which, and the modules that do.
    pub(crate) fn by_folder(&self) -> BTreeMap<String, Uses> {
        let mut folders: BTreeMap<String, Uses> = BTreeMap::new();
        for (user, used) in &self.used {
            let used = self.origin(used.clone());
            let common = user.iter().zip(&used).take_while(|(one, other)| one == other).count();
            let place = |module: &Module| module.get(common).map_or("mod", String::as_str).to_owned();
            let (from, to) = (place(user), place(&used));
            if from != to {
                let within = folders.entry(user[..common].join("::")).or_default();
                within.entry(from).or_default().entry(to).or_default().insert(user.join("::"));
            }
        }
        folders
    }
}

/// Pairs of places in a folder that use each other.
pub(crate) fn pairs(uses: &Uses) -> Vec<(String, String)> {
    let is_used = |by: &str, other: &str| uses.get(by).is_some_and(|used| used.contains_key(other));
    let all = uses.iter().flat_map(|(from, used)| used.keys().map(move |to| (from.clone(), to.clone())));
    all.filter(|(from, to)| from < to && is_used(to, from)).collect()
}

/// A way from a place of a folder back to it, if there is one.
pub(crate) fn circle(uses: &Uses) -> Option<Vec<String>> {
    let mut straight = BTreeSet::new();
    uses.keys().find_map(|place| walk(uses, &mut vec![place.clone()], &mut straight))
}

fn walk(uses: &Uses, way: &mut Vec<String>, straight: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let here = way.last()?.clone();
    for next in uses.get(&here).into_iter().flat_map(BTreeMap::keys) {
        if let Some(at) = way.iter().position(|place| place == next) {
            return Some(way[at..].iter().chain([next]).cloned().collect());
        }
        if !straight.contains(next) {
            way.push(next.clone());
            let found = walk(uses, way, straight);
            if found.is_some() {
                return found;
            }
            way.pop();
        }
    }
    straight.insert(here);
    None
}

/// Where a statement has its `use`, if it is one.
fn use_at(statement: &str) -> Option<usize> {
    let starts = statement.match_indices("use ").map(|(at, _)| at);
    starts.into_iter().find(|at| {
        let line = statement[..*at].rsplit('\n').next().unwrap_or_default().trim_start();
        line.is_empty() || (line.starts_with("pub") && line.ends_with(' '))
    })
}

/// The paths of a tree of imports: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|word| word.trim().to_owned()).filter(|w| !w.is_empty()).collect()];
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut depth, mut parts) = (0_i32, vec![String::new()]);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let of_part = |part: &String| leaves(&format!("{}{}", head.trim(), part.trim()));
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(of_part).collect()
}
