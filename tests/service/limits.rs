//! The API's bounds: no number of clients, idle or deaf, keeps probes and other peers from their answers, and there is an
//! end to what is queued.

use std::net::SocketAddr;

use axum::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{CALLS, KEY, World, until};

/// Asks from another address of this machine; the status, or nothing where it was hung up on.
async fn ask_from(peer: &str, server: SocketAddr, path: &str) -> Option<u16> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{peer}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn idle_clients_of_one_peer_keep_neither_probes_nor_other_peers_from_their_answers() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let mut idle = Vec::new();
    for _ in 0..520 {
        idle.push(TcpStream::connect(serving.address).await.unwrap());
    }
    until("all of them to be known", async || serving.process.log().contains("too many connections")).await;
    // Those beyond the share give their places up after a second; a probe comes again as an orchestrator's would.
    until("a probe's answer", async || ask_from("127.0.0.1", serving.address, "/health").await == Some(200))
        .await;
    let history = format!("{CALLS}/history");
    assert_eq!(ask_from("127.0.0.2", serving.address, &history).await, Some(200));
    assert_eq!(ask_from("127.0.0.1", serving.address, &history).await, Some(503));
    drop(idle);
    until("room for the peer again", async || {
        ask_from("127.0.0.1", serving.address, &history).await == Some(200)
    })
    .await;
    serving.stop().await;
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_hung_up_on() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let whole = serving.ask(Method::GET, "/openapi.json", &[], "").await.text.len();
    let asked = 400;
    let mut deaf = TcpStream::connect(serving.address).await.unwrap();
    let question = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(asked);
    // More than the buffers between the two hold; the server stops to read when it can't answer.
    let _ =
        tokio::time::timeout(std::time::Duration::from_secs(2), deaf.write_all(question.as_bytes())).await;
    until("the end of its connection", async || serving.process.log().contains("a connection ended early"))
        .await;
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest).await;
    assert!(rest.len() < whole * asked, "it was answered to the end");
    serving.stop().await;
}

#[tokio::test]
async fn beyond_the_most_jobs_a_trigger_is_told_to_come_back_and_a_known_one_is_not() {
    let world = World::with(&[("http.max_queued_jobs", "3")]).await;
    let serving = world.serve("api").await;
    let first = serving.accepted(r#"{"mode": "full", "dedupe_key": "k"}"#).await;
    serving.accepted("").await;
    serving.accepted("").await;
    let answer = serving.trigger("").await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "too_many_jobs"), "{answer:?}");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!(seconds > 0);
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 3);
    let again = serving.trigger(r#"{"mode": "full", "dedupe_key": "k"}"#).await;
    assert_eq!((again.status, again.json()["job_id"].as_str()), (202, Some(first.as_str())));
    world.run_once().await;
    serving.accepted("").await;
    serving.stop().await;
}
