//! The servers of all worlds: one Postgres for the process, one Redis a world.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_sync::demo::load::create_source_tables;
use cache_sync::demo::servers::{PostgresOptions, PrivatePostgres, PrivateRedis};
use cache_sync::store::Database;
use cache_sync::store::migrations::migrate;
use tokio::sync::OnceCell;
use tokio_postgres::error::SqlState;

use super::{eventually, load, market};

/// The database that all others are copies of.
const TEMPLATE: &str = "template_of_worlds";

static POSTGRES: OnceLock<PrivatePostgres> = OnceLock::new();
static IS_TEMPLATE_READY: OnceCell<()> = OnceCell::const_new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// Makes a database that is migrated and holds the background of the market; its URL.
pub(super) async fn new_database() -> String {
    tokio::task::spawn_blocking(postgres).await.unwrap();
    IS_TEMPLATE_READY.get_or_init(make_template).await;
    copy_database(TEMPLATE).await
}

/// Makes a copy of a database that nobody uses any more; its URL.
pub(super) async fn copy_database(template: &str) -> String {
    let name = format!("world_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let admin = connect("postgres").await;
    let create = format!("create database {name} template {template}");
    eventually("a copy of the template", async || match admin.batch_execute(&create).await {
        Ok(()) => Some(()),
        // The connection that made the template is still saying goodbye.
        Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => None,
        Err(error) => panic!("{error:?}"),
    })
    .await;
    url_of(&name)
}

/// A Redis of its own: tests flush, pause and kill it.
pub(super) async fn new_redis() -> PrivateRedis {
    tokio::task::spawn_blocking(|| PrivateRedis::start(&[]).unwrap()).await.unwrap()
}

/// Breaks the Postgres of all worlds, and has it back after a while.
pub(crate) async fn restart_postgres(pause: std::time::Duration) {
    tokio::task::spawn_blocking(move || {
        postgres().kill_hard().unwrap();
        std::thread::sleep(pause);
        postgres().restart().unwrap();
    })
    .await
    .unwrap();
}

/// The folder of the Postgres of all worlds.
pub(crate) fn postgres_folder() -> std::path::PathBuf {
    postgres().folder().to_owned()
}

/// Shows what workers of this process log where `CACHE_SYNC_TEST_LOG` is set.
pub(super) fn log_if_asked() {
    if std::env::var_os("CACHE_SYNC_TEST_LOG").is_some() {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
    }
}

fn postgres() -> &'static PrivatePostgres {
    POSTGRES.get_or_init(|| {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        // When what was committed is a question of the fault tests.
        let settings = vec![setting("max_connections", "400"), setting("track_commit_timestamp", "on")];
        PrivatePostgres::start_with(&PostgresOptions { durable: false, settings }).unwrap()
    })
}

/// The port of the Postgres of all worlds.
pub(super) fn postgres_port() -> u16 {
    postgres().port()
}

/// Has the server carry something out, as its superuser.
pub(super) async fn tell_server(statement: &str) {
    connect("postgres").await.batch_execute(statement).await.unwrap();
}

/// The one text that a query is answered with.
pub(super) async fn ask_server(query: &str) -> String {
    let client = connect("postgres").await;
    let messages = client.simple_query(query).await.unwrap();
    let text = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    text.unwrap_or_default()
}

/// The socket of the Postgres of all worlds.
pub(super) fn postgres_socket() -> std::path::PathBuf {
    postgres().folder().join(format!(".s.PGSQL.{}", postgres().port()))
}

/// Over the socket: a password is worked out for a tenth of a second at every connection.
fn url_of(database: &str) -> String {
    let url = postgres().socket_url();
    format!("{}/{database}", url.rsplit_once('/').unwrap().0)
}

async fn make_template() {
    let admin = connect("postgres").await;
    admin.batch_execute(&format!("create database {TEMPLATE}")).await.unwrap();
    let settings = load(&url_of(TEMPLATE), "redis://127.0.0.1:1", &[]);
    let database = Database::new(&settings.database).unwrap();
    let client = database.dedicated().await.unwrap();
    create_source_tables(&client, "public").await.unwrap();
    client.batch_execute(&market::background_sql()).await.unwrap();
    migrate(&database, &settings.source, &settings.entries).await.unwrap();
}

async fn connect(database: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&url_of(database), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
