//! A plan as the command prints it, with the colours of a diff: the same text, line by line.
//!
//! The command wraps its lines where the screen ends; here it is given a screen without an end, and the browser wraps.

use maud::{Markup, html};

use super::text::{Style, render_plan, shown};
use crate::plan::result::Plan;

/// The most symbols of one universe that are shown; the rest is counted.
const LINES: usize = 40;
/// Characters in a line; nothing is as long.
const ENDLESS: usize = 1 << 20;

/// A plan.
pub(super) fn plan(plan: &Plan) -> Markup {
    let style = Style { color: false, width: ENDLESS, lines: LINES };
    text(&render_plan(plan, &style))
}

/// What the command printed.
fn text(text: &str) -> Markup {
    html! {
        div.diff role="group" aria-label="Plan" tabindex="0" {
            @for line in text.lines().filter(|line| !line.trim().is_empty()) {
                div class=(class(line)) { (shown_line(line)) }
            }
        }
    }
}

/// Blanks between columns hold them together in a terminal only.
fn shown_line(line: &str) -> String {
    line.split_whitespace().map(shown).collect::<Vec<_>>().join(" ")
}

/// What a line is, by the sign that it begins with.
fn class(line: &str) -> &'static str {
    let indent = line.len() - line.trim_start().len();
    match line.trim_start().chars().next() {
        Some('+') if indent > 0 => "line added",
        Some('-') if indent > 0 => "line removed",
        Some('~') if indent > 0 => "line renamed",
        Some('!') if indent > 0 => "line held",
        Some('=') if indent > 0 => "line released",
        _ if line.starts_with("Plan: ") => "line summary",
        _ if indent == 0 => "line title",
        _ => "line",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_their_signs_say() {
        let text =
            text("large_cap  market_cap, 2 members\n  + ACME  cap 10B\n  - <b>\n  ! held\nPlan: 1 to add.\n");
        let text = text.into_string();
        for part in [
            "<div class=\"line title\">large_cap market_cap, 2 members</div>",
            "<div class=\"line added\">+ ACME cap 10B</div>",
            "<div class=\"line removed\">- &lt;b&gt;</div>",
            "<div class=\"line held\">! held</div>",
            "<div class=\"line summary\">Plan: 1 to add.</div>",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
