"""Which adapter a DSN gives, and what a missing driver says."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cormorant.adapters import dsn as dsn_module
from cormorant.adapters import registry
from cormorant.adapters.config import ConnectionConfig
from cormorant.adapters.registry import create_adapter, register
from cormorant.errors import ConfigurationError, DriverNotInstalled


class BirdAdapter:
    def __init__(self, config: ConnectionConfig) -> None:
        self.config = config


@pytest.fixture(autouse=True)
def _own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_adapters", dict(registry._adapters))
    monkeypatch.setattr(dsn_module, "_schemes", dict(dsn_module._schemes))


@pytest.mark.parametrize(
    ("dsn", "name"),
    [("sqlite://", "SQLiteAdapter"), ("postgresql://h/d", "PostgresAdapter"), ("postgres://h/d", "PostgresAdapter")],
)
def test_the_scheme_decides(dsn: str, name: str) -> None:
    assert type(create_adapter(dsn)).__name__ == name
    assert type(create_adapter(ConnectionConfig.from_dsn(dsn))).__name__ == name


def test_an_adapter_of_a_third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = type(sys)("bird_adapter")
    module.BirdAdapter = BirdAdapter
    monkeypatch.setitem(sys.modules, "bird_adapter", module)
    register("bird", "bird_adapter:BirdAdapter")
    adapter: Any = create_adapter("bird://u:p@nest:1/eggs")
    assert isinstance(adapter, BirdAdapter)
    assert (adapter.config.scheme, adapter.config.host, adapter.config.database) == ("bird", "nest", "eggs")


@pytest.mark.parametrize("target", ["", "module", ":Class", "module:"])
def test_a_target_without_class(target: str) -> None:
    with pytest.raises(ConfigurationError, match="module:Class"):
        register("bird", target)


def test_a_class_that_its_module_does_not_have() -> None:
    register("bird", f"{__name__}:BirdAdaptor")
    with pytest.raises(ConfigurationError, match="has no class 'BirdAdaptor'"):
        create_adapter("bird://h/d")


def test_a_missing_driver_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    register("bird", "no_such_driver_package.adapter:BirdAdapter")
    with pytest.raises(DriverNotInstalled, match="pip install no_such_driver_package"):
        create_adapter("bird://h/d")


@pytest.mark.parametrize("other", ["sqlite://", "postgresql://h/d"])
def test_an_adapter_refuses_the_dsn_of_another_database(other: str) -> None:
    for dsn in ("sqlite://", "postgresql://h/d"):
        cls: Any = type(create_adapter(dsn))
        if not dsn.startswith(other[:6]):
            with pytest.raises(ConfigurationError, match="is no"):
                cls(other)


def test_no_driver_is_loaded_before_its_first_use() -> None:
    code = (
        "import sys; import cormorant.adapters.registry as r; "
        "print(sorted({'asyncpg', 'aiosqlite', 'sqlite3'} & set(sys.modules))); "
        "r.create_adapter('sqlite://'); print('asyncpg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"
