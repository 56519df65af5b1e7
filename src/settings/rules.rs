//! What each setting may be, and how settings must fit together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use redis::IntoConnectionInfo;
use sha2::{Digest, Sha256};
use tokio_postgres::config::Host;
use toml::Value;

use crate::domain::universe::{Tier, UniverseName};
use crate::plan::given::policy::{
    Guards, MAX_FLOOR, MAX_RANKING, Policy, Ranking, ShareClasses, Stability, sort_rankings,
};

use super::layers::{Layers, Origin, number};
use super::{
    CHOOSE_KEY, DatabaseSettings, EntriesSettings, Groups, HttpSettings, Layout, PUBLIC_API_KEY,
    RedisSettings, Secret, Settings, SourceSettings, SyncSettings, ThemeSettings, TriggerSettings,
    WorkerSettings, sectors, themes,
};

/// Types that can never be in a stock universe: vendors give them the market cap of their issuer, so a preferred
/// would rank among the largest companies.
const NEVER_STOCKS: &[&str] =
    &["ETF", "ETN", "ETV", "ETS", "FUND", "PFD", "WARRANT", "RIGHT", "UNIT", "SP", "BOND"];
/// The longest identifier of Postgres, in bytes; it cuts longer ones off without a word.
const MAX_IDENTIFIER_BYTES: usize = 63;
/// Room for the first part of a worker's name beside process and boot.
const MAX_WORKER_NAME_CHARS: usize = 40;
/// The longest name of an API key, in characters.
const MAX_KEY_NAME_CHARS: usize = 40;
/// Room of the column `environment`, in characters.
const MAX_ENVIRONMENT_CHARS: usize = 50;

/// The settings that the layers say. Whatever was wrong is noted in the layers, with the shipped value in its place.
pub(super) fn read(
    file: Option<PathBuf>,
    api_key: Option<Secret>,
    main: &mut Layers,
    sectors: &mut Layers,
    themes: &mut Layers,
) -> Settings {
    let database = database(main);
    let policy = policy(main, sectors, themes);
    Settings {
        file,
        source: source(main, &database.schema),
        entries: entries(main, &database.schema),
        database,
        redis: redis(main),
        worker: worker(main),
        sync: sync(main),
        triggers: triggers(main),
        http: http(main, api_key),
        themes: policy.themes.themes.iter().map(ThemeSettings::of).collect(),
        policy,
    }
}

fn policy(main: &mut Layers, sectors: &mut Layers, themes: &mut Layers) -> Policy {
    let tier_floors = tier_floors(main);
    Policy {
        eligible_types: eligible_types(main).into_iter().collect(),
        stability: stability(main, &tier_floors),
        tier_floors,
        rankings: rankings(main),
        sectors: sectors::read(sectors),
        themes: themes::read(main, themes),
        funds: themes::read_funds(themes),
        guards: guards(main),
        adopt_existing: main.switch("database.adopt_existing"),
        protected_types: main.texts("database.protected_types").into_iter().collect(),
    }
}

fn tier_floors(main: &mut Layers) -> Vec<(Tier, i64)> {
    let key = |tier: Tier| format!("market_cap_thresholds.{tier}");
    let floors: Vec<(Tier, i64)> =
        Tier::ALL.iter().map(|tier| (*tier, dollars(main, &key(*tier), tier.least_floor()))).collect();
    for pair in floors.windows(2) {
        let [(above, upper), (below, lower)] = [pair[0], pair[1]];
        if lower >= upper {
            // The one that was set is the one to correct.
            let (culprit, sentence) = if main.origin(&key(below)) == Some(&Origin::Shipped) {
                (above, format!("is {upper}, which is not above {below} ({lower})"))
            } else {
                (below, format!("is {lower}, which is not below {above} ({upper})"))
            };
            main.refuse(&key(culprit), &format!("{sentence}; the five must fall from mega_cap to micro_cap"));
        }
    }
    floors
}

/// Whole dollars, `least` or more.
pub(super) fn dollars(layers: &mut Layers, key: &str, least: i64) -> i64 {
    layers.read(key, &format!("whole dollars from {least} to {MAX_FLOOR}"), |value| {
        let dollars = number(value)?;
        (dollars.fract() == 0.0 && (least as f64..=MAX_FLOOR as f64).contains(&dollars))
            .then_some(dollars as i64)
    })
}

fn rankings(main: &mut Layers) -> Vec<Ranking> {
    let mut rankings = Vec::new();
    for (name, setting) in main.section("universe_limits") {
        let key = format!("universe_limits.{name}");
        if setting.value == Value::Boolean(false) {
            continue;
        }
        match (
            Ranking::name(&name),
            setting.value.as_integer().filter(|limit| (1..=MAX_RANKING).contains(limit)),
        ) {
            (Ok(universe), Some(limit)) => rankings.push(Ranking { universe, limit: limit as usize }),
            (Err(sentence), _) => main.refuse(&key, &sentence),
            (Ok(_), None) => {
                let sentence = format!(
                    "is {}, but must be a number of stocks from 1 to {MAX_RANKING}, or false for none",
                    setting.value
                );
                main.refuse(&key, &sentence);
            }
        }
    }
    sort_rankings(&mut rankings);
    rankings
}

fn guards(main: &mut Layers) -> Guards {
    Guards {
        min_active_stocks: main.whole("guards.min_active_stocks", 0..=1_000_000) as usize,
        max_active_drop_pct: main.number("guards.max_active_drop_pct", 100.0),
        max_caps_missing_pct: main.number("guards.max_caps_missing_pct", 100.0),
        // All members out and as many others in makes 200.
        tier_churn_pct: main.number("guards.tier_churn_pct", 200.0),
        top_100_added_pct: main.number("guards.top_100_added_pct", 100.0),
        ranking_added_pct: main.number("guards.ranking_added_pct", 100.0),
        quarantine: main.switch("guards.quarantine"),
        split_min_close: main.whole("guards.split_min_close", 0..=1_000_000) as usize,
        split_large_cap: dollars(main, "guards.split_large_cap", 0),
        split_max_turnover: main.number("guards.split_max_turnover", 1_000_000.0),
        merger_max_turnover: main.number("guards.merger_max_turnover", 1_000_000.0),
        merger_max_trade_growth: main.number("guards.merger_max_trade_growth", 1_000_000.0),
        jump_min_cap: dollars(main, "guards.jump_min_cap", 0),
        jump_sessions: main.whole("guards.jump_sessions", 0..=60),
    }
}

fn stability(main: &mut Layers, tier_floors: &[(Tier, i64)]) -> Stability {
    let stability = Stability {
        tier_band_pct: main.number("stability.tier_band_pct", 50.0),
        rank_buffer_pct: main.number("stability.rank_buffer_pct", 50.0),
        sector_leader_keep: main.whole("stability.sector_leader_keep", 10..=100) as usize,
        share_classes: main.word("stability.share_classes", ShareClasses::ALL, ShareClasses::from_text),
    };
    // Floors that don't fall have been refused already.
    let fall = tier_floors.windows(2).all(|pair| pair[0].1 > pair[1].1);
    if fall && !stability.leaves_room_between(tier_floors) {
        main.refuse(
            "stability.tier_band_pct",
            &format!(
                "is {}, so wide that the bands around two of the market_cap_thresholds would overlap; make it smaller, \
                 or move the thresholds apart",
                stability.tier_band_pct
            ),
        );
    }
    stability
}

fn eligible_types(main: &mut Layers) -> Vec<String> {
    let key = "source.eligible_types";
    let types: Vec<String> = main.texts(key).iter().map(|kind| kind.to_uppercase()).collect();
    if types.is_empty() {
        main.refuse(key, "is empty, so that no stock could be in any universe; name at least one type");
    }
    for kind in types.iter().filter(|kind| NEVER_STOCKS.contains(&kind.as_str())) {
        main.refuse(
            key,
            &format!("contains \"{kind}\", whose market cap is that of its issuer or fund; take it out"),
        );
    }
    types
}

fn database(main: &mut Layers) -> DatabaseSettings {
    let url = secret(
        main,
        "database.url",
        |url| postgres_address(url).is_some(),
        || "is no Postgres URL; it looks like postgresql://user:password@host:5432/database".to_owned(),
    );
    if url.expose().is_empty() {
        main.refuse(
            "database.url",
            "is not set; set DATABASE_URL=postgresql://user:password@host:5432/database",
        );
    }
    DatabaseSettings {
        url,
        schema: required_identifier(main, "database.schema"),
        max_connections: main.whole("database.max_connections", 3..=100) as usize,
    }
}

fn entries(main: &mut Layers, schema: &str) -> EntriesSettings {
    let wanted = format!("a text of 1 to {MAX_ENVIRONMENT_CHARS} characters");
    let fits = |text: &str| text.chars().count() <= MAX_ENVIRONMENT_CHARS;
    let environment = main.read("database.environment", &wanted, |value| {
        let text = value.as_str().filter(|text| !text.trim().is_empty())?;
        fits(text).then(|| text.to_owned())
    });
    let lists = "database.etf_list_environment";
    let wanted = format!("a text of at most {MAX_ENVIRONMENT_CHARS} characters, or \"\" for none");
    let etf_lists: String =
        main.read(lists, &wanted, |value| value.as_str().filter(|text| fits(text)).map(str::to_owned));
    if etf_lists == environment {
        main.refuse(
            lists,
            "is that of database.environment, where bare lists stop AppV2's end-of-day reader",
        );
    }
    EntriesSettings {
        schema: schema.to_owned(),
        layout: main.word("database.layout", Layout::ALL, Layout::from_text),
        environment,
        etf_lists: (!etf_lists.trim().is_empty()).then_some(etf_lists),
        bare_etf_lists: main.switch("database.bare_etf_lists"),
        appv2_rankings: appv2_rankings(main),
        groups: main.word("database.groups", Groups::ALL, Groups::from_text),
        group_universes: group_universes(main),
    }
}

/// Kinds of universes, and single ones by name.
fn group_universes(main: &mut Layers) -> Vec<String> {
    let key = "database.group_universes";
    let words = main.texts(key);
    for word in &words {
        if let Err(sentence) = UniverseName::parse(word) {
            main.refuse(key, &format!("has {word:?}, which names no universe: {sentence}"));
        }
    }
    words
}

/// Those of the rankings of `AppV2` that `[universe_limits]` does not mention: it may give them another size, or none.
fn appv2_rankings(main: &mut Layers) -> Vec<Ranking> {
    let mentioned: Vec<String> = main.section("universe_limits").into_iter().map(|(name, _)| name).collect();
    let rankings = Ranking::of_appv2().into_iter();
    rankings.filter(|ranking| !mentioned.iter().any(|name| name == ranking.universe.as_str())).collect()
}

fn source(main: &mut Layers, schema: &str) -> SourceSettings {
    let named = identifier(main, "source.schema");
    SourceSettings {
        schema: if named.is_empty() { schema.to_owned() } else { named },
        symbols_table: required_identifier(main, "source.symbols_table"),
        bars_table: required_identifier(main, "source.bars_table"),
        columns: given(main, "source.columns", identifier),
    }
}

fn redis(main: &mut Layers) -> RedisSettings {
    let url = secret(
        main,
        "redis.url",
        |url| redis_address(url).is_some(),
        || {
            "is no Redis URL; it looks like redis://host:6379/0, rediss://host:6379/0 or unix:///path"
                .to_owned()
        },
    );
    let prefix = name_part(main, "redis.prefix");
    let signals_prefix = name_part(main, "redis.signals_prefix");
    if prefix.is_empty() {
        main.refuse("redis.prefix", "is empty; name the first word of our keys, such as tickstock");
    }
    if url.expose().is_empty() {
        main.refuse("redis.url", "is empty; leave it out for redis://127.0.0.1:6379");
    }
    let sentinels: Vec<Secret> = main.texts("redis.sentinels").into_iter().map(Secret::new).collect();
    if sentinels.iter().any(|address| !is_sentinel(address.expose())) {
        // Not shown: it may hold a password.
        main.refuse(
            "redis.sentinels",
            "must be a list such as [\"host:26379\"], or with redis://:password@host:26379 in it where Sentinels ask for one",
        );
    }
    if !sentinels.is_empty() && url.expose().starts_with("unix://") {
        main.refuse(
            "redis.url",
            "is a socket, behind which no Sentinel can move a server; use redis:// or rediss://",
        );
    }
    let sentinel_master =
        main.text_in_form("redis.sentinel_master", "a name of up to 200 characters without blanks", |text| {
            (1..=200).contains(&text.len()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        });
    RedisSettings {
        url,
        sentinels,
        sentinel_master,
        signals_prefix: if signals_prefix.is_empty() { prefix.clone() } else { signals_prefix },
        prefix,
        dotted_names: main.switch("redis.dotted_names"),
        job_monitor_keys: main.switch("redis.job_monitor_keys"),
        channels: given(main, "redis.channels", |main, key| {
            main.text_in_form(key, "a channel of up to 200 characters without blanks and commas", |text| {
                text.len() <= 200 && !text.contains(breaks_a_name)
            })
        }),
    }
}

fn worker(main: &mut Layers) -> WorkerSettings {
    let wanted = format!("up to {MAX_WORKER_NAME_CHARS} of A-Z a-z 0-9 _ . -");
    let name = main.text_in_form("worker.name", &wanted, |text| {
        text.len() <= MAX_WORKER_NAME_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    });
    let lease = main.seconds("worker.lease_seconds", 1.0..=600.0);
    let heartbeat = main.seconds("worker.heartbeat_seconds", 0.1..=60.0);
    if heartbeat * 2.0 >= lease {
        let key = match main.origin("worker.lease_seconds") {
            Some(Origin::Shipped) => "worker.heartbeat_seconds",
            _ => "worker.lease_seconds",
        };
        main.refuse(
            key,
            &format!(
                "does not fit: two heartbeats of {heartbeat} s must be shorter than the lease of {lease} s; \
                 correct worker.lease_seconds or worker.heartbeat_seconds"
            ),
        );
    }
    WorkerSettings {
        name: (!name.is_empty()).then_some(name),
        lease: Duration::from_secs_f64(lease),
        heartbeat: Duration::from_secs_f64(heartbeat),
        max_attempts: main.whole("worker.max_attempts", 1..=100),
        hung_after: Duration::from_secs_f64(main.seconds("worker.hung_after_seconds", 1.0..=86_400.0)),
        drain: seconds(main.whole("worker.drain_seconds", 0..=3600)),
    }
}

fn sync(main: &mut Layers) -> SyncSettings {
    SyncSettings {
        timeout: seconds(main.whole("sync_settings.timeout_minutes", 1..=1440) * 60),
        eod_wait_timeout: seconds(main.whole("sync_settings.eod_wait_timeout_seconds", 0..=86_400)),
        eod_recheck: seconds(main.whole("sync_settings.eod_recheck_seconds", 1..=3_600)),
        batch_size: main.whole("sync_settings.batch_size", 1..=100_000) as usize,
        enable_notifications: main.switch("sync_settings.enable_notifications"),
    }
}

fn triggers(main: &mut Layers) -> TriggerSettings {
    TriggerSettings {
        signals: main.switch("triggers.signals"),
        schedule: main.switch("triggers.schedule"),
        schedule_time: main.read("triggers.schedule_time", "a time of day such as \"16:10\"", |value| {
            value.as_str().and_then(|text| NaiveTime::parse_from_str(text, "%H:%M").ok())
        }),
    }
}

fn http(main: &mut Layers, api_key: Option<Secret>) -> HttpSettings {
    let wanted = "an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    let listen = main.read("http.listen", wanted, |value| value.as_str()?.parse::<SocketAddr>().ok());
    let mut keys = BTreeMap::new();
    for (name, setting) in main.section("http.keys") {
        if !is_key_name(&name) {
            main.refuse(
                &format!("http.keys.{name}"),
                "has no name for the log: it needs 1 to 40 of A-Z a-z 0-9 _ . -",
            );
        }
        match setting.value.as_str().and_then(sha256_from_hex) {
            Some(digest) if digest[..] == Sha256::digest(PUBLIC_API_KEY)[..] => main.refuse(
                &format!("http.keys.{name}"),
                &format!("is the hash of the key in AppV2's public source; {CHOOSE_KEY}"),
            ),
            Some(digest) => {
                keys.insert(name, digest);
            }
            // The value is not shown: it may be the key itself.
            None => main.refuse(
                &format!("http.keys.{name}"),
                "must be the SHA-256 of the key, 64 hexadecimal digits (printf %s \"$KEY\" | sha256sum)",
            ),
        }
    }
    HttpSettings { listen, api_key, keys, max_queued_jobs: main.whole("http.max_queued_jobs", 1..=100_000) }
}

/// Whether the name of an API key can stand in a log line.
fn is_key_name(name: &str) -> bool {
    (1..=MAX_KEY_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// The entries of a section that say something, each read by `one`.
fn given(
    main: &mut Layers,
    section: &str,
    one: impl Fn(&mut Layers, &str) -> String,
) -> BTreeMap<String, String> {
    let names: Vec<String> = main.section(section).into_iter().map(|(name, _)| name).collect();
    let values = names.into_iter().map(|name| {
        let value = one(main, &format!("{section}.{name}"));
        (name, value)
    });
    values.filter(|(_, value)| !value.is_empty()).collect()
}

fn identifier(main: &mut Layers, key: &str) -> String {
    let wanted = format!("a name of up to {MAX_IDENTIFIER_BYTES} bytes, as the database spells it");
    main.text_in_form(key, &wanted, |text| {
        text.len() <= MAX_IDENTIFIER_BYTES && !text.chars().any(char::is_control)
    })
}

fn required_identifier(main: &mut Layers, key: &str) -> String {
    let name = identifier(main, key);
    if name.is_empty() {
        main.refuse(key, "is empty; leave it out for the usual name");
    }
    name
}

fn name_part(main: &mut Layers, key: &str) -> String {
    main.text_in_form(key, "up to 64 characters without blanks and commas, and no ':' at an end", |text| {
        text.len() <= 64 && !text.contains(breaks_a_name) && !text.starts_with(':') && !text.ends_with(':')
    })
}

/// Blanks break a key on a command line; commas break the list of channels in an event stream.
fn breaks_a_name(c: char) -> bool {
    c == ',' || c.is_whitespace() || c.is_control()
}

/// A URL, which no complaint shows.
fn secret(
    main: &mut Layers,
    key: &str,
    fits: impl Fn(&str) -> bool,
    sentence: impl Fn() -> String,
) -> Secret {
    let url = main.text(key).trim().to_owned();
    if !url.is_empty() && !fits(&url) {
        main.refuse(key, &sentence());
    }
    Secret::new(url)
}

/// `host:port/database` of a Postgres URL or connection string, or `None` if it is none.
pub(super) fn postgres_address(url: &str) -> Option<String> {
    let config: tokio_postgres::Config = url.parse().ok()?;
    let host = config.get_hosts().first().map_or("localhost".to_owned(), |host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    Some(format!("{host}:{port}/{database}"))
}

/// `host:port/database` of a Redis URL, or `None` if it is none.
pub(super) fn redis_address(url: &str) -> Option<String> {
    if !["redis://", "rediss://", "unix://"].iter().any(|scheme| url.starts_with(scheme)) {
        return None;
    }
    let info = url.into_connection_info().ok()?;
    Some(format!("{}/{}", info.addr(), info.redis_settings().db()))
}

/// Whether a text is the address of a Sentinel: `host:port`, or a URL of TCP.
fn is_sentinel(text: &str) -> bool {
    let names_a_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if text.contains("://") {
        !text.starts_with("unix://") && redis_address(text).is_some()
    } else {
        names_a_port && redis_address(&format!("redis://{text}")).is_some()
    }
}

/// `host:port` of a Sentinel, whichever way it is given.
pub(super) fn sentinel_address(given: &Secret) -> String {
    let url = if given.expose().contains("://") {
        given.expose().to_owned()
    } else {
        format!("redis://{}", given.expose())
    };
    let address = redis_address(&url).unwrap_or_else(|| "(unreadable)".to_owned());
    address.split('/').next().unwrap_or_default().to_owned()
}

/// Whether a URL or connection string holds a password.
pub(super) fn holds_password(text: &str) -> bool {
    let authority =
        text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || text.contains("password=")
}

fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
