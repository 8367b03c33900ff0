"""An option of a connection that cannot be used is named when it is given, whatever its type."""

from __future__ import annotations

from typing import Any

import pytest

from cormorant import ConfigurationError, ConnectionConfig

DSN = "postgresql://app:Sekr3t@localhost/app"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("pool_size", "5"),
        ("pool_size", 2.5),
        ("pool_size", True),
        ("pool_size", None),
        ("min_pool_size", "1"),
        ("max_waiting", "3"),
        ("max_waiting", float("nan")),
        ("statement_cache_size", "10"),
        ("acquire_timeout", "3"),
        ("connect_timeout", True),
        ("lock_timeout", "5s"),
        ("port", "5432"),
        ("port", 99999),
        ("hosts", "a,b"),
        ("hosts", ("a",)),
        ("host", 5),
        ("user", b"app"),
        ("application_name", "a\0b"),
        ("autocommit", "no"),
        ("server_settings", "work_mem=8MB"),
        ("server_settings", {"work_mem": 8000}),
        ("server_settings", None),
        ("listen_dsn", 3),
        ("listen_dsn", "sqlite://"),
    ],
)
def test_an_option_of_another_type_is_named(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConnectionConfig.from_dsn(DSN, **{option: value})
    assert option in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("password", [1234987, b"Sekr3t", "Sek\0r3t"])
def test_a_password_of_another_type_is_not_shown(password: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConnectionConfig.from_dsn(DSN, password=password)
    assert "password" in str(caught.value)
    assert "1234987" not in str(caught.value)
    assert "r3t" not in str(caught.value)
