//! Charts as SVG, drawn here: no script, no library, and sizes that follow the page.
//!
//! Every chart says in words what it shows, for those who don't see it; its colours come from the style, so that they
//! follow light and dark.

#![expect(
    clippy::format_push_string,
    reason = "what is shown is small, and the plain form can be read beside what it shows"
)]

use maud::{Markup, PreEscaped, html};

/// Points of a line's drawing, in units of its own.
const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 28.0;

/// A line without axes, as wide as a cell of a table.
pub(super) fn sparkline(values: &[f64], label: &str) -> Markup {
    let points = points(values, WIDTH, HEIGHT, 2.0);
    html! {
        svg.spark viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            @if !points.is_empty() { polyline points=(points) {} }
        }
    }
}

/// `x,y x,y ...` of a line that fills its space, a margin apart; a level one runs in the middle.
fn points(values: &[f64], width: f64, height: f64, margin: f64) -> String {
    let (low, high) = bounds(values);
    let step = width / (values.len().max(2) - 1) as f64;
    let y = |value: f64| {
        if high > low {
            height - margin - (value - low) / (high - low) * (height - 2.0 * margin)
        } else {
            height / 2.0
        }
    };
    let points = values
        .iter()
        .enumerate()
        .map(|(index, value)| format!("{:.1},{:.1}", index as f64 * step, y(*value)));
    let points: Vec<String> = points.collect();
    // One value alone is a level line.
    if let [point] = points.as_slice() {
        format!("{point} {width:.1},{:.1}", height / 2.0)
    } else {
        points.join(" ")
    }
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// Who joined and who left, as two bars away from a middle; `most` fills a side.
pub(super) fn moves(added: i64, removed: i64, most: i64) -> Markup {
    let share =
        |number: i64| if most > 0 { (number as f64 / most as f64 * 50.0).clamp(0.0, 50.0) } else { 0.0 };
    let visible = |number: i64| if number > 0 { share(number).max(0.8) } else { 0.0 };
    let (left, right) = (visible(removed), visible(added));
    html! {
        svg.moves viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.minus x=(format!("{:.2}", 50.0 - left)) y="1" width=(format!("{left:.2}")) height="8" {}
            rect.plus x="50" y="1" width=(format!("{right:.2}")) height="8" {}
            line.axis x1="50" x2="50" y1="0" y2="10" {}
        }
    }
}

/// One day of a universe.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Day {
    /// The date, as text.
    pub(super) date: String,
    /// Members after it.
    pub(super) size: i64,
    /// Who joined.
    pub(super) added: i64,
    /// Who left.
    pub(super) removed: i64,
}

/// The size of a universe over days as a line, and below it who joined and left each day.
pub(super) fn size_and_turnover(days: &[Day], label: &str) -> Markup {
    const W: f64 = 720.0;
    let sizes: Vec<f64> = days.iter().map(|day| day.size as f64).collect();
    let (low, high) = bounds(&sizes);
    // The first fill is no turnover, and would make all else invisible.
    let is_fill = |day: &Day| day.removed == 0 && day.added == day.size;
    let turnover = |day: &Day| if is_fill(day) { 0 } else { day.added.max(day.removed) };
    let most = days.iter().map(turnover).max().unwrap_or(0).max(1) as f64;
    let step = W / days.len().max(1) as f64;
    let bar = (step * 0.7).clamp(0.6, 14.0);
    let mut bars = String::new();
    for (index, day) in days.iter().enumerate().filter(|(_, day)| !is_fill(day)) {
        let x = index as f64 * step + (step - bar) / 2.0;
        let height = |number: i64| number as f64 / most * 32.0;
        for (class, number, y) in
            [("plus", day.added, 168.0 - height(day.added)), ("minus", day.removed, 168.0)]
        {
            if number > 0 {
                bars += &format!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{:.1}\"/>",
                    height(number).max(1.0)
                );
            }
        }
    }
    let line = points(&sizes, W, 112.0, 8.0);
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (W) " 204" } role="img" aria-label=(label) {
                line.grid x1="0" x2=(W) y1="8" y2="8" {}
                line.grid x1="0" x2=(W) y1="104" y2="104" {}
                polyline.size points=(line) {}
                line.axis x1="0" x2=(W) y1="168" y2="168" {}
                (PreEscaped(bars))
            }
            figcaption {
                span { (days.first().map_or("", |day| day.date.as_str())) }
                span.range {
                    @if low.is_finite() {
                        "size "
                        @if low < high { (super::text::thousands(low as u64)) " to " }
                        (super::text::thousands(high as u64))
                        "; most in a day " (super::text::thousands(most as u64))
                    }
                }
                span { (days.last().map_or("", |day| day.date.as_str())) }
            }
        }
    }
}

/// A place on a scale, with a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Where, in the units of the scale.
    pub(super) at: f64,
    /// What is there.
    pub(super) name: String,
}

/// Where something stands among boundaries, on a scale of orders of magnitude. Names that would meet stand in two lines.
pub(super) fn ladder(at: &Mark, boundaries: &[Mark], label: &str) -> Markup {
    const W: f64 = 720.0;
    let marks = boundaries.iter().chain([at]).map(|mark| mark.at.max(1.0).log10());
    let (low, high) = marks.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), m| (l.min(m), h.max(m)));
    let margin = ((high - low) * 0.06).max(0.1);
    let x = |value: f64| (value.max(1.0).log10() - low + margin) / (high - low + 2.0 * margin) * W;
    let anchor = |x: f64| {
        if x < 60.0 {
            "start"
        } else if x > W - 60.0 {
            "end"
        } else {
            "middle"
        }
    };
    let mut by_place: Vec<(f64, &str)> =
        boundaries.iter().map(|mark| (x(mark.at), mark.name.as_str())).collect();
    by_place.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lines = lines_of(&by_place);
    let place = x(at.at);
    html! {
        svg.ladder viewBox={ "0 0 " (W) " 100" } role="img" aria-label=(label) {
            line.axis x1="0" x2=(W) y1="44" y2="44" {}
            @for ((place, name), line) in by_place.iter().zip(lines) {
                line.tick x1=(format!("{place:.1}")) x2=(format!("{place:.1}")) y1="36" y2="52" {}
                text.name x=(format!("{place:.1}")) y=(70 + 17 * line) text-anchor=(anchor(*place)) { (name) }
            }
            circle.here cx=(format!("{place:.1}")) cy="44" r="6" {}
            text.here x=(format!("{place:.1}")) y="24" text-anchor=(anchor(place)) { (at.name) }
        }
    }
}

/// Units that a character of a name takes.
const CHAR_WIDTH: f64 = 7.2;

/// In which of two lines each name stands, from the left: in the upper one wherever there is room.
fn lines_of(names: &[(f64, &str)]) -> Vec<usize> {
    let mut ends = [f64::NEG_INFINITY; 2];
    let mut lines = Vec::with_capacity(names.len());
    for (place, name) in names {
        let half = name.chars().count() as f64 * CHAR_WIDTH / 2.0;
        let line = usize::from(place - half < ends[0] && ends[1] <= ends[0]);
        ends[line] = place + half + CHAR_WIDTH;
        lines.push(line);
    }
    lines
}

/// How near something came to a bound night by night: bars up to a line.
pub(super) fn nights(values: &[(String, f64)], bound: f64, label: &str) -> Markup {
    const W: f64 = 720.0;
    let high = values.iter().map(|(_, value)| *value).fold(bound, f64::max).max(0.001) * 1.1;
    let step = W / values.len().max(30) as f64;
    let y = |value: f64| 90.0 - value / high * 84.0;
    html! {
        svg.nights viewBox={ "0 0 " (W) " 92" } preserveAspectRatio="none" role="img" aria-label=(label) data-high=(high) {
            @for (index, (date, value)) in values.iter().enumerate() {
                @let over = *value > bound;
                rect class=(if over { "bar over" } else { "bar" }) data-value=(value)
                    x=(format!("{:.1}", index as f64 * step + step * 0.15)) y=(format!("{:.1}", y(*value)))
                    width=(format!("{:.1}", step * 0.7)) height=(format!("{:.1}", (90.0 - y(*value)).max(0.6))) {
                    title { (date) }
                }
            }
            line.bound x1="0" x2=(W) y1=(format!("{:.1}", y(bound))) y2=(format!("{:.1}", y(bound))) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fills_its_space_and_a_level_one_runs_in_the_middle() {
        assert_eq!(points(&[1.0, 3.0, 2.0], 100.0, 28.0, 2.0), "0.0,26.0 50.0,2.0 100.0,14.0");
        assert_eq!(points(&[5.0, 5.0], 100.0, 28.0, 2.0), "0.0,14.0 100.0,14.0");
        assert_eq!(points(&[5.0], 100.0, 28.0, 2.0), "0.0,14.0 100.0,14.0");
        assert_eq!(points(&[], 100.0, 28.0, 2.0), "");
    }

    #[test]
    fn names_that_would_meet_stand_in_two_lines() {
        assert_eq!(lines_of(&[(50.0, "micro"), (90.0, "small 300M"), (130.0, "mid")]), [0, 1, 0]);
        assert_eq!(lines_of(&[(50.0, "top_100"), (200.0, "top_500")]), [0, 0]);
    }

    #[test]
    fn a_single_change_is_visible_beside_thousands() {
        let bars = moves(1, 0, 5_000).into_string();
        assert!(bars.contains("width=\"0.80\"") && bars.contains("width=\"0.00\""), "{bars}");
    }
}
