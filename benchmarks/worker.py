"""One contestant in a process of its own; it is told what to do by lines of JSON, and answers by lines of JSON."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import sys
import tracemalloc
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter, process_time
from traceback import print_exception
from typing import Any

from benchmarks.contestants import contestant
from benchmarks.drivers import driver_for
from benchmarks.schema import Sizes
from benchmarks.workloads import WORKLOADS, Asked, Workload, growing, restore

Answer = dict[str, Any]


@dataclass
class Spent:
    """What calls have cost, in seconds: of the clock, and of the process's CPU time."""

    wall: float = 0.0
    cpu: float = 0.0
    calls: int = 0


def workload_named(name: str, size: int | None) -> Workload:
    """Gives a workload, of a size if it is one that grows."""
    return {workload.name: workload for workload in (growing(size) if size else WORKLOADS)}[name]


class Measuring:
    """Runs a workload's method in several tasks at the same time.

    Args:
        method: The contestant's method.
        asked: What it is asked for.
        tasks: How many tasks share the calls.
        first: The number of the first call: a number stands for a key and for values.
    """

    def __init__(self, workload: Workload, asked: Asked, tasks: int, first: int = 0) -> None:
        self.workload, self.asked, self.tasks = workload, asked, tasks
        self.method: Callable[..., Any] = getattr(asked.contestant, workload.method)
        self.prepares = inspect.isasyncgenfunction(self.method)
        self.number = first
        self.result: Any = None

    async def calls(self, count: int) -> Spent:
        """Makes so many calls, and measures them without what is prepared for them."""
        arguments = await self._arguments(count)
        shares = [arguments[at :: self.tasks] for at in range(self.tasks)]
        ready, go, done = asyncio.Semaphore(0), asyncio.Event(), asyncio.Semaphore(0)
        # a lane that fails ends the others, and this
        async with asyncio.TaskGroup() as group:
            lanes = [group.create_task(self._lane(share, ready, go, done)) for share in shares if share]
            for _ in lanes:
                await ready.acquire()
            gc.collect()
            start, cpu = perf_counter(), process_time()
            go.set()
            for _ in lanes:
                await done.acquire()
            return Spent(perf_counter() - start, process_time() - cpu, count)

    async def _arguments(self, count: int) -> list[tuple[Any, ...]]:
        if self.workload.stage is not None:
            return await self.workload.stage(self.asked, count)
        found = [self.workload.arguments(self.asked, self.number + at) for at in range(count)]
        self.number += count
        return found

    async def _lane(
        self, share: list[tuple[Any, ...]], ready: asyncio.Semaphore, go: asyncio.Event, done: asyncio.Semaphore
    ) -> None:
        if not self.prepares:
            ready.release()
            await go.wait()
            for arguments in share:
                self.result = await self.method(*arguments)
            done.release()
            return
        # models come first and are the same in each call
        fixed, varying = share[0][:-1], [arguments[-1] for arguments in share]
        steps = self.method(*fixed, varying)
        await anext(steps)
        ready.release()
        await go.wait()
        self.result = await anext(steps)
        done.release()
        await anext(steps, None)


class Worker:
    """Answers what it is told."""

    def __init__(self, name: str, dsn: str, sizes: Sizes) -> None:
        self.contestant = contestant(name)
        self.dsn, self.sizes = dsn, sizes
        self.numbers: dict[str, int] = {}

    async def answer(self, told: dict[str, Any]) -> Answer:
        """Does one thing with connections of its own."""
        if told["do"] == "first":
            return await self._first()
        async with self._asked(min(told.get("tasks", 1), 10)) as asked:
            if told["do"] == "check":
                return {
                    "checked": {
                        name: await self._checked(workload_named(name, None), asked) for name in told["workloads"]
                    }
                }
            workload = workload_named(told["workload"], told.get("size"))
            if getattr(self.contestant, workload.method, None) is None:
                return {"missing": True}
            try:
                if told["do"] == "memory":
                    return await self._memory(told["size"])
                if told["do"] == "count":
                    return await self._count(workload, asked, told["calls"])
                return await self._run(workload, asked, told["tasks"], told["seconds"])
            finally:
                await restore(asked, workload.writes)

    @asynccontextmanager
    async def _asked(self, pool: int) -> AsyncIterator[Asked]:
        driver = driver_for(self.dsn)
        await self.contestant.open(self.dsn, pool)
        await driver.open(self.dsn, 1)
        try:
            yield Asked(self.contestant, driver, self.sizes)
        finally:
            await driver.close()
            await self.contestant.close()

    async def _checked(self, workload: Workload, asked: Asked) -> str:
        """Gives what is wrong with a contestant's result; "-" if it does not offer it, "" if all is well."""
        if getattr(self.contestant, workload.method, None) is None:
            return "-"
        try:
            measuring = Measuring(workload, asked, 1)
            await measuring.calls(1)
            await workload.check(asked, measuring.result)
        except Exception as error:
            return told_of(error)
        finally:
            await restore(asked, workload.writes, tidy=False)
        return ""

    async def _run(self, workload: Workload, asked: Asked, tasks: int, seconds: float) -> Answer:
        # the values of another round are there already: whoever looks would have nothing to write
        measuring = Measuring(workload, asked, tasks, self.numbers.get(workload.name, 1))
        first = await measuring.calls(tasks)
        spent, most = Spent(), max(tasks, workload.most)
        each = first.wall / tasks
        while spent.wall < seconds:
            wanted = int((seconds - spent.wall) / max(each, 1e-6)) + 1
            count = min(max(wanted, tasks, workload.least), most)
            more = await measuring.calls(count)
            spent = Spent(spent.wall + more.wall, spent.cpu + more.cpu, spent.calls + more.calls)
            each = spent.wall / spent.calls
            measuring.result = None
            if workload.writes and workload.stage is None and wanted > count:
                await restore(asked, workload.writes)
        self.numbers[workload.name] = measuring.number
        return {"wall": spent.wall / spent.calls, "cpu": spent.cpu / spent.calls, "calls": spent.calls}

    async def _count(self, workload: Workload, asked: Asked, calls: int) -> Answer:
        # for a tool that counts what the whole process does
        await Measuring(workload, asked, 1).calls(calls)
        return {"calls": calls}

    async def _first(self) -> Answer:
        await self.contestant.open(self.dsn, 1)
        await getattr(self.contestant, "load")(1)  # noqa: B009
        at = perf_counter()
        await self.contestant.close()
        return {"at": at}

    async def _memory(self, size: int) -> Answer:
        load: Any = getattr(self.contestant, "load")  # noqa: B009
        await load(10)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        held = await load(size)
        await load(1)  # drivers keep the rows of their last statement
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return {"bytes": (after - before) / len(held)}


def told_of(error: Exception) -> str:
    """Gives the words for an error, which BENCH_TRACE shows as a whole."""
    if os.environ.get("BENCH_TRACE"):
        print_exception(error)
    cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    return f"{type(cause).__name__}: {cause}"[:500]


async def serve(worker: Worker, answers: Any) -> None:
    """Answers line by line until there are no more."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            answer = await worker.answer(json.loads(line))
        except Exception as error:
            answer = {"error": told_of(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Runs as `python -m benchmarks.worker NAME DSN SIZES`, or with what to do once as a fourth argument."""
    # what is done one by one is meant to be
    warnings.simplefilter("ignore")
    # what a library prints must not stand between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, dsn, sizes, *once = sys.argv[1:]
    start = perf_counter()
    worker = Worker(name, dsn, Sizes(**json.loads(sizes)))
    imported = perf_counter() - start
    if once:
        answer = asyncio.run(worker.answer(json.loads(once[0])))
        if "at" in answer:
            answer |= {"imported": imported, "first": answer["at"] - start}
        print(json.dumps(answer), file=answers, flush=True)
        return
    print(json.dumps({"imported": imported}), file=answers, flush=True)
    if os.environ.get("BENCH_UVLOOP"):
        import uvloop

        uvloop.run(serve(worker, answers))
    else:
        asyncio.run(serve(worker, answers))


if __name__ == "__main__":
    main()
