//! The table that a live `AppV2` database has: every row where its readers look for it, in a shape they can bear, at
//! every moment; and nothing else of it touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cache_sync::doctor;
use cache_sync::domain::job::{JobId, JobRequest};
use cache_sync::domain::task::Mode;
use cache_sync::service::{Preview, preview};
use cache_sync::store::history::{When, universe_members};
use cache_sync::store::{Database, Limits};
use chrono::Utc;
use serde_json::{Value, json};

use crate::world::{KEYS, World, background, request, stock, until};

impl World {
    /// The same after a first sync.
    async fn appv2_filled() -> Self {
        let world = Self::appv2(KEYS[0], &[]).await;
        world.sync("first").await;
        world
    }

    /// The rows as one statement sees them.
    pub(crate) async fn rows(&self) -> Vec<AppRow> {
        rows(&self.settings()).await
    }

    /// The value of a row of the environment that is ours.
    async fn value(&self, kind: &str, name: &str, key: &str) -> Value {
        let rows = self.rows().await;
        let row = rows.into_iter().find(|row| {
            (row.kind.as_str(), row.name.as_str(), row.key.as_str(), row.environment.as_str())
                == (kind, name, key, "DEFAULT")
        });
        row.unwrap_or_else(|| panic!("there is no row {kind}, {name}, {key}")).value
    }

    /// The tickers of a row under `stock_universe`.
    async fn tickers(&self, name: &str, key: &str) -> Vec<String> {
        let value = self.value("stock_universe", name, key).await;
        tickers(&value["stocks"]).unwrap()
    }

    /// Every row of others, and who wrote it.
    async fn others(&self) -> Vec<String> {
        self.ask("select id, xmin, ctid, md5(e::text) from cache_entries e where id <= 9 order by id").await
    }

    /// Every row, and who wrote it.
    async fn portrait(&self) -> Vec<String> {
        self.ask("select id, xmin, ctid, md5(e::text) from cache_entries e order by id").await
    }

    /// Every row to the letter, but for when it was written.
    async fn letters(&self) -> Vec<String> {
        self.ask(
            "select type, name, key, environment,
                    case when type = 'stock_stats' then value #- '{overview,last_updated}' else value end
             from cache_entries order by type, name, key, environment",
        )
        .await
    }

    /// The universes whose rows the command `plan` would have written.
    async fn previewed_rewrites(&self) -> Vec<String> {
        let settings = self.settings();
        let database = Database::new(&settings.database).unwrap();
        let Preview::Planned(plan) = preview(&database, &settings, &request("preview")).await.unwrap() else {
            panic!("there is a plan");
        };
        let rewritten = plan.universes.iter().filter(|universe| universe.rewrite);
        rewritten.map(|universe| universe.name.to_string()).collect()
    }

    pub(crate) async fn members_in_history(&self, universe: &str) -> BTreeSet<String> {
        let sql = "select symbol from universe_membership where valid_to is null and universe = ";
        self.ask(&format!("{sql}'{universe}'")).await.into_iter().collect()
    }
}

/// A row of `AppV2`'s table.
#[derive(Debug, Clone)]
pub(crate) struct AppRow {
    kind: String,
    name: String,
    key: String,
    environment: String,
    value: Value,
}

async fn rows(settings: &cache_sync::settings::Settings) -> Vec<AppRow> {
    let client = Database::new(&settings.database).unwrap().client().await.unwrap();
    let sql = "select type::text, name::text, key::text, environment::text, value from cache_entries order by type, name, key";
    let rows = client.query(sql, &[]).await.unwrap();
    let row = |row: &tokio_postgres::Row| AppRow {
        kind: row.get(0),
        name: row.get(1),
        key: row.get(2),
        environment: row.get(3),
        value: row.get(4),
    };
    rows.iter().map(row).collect()
}

/// What each program of `AppV2` makes of the table, and where it would fall over.
pub(crate) mod readers {
    use super::*;

    /// The `ticker` of every element, as `[stock['ticker'] for stock in stocks]` reads it.
    pub(crate) fn tickers(list: &Value) -> Result<Vec<String>, String> {
        let elements = list.as_array().ok_or(format!("{list} is no list"))?;
        let ticker = |element: &Value| {
            let ticker = element["ticker"].as_str().filter(|ticker| !ticker.trim().is_empty());
            ticker.map(str::to_owned).ok_or(format!("{element} has no ticker"))
        };
        elements.iter().map(ticker).collect()
    }

    fn texts(list: &Value) -> Result<Vec<String>, String> {
        let elements = list.as_array().ok_or(format!("{list} is no list"))?;
        elements.iter().map(|text| text.as_str().map(str::to_owned).ok_or(format!("{text}"))).collect()
    }

    /// The dropdowns, of every environment: one row that can't be read takes all that follow with it, and an empty table
    /// the whole program. Of a fund universe only a bare list is an entry.
    pub(crate) fn dropdowns(rows: &[AppRow]) -> Result<BTreeMap<String, Vec<String>>, String> {
        if rows.is_empty() {
            return Err("no cache entries found in database".to_owned());
        }
        let mut dropdowns = BTreeMap::new();
        for row in rows {
            let (key, found) = match (row.kind.as_str(), &row.value) {
                ("stock_universe", Value::Object(fields)) if fields.contains_key("stocks") => {
                    (format!("{}:{}", row.name, row.key), tickers(&row.value["stocks"])?)
                }
                ("etf_universe", Value::Array(_)) => (format!("etf_{}", row.key), texts(&row.value)?),
                ("stock_etf_combo", Value::Object(_)) => {
                    (format!("{}:{}", row.name, row.key), tickers(&row.value["stocks"])?)
                }
                ("themes", Value::Array(_)) => (format!("theme_{}", row.name), texts(&row.value)?),
                _ => continue,
            };
            dropdowns.insert(key, found);
        }
        Ok(dropdowns)
    }

    /// The end-of-day reader: `value.get('stocks', [])`, which a list does not have.
    pub(crate) fn end_of_day(rows: &[AppRow]) -> Result<BTreeSet<String>, String> {
        let mut symbols = BTreeSet::new();
        for row in rows.iter().filter(|row| row.environment == "DEFAULT") {
            let list = match row.kind.as_str() {
                "stock_universe" => "stocks",
                "etf_universe" => "etfs",
                _ => continue,
            };
            let fields =
                row.value.as_object().ok_or(format!("'list' object has no attribute 'get': {row:?}"))?;
            symbols.extend(fields.get(list).map_or(Ok(Vec::new()), tickers)?);
        }
        Ok(symbols)
    }

    /// The historical loader, asked for one universe.
    pub(crate) fn historical(
        rows: &[AppRow],
        kind: &str,
        name: &str,
        key: &str,
    ) -> Result<Vec<String>, String> {
        let row =
            rows.iter().find(|row| (row.kind.as_str(), row.key.as_str()) == (kind, key) && row.name == name);
        let value = &row.ok_or(format!("no symbols found for {key}"))?.value;
        match value {
            Value::Array(_) => texts(value),
            Value::Object(fields) if fields.contains_key("stocks") => tickers(&value["stocks"]),
            Value::Object(fields) if fields.contains_key("etfs") => tickers(&value["etfs"]),
            _ => Err(format!("unknown value format for {key}")),
        }
    }

    /// The live feed, which does not start with nothing to listen to.
    pub(crate) fn live_feed(rows: &[AppRow]) -> Result<Vec<String>, String> {
        let symbols = historical(rows, "stock_etf_combo", "stock_etf_test", "combo_test")?;
        if symbols.is_empty() { Err("nothing to listen to".to_owned()) } else { Ok(symbols) }
    }

    /// All of them.
    pub(crate) fn all_can_read(rows: &[AppRow]) -> Result<(), String> {
        dropdowns(rows)?;
        end_of_day(rows)?;
        live_feed(rows)?;
        for (name, key) in
            [("market_cap", "mega_cap"), ("market_leaders", "top_50"), ("complete", "all_stocks")]
        {
            historical(rows, "stock_universe", name, key)?;
        }
        Ok(())
    }
}

use readers::tickers;

#[tokio::test]
async fn every_universe_has_its_row_where_appv2_looks_for_it() {
    for key in KEYS {
        let world = World::appv2(key, &[]).await;
        let others = world.others().await;
        world.sync("first").await;
        let ours = "select type || '/' || name || '/' || key from cache_entries where id > 9 order by 1";
        let mut found = world.ask(ours).await;
        let by_key = key == KEYS[1];
        let list = |key: &'static str| if by_key { key } else { "list" };
        let mut wanted: Vec<String> = [
            "etf_universe/All ETFs/etf_all",
            "etf_universe/Bond ETFs/etf_bonds",
            "etf_universe/Broad Market ETFs/etf_broad_market",
            "etf_universe/Commodity ETFs/etf_commodities",
            "etf_universe/Growth ETFs/etf_growth",
            "etf_universe/International ETFs/etf_international",
            "etf_universe/Sector ETFs/etf_sectors",
            "etf_universe/Technology ETFs/etf_technology",
            "etf_universe/Value ETFs/etf_value",
            // The lists of the dropdowns.
            "etf_universe/All/etf_all",
            "etf_universe/Bond/etf_bonds",
            "etf_universe/Broad Market/etf_broad_market",
            "etf_universe/Commodity/etf_commodities",
            "etf_universe/Growth/etf_growth",
            "etf_universe/International/etf_international",
            "etf_universe/Sector/etf_sectors",
            "etf_universe/Technology/etf_technology",
            "etf_universe/Value/etf_value",
            "stock_etf_combo/stock_etf_test/combo_test",
            "stock_stats/universe/summary",
            "stock_universe/complete/all_stocks",
        ]
        .map(str::to_owned)
        .into();
        let under = |name: &str, keys: &[&str]| -> Vec<String> {
            keys.iter().map(|key| format!("stock_universe/{name}/{key}")).collect()
        };
        wanted.extend(under("market_cap", &["mega_cap", "large_cap", "mid_cap", "small_cap", "micro_cap"]));
        let leaders = ["top_10_stocks", "top_50", "top_100", "top_250", "top_500", "top_1000", "top_2000"];
        wanted.extend(under("market_leaders", &leaders));
        let sectors = "technology healthcare financial_services consumer_discretionary consumer_staples industrials \
                       energy utilities materials real_estate communication_services";
        let sectors: Vec<String> =
            sectors.split_whitespace().map(|sector| format!("top_10_{sector}")).collect();
        wanted.extend(under("sector_leaders", &sectors.iter().map(String::as_str).collect::<Vec<_>>()));
        let themes = [
            ("AI & Machine Learning Leaders", "ai_ml_leaders"),
            ("Biotech Innovators", "biotech_innovators"),
            ("Cloud Computing", "cloud_computing"),
            ("Crypto & Blockchain", "crypto_blockchain"),
            ("Dividend Aristocrats", "dividend_aristocrats"),
            ("ESG Leaders", "esg_leaders"),
            ("Fintech Disruptors", "fintech_disruptors"),
            ("Green & Renewable Energy", "green_energy"),
            ("Technology Leaders", "technology_leaders"),
        ];
        wanted.extend(under("themes", &themes.map(|(_, key)| key)));
        wanted.extend(themes.map(|(title, key)| format!("themes/{title}/{}", list(key))));
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted);
        assert_eq!(
            world.ask("select distinct environment from cache_entries where id > 9 order by 1").await,
            ["DEFAULT", "DROPDOWN"]
        );
        assert_eq!(world.others().await, others);
        readers::all_can_read(&world.rows().await).unwrap();
        // The same membership, rank by rank, is in our tables.
        for (universe, name, row) in [
            ("top_10", "market_leaders", "top_10_stocks"),
            ("top_50", "market_leaders", "top_50"),
            ("large_cap", "market_cap", "large_cap"),
            ("technology_leaders", "themes", "technology_leaders"),
            ("all_stocks", "complete", "all_stocks"),
        ] {
            let shown = world.tickers(name, row).await;
            assert!(!shown.is_empty());
            assert_eq!(world.members_in_history(universe).await, shown.into_iter().collect());
        }
        assert_eq!(
            tickers(&world.value("stock_universe", "themes", "technology_leaders").await["stocks"]).unwrap(),
            readers::historical(
                &world.rows().await,
                "themes",
                "Technology Leaders",
                list("technology_leaders")
            )
            .unwrap()
        );
    }
}

#[tokio::test]
async fn every_element_says_all_that_its_readers_want_and_never_null() {
    let world = World::appv2(KEYS[0], &[]).await;
    world.list(stock("ODD").cap("900B")).await;
    world.list(stock("QUOT").cap("800B")).await;
    let name = "O''Rörby \"& Söhne\" <b>株式会社</b>; drop table symbols; -- \\u0041";
    world
        .sql(&format!(
            "update symbols set name = '  ', exchange = null, sector = null, industry = null where symbol = 'ODD';
             update symbols set name = '{name}', exchange = 'XNAS', sector = 'Tech', industry = 'Software'
             where symbol = 'QUOT'"
        ))
        .await;
    world.sync("first").await;
    let top = world.value("stock_universe", "market_leaders", "top_10_stocks").await;
    assert_eq!(top["count"], 10);
    assert_eq!(
        top["stocks"][0],
        json!({"ticker": "ODD", "name": "ODD", "rank": 1, "sector": "Unknown", "industry": "Unknown",
               "exchange": "Unknown", "market_cap": 900_000_000_000_i64, "market": "stocks"})
    );
    assert_eq!(
        top["stocks"][1],
        json!({"ticker": "QUOT", "name": name.replace("''", "'"), "rank": 2, "sector": "Technology",
               "industry": "Software", "exchange": "XNAS", "market_cap": 800_000_000_000_i64, "market": "stocks"})
    );
    let all = world.value("etf_universe", "All ETFs", "etf_all").await;
    assert_eq!(
        all,
        json!({"count": 3, "etfs": [
            {"ticker": "SPY", "symbol": "SPY", "name": "SPDR S&P 500 ETF Trust", "etf_type": "broad_market",
             "issuer": "State Street"},
            {"ticker": "TLT", "symbol": "TLT", "name": "iShares 20+ Year Treasury Bond ETF", "etf_type": "bond",
             "issuer": "BlackRock"},
            {"ticker": "BARE", "symbol": "BARE", "name": "BARE", "etf_type": "ETF", "issuer": "Unknown"}]})
    );
    let complete = world.value("stock_universe", "complete", "all_stocks").await;
    assert_eq!(complete["count"], 132);
    assert_eq!(complete["stocks"][1], json!({"ticker": "QUOT", "rank": 2}));
    for row in world.rows().await.iter().filter(|row| row.name != "app_settings") {
        assert!(!row.value.to_string().contains("null"), "{row:?}");
    }
    let statistics = world.value("stock_stats", "universe", "summary").await["overview"].clone();
    let total = "select total_market_cap::bigint from cache_entries_metadata where universe = 'all_stocks'";
    assert_eq!(statistics["total_stocks"], 132);
    assert_eq!(statistics["total_market_cap"].as_f64().unwrap() as i64, world.count(total).await);
    assert_eq!((&statistics["unique_exchanges"], &statistics["unique_sectors"]), (&json!(2), &json!(5)));
    assert!(statistics["last_updated"].as_str().unwrap().ends_with('Z'));
    assert!(statistics["average_market_cap"].is_number() && statistics["unique_industries"] == 1);
}

#[tokio::test]
async fn each_reader_falls_over_what_it_can_not_bear() {
    // The readers of these tests are worth something only if they do.
    let row = |kind: &str, value: Value| {
        let text = |text: &str| text.to_owned();
        vec![AppRow {
            kind: text(kind),
            name: text("n"),
            key: text("k"),
            environment: text("DEFAULT"),
            value,
        }]
    };
    assert!(readers::dropdowns(&[]).is_err() && readers::live_feed(&[]).is_err());
    assert!(readers::dropdowns(&row("stock_universe", json!({"stocks": [{"symbol": "A"}]}))).is_err());
    assert!(readers::dropdowns(&row("stock_universe", json!({"stocks": [{"ticker": " "}]}))).is_err());
    let object = row("etf_universe", json!({"etfs": [{"ticker": "A"}]}));
    assert!(readers::dropdowns(&object).unwrap().is_empty(), "an object is no entry");
    assert!(readers::end_of_day(&row("stock_universe", json!(["A"]))).is_err());
    assert!(readers::end_of_day(&row("etf_universe", json!(["A"]))).is_err());
    assert!(
        readers::historical(&row("stock_universe", json!({"n": 1})), "stock_universe", "n", "k").is_err()
    );
}

#[tokio::test]
async fn a_second_sync_writes_no_row_and_a_new_day_only_those_that_differ() {
    let world = World::appv2_filled().await;
    let before = world.portrait().await;
    let status = world.sync("again").await;
    assert_eq!(status["total_changes"], "0");
    assert_eq!(world.portrait().await, before);
    assert_eq!(world.previewed_rewrites().await, [""; 0]);

    world.close_next_day(&[(&background(13), 1.2)]).await;
    let (others, ids) = (world.others().await, world.ask("select id from cache_entries order by id").await);
    let rewrites = world.previewed_rewrites().await;
    assert!(
        rewrites.contains(&"mega_cap".to_owned()) && !rewrites.contains(&"micro_cap".to_owned()),
        "{rewrites:?}"
    );
    world.sync("next").await;
    assert_eq!(world.others().await, others);
    assert_eq!(world.ask("select id from cache_entries order by id").await, ids, "rows are written in place");
    assert!(world.tickers("market_cap", "mega_cap").await.contains(&background(13)));
    let untouched = "select count(*) from cache_entries where key = 'micro_cap' and updated_at > created_at";
    assert_eq!(world.count(untouched).await, 0);
    let touched =
        "select key from cache_entries where name = 'market_cap' and updated_at > created_at and id > 9
                   order by key";
    assert_eq!(world.ask(touched).await, ["large_cap", "mega_cap"]);
}

#[tokio::test]
async fn rankings_nest_here_too_under_a_buffer_and_with_pins() {
    let switches = [("stability.rank_buffer_pct", "20"), ("guards.quarantine", "false")];
    let world = World::appv2(KEYS[0], &switches).await;
    world.sync("first").await;
    let (grown, leapt) = (background(11), background(60));
    world.close_next_day(&[(&grown, 1.3), (&leapt, 40.0)]).await;
    world.sync("second").await;
    let rankings = async || {
        let keys = ["top_10_stocks", "top_50", "top_100", "top_250", "top_500"];
        let mut rankings = Vec::new();
        for key in keys {
            rankings.push(world.tickers("market_leaders", key).await);
        }
        for pair in rankings.windows(2) {
            assert!(pair[0].iter().all(|symbol| pair[1].contains(symbol)), "{pair:?}");
        }
        rankings
    };
    let kept = rankings().await;
    assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), [10, 50, 100, 130, 130]);
    assert!(kept.iter().all(|ranking| ranking.first() == Some(&leapt)), "the largest is in at once");
    assert!(kept[0].contains(&grown) && !kept[0].contains(&background(9)), "rank 8 is, too: {:?}", kept[0]);

    let by_hand = background(30);
    let pinned = world.run_command(&["pin", &by_hand, "top_10", "--reason", "is watched"]).await;
    assert_eq!(pinned.code, 0, "{pinned:?}");
    world.close_next_day(&[]).await;
    world.sync("third").await;
    let with_pin = rankings().await;
    assert_eq!(with_pin.iter().map(Vec::len).collect::<Vec<_>>(), [10, 50, 100, 130, 130]);
    assert!(with_pin.iter().all(|ranking| ranking.contains(&by_hand)), "{:?}", with_pin[0]);
    assert!(!kept[0].contains(&by_hand) && !with_pin[0].contains(&background(8)), "the last gives way");
}

#[tokio::test]
async fn rows_that_somebody_edited_or_deleted_are_restored() {
    let world = World::appv2_filled().await;
    let before = world.letters().await;
    world
        .sql(
            r#"delete from cache_entries where key in ('mega_cap', 'summary') and environment = 'DEFAULT';
               delete from cache_entries where type = 'themes' and name = 'Technology Leaders';
               update cache_entries set value = '["AAPL"]' where key = 'top_50';
               update cache_entries set value = jsonb_set(value, '{stocks,0,name}', '"Somebody"') where key = 'large_cap';
               update cache_entries set value = value || '{"extra": 1}' where key = 'etf_all';"#,
        )
        .await;
    let status = world.sync("again").await;
    assert_eq!(world.letters().await, before);
    assert_eq!(status["total_changes"], "0", "no membership has changed");
}

#[tokio::test]
async fn the_row_of_the_live_feed_is_made_once_and_never_written_again() {
    let world = World::appv2_filled().await;
    let feed = readers::live_feed(&world.rows().await).unwrap();
    let mut wanted: Vec<String> = (1..=50).map(background).collect();
    wanted.extend(["SPY", "TLT"].map(str::to_owned));
    assert_eq!(feed, wanted);
    let value = world.value("stock_etf_combo", "stock_etf_test", "combo_test").await;
    assert_eq!((&value["count"], value["symbols"].as_array().unwrap().len()), (&json!(52), 52));
    world.sql(r#"update cache_entries set value = '["MINE"]' where key = 'combo_test'"#).await;
    world.close_next_day(&[(&background(1), 1.1)]).await;
    world.sync("next").await;
    assert_eq!(readers::live_feed(&world.rows().await).unwrap(), ["MINE"]);
}

#[tokio::test]
async fn rows_that_stood_there_before_are_adopted_and_spellings_kept() {
    for key in KEYS {
        let world = World::appv2(key, &[]).await;
        let (stays, goes, tech) = (background(1), background(50), background(5));
        let list = if key == KEYS[1] { "technology_leaders" } else { "list" };
        world
            .sql(&format!(
                r#"insert into cache_entries (type, name, key, value, environment) values
                   ('stock_universe', 'market_cap', 'mega_cap',
                    '{{"count": 3, "stocks": [{{"ticker": "{stays}"}}, {{"ticker": "{goes}"}}, {{"ticker": "{stays}"}}]}}',
                    'DEFAULT'),
                   ('stock_universe', 'complete', 'all_stocks', '["{stays}", "{goes}"]', 'DEFAULT'),
                   ('etf_universe', 'All ETFs', 'etf_all', '["SPY"]', 'DEFAULT'),
                   ('themes', 'technology LEADERS', '{list}', '["{tech}", "{stays}"]', 'DEFAULT')"#
            ))
            .await;
        world.sync("first").await;
        assert_eq!(world.history("mega_cap", &stays).await, ["2026-03-02 - adopted -"]);
        assert_eq!(world.history("mega_cap", &goes).await, [""; 0]);
        assert_eq!(world.history("all_stocks", &goes).await, ["2026-03-02 - adopted -"]);
        assert_eq!(world.history("etf_all", "SPY").await, ["2026-03-02 - adopted -"]);
        // Of this theme only the list stood there.
        assert_eq!(world.history("technology_leaders", &tech).await, ["2026-03-02 - adopted -"]);
        assert_eq!(world.history("technology_leaders", &stays).await, [""; 0]);
        let titles =
            "select name from cache_entries where type = 'themes' and lower(name) = 'technology leaders'";
        assert_eq!(world.ask(titles).await, ["technology LEADERS"]);
        readers::all_can_read(&world.rows().await).unwrap();
        let portrait = world.portrait().await;
        world.sync("again").await;
        assert_eq!(world.portrait().await, portrait);
    }
}

#[tokio::test]
async fn where_names_tell_no_rows_apart_one_of_another_name_is_somebodys() {
    let world = World::appv2(KEYS[1], &[]).await;
    let row = r#"insert into cache_entries (type, name, key, value, environment)
                 values ('stock_universe', 'complete', 'top_1000', '["OLD"]', 'DEFAULT')"#;
    world.sql(row).await;
    let before = world.portrait().await;
    world.xadd(&[("job_id", "job"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let status = world.status("job").await;
    assert!(
        status["error"].starts_with("foreign_row_name: the row of type stock_universe and key top_1000"),
        "{status:?}"
    );
    let report = doctor::examine(&world.settings(), Utc::now()).await;
    let is_found =
        report.findings.iter().any(|finding| finding.what.starts_with("the row of type stock_universe"));
    assert!(is_found, "{report:?}");
    assert_eq!(world.portrait().await, before);

    let world = World::appv2(KEYS[1], &[("database.adopt_existing", "true")]).await;
    world.sql(row).await;
    let letters = world.letters().await;
    world.sync("first").await;
    assert_eq!(world.ask("select name from cache_entries where key = 'top_1000'").await, ["market_leaders"]);
    world.undo("first").await;
    let feed = "stock_etf_combo";
    let back: Vec<String> = world.letters().await.into_iter().filter(|row| !row.starts_with(feed)).collect();
    assert_eq!(back, letters);

    // Where names do, it is a row of its own.
    let world = World::appv2(KEYS[0], &[]).await;
    world.sql(row).await;
    world.sync("first").await;
    assert_eq!(
        world.ask("select name from cache_entries where key = 'top_1000' order by 1").await,
        ["complete", "market_leaders"]
    );
}

#[tokio::test]
async fn readers_never_see_a_table_that_is_empty_or_half_written() {
    let world = World::appv2_filled().await;
    let (is_done, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut readers_at_work = Vec::new();
    for _ in 0..2 {
        let (settings, is_done, looks) = (world.settings(), Arc::clone(&is_done), Arc::clone(&looks));
        readers_at_work.push(tokio::spawn(async move {
            while !is_done.load(Ordering::Relaxed) {
                let rows = rows(&settings).await;
                readers::all_can_read(&rows).unwrap();
                let list =
                    |name: &str, key: &str| readers::historical(&rows, "stock_universe", name, key).unwrap();
                // Of one sync or of another, but never of two at once.
                assert_eq!(list("market_leaders", "top_500"), list("complete", "all_stocks"));
                assert_eq!(list("market_leaders", "top_50"), list("complete", "all_stocks")[..50]);
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for day in 0..4 {
        let factor = if day % 2 == 0 { 1.5 } else { 0.6 };
        let names = [background(40), background(90), background(7)];
        let moves: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), factor)).collect();
        world.close_next_day(&moves).await;
        world.sync(&format!("day-{day}")).await;
    }
    until("a few looks", async || looks.load(Ordering::Relaxed) > 5).await;
    is_done.store(true, Ordering::Relaxed);
    for reader in readers_at_work {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_that_dies_while_it_writes_leaves_the_table_as_it_was() {
    let world = World::appv2(KEYS[0], &[("worker.lease_seconds", "600")]).await;
    world.sync("first").await;
    let before = world.portrait().await;
    world.close_next_day(&[(&background(13), 1.2)]).await;
    // Behind the rows of the table, which are written before what is known of them.
    let gate = world.gate("insert on cache_entries_metadata").await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "cut"), ("triggered_by", "admin")]).await;
    gate.reached().await;
    assert_eq!(world.portrait().await, before);
    worker.kill();
    gate.open().await;
    until("the end of the dead worker's transaction", async || {
        let holding = "select count(*) from pg_locks l join pg_class c on c.oid = l.relation
                       where c.relname = 'cache_sync_lease'";
        world.count(holding).await == 0
    })
    .await;
    assert_eq!(world.portrait().await, before);
    world.run_once().await;
    assert_eq!(world.ended("cut").await["status"], "completed");
    assert_ne!(world.portrait().await, before);
    readers::all_can_read(&world.rows().await).unwrap();
}

impl World {
    /// Reverts a job, and works until that is done.
    pub(crate) async fn undo(&self, job: &str) {
        let id = format!("revert-of-{job}");
        let revert = JobRequest { mode: Mode::Revert, revert_of: JobId::parse(job), ..request(&id) };
        self.submit(&revert).await;
        self.run_once().await;
        let status = self.status(&id).await;
        assert_eq!(status["status"], "completed", "{}", status["error"]);
    }
}

#[tokio::test]
async fn a_revert_brings_every_row_back_to_the_letter() {
    for key in KEYS {
        let world = World::appv2(key, &[]).await;
        world.list(stock("NEW").cap("7B").listed_days_ago(29)).await;
        world.sync("first").await;
        let (letters, others) = (world.letters().await, world.others().await);
        let history = "select universe, symbol from universe_membership where valid_to is null order by 1, 2";
        let members = world.ask(history).await;
        assert!(world.members_in_history("recent_ipos").await.contains("NEW"));

        world.close_next_day(&[(&background(13), 1.2), (&background(51), 1.2)]).await;
        world.list(stock("NEWER").cap("30B").listed_days_ago(1)).await;
        world.sync("bad").await;
        world.close_next_day(&[]).await;
        world.sync("later").await;
        let after = (world.letters().await, world.ask(history).await);
        assert_ne!(after.0, letters);
        assert!(world.members_in_history("recent_ipos").await.contains("NEWER"));

        world.undo("bad").await;
        assert_eq!(world.letters().await, letters);
        assert_eq!(world.ask(history).await, members);
        assert_eq!(world.others().await, others);
        world.undo("revert-of-bad").await;
        assert_eq!((world.letters().await, world.ask(history).await), after);
        let status = world.sync("again").await;
        assert_eq!(status["total_changes"], "0");
        assert_eq!(world.letters().await, after.0);
    }
}

#[tokio::test]
async fn after_the_revert_of_the_first_sync_only_the_rows_of_others_and_the_feed_stand_there() {
    let world = World::appv2(KEYS[0], &[]).await;
    let row = r#"insert into cache_entries (type, name, key, value, environment)
                 values ('stock_universe', 'market_cap', 'mega_cap', '{"n": 1.50, "stocks": []}', 'DEFAULT')"#;
    world.sql(row).await;
    let letters = world.letters().await;
    world.sync("first").await;
    let filled = world.letters().await;
    world.undo("first").await;
    let (feed, back): (Vec<String>, Vec<String>) =
        world.letters().await.into_iter().partition(|row| row.starts_with("stock_etf_combo"));
    assert_eq!((back, feed.len()), (letters, 1));
    assert_eq!(world.count("select count(*) from cache_entries_metadata").await, 0);
    assert_eq!(world.count("select count(*) from universe_membership where valid_to is null").await, 0);
    world.close_next_day(&[]).await;
    world.sync("second").await;
    assert_eq!(world.letters().await, filled);
}

#[tokio::test]
async fn what_was_written_in_another_layout_can_not_be_put_back_in_this_one() {
    let world = World::filled().await;
    world
        .sql(
            "drop table cache_entries;
             create table cache_entries (type text, name text, key text, value jsonb, environment text,
                unique (type, name, key, environment))",
        )
        .await;
    world
        .submit(&JobRequest { mode: Mode::Revert, revert_of: JobId::parse("first"), ..request("undo") })
        .await;
    world.run_once().await;
    let error = world.status("undo").await["error"].clone();
    assert!(error.starts_with("other_layout: cache_entries has another layout now"), "{error}");
    // Memberships live on in our tables; the next sync shows them in the new one.
    let status = world.sync("next").await;
    assert_eq!(world.history("mega_cap", &background(1)).await, ["2026-03-02 - first_fill -"]);
    assert_eq!(world.history("top_50", &background(1)).await, ["2026-03-02 - first_fill -"]);
    assert!(!status["universes_updated"].contains("mega_cap"), "{}", status["universes_updated"]);
    assert_eq!(world.tickers("market_cap", "mega_cap").await.len(), 12);
}

#[tokio::test]
async fn new_listings_have_history_and_events_but_no_row() {
    let world = World::appv2_filled().await;
    world.close_next_day(&[]).await;
    world.list(stock("NEW").cap("7B").listed_days_ago(1)).await;
    let status = world.sync("next").await;
    assert!(status["universes_updated"].contains("recent_ipos"));
    assert_eq!(world.history("recent_ipos", "NEW").await, ["2026-03-03 - listing -"]);
    assert!(world.event_names("next").await.contains(&"ipo_assignment".to_owned()));
    assert_eq!(world.count("select count(*) from cache_entries where key = 'recent_ipos'").await, 0);
    world.close_next_day(&[]).await;
    assert_eq!(world.sync("last").await["total_changes"], "0");
}

#[tokio::test]
async fn delisted_symbols_leave_our_rows_and_stay_in_those_of_others() {
    let world = World::appv2_filled().await;
    let others = world.others().await;
    world.delist(&background(1)).await;
    world.close_next_day(&[]).await;
    world.sync("next").await;
    assert!(!world.tickers("market_cap", "mega_cap").await.contains(&background(1)));
    assert!(!world.tickers("complete", "all_stocks").await.contains(&background(1)));
    assert_eq!(world.others().await, others);
}

#[tokio::test]
async fn etf_universes_are_bare_lists_where_that_is_wanted() {
    let world = World::appv2(KEYS[0], &[("database.bare_etf_lists", "true")]).await;
    world.sync("first").await;
    assert_eq!(world.value("etf_universe", "All ETFs", "etf_all").await, json!(["SPY", "TLT", "BARE"]));
    readers::dropdowns(&world.rows().await).unwrap();
    let portrait = world.portrait().await;
    world.sync("again").await;
    assert_eq!(world.portrait().await, portrait);
    assert_eq!(world.history("etf_all", "SPY").await, ["2026-03-02 - first_fill -"]);
}

#[tokio::test]
async fn settings_in_rows_win_over_the_file_and_bad_ones_are_reported() {
    let world = World::appv2(KEYS[0], &[]).await;
    world.sync("first").await;
    let plain = world.job("first").await.policy_fingerprint;
    world
        .sql(
            r#"insert into cache_entries (type, name, key, value, environment) values
               ('cache_config', 'market_cap_thresholds', 'mega_cap', '300000000000', 'DEFAULT'),
               ('cache_config', 'market_cap_thresholds', 'large_cap', '"none"', 'DEFAULT'),
               ('cache_config', 'market_cap_thresholds', 'micro_cap', '1', 'STAGING'),
               ('cache_config', 'universe_limits', 'top_25', '{"value": 25}', 'DEFAULT'),
               ('cache_config', 'universe_limits', 'top_250', 'false', 'DEFAULT'),
               ('cache_config', 'theme_definitions', 'cloud_computing', '["BG003", "BG004"]', 'DEFAULT')"#,
        )
        .await;
    world.xadd(&[("job_id", "next"), ("accept_churn", "true"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let status = world.status("next").await;
    assert_eq!(status["status"], "completed", "{}", status["error"]);
    assert!(
        status["warnings"].contains("cache_config: market_cap_thresholds.large_cap is not whole dollars"),
        "{}",
        status["warnings"]
    );
    assert_eq!(world.tickers("market_cap", "mega_cap").await.len(), 5);
    assert_eq!(world.tickers("market_leaders", "top_25").await.len(), 25);
    assert_eq!(world.tickers("themes", "cloud_computing").await, ["BG003", "BG004"]);
    let fingerprint = world.job("next").await.policy_fingerprint;
    assert!(fingerprint.is_some() && fingerprint != plain);
    let told = world.events("next").await;
    assert_eq!(told.last().unwrap().data["payload"]["policy_fingerprint"], json!(fingerprint));

    let report = doctor::examine(&world.settings(), Utc::now()).await;
    let lines: Vec<String> =
        report.findings.iter().map(|finding| format!("{} {}", finding.level, finding.what)).collect();
    let has = |text: &str| assert!(lines.iter().any(|line| line.starts_with(text)), "{text}: {lines:#?}");
    has(
        "ok public.cache_entries has the appv2 layout, unique by type, name, key, environment; our rows are those of environment DEFAULT",
    );
    has("ok cache_config rows win over the file for market_cap_thresholds.mega_cap, universe_limits.top_25");
    has("warn a cache_config row can't be used: market_cap_thresholds.large_cap");
    assert!(lines.iter().any(|line| line.ends_with(&format!("rules {}", fingerprint.clone().unwrap()))));
}

#[tokio::test]
async fn a_table_of_another_layout_than_the_settings_name_is_refused() {
    for (layout, sentence) in [("universe", "has the appv2 layout"), ("appv2", "has the universe layout")] {
        let settings = [("database.layout", layout)];
        let world = if layout == "universe" {
            World::appv2(KEYS[0], &settings).await
        } else {
            World::with(&settings).await
        };
        let before = world.count("select count(*) from cache_entries").await;
        let mut worker = world.spawn(&["worker", "--once"]);
        let code = worker.end().await.code();
        assert!(code == Some(1) && worker.log().contains(sentence), "{code:?} {}", worker.log());
        assert_eq!(world.count("select count(*) from cache_entries").await, before);
        let report = doctor::examine(&world.settings(), Utc::now()).await;
        assert!(report.findings.iter().any(|finding| finding.what.contains(sentence)), "{report:?}");
    }
    let world = World::appv2(KEYS[0], &[("database.layout", "appv2")]).await;
    world.sync("first").await;
    readers::all_can_read(&world.rows().await).unwrap();
}

#[tokio::test]
async fn the_rows_of_another_environment_are_ours_where_that_is_configured() {
    let world = World::appv2(KEYS[1], &[("database.environment", "STAGING")]).await;
    let default = "select id, xmin, ctid, md5(e::text) from cache_entries e where environment = 'DEFAULT'";
    let before = world.ask(default).await;
    world.sync("first").await;
    assert_eq!(world.ask(default).await, before);
    let mega =
        "select value -> 'count' from cache_entries where environment = 'STAGING' and key = 'mega_cap'";
    assert_eq!(world.ask(mega).await, ["12"]);
}

#[tokio::test]
async fn a_table_without_times_is_written_too() {
    let world = World::new().await;
    world
        .sql(
            "drop table cache_entries;
             create table cache_entries (key text, type text, environment text not null, name text, value jsonb,
                unique (environment, key, type))",
        )
        .await;
    world.sync("first").await;
    readers::all_can_read(&world.rows().await).unwrap();
}

#[tokio::test]
async fn members_are_looked_up_in_the_order_of_their_row() {
    let world = World::appv2_filled().await;
    let settings = world.settings();
    let mut client = Database::new(&settings.database).unwrap().client().await.unwrap();
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let members = universe_members(&tx, &settings.entries, "top_10", When::default()).await.unwrap().unwrap();
    let symbols: Vec<String> = members.into_iter().map(|member| member.symbol).collect();
    assert_eq!(symbols, (1..=10).map(background).collect::<Vec<_>>());
    assert_eq!(
        universe_members(&tx, &settings.entries, "recent_ipos", When::default()).await.unwrap(),
        Some(Vec::new())
    );
    assert_eq!(universe_members(&tx, &settings.entries, "banks", When::default()).await.unwrap(), None);
}

#[tokio::test]
async fn funds_stand_where_the_dropdown_and_where_the_end_of_day_reader_want_them() {
    let world = World::appv2_filled().await;
    let rows = world.rows().await;
    let entries = readers::dropdowns(&rows).unwrap();
    // Users' saved choices are these keys.
    assert_eq!(entries["etf_etf_all"], ["SPY", "TLT", "BARE"]);
    assert_eq!(entries["etf_etf_bonds"], ["TLT"]);
    assert_eq!(entries.keys().filter(|key| key.starts_with("etf_etf_")).count(), 9);
    let tracked = readers::end_of_day(&rows).unwrap();
    assert!(tracked.contains("TLT") && tracked.contains(&background(1)));

    // They go along with the universe: changed, restored and reverted with it.
    let lists = "select key, value, xmin from cache_entries where environment = 'DROPDOWN' order by key";
    let before = world.ask(lists).await;
    world.sync("again").await;
    assert_eq!(world.ask(lists).await, before);
    let letters = world.letters().await;
    world.sql("update symbols set active = false where symbol = 'TLT'").await;
    world.close_next_day(&[]).await;
    world.sync("next").await;
    let entries = readers::dropdowns(&world.rows().await).unwrap();
    assert_eq!(entries["etf_etf_all"], ["SPY", "BARE"]);
    world.undo("next").await;
    assert_eq!(world.letters().await, letters);
    world.undo("first").await;
    assert_eq!(world.ask(lists).await, [""; 0]);

    let without = World::appv2(KEYS[0], &[("database.etf_list_environment", "")]).await;
    without.sync("first").await;
    assert_eq!(without.ask(lists).await, [""; 0]);
}
