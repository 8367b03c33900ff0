"""Which adapter serves which scheme; drivers are imported when an adapter is first made."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import cast

from cormorant.adapters.base import Adapter
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.dsn import add_scheme
from cormorant.errors import ConfigurationError, DriverNotInstalled

_adapters: dict[str, str] = {
    "postgresql": "cormorant.adapters.postgresql:PostgresAdapter",
    "sqlite": "cormorant.adapters.sqlite:SQLiteAdapter",
}


def register(scheme: str, target: str) -> None:
    """Makes an adapter known under the scheme of its DSNs.

    Args:
        scheme: The part of the DSN before the colon.
        target: "package.module:Class", imported at first use; the class takes a ConnectionConfig.

    Raises:
        ConfigurationError: The target has another form.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise ConfigurationError(f"{target!r} names no adapter class", hint='write "package.module:Class"')
    _adapters[scheme] = target
    add_scheme(scheme)


def create_adapter(source: ConnectionConfig | str) -> Adapter:
    """Makes the adapter for a configuration or a DSN, without I/O.

    Raises:
        ConfigurationError: The DSN cannot be read.
        DriverNotInstalled: The driver's package is missing.
    """
    config = ConnectionConfig.from_dsn(source) if isinstance(source, str) else source
    return adapter_class(config.scheme)(config)


def adapter_of(source: object, pool_size: int | None = None) -> Adapter:
    """Gives the adapter for a DSN or a configuration, or the adapter itself.

    Raises:
        ConfigurationError: It is none of them.
    """
    if isinstance(source, str) and pool_size is not None:
        return create_adapter(ConnectionConfig.from_dsn(source, pool_size=pool_size))
    if isinstance(source, (str, ConnectionConfig)):
        return create_adapter(source)
    if isinstance(source, Adapter):
        return source
    raise ConfigurationError(f"{source!r} is no database", hint="pass a DSN, a ConnectionConfig or an Adapter")


def adapter_class(scheme: str) -> Callable[[ConnectionConfig], Adapter]:
    """Gives the adapter of a scheme, and imports its driver.

    Raises:
        ConfigurationError: There is no such class.
        DriverNotInstalled: The driver's package is missing.
    """
    module, _, name = _adapters[scheme].partition(":")
    found = getattr(_load(module, scheme), name, None)
    if found is None:
        raise ConfigurationError(
            f"the module {module!r} has no class {name!r}, which is registered for {scheme} databases",
            hint=f'correct it: register({scheme!r}, "package.module:Class")',
        )
    return cast("Callable[[ConnectionConfig], Adapter]", found)


def _load(module: str, scheme: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise DriverNotInstalled(
            f"the package {missing!r}, needed for {scheme} databases, is not installed", hint=f"pip install {missing}"
        ) from error
