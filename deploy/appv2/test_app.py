"""The page's calls, over real HTTP, against real servers and workers, through both doors."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

sys.path.insert(0, str(Path(__file__).parent))

from app import create_app
from cache_sync_admin.doors import DoorClosed, HttpDoor, StreamDoor
from conftest import DEADLINE_SECONDS, eventually

ROOT = "/admin/cache-sync/"
DOORS = pytest.mark.parametrize("door", ["stream", "http"])


class Browser:
    """Somebody with the page open: cookies, the page's token, and no more."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.headers: dict[str, str] = {}
        self.page = self.get("")[1]
        self.headers["X-CSRF-Token"] = re.search(r'data-token="([^"]+)"', self.page).group(1)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json", **self.headers, **headers}
        request = urllib.request.Request(self.address + ROOT + path, data, all_headers, method=method)
        try:
            with self.opener.open(request, timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self.ask("GET", path, **headers)

    def press(self, door: str, mode: str = "full", force: bool = True) -> str:
        """Presses the button; the id of the job."""
        code, text = self.ask("POST", f"{door}/jobs", {"mode": mode, "force": force})
        assert code == 202, text
        return json.loads(text)["job_id"]

    def status(self, door: str, job_id: str) -> dict[str, Any] | None:
        code, text = self.get(f"{door}/jobs/{job_id}")
        assert code in (200, 404), text
        return json.loads(text) if code == 200 else None

    def events(self, door: str, job_id: str, after: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
        """All events to the end of the stream: id, name, payload."""
        headers = {"Last-Event-ID": after} if after else {}
        code, text = self.get(f"{door}/jobs/{job_id}/events", **headers)
        assert code == 200, text
        found = re.findall(r"^id: (.*)\nevent: (.*)\ndata: (.*)\n\n", text, re.MULTILINE)
        return [(id, name, json.loads(data)["payload"]) for id, name, data in found]


@contextlib.contextmanager
def browsing(world: Any, api: tuple[str, str]) -> Iterator[Browser]:
    """The application, served as a process of its own would."""
    url, key = api
    app = create_app({"REDIS_URL": world.redis_url, "CACHE_SYNC_URL": url, "CACHE_SYNC_API_KEY": key})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Browser(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(world: Any) -> Iterator[tuple[Any, Browser]]:
    """The service with all its roles, and the page."""
    with world.serve() as api, browsing(world, api) as browser:
        yield world, browser


NOBODY = ("http://127.0.0.1:9", "no-key")


@DOORS
def test_button_progress_completed(served: Any, door: str) -> None:
    world, browser = served
    with world.held_before_it_writes():
        job_id = browser.press(door)
        eventually("a running job", lambda: (browser.status(door, job_id) or {}).get("status") == "running")
        live = threading.Thread(target=lambda: heard.extend(browser.events(door, job_id)))
        heard: list[tuple[str, str, dict[str, Any]]] = []
        live.start()
        world.wait_for_all_progress(job_id)
    ended = eventually("the end", lambda: (s := browser.status(door, job_id)) and s["status"] == "completed" and s)
    assert (ended["percentage"], ended["error"], ended["mode"]) == (100, "", "full")
    live.join(timeout=DEADLINE_SECONDS)

    names = [name for _, name, _ in heard]
    assert names.count("cache_sync_started") == 1 and names[-1] == "cache_sync_completed"
    assert [payload["percentage"] for _, name, payload in heard if name == "cache_sync_progress"] == [20, 40, 60, 80, 100]
    last = heard[-1][2]
    assert last["status"] == "completed" and last["total_changes"] == world.members_now() > 500
    assert names.count("universe_updated") == len(last["universes_updated"]) > 10
    assert ("cache_sync_triggered" in names) == (door == "http")

    # Whoever lost the connection misses nothing, and who has seen the end hears no more.
    assert browser.events(door, job_id) == heard
    assert browser.events(door, job_id, after=heard[2][0]) == heard[3:]
    assert browser.events(door, job_id, after=heard[-1][0]) == []
    recent = json.loads(browser.get(f"{door}/jobs")[1])["jobs"]
    assert [job["job_id"] for job in recent] == [job_id] and recent[0]["status"] == "completed"


def test_both_doors_leave_the_same_universes(served: Any) -> None:
    world, browser = served
    rows = "select universe, content - 'last_updated' from cache_entries order by universe"
    seen = []
    for door in ("stream", "http"):
        job_id = browser.press(door)
        eventually("the end", lambda: (s := browser.status(door, job_id)) and s["status"] == "completed")
        seen.append((world.sql(rows), browser.events(door, job_id)[-1][2]["total_changes"]))
    assert seen[0][0] == seen[1][0] and seen[0][1] > 0 and seen[1][1] == 0
    asked = world.sql("select triggered_by from cache_sync_jobs order by created_at")
    assert asked == [["admin"], ["api"]]


@DOORS
def test_a_job_can_be_cancelled(served: Any, door: str) -> None:
    world, browser = served
    with world.held_lease():
        job_id = browser.press(door)
        eventually("the job at work", lambda: world.step_of(job_id))
        assert browser.ask("DELETE", f"{door}/jobs/{job_id}")[0] == 202
        ended = eventually("the end", lambda: (s := browser.status(door, job_id)) and s["status"] == "cancelled" and s)
    assert ended["error"] == "cancelled"
    assert browser.events(door, job_id)[-1][2]["status"] == "failed"


@DOORS
def test_a_failure_is_shown_with_its_reason(served: Any, door: str) -> None:
    world, browser = served
    world.sql("alter table symbols rename to symbols_away")
    job_id = browser.press(door)
    ended = eventually("the end", lambda: (s := browser.status(door, job_id)) and s["status"] == "failed" and s)
    assert "symbols" in ended["error"]


def test_a_request_that_is_refused_has_an_end_too(world: Any) -> None:
    door = StreamDoor(world.redis_url)
    with world.worker():
        door.client.xadd(door.jobs, {"job_id": "odd", "mode": "everything"})
        told = [event.name for event in door.events("odd", "0-0") if event]
        door.client.delete(f"{door.jobs}:events:odd")
        assert not any(door.events("odd", "0-0"))
    assert told[-1] == "cache_sync_completed" and door.status("odd")["status"] == "failed"


def test_the_key_stays_on_the_server(world: Any) -> None:
    with world.serve() as (url, key), browsing(world, (url, key)) as browser:
        files = [browser.get(f"static/{name}") for name in ("cache_sync.js", "cache_sync.css")]
        texts = [browser.page, *(text for _, text in files), browser.get("http/jobs")[1]]
        assert all(code == 200 for code, _ in files)
        assert not any(key in text or url in text for text in texts)


def test_a_forged_request_starts_nothing(world: Any) -> None:
    with browsing(world, NOBODY) as browser:
        asked = {"mode": "full", "force": True}
        for token in ("", "wrong"):
            assert browser.ask("POST", "stream/jobs", asked, **{"X-CSRF-Token": token})[0] == 403
            assert browser.ask("DELETE", "stream/jobs/x", **{"X-CSRF-Token": token})[0] == 403
        stranger = urllib.request.Request(browser.address + ROOT + "stream/jobs", b"{}", browser.headers, method="POST")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(stranger)
    assert world.redis.exists("tickstock:jobs:cache_sync") == 0


def test_odd_requests_are_refused_in_a_sentence(world: Any) -> None:
    with browsing(world, NOBODY) as browser:
        for asked in (None, [], {}, {"mode": "everything", "force": True}, {"mode": "full", "force": "yes"}):
            code, text = browser.ask("POST", "stream/jobs", asked)
            assert code == 400 and json.loads(text)["error"].startswith("a mode"), text
        for path in ("cellar/jobs", "stream/jobs/nobody", "stream/jobs/%3Cscript%3E", "stream/jobs/a%20b/events"):
            code, text = browser.get(path)
            assert code == 404 and "<script>" not in text and json.loads(text)["error"], text
        assert browser.get("stream/jobs/x/events", **{"Last-Event-ID": "$"})[0] == 400
    assert world.redis.exists("tickstock:jobs:cache_sync") == 0


def test_a_page_without_servers_says_so(world: Any) -> None:
    world.kill_redis()
    with browsing(world, NOBODY) as browser:
        for door, words in (("stream", "Redis can't be reached"), ("http", "API of cache-sync can't be reached")):
            for code, text in (
                browser.ask("POST", f"{door}/jobs", {"mode": "full", "force": True}),
                browser.get(f"{door}/jobs"),
                browser.get(f"{door}/jobs/x"),
                browser.ask("DELETE", f"{door}/jobs/x"),
            ):
                assert code == 503 and words in json.loads(text)["error"], text


def test_what_the_api_refuses_is_told_in_its_words(served: Any) -> None:
    world, browser = served
    job_id = browser.press("http", "delisted")
    eventually("the end", lambda: (s := browser.status("http", job_id)) and s["status"] == "completed")
    code, text = browser.ask("DELETE", f"http/jobs/{job_id}")
    assert (code, json.loads(text)["error"]) == (409, "the job has ended already: it is completed")
    with pytest.raises(DoorClosed, match="a valid key is needed"):
        HttpDoor(world_url(world, browser), "wrong").recent(1)


def world_url(world: Any, browser: Browser) -> str:
    log = next(world.folder.glob("serve-*.log")).read_text()
    return re.search(r"listens on (http://\S+)", log).group(1)


def test_without_a_listener_cancelling_through_redis_says_so(world: Any) -> None:
    with browsing(world, NOBODY) as browser:
        code, text = browser.ask("DELETE", "stream/jobs/x")
        assert code == 503 and "--roles triggers" in json.loads(text)["error"]


def test_a_guard_of_the_application_closes_every_call(world: Any) -> None:
    from functools import wraps

    from cache_sync_admin import admin_blueprint
    from flask import Flask, abort

    def nobody(view: Any) -> Any:
        @wraps(view)
        def refused(*args: Any, **kwargs: Any) -> Any:
            abort(403, "administrators only")

        return refused

    app = Flask(__name__)
    app.register_blueprint(admin_blueprint({"stream": StreamDoor(world.redis_url)}, guard=nobody))
    client = app.test_client()
    calls = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("cache_sync_admin.")]
    assert len(calls) == 7
    for rule in calls:
        if not rule.endpoint.endswith(".static"):
            method = "POST" if "POST" in rule.methods else "DELETE" if "DELETE" in rule.methods else "GET"
            path = rule.rule.replace("<door>", "stream").replace("<job_id>", "x")
            assert client.open(path, method=method).status_code == 403, rule
