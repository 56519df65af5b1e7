"""What the tests of the Python examples share: an installation of their own, and hands on its servers.

`deploy/python_examples.sh` runs them: it starts a private Postgres and says where that and the program are. Each test
gets a database with a small made market, a Redis that it may kill, and workers when it wants some.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pg8000.native
import pytest
import redis

T = TypeVar("T")
# Far above what a busy machine takes.
DEADLINE_SECONDS = 120.0
NUMBERS = itertools.count()

# 130 stocks, each cap 6 % below the one before, from 400 billion dollars down, with closes on two trading days.
MARKET = """
create table symbols (symbol varchar(20) primary key, name text, exchange text, type text, active boolean,
    market_cap bigint, weighted_shares_outstanding bigint, sector text, industry text, sic_code text, list_date date);
create table ohlcv_daily (symbol varchar(20), date date, close numeric(14,4), volume bigint, primary key (symbol, date));
insert into symbols (symbol, name, exchange, type, active, weighted_shares_outstanding, sector, list_date)
    select 'BG' || lpad(rank::text, 3, '0'), 'Company ' || rank, 'XNYS', 'CS', true,
           (4e9 * 0.94 ^ (rank - 1))::bigint, (array['Technology', 'Healthcare', 'Energy'])[1 + rank % 3], '2005-01-03'
    from generate_series(1, 130) as rank;
insert into ohlcv_daily select symbol, date, 100, 1000
    from symbols, unnest(array['2026-02-27', '2026-03-02']::date[]) as date;
"""


def eventually(what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


class World:
    """One installation, with nobody else in it."""

    def __init__(self, program: str, postgres_url: str, database: str, folder: Path) -> None:
        self.program = program
        self.database_url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{database}"))
        self.folder = folder
        # A socket in a folder of its own: a port could be taken by somebody else while Redis is down.
        self.socket = folder / "redis.sock"
        self.redis_url = f"unix://{self.socket}"
        self.redis_server: subprocess.Popen[bytes] | None = None
        self.start_redis()

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "CACHE_SYNC_CONFIG": ""}

    # ------------------------------------------------------------------------------------------------------ Redis

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url, decode_responses=True, protocol=2)

    def start_redis(self) -> None:
        """Starts Redis, with what it held before; every write is handed to the kernel before it is answered."""
        words = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        words += ["--appendonly", "yes", "--appendfsync", "no", "--save", ""]
        with (self.folder / "redis.log").open("ab") as out:
            self.redis_server = subprocess.Popen(words, stdout=out, stderr=out)

        def answers() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(self.redis.ping())
            return False

        eventually("an answer of Redis", answers)

    def kill_redis(self) -> None:
        assert self.redis_server is not None
        self.redis_server.kill()
        self.redis_server.wait()

    # --------------------------------------------------------------------------------------------------- Postgres

    @contextlib.contextmanager
    def connection(self) -> Iterator[pg8000.native.Connection]:
        connection = connect(self.database_url)
        try:
            yield connection
        finally:
            connection.close()

    def sql(self, statement: str) -> list[list[Any]]:
        with self.connection() as connection:
            return connection.run(statement)

    def members_now(self) -> int:
        """Memberships that are open."""
        return self.sql("select count(*) from universe_membership where valid_to is null")[0][0]

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """A table that only the test may write."""
        with self.connection() as connection:
            connection.run("begin")
            connection.run(f"lock table {table} in exclusive mode")
            yield

    def held_lease(self) -> contextlib.AbstractContextManager[None]:
        """The right to change universes, in the hands of the test: every job waits in line."""
        return self.locked("cache_sync_lease")

    def held_before_it_writes(self) -> contextlib.AbstractContextManager[None]:
        """Jobs decide everything and write nothing: their end would wait only a moment for progress to be told."""
        return self.locked("cache_sync_changes")

    def wait_for_all_progress(self, job_id: str) -> None:
        """Waits until a job that is held has told that each of its sub-tasks is decided."""
        key = f"tickstock:jobs:cache_sync:status:{job_id}"

        def is_told() -> bool:
            completed, total = self.redis.hmget(key, "completed", "total_items")
            return completed is not None and completed == total

        eventually("all progress", is_told)

    def twelve_giants_appear(self) -> None:
        """Twelve companies larger than all others, listed long ago: nobody believes them at once."""
        self.sql(
            """insert into symbols (symbol, name, type, active, weighted_shares_outstanding, sector, list_date)
            select 'GIANT' || n, 'Giant ' || n, 'CS', true, 9000000000, 'Energy', '2005-01-03'
            from generate_series(1, 12) as n"""
        )
        self.sql("insert into ohlcv_daily select symbol, '2026-03-03', 100, 1000 from symbols")

    # ----------------------------------------------------------------------------------------------------- Program

    def run(self, *args: str) -> str:
        """Runs a command of the program to its end; what it printed."""
        done = subprocess.run([self.program, *args], env=self.env, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sync(self, job_id: str) -> None:
        """One sync, by a worker that ends with it."""
        self.run("submit", "--job-id", job_id)
        self.run("worker", "--once")
        assert self.redis.hget(f"tickstock:jobs:cache_sync:status:{job_id}", "status") == "completed"

    @contextlib.contextmanager
    def process(self, *args: str, **variables: str) -> Iterator[Path]:
        """The program in the background; the file with its log. It is killed in the end, which saves its good manners."""
        path = self.folder / f"{args[0]}-{next(NUMBERS)}.log"
        with path.open("wb") as out:
            words = [self.program, *args]
            process = subprocess.Popen(words, env={**self.env, **variables}, stdout=out, stderr=out, cwd=self.folder)
        try:
            yield path
        finally:
            process.kill()
            process.wait()

    def worker(self) -> contextlib.AbstractContextManager[Path]:
        return self.process("worker")

    @contextlib.contextmanager
    def serve(self) -> Iterator[tuple[str, str]]:
        """The program with all roles; the URL of its API, and the key."""
        key = secrets.token_hex(16)
        options = ("--set", "http.listen=127.0.0.1:0", "--set", "triggers.schedule=false")
        with self.process("serve", *options, CACHE_SYNC_API_KEY=key) as path:
            found = eventually("the API to listen", lambda: re.search(r"listens on (http://\S+)", path.read_text()))
            yield found.group(1), key

    def step_of(self, job_id: str) -> str | None:
        """Where the worker of a job is; `waiting` for the lease, say."""
        rows = self.sql(f"select step from cache_sync_owners where job_id = '{job_id}'")
        return rows[0][0] if rows else None

    def events_of(self, job_id: str) -> list[tuple[str, dict[str, Any]]]:
        entries = self.redis.xrange(f"tickstock:jobs:cache_sync:events:{job_id}")
        return [(fields["event"], json.loads(fields["data"])["payload"]) for _, fields in entries]


def connect(url: str) -> pg8000.native.Connection:
    parts = urlsplit(url)
    return pg8000.native.Connection(
        parts.username, parts.hostname, parts.path[1:], parts.port, password=parts.password, timeout=DEADLINE_SECONDS
    )


def variable(name: str) -> str:
    if name not in os.environ:
        pytest.exit(f"{name} is not set: these tests are run by deploy/python_examples.sh", returncode=2)
    return os.environ[name]


@pytest.fixture(scope="session")
def template() -> str:
    """A database with the market and our tables, to be copied."""
    url, program = variable("EXAMPLES_POSTGRES_URL"), variable("EXAMPLES_PROGRAM")
    admin = connect(url)
    # Each process of xdist makes its own.
    name = f"examples_template_{os.getpid()}"
    admin.run(f"create database {name}")
    of_template = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    connection = connect(of_template)
    for statement in filter(str.strip, MARKET.split(";")):
        connection.run(statement)
    connection.close()
    subprocess.run([program, "migrate"], env={**os.environ, "DATABASE_URL": of_template}, check=True, cwd="/")
    admin.close()
    return name


@pytest.fixture
def world(template: str) -> Iterator[World]:
    """A market that was never synced, and no worker."""
    url, database = variable("EXAMPLES_POSTGRES_URL"), f"examples_{os.getpid()}_{next(NUMBERS)}"
    admin = connect(url)

    def copied() -> bool:
        try:
            admin.run(f"create database {database} template {template}")
        except pg8000.native.DatabaseError as error:
            if error.args[0].get("C") != "55006":  # The connection that made it is still saying goodbye.
                raise
            return False
        return True

    eventually("a copy of the template", copied)
    admin.close()
    with tempfile.TemporaryDirectory() as folder:
        world = World(variable("EXAMPLES_PROGRAM"), url, database, Path(folder))
        try:
            yield world
        finally:
            world.kill_redis()
