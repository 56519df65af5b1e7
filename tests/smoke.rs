//! Temporary smoke run.
use std::sync::Arc;
use cache_sync::demo::{load, market::MadeMarket, servers::*};
use cache_sync::settings::*;
use cache_sync::worker::{Worker, Until, shutdown::Shutdown};
#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    let (pg, redis) = tokio::task::spawn_blocking(|| (PrivatePostgres::start().unwrap(), PrivateRedis::start(&[]).unwrap())).await.unwrap();
    let env = vec![("DATABASE_URL".into(), pg.url().into()), ("REDIS_URL".into(), redis.url().into())];
    let settings = Settings::load(LoadArgs { config: None, directory: "".into(), env: env.into_iter(), overrides: vec![] }).unwrap();
    let db = cache_sync::store::Database::new(&settings.database).unwrap();
    let client = db.dedicated().await.unwrap();
    println!("{}", redis.redis_cli_command());
    let _ = (client, load::create_source_tables as usize, );
    let _ = (Worker::new(&settings, Shutdown::default()).map(|w| Arc::new(w).run(Until::Idle)),);
    let _ = MadeMarket::new as usize;
}
