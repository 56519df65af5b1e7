//! The frame around every page: where one is, where one can go, who is signed in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::problem::Problem;
use super::session::Session;
use super::{Console, assets, value};

/// A page without its frame, which `handle` adds.
#[derive(Debug, Clone)]
pub(super) struct Page {
    section: Section,
    title: String,
    body: String,
}

impl Page {
    /// A page of a section.
    pub(super) fn new(section: Section, title: impl Into<String>, body: Markup) -> Self {
        Self { section, title: title.into(), body: body.into_string() }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = ().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What the navigation leads to, and pages that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Tonight,
    Universes,
    Symbols,
    Jobs,
    Plan,
    Quarantine,
    Pins,
    Dead,
    Guards,
    Doctor,
    SignIn,
}

/// The navigation: what it leads to, its name, its path.
const NAVIGATION: [(Section, &str, &str); 10] = [
    (Section::Tonight, "Tonight", "/"),
    (Section::Universes, "Universes", "/universes"),
    (Section::Symbols, "Symbols", "/symbols"),
    (Section::Jobs, "Jobs", "/jobs"),
    (Section::Plan, "Plan", "/plan"),
    (Section::Quarantine, "Quarantine", "/quarantine"),
    (Section::Pins, "Pins and bans", "/pins"),
    (Section::Dead, "Dead letters", "/dead"),
    (Section::Guards, "Guards", "/guards"),
    (Section::Doctor, "Doctor", "/doctor"),
];

/// Leads from `/console` to the start page.
pub(super) async fn to_start(State(console): State<Arc<Console>>) -> Redirect {
    Redirect::to(&console.at("/"))
}

/// The whole document.
pub(super) fn frame(console: &Console, session: Option<&Session>, page: &Page) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · cache-sync" }
                link rel="stylesheet" href=(assets::address(console, &assets::STYLE));
                link rel="icon" type="image/svg+xml" href=(assets::address(console, &assets::ICON));
                script src=(assets::address(console, &assets::SCRIPT)) defer {}
            }
            body class=[session.is_none().then_some("outside")] {
                a.skip href="#main" { "Skip to the page" }
                @if let Some(session) = session { (header(console, session, page.section)) }
                main #main tabindex="-1" { (PreEscaped(&page.body)) }
                // What changes is said here for those who don't see it.
                div #said.visually-hidden role="status" {}
            }
        }
    }
}

fn header(console: &Console, session: &Session, current: Section) -> Markup {
    html! {
        header.top {
            a.brand href=(console.at("/")) {
                (mark()) span { "cache-sync" }
            }
            form.find role="search" method="get" action=(console.at("/symbols")) {
                label.visually-hidden for="find" { "Symbol" }
                input #find type="search" name="symbol" placeholder="Symbol" maxlength="20" autocomplete="off"
                    autocapitalize="characters" spellcheck="false";
                button.quiet type="submit" { "Explain" }
            }
            div.who {
                span.name { bdi { (session.name) } }
                @if !session.is_operator() { (value::badge(value::Tone::Quiet, "read-only")) }
                form method="post" action=(console.at("/sign-out")) {
                    (value::token(session))
                    button.quiet type="submit" { "Sign out" }
                }
            }
        }
        nav.side aria-label="Pages" {
            ul {
                @for (section, name, path) in NAVIGATION {
                    li {
                        a href=(console.at(path)) aria-current=[(section == current).then_some("page")] { (name) }
                    }
                }
            }
        }
    }
}

/// The program's mark: three bars of a chart, one of them joining.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
            rect x="1" y="9" width="4.5" height="10" rx="1" {}
            rect x="7.75" y="5" width="4.5" height="14" rx="1" {}
            rect.accent x="14.5" y="1" width="4.5" height="18" rx="1" {}
        }
    }
}

/// The head of a page: its name, and a sentence.
pub(super) fn heading(title: &str, lead: &str) -> Markup {
    html! {
        div.heading {
            h1 { (title) }
            @if !lead.is_empty() { p.lead { (lead) } }
        }
    }
}

/// What stands where there is nothing to list.
pub(super) fn nothing(sentence: &str) -> Markup {
    html! { p.nothing { (sentence) } }
}

/// Why there is no page.
pub(super) fn of_problem(console: &Console, problem: &Problem) -> Page {
    let body = html! {
        div.problem {
            h1 { (problem.title) }
            p.lead { (value::foreign(&problem.sentence)) }
            p { a href=(console.at("/")) { "To the start page" } }
        }
    };
    Page::new(Section::SignIn, problem.title, body)
}
