//! Reading `symbols` and `ohlcv_daily` as they are found.

use cache_sync::domain::figure::Figure;
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::store::Limits;
use cache_sync::store::read::source::{Source, Volumes, read_securities, read_volumes, reread_closes};
use rust_decimal::Decimal;

use super::world::{World, date};

fn value(text: &str) -> Figure {
    Figure::Value(text.parse::<Decimal>().unwrap())
}

fn close(day: &str, price: &str) -> Close {
    Close { date: date(day), price: value(price) }
}

async fn only_security(world: &World) -> Security {
    let market = world.read_market(None).await;
    assert_eq!(market.securities.len(), 1);
    market.securities.into_iter().next().unwrap()
}

#[tokio::test]
async fn columns_are_found_by_their_aliases_and_the_first_that_exists_wins() {
    let world = World::empty().await;
    world
        .sql(
            "create table symbols (symbol text, type text, is_active bool, company_name text, shares_outstanding int,
                 weighted_shares_outstanding numeric, exchange text, primary_exchange text, listing_date timestamp,
                 sic_code int, dividend_growth_years smallint, esg_score real, aum_millions double precision);
             create table ohlcv_daily (symbol text, timestamp timestamptz, close double precision);
             insert into symbols values (' KO ', ' cs ', true, ' Coca-Cola ', 1, 4300.5, 'NASDAQ', 'XNYS',
                 '1919-09-05 09:30', 2086, 64, 7.5, 1.1);
             insert into ohlcv_daily values (' KO ', '2026-07-21 00:00Z', 70.25)",
        )
        .await;
    let security = only_security(&world).await;
    assert_eq!((security.symbol.as_str(), &*security.kind), ("KO", "CS"));
    assert_eq!(security.name.as_deref(), Some("Coca-Cola"));
    assert_eq!((security.shares, security.stored_cap), (value("4300.5"), Figure::Missing));
    assert_eq!(security.exchange.as_deref(), Some("XNYS"));
    assert_eq!(security.list_date, Some(date("1919-09-05")));
    assert_eq!(security.sic_code.as_deref(), Some("2086"));
    assert_eq!(security.dividend_growth_years, Some(64));
    assert_eq!((security.esg_score, security.aum_millions), (value("7.5"), value("1.1")));
    assert_eq!((security.sector, security.cik), (None, None));
    assert_eq!(security.close, Some(close("2026-07-21", "70.25")));
}

#[tokio::test]
async fn columns_named_by_the_operator_go_before_the_aliases() {
    let mut world = World::empty().await;
    world
        .sql(
            "create schema feed;
             create view feed.listed as select 'A'::varchar as \"Ticker\", 'CS' as type, 1 as active, 5 as market_cap,
                 6 as cap;
             create table feed.bars (ticker char(8), day date, market_cap int, close numeric);
             insert into feed.bars values ('A', '2026-07-21', 1, 2)",
        )
        .await;
    world.source.schema = "feed".to_owned();
    world.source.symbols_table = "listed".to_owned();
    world.source.bars_table = "bars".to_owned();
    for (role, column) in
        [("symbol", "Ticker"), ("market_cap", "cap"), ("bar_symbol", "ticker"), ("date", "day")]
    {
        world.source.columns.insert(role.to_owned(), column.to_owned());
    }
    let security = only_security(&world).await;
    assert_eq!((security.symbol.as_str(), security.active), ("A", Some(true)));
    assert_eq!((security.stored_cap, security.close), (value("6"), Some(close("2026-07-21", "2"))));

    world.source.columns.insert("sector".to_owned(), "gics".to_owned());
    let sentence = world.discover().await.unwrap_err();
    assert!(sentence.contains("has no column gics, which [source.columns] names for sector"), "{sentence}");
    world.source.columns.remove("sector");
    world.source.columns.insert("sectr".to_owned(), "x".to_owned());
    assert!(world.discover().await.unwrap_err().contains("known are only symbol, type"));
}

#[tokio::test]
async fn a_source_without_what_we_need_is_refused_with_what_is_missing() {
    let bars = "create table ohlcv_daily (symbol text, date date, close numeric);";
    for (tables, what) in [
        (
            format!("create table symbols (symbol text, active bool, market_cap int); {bars}"),
            "no column for type",
        ),
        (
            format!("create table symbols (symbol text, type text, market_cap int); {bars}"),
            "no column for active (looked for active, is_active); name it in [source.columns]",
        ),
        (
            format!("create table symbols (symbol text, type text, active bool); {bars}"),
            "has no column for market_cap, and there is no shares column beside a close",
        ),
        (
            format!("create table symbols (symbol text, type text, active text, market_cap int); {bars}"),
            "is text, which can't be read as a boolean or an integer",
        ),
        (
            "create table symbols (symbol text, type text, active bool, market_cap int);
             create table ohlcv_daily (symbol text, date text, close numeric);"
                .to_owned(),
            "is text, which can't be read as a date or timestamp",
        ),
    ] {
        let world = World::empty().await;
        world.sql(&tables).await;
        let sentence = world.discover().await.unwrap_err();
        assert!(sentence.contains(what), "{sentence}");
    }
    let world = World::empty().await;
    world
        .sql(
            "create table symbols (symbol text, type text, active bool, shares_outstanding int);
             create table ohlcv_daily (symbol text, date date, close numeric);",
        )
        .await;
    assert!(world.discover().await.is_ok(), "shares and close will do");
}

#[tokio::test]
async fn numbers_that_are_none_become_invalid_and_never_an_error() {
    let world = World::empty().await;
    for (kind, text, figure) in [
        ("numeric", "NaN", Figure::Invalid),
        ("numeric", "Infinity", Figure::Invalid),
        ("numeric", "-Infinity", Figure::Invalid),
        ("numeric", "1e500", Figure::Invalid),
        ("numeric", "-1e30", Figure::Invalid),
        ("numeric", "79228162514264337593543950336", Figure::Invalid),
        ("numeric", "79228162514264337593543950335", value("79228162514264337593543950335")),
        ("numeric", "10000000000000000000000000000", value("10000000000000000000000000000")),
        ("numeric", "1e-300", value("0")),
        ("numeric", "-0.0001", value("-0.0001")),
        ("numeric", "0", value("0")),
        ("numeric", "120000", value("120000")),
        ("numeric", "743500.0000", value("743500")),
        ("numeric", "123456789012345678901234.123456789012345678", value("123456789012345678901234.1234")),
        ("numeric", "0.3333333333333333333333333333333333333333", value("0.3333333333333333333333333333")),
        ("double precision", "NaN", Figure::Invalid),
        ("double precision", "Infinity", Figure::Invalid),
        ("double precision", "1e300", Figure::Invalid),
        ("double precision", "1e-300", value("0")),
        ("double precision", "1.1", value("1.1")),
        ("real", "1.1", value("1.1")),
        ("bigint", "-9223372036854775808", value("-9223372036854775808")),
        ("text", " 12.5 ", value("12.5")),
        ("text", "n/a", Figure::Invalid),
        ("text", "", Figure::Missing),
    ] {
        world
            .sql(&format!(
                "drop table if exists symbols, ohlcv_daily;
                 create table symbols (symbol text, type text, active bool, market_cap {kind});
                 create table ohlcv_daily (symbol text, date date, close {kind});
                 insert into symbols values ('A', 'CS', null, '{text}');
                 insert into ohlcv_daily values ('A', '2026-07-21', '{text}')"
            ))
            .await;
        let security = only_security(&world).await;
        assert_eq!(security.stored_cap, figure, "{text}::{kind}");
        assert_eq!(security.close.unwrap().price, figure, "{text}::{kind}");
        assert_eq!(security.active, None);
    }
}

#[tokio::test]
async fn each_kind_of_date_means_its_trading_date() {
    let world = World::empty().await;
    for (kind, instant, day) in [
        ("date", "2026-07-21", "2026-07-21"),
        ("timestamp", "2026-07-21 00:00", "2026-07-21"),
        ("timestamp", "2026-07-21 23:59:59.999", "2026-07-21"),
        ("timestamptz", "2026-07-21 00:00Z", "2026-07-21"),
        ("timestamptz", "2026-07-21 20:00Z", "2026-07-21"),
        ("timestamptz", "2026-07-22 03:59:59Z", "2026-07-21"),
        ("timestamptz", "2026-07-22 04:00Z", "2026-07-22"),
        ("timestamptz", "2026-01-22 04:59Z", "2026-01-21"),
    ] {
        world
            .sql(&format!(
                "drop table if exists symbols, ohlcv_daily;
                 create table symbols (symbol text, type text, active bool, market_cap int);
                 create table ohlcv_daily (symbol text, date {kind}, close numeric);
                 insert into symbols values ('A', 'CS', true, 1);
                 insert into ohlcv_daily values ('A', '{instant}', 2), ('A', '2026-01-02 12:00Z', 1)"
            ))
            .await;
        let read = |bound: &str| {
            let bound = Some(date(bound));
            let world = &world;
            async move { world.read_market(bound).await.securities[0].close }
        };
        assert_eq!(only_security(&world).await.close, Some(close(day, "2")), "{kind} {instant}");
        assert_eq!(read(day).await, Some(close(day, "2")), "{kind} {instant}: on its own date");
        let day_before = date(day).pred_opt().unwrap().to_string();
        assert_eq!(
            read(&day_before).await,
            Some(close("2026-01-02", "1")),
            "{kind} {instant}: the day before"
        );
    }
}

#[tokio::test]
async fn a_close_after_the_date_is_read_again_with_the_last_one_before_it() {
    let world = World::with_market().await;
    world
        .sql(
            "insert into symbols (symbol, type, active) values ('LATE', 'CS', true), ('ONTIME', 'CS', true),
                 ('NEW', 'CS', true), (' LATE', 'CS', true);
             insert into ohlcv_daily values ('LATE', '2026-07-20', 1), ('LATE', '2026-07-22', 2),
                 ('ONTIME', '2026-07-21', 3), ('NEW', '2026-07-22', 4), (' LATE', '2026-07-17', 5),
                 (' LATE', '2026-07-22', 6)",
        )
        .await;
    let mut securities = world.read_market(None).await.securities;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let source = Source::discover(&tx, &world.source).await.unwrap();
    let reread = reread_closes(&tx, &source, &mut securities, date("2026-07-21")).await.unwrap();
    assert_eq!(reread, 4 - 1);
    let close_of = |symbol: &str| {
        let found = securities.iter().find(|security| security.symbol.as_str() == symbol);
        found.unwrap().close
    };
    assert_eq!(close_of("LATE"), Some(close("2026-07-20", "1")), "the exact spelling counts");
    assert_eq!(close_of("ONTIME"), Some(close("2026-07-21", "3")));
    assert_eq!(close_of("NEW"), None);
    assert_eq!(reread_closes(&tx, &source, &mut securities, date("2026-07-21")).await.unwrap(), 0);
}

#[tokio::test]
async fn volumes_are_those_of_the_last_close_and_read_only_where_asked_for() {
    let world = World::with_market().await;
    world
        .sql(
            "insert into symbols (symbol, type, active) values ('A', 'CS', true), ('B', 'CS', true);
             insert into ohlcv_daily (symbol, date, close, volume) values ('A', '2026-07-20', 1, 100),
                 ('A', '2026-07-22', 2, 200), ('B', '2026-07-21', 3, null)",
        )
        .await;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let volumes = |securities: &[Security]| {
        let mut volumes: Vec<Option<Decimal>> =
            securities.iter().map(|security| security.volume.value()).collect();
        volumes.sort();
        volumes
    };
    let source = Source::discover_with(&tx, &world.source, Volumes::Read).await.unwrap();
    let mut securities = read_securities(&tx, &source, None).await.unwrap().securities;
    assert_eq!(volumes(&securities), [None, Some(200.into())]);
    reread_closes(&tx, &source, &mut securities, date("2026-07-21")).await.unwrap();
    assert_eq!(volumes(&securities), [None, Some(100.into())]);

    let source = Source::discover(&tx, &world.source).await.unwrap();
    let mut securities = read_securities(&tx, &source, None).await.unwrap().securities;
    assert_eq!(volumes(&securities), [None, None]);
    let doubted = |symbols: &[&str]| symbols.iter().filter_map(|symbol| Symbol::parse(symbol)).collect();
    let as_of = date("2026-07-22");
    assert_eq!(
        read_volumes(&tx, &source, &mut securities, &doubted(&["B", "GONE"]), as_of).await.unwrap(),
        1
    );
    assert_eq!(volumes(&securities), [None, None]);
    assert_eq!(read_volumes(&tx, &source, &mut securities, &doubted(&["A"]), as_of).await.unwrap(), 1);
    assert_eq!(volumes(&securities), [None, Some(200.into())]);
    // A close that is read once more comes with its own volume, and nobody asks for it again.
    reread_closes(&tx, &source, &mut securities, date("2026-07-21")).await.unwrap();
    assert_eq!(volumes(&securities), [None, Some(100.into())]);
    let known =
        read_volumes(&tx, &source, &mut securities, &doubted(&["A"]), date("2026-07-21")).await.unwrap();
    assert_eq!(known, 0);
    tx.rollback().await.unwrap();
    // The rule asks, the column is not there: nothing is known of volumes, and that is all.
    world.sql("alter table ohlcv_daily drop column volume").await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let source = Source::discover_with(&tx, &world.source, Volumes::Read).await.unwrap();
    let mut securities = read_securities(&tx, &source, None).await.unwrap().securities;
    assert_eq!(volumes(&securities), [None, None]);
    assert_eq!(read_volumes(&tx, &source, &mut securities, &doubted(&["A"]), as_of).await.unwrap(), 0);
}

#[tokio::test]
async fn a_bar_without_a_close_is_passed_over() {
    let world = World::with_market().await;
    world
        .sql(
            "insert into symbols (symbol, type, active) values ('A', 'CS', true), ('B', 'CS', true);
             insert into ohlcv_daily values ('A', '2026-07-20', 1), ('A', '2026-07-21', null)",
        )
        .await;
    let market = world.read_market(None).await;
    assert_eq!(market.securities[0].close, Some(close("2026-07-20", "1")));
    assert_eq!(market.securities[1].close, None);
}

#[tokio::test]
async fn rows_that_are_no_securities_are_listed_escaped() {
    let world = World::empty().await;
    world
        .sql(
            "create table symbols (symbol text, type text, active bool, market_cap int);
             create table ohlcv_daily (symbol text, date date, close numeric);
             insert into symbols (symbol) values (null), (''), ('   '), (E'A\\nB'), (repeat('X', 100)), ('NAN')",
        )
        .await;
    let market = world.read_market(None).await;
    assert_eq!(market.securities.len(), 1);
    assert_eq!((market.securities[0].symbol.as_str(), &*market.securities[0].kind), ("NAN", ""));
    let mut unreadable = market.unreadable_symbols;
    unreadable.sort();
    let long = format!("\"{}\"...", "X".repeat(40));
    assert_eq!(unreadable, ["\"   \"", "\"\"", "\"A\\nB\"", &long, "null"]);
}

#[tokio::test]
async fn closes_are_found_by_the_index_whatever_the_types_of_date_and_symbol() {
    for (symbol_kind, bar_kind, date_kind) in [
        ("varchar(20)", "varchar(20)", "date"),
        ("text", "varchar(20)", "timestamptz"),
        ("varchar(20)", "text", "timestamp"),
        ("text", "char(8)", "date"),
        ("char(8)", "text collate \"POSIX\"", "timestamptz"),
    ] {
        let world = World::empty().await;
        world
            .sql(&format!(
                "create table symbols (symbol {symbol_kind} primary key, type text, active bool, market_cap int);
                 create table ohlcv_daily (symbol {bar_kind}, date {date_kind}, close numeric, primary key (symbol, date));
                 insert into symbols select 'S' || n, 'CS', true, 1 from generate_series(1, 300) n;
                 insert into ohlcv_daily select 'S' || n, d, 1 from generate_series(1, 300) n,
                     generate_series('2025-08-01'::date, '2026-07-21', '1 day') d;
                 analyze symbols; analyze ohlcv_daily"
            ))
            .await;
        let source = world.discover().await.unwrap();
        let with_date = |sql: String| sql.replace("$1", "'2026-07-20'").replace("$2", "'{S1,S2,S3}'");
        for sql in [source.securities_sql(false), source.securities_sql(true), source.closes_sql()] {
            let plan = world.ask(&format!("explain {}", with_date(sql))).await.join("\n");
            assert!(!plan.contains("Seq Scan on ohlcv_daily"), "{bar_kind} {date_kind}:\n{plan}");
            assert!(
                plan.contains("Index Scan Backward using ohlcv_daily_pkey"),
                "{bar_kind} {date_kind}:\n{plan}"
            );
        }
        let market = world.read_market(Some(date("2026-07-20"))).await;
        assert!(market.securities.iter().all(|s| s.close.unwrap().date == date("2026-07-20")));
    }
}

#[tokio::test]
async fn partitioned_bars_are_read_like_any_other() {
    let world = World::empty().await;
    world
        .sql(
            "create table symbols (symbol text, type text, active bool, market_cap int);
             create table ohlcv_daily (symbol text, date date, close numeric) partition by range (date);
             create table bars_2025 partition of ohlcv_daily for values from ('2025-01-01') to ('2026-01-01');
             create table bars_2026 partition of ohlcv_daily for values from ('2026-01-01') to ('2027-01-01');
             insert into symbols values ('A', 'CS', true, 1);
             insert into ohlcv_daily values ('A', '2025-12-31', 1), ('A', '2026-01-02', 2)",
        )
        .await;
    assert_eq!(only_security(&world).await.close, Some(close("2026-01-02", "2")));
}
