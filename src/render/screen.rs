//! How things look on a screen: tables, numbers, times, colours.

#![expect(
    clippy::format_push_string,
    reason = "what is shown is small, and the plain form can be read beside what it shows"
)]

use std::io::{self, IsTerminal};

use chrono::{DateTime, SecondsFormat, Utc};

/// Lines of one list that are shown unless `--all` is given.
pub const USUAL_LINES: usize = 10;
/// The width where there is no terminal to ask.
const USUAL_WIDTH: usize = 110;
/// The narrowest width that tables are laid out for.
const MIN_WIDTH: usize = 40;
/// Blanks between two columns.
const GAP: usize = 2;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The screen that something is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours.
    pub color: bool,
    /// Characters in a line.
    pub width: usize,
    /// Most lines of one list; the rest is counted.
    pub lines: usize,
}

impl Style {
    /// Without colours, of the usual width: what a file or a pipe gets.
    pub const PLAIN: Self = Self { color: false, width: USUAL_WIDTH, lines: USUAL_LINES };

    /// The screen of this process.
    pub fn of_stdout(choice: ColorChoice) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        };
        let width = terminal_size::terminal_size_of(io::stdout())
            .map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0).max(MIN_WIDTH));
        Self { color, width, ..Self::PLAIN }
    }

    /// `text` in a colour, where there are colours.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Green => "32",
            Ink::Red => "31",
            Ink::Yellow => "33",
            Ink::Bold => "1",
            Ink::Dim => "2",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What something is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The terminal's own.
    Plain,
    /// What joins, what went well.
    Green,
    /// What leaves, what failed.
    Red,
    /// What wants a look.
    Yellow,
    /// Headings.
    Bold,
    /// What is said by the way.
    Dim,
}

/// Rows in aligned columns. The last column wraps where the screen ends.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone)]
struct Column {
    title: String,
    is_number: bool,
}

/// One field of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    /// A text in a colour.
    pub fn new(ink: Ink, text: impl Into<String>) -> Self {
        Self { text: printable(&text.into()), ink }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Ink::Plain, text)
    }
}

impl Table {
    /// A table with these headings; one that begins with `#` heads numbers, which stand to the right.
    pub fn new<const N: usize>(titles: [&str; N]) -> Self {
        let columns = titles.iter().map(|title| match title.strip_prefix('#') {
            Some(title) => Column { title: title.to_owned(), is_number: true },
            None => Column { title: (*title).to_owned(), is_number: false },
        });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row has as many cells as there are columns");
        self.rows.push(cells.into());
    }

    /// The table as text, each line ended.
    pub fn render(&self, style: &Style) -> String {
        let widths = self.widths();
        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(Ink::Bold, column.title.clone())).collect();
        std::iter::once(&titles)
            .filter(|titles| titles.iter().any(|title| !title.text.is_empty()))
            .chain(&self.rows)
            .map(|row| self.render_row(row, &widths, style))
            .collect()
    }

    fn widths(&self) -> Vec<usize> {
        let width_of = |index: usize| {
            let cells = self.rows.iter().map(|row| chars(&row[index].text));
            cells.chain([chars(&self.columns[index].title)]).max().unwrap_or(0)
        };
        (0..self.columns.len()).map(width_of).collect()
    }

    fn render_row(&self, row: &[Cell], widths: &[usize], style: &Style) -> String {
        let mut line = String::new();
        let mut indent = 0;
        let last = row.len() - 1;
        for (index, cell) in row[..last].iter().enumerate() {
            let padding = " ".repeat(widths[index] - chars(&cell.text));
            let text = style.paint(cell.ink, &cell.text);
            line += &if self.columns[index].is_number {
                format!("{padding}{text}")
            } else {
                format!("{text}{padding}")
            };
            line += &" ".repeat(GAP);
            indent += widths[index] + GAP;
        }
        let cell = &row[last];
        let room = style.width.saturating_sub(indent).max(MIN_WIDTH / 2);
        let mut lines = wrapped(&cell.text, room).into_iter();
        line += &style.paint(cell.ink, &lines.next().unwrap_or_default());
        let mut text = format!("{}\n", line.trim_end());
        for more in lines {
            text += &format!("{}{}\n", " ".repeat(indent), style.paint(cell.ink, &more));
        }
        text
    }
}

/// `text` in lines of at most `width` characters, broken at blanks; a longer word has a line of its own.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && chars(&line) + 1 + chars(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `text` without anything that steers a terminal: much of what is shown was written by strangers.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The beginning of a text, as long as there is room for `room` characters.
pub fn clipped(text: &str, room: usize) -> String {
    if chars(text) <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 universe`, `1,234 universes`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number as u64), if number == 1 { one } else { many })
}

/// How long something took: `412 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        1..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// How long ago, or in how long: `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `in 40 s`; from two days on the time.
pub fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let text = match seconds.unsigned_abs() {
        0 => return "just now".to_owned(),
        distance @ 1..60 => format!("{distance} s"),
        distance @ 60..3600 => format!("{} min", distance / 60),
        distance @ 3600..172_800 => format!("{} h", distance / 3600),
        _ => return at.format("%Y-%m-%d %H:%M UTC").to_string(),
    };
    if seconds > 0 { format!("{text} ago") } else { format!("in {text}") }
}

/// A time as the outside has it: UTC, ISO 8601, `Z`.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn numbers_have_thousands_separators() {
        let shown = [0_u64, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "universe", "universes"), "1 universe");
        assert_eq!(counted(2_000, "universe", "universes"), "2,000 universes");
    }

    #[test]
    fn durations_and_times_are_told_in_the_unit_that_fits() {
        let shown = [0.0, 0.4121, 3.24, 59.94, 245.0, 7_380.0].map(duration);
        assert_eq!(shown, ["0 ms", "412 ms", "3.2 s", "59.9 s", "4 min 5 s", "2 h 3 min"]);
        let now = at("2026-01-10T12:00:00Z");
        let shown = [
            "2026-01-10T12:00:00.4Z",
            "2026-01-10T11:59:48Z",
            "2026-01-10T11:55:00Z",
            "2026-01-09T12:00:00Z",
            "2026-01-01T09:30:00Z",
            "2026-01-10T12:00:40Z",
        ]
        .map(|time| when(at(time), now));
        assert_eq!(
            shown,
            ["just now", "12 s ago", "5 min ago", "24 h ago", "2026-01-01 09:30 UTC", "in 40 s"]
        );
    }

    #[test]
    fn a_table_is_aligned_and_its_last_column_wraps() {
        let mut table = Table::new(["JOB", "#CHANGES", "NOTE"]);
        table.row(["first".into(), "12".into(), "all is well".into()]);
        table.row([
            Cell::new(Ink::Red, "second"),
            "1,234".into(),
            "a sentence that is too long for the line it stands in".into(),
        ]);
        insta::assert_snapshot!(table.render(&Style { width: 45, ..Style::PLAIN }), @r"
        JOB     CHANGES  NOTE
        first        12  all is well
        second    1,234  a sentence that is too long
                         for the line it stands in
        ");
        insta::assert_snapshot!(table.render(&Style { color: true, width: 110, lines: 1 }).escape_debug(), @r#"\u{1b}[1mJOB\u{1b}[0m     \u{1b}[1mCHANGES\u{1b}[0m  \u{1b}[1mNOTE\u{1b}[0m\nfirst        12  all is well\n\u{1b}[31msecond\u{1b}[0m    1,234  a sentence that is too long for the line it stands in\n"#);
    }

    #[test]
    fn a_table_without_headings_has_no_line_for_them() {
        let mut table = Table::new(["", ""]);
        table.row(["mode".into(), "full".into()]);
        assert_eq!(table.render(&Style::PLAIN), "mode  full\n");
    }

    #[test]
    fn what_is_too_long_is_clipped_by_characters() {
        assert_eq!(clipped("Zürich Re", 9), "Zürich Re");
        assert_eq!(clipped("Zürich Re", 8), "Zürich…");
    }

    #[test]
    fn what_would_steer_a_terminal_is_not_printed() {
        assert_eq!(Cell::from("a\u{1b}[31mb\nc").text, "a [31mb c");
    }
}
