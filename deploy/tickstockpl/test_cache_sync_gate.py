"""The gate against real servers and workers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redis

sys.path.insert(0, str(Path(__file__).parent))

import cache_sync_gate as gate
from cache_sync_gate import CacheSyncResult, Outcome, Progress
from conftest import DEADLINE_SECONDS, eventually

STREAM = "tickstock:jobs:cache_sync"
TRADING_DATE = date(2026, 3, 2)
TASKS = [
    "market_cap_recalculation",
    "ipo_assignment",
    "delisted_cleanup",
    "theme_rebalancing",
    "etf_universe_maintenance",
]


def passed(world: Any, run_id: str, **options: Any) -> CacheSyncResult:
    """What the gate says."""
    options = {"timeout_seconds": DEADLINE_SECONDS, "triggered_by": "pipeline", **options}
    return asyncio.run(gate.run_cache_synchronization(run_id, redis_url=world.redis_url, **options))


class Waiting:
    """A pipeline that waits at the gate, while the test does something."""

    def __init__(self, world: Any, run_id: str, **options: Any) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.future = self.pool.submit(passed, world, run_id, **options)

    def result(self) -> CacheSyncResult:
        return self.future.result(timeout=2 * DEADLINE_SECONDS)


def test_a_sync_is_followed_to_its_end_with_progress_and_counts(world: Any) -> None:
    heard: list[Progress] = []

    async def on_progress(progress: Progress) -> None:
        heard.append(progress)

    with world.worker():
        # The made market is of some time ago, which an automatic job would take for stale data.
        options = {"as_of": TRADING_DATE, "triggered_by": "eod_import", "force": True}
        with world.held_before_it_writes():
            waiting = Waiting(world, "run-1", on_progress=on_progress, **options)
            world.wait_for_all_progress("pipeline-run-1")
        result = waiting.result()
    assert (result.outcome, result.error) == (Outcome.COMPLETED, "")
    assert result.succeeded and result.job_id == "pipeline-run-1" and result.run_id == "run-1"
    assert result.total_changes == world.members_now() > 500
    assert {"mega_cap", "top_100", "all_stocks"} <= set(result.universes_updated)
    assert set(result.task_results) == set(TASKS)
    assert result.digest and result.duration_seconds is not None and result.duration_seconds > 0
    assert str(result).startswith(f"cache sync pipeline-run-1: completed, {result.total_changes} changes in ")

    running = [progress for progress in heard if progress.status == "running"]
    assert [progress.current_task for progress in running if progress.completed] == TASKS
    percentages = [progress.percentage for progress in running]
    assert percentages == sorted(percentages) and percentages[-1] == 100
    row = world.sql("select run_id, dedupe_key, triggered_by, as_of from cache_sync_jobs")
    assert row == [["run-1", "eod:2026-03-02", "eod_import", TRADING_DATE]]


def test_a_pipeline_that_died_calls_again_and_finds_the_same_job(world: Any) -> None:
    with world.worker():
        first = passed(world, "run-1")
    # No worker runs any more: all there is to know was told before.
    assert passed(world, "run-1", timeout_seconds=20) == first
    assert world.redis.xinfo_stream(STREAM)["entries-added"] == 1
    assert world.sql("select count(*) from cache_sync_jobs") == [[1]]


def test_without_events_the_status_tells_the_end(world: Any) -> None:
    with world.worker():
        first = passed(world, "run-1")
    world.redis.delete(f"{STREAM}:events:{first.job_id}")
    again = passed(world, "run-1", timeout_seconds=20)
    assert again.digest == "" and again.outcome is Outcome.COMPLETED
    assert (again.total_changes, again.universes_updated) == (first.total_changes, first.universes_updated)
    assert again.task_results == first.task_results and again.warnings == first.warnings
    assert again.duration_seconds == pytest.approx(first.duration_seconds, abs=0.001)


def test_a_redis_that_forgot_everything_is_told_again(world: Any) -> None:
    with world.worker():
        first = passed(world, "run-1")
        world.redis.flushall()
        again = passed(world, "run-1")
    assert (again.outcome, again.total_changes) == (Outcome.COMPLETED, first.total_changes)
    assert world.sql("select count(*) from cache_sync_jobs") == [[1]]


def test_a_request_that_redis_forgot_is_made_again(world: Any) -> None:
    waiting = Waiting(world, "run-1")
    eventually("the request", lambda: world.redis.xlen(STREAM))
    world.redis.flushall()
    eventually("the request again", lambda: world.redis.xlen(STREAM))
    with world.worker():
        assert waiting.result().outcome is Outcome.COMPLETED


def test_redis_may_die_while_the_job_runs(world: Any) -> None:
    with world.worker():
        with world.held_lease():
            waiting = Waiting(world, "run-1")
            eventually("the job at work", lambda: world.step_of("pipeline-run-1"))
            world.kill_redis()
        # The universes are committed while nobody can be told.
        committed = "select status from cache_sync_jobs where status = 'completed'"
        eventually("the commit", lambda: world.sql(committed))
        assert not waiting.future.done()
        world.start_redis()
        result = waiting.result()
    assert (result.outcome, result.total_changes) == (Outcome.COMPLETED, world.members_now())


def test_without_redis_the_wait_ends_in_time_and_says_so(world: Any) -> None:
    world.kill_redis()
    result = passed(world, "run-1", timeout_seconds=4)
    assert result.outcome is Outcome.TIMED_OUT and not result.succeeded
    assert result.error == "no end within 4 s; last seen: Redis is away (ConnectionError)"


def test_a_job_that_takes_too_long_is_left_alone_and_may_still_complete(world: Any) -> None:
    result = passed(world, "run-1", timeout_seconds=4)
    assert (result.outcome, result.total_changes) == (Outcome.TIMED_OUT, 0)
    assert result.error == "no end within 4 s; last seen: no worker has read the request"
    with world.worker():
        assert passed(world, "run-1").outcome is Outcome.COMPLETED
    assert world.sql("select count(*) from cache_sync_jobs") == [[1]]


def test_a_job_that_fails_says_why_and_another_attempt_is_another_job(world: Any) -> None:
    world.sql("alter table symbols rename to symbols_away")
    with world.worker():
        failed = passed(world, "run-1")
        assert failed.outcome is Outcome.FAILED and not failed.succeeded
        assert "symbols" in failed.error and failed.error in str(failed)
        world.sql("alter table symbols_away rename to symbols")
        assert passed(world, "run-1") == failed
        assert passed(world, "run-1", attempt=2).outcome is Outcome.COMPLETED


def test_a_request_that_is_refused_ends_as_failed_with_the_reason(world: Any) -> None:
    with world.worker():
        result = passed(world, "run-1", mode="everything")
        eventually("the dead letter", lambda: world.redis.xlen(f"{STREAM}:dead") == 1)
    assert result.outcome is Outcome.FAILED and "mode" in result.error


def test_stale_data_are_no_success_and_work_that_was_done_before_is(world: Any) -> None:
    with world.worker():
        stale = passed(world, "run-1", as_of=TRADING_DATE, triggered_by="eod_import")
        assert (stale.outcome, stale.skipped_because) == (Outcome.COMPLETED, "data_stale")
        assert not stale.succeeded and stale.total_changes == 0 and "skipped, data_stale: " in str(stale)
        assert passed(world, "run-2").skipped_because == ""
        again = passed(world, "run-3", triggered_by="scheduler", as_of=TRADING_DATE, dedupe_key="")
        assert again.succeeded and again.skipped_because == "already_done" and "skipped, already_done: " in str(again)


def test_held_universes_are_named(world: Any) -> None:
    world.sync("first")
    world.twelve_giants_appear()
    with world.worker():
        result = passed(world, "run-2")
    assert result.outcome is Outcome.COMPLETED_WITH_HELD and result.succeeded
    assert {"mega_cap", "top_100"} <= set(result.held_universes)
    assert f"{len(result.held_universes)} held: " in str(result)


def test_a_cancelled_job_is_no_failure_of_the_sync(world: Any) -> None:
    with world.worker(), world.held_lease():
        waiting = Waiting(world, "run-1")
        eventually("the job at work", lambda: world.step_of("pipeline-run-1"))
        world.run("cancel", "pipeline-run-1")
        result = waiting.result()
    assert (result.outcome, result.error) == (Outcome.CANCELLED, "cancelled")
    assert world.members_now() == 0


def test_where_another_job_stands_for_the_date_that_one_is_waited_for(world: Any) -> None:
    with world.worker(), world.worker():
        with world.held_lease():
            first = Waiting(world, "run-1", as_of=TRADING_DATE)
            eventually("the job at work", lambda: world.step_of("pipeline-run-1"))
            second = Waiting(world, "run-2", as_of=TRADING_DATE)
            ended = f"{STREAM}:status:pipeline-run-2"
            eventually("the end of the second", lambda: world.redis.hget(ended, "status") == "completed")
            assert "duplicate_of:pipeline-run-1" in world.redis.hget(ended, "warnings")
            assert not second.future.done()
        one, two = first.result(), second.result()
    assert (one.is_duplicate, two.is_duplicate) == (False, True)
    assert two.job_id == one.job_id == "pipeline-run-1" and two.run_id == "run-2"
    assert two.total_changes == one.total_changes > 0 and two.outcome is Outcome.COMPLETED


def test_a_callback_that_fails_does_not_stop_the_pipeline(world: Any) -> None:
    def broken(progress: Progress) -> None:
        raise RuntimeError(progress.status)

    with world.worker():
        assert passed(world, "run-1", on_progress=broken).outcome is Outcome.COMPLETED


def test_an_import_may_ask_and_not_wait(world: Any) -> None:
    async def ask() -> None:
        client = redis.asyncio.from_url(world.redis_url, decode_responses=True)
        fields = gate.job_fields("eod-2026-03-02", run_id="import-7", as_of=TRADING_DATE)
        await gate.put_job(client, fields)
        await gate.put_job(client, fields)
        await client.aclose()

    asyncio.run(ask())
    world.run("worker", "--once")
    assert world.redis.hget(f"{STREAM}:status:eod-2026-03-02", "status") == "completed"
    assert world.sql("select job_id, run_id from cache_sync_jobs") == [["eod-2026-03-02", "import-7"]]


def test_a_shell_may_wait_too(world: Any) -> None:
    words = [sys.executable, gate.__file__, "night-1", "--redis-url", world.redis_url, "--timeout", "120", "--force"]
    with world.worker():
        with world.held_before_it_writes():
            waiting = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            world.wait_for_all_progress("pipeline-night-1")
        said, remarks = waiting.communicate()
    assert waiting.returncode == 0, remarks
    assert said.startswith("cache sync pipeline-night-1: completed, ")
    assert "100 % running etf_universe_maintenance" in remarks


def test_ids_fit_and_are_told_apart() -> None:
    for run_id in ("x", "2026-03-02.daily_1", "a b", "a/b", "ü" * 200, "x" * 55, "x" * 56, "x" * 200):
        job_id = gate.job_id_for(run_id)
        assert 1 <= len(job_id) <= 64 and job_id == gate.job_id_for(run_id)
        assert set(job_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
    assert len({gate.job_id_for(run_id) for run_id in ("a b", "a/b", "a-b", "a  b")}) == 4


def test_what_makes_no_sense_is_refused_before_anything_is_asked_for() -> None:
    for wrong in ({"run_id": ""}, {"run_id": "x", "attempt": 0}):
        with pytest.raises(ValueError):
            asyncio.run(gate.run_cache_synchronization(**wrong))
