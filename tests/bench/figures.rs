//! Figures of repeated measurements, and the table they are shown in.

use std::time::Duration;

/// The median of some durations; zero of none.
pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The smallest value below which `share` (0 to 1) of them lie.
pub(crate) fn percentile(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or_default()
}

/// The median of what each pair of measurements gives: what slows the machine down slows both.
pub(crate) fn median_ratio(of: &[Duration], to: &[Duration]) -> f64 {
    let mut ratios: Vec<f64> = of.iter().zip(to).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `83 ms`, `1.24 s`, `640 us`.
pub(crate) fn spoken(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.001 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.0} us", seconds * 1e6),
    }
}

/// What is shown at the end.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    measured: String,
    bound: String,
    verdict: &'static str,
}

impl Table {
    /// A figure that has a bound.
    pub(crate) fn bounded(&mut self, what: &str, measured: String, bound: &str, is_held: bool) {
        self.push(what, measured, bound, if is_held { "held" } else { "MISSED" });
    }

    /// A figure that is only reported.
    pub(crate) fn reported(&mut self, what: &str, measured: String) {
        self.push(what, measured, "reported", "");
    }

    fn push(&mut self, what: &str, measured: String, bound: &str, verdict: &'static str) {
        println!("  {what}: {measured} ({bound}{}{verdict})", if verdict.is_empty() { "" } else { ", " });
        self.rows.push(Row { what: what.to_owned(), measured, bound: bound.to_owned(), verdict });
    }

    /// Whether every bound is held.
    pub(crate) fn is_held(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != "MISSED")
    }

    /// As Markdown, for the README.
    pub(crate) fn markdown(&self) -> String {
        let mut text = "| what | measured | bound | |\n|---|---|---|---|\n".to_owned();
        for Row { what, measured, bound, verdict } in &self.rows {
            text += &["| ", what, " | ", measured, " | ", bound, " | ", verdict, " |\n"].concat();
        }
        text
    }
}
