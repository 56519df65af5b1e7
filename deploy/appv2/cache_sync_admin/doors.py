"""The two doors to cache-sync, which an admin page may use as if they were one.

Both start a job, say how far it is, follow its events, and can cancel it. `StreamDoor` speaks to Redis itself, and
`HttpDoor` to the service's API. A job that goes in through one leaves the same traces as through the other, so a page
may change doors at any time.

What a door tells of a job, in the same words for both:

    job_id  status  mode  percentage  current_task  completed  total_items  error  start_time  duration_seconds

`status` is `queued`, `running`, `completed`, `failed` or `cancelled`. The API says `failed` of a cancelled job, with
the error `cancelled`.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Optional, Protocol
from urllib.parse import quote

import redis

MODES = ("full", "market_cap", "ipos", "delisted", "themes", "etfs")
"""What a job may be asked to do. A full one does all of it, in the right order."""

CHANNELS = (
    "cache:sync_triggered",
    "cache:started",
    "cache:progress",
    "universe:updated",
    "cache:ipo_assignment",
    "cache:delisting_cleanup",
    # cache:completed has the same message.
    "cache:sync_complete",
    "errors",
)
"""Where events are published, behind the prefix."""

LAST_EVENT = "cache_sync_completed"
"""Every job that was accepted ends with it, also one that failed."""

FINAL = ("completed", "failed", "cancelled")
"""The statuses that are an end."""

KEEP_ALIVE_SECONDS = 10.0
"""Silence after which followers are told that somebody is there; proxies cut connections after 30 to 60 s."""

ANSWER_SECONDS = 5.0
"""The longest wait for an answer. The API answers within two."""


class DoorClosed(Exception):
    """The service can't be reached, or would not do it; the text is fit for the page."""

    def __init__(self, message: str, status: int = 503) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Event:
    """Something told of a job. `id` is where it stands in the job's event stream: `<seq>-0`."""

    id: str
    name: str
    data: str
    """The envelope, as JSON on one line."""


class Door(Protocol):
    """What the page needs. Everything may raise `DoorClosed`."""

    def start(self, mode: str, force: bool) -> str:
        """Asks for a job; its id."""

    def status(self, job_id: str) -> Optional[dict[str, Any]]:
        """How far it is; none where nothing is known of it."""

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """Jobs, newest first."""

    def cancel(self, job_id: str) -> None:
        """Asks for its end."""

    def events(self, job_id: str, after: str) -> Iterator[Optional[Event]]:
        """What is told of it behind the event `after`, up to its end; none now and then while all is quiet."""


class StreamDoor:
    """XADD for the button, HGETALL for the bar, pub/sub for what happens."""

    def __init__(self, redis_url: str, prefix: str = "tickstock") -> None:
        options: dict[str, Any] = {"decode_responses": True, "protocol": 2}
        self.client = redis.Redis.from_url(redis_url, socket_timeout=ANSWER_SECONDS, **options)
        self.prefix = prefix
        self.jobs = f"{prefix}:jobs:cache_sync"

    def start(self, mode: str, force: bool) -> str:
        # The id is made here, so that repeating the XADD after a lost connection is harmless.
        job_id = f"admin-{uuid.uuid4()}"
        fields = {"job_id": job_id, "mode": mode, "force": str(force).lower(), "triggered_by": "admin"}
        try:
            self.client.xadd(self.jobs, fields)
        except redis.RedisError as error:
            raise DoorClosed("Redis can't be reached: the sync was not started") from error
        return job_id

    def status(self, job_id: str) -> Optional[dict[str, Any]]:
        try:
            return shown(self.client.hgetall(f"{self.jobs}:status:{job_id}"))
        except redis.RedisError as error:
            raise DoorClosed("Redis can't be reached") from error

    def recent(self, limit: int) -> list[dict[str, Any]]:
        try:
            ids = self.client.zrange(f"{self.jobs}:recent", 0, limit - 1, desc=True)
            pipeline = self.client.pipeline(transaction=False)
            for job_id in ids:
                pipeline.hgetall(f"{self.jobs}:status:{job_id}")
            found = [shown(status) for status in pipeline.execute()]
        except redis.RedisError as error:
            raise DoorClosed("Redis can't be reached") from error
        # A hash expires a week after its job, its id only when a thousand others have come.
        return [status for status in found if status is not None]

    def cancel(self, job_id: str) -> None:
        """Heard by `cache-sync serve` with the role triggers."""
        order = json.dumps({"job_id": job_id, "action": "cancel"})
        try:
            # Dots, not colons: it is the channel of the job monitor page.
            heard = self.client.publish(f"{self.prefix}.jobs.control", order)
        except redis.RedisError as error:
            raise DoorClosed("Redis can't be reached") from error
        if heard == 0:
            raise DoorClosed("nobody listens: cancelling through Redis needs cache-sync serve --roles triggers")

    def events(self, job_id: str, after: str) -> Iterator[Optional[Event]]:
        """Pub/sub says when there is news, the job's event stream has all of it, in order.

        What is published while a connection is being made anew is lost to whoever only listens. It is still in the
        stream, where one reads on behind the last event seen.
        """
        seen, is_over = after, False
        try:
            with closing(self.client.pubsub(ignore_subscribe_messages=True)) as bell:
                bell.subscribe(*(f"{self.prefix}:{channel}" for channel in CHANNELS))
                while True:
                    kept = self.client.xrange(f"{self.jobs}:events:{job_id}", f"({seen}", "+")
                    for seen, fields in kept:
                        yield Event(seen, fields["event"], fields["data"])
                        if fields["event"] == LAST_EVENT:
                            return
                    if is_over and not kept:
                        return
                    if bell.get_message(timeout=1.0) is None:
                        # A job whose request was refused has a status only; so has one that ended long ago.
                        is_over = self.client.hget(f"{self.jobs}:status:{job_id}", "status") in FINAL
                        yield None
        except redis.RedisError as error:
            raise DoorClosed("Redis can't be reached") from error


def shown(status: dict[str, str]) -> Optional[dict[str, Any]]:
    """A status hash, all of which is text, as the page shows it."""
    if not status:
        return None
    return {
        "job_id": status["job_id"],
        "status": "running" if status["status"] == "retrying" else status["status"],
        "mode": status["mode"],
        "percentage": int(status["percentage"] or 0),
        "current_task": status["current_task"],
        "completed": int(status["completed"] or 0),
        "total_items": int(status["total_items"] or 0),
        "error": status["error"],
        "start_time": status["start_time"],
        "duration_seconds": float(status["duration_seconds"]) if status["duration_seconds"] else None,
    }


class HttpDoor:
    """The service's API. The key stays on this side: the browser never sees it."""

    def __init__(self, api_url: str, api_key: str) -> None:
        self.calls = api_url.rstrip("/") + "/api/processing/cache-sync"
        self.key = api_key

    def start(self, mode: str, force: bool) -> str:
        return self.ask("POST", "/trigger", {"mode": mode, "force": force})["job_id"]

    def status(self, job_id: str) -> Optional[dict[str, Any]]:
        try:
            return of_answer(self.ask("GET", f"/status/{quote(job_id, safe='')}"))
        except DoorClosed as closed:
            if closed.status == 404:
                return None
            raise

    def recent(self, limit: int) -> list[dict[str, Any]]:
        return [of_answer(job) for job in self.ask("GET", f"/history?limit={limit}")["jobs"]]

    def cancel(self, job_id: str) -> None:
        self.ask("DELETE", f"/{quote(job_id, safe='')}")

    def events(self, job_id: str, after: str) -> Iterator[Optional[Event]]:
        """The API's own server-sent events. It sends a comment every ten seconds, so silence is a lost connection."""
        headers = {"Last-Event-ID": after}
        with self.open("GET", f"/events/{quote(job_id, safe='')}", None, headers, 2 * KEEP_ALIVE_SECONDS) as answer:
            frame: dict[str, str] = {}
            try:
                for line in answer:
                    name, _, value = line.decode().rstrip("\r\n").partition(": ")
                    if name:
                        frame[name] = value
                    elif "id" in frame:
                        yield Event(frame["id"], frame["event"], frame["data"])
                        frame = {}
                    else:
                        yield None
                        frame = {}
            except OSError as error:
                raise DoorClosed("the connection to the API was lost") from error

    def ask(self, method: str, call: str, body: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        with self.open(method, call, body, {}, ANSWER_SECONDS) as answer:
            try:
                return json.load(answer)
            except (OSError, ValueError) as error:
                raise DoorClosed("the API gave no readable answer") from error

    def open(self, method: str, call: str, body: Any, headers: dict[str, str], timeout: float) -> Any:
        data = None if body is None else json.dumps(body).encode()
        all_headers = {"X-API-Key": self.key, "Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.calls + call, data, all_headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise DoorClosed(sentence(error), error.code) from error
        except OSError as error:
            raise DoorClosed("the API of cache-sync can't be reached") from error


def sentence(error: urllib.error.HTTPError) -> str:
    """What the API says of an error: `{"success": false, "error": "a_word", "message": "..."}`."""
    try:
        return str(json.load(error)["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"the API answered {error.code}"


def of_answer(job: dict[str, Any]) -> dict[str, Any]:
    """A job as the API tells it, as the page shows it."""
    progress = job.get("progress") or {}
    error = job.get("error_details") or ""
    is_completed = job["status"] == "completed"
    status = {"pending": "queued"}.get(job["status"], job["status"])
    return {
        "job_id": job["job_id"],
        "status": "cancelled" if error == "cancelled" else status,
        "mode": job["mode"] or "",
        "percentage": progress.get("percentage", 100 if is_completed else 0),
        "current_task": progress.get("current_task") or "",
        "completed": progress.get("completed", 0),
        "total_items": progress.get("total_items", 0),
        "error": error,
        "start_time": job["start_time"] or "",
        "duration_seconds": job["duration_seconds"],
    }


def frames(events: Iterator[Optional[Event]]) -> Iterator[str]:
    """Events as they go to the browser, with a comment where all is quiet."""
    yield "retry: 2000\n\n"
    spoke = time.monotonic()
    try:
        for event in events:
            if event is not None:
                yield f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n"
                spoke = time.monotonic()
            elif time.monotonic() - spoke >= KEEP_ALIVE_SECONDS:
                yield ": keep-alive\n\n"
                spoke = time.monotonic()
    except DoorClosed:
        # The browser comes back by itself, with the last id it has seen.
        return
