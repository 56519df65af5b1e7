//! The parts of an explanation in words.

use super::screen;
use crate::domain::money::Usd;
use crate::plan::explain::{Outlook, StandingWord, Subject, Verdict};

/// Its type, and how it stands with universes.
pub fn kind(subject: &Subject) -> String {
    let standing = match subject.standing {
        StandingWord::Eligible => "an eligible stock",
        StandingWord::Fund => "an exchange-traded product",
        StandingWord::OtherType => "in no universe",
        StandingWord::ActivityUnknown => "active is empty, so in no universe",
        StandingWord::Delisted => "it no longer trades",
        StandingWord::Missing => return "no row in symbols".to_owned(),
    };
    let listed = subject.list_date.map_or_else(String::new, |date| format!(", listed {date}"));
    format!("{}, {standing}{listed}", subject.kind.as_deref().unwrap_or_default())
}

/// Its market cap, what that was taken from, and its rank.
pub fn cap(subject: &Subject) -> String {
    let cap = subject.market_cap.map_or_else(String::new, |cap| format!("{}, ", Usd::short(cap)));
    let rank = subject.rank.map_or_else(String::new, |rank| {
        format!("; rank {} of {}", screen::thousands(rank), screen::thousands(subject.ranked))
    });
    format!("{cap}{}{rank}", subject.market_cap_basis)
}

/// What a sync would do, as the end of a sentence.
pub fn in_full(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::StaysIn | Outlook::StaysOut => "would not change that",
        Outlook::WouldJoin => "would add it now",
        Outlook::WouldLeave => "would remove it now",
        Outlook::HeldIn => "would leave it in, though the rules want it out",
        Outlook::HeldOut => "would leave it out, though the rules want it in",
    }
}

/// Whether it is a member, since when and by what; and when it was one.
pub fn membership(verdict: &Verdict) -> String {
    let past = verdict.last_membership.as_ref().map_or_else(String::new, |last| {
        let reason = last.exit_reason.as_deref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("; it was one from {} to {}{reason}", last.valid_from, last.valid_to)
    });
    let Some(place) = verdict.rank else { return format!("no member{past}") };
    let since = verdict.valid_from.map_or_else(String::new, |date| format!(", since {date}"));
    let reason = verdict.entry_reason.as_deref().map_or_else(String::new, |reason| format!(" by {reason}"));
    let evidence =
        verdict.entry_evidence.as_deref().map_or_else(String::new, |evidence| format!(": {evidence}"));
    format!("a member, place {}{since}{reason}{evidence}{past}", screen::thousands(place))
}
