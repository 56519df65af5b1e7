//! The operator's console through its door: who may see and change what, what a browser may do with a page, and what is
//! left of every change. What it looks like, a real browser is asked in `deploy/console.sh`.

use std::collections::BTreeSet;

use axum::http::Method;
use sha2::{Digest, Sha256};

use crate::world::{
    Answer, KEY, Serving, World, background, eventually, key_variable, request, stock, until,
};

/// A key that may only look.
const LOOK: &str = "k3y-that-looks";
/// Pages, each under its path.
const PAGES: [&str; 15] = [
    "/",
    "/universes",
    "/universes/mega_cap",
    "/universes/mega_cap/members.csv",
    "/symbols",
    "/symbols/BG001",
    "/jobs",
    "/jobs/first",
    "/jobs/first/revert",
    "/plan",
    "/quarantine",
    "/dead",
    "/pins",
    "/guards",
    "/doctor",
];
/// What changes something, each under its path.
const CHANGES: [&str; 9] = [
    "/sign-out",
    "/jobs",
    "/jobs/first/cancel",
    "/jobs/first/revert",
    "/quarantine/AAPL/approve",
    "/dead/purge",
    "/dead/1-0/replay",
    "/pins",
    "/pins/remove",
];

/// Somebody with a browser.
struct Visitor<'s> {
    serving: &'s Serving,
    cookie: String,
}

impl<'s> Visitor<'s> {
    /// Somebody who has signed in.
    async fn new(serving: &'s Serving, key: &str) -> Self {
        let answer = sign_in(serving, key, "", &[]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        Self { serving, cookie: cookie_of(&answer) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.serving.ask(Method::GET, &format!("/console{path}"), &[("cookie", &self.cookie)], "").await
    }

    /// The page of a path, which is there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    }

    /// Sends a form as the page makes it, with the token of the session.
    async fn post(&self, path: &str, fields: &str) -> Answer {
        let token = self.token().await;
        self.post_with(path, &format!("csrf={token}&{fields}"), &[]).await
    }

    async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("cookie", self.cookie.as_str()), ("content-type", FORM)];
        all.extend(headers);
        self.serving.ask(Method::POST, &format!("/console{path}"), &all, body).await
    }

    /// The token that the forms of the pages have.
    async fn token(&self) -> String {
        let page = self.page("/symbols").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn sign_in(serving: &Serving, key: &str, next: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("content-type", FORM)];
    all.extend(headers);
    serving.ask(Method::POST, "/console/sign-in", &all, &format!("key={key}&next={next}")).await
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn sha256(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The program with a console, and a key that may only look.
async fn serve(world: &World, roles: &str) -> Serving {
    let look = ("CACHE_SYNC__HTTP__READ_ONLY_KEYS__DESK".to_owned(), sha256(LOOK));
    world.serve_in(roles, vec![look]).await
}

#[tokio::test]
async fn nobody_sees_or_changes_anything_without_signing_in() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    for page in PAGES.iter().chain(&["/live", "/jobs/first/live", "/nowhere"]) {
        let answer = serving.ask(Method::GET, &format!("/console{page}"), &[], "").await;
        let is_closed = answer.status == 303 && answer.header("location").starts_with("/console/sign-in");
        assert!(is_closed || *page == "/nowhere" && answer.status == 404, "{page}: {answer:?}");
        let forged = [("cookie", "cache_sync_console=00ff")];
        let answer = serving.ask(Method::GET, &format!("/console{page}"), &forged, "").await;
        assert_ne!(answer.status, 200, "{page}");
    }
    for change in CHANGES {
        let answer = serving
            .ask(Method::POST, &format!("/console{change}"), &[("content-type", FORM)], "csrf=x")
            .await;
        assert_eq!(answer.status, 401, "{change}: {answer:?}");
    }
    // The key of the API opens the API: a page of others could not send it, and neither does a browser.
    let answer = serving.ask(Method::GET, "/console/jobs", &[("x-api-key", KEY)], "").await;
    assert_eq!(answer.status, 303);
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 1);
}

#[tokio::test]
async fn it_is_off_unless_the_role_is_named_and_brings_no_api_with_it() {
    let world = World::filled().await;
    let without = world.serve("api").await;
    assert_eq!(without.ask(Method::GET, "/console/", &[], "").await.status, 404);
    without.stop().await;
    let only = serve(&world, "console").await;
    assert_eq!(only.ask(Method::GET, "/console/sign-in", &[], "").await.status, 200);
    assert_eq!(only.get("stats").await.status, 404);
    assert_eq!(only.ask(Method::GET, "/health", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    let wrong = sign_in(&serving, "k3y", "", &[]).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text.contains("No key of this server"), "{}", wrong.text);

    let right = sign_in(&serving, KEY, "/console/jobs?from=50", &[]).await;
    assert_eq!((right.status, right.header("location")), (303, "/console/jobs?from=50"));
    let attributes: BTreeSet<&str> = right.header("set-cookie").split("; ").skip(1).collect();
    let wanted = ["HttpOnly", "Max-Age=43200", "Path=/console", "SameSite=Strict"];
    let age = attributes.iter().find(|attribute| attribute.starts_with("Max-Age=")).unwrap();
    assert!(["Max-Age=43199", "Max-Age=43200"].contains(age), "{attributes:?}");
    assert_eq!(
        attributes.iter().filter(|it| !it.starts_with("Max-Age")).count(),
        wanted.len() - 1,
        "{attributes:?}"
    );
    assert!(
        wanted.iter().filter(|it| !it.starts_with("Max-Age")).all(|it| attributes.contains(it)),
        "{attributes:?}"
    );
    assert!(!right.header("set-cookie").contains(KEY), "the cookie does not hold the key");

    let over_tls = sign_in(&serving, KEY, "", &[("x-forwarded-proto", "https")]).await;
    assert!(over_tls.header("set-cookie").ends_with("; Secure"), "{over_tls:?}");
    // A link that leads elsewhere leads to the start.
    for elsewhere in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2Fa%0d%0ab"]
    {
        let answer = sign_in(&serving, KEY, elsewhere, &[]).await;
        assert_eq!(answer.header("location"), "/console/", "{elsewhere}");
    }
    let from_elsewhere = sign_in(&serving, KEY, "", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(from_elsewhere.status, 403);
    // The log has neither the key nor the cookie.
    let log = serving.stop().await;
    assert!(!log.contains(KEY) && !log.contains("k3y&") && log.contains("signed in to the console"), "{log}");
}

#[tokio::test]
async fn wrong_keys_are_limited_and_then_the_right_one_waits_too() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    for _ in 0..5 {
        assert_eq!(sign_in(&serving, "wrong", "", &[]).await.status, 401);
    }
    for key in ["wrong", KEY] {
        let limited = sign_in(&serving, key, "", &[]).await;
        assert_eq!((limited.status, limited.header("retry-after")), (429, "60"));
    }
}

#[tokio::test]
async fn a_key_that_may_only_look_sees_everything_and_changes_nothing() {
    let world = World::filled().await;
    let serving = serve(&world, "api,console").await;
    let reader = Visitor::new(&serving, LOOK).await;
    for page in PAGES {
        let text = reader.page(page).await;
        // Signing out is the one thing to do.
        assert!(text.matches("method=\"post\"").count() <= 1, "{page}");
    }
    assert!(reader.page("/jobs").await.contains("read-only"));
    for change in CHANGES.iter().filter(|change| **change != "/sign-out") {
        let answer = reader.post(change, "mode=full&kind=ban&symbol=AAPL&universe=mega_cap&reason=x").await;
        assert_eq!(answer.status, 403, "{change}: {answer:?}");
    }
    // So does the API: a page is not the only door.
    let api = [("x-api-key", LOOK)];
    let answer = serving.ask(Method::GET, "/api/processing/cache-sync/stats", &api, "").await;
    assert_eq!(answer.status, 200);
    let answer = serving.ask(Method::POST, "/api/processing/cache-sync/trigger", &api, "").await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"));
    let answer = serving.ask(Method::DELETE, "/api/processing/cache-sync/first", &api, "").await;
    assert_eq!(answer.status, 403);
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 1);
    assert_eq!(world.count("select count(*) from cache_sync_pins").await, 0);
}

#[tokio::test]
async fn a_form_that_is_not_of_this_session_changes_nothing() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    let (jane, john) = (Visitor::new(&serving, KEY).await, Visitor::new(&serving, KEY).await);
    let (own, of_another) = (jane.token().await, john.token().await);
    assert_ne!(own, of_another);
    let full = "mode=full";
    for body in
        [full.to_owned(), format!("csrf=&{full}"), format!("csrf={of_another}&{full}"), "%%%".to_owned()]
    {
        assert_eq!(jane.post_with("/jobs", &body, &[]).await.status, 403, "{body}");
    }
    let good = format!("csrf={own}&{full}");
    for site in ["cross-site", "same-site"] {
        assert_eq!(jane.post_with("/jobs", &good, &[("sec-fetch-site", site)]).await.status, 403, "{site}");
    }
    assert_eq!(jane.post_with("/sign-out", "csrf=x", &[]).await.status, 403);
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 1);
    assert_eq!(jane.post_with("/jobs", &good, &[("sec-fetch-site", "same-origin")]).await.status, 303);
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 2);
}

#[tokio::test]
async fn a_browser_may_do_nothing_with_a_page_but_show_it() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    let visitor = Visitor::new(&serving, KEY).await;
    let start = visitor.page("/").await;
    let assets: Vec<&str> = start
        .split('"')
        .filter(|part| part.starts_with("/console/assets/"))
        .map(|part| part.trim_start_matches("/console"))
        .collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for path in PAGES.iter().chain(&["/nowhere", "/jobs/unknown", "/sign-in"]).chain(&assets) {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        if assets.contains(path) {
            assert!(answer.header("cache-control").contains("immutable"), "{path}");
            assert_eq!(answer.status, 200, "{path}");
            continue;
        }
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        // Nothing in a page that the policy would have to allow, and nothing from elsewhere.
        for word in [" style=", "<style", " onclick=", "javascript:", "src=\"http", "href=\"http"] {
            assert!(!answer.text.contains(word), "{path} has {word}");
        }
        assert!(answer.text.len() < 100_000, "{path} has {} bytes", answer.text.len());
    }
    assert_eq!(visitor.get("/jobs/unknown").await.status, 404);
    assert_eq!(visitor.get("/assets/../console.css").await.status, 404);
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_ends_with_its_key_and_by_signing_out() {
    let world = World::filled().await;
    let first = serve(&world, "console").await;
    let visitor = Visitor::new(&first, KEY).await;
    let cookie = visitor.cookie.clone();
    visitor.page("/jobs").await;
    first.stop().await;

    let second = serve(&world, "console").await;
    let again = Visitor { serving: &second, cookie: cookie.clone() };
    again.page("/jobs").await;
    let signed_out = again.post("/sign-out", "").await;
    assert_eq!((signed_out.status, signed_out.header("location")), (303, "/console/sign-in"));
    assert!(signed_out.header("set-cookie").contains("Max-Age=0"), "{signed_out:?}");
    assert_eq!(again.get("/jobs").await.status, 303, "a copy of the cookie is worth nothing");
    second.stop().await;

    let rotated = ("CACHE_SYNC_API_KEY".to_owned(), "another".to_owned());
    let third =
        world.serve_in("console", Vec::from([("CACHE_SYNC__HTTP__KEYS__X".to_owned(), sha256("x"))])).await;
    Visitor { serving: &third, cookie: cookie.clone() }.page("/jobs").await;
    third.stop().await;
    assert_ne!(rotated.1, key_variable().1);
    let log = world.spawn_in(
        &["-vv", "serve", "--roles", "console"],
        vec![rotated, ("CACHE_SYNC__HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned())],
    );
    let address = eventually("the console to listen", async || {
        let log = log.log();
        let (_, rest) = log.split_once("listens on http://")?;
        rest.lines().next()?.trim().parse().ok()
    })
    .await;
    let fourth = Serving { process: log, address };
    assert_eq!(Visitor { serving: &fourth, cookie }.get("/jobs").await.status, 303, "the key was rotated");
}

#[tokio::test]
async fn it_works_under_a_path_whether_the_proxy_takes_it_off_or_not() {
    let world = World::filled().await;
    let base = ("CACHE_SYNC__HTTP__BASE_PATH".to_owned(), "/tools/sync/".to_owned());
    let serving = world.serve_in("api,console", vec![base]).await;
    for prefix in ["", "/tools/sync"] {
        let answer = serving.ask(Method::GET, &format!("{prefix}/console/jobs"), &[], "").await;
        assert_eq!(answer.header("location"), "/tools/sync/console/sign-in?next=/console/jobs", "{prefix}");
        let body = format!("key={KEY}&next=/console/jobs");
        let path = format!("{prefix}/console/sign-in");
        let signed_in = serving.ask(Method::POST, &path, &[("content-type", FORM)], &body).await;
        assert_eq!(signed_in.header("location"), "/tools/sync/console/jobs");
        assert!(signed_in.header("set-cookie").contains("Path=/tools/sync/console;"), "{signed_in:?}");
        let cookie = cookie_of(&signed_in);
        let path = format!("{prefix}/console/");
        let page = serving.ask(Method::GET, &path, &[("cookie", &cookie)], "").await;
        assert_eq!(page.status, 200);
        let links = page.text.split("href=\"").skip(1).filter(|link| !link.starts_with('#'));
        assert!(links.clone().all(|link| link.starts_with("/tools/sync/console")), "{}", page.text);
        let api = format!("{prefix}/api/processing/cache-sync/stats");
        assert_eq!(serving.ask(Method::GET, &api, &[("x-api-key", KEY)], "").await.status, 200);
        assert_eq!(serving.ask(Method::GET, &api, &[], "").await.status, 401);
    }
}

#[tokio::test]
async fn what_strangers_wrote_is_shown_and_does_nothing() {
    let world = World::new().await;
    let name = format!("<script>alert(1)</script>\u{202e}{}", "x".repeat(300));
    world.list(stock("HOST").cap("500B").listed_days_ago(400)).await;
    world.sql(&format!("update symbols set name = '{name}' where symbol = 'HOST'")).await;
    let odd = "<img src=x onerror=alert(1)>\"'&";
    world
        .sql(&format!(
            "insert into cache_entries (universe, content, cache_type) values \
             ('{}', '{{\"symbols\": [\"<b>\", \"=1+1\"], \"count\": 2}}', 'x')",
            odd.replace('\'', "''")
        ))
        .await;
    world.sync("first").await;
    let serving = serve(&world, "console").await;
    let visitor = Visitor::new(&serving, KEY).await;

    let page = visitor.page("/symbols/HOST").await;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}x") && !page.contains("<script>alert")
    );
    assert!(
        !page.contains('\u{202e}') && !page.contains(&"x".repeat(300)),
        "it is cut off and turns nothing"
    );

    let path =
        format!("/universes/{}", odd.bytes().fold(String::new(), |path, byte| format!("{path}%{byte:02X}")));
    let page = visitor.page(&path).await;
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    let csv = visitor.get(&format!("{path}/members.csv")).await;
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"img"), "{csv:?}");
    assert!(csv.text.contains(",'=1+1,"), "a spreadsheet takes it for no formula: {}", csv.text);

    for path in
        ["/symbols/%3Cscript%3E", "/jobs/%3Cscript%3E", "/universes/%3Cscript%3E", "/?done=%3Cscript%3E"]
    {
        let answer = visitor.get(path).await;
        assert!(!answer.text.contains("<script>"), "{path}: {}", answer.text);
    }
    let by = "\u{202e}<script>";
    world.xadd(&[("mode", "full"), ("job_id", "odd"), ("triggered_by", by)]).await;
    world.run_once().await;
    let page = visitor.page("/jobs").await;
    assert!(!page.contains("<script>") && !page.contains('\u{202e}'), "{page}");
}

#[tokio::test]
async fn every_change_says_who_made_it() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    let visitor = Visitor::new(&serving, KEY).await;

    let answer = visitor.post("/jobs", "mode=market_cap&accept_churn=on").await;
    let job =
        answer.header("location").trim_start_matches("/console/jobs/").split('?').next().unwrap().to_owned();
    let row = world.job(&job).await;
    assert_eq!((row.request.triggered_by.as_str(), row.request.accept_churn), ("console:api_key", true));
    let page = visitor.page(&format!("/jobs/{job}?done=submitted")).await;
    assert!(page.contains("console:api_key") && page.contains("The job is accepted."));

    let answer = visitor.post(&format!("/jobs/{job}/cancel"), "").await;
    assert_eq!(answer.header("location"), format!("/console/jobs/{job}?done=cancelled"));
    let row = world.job(&job).await;
    assert_eq!(
        (row.status.as_str(), row.warnings),
        ("cancelled", vec!["cancelled_by: console:api_key".to_owned()])
    );
    assert_eq!(visitor.post(&format!("/jobs/{job}/cancel"), "").await.status, 409);

    let symbol = background(3);
    let wish = format!("kind=ban&symbol={symbol}&universe=top_100&reason=a%20test&until=");
    assert_eq!(visitor.post("/pins", &wish).await.status, 303);
    assert_eq!(world.ask("select created_by from cache_sync_pins").await, ["console:api_key"]);
    assert!(visitor.page("/pins").await.contains("a test"));
    let misspelled = wish.replace("top_100", "top_10o");
    let answer = visitor.post("/pins", &misspelled).await;
    assert!(answer.status == 409 && answer.text.contains("Did you mean top_100?"), "{}", answer.text);
    assert_eq!(visitor.post("/pins/remove", &wish).await.status, 303);
    assert_eq!(world.count("select count(*) from cache_sync_pins").await, 0);
    let log = serving.stop().await;
    for sentence in
        ["console:api_key asked for job", "asked for the end of job", "wrote a ban of", "took the ban of"]
    {
        assert!(log.contains(sentence), "{sentence}: {log}");
    }
}

#[tokio::test]
async fn a_plan_is_shown_before_a_job_and_a_revert_before_it_is_asked_for() {
    let world = World::filled().await;
    world.list(stock("NEWT").cap("900B").listed_days_ago(3)).await;
    world.close_next_day(&[]).await;
    let serving = serve(&world, "worker,console").await;
    let visitor = Visitor::new(&serving, KEY).await;
    let plan = visitor.page("/plan?mode=full").await;
    assert!(
        plan.contains("line added") && plan.contains("+ NEWT") && plan.contains("Submit this sync"),
        "{plan}"
    );
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 1, "a plan writes nothing");
    assert_eq!(visitor.get("/plan?mode=everything").await.status, 400);
    assert_eq!(visitor.get("/plan?mode=full&as_of=tomorrow").await.status, 400);

    let answer = visitor.post("/jobs", "mode=full").await;
    let job =
        answer.header("location").trim_start_matches("/console/jobs/").split('?').next().unwrap().to_owned();
    assert_eq!(world.ended(&job).await["status"], "completed");
    assert!(world.universe("mega_cap").await.contains(&"NEWT".to_owned()));

    let preview = visitor.page(&format!("/jobs/{job}/revert")).await;
    assert!(preview.contains("line removed") && preview.contains("- NEWT"), "{preview}");
    let answer = visitor.post(&format!("/jobs/{job}/revert"), "").await;
    let revert =
        answer.header("location").trim_start_matches("/console/jobs/").split('?').next().unwrap().to_owned();
    assert_eq!(world.ended(&revert).await["status"], "completed");
    assert!(!world.universe("mega_cap").await.contains(&"NEWT".to_owned()));
    assert_eq!(world.job(&revert).await.request.triggered_by, "console:api_key");
}

#[tokio::test]
async fn dead_letters_are_read_replayed_and_thrown_away() {
    let world = World::filled().await;
    world.xadd(&[("mode", "<everything>"), ("job_id", "odd")]).await;
    world.run_once().await;
    world.sql("update symbols set active = false").await;
    world.xadd(&[("mode", "etfs"), ("job_id", "good")]).await;
    let serving = serve(&world, "console").await;
    let visitor = Visitor::new(&serving, KEY).await;
    let list = visitor.page("/dead").await;
    assert!(list.contains("invalid field") && !list.contains("<everything>"), "{list}");
    let (_, rest) = list.split_once("/console/dead/").unwrap();
    let letter = rest.split('"').next().unwrap().to_owned();
    let page = visitor.page(&format!("/dead/{letter}")).await;
    assert!(page.contains("&lt;everything&gt;") && page.contains("can’t be replayed"), "{page}");
    assert_eq!(visitor.post(&format!("/dead/{letter}/replay"), "").await.status, 409);
    assert_eq!(visitor.post("/dead/purge", "").await.status, 303);
    assert!(world.dead_letters().await.is_empty());
    assert!(visitor.page("/dead").await.contains("There are none."));
    assert_eq!(visitor.get(&format!("/dead/{letter}")).await.status, 404);
}

#[tokio::test]
async fn a_watcher_sees_a_job_to_its_end_and_comes_back_without_a_gap() {
    let world = World::filled().await;
    let serving = serve(&world, "console").await;
    let visitor = Visitor::new(&serving, KEY).await;
    world.submit(&request("watched")).await;
    let mut watching = serving.watch("/console/jobs/watched/live", &visitor.cookie, None).await;
    let queued = watching.next_frame().await.expect("a frame");
    assert!(queued.data.contains("queued") && queued.event == "state", "{queued:?}");
    world.run_once().await;
    let ended = loop {
        let frame = watching.next_frame().await.expect("a frame");
        if frame.event == "ended" {
            break frame;
        }
    };
    assert!(ended.data.contains("completed") && ended.data.contains("cache_sync_completed"), "{ended:?}");
    // Whoever comes back with the first place is sent the newest state, and with that one nothing.
    let mut again = serving.watch("/console/live", &visitor.cookie, Some(&queued.id)).await;
    let newest = again.next_frame().await.expect("a frame");
    assert_eq!((newest.event.as_str(), &newest.id), ("ended", &ended.id));
    let mut quiet = serving.watch("/console/live", &visitor.cookie, Some(&newest.id)).await;
    world.submit(&request("another")).await;
    let next = quiet.next_frame().await.expect("a frame");
    assert!(next.id.starts_with("another/"), "{next:?}");
    until("the page to have it too", async || visitor.page("/").await.contains("another")).await;
}
