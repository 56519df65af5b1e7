"""A small application with nothing but the cache sync page, to try it and to copy from.

    pip install redis flask
    REDIS_URL=redis://127.0.0.1:6379/0 CACHE_SYNC_URL=http://127.0.0.1:8080 CACHE_SYNC_API_KEY=... python app.py

and open http://127.0.0.1:5000/admin/cache-sync/. Without `CACHE_SYNC_API_KEY` there is only the door through Redis.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from flask import Flask

from cache_sync_admin import Door, HttpDoor, StreamDoor, admin_blueprint


def create_app(env: Mapping[str, str] = os.environ) -> Flask:
    """The application, over the doors that `env` names."""
    app = Flask(__name__)
    # Signs the session cookie; several processes need the same. Lax: other sites' forms don't bring the cookie along.
    app.config.update(
        SECRET_KEY=env.get("SECRET_KEY") or secrets.token_hex(32),
        SESSION_COOKIE_NAME="cache_sync_example",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=16 * 1024,
    )
    doors: dict[str, Door] = {}
    doors["stream"] = StreamDoor(env.get("REDIS_URL", "redis://127.0.0.1:6379/0"), env.get("REDIS_PREFIX", "tickstock"))
    if env.get("CACHE_SYNC_API_KEY"):
        doors["http"] = HttpDoor(env.get("CACHE_SYNC_URL", "http://127.0.0.1:8080"), env["CACHE_SYNC_API_KEY"])
    app.register_blueprint(admin_blueprint(doors))
    return app


if __name__ == "__main__":
    create_app().run(port=int(os.environ.get("PORT", "5000")), threaded=True)
