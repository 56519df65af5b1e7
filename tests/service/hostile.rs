//! Whatever others write where the service reads: it is read past, refused or reported, and the work goes on.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{KEY, World, background, request, until};

/// More than an answer to any of these requests, and the most that is read of one.
const MUCH: u64 = 1 << 20;
/// Resident memory that hostile requests may cost a server, in kB.
const MEMORY_AT_MOST: u64 = 64 << 10;

/// The files of a corpus, by name.
fn corpus(reader: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/corpus/{reader}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_name() != "README.md");
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().split('.').next().unwrap().to_owned();
        (name, std::fs::read(entry.path()).unwrap())
    };
    files.map(read).collect()
}

fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn hostile_requests_are_answered_or_hung_up_on_and_the_server_goes_on() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let before = resident_kb(serving.process.id());
    for (name, bytes) in corpus("http_requests") {
        let at = bytes.windows(3).position(|three| three == b"KEY");
        let request = match at {
            Some(at) => [&bytes[..at], KEY.as_bytes(), &bytes[at + 3..]].concat(),
            None => bytes,
        };
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        // The server may hang up in the middle, and then says so by an error here.
        let _ = stream.write_all(&request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let mut stream = stream.take(MUCH);
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect(&name);
        let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ").map(|rest| rest[..3].parse::<u16>().unwrap());
        assert!(answer.is_empty() || status.is_some_and(|status| status < 500), "{name}: {head}");
    }
    let health = serving.ask(axum::http::Method::GET, "/health", &[], "").await;
    assert_eq!(health.status, 200);
    let more = resident_kb(serving.process.id()).saturating_sub(before);
    assert!(more < MEMORY_AT_MOST, "{more} kB more than before");
}

#[tokio::test]
async fn rows_of_any_content_are_left_alone_or_put_right() {
    let world = World::new().await;
    let foreign = corpus("contents");
    for (name, content) in &foreign {
        let content = String::from_utf8(content.clone()).unwrap();
        world
            .sql(&format!(
                "insert into cache_entries (universe, cache_type, content) values ('their_{name}', 'custom', $${content}$$)"
            ))
            .await;
    }
    // The same where our own rows belong: they are adopted as far as they can be read, and written.
    for ((_, content), ours) in
        foreign.iter().zip(["mega_cap", "large_cap", "mid_cap", "small_cap", "micro_cap"])
    {
        let content = String::from_utf8(content.clone()).unwrap();
        world
            .sql(&format!(
                "insert into cache_entries (universe, cache_type, content) values ('{ours}', 'market_cap', $${content}$$)"
            ))
            .await;
    }
    world.delist(&background(13)).await;
    // One of them names the delisted stock where a stock may be named, and loses it, nothing else.
    let theirs = "select universe, xmin, md5(content::text) from cache_entries
                  where cache_type = 'custom' and universe <> 'their_symbols_of_any_kind' order by universe";
    let before = world.ask(theirs).await;
    assert_eq!(before.len() + 1, foreign.len());
    world.sync("job").await;
    assert_eq!(world.ask(theirs).await, before);
    let cleaned = "select content from cache_entries where universe = 'their_symbols_of_any_kind'";
    let cleaned = world.ask(cleaned).await[0].clone();
    assert!(!cleaned.contains("BG013") && cleaned.contains("[null, 1, {}]"), "{cleaned}");
    world.assert_history_is_consistent().await;
    assert!(!world.universe("mega_cap").await.is_empty());
}

#[tokio::test]
async fn securities_with_values_that_make_no_sense_are_read_past() {
    let world = World::new().await;
    world
        .sql(
            r"alter table symbols alter column market_cap type double precision;
              alter table symbols alter column sic_code type text;
              insert into symbols (symbol, name, type, active, market_cap, sector, industry, sic_code, list_date, cik) values
              (E'\x1b[31mRED', E'a\nb', 'CS', true, 'NaN', E'\t', '', '3674; drop table', 'infinity', '-1'),
              (U&'\202eEVIL', repeat('n', 100000), 'CS', true, 'Infinity', repeat('s', 100000), null, '99999999999999999999', '-infinity', ''),
              ('', '', 'CS', true, -1, null, null, null, '0001-01-01 BC', null),
              ('   ', ' ', 'CS', true, 1e300, null, null, '-', '9999-12-31', null),
              ('A/B.C-D', 'A', E'C\'S', null, 0, null, null, '0', null, null),
              ('NULL', 'null', 'CS', true, 5e10, 'null', 'null', 'N/A', null, 'null');
              insert into ohlcv_daily (symbol, date, close, volume)
              select symbol, (select max(date) from ohlcv_daily), case symbol when 'NULL' then 'NaN'::numeric else -5 end, -1
              from symbols where symbol not like 'BG%' on conflict do nothing",
        )
        .await;
    let status = world.sync("job").await;
    assert_eq!(status["status"], "completed");
    assert!(
        world.universe("large_cap").await.contains(&"NULL".to_owned()),
        "by its stored cap: a ticker like others"
    );
    for universe in ["mega_cap", "large_cap", "mid_cap", "small_cap", "micro_cap"] {
        let odd = world.universe(universe).await;
        assert!(!odd.iter().any(|symbol| symbol.contains('\u{1b}') || symbol.trim().is_empty()), "{odd:?}");
    }
    let told = world.events("job").await;
    assert!(told.iter().all(|told| !told.data.to_string().contains('\u{1b}')));
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_others_write_under_our_keys_is_read_past_by_commands_and_streams() {
    let world = World::filled().await;
    let (hash, events) = ("tickstock:jobs:cache_sync:status:first", "tickstock:jobs:cache_sync:events:first");
    let mut spoil = redis::cmd("HSET");
    spoil
        .arg(hash)
        .arg("completed")
        .arg("\u{1b}[31mmany")
        .arg("warnings")
        .arg("[[")
        .arg(&b"\xff\xfe"[..])
        .arg("x");
    let _: i64 = world.ask_redis(&spoil).await;
    let last = world.job("first").await.last_seq;
    let mut add = redis::cmd("XADD");
    add.arg(events).arg(format!("{last}-7")).arg("colour").arg(&b"\xff\x00"[..]);
    let _: String = world.ask_redis(&add).await;
    let ran = world.run_command(&["status", "first"]).await;
    assert!(ran.code <= 1 && !ran.output.contains('\u{1b}') && !ran.remarks.contains("panicked"), "{ran:?}");
    let mut letter = redis::cmd("XADD");
    letter
        .arg(world.names.dead_stream())
        .arg("*")
        .arg("entry_id")
        .arg(&b"\xff"[..])
        .arg("reason")
        .arg("\u{1b}[2J");
    let _: String = world.ask_redis(&letter).await;
    for args in [&["dead", "list"][..], &["dead", "list", "--json"], &["dead", "replay", "--all"]] {
        let ran = world.run_command(args).await;
        assert!(
            ran.code <= 1 && !ran.output.contains('\u{1b}') && !ran.remarks.contains("panicked"),
            "{args:?}: {ran:?}"
        );
    }
    // And the work goes on.
    world.submit(&request("next")).await;
    world.run_once().await;
    until("the end", async || world.status("next").await["status"] == "completed").await;
}
