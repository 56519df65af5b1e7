use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use sha2::Digest;

use super::*;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::sic::Sic;
use crate::domain::symbol::Symbol;
use crate::domain::universe::{CacheType, FundCategory, Tier, UniverseName};
use crate::hostile::{any_json, assert_is_a_sentence, corpus};
use crate::plan::given::policy::{FundKind, Guards, Scoring, SectorTable, Stability};
use crate::plan::members::universes::Universe;

/// A configuration being put together: files in a directory of its own, an environment, flags.
struct World {
    directory: PathBuf,
    config: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
    flags: Vec<(String, String)>,
}

impl World {
    /// Nothing but a database.
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("cache-sync-settings-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(directory.join("config")).expect("a directory for the test");
        Self { directory, config: None, env: Vec::new(), flags: Vec::new() }
            .env("DATABASE_URL", "postgresql://alice:hunter2@db.example:5433/tickstock")
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.join(name), text).expect("a file for the test");
        self
    }

    /// The main file in its usual place.
    fn main(self, text: &str) -> Self {
        self.file("config/cache_sync.toml", text)
    }

    fn env(self, name: &str, text: &str) -> Self {
        let mut this = self.without(name);
        this.env.push((name.into(), text.into()));
        this
    }

    fn without(mut self, name: &str) -> Self {
        self.env.retain(|(variable, _)| variable != name);
        self
    }

    fn flag(mut self, key: &str, text: &str) -> Self {
        self.flags.push((key.to_owned(), text.to_owned()));
        self
    }

    fn config(mut self, path: &str) -> Self {
        self.config = Some(path.into());
        self
    }

    fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(LoadArgs {
            config: self.config.clone(),
            directory: self.directory.clone(),
            env: self.env.clone().into_iter(),
            overrides: self.flags.clone(),
        })
    }

    fn settings(&self) -> Settings {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is wrong, with this test's directory left out.
    fn problems(&self) -> String {
        let problems = self.load().expect_err("the configuration is refused").problems.join("\n");
        problems.replace(&format!("{}/", self.directory.display()), "")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn without_a_file_the_defaults_are_those_of_the_contract() {
    let settings = World::new().settings();
    assert_eq!(settings.file, None);
    let policy = settings.policy();
    assert_eq!(
        policy.tier_floors,
        [
            (Tier::Mega, 200_000_000_000),
            (Tier::Large, 10_000_000_000),
            (Tier::Mid, 2_000_000_000),
            (Tier::Small, 300_000_000),
            (Tier::Micro, 50_000_000)
        ]
    );
    let rankings: Vec<(&str, usize)> =
        policy.rankings.iter().map(|ranking| (ranking.universe.as_str(), ranking.limit)).collect();
    assert_eq!(rankings, [("top_100", 100), ("top_500", 500), ("top_1000", 1000), ("top_2000", 2000)]);
    assert_eq!(policy.guards, Guards::default());
    assert!(policy.eligible_types.iter().eq(["CS"]));
    assert!(policy.protected_types.iter().eq(["app_settings", "cache_config"]));
    assert!(!policy.adopt_existing);
    assert_eq!(settings.database.schema, "public");
    assert_eq!(
        settings.entries,
        EntriesSettings {
            schema: "public".to_owned(),
            layout: Layout::Auto,
            environment: "DEFAULT".to_owned(),
            bare_etf_lists: false,
            etf_lists: Some("DROPDOWN".to_owned()),
            appv2_rankings: Ranking::of_appv2(),
            groups: Groups::Auto,
            group_universes: ["market_cap", "market_leader", "theme", "ipo", "etf", "complete"]
                .map(str::to_owned)
                .into(),
        }
    );
    let source = &settings.source;
    assert_eq!(
        (source.schema.as_str(), source.symbols_table.as_str(), source.bars_table.as_str()),
        ("public", "symbols", "ohlcv_daily")
    );
    assert!(source.columns.is_empty());
    let redis = &settings.redis;
    assert_eq!(redis.url.expose(), "redis://127.0.0.1:6379");
    assert_eq!((redis.prefix.as_str(), redis.signals_prefix.as_str()), ("tickstock", "tickstock"));
    assert!(!redis.dotted_names && redis.job_monitor_keys && redis.channels.is_empty());
    assert_eq!(
        settings.worker,
        WorkerSettings {
            name: None,
            lease: Duration::from_secs(15),
            heartbeat: Duration::from_secs(3),
            max_attempts: 5,
            hung_after: Duration::from_secs(300),
            drain: Duration::from_secs(25),
        }
    );
    assert_eq!(
        settings.sync,
        SyncSettings {
            timeout: Duration::from_secs(30 * 60),
            eod_wait_timeout: Duration::from_secs(3600),
            eod_recheck: Duration::from_secs(60),
            batch_size: 1000,
            enable_notifications: true,
        }
    );
    assert_eq!(
        settings.triggers,
        TriggerSettings {
            signals: true,
            schedule: true,
            schedule_time: NaiveTime::from_hms_opt(16, 10, 0).expect("a time"),
        }
    );
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
    assert!(settings.http.api_key.is_none() && settings.http.keys.is_empty());
    assert_eq!(settings.policy().stability, Stability::default());
    let themes: Vec<(&str, &str, bool)> = settings
        .themes
        .iter()
        .map(|theme| (theme.key.as_str(), theme.name.as_str(), theme.enabled))
        .collect();
    assert_eq!(
        themes,
        [
            ("ai_ml_leaders", "AI & Machine Learning Leaders", true),
            ("biotech_innovators", "Biotech Innovators", true),
            ("cloud_computing", "Cloud Computing", true),
            ("crypto_blockchain", "Crypto & Blockchain", true),
            ("dividend_aristocrats", "Dividend Aristocrats", true),
            ("esg_leaders", "ESG Leaders", true),
            ("fintech_disruptors", "Fintech Disruptors", true),
            ("green_energy", "Green & Renewable Energy", true),
            ("technology_leaders", "Technology Leaders", true),
        ]
    );
}

#[test]
fn every_key_of_the_shipped_file_is_read_and_every_key_read_stands_there() {
    let mut main = Layers::new(USUAL_FILE, SHIPPED, OPEN_SECTIONS);
    let mut themes = themes::layers();
    let mut sectors = sectors::layers();
    // Reading a key that the shipped file has not panics; a shipped value that is not valid leaves a problem.
    main.add_flag("database.url", "postgresql://db.example/x");
    rules::read(None, None, &mut main, &mut sectors, &mut themes);
    for layers in [main, themes, sectors] {
        assert_eq!(layers.unasked(), Vec::<&str>::new());
        assert_eq!(layers.into_problems(), Vec::<String>::new());
    }
}

#[test]
fn the_shipped_files_used_as_files_change_nothing() {
    let shipped = World::new()
        .main(SHIPPED)
        .file("config/themes.toml", include_str!("../../config/themes.toml"))
        .file("config/sectors.toml", include_str!("../../config/sectors.toml"))
        .settings();
    let built_in = World::new().settings();
    assert!(shipped.file.as_ref().is_some_and(|path| path.ends_with("config/cache_sync.toml")));
    assert_eq!(shipped.policy().fingerprint(), built_in.policy().fingerprint());
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let seconds = |world: World| (world.settings().worker.lease.as_secs(), world);
    let (lease, world) = seconds(World::new());
    assert_eq!(lease, 15);
    let (lease, world) = seconds(world.main("[worker]\nlease_seconds = 20"));
    assert_eq!(lease, 20);
    let (lease, world) = seconds(world.env("CACHE_SYNC__WORKER__LEASE_SECONDS", "30"));
    assert_eq!(lease, 30);
    let (lease, _) = seconds(world.flag("worker.lease_seconds", "40"));
    assert_eq!(lease, 40);
}

#[test]
fn a_file_named_by_flag_beats_one_named_by_variable_which_beats_the_usual_one() {
    let world = World::new()
        .main("[redis]\nprefix = 'usual'")
        .file("variable.toml", "[redis]\nprefix = 'variable'")
        .file("flag.toml", "[redis]\nprefix = 'flag'");
    assert_eq!(world.settings().redis.prefix, "usual");
    let world = world.env("CACHE_SYNC_CONFIG", "variable.toml");
    assert_eq!(world.settings().redis.prefix, "variable");
    let world = world.config("flag.toml");
    assert_eq!(world.settings().redis.prefix, "flag");
}

#[test]
fn a_file_that_was_named_and_is_missing_is_refused() {
    insta::assert_snapshot!(World::new().config("nowhere.toml").problems(), @"--config: nowhere.toml does not exist; name the configuration file, or none for the built-in one");
    insta::assert_snapshot!(World::new().env("CACHE_SYNC_CONFIG", "config").problems(), @"CACHE_SYNC_CONFIG: config is no file; name the configuration file, or none for the built-in one");
}

#[test]
fn the_environment_sets_any_key_of_any_type_in_any_case() {
    let settings = World::new()
        .env("CACHE_SYNC__SOURCE__ELIGIBLE_TYPES", r#"["CS", "adrc"]"#)
        .env("cache_sync__database__adopt_existing", "TRUE")
        .env("CACHE_SYNC__GUARDS__TIER_CHURN_PCT", "12.5")
        .env("CACHE_SYNC__MARKET_CAP_THRESHOLDS__MEGA_CAP", "3e11")
        .env("CACHE_SYNC__UNIVERSE_LIMITS__TOP_250", "250")
        .env("CACHE_SYNC__UNIVERSE_LIMITS__TOP_2000", "false")
        .env("CACHE_SYNC__SOURCE__COLUMNS__MARKET_CAP", "cap usd")
        .env("CACHE_SYNC__REDIS__CHANNELS__STARTED", "sync.started")
        .env("CACHE_SYNC__REDIS__PREFIX", "2026")
        .env("CACHE_SYNC__THEMES__ESG_LEADERS", "false")
        .settings();
    let policy = settings.policy();
    assert!(policy.eligible_types.iter().eq(["ADRC", "CS"]));
    assert!(policy.adopt_existing);
    assert!((policy.guards.tier_churn_pct - 12.5).abs() < f64::EPSILON);
    assert_eq!(policy.tier_floors[0], (Tier::Mega, 300_000_000_000));
    let limits: Vec<usize> = policy.rankings.iter().map(|ranking| ranking.limit).collect();
    assert_eq!(limits, [100, 250, 500, 1000]);
    assert_eq!(settings.source.columns["market_cap"], "cap usd");
    assert_eq!(settings.redis.channels["started"], "sync.started");
    assert_eq!(settings.redis.prefix, "2026");
    assert!(settings.themes.iter().all(|theme| theme.enabled == (theme.key != "esg_leaders")));
}

#[test]
fn empty_variables_and_those_of_others_are_left_alone() {
    let settings = World::new()
        .env("CACHE_SYNC__WORKER__LEASE_SECONDS", "")
        .env("REDIS_URL", "")
        .env("CACHE_SYNC_CONFIG", "")
        .env("CACHE_SYNC_API_KEY", "")
        // What Kubernetes sets for a service called cache-sync.
        .env("CACHE_SYNC_PORT", "tcp://10.0.0.1:8080")
        .settings();
    assert_eq!(settings.worker.lease, Duration::from_secs(15));
    assert!(settings.http.api_key.is_none());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let world = World::new()
        .main("[worker]\nlease_second = 15\n\n[redis]\nmax_attempts = 3\n[wroker]\n[zebra]\nstripes = 1")
        .env("CACHE_SYNC__SYNC_SETTINGS__BATCHSIZE", "5")
        .env("CACHE_SYNC__THEMES__AI_LEADERS", "true")
        .flag("worker.lease", "5");
    insta::assert_snapshot!(world.problems(), @r"
    config/cache_sync.toml:2: there is no setting `worker.lease_second`; did you mean `worker.lease_seconds`?
    config/cache_sync.toml:5: there is no setting `redis.max_attempts`; did you mean `worker.max_attempts`?
    config/cache_sync.toml:6: there is no setting `wroker`; did you mean `worker`?
    config/cache_sync.toml:8: there is no setting `zebra.stripes`; config/cache_sync.toml lists them all
    CACHE_SYNC__SYNC_SETTINGS__BATCHSIZE: there is no setting `sync_settings.batchsize`; did you mean CACHE_SYNC__SYNC_SETTINGS__BATCH_SIZE?
    CACHE_SYNC__THEMES__AI_LEADERS: there is no setting `themes.ai_leaders`; did you mean CACHE_SYNC__THEMES__AI_ML_LEADERS?
    --set worker.lease: there is no setting `worker.lease`; did you mean `worker.lease_seconds`?
    ");
}

#[test]
fn values_of_the_wrong_type_or_out_of_range_are_refused() {
    let world = World::new()
        .main(
            "worker = 3\n\
             [sync_settings]\nbatch_size = 'many'\nenable_notifications = 1\ntimeout_minutes = 0\n\
             [database]\nlayout = 'appv3'\nprotected_types = 'app_settings'\nschema = ''\nenvironment = ' '\n\
             [guards]\nmax_active_drop_pct = 130\ntop_100_added_pct = nan\n\
             [stability]\nshare_classes = 'both'\n\
             [http]\nlisten = 'localhost'\n\
             [triggers]\nschedule_time = '24:00'\nsignals = 'all'\n\
             [source.columns.close]\nname = 'adjusted'\n",
        )
        .env("CACHE_SYNC__WORKER__LEASE_SECONDS", "a minute");
    insta::assert_snapshot!(world.problems(), @r#"
    config/cache_sync.toml:1: `worker` is a section, [worker], and no value
    config/cache_sync.toml:3: `sync_settings.batch_size` is "many", but must be a whole number from 1 to 100000
    config/cache_sync.toml:4: `sync_settings.enable_notifications` is 1, but must be true or false
    config/cache_sync.toml:5: `sync_settings.timeout_minutes` is 0, but must be a whole number from 1 to 1440
    config/cache_sync.toml:7: `database.layout` is "appv3", but must be "auto" or "universe" or "appv2"
    config/cache_sync.toml:8: `database.protected_types` is "app_settings", but must be a list of texts, such as ["CS"]
    config/cache_sync.toml:9: `database.schema` is empty; leave it out for the usual name
    config/cache_sync.toml:10: `database.environment` is " ", but must be a text of 1 to 50 characters
    config/cache_sync.toml:12: `guards.max_active_drop_pct` is 130, but must be a number from 0 to 100
    config/cache_sync.toml:13: `guards.top_100_added_pct` is nan, but must be a number from 0 to 100
    config/cache_sync.toml:15: `stability.share_classes` is "both", but must be "all" or "primary"
    config/cache_sync.toml:17: `http.listen` is "localhost", but must be an address and a port, such as 127.0.0.1:8080 or [::]:8080
    config/cache_sync.toml:19: `triggers.schedule_time` is "24:00", but must be a time of day such as "16:10"
    config/cache_sync.toml:20: `triggers.signals` is "all", but must be true or false
    config/cache_sync.toml:22: there is no setting `source.columns.close.name`; did you mean `source.columns.name`?
    CACHE_SYNC__WORKER__LEASE_SECONDS: `worker.lease_seconds` is "a minute", but must be a number of seconds from 1 to 600
    "#);
}

#[test]
fn a_turnover_is_a_number_and_not_negative() {
    for (value, said) in [("-0.5", "-0.5"), ("nan", "nan"), ("inf", "inf"), ("'1'", "\"1\"")] {
        let world = World::new().main(&format!("[guards]\nsplit_max_turnover = {value}"));
        let sentence = format!(
            "config/cache_sync.toml:2: `guards.split_max_turnover` is {said}, but must be a number from 0 to 1000000"
        );
        assert_eq!(world.problems().trim_end(), sentence);
    }
    let turnover = |value: &str| {
        let settings = World::new().env("CACHE_SYNC__GUARDS__SPLIT_MAX_TURNOVER", value).settings();
        let policy = settings.policy();
        (policy.guards.split_max_turnover, policy.fingerprint())
    };
    let (half, none) = (turnover("0.5"), turnover("0"));
    assert_eq!((half.0, none.0), (0.5, 0.0));
    assert_ne!(half.1, none.1, "a sync after a change of it is not the same sync");
}

#[test]
fn the_switches_of_stability_have_bounds_and_belong_to_the_rules() {
    let world = World::new().main(
        "[stability]\ntier_band_pct = 50.1\nrank_buffer_pct = -1\nsector_leader_keep = 9\nshare_classes = 'one'",
    );
    insta::assert_snapshot!(world.problems(), @r#"
    config/cache_sync.toml:2: `stability.tier_band_pct` is 50.1, but must be a number from 0 to 50
    config/cache_sync.toml:3: `stability.rank_buffer_pct` is -1, but must be a number from 0 to 50
    config/cache_sync.toml:4: `stability.sector_leader_keep` is 9, but must be a whole number from 10 to 100
    config/cache_sync.toml:5: `stability.share_classes` is "one", but must be "all" or "primary"
    "#);
    let close = "[market_cap_thresholds]\nlarge_cap = 2_100_000_000\n[stability]\ntier_band_pct = 5";
    insta::assert_snapshot!(World::new().main(close).problems(), @"config/cache_sync.toml:4: `stability.tier_band_pct` is 5, so wide that the bands around two of the market_cap_thresholds would overlap; make it smaller, or move the thresholds apart");
    let literal = World::new().settings().policy();
    for line in
        ["tier_band_pct = 5", "rank_buffer_pct = 5", "sector_leader_keep = 12", "share_classes = 'primary'"]
    {
        let policy = World::new().main(&format!("[stability]\n{line}")).settings().policy();
        assert!(!policy.stability.is_literal() && policy.fingerprint() != literal.fingerprint(), "{line}");
    }
    let spelled_out = World::new().main("[stability]\ntier_band_pct = 0\nshare_classes = 'all'");
    assert_eq!(spelled_out.settings().policy().fingerprint(), literal.fingerprint());
    let widest = World::new().main("[stability]\ntier_band_pct = 50\nrank_buffer_pct = 50").settings();
    assert!(!widest.policy().stability.is_literal());
}

#[test]
fn thresholds_that_do_not_fall_are_refused() {
    let equal = World::new().main("[market_cap_thresholds]\nlarge_cap = 200000000000");
    insta::assert_snapshot!(equal.problems(), @"config/cache_sync.toml:2: `market_cap_thresholds.large_cap` is 200000000000, which is not below mega_cap (200000000000); the five must fall from mega_cap to micro_cap");
    let too_low = World::new().env("CACHE_SYNC__MARKET_CAP_THRESHOLDS__MEGA_CAP", "5e9");
    insta::assert_snapshot!(too_low.problems(), @"CACHE_SYNC__MARKET_CAP_THRESHOLDS__MEGA_CAP: `market_cap_thresholds.mega_cap` is 5000000000, which is not above large_cap (10000000000); the five must fall from mega_cap to micro_cap");
    let fraction = World::new().main("[market_cap_thresholds]\nmicro_cap = -1\nsmall_cap = 1.5");
    insta::assert_snapshot!(fraction.problems(), @r"
    config/cache_sync.toml:2: `market_cap_thresholds.micro_cap` is -1, but must be whole dollars from 0 to 15000000000000
    config/cache_sync.toml:3: `market_cap_thresholds.small_cap` is 1.5, but must be whole dollars from 1 to 15000000000000
    ");
}

#[test]
fn rankings_that_are_no_universe_are_refused() {
    let long = "x".repeat(101);
    let world = World::new().main(&format!(
        "[universe_limits]\n\"top:5\" = 5\n{long} = 5\ntop_10_energy = 10\nmega_cap = 5\ntop_0 = 5\ntop_5 = 0\n\
         top_6 = 1000001\ntop_7 = true"
    ));
    insta::assert_snapshot!(world.problems().replace(&long, "<x 101 times>"), @r#"
    config/cache_sync.toml:2: `universe_limits.top:5` can't be a universe: universe name "top:5" contains ':', a control character, or blanks at an end
    config/cache_sync.toml:3: `universe_limits.<x 101 times>` can't be a universe: a universe name has 1 to 100 characters, this one 101
    config/cache_sync.toml:4: `universe_limits.top_10_energy` has the name of a sector's leaders; rankings are called top_N, such as top_250
    config/cache_sync.toml:5: `universe_limits.mega_cap` is no ranking; rankings are called top_N, such as top_250
    config/cache_sync.toml:6: `universe_limits.top_0` is no ranking; rankings are called top_N, such as top_250
    config/cache_sync.toml:7: `universe_limits.top_5` is 0, but must be a number of stocks from 1 to 1000000, or false for none
    config/cache_sync.toml:8: `universe_limits.top_6` is 1000001, but must be a number of stocks from 1 to 1000000, or false for none
    config/cache_sync.toml:9: `universe_limits.top_7` is true, but must be a number of stocks from 1 to 1000000, or false for none
    "#);
}

#[test]
fn a_lease_needs_room_for_two_heartbeats() {
    let world = World::new().env("CACHE_SYNC__WORKER__HEARTBEAT_SECONDS", "8");
    insta::assert_snapshot!(world.problems(), @"CACHE_SYNC__WORKER__HEARTBEAT_SECONDS: `worker.heartbeat_seconds` does not fit: two heartbeats of 8 s must be shorter than the lease of 15 s; correct worker.lease_seconds or worker.heartbeat_seconds");
    let world = world.env("CACHE_SYNC__WORKER__LEASE_SECONDS", "17");
    assert_eq!(world.settings().worker.heartbeat, Duration::from_secs(8));
    let short = World::new()
        .env("CACHE_SYNC__WORKER__LEASE_SECONDS", "1")
        .env("CACHE_SYNC__WORKER__HEARTBEAT_SECONDS", "0.3");
    assert_eq!(short.settings().worker.heartbeat, Duration::from_millis(300));
}

#[test]
fn types_that_carry_the_cap_of_another_are_never_eligible() {
    let world = World::new().env("CACHE_SYNC__SOURCE__ELIGIBLE_TYPES", r#"["CS", "pfd"]"#);
    insta::assert_snapshot!(world.problems(), @r#"CACHE_SYNC__SOURCE__ELIGIBLE_TYPES: `source.eligible_types` contains "PFD", whose market cap is that of its issuer or fund; take it out"#);
    let world = World::new().env("CACHE_SYNC__SOURCE__ELIGIBLE_TYPES", "[]");
    insta::assert_snapshot!(world.problems(), @"CACHE_SYNC__SOURCE__ELIGIBLE_TYPES: `source.eligible_types` is empty, so that no stock could be in any universe; name at least one type");
}

#[test]
fn a_database_must_be_named_and_two_that_differ_are_refused() {
    insta::assert_snapshot!(World::new().without("DATABASE_URL").problems(), @"`database.url` is not set; set DATABASE_URL=postgresql://user:password@host:5432/database");
    let both = World::new().env("CACHE_SYNC__DATABASE__URL", "postgresql://bob:swordfish@other/x");
    insta::assert_snapshot!(both.problems(), @"DATABASE_URL: CACHE_SYNC__DATABASE__URL sets the same to another value; unset one of the two");
}

#[test]
fn what_is_no_toml_is_refused_with_its_line_and_without_its_text() {
    let world = World::new().main("[database]\nurl = postgresql://alice:hunter2@db/x\n");
    insta::assert_snapshot!(world.problems(), @"config/cache_sync.toml:2: this is no TOML: string values must be quoted, expected literal string");
}

#[test]
fn secrets_show_neither_in_debug_nor_in_the_summary_nor_in_complaints() {
    let world = World::new()
        .env("REDIS_URL", "rediss://:hunter2@cache.example:6380/2")
        .env("CACHE_SYNC_API_KEY", "hunter2");
    let settings = world.settings();
    assert_eq!(settings.http.api_key.as_ref().map(Secret::expose), Some("hunter2"));
    assert_eq!(
        settings.summary(),
        "built-in settings; Postgres db.example:5433/tickstock, schema public; Redis cache.example:6380/2, prefix \
         tickstock"
    );
    assert!(!format!("{settings:?}").contains("hunter2"));

    let wrong = World::new()
        .env("DATABASE_URL", "mysql://alice:hunter2@db/x")
        .env("REDIS_URL", "https://alice:hunter2@cache")
        .main("[http.keys]\nscanner = 'hunter2'");
    insta::assert_snapshot!(wrong.problems(), @r#"
    config/cache_sync.toml:2: `http.keys.scanner` must be the SHA-256 of the key, 64 hexadecimal digits (printf %s "$KEY" | sha256sum)
    DATABASE_URL: `database.url` is no Postgres URL; it looks like postgresql://user:password@host:5432/database
    REDIS_URL: `redis.url` is no Redis URL; it looks like redis://host:6379/0, rediss://host:6379/0 or unix:///path
    "#);
    let flag = World::new().flag("redis.url", "redis://:hunter2@cache");
    insta::assert_snapshot!(flag.problems(), @"--set redis.url: a password on the command line shows in the list of processes; give the URL as DATABASE_URL or REDIS_URL");
}

#[test]
fn keys_of_the_api_are_kept_as_their_sha_256() {
    // printf %s open-sesame | sha256sum
    let digest = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
    let world = World::new().main(&format!("[http.keys]\nscanner = '{digest}'"));
    assert_eq!(world.settings().http.keys["scanner"][..3], [0x41, 0xef, 0x4b]);

    let world = World::new().main(&format!("[http.keys]\n'a scanner' = '{digest}'"));
    assert_eq!(
        world.problems(),
        "config/cache_sync.toml:2: `http.keys.a scanner` has no name for the log: it needs 1 to 40 of A-Z a-z 0-9 _ . -"
    );
}

#[test]
fn a_source_schema_of_its_own_is_kept_and_else_is_that_of_the_database() {
    let world = World::new().main("[database]\nschema = 'app'");
    assert_eq!(world.settings().source.schema, "app");
    let world = world.main("[database]\nschema = 'app'\n[source]\nschema = 'market'");
    assert_eq!(world.settings().source.schema, "market");
}

fn sector_of(table: &SectorTable, symbol: &str, text: Option<&str>) -> Option<Sector> {
    let security = Security {
        sector: text.map(Into::into),
        ..Security::new(Symbol::parse(symbol).expect("a symbol"), "CS")
    };
    table.sorter().sector_of(&security)
}

#[test]
fn sectors_are_told_by_symbol_then_by_the_texts_that_vendors_write() {
    let table = World::new().settings().policy().sectors;
    for (symbol, text, sector) in [
        ("UNH", Some("Finance"), Some(Sector::Healthcare)),
        ("V", Some("Consumer Discretionary"), Some(Sector::FinancialServices)),
        ("MA", None, Some(Sector::FinancialServices)),
        ("UBER", Some("Technology"), Some(Sector::Industrials)),
        ("WMT", Some("Retail Trade"), Some(Sector::ConsumerStaples)),
        ("GOOG", Some("Technology"), Some(Sector::CommunicationServices)),
        ("LRCX", Some("Industrials"), Some(Sector::Technology)),
        ("BRK.B", Some(""), Some(Sector::FinancialServices)),
        ("WMB", Some("Utilities"), Some(Sector::Energy)),
        ("BAM", Some("Consumer Discretionary"), Some(Sector::FinancialServices)),
        ("TM", Some("Industrials"), Some(Sector::ConsumerDiscretionary)),
        ("ECL", Some("Consumer Discretionary"), Some(Sector::Materials)),
        ("GEV", None, Some(Sector::Industrials)),
        ("CIEN", Some("Utilities"), Some(Sector::Technology)),
        ("XYZ", Some("Information Technology"), Some(Sector::Technology)),
        ("XYZ", Some("tech"), Some(Sector::Technology)),
        ("XYZ", Some(" HEALTH CARE "), Some(Sector::Healthcare)),
        ("XYZ", Some("Financials"), Some(Sector::FinancialServices)),
        ("XYZ", Some("Finance"), Some(Sector::FinancialServices)),
        ("XYZ", Some("Consumer Cyclical"), Some(Sector::ConsumerDiscretionary)),
        ("XYZ", Some("Consumer Defensive"), Some(Sector::ConsumerStaples)),
        ("XYZ", Some("Basic Materials"), Some(Sector::Materials)),
        ("XYZ", Some("Telecommunications"), Some(Sector::CommunicationServices)),
        ("XYZ", Some("Communications"), Some(Sector::CommunicationServices)),
        ("XYZ", Some("Public Utilities"), Some(Sector::Utilities)),
        ("XYZ", Some("REIT"), Some(Sector::RealEstate)),
        ("XYZ", Some("Unknown"), None),
        ("XYZ", Some("SERVICES-PREPACKAGED SOFTWARE"), None),
        ("XYZ", Some(""), None),
        ("XYZ", None, None),
    ] {
        assert_eq!(sector_of(&table, symbol, text), sector, "{symbol} {text:?}");
    }
    for sector in Sector::ALL {
        for spelling in [sector.as_str().to_owned(), sector.title(), sector.title().to_uppercase()] {
            assert_eq!(sector_of(&table, "XYZ", Some(&spelling)), Some(*sector), "{spelling}");
        }
    }
}

#[test]
fn a_sectors_file_comes_on_top_of_the_shipped_one_line_by_line() {
    let world = World::new().main("").file(
        "config/sectors.toml",
        "[overrides]\nNEWT = 'energy'\nUNH = ''\n'BRK/B' = 'industrials'\n[names]\n'Space' = 'industrials'\n",
    );
    let table = world.settings().policy().sectors;
    assert_eq!(sector_of(&table, "NEWT", None), Some(Sector::Energy));
    assert_eq!(sector_of(&table, "UNH", Some("Finance")), Some(Sector::FinancialServices));
    assert_eq!(sector_of(&table, "BRK.B", None), Some(Sector::Industrials));
    assert_eq!(sector_of(&table, "XYZ", Some("SPACE")), Some(Sector::Industrials));
    assert_eq!(sector_of(&table, "MA", None), Some(Sector::FinancialServices));
}

#[test]
fn wrong_lines_of_the_files_beside_are_refused() {
    let world = World::new()
        .main("")
        .file("config/sectors.toml", "[overrides]\nNEWT = 'health'\nOLDT = 5\n[SIC]\n'3674' = 'technology'\n")
        .file("config/themes.toml", "[themes.green_energy]\nname = ''\ntitle = 'Green'\n");
    insta::assert_snapshot!(world.problems(), @r#"
    config/sectors.toml:2: `overrides.NEWT` is "health", which is no sector; did you mean "healthcare"?
    config/sectors.toml:3: `overrides.OLDT` is no sector; it must be "" for none, or one of technology, healthcare, financial_services, consumer_discretionary, consumer_staples, industrials, energy, utilities, materials, real_estate, communication_services
    config/sectors.toml:5: there is no setting `SIC.3674`; config/sectors.toml lists them all
    config/themes.toml:2: `themes.green_energy.name` is "", but must be a name
    config/themes.toml:3: there is no setting `themes.green_energy.title`; did you mean `themes.green_energy.name`?
    "#);
}

#[test]
fn without_symbol_or_text_that_tells_the_sic_code_tells_the_sector() {
    let table = World::new().settings().policy().sectors;
    let sector = |text: &str, sic: &str| {
        table.sorter().sector_of(&Security {
            sector: (!text.is_empty()).then(|| text.into()),
            sic_code: Some(sic.into()),
            ..Security::new(Symbol::parse("XYZ").expect("a symbol"), "CS")
        })
    };
    for (text, sic, expected) in [
        ("", "3674", Some(Sector::Technology)),
        ("", "03674", Some(Sector::Technology)),
        ("", "100", Some(Sector::ConsumerStaples)),
        ("SERVICES-PREPACKAGED SOFTWARE", "7372", Some(Sector::Technology)),
        ("Energy", "7372", Some(Sector::Energy)),
        // A code in several ranges has the sector of the narrowest, a code by itself before all.
        ("", "2836", Some(Sector::Healthcare)),
        ("", "2890", Some(Sector::Materials)),
        ("", "6324", Some(Sector::Healthcare)),
        ("", "6311", Some(Sector::FinancialServices)),
        ("", "6798", Some(Sector::RealEstate)),
        ("", "3571", Some(Sector::Technology)),
        ("", "3562", Some(Sector::Industrials)),
        ("", "4813", Some(Sector::CommunicationServices)),
        ("", "4911", Some(Sector::Utilities)),
        ("", "1311", Some(Sector::Energy)),
        ("", "5812", Some(Sector::ConsumerDiscretionary)),
        ("", "5411", Some(Sector::ConsumerStaples)),
        ("", "N/A", None),
        ("", "9995", None),
        ("Unknown", "0", None),
    ] {
        assert_eq!(sector(text, sic), expected, "{text:?} {sic:?}");
    }
}

#[test]
fn codes_of_a_sectors_file_come_on_top_of_the_shipped_ones() {
    let world = World::new().main("").file(
        "config/sectors.toml",
        "[sic]\n'03674' = 'energy'\n'7370-7379' = ''\n'7000-8999' = 'utilities'\n",
    );
    let table = world.settings().policy().sectors;
    let by_sic = |code: &str| table.by_sic(Sic::parse(code).expect("a code"));
    assert_eq!(by_sic("3674"), Some(Sector::Energy));
    assert_eq!(by_sic("3675"), Some(Sector::Technology));
    assert_eq!(by_sic("7372"), Some(Sector::Industrials));
    assert_eq!(by_sic("8888"), Some(Sector::Utilities));
    let wrong = World::new().main("").file("config/sectors.toml", "[sic]\n'3679-3674' = 'technology'\n");
    insta::assert_snapshot!(wrong.problems(), @r#"config/sectors.toml:2: `sic.3679-3674` is no SIC code and no range such as "3570-3579""#);
}

#[test]
fn a_themes_file_comes_on_top_of_the_shipped_one_key_by_key() {
    let world = World::new().main("[themes]\nesg_leaders = false\n").file(
        "config/themes.toml",
        "[scoring]\nseed = 4\n[themes.green_energy]\nseeds = ['BRK/B', 'FSLR']\ncurated = 2026-12-24\n\
         [etf.curated]\nSPY = 'value'\n'BRK-B' = 'bonds'\nGLD = ''\n",
    );
    let policy = world.settings().policy();
    assert_eq!(policy.themes.scoring, Scoring { weights: [4, 3, 2, 1, 1], ..Scoring::default() });
    let theme = |key: &str| policy.themes.themes.iter().find(|theme| theme.universe.as_str() == key);
    let green = theme("green_energy").expect("a theme");
    assert!(green.seeds.iter().eq(["BRK.B", "FSLR"]) && green.deny.contains("SLG"));
    assert_eq!(green.curated.to_string(), "2026-12-24");
    assert_eq!((green.entry_floor, green.exit_floor, green.max_members), (200_000_000, 160_000_000, 40));
    assert!(
        policy.themes.themes.iter().all(|one| one.is_enabled == (one.universe.as_str() != "esg_leaders"))
    );
    let kind = |symbol: &str, name: &str| policy.funds.kind(symbol, None, Some(name));
    assert_eq!(kind("SPY", "SPDR S&P 500 ETF Trust"), FundKind::Curated(FundCategory::Value));
    assert_eq!(kind("BRK.B", ""), FundKind::Curated(FundCategory::Bonds));
    assert_eq!(kind("GLD", "SPDR Gold Shares"), FundKind::Named(FundCategory::Commodities));
    assert_ne!(policy.fingerprint(), World::new().settings().policy().fingerprint());
}

#[test]
fn a_theme_that_is_switched_off_is_ours_but_not_kept_up() {
    let policy = World::new().env("CACHE_SYNC__THEMES__GREEN_ENERGY", "false").settings().policy();
    let name = UniverseName::known("green_energy");
    assert_eq!(Universe::kinds_by_name(&policy).get(&name), Some(&CacheType::Theme));
    assert!(Universe::all(&policy).iter().all(|universe| universe.name != name));
}

#[test]
fn rules_of_themes_that_can_not_be_are_refused() {
    let world = World::new().main("").file(
        "config/themes.toml",
        "[scoring]\nexit_score = 4\nenter_at_pct = 101\n\
         [themes.cloud_computing]\nname_regex = '\\bcloud('\nsic_adjacent = ['7370-7374', '7399-7390']\n\
         seeds = ['MSFT', \"A\\u0001B\"]\nmin_entry_usd = 0\nmax_members = 0\ncurated = 'last year'\n\
         min_exit_usd = 3e9\n\
         [themes.esg_leaders]\nkeep_share_pct = 40\n\
         [themes.technology_leaders]\nsector = 'tech'\nsic_core = ['7372']\n\
         [etf.bonds]\nnames = '['\n[etf.curated]\nSPY = 'bond'\nQQQ = 5\n[etf.debt]\nnames = 'x'\n",
    );
    insta::assert_snapshot!(world.problems(), @r#"
    config/themes.toml:2: `scoring.exit_score` is 4, which is above entry_score (3)
    config/themes.toml:3: `scoring.enter_at_pct` is 101, but must be a whole number from 1 to 100
    config/themes.toml:5: `themes.cloud_computing.name_regex` is no regular expression: unclosed group
    config/themes.toml:6: `themes.cloud_computing.sic_adjacent` contains "7399-7390", which is no SIC code and no range such as "3570-3579"
    config/themes.toml:7: `themes.cloud_computing.seeds` contains "A\u{1}B", which is no symbol
    config/themes.toml:8: `themes.cloud_computing.min_entry_usd` is 0, but must be whole dollars from 1 to 15000000000000
    config/themes.toml:9: `themes.cloud_computing.max_members` is 0, but must be a whole number from 1 to 1000000
    config/themes.toml:10: `themes.cloud_computing.curated` is "last year", but must be a date such as "2026-01-15"
    config/themes.toml:11: `themes.cloud_computing.min_exit_usd` is 3000000000, which is above min_entry_usd (2000000000)
    config/themes.toml:13: `themes.esg_leaders.keep_share_pct` is 40, which is below sector_share_pct (50)
    config/themes.toml:15: `themes.technology_leaders.sector` is "tech", but must be "technology" or "healthcare" or "financial_services" or "consumer_discretionary" or "consumer_staples" or "industrials" or "energy" or "utilities" or "materials" or "real_estate" or "communication_services"
    config/themes.toml:16: there is no setting `themes.technology_leaders.sic_core`; did you mean `scoring.sic_core`?
    config/themes.toml:18: `etf.bonds.names` is no regular expression: unclosed character class
    config/themes.toml:20: `etf.curated.SPY` is "bond", which is no category; did you mean "bonds"?
    config/themes.toml:21: `etf.curated.QQQ` is no category; it must be "" for none, or one of bonds, commodities, international, sectors, technology, growth, value, broad_market
    config/themes.toml:23: there is no setting `etf.debt.names`; did you mean `etf.bonds.names`?
    "#);
}

#[test]
fn files_beside_a_named_file_are_read_and_not_those_of_the_usual_place() {
    let world = World::new()
        .main("")
        .file("config/themes.toml", "[themes.green_energy]\nname = 'Usual'\n")
        .file("other.toml", "")
        .config("other.toml");
    let green = |world: &World| {
        let themes = world.settings().themes;
        themes.into_iter().find(|theme| theme.key == "green_energy").map(|theme| theme.name)
    };
    assert_eq!(green(&world).as_deref(), Some("Green & Renewable Energy"));
    let world = world.file("themes.toml", "[themes.green_energy]\nname = 'Beside'\n");
    assert_eq!(green(&world).as_deref(), Some("Beside"));
}

#[test]
fn one_problem_is_one_sentence_and_several_are_a_list() {
    let one = SettingsError { problems: vec!["a is b".to_owned()] };
    assert_eq!(one.to_string(), "a is b");
    let two = SettingsError { problems: vec!["a is b".to_owned(), "c is d".to_owned()] };
    assert_eq!(two.to_string(), "the configuration has 2 problems:\n  a is b\n  c is d");
    assert!(Path::new(USUAL_FILE).is_relative());
}

/// Reads a text as each of the three files; complaints must be fit for a terminal and show no password.
fn assert_is_read(text: &str) {
    let read = |file: &str, text: &str| {
        let mut layers =
            [Layers::new(USUAL_FILE, SHIPPED, OPEN_SECTIONS), sectors::layers(), themes::layers()];
        let names = ["cache_sync.toml", "sectors.toml", "themes.toml"];
        for (layer, name) in layers.iter_mut().zip(names) {
            if name == file {
                layer.add_file(Path::new(name), text);
            }
        }
        let [mut main, mut sectors, mut themes] = layers;
        rules::read(None, None, &mut main, &mut sectors, &mut themes);
        [main, sectors, themes].into_iter().flat_map(Layers::into_problems).collect::<Vec<String>>()
    };
    for file in ["cache_sync.toml", "sectors.toml", "themes.toml"] {
        for problem in read(file, text) {
            assert_is_a_sentence(&problem);
            assert!(!problem.contains("hunter2") && !problem.contains("secret@"), "{problem}");
        }
    }
}

#[test]
fn every_file_of_the_corpus_is_a_configuration_or_a_list_of_problems() {
    for (name, bytes) in corpus("settings") {
        println!("{name}");
        assert_is_read(&String::from_utf8_lossy(&bytes));
    }
}

fn any_file() -> impl Strategy<Value = String> {
    let keys: Vec<String> = SHIPPED
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('=').next().unwrap_or_default().trim().to_owned())
        .collect();
    let value =
        any_json(&["full", "all", "CS", "16:10", "127.0.0.1:8080", "redis://:hunter2@h:1", "top_100"]);
    let line = prop_oneof![
        6 => (proptest::sample::select(keys.clone()), value)
            .prop_map(|(key, value)| if key.starts_with('[') { key } else { format!("{key} = {value}") }),
        1 => proptest::sample::select(keys),
        1 => ".{0,30}",
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    // Each case reads the whole configuration, patterns of themes included.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_a_configuration_or_a_list_of_problems(text in any_file()) {
        assert_is_read(&text);
    }

    #[test]
    fn any_environment_is_a_configuration_or_a_list_of_problems(
        variables in proptest::collection::vec(
            ("(DATABASE_URL|REDIS_URL|CACHE_SYNC__[A-Z_]{0,20}|CACHE_SYNC__(WORKER__LEASE_SECONDS|REDIS__SENTINELS|HTTP__LISTEN))",
             proptest::collection::vec(1..=255_u8, 0..20)),
            0..5,
        ),
    ) {
        let env = variables.into_iter().map(|(name, value)| {
            (OsString::from(name), std::os::unix::ffi::OsStringExt::from_vec(value))
        });
        let directory = PathBuf::from("/nowhere");
        if let Err(error) = Settings::load(LoadArgs { config: None, directory, env, overrides: Vec::new() }) {
            for problem in error.problems {
                assert_is_a_sentence(&problem);
            }
        }
    }
}

#[test]
fn sentinels_are_named_by_their_addresses_and_their_passwords_show_nowhere() {
    let sentinels = r#"["a.example:26379", "redis://:hunter2@b.example:26380"]"#;
    let world = World::new()
        .env("CACHE_SYNC__REDIS__SENTINELS", sentinels)
        .env("REDIS_URL", "redis://:hunter2@nowhere.example:1/3");
    let settings = world.settings();
    assert_eq!(settings.redis.address(), "mymaster/3, by Sentinel at a.example:26379 b.example:26380");
    assert!(!format!("{settings:?} {}", settings.summary()).contains("hunter2"));
    for wrong in [r#"["a.example"]"#, r#"["unix:///redis.sock"]"#, r#"["http://:hunter2@a.example:1"]"#] {
        let problems = World::new().env("CACHE_SYNC__REDIS__SENTINELS", wrong).problems();
        assert!(problems.contains("`redis.sentinels` must be a list such as"), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
    let socket =
        World::new().env("CACHE_SYNC__REDIS__SENTINELS", sentinels).env("REDIS_URL", "unix:///redis.sock");
    assert!(socket.problems().contains("no Sentinel can move a server"), "{}", socket.problems());
}

#[test]
fn the_key_that_stands_in_appv2s_public_source_is_refused() {
    let known = World::new().env("CACHE_SYNC_API_KEY", "tickstock-cache-sync-2025");
    insta::assert_snapshot!(known.problems(), @"CACHE_SYNC_API_KEY: this is the key in AppV2's public source, which everybody knows; make one with openssl rand -hex 32, and set TICKSTOCKPL_API_KEY of AppV2 to it");
    let hash = crate::domain::hex(&sha2::Sha256::digest(PUBLIC_API_KEY));
    let hashed = World::new().main(&format!("[http.keys]\nappv2 = \"{hash}\""));
    assert!(
        hashed.problems().contains("is the hash of the key in AppV2's public source"),
        "{}",
        hashed.problems()
    );
}

#[test]
fn the_smallest_tier_may_have_no_floor_and_lists_of_funds_an_environment_of_their_own() {
    let none = World::new().main("[market_cap_thresholds]\nmicro_cap = 0").settings();
    assert_eq!(none.policy().tier_floors.last(), Some(&(Tier::Micro, 0)));
    let same = World::new().main("[database]\netf_list_environment = \"DEFAULT\"");
    assert!(same.problems().contains("is that of database.environment"), "{}", same.problems());
}
