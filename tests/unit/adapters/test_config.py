"""Reading DSNs, options and environment variables, and never showing a password."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from cormorant.adapters.config import ConnectionConfig
from cormorant.errors import ConfigurationError

SECRET = "pa55-w0rd"


@pytest.mark.parametrize(
    ("dsn", "values"),
    [
        (
            "postgresql://ann:pw@db.example.org:5433/birds",
            {"host": "db.example.org", "port": 5433, "user": "ann", "password": "pw", "database": "birds"},
        ),
        (
            "postgres://ann@localhost",
            {"host": "localhost", "port": None, "user": "ann", "password": None, "database": None},
        ),
        ("postgresql+asyncpg://localhost/birds", {"host": "localhost", "database": "birds"}),
        ("POSTGRESQL://localhost", {"scheme": "postgresql"}),
        ("  postgresql://localhost/birds\n", {"database": "birds"}),
        ("postgresql://", {"host": None, "database": None}),
        ("postgresql:///birds?host=/var/run/postgresql", {"host": "/var/run/postgresql", "database": "birds"}),
        ("postgresql:///birds?host=/tmp&port=5433", {"host": "/tmp", "port": 5433}),
        ("postgresql://u:p%40%2F%3A%23%3F@h/d%20b", {"password": "p@/:#?", "database": "d b"}),
        ("postgresql://u:p:p@h", {"password": "p:p"}),
        ("postgresql://u:p@p@h", {"password": "p@p", "host": "h"}),
        ("postgresql://u:@h", {"password": ""}),
        ("postgresql://[::1]:5433/d", {"host": "::1", "port": 5433}),
        ("postgresql://one:1,two:2/d", {"hosts": (("one", 1), ("two", 2)), "host": None}),
        ("postgresql://one,[::1]:2/d", {"hosts": (("one", None), ("::1", 2))}),
        ("postgresql:///d?host=one:1,two", {"hosts": (("one", 1), ("two", None))}),
        ("postgresql://one:1,two/d?port=7", {"hosts": (("one", 1), ("two", 7)), "port": None}),
        ("postgresql://:7/d", {"host": None, "port": 7}),
        ("postgresql://one/d?port=7&host=two", {"host": "one", "port": 7}),
        ("postgresql://h?dbname=d&user=u&password=p", {"database": "d", "user": "u", "password": "p"}),
        ("postgresql://u1@h/d1?user=u2&dbname=d2", {"user": "u1", "database": "d1"}),
        ("postgresql://h?sslmode=verify-full&sslrootcert=/ca.pem", {"ssl": "verify-full", "ssl_root_cert": "/ca.pem"}),
        (
            "postgresql://h?sslcert=c.pem&sslkey=k.pem&ssl=require",
            {"ssl_cert": "c.pem", "ssl_key": "k.pem", "ssl": "require"},
        ),
        ("postgresql://h?pool_size=5&min_pool_size=2", {"pool_size": 5, "min_pool_size": 2}),
        ("postgresql://h?autocommit=true", {"autocommit": True}),
        ("postgresql://h?autocommit=0", {"autocommit": False}),
        ("postgresql://h?isolation=REPEATABLE_READ", {"isolation": "repeatable read"}),
        ("postgresql://h?isolation=read%20committed", {"isolation": "read committed"}),
        (
            "postgresql://h?statement_timeout=2.5&acquire_timeout=none",
            {"statement_timeout": 2.5, "acquire_timeout": None},
        ),
        ("postgresql://h?target_session_attrs=primary&application_name=a%26b", {"application_name": "a&b"}),
        ("sqlite:///relative.db", {"path": "relative.db"}),
        ("sqlite:///folder/with%20space.db", {"path": "folder/with space.db"}),
        ("sqlite:////absolute/file.db", {"path": "/absolute/file.db"}),
        ("sqlite:///C:/birds/file.db", {"path": "C:/birds/file.db"}),
        ("sqlite+aiosqlite:///file.db", {"path": "file.db", "scheme": "sqlite"}),
        ("sqlite://", {"path": ":memory:"}),
        ("sqlite:///", {"path": ":memory:"}),
        ("sqlite:", {"path": ":memory:"}),
        ("sqlite:///:memory:", {"path": ":memory:"}),
        ("sqlite://:memory:", {"path": ":memory:"}),
        ("sqlite:///file.db?busy_timeout=1&pool_size=3", {"busy_timeout": 1.0, "pool_size": 3}),
    ],
)
def test_reading_a_dsn(dsn: str, values: dict[str, Any]) -> None:
    config = ConnectionConfig.from_dsn(dsn)
    assert {name: getattr(config, name) for name in values} == values


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("", "no scheme"),
        ("localhost/birds", "no scheme"),
        ("mysql://h/d", "scheme 'mysql'"),
        ("postgresql://h:port/d", "port after the host 'h'"),
        ("postgresql://h:0/d", "port"),
        ("postgresql://h:65536/d", "port"),
        ("postgresql://h:٣/d", "port"),
        ("postgresql://h?port=x", "port"),
        ("postgresql://[::1/d", "cannot be read"),
        ("postgresql://h/d#part", "reserved character"),
        ("postgresql://h/d?colour=red", "unknown option 'colour'"),
        ("postgresql://h/d?pool_sice=5", "did you mean 'pool_size'"),
        ("postgresql://h/d?pool_size=many", "pool_size='many' is no whole number"),
        ("postgresql://h/d?pool_size=0", "pool_size is 0"),
        ("postgresql://h/d?pool_size=-5", "pool_size is -5"),
        ("postgresql://h/d?min_pool_size=11", "min_pool_size is 11"),
        ("postgresql://h/d?statement_cache_size=-1", "statement_cache_size is -1"),
        ("postgresql://h/d?autocommit=maybe", "autocommit='maybe' is no truth value"),
        ("postgresql://h/d?isolation=snapshot", "'snapshot' is no isolation level"),
        ("postgresql://h/d?statement_timeout=long", "statement_timeout='long' is no number of seconds"),
        ("postgresql://h/d?statement_timeout=-1", "statement_timeout is -1.0"),
        ("postgresql://h/d?statement_timeout=nan", "statement_timeout is nan"),
        ("postgresql://h/d?statement_timeout=0", "statement_timeout is 0.0"),
        ("sqlite:///file.db?statement_timeout=0", "statement_timeout is 0.0"),
        ("postgresql://h/d?connect_timeout=0", "connect_timeout is 0.0"),
        ("postgresql://h/d?statement_timeout=2147484", "statement_timeout is 2147484.0"),
        ("postgresql://h/d?lock_timeout=2147484", "lock_timeout is 2147484.0"),
        ("sqlite:///file.db?busy_timeout=1e9", "busy_timeout is 1000000000.0"),
        ("postgresql://h/d?connect_timeout=none", "connect_timeout needs a limit"),
        ("postgresql://h/d?sslmode=maybe", "ssl is 'maybe'"),
        ("postgresql://h/d?target_session_attrs=best", "target_session_attrs is 'best'"),
        ("postgresql://h/\nd", "control characters"),
        ("sqlite://file.db", "three slashes"),
        ("sqlite:file.db", "three slashes"),
        ("sqlite:///file.db?host=h", "'host' means nothing to SQLite"),
        ("sqlite:///file.db?mode=ro", "unknown option 'mode'"),
    ],
)
def test_a_dsn_that_is_refused(dsn: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        ConnectionConfig.from_dsn(dsn)
    assert caught.value.hint


@pytest.mark.parametrize("option", ["busy_timeout=0", "lock_timeout=0", "acquire_timeout=0", "max_connection_age=1e9"])
def test_durations_that_are_nothing_or_very_long(option: str) -> None:
    name, _, seconds = option.partition("=")
    assert getattr(ConnectionConfig.from_dsn(f"sqlite:///file.db?{option}"), name) == float(seconds)


def test_a_dsn_is_a_text() -> None:
    number: Any = 5
    with pytest.raises(ConfigurationError, match="not int"):
        ConnectionConfig.from_dsn(number)


def test_overrides_are_stronger_than_the_dsn() -> None:
    config = ConnectionConfig.from_dsn("postgresql://h/d?pool_size=5", pool_size=7, server_settings={"work_mem": "1MB"})
    assert (config.pool_size, config.server_settings) == (7, {"work_mem": "1MB"})
    assert config.replace(pool_size=8).pool_size == 8


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConnectionConfig.from_dsn("sqlite://", pool=1),
        lambda: ConnectionConfig.from_dsn("sqlite://").replace(pool=1),
    ],
)
def test_an_unknown_override(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="no option 'pool'"):
        make()


def test_a_configuration_made_by_hand_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="needs a path"):
        ConnectionConfig(scheme="sqlite")
    with pytest.raises(ConfigurationError, match="scheme 'oracle'"):
        ConnectionConfig(scheme="oracle")


def test_settings_are_copied() -> None:
    settings = {"work_mem": "1MB"}
    config = ConnectionConfig.from_dsn("postgresql://h/d", server_settings=settings)
    settings["work_mem"] = "2MB"
    assert config.server_settings == {"work_mem": "1MB"}


def test_equal_dsns_make_equal_hashable_values() -> None:
    one, two = (ConnectionConfig.from_dsn("postgresql://h/d", server_settings={"a": "b"}) for _ in range(2))
    assert one == two
    assert len({one, two}) == 1
    assert one != one.replace(server_settings={})


# ---- the environment


def test_the_environment() -> None:
    environ = {
        "CORMORANT_DSN": f"postgresql://u:{SECRET}@h/d?pool_size=3",
        "CORMORANT_POOL_SIZE": "5",
        "CORMORANT_AUTOCOMMIT": "true",
        "CORMORANT_ISOLATION": "serializable",
        "CORMORANT_STATEMENT_TIMEOUT": "1.5",
        "CORMORANT_SSL": "require",
        "CORMORANT_SLOW_QUERY_MS": "200",
        "POOL_SIZE": "9",
    }
    config = ConnectionConfig.from_env(environ)
    assert (config.pool_size, config.autocommit, config.isolation) == (5, True, "serializable")
    assert (config.statement_timeout, config.ssl, config.password) == (1.5, "require", SECRET)


def test_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDS_DSN", "sqlite:///birds.db")
    assert ConnectionConfig.from_env(prefix="BIRDS_").path == "birds.db"


@pytest.mark.parametrize("environ", [{}, {"CORMORANT_DSN": ""}])
def test_a_missing_variable(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no CORMORANT_DSN"):
        ConnectionConfig.from_env(environ)


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(ConfigurationError, match="CORMORANT_POOL_SIZE='x'"):
        ConnectionConfig.from_env({"CORMORANT_DSN": "sqlite://", "CORMORANT_POOL_SIZE": "x"})


# ---- the password


@pytest.mark.parametrize(
    ("dsn", "redacted"),
    [
        (f"postgresql://u:{SECRET}@h:5433/d?pool_size=5", "postgresql://u:***@h:5433/d"),
        (f"postgresql://:{SECRET}@h/d", "postgresql://:***@h/d"),
        (f"postgresql://h/d?user=u&password={SECRET}", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@[::1]:1,two/d", "postgresql://u@[::1]:1,two/d"),
        ("postgresql:///d?host=/tmp", "postgresql://%2Ftmp/d"),
        ("sqlite:///file.db", "sqlite:///file.db"),
        ("sqlite://", "sqlite:///"),
    ],
)
def test_the_redacted_dsn(dsn: str, redacted: str) -> None:
    config = ConnectionConfig.from_dsn(dsn)
    assert config.redacted == str(config) == redacted
    assert SECRET not in f"{config!r} {config} {config.redacted}"
    assert ConnectionConfig.from_dsn(redacted).redacted == redacted


def test_a_copy_keeps_the_password() -> None:
    config = ConnectionConfig.from_dsn(f"postgresql://u:{SECRET}@h/d")
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.replace(pool_size=3).password == SECRET


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:{}@h:port/d",
        "postgresql://u:{}@h/d?pool_size=x",
        "postgresql://u:{}@h/d?colour=red",
        "postgresql://u:{}",
        "postgresql://u:{}/x@h/d",
        "postgresql://u:a/{}@h/d",
        "postgresql://u:a?{}@h/d",
        "postgresql://u:a@b?{}@h/d",
        "postgresql://u:a?b={}@h/d",
        "postgresql://u:a#{}@h/d",
        "postgresql://u:a[{}@h/d",
        "postgresql://u:{}]@h/d",
        "postgresql://u:{}\x00@h/d",
        "postgresql://u:{}\n@h/d",
        "postgresql://h/d?password={}&pool_size=-1",
        "postgresql://h/d?password={}&port=x",
        "mysql://u:{}@h/d",
        "sqlite://u:{}@h/d",
        "//u:{}@h/d",
        "u:{}@h/d",
    ],
)
def test_no_error_shows_the_password(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConnectionConfig.from_dsn(dsn.format(SECRET))
    error: BaseException | None = caught.value
    shown = repr(pickle.loads(pickle.dumps(error)))
    while error is not None:
        shown += f"{error} {error!r} {error.__dict__}"
        error = error.__cause__ or error.__context__
    assert SECRET not in shown


def test_prepared_statements_behind_a_pooler_are_asked_for() -> None:
    direct = ConnectionConfig.from_dsn("postgresql://h/d")
    assert (direct.pooler, direct.cached_statements) == (None, 256)
    pooled = direct.replace(pooler="transaction")
    assert (pooled.pooler, pooled.cached_statements) == ("transaction", 0)
    assert pooled.replace(statement_cache_size=100).cached_statements == 100
    assert (
        ConnectionConfig.from_dsn("postgresql://h/d?pooler=transaction&statement_cache_size=5").cached_statements == 5
    )
    assert ConnectionConfig.from_env({"X_DSN": "postgresql://h/d", "X_POOLER": "transaction"}, "X_").pooler is not None


@pytest.mark.parametrize("name", ["statement_timeout", "lock_timeout"])
def test_a_pooler_takes_no_settings_of_a_connection(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} cannot be set through a pooler") as caught:
        ConnectionConfig.from_dsn(f"postgresql://h/d?pooler=transaction&{name}=5")
    assert f"ALTER ROLE app SET {name}" in str(caught.value.hint)


def test_no_other_pooler_is_known() -> None:
    with pytest.raises(ConfigurationError, match="pooler is 'statement'"):
        ConnectionConfig.from_dsn("postgresql://h/d?pooler=statement")
    with pytest.raises(ConfigurationError, match="SQLite database has no pooler"):
        ConnectionConfig.from_dsn("sqlite:///x.db?pooler=transaction")
