//! Documents tell the truth: what they name exists, and the commands that they show can be typed.
//!
//! Checked are `README.md` and the pages in `deploy`, `sql` and `tests`: names of metrics, tables and events
//! (`cache_sync_...`), keys of settings, paths, links and command lines. A name in angle brackets or with `...` is a
//! placeholder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

/// A page: where it is, and what it says.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Fragments of code: lines of code blocks, and what stands between backticks. Each without its prompt.
    fn fragments(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let mut is_code = false;
        for line in self.text.lines() {
            if line.starts_with("```") {
                is_code = !is_code;
            } else if is_code {
                found.push(line.trim_start_matches("$ "));
            } else {
                found.extend(line.split('`').skip(1).step_by(2));
            }
        }
        found
    }

    /// Targets of links: `[text](target)`.
    fn links(&self) -> Vec<&str> {
        self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a folder whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md")];
    for folder in ["deploy", "sql", "tests"] {
        paths.extend(files(&root().join(folder), ".md"));
    }
    let read = |path: PathBuf| Page { text: fs::read_to_string(&path).unwrap(), path };
    paths.into_iter().map(read).collect()
}

/// Words of a text that begin with a prefix, each to its last letter, digit or underscore.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with(prefix));
    words.map(str::to_owned).collect()
}

/// `command` as a shell splits it, up to a comment, a pipe or the end of the command.
fn arguments(command: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#' | '|' | ';' | '&' | '>') => break,
            (None, ' ') => found.push(String::new()),
            (_, c) => found.last_mut().unwrap().push(c),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

/// Why this is no command line of ours; `None` where it is one, or its beginning, such as `cache-sync dead`.
fn objection(command: &str) -> Option<String> {
    let error = cache_sync::cli::command().try_get_matches_from(arguments(command)).err()?;
    let is_beginning = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::MissingRequiredArgument
            | ErrorKind::DisplayVersion
    );
    (!is_beginning).then(|| error.to_string())
}

/// Keys of the settings file, as `section.key`.
fn settings() -> BTreeSet<String> {
    fn collect(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            if let Some(inner) = value.as_table() {
                collect(&name, inner, found);
            }
            found.insert(name);
        }
    }
    let mut found = BTreeSet::new();
    let text = fs::read_to_string(root().join("config/cache_sync.toml")).unwrap();
    collect("", &text.parse().unwrap(), &mut found);
    found
}

/// What is wrong on all pages, one line each.
fn complaints(check: impl Fn(&Page) -> Vec<String>) -> String {
    let of_page = |page: &Page| -> Vec<String> {
        let path = page.path.strip_prefix(root()).unwrap().display();
        check(page).into_iter().map(|complaint| format!("{path}: {complaint}\n")).collect()
    };
    pages().iter().flat_map(of_page).collect()
}

#[test]
fn every_command_line_in_a_document_can_be_typed() {
    let found = complaints(|page| {
        let commands = page.fragments().into_iter().filter(|code| code.starts_with("cache-sync "));
        let commands = commands.filter(|code| !code.contains("..."));
        commands.filter_map(|code| Some(format!("{code}: {}", objection(code)?))).collect()
    });
    assert!(found.is_empty(), "{found}");
    assert!(objection("cache-sync submit --wiat").is_some());
    assert!(objection("cache-sync submit --mode 'full' # a comment").is_none());
}

#[test]
fn every_metric_table_and_event_in_a_document_exists() {
    let mut known = BTreeSet::new();
    for (folder, ending) in
        [("src", ".rs"), ("src", ".lua"), ("sql", ".sql"), ("deploy", ".py"), ("deploy", ".json")]
    {
        for path in files(&root().join(folder), ending) {
            known.extend(words(&fs::read_to_string(&path).unwrap(), "cache_sync_"));
        }
    }
    let is_known = |word: &str| {
        // Prometheus adds these to the name of a histogram. A folder or module of the examples counts by its path.
        let name = ["_bucket", "_count", "_sum"].iter().find_map(|ending| word.strip_suffix(ending));
        known.contains(word) || name.is_some_and(|name| known.contains(name))
    };
    let found = complaints(|page| {
        let named = words(&page.text, "cache_sync_").into_iter();
        named.filter(|word| !word.ends_with('_') && !is_known(word)).collect()
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn every_setting_in_a_document_exists() {
    let known = settings();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let found = complaints(|page| {
        let keys = page.fragments().into_iter().filter(|code| {
            let is_key =
                code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c));
            is_key
                && Path::new(code).extension().is_none_or(|extension| extension != "toml")
                && code.split_once('.').is_some_and(|(section, _)| sections.contains(section))
        });
        keys.filter(|key| !known.contains(*key)).map(str::to_owned).collect()
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn every_file_that_a_document_names_or_links_to_exists() {
    let found = complaints(|page| {
        // Examples for other programs name files of theirs.
        let is_about_others = page.path.starts_with(root().join("deploy/appv2"));
        let folders: &[&str] =
            if is_about_others { &["deploy/"] } else { &["deploy/", "src/", "tests/", "sql/", "config/"] };
        let mut missing = Vec::new();
        let fragments = page.fragments();
        let paths = fragments.iter().filter_map(|code| code.split(' ').next());
        for path in paths.filter(|path| folders.iter().any(|folder| path.starts_with(folder))) {
            let is_placeholder = path.contains(['<', '*', '{']);
            if !is_placeholder && !root().join(path.trim_end_matches([':', ','])).exists() {
                missing.push(path.to_owned());
            }
        }
        for link in page.links() {
            let target = link.split('#').next().unwrap();
            let is_ours = !target.is_empty() && !target.contains("://");
            if is_ours && !page.path.parent().unwrap().join(target).exists() {
                missing.push(format!("link to {link}"));
            }
        }
        missing
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn the_readme_is_at_most_150_lines_long() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines: move something to its own page");
}
