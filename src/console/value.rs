//! How single values look on a page: one function a kind, so that a job's status or a number of dollars looks the same
//! wherever it stands.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::Console;
use super::session::Session;
use super::text::{iso, shown, thousands, when};
use crate::domain::job::JobStatus;
use crate::domain::money::Usd;

/// How well something is. It is always said in words too, so nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Attention,
    Bad,
    Busy,
    Quiet,
}

impl Tone {
    /// The class that has its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
        }
    }
}

/// A word on a tinted ground.
pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (word) } }
}

/// The tone of a job's status.
pub(super) fn status_tone(status: JobStatus, holds: bool) -> Tone {
    match status {
        JobStatus::Completed if holds => Tone::Attention,
        JobStatus::Completed => Tone::Good,
        JobStatus::Retrying => Tone::Attention,
        JobStatus::Failed => Tone::Bad,
        JobStatus::Running => Tone::Busy,
        JobStatus::Queued | JobStatus::Cancelled => Tone::Quiet,
    }
}

/// A job's status.
pub(super) fn status(status: JobStatus, holds: bool) -> Markup {
    badge(status_tone(status, holds), status.as_str())
}

/// How long ago something was, with the time itself for whoever points at it.
pub(super) fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(iso(at)) title=(iso(at)) { (when(at, now)) } }
}

/// A number with its sign; nothing for none.
pub(super) fn signed(number: i64) -> Markup {
    html! {
        @match number {
            0 => span.zero { "0" },
            1.. => span.plus { "+" (thousands(number as u64)) },
            _ => span.minus { "−" (thousands(number.unsigned_abs())) },
        }
    }
}

/// Who joined and who left, each with its sign.
pub(super) fn moves(added: i64, removed: i64) -> Markup {
    html! {
        @if added == 0 && removed == 0 {
            span.zero { "no change" }
        } @else {
            @if added > 0 { span.plus { "+" (thousands(added as u64)) } }
            @if added > 0 && removed > 0 { " " }
            @if removed > 0 { span.minus { "−" (thousands(removed as u64)) } }
        }
    }
}

/// An amount of dollars in short.
pub(super) fn dollars(cap: Option<Usd>) -> String {
    cap.map_or_else(|| "–".to_owned(), |cap| format!("${}", Usd::short(cap)))
}

/// A text that strangers wrote.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// A symbol, leading to its page.
pub(super) fn symbol(console: &Console, symbol: &str) -> Markup {
    html! { a.symbol href=(console.at(&format!("/symbols/{}", encoded(symbol)))) { bdi { (shown(symbol)) } } }
}

/// A universe, leading to its page.
pub(super) fn universe(console: &Console, universe: &str) -> Markup {
    html! { a.universe href=(console.at(&format!("/universes/{}", encoded(universe)))) { bdi { (shown(universe)) } } }
}

/// A job, leading to its page.
pub(super) fn job(console: &Console, job_id: &str) -> Markup {
    html! { a.job href=(console.at(&format!("/jobs/{job_id}"))) { (job_id) } }
}

/// A text as one part of a path.
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    // A part that is only dots would be taken for a step up.
    if text.bytes().all(|byte| byte == b'.') {
        text.replace('.', "%2E")
    } else {
        text.bytes().map(byte).collect()
    }
}

/// The beginning of a form that changes something.
pub(super) fn token(session: &Session) -> Markup {
    html! { input type="hidden" name="csrf" value=(session.csrf); }
}

/// Facts below one another; those that are empty are left out.
pub(super) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> Markup {
    let facts: Vec<(&str, String)> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    html! {
        dl.facts {
            @for (name, value) in &facts {
                div { dt { (name) } dd { (foreign(value)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_part_of_a_path() {
        assert_eq!(encoded("BRK/B"), "BRK%2FB");
        assert_eq!(encoded("<a b>"), "%3Ca%20b%3E");
        assert_eq!((encoded(".."), encoded("BRK.B")), ("%2E%2E".to_owned(), "BRK.B".to_owned()));
    }

    #[test]
    fn what_is_shown_is_escaped() {
        let shown = foreign("<script>alert(1)</script>").into_string();
        assert_eq!(shown, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
    }

    #[test]
    fn changes_have_their_signs() {
        assert_eq!(
            moves(2, 3).into_string(),
            "<span class=\"plus\">+2</span> <span class=\"minus\">−3</span>"
        );
        assert_eq!(moves(0, 0).into_string(), "<span class=\"zero\">no change</span>");
        assert_eq!(signed(-1_200).into_string(), "<span class=\"minus\">−1,200</span>");
    }
}
