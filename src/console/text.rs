//! The text of values, as the commands print it: what the pages have in common with them, in one place.

pub(super) use crate::render::explain::{cap, in_full, kind, membership};
pub(super) use crate::render::job::{facts, more_facts, note, took};
pub(super) use crate::render::letter::Letter;
pub(super) use crate::render::picture::Picture;
pub(super) use crate::render::plan::render_plan;
pub(super) use crate::render::screen::{Style, clipped, counted, duration, iso, printable, thousands, when};

/// The most characters of a text that strangers wrote, a name above all.
const MAX_CHARS: usize = 300;

/// A text of strangers as it can be shown: short, and without anything that steers what stands beside it, as controls
/// that turn the direction of writing do.
pub(super) fn shown(text: &str) -> String {
    let steers = |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text: String = printable(text).chars().map(|c| if steers(&c) { '\u{fffd}' } else { c }).collect();
    clipped(&text, MAX_CHARS)
}

/// One thing as it is, many as English makes them: `1 universe`, `2 universes`.
pub(super) fn universes(number: usize) -> String {
    counted(number, "universe", "universes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_is_short_and_steers_nothing() {
        assert_eq!(shown("Acme\u{202e}gnp.exe\u{7}"), "Acme\u{fffd}gnp.exe ");
        assert_eq!(shown(&"x".repeat(400)).chars().count(), MAX_CHARS);
        assert_eq!(shown("<script>"), "<script>", "templates escape");
    }
}
