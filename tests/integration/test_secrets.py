"""Passwords and the values of parameters are shown by no error, text, log, traceback or pickle."""

from __future__ import annotations

import inspect
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console

from cormorant import (
    AsyncSession,
    ConnectionConfig,
    Database,
    Mapped,
    Model,
    Report,
    errors,
    field,
    generated,
    ref,
    text,
)
from cormorant.integrations.opentelemetry import OpenTelemetryObserver
from tests.support import secrets

PASSWORD = "hunter2-not-to-be-seen"
VALUE = "4111-1111-1111-1111"
DSN = f"postgresql://app:{PASSWORD}@127.0.0.1:1/app?connect_timeout=2"


class Card(Model, table="secret_card"):
    id: Mapped[int] = generated(primary_key=True)
    number: Mapped[str] = field(unique=True)
    year: Mapped[int] = field(default=0)


def classes(root: type[errors.CormorantError] = errors.CormorantError) -> Iterator[type[errors.CormorantError]]:
    yield root
    for cls in root.__subclasses__():
        yield from classes(cls)


def named(cls: type[errors.CormorantError]) -> str:
    return cls.__name__


CLASSES = sorted(set(classes()), key=named)


def told(error: BaseException) -> str:
    """All that a program shows of an error, and of what it carries."""
    shown = [str(error), repr(error), "".join(traceback.format_exception(error)), repr(vars(error))]
    if isinstance(error, errors.CormorantError):
        # what crosses a process border, as bytes and after it
        packed = pickle.dumps(error)
        again: errors.CormorantError = pickle.loads(packed)
        shown += [packed.decode("latin1"), repr(vars(again))]
    return "\n".join(shown)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_crosses_processes_and_keeps_the_values_of_its_caller_out(cls: type[errors.CormorantError]) -> None:
    config = ConnectionConfig.from_dsn(DSN)
    error = make(cls, f"cannot use {config} ({config!r})")
    assert PASSWORD not in told(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)


def make(cls: type[errors.CormorantError], message: str) -> errors.CormorantError:
    """Gives an error of a class, whatever its other arguments are."""
    names = list(inspect.signature(cls).parameters)
    if names[0] == "problems":
        return errors.ValidationError([("Card.number", message)])
    if names[0] == "losses":
        return errors.DestructiveMigration([errors.Loss("secret_card", "number")], hint=message)
    if "errors" in names:
        return errors.AfterHookError(message, [ValueError("x")])
    return cls(message)


async def test_a_password_is_shown_by_nothing_when_no_connection_opens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    database = Database(DSN)
    with pytest.raises(errors.ConnectionLost) as caught:
        await database.ping()
    await database.close()
    config = database.config
    shown = [told(caught.value), repr(database), repr(config), str(config), config.redacted, caplog.text]
    assert PASSWORD not in "\n".join(shown)


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://app:{PASSWORD}@localhost:port/app",
        f"postgresql://app:{PASSWORD}#@localhost/app",
        f"postgresql://app:{PASSWORD}@localhost/app?no_option=1",
        f"postgresql://app:{PASSWORD}@localhost/app?pool_size=none",
        f"mysql://app:{PASSWORD}@localhost/app",
        f"sqlite://app:{PASSWORD}@localhost/app",
    ],
)
def test_a_password_is_shown_by_no_refusal_of_a_dsn(dsn: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        ConnectionConfig.from_dsn(dsn)
    shown = [
        str(caught.value),
        repr(caught.value),
        repr(vars(caught.value)),
        pickle.dumps(caught.value).decode("latin1"),
    ]
    assert PASSWORD not in "\n".join(shown)


async def test_a_value_is_shown_by_no_error_of_the_database(
    database_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Database(database_dsn) as database:
        await database.create_all(Card)

        async def save() -> None:
            async with AsyncSession(database) as session:
                session.add(Card(number=VALUE))

        await save()
        with pytest.raises(errors.UniqueViolation) as twice:
            await save()
        async with AsyncSession(database) as session:
            with pytest.raises(errors.StatementError) as unknown:
                await session.execute("SELECT nothing FROM secret_card WHERE number = :number", {"number": VALUE})
        for error in (twice.value, unknown.value):
            packed = pickle.dumps(error).decode("latin1")
            assert VALUE not in f"{error}\n{error!r}\n{vars(error)}\n{packed}\n{caplog.text}"


# ---- thirty secrets


class Seen:
    """All that a program could show of what it does."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def tell(self, *things: object) -> None:
        for thing in things:
            self.shown += [told(thing)] if isinstance(thing, BaseException) else [str(thing), repr(thing)]

    def check(self) -> None:
        lines = [line for shown in self.shown for line in shown.splitlines()]
        assert [(secret, line) for secret in secrets.texts() for line in lines if secret in line] == []


def vault(**changes: object) -> secrets.Vault:
    return secrets.Vault(**{"owner": "ada", **secrets.COLUMNS, **changes})


def test_there_are_thirty() -> None:
    assert len(set(secrets.texts())) == 30


async def test_no_secret_is_shown_anywhere(
    database_dsn: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = Seen()
    Vault, Locker, Drawer = secrets.Vault, secrets.Locker, secrets.Drawer
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    async with Database(database_dsn, sample_parameters=True, echo=True, slow_query_ms=0) as database:
        database.observe(OpenTelemetryObserver(traces, meters))
        await database.create_all(Vault, Locker, Drawer)
        async with AsyncSession(database) as session:
            first = vault()
            locker = Locker(token=secrets.KEY)
            session.add(first, drawer := Drawer(locker=locker))
            drawer.others.add(locker)
            seen.tell(first, session.new, session.preview())
            await session.commit()
            seen.tell(drawer, ref(Locker, secrets.KEY), await session.query(Drawer).filter(locker=locker))
            seen.tell(await session.query(Locker).filter(Locker.token == secrets.KEY).explain())
            first.password = secrets.LATER
            seen.tell(session.preview(), session.dirty)
            await session.commit()
            for name, value in secrets.COLUMNS.items():
                if name not in ("credentials", "answers"):
                    query = session.query(Vault).filter(getattr(Vault, name) == value)
                    await query
                    seen.tell(query)
            await (
                session.query(Vault)
                .filter(password=secrets.LATER)
                .update(Vault.api_key.set(secrets.COLUMNS["api_key"]))
            )
            await session.get(Locker, secrets.KEY)
            await session.execute("SELECT owner FROM secret_vault WHERE card = :card", {"card": secrets.IN_RAW})
            await session.execute("SELECT 1 WHERE :url = ''", {"url": f"postgresql://app:{secrets.IN_A_URL}@host/db"})
            in_text: Any = f"SELECT 1 WHERE 'dblink of postgresql://app:{secrets.IN_A_URL}@host/db' = ''"
            await session.execute(text(in_text))
            await session.execute("SELECT 1 WHERE :note = ''", {"note": f"the token is {secrets.IN_A_TEXT}"})
            literal: Any = f"SELECT owner FROM secret_vault WHERE password = '{secrets.IN_SQL}'"
            await session.execute(text(literal))
            await session.query(Vault).bulk_create([vault(owner="bob", api_key="other")])
            seen.tell(session.query_stats(), database.query_stats())
            seen.tell(session.export_query_stats(include_samples=True), session.identity_map)
            seen.tell(*session.identity_map)
            tell_reports(seen, session.report())
        await failures(database, seen)
        tell_reports(seen, database.report())
        seen.tell(database, database.export_query_stats(include_samples=True), database.config)
    captured = capsys.readouterr()
    seen.tell(caplog.text, [vars(record) for record in caplog.records], captured.out, captured.err)
    finished = spans.get_finished_spans()
    assert len(finished) > 40
    seen.tell([span.to_json() for span in finished], reader.get_metrics_data())
    seen.check()


def tell_reports(seen: Seen, made: Report) -> None:
    """Everything that a report is shown as."""
    assert len(made.statements) > 20
    console = Console(file=StringIO(), width=400)
    console.print(made)
    assert isinstance(console.file, StringIO)
    seen.tell(made, made.html(), made.timeline(), console.file.getvalue())


async def failures(database: Database, seen: Seen) -> None:
    """Everything that can be refused of secrets."""
    Vault, Locker = secrets.Vault, secrets.Locker
    api_key = secrets.COLUMNS["api_key"]

    async def fails(work: Callable[[AsyncSession], Any]) -> None:
        async def run() -> None:
            async with AsyncSession(database) as session:
                found = work(session)
                if inspect.isawaitable(found):
                    await found

        with pytest.raises(errors.CormorantError) as caught:
            await run()
        seen.tell(caught.value)

    await fails(lambda session: session.add(vault(owner="eve")))
    await fails(lambda session: session.query(Vault).bulk_create([vault(owner="eve")]))
    await fails(lambda session: session.add(vault(owner="eve", card=secrets.COLUMNS["card"] * 5)))
    await fails(lambda session: session.add(vault(owner="eve", api_key="", salary=-secrets.COLUMNS["salary"])))
    await fails(lambda session: session.add(vault(owner="eve", api_key="", password=secrets.COLUMNS["pin"])))
    await fails(lambda session: session.add(Locker(token=secrets.KEY), Locker(token=secrets.KEY)))
    await fails(lambda session: session.get_one(Locker, f"{secrets.KEY}?"))
    await fails(lambda session: session.get(Locker, (secrets.KEY, 1)))
    await fails(lambda session: session.query(Locker).filter(Locker.token == f"{secrets.KEY}!").one())
    await fails(lambda _: Vault.pin == secrets.COLUMNS["password"])
    await fails(lambda _: Vault.password == secrets.COLUMNS["pin"])
    await fails(lambda session: session.query(Vault).filter(pin=secrets.COLUMNS["password"]))
    await fails(lambda session: session.execute("SELECT nothing WHERE :password = ''", {"password": secrets.IN_RAW}))
    literal: Any = f"SELECT nothing FROM secret_vault WHERE password = '{secrets.IN_SQL}'"
    await fails(lambda session: session.execute(text(literal)))
    for wrong in (f"password '{secrets.IN_SQL}'", f"password = '{secrets.IN_SQL}", f"password = E'\\'{secrets.IN_SQL}"):
        broken: Any = f"UPDATE secret_vault SET {wrong}"
        await fails(lambda session, sql=broken: session.execute(text(sql), write=True))
    number: Any = "INSERT INTO secret_vault (owner, api_key) VALUES (NULL, :key)"
    await fails(lambda session: session.execute(number, {"key": api_key}, write=True))
    cast: Any = "SELECT cast(:password AS date) FROM secret_vault, nowhere"
    await fails(lambda session: session.execute(cast, {"password": secrets.IN_RAW}))
    with pytest.raises(errors.CormorantError) as refused:
        Database(f"postgresql://app:{secrets.DSN_PASSWORD}@host:port/db")
    seen.tell(refused.value, Database(f"postgresql://app:{secrets.DSN_PASSWORD}@127.0.0.1:1/db"))
