//! Which date a job syncs, or why it has to wait.
//!
//! The date comes from the data, never from a clock: it is the newest day that has about as many prices as usual. [`Coverage`] holds counts only, taken from the securities with their latest close of any date and from the
//! runs that are kept, so choosing a date never scans prices.
//!
//! | asked for | data complete | incomplete |
//! |---|---|---|
//! | a named date | synced | waits |
//! | no date, automatic | the newest date is synced | waits |
//! | no date, a person | the newest date is synced | the newest complete date is synced, with a warning |
//!
//! A job that nobody in person asked for, and that is not forced, is skipped where there is nothing to do for it
//! ([`Coverage::date_for`]): its market was closed, its date is applied already, or the data ends before the last
//! session.
//!
//! A date older than the last applied one is refused in every case: universes never go back.
//!
//! # Why later closes count for a date
//! A security whose latest close is of Tuesday was there on Monday too. Counting it for Monday, too, means that a day
//! that was complete once stays complete, whatever arrives later.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::domain::calendar;
use crate::domain::job::JobRequest;
use crate::domain::security::Security;
use crate::domain::task::Mode;

use super::closes::Repeats;
use crate::domain::wording::grouped;
use crate::plan::given::notice::{Refusal, Warning};

/// A date is the newest with data from this share of the active securities on: below it lie stray bars.
const NEWEST_PCT: usize = 1;
/// A date is complete from this share of the usual closes on.
const COMPLETE_PCT: usize = 90;
/// Without applied runs, a security is usual if it had a close in so many sessions.
const USUAL_SESSIONS: u32 = 5;

/// The code of a job that was skipped because the data ends before the last session.
pub const DATA_STALE: &str = "data_stale";

/// How far the data reaches: counts, from which the date of a sync follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// For each date, how many active stocks have their latest close on it, closes of any date considered.
    pub latest_closes: BTreeMap<NaiveDate, usize>,
    /// How many active stocks there are, with closes or without.
    pub active: usize,
    /// The date of the last applied run.
    pub last_applied: Option<NaiveDate>,
    /// The modes that were applied for that date.
    pub last_modes: Vec<Mode>,
    /// Closes of eligible stocks that the last runs applied saw, at most 20.
    pub applied_closes: Vec<usize>,
    /// Whether the closes of the last applied date are others than those that were synced.
    pub is_corrected: bool,
}

/// What to do about the date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateChoice {
    /// Sync this date.
    Sync {
        /// The date.
        as_of: NaiveDate,
        /// That a newer date was passed over, where one was.
        warning: Option<Warning>,
    },
    /// Look again later: the import of `date` is under way or has not begun.
    Wait {
        /// The date waited for.
        date: NaiveDate,
        /// Closes that are there.
        have: usize,
        /// Closes from which the date is complete.
        need: usize,
        /// Closes on a usual day.
        usual: usize,
    },
    /// Waiting would not help.
    Refuse(Refusal),
    /// Nothing needs to be done, and this is why.
    Skip(Warning),
}

impl Coverage {
    /// How far the closes of these securities reach; nothing is known of applied runs. Counted are stocks of these types:
    /// whether an import brings warrants and preferreds says nothing about the universes of stocks. Where there is none of
    /// them, all securities are.
    pub fn of(securities: &[Security], eligible_types: &BTreeSet<String>) -> Self {
        let is_active = |security: &&Security| security.active == Some(true);
        let is_eligible = |security: &Security| eligible_types.contains(&*security.kind);
        let are_stocks = securities.iter().filter(is_active).any(is_eligible);
        let counts = |security: &&Security| is_active(security) && (is_eligible(security) || !are_stocks);
        let active = || securities.iter().filter(counts);
        let mut latest_closes = BTreeMap::new();
        for close in active().filter_map(|security| security.close) {
            *latest_closes.entry(close.date).or_insert(0) += 1;
        }
        Self { latest_closes, active: active().count(), ..Self::default() }
    }

    /// Leaves closes out of account that only repeat those of the last run.
    pub fn discount(&mut self, repeats: &Repeats) {
        let counted = self.latest_closes.entry(repeats.date).or_insert(0);
        let discounted = repeats.stocks.min(*counted);
        *counted -= discounted;
        *self.latest_closes.entry(repeats.last).or_insert(0) += discounted;
    }

    /// The date for `request`, or why it needs none.
    pub fn date_for(&self, request: &JobRequest) -> DateChoice {
        let is_automatic = request.is_automatic();
        let is_checked = is_automatic && !request.force;
        if let Some(closed) = self.market_closed(request).filter(|_| is_checked) {
            return DateChoice::Skip(closed);
        }
        match self.choose_date(request.as_of, is_automatic) {
            DateChoice::Sync { as_of, warning } => {
                let skip = || self.already_done(as_of, request.mode).or_else(|| self.data_stale(request));
                match is_checked.then(skip).flatten() {
                    Some(why) => DateChoice::Skip(why),
                    None => DateChoice::Sync { as_of, warning },
                }
            }
            choice => choice,
        }
    }

    /// A date that is asked for by name is judged itself; else the day of the request, and only where nothing new came
    /// in: the import of a Friday may end on Saturday.
    fn market_closed(&self, request: &JobRequest) -> Option<Warning> {
        let date = request.as_of.unwrap_or_else(|| calendar::new_york_date(request.requested_at));
        let closure = calendar::closure(date).filter(|_| !self.latest_closes.contains_key(&date))?;
        let has_news = request.as_of.is_none() && self.newest() > self.last_applied;
        (!has_news).then(|| Warning {
            code: "market_closed",
            text: format!("{date} is no trading day ({closure}); nothing was done"),
        })
    }

    fn already_done(&self, as_of: NaiveDate, mode: Mode) -> Option<Warning> {
        let is_done = self.last_applied == Some(as_of)
            && !self.is_corrected
            && self.last_modes.iter().any(|done| [Mode::Full, mode].contains(done));
        is_done.then(|| Warning {
            code: "already_done",
            text: format!("{as_of} was synced before; nothing was done, force does it again"),
        })
    }

    fn data_stale(&self, request: &JobRequest) -> Option<Warning> {
        let last_session = calendar::last_closed_session(request.requested_at);
        let newest = self.newest_complete().filter(|newest| *newest < last_session)?;
        Some(Warning {
            code: DATA_STALE,
            text: format!(
                "the newest complete date is {newest}, but {last_session} had closed when the job was asked for; \
                 nothing was done, check the import"
            ),
        })
    }

    /// The date for a job that names `as_of` or none; `automatic` where nobody in person asked.
    pub fn choose_date(&self, as_of: Option<NaiveDate>, automatic: bool) -> DateChoice {
        if self.active == 0 {
            return DateChoice::Refuse(no_securities());
        }
        if self.latest_closes.is_empty() {
            return DateChoice::Refuse(self.no_closes());
        }
        match (as_of, self.newest()) {
            (Some(date), _) => self.named(date),
            (None, None) => DateChoice::Refuse(self.no_closes()),
            (None, Some(newest)) if automatic => self.sync_or_wait(newest),
            (None, Some(newest)) => self.newest_complete_up_to(newest),
        }
    }

    /// The newest date with closes for at least 1 % of the active securities.
    pub fn newest(&self) -> Option<NaiveDate> {
        self.newest_where(|_, closes| closes > 0 && closes * 100 >= self.active * NEWEST_PCT)
    }

    /// The newest date that is complete.
    pub fn newest_complete(&self) -> Option<NaiveDate> {
        let newest = self.newest()?;
        self.newest_where(|date, closes| date <= newest && closes >= self.need(date))
    }

    /// How many active securities have a close on `date` or later.
    pub fn closes(&self, date: NaiveDate) -> usize {
        self.latest_closes.range(date..).map(|(_, count)| count).sum()
    }

    /// The number of closes on a usual day: the median of the last applied runs; without any, the active securities
    /// with a close in the five sessions up to `date`.
    pub fn usual(&self, date: NaiveDate) -> usize {
        median(&self.applied_closes).unwrap_or_else(|| {
            // Where hardly any data is, nothing is usual yet: all of them are expected. A date beyond all data has no
            // five sessions of its own, so those up to the newest are taken.
            self.newest().map_or(self.active, |newest| {
                self.closes(calendar::sessions_back(newest.min(date), USUAL_SESSIONS - 1))
            })
        })
    }

    /// Stray bars never make a date complete, not even before there is anything usual.
    fn need(&self, date: NaiveDate) -> usize {
        let usual = (self.usual(date) * COMPLETE_PCT).div_ceil(100);
        usual.max((self.active * NEWEST_PCT).div_ceil(100)).max(1)
    }

    fn newest_where(&self, enough: impl Fn(NaiveDate, usize) -> bool) -> Option<NaiveDate> {
        let mut closes = 0;
        for (date, count) in self.latest_closes.iter().rev() {
            closes += count;
            if enough(*date, closes) {
                return Some(*date);
            }
        }
        None
    }

    fn named(&self, date: NaiveDate) -> DateChoice {
        if let Some(closure) = calendar::closure(date).filter(|_| !self.latest_closes.contains_key(&date)) {
            return DateChoice::Refuse(not_a_session(date, closure));
        }
        self.sync_or_wait(date)
    }

    fn sync_or_wait(&self, date: NaiveDate) -> DateChoice {
        if let Some(refusal) = self.older_than_applied(date) {
            return DateChoice::Refuse(refusal);
        }
        let (have, need) = (self.closes(date), self.need(date));
        if have >= need {
            DateChoice::Sync { as_of: date, warning: None }
        } else {
            DateChoice::Wait { date, have, need, usual: self.usual(date) }
        }
    }

    fn newest_complete_up_to(&self, newest: NaiveDate) -> DateChoice {
        let Some(complete) = self.newest_complete() else {
            return DateChoice::Refuse(self.incomplete(newest));
        };
        if let Some(refusal) = self.older_than_applied(complete) {
            return DateChoice::Refuse(refusal);
        }
        let warning = (complete < newest).then(|| Warning {
            code: "date_incomplete",
            text: format!(
                "{newest} has {}; {complete} is the newest complete date and was taken instead",
                closes_text(self.closes(newest), self.usual(newest))
            ),
        });
        DateChoice::Sync { as_of: complete, warning }
    }

    fn older_than_applied(&self, date: NaiveDate) -> Option<Refusal> {
        let applied = self.last_applied.filter(|applied| date < *applied)?;
        Some(older_than_applied(date, applied))
    }

    fn incomplete(&self, date: NaiveDate) -> Refusal {
        refuse_incomplete(date, self.closes(date), self.need(date), self.usual(date))
    }

    fn no_closes(&self) -> Refusal {
        Refusal {
            code: "no_closes",
            text: format!(
                "{} of {} active securities have a close, at least {NEWEST_PCT} % are needed to tell the date; \
                 load daily bars first",
                grouped(self.latest_closes.values().sum()),
                grouped(self.active)
            ),
        }
    }
}

/// `3,412 of 5,600 closes`: how far an import is.
pub fn closes_text(have: usize, usual: usize) -> String {
    format!("{} of {} closes", grouped(have), grouped(usual))
}

/// The end of a wait that was in vain.
pub fn refuse_incomplete(date: NaiveDate, have: usize, need: usize, usual: usize) -> Refusal {
    Refusal {
        code: "date_incomplete",
        text: format!(
            "{date} has {}, {} are needed; finish the import and submit again",
            closes_text(have, usual),
            grouped(need)
        ),
    }
}

/// `date` lies before the last applied one.
pub(crate) fn older_than_applied(date: NaiveDate, applied: NaiveDate) -> Refusal {
    Refusal {
        code: "older_than_applied",
        text: format!(
            "{date} is older than {applied}, which was applied already, and universes never go back; \
             name {applied} or a later date; if {applied} is no real date, revert its jobs and then: \
             cache-sync reject {applied}"
        ),
    }
}

/// `symbols` holds nothing to sync.
pub(crate) fn no_securities() -> Refusal {
    Refusal {
        code: "no_securities",
        text: "symbols holds no active security; load it first, nothing was changed".to_owned(),
    }
}

fn not_a_session(date: NaiveDate, closure: &str) -> Refusal {
    Refusal {
        code: "not_a_session",
        text: format!(
            "{date} is no trading day ({closure}) and has no closes of its own; the last trading day before it is {}",
            calendar::previous_session(date)
        ),
    }
}

/// The middle one, or the mean of the two in the middle; of none there is none.
fn median(counts: &[usize]) -> Option<usize> {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(usize::midpoint(lower, upper))
}
