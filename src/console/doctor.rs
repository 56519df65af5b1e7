//! The doctor's findings, with what to do about each. It looks at both servers and at the whole market, so few can ask
//! at once.

use std::sync::Arc;

use axum::extract::State;
use chrono::Utc;
use maud::{Markup, html};

use super::Console;
use super::access::Reader;
use super::layout::{Page, Section};
use super::preview::turn;
use super::problem::Problem;
use super::text::counted;
use super::value::{self, Tone};
use crate::doctor::{self, Finding, Level, Report};

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Reader(_): Reader) -> Result<Page, Problem> {
    let _turn = turn(&console).await?;
    let report = doctor::examine(&console.settings, Utc::now()).await;
    let (to_mend, fine): (Vec<&Finding>, Vec<&Finding>) =
        report.findings.iter().partition(|finding| finding.level != Level::Ok);
    let body = html! {
        (verdict(&report))
        @if !to_mend.is_empty() {
            section.card aria-labelledby="mend" { h2 #mend { "To mend" } (list(&to_mend)) }
        }
        section.card aria-labelledby="fine" { h2 #fine { "As it should be" } (list(&fine)) }
    };
    Ok(Page::new(Section::Doctor, "Doctor", body))
}

fn verdict(report: &Report) -> Markup {
    let count = |level: Level| report.findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warn));
    let (tone, sign, headline) = match report.worst() {
        Level::Ok => (Tone::Good, "✓", "Everything is as it should be".to_owned()),
        Level::Warn => (Tone::Attention, "!", counted(warnings, "warning", "warnings")),
        Level::Error => (
            Tone::Bad,
            "✕",
            format!("{}, {}", counted(errors, "error", "errors"), counted(warnings, "warning", "warnings")),
        ),
    };
    html! {
        div class={ "verdict " (tone.class()) } {
            span.sign aria-hidden="true" { (sign) }
            div { h1 { (headline) } p { "Configuration, both servers, their settings, our tables, and the data." } }
        }
    }
}

fn list(findings: &[&Finding]) -> Markup {
    html! {
        ul.plain.findings {
            @for finding in findings {
                li.look {
                    (value::badge(tone(finding.level), finding.level.as_str()))
                    " " strong { (finding.subject) } " " (value::foreign(&finding.what))
                    @if !finding.remedy.is_empty() { p.remedy { "→ " (value::foreign(&finding.remedy)) } }
                }
            }
        }
    }
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Warn => Tone::Attention,
        Level::Error => Tone::Bad,
    }
}
