"""Runs the cache synchronization inside the daily pipeline, and waits for its end.

    import (phase 2)  ->  run_cache_synchronization (phase 2.5)  ->  indicators (phase 3)

The job goes onto the Redis stream that the workers of cache-sync read, under an id made from the pipeline's run id.
Then the job's own event stream is read from its beginning. Both can be repeated at any moment: the same id is the same
job, and what was told before one listened is still there. That is why nothing here is remembered between two calls,
and why a pipeline that died may simply call again.

    what happens meanwhile                     what is done about it
    -----------------------------------------  ---------------------------------------------------------------
    Redis goes away                            try again until it is back, then read on where one was
    Redis comes back empty                     ask again: workers know a finished job and tell its end again
    the job had ended before the call          its end is in its event stream: nothing is asked for
    the request is refused as unreadable       there is no event, but the status hash says failed, and why
    another job stands for the trading date    that one is followed, and its end is the result
    no worker runs, or the job takes too long  the result is TIMED_OUT; the job is left alone and may still end

The only dependency is redis-py. Copy this file into the pipeline as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import inspect
import json
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, Optional, Union

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_SECONDS = 30 * 60.0
"""As long as a job may work (`sync_settings.timeout_minutes`). It usually takes seconds."""

BLOCK_MS = 1_000
"""How long one XREAD waits. After a silent one the status is looked at, so this bounds how late a refusal is seen."""

SOCKET_TIMEOUT_SECONDS = 5.0
"""A connection that is silent for so long is given up; it must be longer than a read blocks."""

LONGEST_PAUSE_SECONDS = 2.0
"""Between two tries to reach Redis."""

FINAL = frozenset({"completed", "failed", "cancelled"})
"""The words of the status hash that are an end."""


class Outcome(str, Enum):
    """How it ended, as far as the next phase cares."""

    COMPLETED = "completed"
    """All universes are as of the trading date."""
    COMPLETED_WITH_HELD = "completed_with_held_universes"
    """So are all but `held_universes`: those keep their earlier members until a person has looked."""
    FAILED = "failed"
    """Nothing was written: every universe is as it was before."""
    CANCELLED = "cancelled"
    """Somebody stopped it. Nothing was written."""
    TIMED_OUT = "timed_out"
    """No end was seen in time. The job was left alone and may still complete: call again to learn of it."""


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    job_id: str
    status: str
    """`queued`, `running` or `retrying`."""
    current_task: str
    """The sub-task that was told last; empty before the first."""
    completed: int
    """Sub-tasks done."""
    total_items: int
    """Sub-tasks in all: five of a full sync."""
    percentage: int
    """From 0 to 100."""


@dataclass(frozen=True)
class CacheSyncResult:
    """What the next phase needs to know."""

    run_id: str
    job_id: str
    """The job whose end this is: the one asked for, or the one that stood for its dedupe key already."""
    outcome: Outcome
    error: str = ""
    """One sentence, where it did not succeed."""
    digest: str = ""
    """The result in a few words; empty where only the status hash was left to read."""
    total_changes: int = 0
    """Memberships added and removed."""
    universes_updated: tuple[str, ...] = ()
    held_universes: tuple[str, ...] = ()
    duration_seconds: Optional[float] = None
    task_results: Mapping[str, Any] = field(default_factory=dict)
    """Each sub-task's `status`, `changes` and `duration_seconds`."""
    warnings: tuple[str, ...] = ()
    is_duplicate: bool = False
    """Whether another job stood for the same dedupe key: `job_id` is that one's."""

    @property
    def succeeded(self) -> bool:
        """Whether the next phase works on the universes of the trading date, but perhaps for held ones.

        A job that completed and found its data stale did nothing: the universes are those of an earlier date.
        """
        is_completed = self.outcome in (Outcome.COMPLETED, Outcome.COMPLETED_WITH_HELD)
        return is_completed and self.skipped_because != "data_stale"

    @property
    def skipped_because(self) -> str:
        """`already_done`, `market_closed` or `data_stale`, where a completed job had no reason to work; else empty."""
        codes = (warning.split(":", 1)[0] for warning in self.warnings)
        return next((code for code in codes if code in ("already_done", "market_closed", "data_stale")), "")

    def __str__(self) -> str:
        if self.skipped_because:
            why = next(warning for warning in self.warnings if warning.startswith(self.skipped_because))
            return f"cache sync {self.job_id}: skipped, {why}"
        if not self.succeeded:
            return f"cache sync {self.job_id}: {self.outcome.value}: {self.error}"
        held = f", {len(self.held_universes)} held: {', '.join(self.held_universes)}" if self.held_universes else ""
        return (
            f"cache sync {self.job_id}: completed, {self.total_changes} changes "
            f"in {len(self.universes_updated)} universes{held}"
        )


ProgressCallback = Callable[[Progress], Union[None, Awaitable[None]]]


def job_id_for(run_id: str) -> str:
    """The id of the job that belongs to a run of the pipeline: the same for the same run, at every call.

    Job ids have 1 to 64 of `A-Za-z0-9_.-`. A run id that does not fit is shortened, and told apart by its hash.
    """
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,55}", run_id):
        return f"pipeline-{run_id}"
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", run_id)[:22]
    return f"pipeline-{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:32]}"


def job_fields(
    job_id: str,
    *,
    run_id: str = "",
    mode: str = "full",
    as_of: Optional[date] = None,
    triggered_by: str = "eod_import",
    dedupe_key: Optional[str] = None,
    force: bool = False,
) -> dict[str, str]:
    """The fields of a job request, as XADD takes them.

    With `as_of` the dedupe key is `eod:<date>` unless another is given: the key under which cache-sync's own triggers
    ask too, so that a trading date has one automatic job whoever asks first. `dedupe_key=""` is no key at all.
    """
    if dedupe_key is None:
        dedupe_key = f"eod:{as_of.isoformat()}" if as_of else ""
    fields = {
        "job_id": job_id,
        "mode": mode,
        "triggered_by": triggered_by,
        "run_id": run_id[:200],
        "as_of": as_of.isoformat() if as_of else "",
        "dedupe_key": dedupe_key,
        "force": "true" if force else "",
    }
    return {name: value for name, value in fields.items() if value}


async def put_job(client: redis.asyncio.Redis, fields: Mapping[str, str], *, prefix: str = "tickstock") -> str:
    """Puts a job on the stream, for an import that does not wait; the entry's id.

    Repeating it after a lost connection is harmless as long as `job_id` is the same.
    """
    return await client.xadd(f"{prefix}:jobs:cache_sync", dict(fields))


async def run_cache_synchronization(
    run_id: str,
    *,
    redis_url: str = "redis://127.0.0.1:6379/0",
    as_of: Optional[date] = None,
    mode: str = "full",
    dedupe_key: Optional[str] = None,
    triggered_by: str = "eod_import",
    force: bool = False,
    attempt: int = 1,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    on_progress: Optional[ProgressCallback] = None,
    prefix: str = "tickstock",
) -> CacheSyncResult:
    """Runs one sync and waits for its end. A sync that goes wrong is a result, never an exception.

    Calling it again with the same `run_id` asks for nothing new: it finds the same job, wherever that stands. To try
    a failed job again, count `attempt` up: that makes a new job.

    Args:
        run_id: The pipeline's name for this run; it appears in the job's row, status and events.
        redis_url: Where the stream is. A password in it appears in no log of this module.
        as_of: The trading date that was imported; without it the newest complete date is synced.
        mode: `full`, or one of `market_cap`, `ipos`, `delisted`, `themes`, `etfs`.
        dedupe_key: See `job_fields`.
        triggered_by: `eod_import` and `scheduler` jobs are skipped where there is nothing to do (`skipped_because`).
        force: Works even so. It opens no guard.
        attempt: 2 or more for another job of the same run.
        timeout_seconds: The longest wait in all, time without Redis included.
        on_progress: Told whenever something moved; may be `async`. If it raises, that is logged and no more.
        prefix: The first word of every name in Redis (`redis.prefix`).

    Raises:
        ValueError: `run_id` is empty or `attempt` below 1.
        redis.exceptions.RedisError: Redis answers, but refuses: a wrong password, for example.
    """
    if not run_id or attempt < 1:
        raise ValueError("a run id is needed, and attempts count from 1")
    job_id = job_id_for(run_id if attempt == 1 else f"{run_id} attempt {attempt}")
    fields = job_fields(
        job_id,
        run_id=run_id,
        mode=mode,
        as_of=as_of,
        triggered_by=triggered_by,
        dedupe_key=dedupe_key,
        force=force,
    )
    # Retrying is done here, for a whole step at a time, so the client need not do it for single commands.
    client = redis.asyncio.from_url(
        redis_url,
        decode_responses=True,
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    gate = _Gate(client, prefix, run_id, fields, on_progress)
    try:
        return await asyncio.wait_for(gate.until_end(), timeout_seconds)
    except asyncio.TimeoutError:
        return gate.timed_out(timeout_seconds)
    finally:
        await client.aclose()


class _Gate:
    """One wait. Its state is where it is in the event stream; all else is asked of Redis."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        prefix: str,
        run_id: str,
        fields: dict[str, str],
        on_progress: Optional[ProgressCallback],
    ) -> None:
        self.client = client
        self.prefix = prefix
        self.run_id = run_id
        self.fields = fields
        self.job_id = fields["job_id"]
        self.on_progress = on_progress
        self.last_event = "0-0"
        self.entry_id: Optional[str] = None
        self.is_duplicate = False
        self.progress: Optional[Progress] = None
        self.trouble = "no worker has read the request"

    async def until_end(self) -> CacheSyncResult:
        """Goes on from wherever it was, for as long as Redis comes and goes."""
        pause = 0.05
        while True:
            try:
                ended = await self.step()
                if ended is not None:
                    return ended
                pause = 0.05
            except AuthenticationError:
                raise
            except (RedisAway, RedisSilent, BusyLoadingError, ReadOnlyError, OSError) as error:
                self.trouble = f"Redis is away ({type(error).__name__})"
                log.warning("cache sync %s: %s, trying again", self.job_id, self.trouble)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def step(self) -> Optional[CacheSyncResult]:
        """Reads what is new; where nothing is, makes sure that there is something to wait for."""
        # The first read does not block: the end may be there already, or the job has yet to be asked for.
        ended, was_silent = await self.read_events(BLOCK_MS if self.entry_id else None)
        if ended is not None or not was_silent:
            return ended
        status = await self.client.hgetall(f"{self.prefix}:jobs:cache_sync:status:{self.job_id}")
        if status.get("status") in FINAL:
            # What has an event had it before it had this status, so a last look decides.
            ended, _ = await self.read_events(None)
            return ended if ended is not None else await self.ended(_of_hash(status))
        if status:
            self.entry_id = self.entry_id or "known"
            await self.tell(status)
        elif not await self.is_waiting():
            self.entry_id = await put_job(self.client, {**self.fields, "job_id": self.job_id}, prefix=self.prefix)
            log.info("cache sync %s: asked for, entry %s", self.job_id, self.entry_id)
        return None

    async def is_waiting(self) -> bool:
        """Whether the request, of which there is no status yet, is on the stream. After a flush it is not."""
        self.trouble = "no worker has read the request"
        if self.entry_id is None or self.entry_id == "known":
            return False
        return bool(await self.client.xrange(f"{self.prefix}:jobs:cache_sync", self.entry_id, self.entry_id))

    async def read_events(self, block_ms: Optional[int]) -> tuple[Optional[CacheSyncResult], bool]:
        """The result, if the end is among what is new; and whether nothing was."""
        name = f"{self.prefix}:jobs:cache_sync:events:{self.job_id}"
        answer = await self.client.xread({name: self.last_event}, count=500, block=block_ms)
        entries = answer[0][1] if answer else []
        for event_id, fields in entries:
            self.last_event = event_id
            try:
                payload = json.loads(fields["data"])["payload"]
            except (KeyError, TypeError, ValueError):
                log.warning("cache sync %s: event %s can't be read", self.job_id, event_id)
                continue
            if fields.get("event") == "cache_sync_completed":
                return await self.ended(payload), False
            if fields.get("event") in ("cache_sync_started", "cache_sync_progress"):
                await self.tell({"status": "running", **payload})
        return None, not entries

    async def ended(self, end: Mapping[str, Any]) -> Optional[CacheSyncResult]:
        """The result that an end is; none where it only names the job that stands for the key."""
        warnings = tuple(str(warning) for warning in end.get("warnings", ()))
        prefix = "duplicate_of:"
        holder = next((w[len(prefix) :].strip() for w in warnings if w.startswith(prefix)), "")
        if holder and holder != self.job_id and not self.is_duplicate:
            log.info("cache sync %s: job %s stands for its key, following that one", self.job_id, holder)
            self.job_id, self.last_event, self.entry_id, self.is_duplicate = holder, "0-0", None, True
            return None
        held = tuple(end.get("held_universes", ()))
        error = str(end.get("error", ""))
        if end.get("status") == "completed":
            outcome = Outcome.COMPLETED_WITH_HELD if held else Outcome.COMPLETED
        elif end.get("status") == "cancelled" or error == "cancelled":
            outcome = Outcome.CANCELLED
        else:
            outcome = Outcome.FAILED
        return CacheSyncResult(
            run_id=self.run_id,
            job_id=self.job_id,
            outcome=outcome,
            error=error,
            digest=str(end.get("digest", "")),
            total_changes=int(end.get("total_changes", 0)),
            universes_updated=tuple(end.get("universes_updated", ())),
            held_universes=held,
            duration_seconds=end.get("duration_seconds"),
            task_results=end.get("task_results", {}),
            warnings=warnings,
            is_duplicate=self.is_duplicate,
        )

    def timed_out(self, timeout_seconds: float) -> CacheSyncResult:
        """The result of a wait that was too long, with what was seen last."""
        return CacheSyncResult(
            run_id=self.run_id,
            job_id=self.job_id,
            outcome=Outcome.TIMED_OUT,
            error=f"no end within {timeout_seconds:g} s; last seen: {self.trouble}",
            is_duplicate=self.is_duplicate,
        )

    async def tell(self, seen: Mapping[str, Any]) -> None:
        """Tells the caller how far the job is, if that is news. The hash has texts, an event has numbers."""
        progress = Progress(
            job_id=self.job_id,
            status=str(seen.get("status") or "queued"),
            current_task=str(seen.get("current_task") or ""),
            completed=int(seen.get("completed") or 0),
            total_items=int(seen.get("total_items") or 0),
            percentage=int(seen.get("percentage") or 0),
        )
        self.trouble = f"{progress.status}, {progress.completed} of {progress.total_items} sub-tasks done"
        if seen.get("status") == "retrying" and seen.get("error"):
            self.trouble += f": {seen['error']}"
        if progress == self.progress:
            return
        self.progress = progress
        if self.on_progress is None:
            return
        try:
            told = self.on_progress(progress)
            if inspect.isawaitable(told):
                await told
        except Exception:  # A progress bar must not stop the pipeline.
            log.exception("cache sync %s: the progress callback failed", self.job_id)


def _of_hash(status: Mapping[str, str]) -> dict[str, Any]:
    """A status hash, all of which is text, in the types of an event's payload."""
    end: dict[str, Any] = dict(status)
    for name, empty in (("universes_updated", "[]"), ("held_universes", "[]"), ("warnings", "[]"), ("task_results", "{}")):
        end[name] = json.loads(status.get(name) or empty)
    end["total_changes"] = int(status.get("total_changes") or 0)
    end["duration_seconds"] = float(status["duration_seconds"]) if status.get("duration_seconds") else None
    return end


def main() -> int:
    """The same from a shell: progress on standard error, the result as one line; 0 if it succeeded, else 1."""
    parser = argparse.ArgumentParser(description="Runs one cache sync and waits for its end.")
    parser.add_argument("run_id")
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--as-of", type=date.fromisoformat)
    parser.add_argument("--mode", default="full")
    parser.add_argument("--force", action="store_true", help="even if it was done, the market closed or the data old")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_SECONDS, help="seconds")
    args = parser.parse_args()

    def show(progress: Progress) -> None:
        print(f"{progress.percentage:3} % {progress.status} {progress.current_task}", file=sys.stderr)

    result = asyncio.run(
        run_cache_synchronization(
            args.run_id,
            redis_url=args.redis_url,
            as_of=args.as_of,
            mode=args.mode,
            force=args.force,
            timeout_seconds=args.timeout,
            on_progress=show,
        )
    )
    print(result)
    return 0 if result.succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
