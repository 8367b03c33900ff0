"""A server that is away behind a Unix socket is away like any other; a certificate's file that is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cormorant import ConfigurationError, ConnectionConfig, ConnectionLost, Database


async def test_a_missing_socket_is_a_server_that_is_away(tmp_path: Path) -> None:
    config = ConnectionConfig(scheme="postgresql", host=str(tmp_path), port=5432, user="app", database="app")
    async with Database(config) as database:
        with pytest.raises(ConnectionLost, match="No such file"):
            await database.ping()


@pytest.mark.parametrize(("mode", "option"), [("verify-full", "ssl_root_cert"), ("require", "ssl_cert")])
async def test_a_missing_certificate_is_named(tmp_path: Path, mode: str, option: str) -> None:
    path = str(tmp_path / "missing.pem")
    config = ConnectionConfig.from_dsn("postgresql://app@127.0.0.1:1/app", ssl=mode, **{option: path})
    async with Database(config) as database:
        with pytest.raises(ConfigurationError) as caught:
            await database.ping()
    assert path in caught.value.message
    assert option in str(caught.value.hint)
