"""The driver's connection behind a pooler that gives each transaction another one of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

# the driver comes without types; here they end
_learn: Callable[..., Awaitable[Any]] = asyncpg.Connection._introspect_types  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]


class _PooledDriver(asyncpg.Connection):  # type: ignore[misc]
    """A connection that learns of types in one transaction.

    Compiling the query that asks for them takes the server longer than running it. So the driver switches that off
    before, and on again after, for whoever has the pooler's connection then.
    """

    async def _introspect_types(self, typeoids: Any, timeout: float | None) -> Any:
        driver: Any = self
        capable = driver._server_caps
        if not capable.jit:
            return await _learn(driver, typeoids, timeout)
        alone = not driver.is_in_transaction()
        await driver.execute(f"{'BEGIN; ' if alone else ''}SET LOCAL jit = off")
        driver._server_caps = capable._replace(jit=False)
        try:
            found = await _learn(driver, typeoids, timeout)
        finally:
            driver._server_caps = capable
        await driver.execute("COMMIT" if alone else "SET LOCAL jit TO DEFAULT")
        return found


pooled_driver: Any = _PooledDriver
"""What the driver is to make connections of."""
