//! Starts real servers. Each test takes what it needs and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use super::{PostgresOptions, PrivatePostgres, PrivateRedis};

/// Set in the process that [`servers_end_with_a_process_that_is_killed`] starts and kills.
const HOLDER: &str = "CACHE_SYNC_TEST_HOLDS_SERVERS";

#[test]
fn a_private_postgres_answers_and_leaves_nothing() {
    let postgres = PrivatePostgres::start().expect("start");
    assert_eq!(query(&postgres.url(), "select 1::text"), "1");
    assert_eq!(query(&postgres.socket_url(), "show server_encoding"), "UTF8");
    assert_eq!(query(&postgres.url(), "select datcollate from pg_database limit 1"), "C");
    assert_eq!(shell(&format!("{} -Atc 'select 2'", postgres.psql_command())), "2\n");

    let (folder, server) = (postgres.folder().to_owned(), postgres.process_id().expect("it runs"));
    postgres.stop().expect("stop");
    assert!(!folder.exists());
    assert!(!is_alive(server));
}

#[test]
fn a_private_redis_answers_and_leaves_nothing() {
    let redis = PrivateRedis::start(&[]).expect("start");
    for url in [redis.url(), redis.socket_url()] {
        assert_eq!(command(&url, &["PING"]), "PONG");
    }
    assert_eq!(shell(&format!("{} ping", redis.redis_cli_command())), "PONG\n");

    let (folder, server) = (redis.folder().to_owned(), redis.process_id().expect("it runs"));
    drop(redis);
    assert!(!folder.exists());
    assert!(!is_alive(server));
}

#[test]
fn two_of_each_at_once_do_not_collide() {
    let (postgres, redis) = thread::scope(|scope| {
        let postgres = [(); 2].map(|()| scope.spawn(|| PrivatePostgres::start().expect("start")));
        let redis = [(); 2].map(|()| scope.spawn(|| PrivateRedis::start(&[]).expect("start")));
        (postgres.map(|start| start.join().expect("join")), redis.map(|start| start.join().expect("join")))
    });
    for (number, one) in redis.iter().enumerate() {
        command(&one.url(), &["SET", "number", &number.to_string()]);
    }
    for (number, one) in redis.iter().enumerate() {
        assert_eq!(command(&one.url(), &["GET", "number"]), number.to_string());
    }
    let system = "select system_identifier::text from pg_control_system()";
    assert_ne!(query(&postgres[0].url(), system), query(&postgres[1].url(), system));
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    let this_test = env::current_exe().expect("the path of this program");
    let mut holder = Command::new(this_test)
        .args(["--exact", "demo::servers::tests::a_process_that_holds_servers", "--nocapture"])
        .env(HOLDER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start this program again");
    let output = BufReader::new(holder.stdout.take().expect("a pipe"));
    let held: Vec<_> =
        output.lines().map_while(Result::ok).filter_map(|line| held_server(&line)).take(2).collect();
    assert_eq!(held.len(), 2, "two servers should have been started");
    for (server, folder) in &held {
        assert!(is_alive(*server) && folder.exists());
    }

    holder.kill().expect("send SIGKILL");
    holder.wait().expect("wait for the killed process");
    for (server, folder) in &held {
        assert!(eventually(|| !is_alive(*server)), "server {server} lives on");
        assert!(eventually(|| !folder.exists()), "{} is still there", folder.display());
    }
}

/// Not a test by itself: the process that the test above kills.
#[test]
fn a_process_that_holds_servers() {
    if env::var_os(HOLDER).is_none() {
        return;
    }
    let postgres = PrivatePostgres::start().expect("start");
    let redis = PrivateRedis::start(&[]).expect("start");
    println!("\nHELD {} {}", postgres.process_id().expect("it runs"), postgres.folder().display());
    println!("HELD {} {}", redis.process_id().expect("it runs"), redis.folder().display());
    // Returns only if the test above ends without killing us.
    let _ = io::stdin().read_line(&mut String::new());
}

fn held_server(line: &str) -> Option<(u32, PathBuf)> {
    let (server, folder) = line.strip_prefix("HELD ")?.split_once(' ')?;
    Some((server.parse().ok()?, PathBuf::from(folder)))
}

#[test]
fn a_killed_postgres_keeps_what_was_committed() {
    let postgres = PrivatePostgres::start().expect("start");
    let url = postgres.url();
    query(&url, "create table kept as select 'before the crash' as word");
    let server = postgres.process_id().expect("it runs");

    postgres.kill_hard().expect("kill");
    assert_eq!(postgres.process_id(), None);
    assert!(!is_alive(server));
    postgres.restart().expect("restart");

    assert_eq!(query(&url, "select word from kept"), "before the crash");
    assert!(
        fs::read_to_string(postgres.folder().join("log"))
            .expect("log")
            .contains("automatic recovery in progress")
    );
}

#[test]
fn a_killed_redis_keeps_what_was_written() {
    let redis = PrivateRedis::start(&[]).expect("start");
    command(&redis.url(), &["SET", "word", "before the crash"]);
    let server = redis.process_id().expect("it runs");

    redis.kill_hard().expect("kill");
    assert_eq!(redis.process_id(), None);
    assert!(!is_alive(server));
    redis.restart().expect("restart");

    assert_eq!(command(&redis.url(), &["GET", "word"]), "before the crash");
}

#[test]
fn a_restart_keeps_data_and_url_and_changes_the_process() {
    let redis = PrivateRedis::start(&["--maxmemory", "50mb"]).expect("start");
    let url = redis.url();
    command(&url, &["SET", "word", "kept"]);
    let before = redis.process_id();
    redis.restart().expect("restart");
    assert_ne!(redis.process_id(), before);
    assert_eq!(redis.url(), url);
    assert_eq!(command(&url, &["GET", "word"]), "kept");
}

#[test]
fn a_paused_server_stands_still_until_it_is_resumed() {
    let redis = PrivateRedis::start(&[]).expect("start");
    let server = redis.process_id().expect("it runs");
    redis.pause().expect("pause");
    assert!(eventually(|| is_stopped(server)));
    redis.resume().expect("resume");
    assert!(eventually(|| !is_stopped(server)));
    assert_eq!(command(&redis.url(), &["PING"]), "PONG");
}

#[test]
fn a_paused_postgres_stands_still_with_all_its_processes() {
    let postgres = PrivatePostgres::start().expect("start");
    let server = postgres.process_id().expect("it runs");
    postgres.pause().expect("pause");
    let family = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).expect("its children");
    assert!(family.split_whitespace().count() >= 4, "{family}");
    for process in family.split_whitespace() {
        let process = process.parse().expect("a process id");
        // The last pg_isready's connection may have ended; a server that stands still does not notice (Z).
        assert!(eventually(|| matches!(state(process), Some('T' | 'Z'))), "{process} goes on");
    }
    // It is paused while it is ended: that must not wait for ever.
    postgres.stop().expect("stop");
    assert!(!is_alive(server));
}

#[test]
fn only_its_user_may_enter_its_folder_and_that_is_not_root() {
    let redis = PrivateRedis::start(&[]).expect("start");
    let folder = fs::metadata(redis.folder()).expect("its folder");
    let process =
        fs::metadata(format!("/proc/{}", redis.process_id().expect("it runs"))).expect("its process");
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    assert_eq!(folder.uid(), process.uid());
    assert_ne!(process.uid(), 0);
    assert_ne!(process.gid(), 0);
}

#[test]
fn postgres_asks_for_the_password_on_127_0_0_1() {
    let postgres = PrivatePostgres::start().expect("start");
    let (before, after) = postgres.url().split_once('@').map(own).expect("a URL with a user");
    let without_password = format!("{}@{after}", before.rsplit_once(':').expect("a password").0);
    assert!(shell_fails(&format!("psql --no-password {without_password} -c 'select 1'")));
    assert!(shell_fails(&format!("psql {before}x@{after} -c 'select 1'")));
}

fn own((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let options =
        PostgresOptions { settings: vec![("nonsense".into(), "it's".into())], ..Default::default() };
    let error = PrivatePostgres::start_with(&options).err().expect("refused").to_string();
    assert!(error.starts_with("cannot start the private Postgres: it is not running"), "{error}");
    assert!(error.contains("unrecognized configuration parameter \"nonsense\""), "{error}");

    let error = PrivateRedis::start(&["--nonsense", "1"]).err().expect("refused").to_string();
    assert!(error.starts_with("cannot start the private Redis: it is not running"), "{error}");
    // Redis 7 calls it a bad directive, Redis 8 an unresolved configuration.
    assert!(error.contains("nonsense"), "{error}");
}

/// The first column of the first row, a text.
fn query(url: &str, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("connect");
        let connection = tokio::spawn(connection);
        let rows = client.simple_query(sql).await.expect(sql);
        drop(client);
        connection.await.expect("join").expect("close");
        let row = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.unwrap_or_default()
    })
}

fn command(url: &str, words: &[&str]) -> String {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_connection().expect("connect");
    redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).expect("an answer")
}

fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().expect("run sh");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn shell_fails(line: &str) -> bool {
    !Command::new("sh").args(["-c", line]).output().expect("run sh").status.success()
}

/// Whether the claim becomes true within a minute.
fn eventually(claim: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !claim() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

fn is_stopped(process: u32) -> bool {
    state(process) == Some('T')
}

/// The letter after the name in parentheses, as `ps` shows it.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
