//! The architecture, checked in the sources: which way dependencies point, what is pure, who writes what.
//!
//! Comments and test modules don't count. A new module has to be given its layer here.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/documents.rs"]
mod documents;

/// Modules from the lowest to the highest; each may use those of lower layers and its own. Of several prefixes the
/// longest counts.
const LAYERS: [&[&str]; 12] = [
    &["fault"],
    &["domain", "failure", "demo"],
    &["plan"],
    &["wire"],
    &["settings"],
    &["store", "redis"],
    &["worker"],
    &["render"],
    &["service", "doctor"],
    &["trigger", "http"],
    &["console"],
    &["cli", "lib", "main"],
];

/// The stages of planning, from the lowest to the highest, one line a folder. Those of one layer don't use each other.
const STAGES: [&str; 9] = [
    "given",
    "market",
    "members",
    "draft",
    "tasks",
    "result",
    "render",
    "mod",
    "explain impact replay revert review",
];

/// Folders in which a circle is known; the rest has none, and must not get one.
const KNOWN_CIRCLES: [&str; 12] = [
    "cli",
    "demo",
    "doctor",
    "http",
    "plan",
    "plan::market",
    "redis",
    "settings",
    "store::apply",
    "store::jobs",
    "wire",
    "worker",
];

/// Modules that decide: the same arguments give the same answer, always.
const PURE: [&str; 9] = [
    "domain",
    "plan",
    "wire",
    "store::layout::appv2",
    "store::layout::projection",
    "trigger::decision",
    "trigger::schedule",
    "trigger::signal",
    "worker::disposition",
];

/// What a module that decides can't know.
const IMPURE: [&str; 14] = [
    "tokio",
    "redis::",
    "deadpool",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "Utc::now",
    "fastrand",
    "async ",
];

/// A file of ours without its comments and tests.
struct Source {
    path: String,
    module: String,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let of_tests = |path: &PathBuf| path.ends_with("tests.rs") || path.ends_with("private_redis.rs");
    let own = files(&folder, "rs").into_iter().filter(|path| !of_tests(path));
    own.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        Source { path, module, code: code_of(&text) }
    })
    .collect()
}

fn code_of(text: &str) -> String {
    let without_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    without_tests.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

fn is_within(module: &str, prefix: &str) -> bool {
    module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The layer of a module, with the prefix that says so.
fn layer(module: &str) -> (usize, &'static str) {
    let known =
        LAYERS.iter().enumerate().flat_map(|(layer, modules)| modules.iter().map(move |name| (layer, *name)));
    known
        .filter(|(_, prefix)| is_within(module, prefix))
        .max_by_key(|(_, prefix)| prefix.len())
        .unwrap_or_else(|| panic!("module {module} has no layer in tests/architecture.rs"))
}

/// The modules of ours that some code names: `plan::result` for `crate::plan::result::Plan`.
fn used_modules(code: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let paths = code.split("crate::").skip(1);
    paths
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default())
        .map(|path| {
            let lower = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
            path.split("::").take_while(lower).collect::<Vec<_>>().join("::")
        })
        .filter(|path| !path.is_empty())
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        let (own_layer, own_prefix) = layer(&source.module);
        for used in used_modules(&source.code) {
            let (used_layer, used_prefix) = layer(&used);
            if used_layer > own_layer || (used_layer == own_layer && used_prefix != own_prefix) {
                wrong.push(format!("{} uses {used}", source.path));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn imports() -> circles::Imports {
    let sources = sources();
    circles::Imports::of(sources.iter().map(|source| (source.module.as_str(), source.code.as_str())))
}

#[test]
fn no_folder_has_a_circle_of_imports() {
    let folders = imports().by_folder();
    for (folder, uses) in &folders {
        for (one, other) in circles::pairs(uses) {
            println!("{folder}: {one} and {other} use each other");
        }
    }
    let found = |folder: &str| folders.get(folder).and_then(circles::circle);
    let known = |folder: &&String| KNOWN_CIRCLES.contains(&folder.as_str());
    let wrong: Vec<String> = folders
        .keys()
        .filter(|folder| !known(folder))
        .filter_map(|folder| Some(format!("{folder}: {}", found(folder)?.join(" uses "))))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_stages_of_planning_use_only_earlier_ones() {
    let layer = |place: &str| STAGES.iter().position(|stages| stages.split(' ').any(|stage| stage == place));
    let folders = imports().by_folder();
    let mut wrong = Vec::new();
    for (from, used) in &folders["plan"] {
        let own = layer(from).unwrap_or_else(|| panic!("plan::{from} has no line in STAGES"));
        for (to, users) in used {
            if layer(to).is_none_or(|other| other >= own) {
                wrong.extend(users.iter().map(|user| format!("{user} uses plan::{to}")));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_circle_is_seen() {
    let sources =
        [("a", "use crate::b::X;"), ("b", "use super::c::{self, Y};"), ("c", "fn f() { crate::a::z() }")];
    let straight = circles::Imports::of(sources[..2].iter().copied()).by_folder();
    assert_eq!(straight.get("").and_then(circles::circle), None);
    let round = circles::Imports::of(sources.iter().copied()).by_folder();
    assert_eq!(circles::circle(&round[""]).unwrap(), ["a", "b", "c", "a"]);
    assert!(circles::pairs(&round[""]).is_empty());
}

#[test]
fn what_decides_knows_no_clock_no_server_and_no_environment() {
    let mut wrong = Vec::new();
    for source in sources() {
        if PURE.iter().any(|prefix| is_within(&source.module, prefix)) {
            let known = IMPURE.iter().filter(|word| source.code.contains(*word));
            wrong.extend(known.map(|word| format!("{} knows {word:?}", source.path)));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Tables that only a sync writes, under the lease.
const OF_THE_LEASE: [&str; 6] = [
    "cache_entries",
    "cache_entries_metadata",
    "universe_membership",
    "cache_sync_changes",
    "cache_sync_instruments",
    "cache_sync_runs",
];

/// Whether a statement writes one of [`OF_THE_LEASE`].
fn writes_universes(sql: &str) -> bool {
    let words: Vec<&str> = sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let is_ours = |word: Option<&&str>| word.is_some_and(|word| OF_THE_LEASE.contains(word));
    words.iter().enumerate().any(|(at, word)| match *word {
        "update" => is_ours(words.get(at + 1)),
        "insert" | "delete" => is_ours(words.get(at + 2)),
        _ => false,
    })
}

#[test]
fn only_apply_writes_universes_and_only_under_a_lease() {
    let writing: Vec<String> = files(&root().join("sql/queries"), "sql")
        .into_iter()
        .filter(|path| writes_universes(&fs::read_to_string(path).unwrap()))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(
        writing.contains(&"memberships_open.sql".to_owned())
            && writing.contains(&"entries_upsert.sql".to_owned())
    );
    for source in sources() {
        if is_within(&source.module, "store::apply") {
            // What else there is, nobody outside can call.
            let signatures: Vec<&str> = source.code.split("pub async fn ").skip(1).collect();
            let entrances = if source.module == "store::apply" { 5 } else { 0 };
            assert_eq!(signatures.len(), entrances, "{}", source.path);
            for signature in signatures {
                let signature = signature.split_once('{').unwrap().0;
                assert!(signature.contains("&Lease"), "{signature}");
            }
            continue;
        }
        assert!(!writes_universes(&source.code), "{}", source.path);
        for query in &writing {
            assert!(!source.code.contains(&format!("/{query}\"")), "{} uses {query}", source.path);
        }
    }
}

#[test]
fn only_the_redis_side_writes_to_redis() {
    let writing = "XADD XACK XDEL XCLAIM XAUTOCLAIM XREADGROUP XGROUP XTRIM PUBLISH HSET SET DEL EXPIRE ZADD";
    for source in sources() {
        if is_within(&source.module, "redis") {
            continue;
        }
        for command in writing.split(' ') {
            assert!(!source.code.contains(&format!("\"{command}\"")), "{} says {command}", source.path);
        }
    }
}

#[test]
fn keys_and_channels_are_named_in_one_place() {
    for source in sources() {
        // What is shown to people may name a key.
        if source.module == "wire::names" || is_within(&source.module, "cli") {
            continue;
        }
        for name in
            ["jobs:cache_sync", "jobs.status", "universe:updated", "cache:started", "cache-sync-workers"]
        {
            assert!(!source.code.contains(name), "{} names {name}", source.path);
        }
    }
}

#[test]
fn every_query_is_used_and_every_used_query_exists() {
    let names = |text: &str| -> BTreeSet<String> {
        let after = text.split("sql/queries/").skip(1);
        after.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    };
    let used: BTreeSet<String> = sources().iter().flat_map(|source| names(&source.code)).collect();
    let found: BTreeSet<String> = files(&root().join("sql/queries"), "sql")
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(used, found);
}

#[test]
fn every_documented_step_has_a_fault_point_on_either_side() {
    let table = fs::read_to_string(root().join("src/worker/steps.md")).unwrap();
    let steps = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let wanted: BTreeSet<String> =
        steps.flat_map(|step| [format!("{step}.before"), format!("{step}.after")]).collect();
    let points = |code: &str| -> Vec<String> {
        let after = code.split("fault::point(\"").skip(1);
        after.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    };
    let mut found: Vec<String> = sources().iter().flat_map(|source| points(&source.code)).collect();
    found.sort();
    // Each point once: a test means one place by it.
    assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
}

#[test]
fn every_module_begins_by_saying_what_it_is_for() {
    for source in sources() {
        let text = fs::read_to_string(root().join("src").join(&source.path)).unwrap();
        assert!(text.starts_with("//! "), "{}", source.path);
    }
}

#[test]
fn this_test_sees_what_it_looks_for() {
    let code = code_of(
        "use crate::store::jobs::{self, Claim};\n// crate::cli\n#[cfg(test)]\nmod tests {\ncrate::worker",
    );
    assert_eq!(used_modules(&code), BTreeSet::from(["store::jobs".to_owned()]));
    assert_eq!(layer("worker::relay"), (6, "worker"));
    assert_eq!(layer("wire::event"), (3, "wire"));
    assert!(
        writes_universes("insert into universe_membership (a)")
            && writes_universes("delete from cache_entries e")
    );
    assert!(
        !writes_universes("select from cache_entries") && !writes_universes("insert into cache_sync_jobs")
    );
    assert!(sources().len() > 50);
}

/// Names of tests that a text gives in backticks: words of at least four parts.
fn tests_named_in(text: &str) -> BTreeSet<String> {
    let words = text.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    words.filter(is_test).map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_table_of_hazards_names_exists() {
    let table = fs::read_to_string(root().join("src/worker/hazards.md")).unwrap();
    let folders = [root().join("src"), root().join("tests")];
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder, "rs")).collect();
    let code: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let named = tests_named_in(&table);
    assert!(named.len() > 25, "{named:?}");
    for name in named {
        let function = format!("fn {name}(");
        assert!(code.iter().any(|text| text.contains(&function)), "there is no test {name}");
    }
}
