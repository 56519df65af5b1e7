//! The program as an API, and a client that asks it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{DEADLINE, Process, Tap, World, eventually};

/// The key of every API in these tests.
pub(crate) const KEY: &str = "k3y-of-the-tests";
/// Where the calls begin.
pub(crate) const CALLS: &str = "/api/processing/cache-sync";
/// Every answer comes within this time: the second and a half after which the program answers whatever is missing, and
/// some for a busy machine; less than the five seconds of its connections, which would end the wait otherwise.
const ANSWER_WITHIN: Duration = Duration::from_millis(4_500);

/// A running API.
pub(crate) struct Serving {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl World {
    /// Starts the program with these roles, and waits until it answers.
    pub(crate) async fn serve(&self, roles: &str) -> Serving {
        self.serve_in(roles, Vec::new()).await
    }

    /// The same behind a tap before Postgres.
    pub(crate) async fn serve_behind(&self, tap: &Tap, roles: &str) -> Serving {
        self.serve_in(roles, vec![("DATABASE_URL".to_owned(), tap.url(self))]).await
    }

    /// The same with further variables.
    pub(crate) async fn serve_in(&self, roles: &str, mut variables: Vec<(String, String)>) -> Serving {
        variables.push(("CACHE_SYNC__HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        variables.push(key_variable());
        let process = self.spawn_in(&["-vv", "serve", "--roles", roles], variables);
        let address = eventually("the API to listen", async || {
            let log = process.log();
            let (_, rest) = log.split_once("listens on http://")?;
            rest.lines().next()?.trim().parse().ok()
        })
        .await;
        Serving { process, address }
    }
}

/// The environment variable with the key.
pub(crate) fn key_variable() -> (String, String) {
    ("CACHE_SYNC_API_KEY".to_owned(), KEY.to_owned())
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, which is JSON and says so.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// The word of an error, which has the shape of all errors.
    pub(crate) fn error(&self) -> String {
        let body = self.json();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["success", "error", "message"], "{self:?}");
        assert_eq!(body["success"], false);
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        body["error"].as_str().unwrap().to_owned()
    }
}

impl Serving {
    /// Asks with the key for a call under [`CALLS`].
    pub(crate) async fn get(&self, call: &str) -> Answer {
        self.ask(Method::GET, &format!("{CALLS}/{call}"), &[("x-api-key", KEY)], "").await
    }

    /// Posts a body to `trigger`.
    pub(crate) async fn trigger(&self, body: &str) -> Answer {
        self.ask(Method::POST, &format!("{CALLS}/trigger"), &[("x-api-key", KEY)], body).await
    }

    /// Triggers and returns the id of the job.
    pub(crate) async fn accepted(&self, body: &str) -> String {
        let answer = self.trigger(body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// Asks for the end of a job.
    pub(crate) async fn delete(&self, id: &str) -> Answer {
        self.ask(Method::DELETE, &format!("{CALLS}/{id}"), &[("x-api-key", KEY)], "").await
    }

    /// Asks anything, and holds the answer to its time.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let began = Instant::now();
        let (parts, body) = self.send(method, path, headers, body).await;
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert!(began.elapsed() < ANSWER_WITHIN, "{path} took {:?}", began.elapsed());
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!parts.headers["x-request-id"].is_empty());
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Posts to `trigger` a body of which only the first byte arrives.
    pub(crate) async fn ask_without_end(&self) -> Answer {
        let began = Instant::now();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST {CALLS}/trigger HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\ncontent-length: 9\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = vec![0; 4_096];
        let count = stream.read(&mut text).await.unwrap();
        assert!(began.elapsed() < ANSWER_WITHIN, "it took {:?}", began.elapsed());
        let text = String::from_utf8(text[..count].to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        Answer { status, headers, text: body.to_owned() }
    }

    /// Follows the events of a job, behind one where told.
    pub(crate) async fn follow(&self, id: &str, after: Option<&str>) -> Following {
        let mut headers = vec![("x-api-key", KEY)];
        headers.extend(after.map(|after| ("last-event-id", after)));
        let (parts, body) = self.send(Method::GET, &format!("{CALLS}/events/{id}"), &headers, "").await;
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        Following { stream: body.into_data_stream(), text: String::new() }
    }

    /// Watches a part of a page, behind a frame where told.
    pub(crate) async fn watch(&self, path: &str, cookie: &str, after: Option<&str>) -> Following {
        let mut headers = vec![("cookie", cookie)];
        headers.extend(after.map(|after| ("last-event-id", after)));
        let (parts, body) = self.send(Method::GET, path, &headers, "").await;
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        Following { stream: body.into_data_stream(), text: String::new() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (axum::http::response::Parts, Body) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            })
            .header("host", "localhost")
            .header("content-length", body.len())
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = tokio::time::timeout(DEADLINE, sender.send_request(request)).await.expect("an answer");
        let (parts, body) = response.unwrap().into_parts();
        (parts, Body::new(body))
    }

    /// Stops it as a supervisor does, and holds it to a good end.
    pub(crate) async fn stop(mut self) -> String {
        self.process.signal("TERM");
        assert_eq!(self.process.end().await.code(), Some(0));
        self.process.log()
    }
}

/// An event as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// Server-sent events on their way.
pub(crate) struct Following {
    stream: BodyDataStream,
    text: String,
}

/// A part of a page as it came over the wire.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Following {
    /// The next part of a page, or `None` at the end of the stream.
    pub(crate) async fn next_frame(&mut self) -> Option<Shown> {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let fields =
                    |name: &str| frame.lines().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>();
                let (ids, events) = (fields("id: "), fields("event: "));
                let shown = ids.first().zip(events.first()).map(|(id, event)| Shown {
                    id: (*id).to_owned(),
                    event: (*event).to_owned(),
                    data: fields("data: ").join("\n"),
                });
                self.text = rest.to_string();
                if shown.is_some() {
                    return shown;
                }
            }
            let piece = tokio::time::timeout(DEADLINE, self.stream.next()).await.expect("a sign of life")?;
            self.text += std::str::from_utf8(&piece.unwrap()).unwrap();
        }
    }

    /// The next event, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let event = event_of(frame);
                self.text = rest.to_string();
                if event.is_some() {
                    return event;
                }
            }
            let piece = tokio::time::timeout(DEADLINE, self.stream.next()).await.expect("a sign of life")?;
            self.text += std::str::from_utf8(&piece.unwrap()).unwrap();
        }
    }

    /// All events to the end of the stream.
    pub(crate) async fn read_out(mut self) -> Vec<Sent> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// The event of a frame; none where it is a comment or the preamble.
fn event_of(frame: &str) -> Option<Sent> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Some(Sent {
        id: field("id: ")?,
        event: field("event: ")?,
        data: serde_json::from_str(&field("data: ")?).unwrap(),
    })
}
