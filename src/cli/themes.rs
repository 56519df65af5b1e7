//! `themes`: what a person looks at to keep the lists of the themes.

use serde_json::{Value, json};

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::universe::UniverseName;
use crate::plan::given::policy::{Method, Policy, Theme};
use crate::plan::review::{self, NearMiss, Recall};
use crate::service::review;
use crate::settings::nearest;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table, clipped, counted};
use super::{Context, now};

/// Characters of a company's name that are shown.
const NAME_CHARS: usize = 32;

/// Looks at the themes: who nearly got in, and how much the rules alone find
///
/// Five of the shipped themes are curated lists: ai_ml_leaders, cloud_computing, crypto_blockchain, fintech_disruptors
/// and green_energy. Nothing in a name or code gives their companies away, so people keep the lists in themes.toml,
/// and rules see to it that what is on them trades and is large enough. So is dividend_aristocrats where the source
/// has no column of dividend increases. biotech_innovators and technology_leaders go by rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync themes candidates
  cache-sync themes candidates biotech_innovators --all
  cache-sync themes recall")]
pub struct ThemesArgs {
    /// What to look at.
    #[command(subcommand)]
    command: ThemesCommand,
}

/// What can be looked at.
#[derive(Debug, clap::Subcommand)]
enum ThemesCommand {
    /// Lists stocks that something speaks for, but too little to be in a theme; new listings first
    ///
    /// Whoever belongs there goes into `seeds` of the theme in themes.toml, whoever does not into `deny`. Then write
    /// the day into `curated`.
    #[command(after_help = "\
Examples:
  cache-sync themes candidates
  cache-sync themes candidates biotech_innovators --all
  cache-sync themes candidates --json | jq -r '.[] | select(.is_new_listing) | .symbol'")]
    Candidates {
        /// Only those of this theme
        theme: Option<String>,
        /// Show every stock, not only the first ten of a theme
        #[arg(long)]
        all: bool,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Shows how much of each list the rules would find, were each symbol in turn taken out of it
    ///
    /// A theme of whose list the rules find less than half is a curated list: it is as good as the people who keep it.
    #[command(after_help = "\
Examples:
  cache-sync themes recall
  cache-sync themes recall --json | jq -r '.[] | [.universe, .found, .present] | @tsv'")]
    Recall {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Runs `themes`.
pub async fn themes(args: &ThemesArgs, context: &Context) -> Result<(), Exit> {
    match &args.command {
        ThemesCommand::Candidates { theme, all, json } => {
            candidates(theme.as_deref(), *all, *json, context).await
        }
        ThemesCommand::Recall { json } => recall(*json, context).await,
    }
}

async fn candidates(theme: Option<&str>, all: bool, json: bool, context: &Context) -> Result<(), Exit> {
    let settings = &context.settings;
    let database = context.database()?;
    let found = review(&database, settings, now(), |market, policy| {
        (review::candidates(market, policy), policy.clone())
    });
    let (mut found, policy) = found.await??;
    let wanted = wanted(&policy, theme)?;
    found.retain(|miss| wanted.iter().any(|theme| theme.universe == miss.theme));
    if json {
        return screen::print_json(&candidates_json(&found));
    }
    let style = Style { lines: if all { usize::MAX } else { context.style.lines }, ..context.style };
    screen::print(&render_candidates(&wanted, &found, policy.themes.scoring.entry_score, &style))
}

/// The themes that go by evidence, or the one that was named.
fn wanted<'a>(policy: &'a Policy, theme: Option<&str>) -> Result<Vec<&'a Theme>, Exit> {
    let themes = &policy.themes.themes;
    let Some(name) = theme else {
        let by_evidence = |theme: &&Theme| theme.is_enabled && matches!(theme.method, Method::Evidence(_));
        return Ok(themes.iter().filter(by_evidence).collect());
    };
    let theme = themes.iter().find(|theme| theme.universe.as_str() == name);
    let theme = theme.ok_or_else(|| unknown_theme(name, themes))?;
    let key = &theme.universe;
    match &theme.method {
        Method::Evidence(_) if theme.is_enabled => Ok(vec![theme]),
        Method::Evidence(_) => Err(Exit::NotDone(format!("{key} is switched off (themes.{key})"))),
        Method::DividendGrowth { .. } | Method::EsgScore(_) | Method::SectorLeaders(_) => {
            Err(Exit::NotDone(format!("{key} has no candidates: it does not add up evidence")))
        }
    }
}

fn unknown_theme(name: &str, themes: &[Theme]) -> Exit {
    let known: Vec<&str> = themes.iter().map(|theme| theme.universe.as_str()).collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Exit::NotDone(format!("there is no theme {name:?}; {hint}"))
}

/// The candidates of each theme, as many as the screen has lines for one list.
pub fn render_candidates(themes: &[&Theme], found: &[NearMiss], entry_score: u32, style: &Style) -> String {
    let mut text = String::new();
    for theme in themes {
        let of_theme: Vec<&NearMiss> = found.iter().filter(|miss| miss.theme == theme.universe).collect();
        text += &render_theme(theme, &of_theme, style);
    }
    let advice = format!(
        "A theme takes whose evidence adds up to {entry_score}. In themes.toml, put who belongs into seeds of the \
         theme, who does not into deny, and the day into curated."
    );
    let lines = screen::wrapped(&advice, style.width);
    text + &lines.iter().map(|line| format!("{}\n", style.paint(Ink::Dim, line))).collect::<String>()
}

fn render_theme(theme: &Theme, found: &[&NearMiss], style: &Style) -> String {
    let new = found.iter().filter(|miss| miss.is_new_listing).count();
    let facts = format!(
        "{}, {} of them new; {} on its list of {}",
        counted(found.len(), "candidate", "candidates"),
        screen::thousands(new as u64),
        counted(theme.seeds.len(), "symbol", "symbols"),
        theme.curated
    );
    let heading =
        format!("{}  {}\n", style.paint(Ink::Bold, theme.universe.as_str()), style.paint(Ink::Dim, &facts));
    if found.is_empty() {
        return heading + "\n";
    }
    let mut table = Table::new(["  SYMBOL", "", "#SCORE", "#CAP", "NAME", "EVIDENCE"]);
    for miss in found.iter().take(style.lines) {
        table.row([
            format!("  {}", miss.symbol).into(),
            Cell::new(Ink::Green, if miss.is_new_listing { "new" } else { "" }),
            miss.score.to_string().into(),
            miss.cap.map(Usd::short).unwrap_or_default().into(),
            clipped(miss.name.as_deref().unwrap_or_default(), NAME_CHARS).into(),
            miss.evidence.as_str().into(),
        ]);
    }
    let rest = match found.len().saturating_sub(style.lines) {
        0 => String::new(),
        rest => format!("  ... and {} more (--all)\n", screen::thousands(rest as u64)),
    };
    format!("{heading}{}{}\n", table.render(style), style.paint(Ink::Dim, &rest))
}

/// The candidates for a program.
pub fn candidates_json(found: &[NearMiss]) -> Value {
    let one = |miss: &NearMiss| {
        json!({
            "universe": miss.theme, "symbol": miss.symbol, "name": miss.name, "score": miss.score,
            "evidence": miss.evidence, "market_cap": miss.cap.map(|cap| cap.to_string()),
            "is_new_listing": miss.is_new_listing,
        })
    };
    found.iter().map(one).collect()
}

async fn recall(json: bool, context: &Context) -> Result<(), Exit> {
    let settings = &context.settings;
    let database = context.database()?;
    let looked = review(&database, settings, now(), |market, policy| {
        (review::recall(market, policy), review::lists_for_want_of_a_column(market, policy))
    });
    let (recalls, other_lists) = looked.await??;
    if json {
        screen::print_json(&recalls.iter().map(recall_json).collect())
    } else {
        screen::print(&render_recall(&recalls, &other_lists, &context.style))
    }
}

/// How much of each list the rules find, and which themes are lists therefore.
pub fn render_recall(recalls: &[Recall], other_lists: &[UniverseName], style: &Style) -> String {
    let mut table =
        Table::new(["THEME", "IS", "#ON ITS LIST", "#FOUND", "#RECALL", "FOUND BY THE RULES ALONE"]);
    for recall in recalls {
        let symbols: Vec<&str> = recall.found.iter().take(style.lines).map(Symbol::as_str).collect();
        let more = if recall.found.len() > symbols.len() { " ..." } else { "" };
        table.row([
            recall.theme.as_str().into(),
            kind(recall).into(),
            recall.present.to_string().into(),
            recall.found.len().to_string().into(),
            percent(recall).map(|percent| format!("{percent} %")).unwrap_or_default().into(),
            format!("{}{more}", symbols.join(" ")).into(),
        ]);
    }
    let mut notes = vec![
        "Each symbol that is on a list and trades is judged as if it were not on it. Where the rules find less than \
         half, the theme is a curated list: people keep it, and rules only see to it that what is on it trades and \
         is large enough."
            .to_owned(),
    ];
    if !other_lists.is_empty() {
        let names: Vec<&str> = other_lists.iter().map(UniverseName::as_str).collect();
        notes.push(format!(
            "A list as well, for the source lacks the column that its rule goes by: {}.",
            names.join(", ")
        ));
    }
    let mut text = table.render(style);
    for note in notes {
        let lines = screen::wrapped(&note, style.width);
        text += &format!("\n{}\n", lines.join("\n"));
    }
    text
}

fn kind(recall: &Recall) -> &'static str {
    match recall.present {
        0 => "",
        _ if recall.is_curated() => "a curated list",
        _ => "found by rules",
    }
}

/// The share that is found, in whole per cent; none of an empty list.
fn percent(recall: &Recall) -> Option<usize> {
    (recall.found.len() * 100).checked_div(recall.present)
}

fn recall_json(recall: &Recall) -> Value {
    json!({
        "universe": recall.theme, "is_curated": recall.is_curated(), "present": recall.present,
        "found": recall.found.len(), "found_symbols": recall.found, "missed_symbols": recall.missed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{LoadArgs, Settings};

    fn policy() -> Policy {
        let args = LoadArgs {
            config: None,
            directory: "/nowhere".into(),
            env: [("DATABASE_URL".into(), "postgresql://localhost/x".into())].into_iter(),
            overrides: vec![("themes.green_energy".to_owned(), "false".to_owned())],
        };
        Settings::load(args).expect("the shipped settings").policy()
    }

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("a symbol")
    }

    fn misses() -> Vec<NearMiss> {
        let miss = |text: &str, name: &str, score, evidence: &str, is_new_listing| NearMiss {
            theme: UniverseName::known("biotech_innovators"),
            symbol: symbol(text),
            name: Some(name.to_owned()),
            score,
            evidence: evidence.to_owned(),
            cap: Usd::from_decimal(12_400_000_000_i64.into()),
            is_new_listing,
        };
        vec![
            miss("NEWT", "Newt Oncology Inc.", 1, "SIC 3826 nearby 1", true),
            miss("OLDE", "Olde Instruments and Laboratory Supplies Holdings", 1, "SIC 3826 nearby 1", false),
            miss("MORE", "More", 1, "SIC 8731 nearby 1", false),
        ]
    }

    #[test]
    fn candidates_stand_by_theme_with_evidence_and_what_to_do() {
        let policy = policy();
        let themes = wanted(&policy, Some("biotech_innovators")).expect("it is a theme");
        let style = Style { lines: 2, ..Style::PLAIN };
        insta::assert_snapshot!(render_candidates(&themes, &misses(), 3, &style), @r"
        biotech_innovators  3 candidates, 1 of them new; 40 symbols on its list of 2026-11-22
          SYMBOL       SCORE     CAP  NAME                              EVIDENCE
          NEWT    new      1  12.40B  Newt Oncology Inc.                SIC 3826 nearby 1
          OLDE             1  12.40B  Olde Instruments and Laboratory…  SIC 3826 nearby 1
          ... and 1 more (--all)

        A theme takes whose evidence adds up to 3. In themes.toml, put who belongs into seeds of the theme, who does
        not into deny, and the day into curated.
        ");
        insta::assert_snapshot!(candidates_json(&misses()[..1]), @r#"[{"universe":"biotech_innovators","symbol":"NEWT","name":"Newt Oncology Inc.","score":1,"evidence":"SIC 3826 nearby 1","market_cap":"12400000000.00","is_new_listing":true}]"#);
    }

    #[test]
    fn a_theme_that_can_have_no_candidates_is_told_from_an_unknown_one() {
        let policy = policy();
        let said = |name: &str| wanted(&policy, Some(name)).map(|_| ()).expect_err("no candidates");
        let texts = ["biotech_inovators", "stamps", "technology_leaders", "green_energy"].map(|name| {
            assert_eq!(said(name).code(), 1);
            said(name).message().unwrap_or_default().to_owned()
        });
        insta::assert_snapshot!(texts.join("\n"), @r#"
        there is no theme "biotech_inovators"; did you mean "biotech_innovators"?
        there is no theme "stamps"; there are ai_ml_leaders, biotech_innovators, cloud_computing, crypto_blockchain, dividend_aristocrats, esg_leaders, fintech_disruptors, green_energy, technology_leaders
        technology_leaders has no candidates: it does not add up evidence
        green_energy is switched off (themes.green_energy)
        "#);
        let all: Vec<&str> =
            wanted(&policy, None).expect("all").iter().map(|theme| theme.universe.as_str()).collect();
        assert_eq!(
            all,
            [
                "ai_ml_leaders",
                "biotech_innovators",
                "cloud_computing",
                "crypto_blockchain",
                "fintech_disruptors"
            ]
        );
    }

    #[test]
    fn recall_says_which_themes_are_lists() {
        let recall = |theme: &str, found: &[&str], missed: &[&str]| Recall {
            theme: UniverseName::known(theme),
            present: found.len() + missed.len(),
            found: found.iter().map(|text| symbol(text)).collect(),
            missed: missed.iter().map(|text| symbol(text)).collect(),
        };
        let recalls = [
            recall("ai_ml_leaders", &["AI"], &["NVDA", "MSFT"]),
            recall("biotech_innovators", &["CRSP", "MRNA"], &["GILD"]),
            recall("green_energy", &[], &[]),
        ];
        let lists = [UniverseName::known("dividend_aristocrats")];
        insta::assert_snapshot!(render_recall(&recalls, &lists, &Style::PLAIN), @r"
        THEME               IS              ON ITS LIST  FOUND  RECALL  FOUND BY THE RULES ALONE
        ai_ml_leaders       a curated list            3      1    33 %  AI
        biotech_innovators  found by rules            3      2    66 %  CRSP MRNA
        green_energy                                  0      0

        Each symbol that is on a list and trades is judged as if it were not on it. Where the rules find less than
        half, the theme is a curated list: people keep it, and rules only see to it that what is on it trades and is
        large enough.

        A list as well, for the source lacks the column that its rule goes by: dividend_aristocrats.
        ");
        insta::assert_snapshot!(recall_json(&recalls[0]), @r#"{"universe":"ai_ml_leaders","is_curated":true,"present":3,"found":1,"found_symbols":["AI"],"missed_symbols":["NVDA","MSFT"]}"#);
    }
}
