//! Runs `tests/plan/scenarios/<rule>_<case>.txt`: a market in a few lines, and the plan it calls for.
//!
//! A file has comment lines (`#`), settings of one line, and sections of indented lines; the last section holds what
//! is expected. `UPDATE_SCENARIOS=1 cargo test --test plan` writes what came out instead; review the difference.
//!
//! | setting or section | means |
//! |---|---|
//! | `order: full 2026-07-21 accept_churn` | mode, date, and whether the guards are open |
//! | `policy: band=5 buffer=5 keep=12 classes=primary` | the switches of stability |
//! | `policy: rankings=top_100 types=CS,ADRC adopt_existing` | deviations from rules with neither themes, funds nor quarantine; `quarantine` switches that on |
//! | `policy: shipped only=green_energy seats=5 curated=2026-01-15` | the shipped rules, of the themes only those named; deviations for all themes |
//! | `show: large_cap mid_cap` | the universes to print; without it, those that are written, change or are held |
//! | `yesterday 2026-07-20:` | the market of an earlier day, synced before: in full, or in the mode that follows |
//! | `securities:` | the market; after a `yesterday`, what is different now |
//! | `universes:` | rows of ours as they are found, see [`Scene::edit_universe`] |
//! | `foreign:` | other rows: `name: A B`, or `name malformed` |
//! | `pins:` | what people have decided: `pin ACME top_100 until=2026-08-01 "its sector is wrong"`, or `ban` |
//! | `exits:` | memberships that ended lately: `large_cap ACME` |
//! | `unreadable:` | rows of `symbols` without a usable symbol |
//! | `plan:` | what is expected |
//! | `ask:` | instead: symbols that are explained, in all universes or in those named: `ACME large_cap` |
//! | `explain:` | how they are expected to be explained |
//! | `night 2026-07-20: approve=ACME distrust=ACME/2026-07-17/400B/40 accept_churn for=3` | a day, synced after those before it; the same market for three sessions |
//! | `watch: ACME` | the symbols whose nights are told |
//! | `nights:` | what they are expected to be, night by night |
//! | `coverage: active=5600 applied=2026-07-20 usual=5600,5590` | how far the data is |
//! | `closes:` | latest closes by date: `2026-07-21 5600` |
//! | `dates:` | what is asked for, and which date that gives: `2026-07-18, automatic -> ...`; with a time (`at 2026-07-18T21:00:00Z`) as a job is checked |
//!
//! A security is `SYMBOL TYPE key=value ...` with the keys `cap` (as stored), `close` (`25.1`, `25.1@2026-07-14`,
//! `none`; by default 1 on the day itself), `shares`, `sector`, `active` (`yes no null`), `listed`, `delisted`, `name`,
//! `volume`, `before` (the volume of the session before), `industry`, `sic`, `cik`, `figi` (of the share class), `composite` (FIGI), `years` (of dividend increases),
//! `esg`, `kind` (type text of a fund), `aum` (in millions).
//! `S001..S200 CS cap=100B step=-100M` are two hundred of them, each worth 100M less. `ACME gone` has no row any
//! more. Numbers may end in `K M B T`, be `NaN`, or be left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cache_sync::domain::calendar::next_session;
use cache_sync::domain::change::ExitReason;
use cache_sync::domain::figure::Figure;
use cache_sync::domain::job::{JobId, JobRequest};
use cache_sync::domain::pin::{Pin, PinKind};
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::domain::universe::UniverseName;
use cache_sync::plan::explain::Explainer;
use cache_sync::plan::given::date::Coverage;
use cache_sync::plan::given::notice::Refusal;
use cache_sync::plan::given::policy::{Policy, ShareClasses};
use cache_sync::plan::given::snapshot::{
    ForeignRow, RecentExit, Snapshot, StoredContent, StoredUniverse, UniverseState,
};
use cache_sync::plan::market::screening::{Distrusted, TakenValue};
use cache_sync::plan::members::universes::Universe;
use cache_sync::plan::result::Plan;
use cache_sync::plan::{Order, market_of};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::{render, world};

#[test]
fn every_scenario_gives_the_plan_or_the_explanation_it_expects() {
    let mut differing = Vec::new();
    for path in scenario_files() {
        let text = fs::read_to_string(&path).expect("a scenario can be read");
        let file = File::parse(&text);
        let found = file.run();
        if found == file.expected {
            continue;
        }
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&path, file.with(&found)).expect("a scenario can be written");
        } else {
            differing.push(format!("{}\n{}", path.display(), difference(&file.expected, &found)));
        }
    }
    assert!(differing.is_empty(), "{} scenarios differ:\n\n{}", differing.len(), differing.join("\n"));
}

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/scenarios");
    let entries = fs::read_dir(folder).expect("the folder of scenarios is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "there are scenarios");
    paths
}

/// A scenario file, taken apart.
struct File {
    /// Everything up to what is expected, word for word.
    head: String,
    sections: Vec<Section>,
    expected: String,
}

/// `title: words` with the indented lines below it.
struct Section {
    title: String,
    words: String,
    lines: Vec<String>,
}

impl File {
    fn parse(text: &str) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            if let Some(indented) = line.strip_prefix("  ") {
                sections
                    .last_mut()
                    .expect("a section begins before its lines")
                    .lines
                    .push(indented.to_owned());
            } else {
                let (title, words) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} has no colon"));
                let (title, words) = (title.to_owned(), words.trim().to_owned());
                sections.push(Section { title, words, lines: Vec::new() });
            }
        }
        let last = sections.last().expect("a scenario has sections");
        let at = text.find(&format!("\n{}:", last.title)).expect("the last section is in the text");
        let head = text[..at + last.title.len() + 3].to_owned();
        let expected = lines_with("", last.lines.iter().map(String::as_str));
        Self { head, sections, expected }
    }

    fn with(&self, found: &str) -> String {
        self.head.clone() + &lines_with("  ", found.lines())
    }

    fn run(&self) -> String {
        match self.sections.last().map(|section| section.title.as_str()) {
            Some("plan") => self.run_plan(),
            Some("explain") => self.run_explain(),
            Some("dates") => self.run_dates(),
            Some("nights") => self.run_nights(),
            other => panic!("a scenario ends with plan:, explain:, dates: or nights:, not with {other:?}"),
        }
    }

    fn section(&self, title: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.title == title)
    }

    fn words(&self, title: &str) -> Vec<&str> {
        self.section(title).map_or_else(Vec::new, |section| section.words.split_whitespace().collect())
    }

    fn lines(&self, title: &str) -> &[String] {
        self.section(title).map_or(&[], |section| &section.lines)
    }

    fn run_plan(&self) -> String {
        let (order, policy) = (self.order(), self.policy());
        let snapshot = self.snapshot(order, &policy);
        let show: Vec<String> = self.words("show").into_iter().map(ToOwned::to_owned).collect();
        let (found, observed) = planned(&snapshot, &policy, order);
        if let Ok(plan) = &found {
            assert_eq!(observed, plan.tasks.len(), "each sub-task is observed once");
        }
        render::plan(&found, &show)
    }

    fn run_explain(&self) -> String {
        let (order, policy) = (self.order(), self.policy());
        let snapshot = self.snapshot(order, &policy);
        let market = market_of(&snapshot, order.as_of, &policy);
        let explainer = Explainer::new(&market, &snapshot, &policy);
        let answer = |line: &String| {
            let (asked, universes) = line.split_once(' ').unwrap_or((line, ""));
            let universes: Vec<&str> = universes.split_whitespace().collect();
            match explainer.explain(&symbol(asked), &[]) {
                Some(explanation) => render::explanation(&explanation, &universes),
                None => format!("{asked} is not known\n"),
            }
        };
        self.lines("ask").iter().map(answer).collect()
    }

    /// One sync after another. Nights that read the same are told once.
    fn run_nights(&self) -> String {
        let (policy, watched) = (self.policy(), self.words("watch"));
        let mut scene = Scene::default();
        let mut told: Vec<(NaiveDate, NaiveDate, String)> = Vec::new();
        for section in &self.sections {
            let Some(first) = section.title.strip_prefix("night ") else { continue };
            let words: Vec<&str> = section.words.split_whitespace().collect();
            let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            scene.read_securities(&section.lines);
            let sessions: u32 = value("for").map_or(1, |n| n.parse().expect("a number"));
            let mut day = date(first);
            for _ in 0..sessions {
                scene.snapshot.approved = value("approve").map(symbol).into_iter().collect();
                scene.snapshot.distrusted = value("distrust").map(distrusted).into_iter().collect();
                let order =
                    Order { mode: Mode::Full, accept_churn: words.contains(&"accept_churn"), as_of: day };
                let night = scene.night(order, &policy, &watched);
                match told.last_mut() {
                    Some((_, last, text)) if *text == night => *last = day,
                    _ => told.push((day, day, night)),
                }
                day = next_session(day);
            }
        }
        let one = |(first, last, text): (NaiveDate, NaiveDate, String)| {
            let days = if first == last { first.to_string() } else { format!("{first} .. {last}") };
            format!("{days}\n{text}")
        };
        told.into_iter().map(one).collect()
    }

    fn snapshot(&self, order: Order, policy: &Policy) -> Snapshot {
        let mut scene = Scene::default();
        for section in &self.sections {
            if let Some(day) = section.title.strip_prefix("yesterday ") {
                scene.read_securities(&section.lines);
                let mode = Mode::from_text(&section.words).unwrap_or(Mode::Full);
                scene.sync(date(day), mode, policy);
            }
        }
        scene.read_securities(self.lines("securities"));
        for line in self.lines("universes") {
            scene.edit_universe(line, order.as_of, policy);
        }
        scene.snapshot.pins = self.lines("pins").iter().map(|line| pin(line)).collect();
        scene.snapshot.foreign = self.lines("foreign").iter().map(|line| foreign_row(line)).collect();
        scene.snapshot.recent_exits =
            self.lines("exits").iter().map(|line| recent_exit(line, order)).collect();
        scene.snapshot.unreadable_symbols = self.lines("unreadable").to_vec();
        scene.snapshot.securities = scene.securities(order.as_of);
        world::read_instruments(&mut scene.snapshot, policy, order.as_of);
        scene.snapshot
    }

    fn order(&self) -> Order {
        let words = self.words("order");
        Order {
            mode: Mode::from_text(words[0]).expect("the order begins with a mode"),
            as_of: date(words[1]),
            accept_churn: words.contains(&"accept_churn"),
        }
    }

    fn policy(&self) -> Policy {
        let mut policy = world::policy();
        for word in self.words("policy") {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let list = || value.split(',').map(ToOwned::to_owned);
            match key {
                "types" => policy.eligible_types = list().collect(),
                "rankings" => {
                    let limit = |name: String| name[4..].parse().expect("top_N");
                    policy.rankings = list().map(|name| world::ranking(limit(name))).collect();
                }
                "min_active_stocks" => policy.guards.min_active_stocks = value.parse().expect("a number"),
                "adopt_existing" => policy.adopt_existing = true,
                "band" => policy.stability.tier_band_pct = value.parse().expect("a number"),
                "buffer" => policy.stability.rank_buffer_pct = value.parse().expect("a number"),
                "keep" => policy.stability.sector_leader_keep = value.parse().expect("a number"),
                "classes" => {
                    policy.stability.share_classes = ShareClasses::from_text(value).expect("all or primary");
                }
                "quarantine" => policy.guards.quarantine = true,
                "split_max_turnover" => policy.guards.split_max_turnover = value.parse().expect("a number"),
                "merger_max_turnover" => policy.guards.merger_max_turnover = value.parse().expect("a number"),
                "merger_max_trade_growth" => {
                    policy.guards.merger_max_trade_growth = value.parse().expect("a number");
                }
                "split_min_close" => policy.guards.split_min_close = value.parse().expect("dollars"),
                "split_large_cap" => policy.guards.split_large_cap = value.parse().expect("dollars"),
                "jump_min_cap" => policy.guards.jump_min_cap = value.parse().expect("dollars"),
                "jump_sessions" => policy.guards.jump_sessions = value.parse().expect("sessions"),
                "shipped" => policy = world::shipped_policy(),
                "entry_score" => policy.themes.scoring.entry_score = value.parse().expect("a number"),
                "seats" => {
                    let seats = value.parse().expect("a number");
                    policy.themes.themes.iter_mut().for_each(|theme| theme.max_members = seats);
                }
                "curated" => policy.themes.themes.iter_mut().for_each(|theme| theme.curated = date(value)),
                "only" => policy.themes.themes.iter_mut().for_each(|theme| {
                    theme.is_enabled = list().any(|name| name == theme.universe.as_str());
                }),
                _ => panic!("unknown policy {word:?}"),
            }
        }
        policy
    }

    fn run_dates(&self) -> String {
        let mut coverage = Coverage::default();
        for word in self.words("coverage") {
            match word.split_once('=').expect("coverage is key=value") {
                ("active", n) => coverage.active = n.parse().expect("a number"),
                ("applied", day) => coverage.last_applied = Some(date(day)),
                ("modes", modes) => {
                    coverage.last_modes =
                        modes.split(',').map(|mode| Mode::from_text(mode).expect("a mode")).collect();
                }
                ("usual", counts) => {
                    coverage.applied_closes =
                        counts.split(',').map(|n| n.parse().expect("a number")).collect();
                }
                (key, _) => panic!("unknown coverage {key:?}"),
            }
        }
        for line in self.lines("closes") {
            let (day, count) = line.split_once(' ').expect("a date and a number");
            coverage.latest_closes.insert(date(day), count.trim().parse().expect("a number"));
        }
        let answer = |line: &String| {
            let (asked, _) = line.split_once(" -> ").unwrap_or((line, ""));
            let as_of = asked.split(',').find_map(|word| word.trim().parse().ok());
            let mut words = asked.split(", ");
            let choice = match words.find_map(|word| word.strip_prefix("at ")) {
                Some(at) => coverage.date_for(&request(asked, as_of, at)),
                None => coverage.choose_date(as_of, asked.contains("automatic")),
            };
            format!("{asked} -> {}\n", render::date(&choice))
        };
        self.lines("dates").iter().map(answer).collect()
    }
}

/// `automatic`, `forced` and `themes` (or another mode) as they stand in `asked`, at a time.
fn request(asked: &str, as_of: Option<NaiveDate>, at: &str) -> JobRequest {
    let id = JobId::parse("asked").expect("a job id");
    let triggered_by = if asked.contains("automatic") { "eod_import" } else { "cli" };
    let mode = asked.split(", ").find_map(Mode::from_text).unwrap_or(Mode::Full);
    let requested_at = at.parse().expect("an instant");
    JobRequest {
        as_of,
        force: asked.contains("forced"),
        ..JobRequest::new(id, mode, triggered_by, requested_at)
    }
}

fn planned(snapshot: &Snapshot, policy: &Policy, order: Order) -> (Result<Plan, Refusal>, usize) {
    let mut observed = 0;
    let found = cache_sync::plan::plan(snapshot, policy, &order, &mut |_| observed += 1);
    (found, observed)
}

/// What a scenario has set up so far.
#[derive(Default)]
struct Scene {
    /// Lines of `symbols`: symbol to its words.
    rows: Vec<(String, BTreeMap<String, String>)>,
    snapshot: Snapshot,
}

impl Scene {
    fn read_securities(&mut self, lines: &[String]) {
        for line in lines {
            let mut words = quoted_words(line);
            let symbols = symbol_range(&words.remove(0));
            for (place, symbol) in symbols.into_iter().enumerate() {
                self.read_security(symbol, &words, place);
            }
        }
    }

    fn read_security(&mut self, symbol: String, words: &[String], place: usize) {
        let again = words.first().is_some_and(|word| word == "again");
        if words.first().is_some_and(|word| word == "gone") {
            self.rows.retain(|(known, _)| *known != symbol);
            return;
        }
        let known = self.rows.iter().position(|(known, _)| *known == symbol).filter(|_| !again);
        let row = known.unwrap_or_else(|| {
            self.rows.push((symbol, BTreeMap::new()));
            self.rows.len() - 1
        });
        let row = &mut self.rows[row].1;
        for word in words.iter().filter(|word| *word != "again") {
            match word.split_once('=') {
                Some((key, value)) => row.insert(key.to_owned(), value.to_owned()),
                None => row.insert("type".to_owned(), word.clone()),
            };
        }
        row.insert("place".to_owned(), place.to_string());
    }

    fn securities(&self, as_of: NaiveDate) -> Vec<Security> {
        self.rows.iter().map(|(symbol, row)| security(symbol, row, as_of)).collect()
    }

    fn sync(&mut self, as_of: NaiveDate, mode: Mode, policy: &Policy) {
        self.snapshot.securities = self.securities(as_of);
        let order = Order { mode, accept_churn: false, as_of };
        let mut read = self.snapshot.clone();
        world::read_instruments(&mut read, policy, as_of);
        let (plan, _) = planned(&read, policy, order);
        let plan = plan.unwrap_or_else(|refusal| panic!("the plan of {as_of} was refused: {refusal}"));
        self.snapshot = world::applied(&self.snapshot, &plan, Vec::new());
    }

    /// Syncs a day, twice, for the second sync must find nothing to do, and tells of the symbols that are watched.
    fn night(&mut self, order: Order, policy: &Policy, watched: &[&str]) -> String {
        self.snapshot.securities = self.securities(order.as_of);
        let (plan, _) = planned(&self.snapshot, policy, order);
        let plan = match plan {
            Ok(plan) => plan,
            Err(refusal) => return format!("  refused {refusal}\n"),
        };
        self.snapshot = world::applied(&self.snapshot, &plan, self.securities(order.as_of));
        let (again, _) = planned(&self.snapshot, policy, order);
        let again = again.expect("what was synced is not refused");
        assert_eq!((again.total_changes(), &again.run), (0, &plan.run), "a second sync changes nothing");
        render::night(&plan, watched)
    }

    /// `name words: symbols`, with the words
    ///
    /// - none: written by us on the day before, its members are these;
    /// - `unmanaged`: a row that we never wrote;
    /// - `edited`: our row, in which somebody put these symbols;
    /// - `deleted`, `malformed`: our row is gone, or holds something else;
    /// - `type=T`, `held=N`, `applied=D`: another type, times held, date of the last apply.
    fn edit_universe(&mut self, line: &str, as_of: NaiveDate, policy: &Policy) {
        let (head, symbols) = line.split_once(':').unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name = UniverseName::known(words.next().expect("a universe has a name"));
        let members: Vec<Symbol> = symbols.split_whitespace().map(symbol).collect();
        let stored = self.snapshot.universes.entry(name.clone()).or_insert_with(|| StoredUniverse {
            cache_type: Universe::kinds_by_name(policy).get(&name).map(ToString::to_string),
            members: members.clone(),
            content: None,
            state: Some(UniverseState { last_as_of: as_of.pred_opt().expect("a day before"), held_runs: 0 }),
        });
        let metadata = match &stored.content {
            Some(StoredContent::WellFormed { metadata, .. }) => metadata.clone(),
            _ => serde_json::json!({}),
        };
        if line.contains(':') {
            stored.content = Some(StoredContent::WellFormed {
                symbols: members.clone(),
                count: members.len() as i64,
                metadata,
            });
            if !head.contains("edited") {
                stored.members.clone_from(&members);
            }
        }
        for word in words {
            let (word, value) = word.split_once('=').unwrap_or((word, ""));
            match word {
                "unmanaged" => stored.state = None,
                "edited" => stored.members.sort_by_key(|member| !members.contains(member)),
                "deleted" => stored.content = None,
                "malformed" => stored.content = Some(StoredContent::Malformed),
                "type" => stored.cache_type = Some(value.to_owned()),
                "held" => state(stored).held_runs = value.parse().expect("a number"),
                "applied" => state(stored).last_as_of = date(value),
                _ => panic!("unknown word {word:?} in {line:?}"),
            }
        }
    }
}

fn state(stored: &mut StoredUniverse) -> &mut UniverseState {
    stored.state.as_mut().expect("only a row of ours has been held or applied")
}

fn foreign_row(line: &str) -> ForeignRow {
    match line.split_once(':') {
        Some((name, symbols)) => {
            ForeignRow { universe: name.to_owned(), symbols: Some(quoted_words(symbols)) }
        }
        None => ForeignRow { universe: line.trim_end_matches(" malformed").to_owned(), symbols: None },
    }
}

fn pin(line: &str) -> Pin {
    let words = quoted_words(line);
    let [kind, pinned, universe, rest @ .., reason] = &words[..] else {
        panic!("{line:?} is no pin");
    };
    Pin {
        kind: PinKind::from_text(kind).expect("pin or ban"),
        symbol: symbol(pinned),
        universe: UniverseName::known(universe),
        reason: reason.clone(),
        until: rest.first().map(|word| date(word.strip_prefix("until=").expect("until=DATE"))),
    }
}

fn recent_exit(line: &str, order: Order) -> RecentExit {
    let (universe, left) = line.split_once(' ').expect("a universe and a symbol");
    RecentExit {
        universe: UniverseName::known(universe),
        symbol: symbol(left),
        as_of: order.as_of.pred_opt().expect("a day before"),
        reason: ExitReason::Delisted,
    }
}

/// `A..C` with equal letters and counted digits, or one symbol.
fn symbol_range(text: &str) -> Vec<String> {
    let Some((first, last)) = text.split_once("..") else { return vec![text.to_owned()] };
    let letters = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let (from, to) = (&first[letters.len()..], &last[letters.len()..]);
    let number = |digits: &str| digits.parse::<usize>().expect("a range counts in digits");
    (number(from)..=number(to)).map(|n| format!("{letters}{n:0width$}", width = from.len())).collect()
}

fn security(text: &str, row: &BTreeMap<String, String>, as_of: NaiveDate) -> Security {
    let get = |key: &str| row.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let mut security = Security::new(symbol(text), get("type").unwrap_or("CS"));
    security.stored_cap = figure(get("cap"));
    if let (Figure::Value(cap), Figure::Value(step)) = (security.stored_cap, figure(get("step"))) {
        let place: i64 = row["place"].parse().expect("a number");
        security.stored_cap = Figure::Value(cap + step * Decimal::from(place));
    }
    security.shares = figure(get("shares"));
    security.sector = get("sector").map(Into::into);
    security.name = get("name").map(Into::into);
    security.industry = get("industry").map(Into::into);
    security.sic_code = get("sic").map(Into::into);
    security.cik = get("cik").map(Into::into);
    security.share_class_figi = get("figi").map(Into::into);
    security.composite_figi = get("composite").map(Into::into);
    security.dividend_growth_years = get("years").map(|years| years.parse().expect("whole years"));
    security.esg_score = figure(get("esg"));
    security.volume = figure(get("volume"));
    security.previous_volume = figure(get("before"));
    security.etf_type = get("kind").map(Into::into);
    security.aum_millions = figure(get("aum"));
    security.list_date = get("listed").map(date);
    security.delisted_date = get("delisted").map(date);
    security.active = match get("active") {
        None | Some("yes") => Some(true),
        Some("no") => Some(false),
        Some("null") => None,
        Some(other) => panic!("active is yes, no or null, not {other:?}"),
    };
    security.close = match get("close").unwrap_or("1") {
        "none" => None,
        close => {
            let (price, day) = close.split_once('@').unwrap_or((close, ""));
            let day = if day.is_empty() { as_of } else { date(day) };
            Some(Close { date: day, price: figure(Some(price)) })
        }
    };
    security
}

fn figure(text: Option<&str>) -> Figure {
    let Some(text) = text else { return Figure::Missing };
    if text == "NaN" {
        return Figure::Invalid;
    }
    let number = text.trim_end_matches(['K', 'M', 'B', 'T']);
    let unit: i64 = match &text[number.len()..] {
        "K" => 1_000,
        "M" => 1_000_000,
        "B" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => 1,
    };
    let number: Decimal = number.parse().unwrap_or_else(|_| panic!("{text:?} is no number"));
    Figure::Value(number * Decimal::from(unit))
}

/// Words between blanks; a word may hold blanks between quotes.
fn quoted_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().expect("there is a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `ACME/2026-07-20/400B/40`: the stock, and date, cap and close of its good value.
fn distrusted(text: &str) -> Distrusted {
    let parts: Vec<&str> = text.split('/').collect();
    let [stock, day, cap, close] = parts[..] else { panic!("{text:?} is not SYMBOL/DATE/CAP/CLOSE") };
    let Figure::Value(cap) = figure(Some(cap)) else { panic!("{text:?} has no cap") };
    let cap_cents = i64::try_from(cap * Decimal::from(100)).expect("cents");
    let good = TakenValue { as_of: date(day), cap_cents, close_dollars: close.parse().expect("a close") };
    Distrusted { symbol: symbol(stock), good }
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap_or_else(|| panic!("{text:?} is no symbol"))
}

fn date(text: &str) -> NaiveDate {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no date"))
}

fn lines_with<'l>(indent: &str, lines: impl Iterator<Item = &'l str>) -> String {
    lines.flat_map(|line| [indent, line, "\n"]).collect()
}

/// The lines of both texts, `-` where only expected, `+` where only found.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // The number of lines that the ends of both texts from here on have in common, in the same order.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("    {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("  - {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("  + {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n") + "\n"
}
