"""The cache sync page of AppV2's administration, as a blueprint.

    from cache_sync_admin import HttpDoor, StreamDoor, admin_blueprint

    app.register_blueprint(admin_blueprint({"stream": StreamDoor(redis_url)}, guard=admin_required))

| call | does |
|---|---|
| `GET /admin/cache-sync/` | the page |
| `POST /admin/cache-sync/<door>/jobs` | starts a job: 202 with its id |
| `GET /admin/cache-sync/<door>/jobs` | recent jobs |
| `GET /admin/cache-sync/<door>/jobs/<job_id>` | how far one is |
| `DELETE /admin/cache-sync/<door>/jobs/<job_id>` | asks for its end |
| `GET /admin/cache-sync/<door>/jobs/<job_id>/events` | server-sent events, from the first or behind `Last-Event-ID` |

# What is left out
Who may come in: give the application's own decorator, such as `admin_required`, as `guard`; without one the page is
open to whoever reaches it. The token against forged requests is one a session, compared in constant time; an
application that has Flask-WTF's `CSRFProtect` uses that instead. There is no limit on how often somebody presses the
button: workers do one job at a time, so pressing it twice costs seconds. An open page holds one thread of the server
while its job runs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Optional

from flask import Blueprint, Response, abort, jsonify, render_template, request, session, stream_with_context

from .doors import MODES, Door, DoorClosed, HttpDoor, StreamDoor, frames

__all__ = ["Door", "DoorClosed", "HttpDoor", "StreamDoor", "admin_blueprint"]

RECENT_JOBS = 10
"""Jobs that the page lists."""

TOKEN = "cache_sync_csrf"
"""The session's name for the token that a page shows and a forged request does not know."""


def admin_blueprint(doors: Mapping[str, Door], guard: Optional[Callable[..., Any]] = None) -> Blueprint:
    """The page and its calls, over these doors by name. `guard` is a decorator that lets administrators in."""
    blueprint = Blueprint(
        "cache_sync_admin",
        __name__,
        url_prefix="/admin/cache-sync",
        template_folder="templates",
        static_folder="static",
    )
    guarded = guard or (lambda view: view)

    def route(path: str, method: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            blueprint.add_url_rule(path, view.__name__, guarded(view), methods=[method])
            return view

        return register

    @route("/", "GET")
    def page() -> Any:
        token = session.setdefault(TOKEN, secrets.token_urlsafe(32))
        return render_template("cache_sync_admin/page.html", doors=list(doors), modes=MODES, token=token)

    @route("/<door>/jobs", "POST")
    def start(door: str) -> Any:
        check_token()
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict) or asked.get("mode") not in MODES or not isinstance(asked.get("force"), bool):
            abort(400, "a mode and force, true or false, are needed")
        return jsonify(job_id=named(doors, door).start(asked["mode"], asked["force"])), 202

    @route("/<door>/jobs", "GET")
    def recent(door: str) -> Any:
        return jsonify(jobs=named(doors, door).recent(RECENT_JOBS))

    @route("/<door>/jobs/<job_id>", "GET")
    def status(door: str, job_id: str) -> Any:
        found = named(doors, door).status(valid(job_id))
        if found is None:
            abort(404, "nothing is known of this job, or no worker has read it yet")
        return jsonify(found)

    @route("/<door>/jobs/<job_id>", "DELETE")
    def cancel(door: str, job_id: str) -> Any:
        check_token()
        named(doors, door).cancel(valid(job_id))
        return jsonify(job_id=job_id), 202

    @route("/<door>/jobs/<job_id>/events", "GET")
    def events(door: str, job_id: str) -> Any:
        after = request.headers.get("Last-Event-ID") or "0-0"
        if not re.fullmatch(r"[0-9]{1,19}-[0-9]{1,19}", after):
            abort(400, "Last-Event-ID is no id of an event")
        told = frames(named(doors, door).events(valid(job_id), after))
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return Response(stream_with_context(told), mimetype="text/event-stream", headers=headers)

    @blueprint.after_request
    def lock_down(response: Response) -> Response:
        # Scripts and styles come from files of ours only: text that slipped through as HTML would still not run.
        response.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @blueprint.errorhandler(DoorClosed)
    def closed(error: DoorClosed) -> Any:
        return jsonify(error=str(error)), error.status if error.status in (400, 404, 409) else 503

    for code in (400, 403, 404):
        blueprint.register_error_handler(code, lambda error: (jsonify(error=error.description), error.code))

    return blueprint


def check_token() -> None:
    """Refuses a request that no page of ours has made: only that knows the session's token."""
    given, known = request.headers.get("X-CSRF-Token", ""), session.get(TOKEN, "")
    if not known or not secrets.compare_digest(given.encode(), known.encode()):
        abort(403, "the page is too old, load it again")


def named(doors: Mapping[str, Door], door: str) -> Door:
    if door not in doors:
        abort(404, "there is no such door")
    return doors[door]


def valid(job_id: str) -> str:
    """A job id as it stands in names of keys; anything else is that of no job."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", job_id):
        abort(404, "nothing is known of this job")
    return job_id
