//! Lays the shipped values, a file, the environment and flags over one another, and reads typed values out.
//!
//! A setting is known by its dotted key, `worker.lease_seconds`, and remembers where its value came from, so that
//! every complaint can say what to correct and where. The shipped file is the list of keys there are: whatever it
//! does not have is refused, with the nearest key it has.
//!
//! Reading goes on after a wrong value (with the shipped one in its place), so that one start shows all problems.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

/// What the name of every setting in the environment begins with. A single underscore would not do: Kubernetes sets
/// `CACHE_SYNC_PORT` and the like for a service called cache-sync.
const VARIABLE_PREFIX: &str = "CACHE_SYNC__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Shipped,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(String),
}

impl Origin {
    fn line(&self) -> usize {
        match self {
            Self::File { line, .. } => *line,
            Self::Shipped | Self::Variable(_) | Self::Flag(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The settings laid over one another so far, and what was wrong with them.
pub(super) struct Layers {
    /// The shipped file as people know it.
    reference: &'static str,
    shipped: BTreeMap<String, Value>,
    /// Sections to which names may be added, `universe_limits`.
    open: &'static [&'static str],
    values: BTreeMap<String, Setting>,
    asked: BTreeSet<String>,
    /// What is wrong, with the line of the file where it has one.
    problems: Vec<(usize, String)>,
}

impl Layers {
    /// The lowest layer: the shipped file.
    pub(super) fn new(reference: &'static str, shipped: &str, open: &'static [&'static str]) -> Self {
        let leaves = leaves(shipped).expect("a shipped file is valid TOML");
        let shipped: BTreeMap<String, Value> = leaves
            .into_iter()
            .filter(|leaf| !leaf.value.is_table())
            .map(|leaf| (leaf.key, leaf.value))
            .collect();
        let values = shipped
            .iter()
            .map(|(key, value)| (key.clone(), Setting { value: value.clone(), origin: Origin::Shipped }))
            .collect();
        Self { reference, shipped, open, values, asked: BTreeSet::new(), problems: Vec::new() }
    }

    /// Lays a file on top. Its text never appears in a complaint: it may hold a password.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) {
        match leaves(text) {
            Ok(leaves) => {
                for Leaf { key, value, line } in leaves {
                    self.put(key, value, Origin::File { path: path.to_owned(), line });
                }
            }
            Err(SyntaxError { line, message }) => {
                let problem = format!("{}:{line}: this is no TOML: {message}", path.display());
                self.problems.push((line, problem));
            }
        }
    }

    /// Lays `CACHE_SYNC__SECTION__KEY` and the variables with names of their own (`aliases`: variable, key) on top.
    /// An empty variable counts as unset: compose files pass those.
    pub(super) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
        aliases: &[(&str, &str)],
    ) {
        for (name, text) in variables {
            let Some(name) = name.to_str() else { continue };
            let alias = aliases.iter().find(|(alias, _)| *alias == name);
            let key = match alias {
                Some((_, key)) => (*key).to_owned(),
                None if name.to_ascii_uppercase().starts_with(VARIABLE_PREFIX) => {
                    name[VARIABLE_PREFIX.len()..].to_ascii_lowercase().replace("__", ".")
                }
                None => continue,
            };
            if text.is_empty() {
                continue;
            }
            let Some(text) = text.to_str() else {
                self.problems.push((usize::MAX, format!("{name}: the value holds bytes that are no UTF-8")));
                continue;
            };
            let value = self.value_from_text(&key, text);
            if let Some(Origin::Variable(other)) = self.origin(&key) {
                if self.values[&key].value != value {
                    let problem =
                        format!("{other}: {name} sets the same to another value; unset one of the two");
                    self.problems.push((usize::MAX, problem));
                }
            }
            self.put(key, value, Origin::Variable(name.to_owned()));
        }
    }

    /// Lays one setting from the command line on top.
    pub(super) fn add_flag(&mut self, key: &str, text: &str) {
        let value = self.value_from_text(key, text);
        self.put(key.to_owned(), value, Origin::Flag(key.to_owned()));
    }

    /// The value a text stands for: as it is where the setting is a text, else as TOML has it (`5`, `true`,
    /// `["CS"]`, which are also JSON).
    fn value_from_text(&self, key: &str, text: &str) -> Value {
        let verbatim = match self.shipped.get(key) {
            Some(Value::String(_)) => true,
            Some(_) => false,
            None => !key.starts_with("universe_limits."),
        };
        let as_text = || Value::String(text.to_owned());
        if verbatim {
            return as_text();
        }
        match text.to_ascii_lowercase().as_str() {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => match toml::from_str::<toml::Table>(&format!("value = {text}")) {
                Ok(mut table) if table.len() == 1 => table.remove("value").unwrap_or_else(as_text),
                _ => as_text(),
            },
        }
    }

    fn put(&mut self, key: String, value: Value, origin: Origin) {
        if self.shipped.contains_key(&key) || self.is_in_open_section(&key) {
            self.values.insert(key, Setting { value, origin });
        } else if self.is_section(&key) {
            // An empty section is fine; a value in the place of a section is not.
            if !matches!(&value, Value::Table(table) if table.is_empty()) {
                let problem = format!("{origin}: `{key}` is a section, [{key}], and no value");
                self.problems.push((origin.line(), problem));
            }
        } else {
            let problem = self.unknown(&key, &origin);
            self.problems.push((origin.line(), problem));
        }
    }

    fn is_in_open_section(&self, key: &str) -> bool {
        self.open.iter().any(|section| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    }

    fn is_section(&self, key: &str) -> bool {
        let inside = format!("{key}.");
        self.open.contains(&key) || self.shipped.keys().any(|known| known.starts_with(&inside))
    }

    fn unknown(&self, key: &str, origin: &Origin) -> String {
        let keys = self.shipped.keys().map(String::as_str);
        let sections = self.shipped.keys().filter_map(|key| key.rsplit_once('.').map(|(section, _)| section));
        let nearest = nearest(key, keys.chain(sections).chain(self.open.iter().copied()));
        match (origin, nearest) {
            (Origin::Variable(name), Some(near)) => {
                let variable = format!("{VARIABLE_PREFIX}{}", near.to_ascii_uppercase().replace('.', "__"));
                format!("{name}: there is no setting `{key}`; did you mean {variable}?")
            }
            (_, Some(near)) => format!("{origin}: there is no setting `{key}`; did you mean `{near}`?"),
            (_, None) => {
                format!("{origin}: there is no setting `{key}`; {} lists them all", self.reference)
            }
        }
    }

    /// Notes what is wrong with the value of `key`; `sentence` goes on from the key.
    pub(super) fn refuse(&mut self, key: &str, sentence: &str) {
        let (line, place) = match self.origin(key) {
            None | Some(Origin::Shipped) => (usize::MAX, String::new()),
            Some(origin) => (origin.line(), format!("{origin}: ")),
        };
        self.problems.push((line, on_one_line(&format!("{place}`{key}` {sentence}"))));
    }

    /// Where the value of `key` came from.
    pub(super) fn origin(&self, key: &str) -> Option<&Origin> {
        self.values.get(key).map(|setting| &setting.origin)
    }

    /// All that was wrong: what stands in the file line by line, then the rest as it was found.
    pub(super) fn into_problems(mut self) -> Vec<String> {
        self.problems.sort_by_key(|(line, _)| *line);
        self.problems.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Shipped keys that nobody asked for.
    #[cfg(test)]
    pub(super) fn unasked(&self) -> Vec<&str> {
        self.shipped.keys().map(String::as_str).filter(|key| !self.asked.contains(*key)).collect()
    }

    /// The value of `key` as `parse` understands it; else a complaint, and the shipped value.
    pub(super) fn read<T>(&mut self, key: &str, wanted: &str, parse: impl Fn(&Value) -> Option<T>) -> T {
        self.asked.insert(key.to_owned());
        let setting = self.values.get(key).unwrap_or_else(|| panic!("the shipped file has no `{key}`"));
        if let Some(parsed) = parse(&setting.value) {
            return parsed;
        }
        let sentence = format!("is {}, but must be {wanted}", shown(&setting.value));
        self.refuse(key, &sentence);
        parse(&self.shipped[key]).unwrap_or_else(|| panic!("the shipped value of `{key}` is not valid"))
    }

    /// A text, which may be empty.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.read(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A text that must keep to a form, or be empty.
    pub(super) fn text_in_form(&mut self, key: &str, form: &str, fits: impl Fn(&str) -> bool) -> String {
        self.read(key, form, |value| {
            value.as_str().filter(|text| text.is_empty() || fits(text)).map(str::to_owned)
        })
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &str) -> bool {
        self.read(key, "true or false", Value::as_bool)
    }

    /// A whole number.
    pub(super) fn whole(&mut self, key: &str, range: RangeInclusive<u32>) -> u32 {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, &wanted, |value| {
            value.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n))
        })
    }

    /// A time in seconds, whole or not.
    pub(super) fn seconds(&mut self, key: &str, range: RangeInclusive<f64>) -> f64 {
        let wanted = format!("a number of seconds from {} to {}", range.start(), range.end());
        self.read(key, &wanted, |value| number(value).filter(|seconds| range.contains(seconds)))
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&mut self, key: &str, most: f64) -> f64 {
        self.read(key, &format!("a number from 0 to {most}"), |value| {
            number(value).filter(|number| (0.0..=most).contains(number))
        })
    }

    /// A list of texts, none of them blank.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        self.read(key, "a list of texts, such as [\"CS\"]", |value| {
            let texts = value.as_array()?.iter();
            texts
                .map(|text| text.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
                .collect()
        })
    }

    /// One of a few words.
    pub(super) fn word<W: fmt::Display>(
        &mut self,
        key: &str,
        all: &[W],
        parse: impl Fn(&str) -> Option<W>,
    ) -> W {
        let words: Vec<String> = all.iter().map(|word| format!("\"{word}\"")).collect();
        self.read(key, &words.join(" or "), |value| value.as_str().and_then(&parse))
    }

    /// The names in a section with their values, in order.
    pub(super) fn section(&mut self, section: &str) -> Vec<(String, Setting)> {
        let inside = format!("{section}.");
        let entries: Vec<_> = self
            .values
            .iter()
            .filter_map(|(key, setting)| Some((key.strip_prefix(&inside)?.to_owned(), setting.clone())))
            .collect();
        self.asked.extend(entries.iter().map(|(name, _)| format!("{inside}{name}")));
        entries
    }
}

/// A number, whole or not; infinities and NaN are none.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))?;
    number.is_finite().then_some(number)
}

/// The candidate nearest to `key`, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(key: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    candidates
        .map(|candidate| {
            // A right name in the wrong section, or one without its unit, is as near as it gets.
            let is_begun = candidate.strip_prefix(key).is_some_and(|rest| rest.starts_with('_'));
            let distance = if is_begun || last(candidate) == last(key) {
                1
            } else {
                strsim::damerau_levenshtein(candidate, key)
            };
            (distance, candidate)
        })
        .min()
        .filter(|(distance, candidate)| distance * 5 <= candidate.len() * 2)
        .map(|(_, candidate)| candidate)
}

/// A complaint fit for a log and a terminal: a line break or another control character in a value is shown by its escape.
fn on_one_line(sentence: &str) -> String {
    sentence
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// A value as a complaint shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > 60 => "a long text".to_owned(),
        Value::Table(_) => "a section".to_owned(),
        // A URL may hold a password, wherever it was put by mistake.
        other if other.to_string().contains("://") => "a URL or several".to_owned(),
        other => other.to_string(),
    }
}

struct Leaf {
    key: String,
    value: Value,
    line: usize,
}

#[derive(Debug)]
struct SyntaxError {
    line: usize,
    message: String,
}

/// Every value of a TOML text under its dotted key, with its line. An empty section is a leaf too, so that a
/// misspelled one is noticed.
fn leaves(text: &str) -> Result<Vec<Leaf>, SyntaxError> {
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let mut leaves = Vec::new();
    collect(text, table.get_ref(), "", &mut leaves)?;
    Ok(leaves)
}

fn collect(text: &str, table: &DeTable<'_>, prefix: &str, into: &mut Vec<Leaf>) -> Result<(), SyntaxError> {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        let line = line_of(text, name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => {
                collect(text, inner, &format!("{key}."), into)?;
            }
            DeValue::Table(_) => into.push(Leaf { key, value: Value::Table(toml::Table::new()), line }),
            _ => {
                let source = &text[value.span()];
                let parsed = toml::from_str::<toml::Table>(&format!("value = {source}"));
                let value = parsed.ok().and_then(|mut table| table.remove("value"));
                let value = value.ok_or_else(|| SyntaxError {
                    line,
                    message: format!("the value of `{key}` is out of range"),
                })?;
                into.push(Leaf { key, value, line });
            }
        }
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
