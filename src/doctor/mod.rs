//! Checks everything that a sync depends on, and says what to do about what it finds.
//!
//! Nothing is changed. Each part asks one server or looks at one kind of data and returns [`Finding`]s; a part whose
//! server is out of reach says so and leaves the others alone, so one run shows all there is to mend.

use chrono::{DateTime, Utc};

use crate::domain::words;
use crate::failure::Failure;
use crate::settings::Settings;

pub mod coverage;
mod groups;
mod losses;
mod operation;
mod postgres;
mod redis;
mod rights;

/// What was looked at, what was seen, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about, in a word: `postgres`, `redis`, `rights`, `source`, `data`.
    pub subject: &'static str,
    /// What was seen.
    pub what: String,
    /// What to do; empty where nothing needs doing.
    pub remedy: String,
}

words! {
    /// How bad a finding is.
    Level {
        /// As it should be.
        Ok = "ok",
        /// It works, but something may be lost or wrong.
        Warn = "warn",
        /// A sync can't work or can't be right.
        Error = "error",
    }
}

impl Finding {
    /// It is as it should be.
    pub fn ok(subject: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject, what: what.into(), remedy: String::new() }
    }

    /// It works, but something may be lost or wrong.
    pub fn warn(subject: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject, what: what.into(), remedy: remedy.into() }
    }

    /// A sync can't work or can't be right.
    pub fn error(subject: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Error, subject, what: what.into(), remedy: remedy.into() }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
    /// Whether Redis or Postgres did not answer.
    pub out_of_reach: bool,
}

impl Report {
    /// The worst level of all findings.
    pub fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    /// Adds what a part found, and what kept it from looking further.
    fn add(&mut self, subject: &'static str, part: Part, remedies: Remedies<'_>) {
        self.findings.extend(part.findings);
        if let Err(failure) = part.ended {
            self.out_of_reach |= failure.is_transient();
            let remedy = if failure.is_transient() { remedies.out_of_reach } else { remedies.refused };
            self.findings.push(Finding::error(subject, failure.to_string(), remedy));
        }
    }
}

/// What to do about what keeps a part from looking further.
#[derive(Clone, Copy)]
struct Remedies<'a> {
    /// Where the server does not answer.
    out_of_reach: &'a str,
    /// Where it answers that it won't.
    refused: &'a str,
}

/// What one part found until it was done, or until something kept it from looking further.
struct Part {
    findings: Vec<Finding>,
    ended: Result<(), Failure>,
}

/// Looks at everything.
pub async fn examine(settings: &Settings, now: DateTime<Utc>) -> Report {
    let postgres = async {
        let mut findings = Vec::new();
        let ended = Box::pin(postgres::examine(settings, now, &mut findings)).await;
        Part { findings, ended }
    };
    let redis = async {
        let mut findings = Vec::new();
        let ended = Box::pin(redis::examine(settings, now, &mut findings)).await;
        Part { findings, ended }
    };
    let (postgres, redis) = tokio::join!(postgres, redis);
    let mut report = Report { findings: vec![configuration(settings)], out_of_reach: false };
    let at = settings.redis.address();
    let remedies = Remedies {
        out_of_reach: &format!("see that the server runs and REDIS_URL is right, which leads to {at}"),
        refused: &format!(
            "the server at {at} answers: give its user what is missing (ACL SETUSER), or correct user, password or \
             server in REDIS_URL"
        ),
    };
    report.add("redis", redis, remedies);
    let at = settings.database.address();
    let remedies = Remedies {
        out_of_reach: &format!("see that the server runs and DATABASE_URL is right, which leads to {at}"),
        refused: &format!(
            "the server at {at} answers: give its role what is missing, or correct role, password or database in \
             DATABASE_URL"
        ),
    };
    report.add("postgres", postgres, remedies);
    if !report.out_of_reach {
        let mut findings = Vec::new();
        let ended = losses::examine(settings, &mut findings).await;
        let remedy = "see what the findings above say of both servers";
        let remedies = Remedies { out_of_reach: remedy, refused: remedy };
        report.add("jobs", Part { findings, ended }, remedies);
        let mut findings = Vec::new();
        let ended = operation::examine(settings, now, &mut findings).await;
        report.add("syncs", Part { findings, ended }, remedies);
    }
    report
}

fn configuration(settings: &Settings) -> Finding {
    Finding::ok("settings", format!("{}; rules {}", settings.summary(), settings.policy().fingerprint()))
}

/// A clock that is further away than this makes leases and "today" doubtful.
const MAX_CLOCK_DISTANCE_SECONDS: i64 = 5;

/// Whether a server's clock agrees with ours.
fn clock(subject: &'static str, theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Option<Finding> {
    let distance = (theirs - ours).num_seconds();
    (distance.abs() > MAX_CLOCK_DISTANCE_SECONDS).then(|| {
        let direction = if distance > 0 { "ahead of" } else { "behind" };
        Finding::warn(
            subject,
            format!("its clock is {} s {direction} the one of this machine", distance.abs()),
            "let both machines take their time from NTP",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_an_error_and_told_from_one_that_refuses() {
        let part = |ended| Part { findings: vec![Finding::ok("redis", "version 7.2.4")], ended };
        let mut report = Report::default();
        let remedies = Remedies { out_of_reach: "start it", refused: "grant it" };
        report.add("redis", part(Ok(())), remedies);
        assert_eq!((report.worst(), report.out_of_reach), (Level::Ok, false));
        report.add("redis", part(Err(Failure::permanent("ask", "NOPERM"))), remedies);
        assert_eq!(report.findings.last().map(|finding| finding.remedy.as_str()), Some("grant it"));
        assert_eq!((report.worst(), report.out_of_reach), (Level::Error, false));
        report.add("postgres", part(Err(Failure::transient("connect", "refused"))), remedies);
        assert_eq!(report.findings.last().map(|finding| finding.remedy.as_str()), Some("start it"));
        assert!(report.out_of_reach);
        assert_eq!(report.findings.len(), 5, "what was found before is kept");
    }

    #[test]
    fn clocks_that_differ_by_seconds_are_reported_with_their_direction() {
        let ours: DateTime<Utc> = "2026-01-09T21:10:00Z".parse().expect("a time");
        assert_eq!(clock("redis", ours + chrono::TimeDelta::seconds(5), ours), None);
        let behind = clock("redis", ours - chrono::TimeDelta::seconds(90), ours).expect("a finding");
        assert_eq!(behind.what, "its clock is 90 s behind the one of this machine");
    }
}
