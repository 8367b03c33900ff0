"""Passwords and the values of parameters are shown by no error, text, log, traceback or pickle."""

from __future__ import annotations

import inspect
import logging
import pickle
import traceback
from collections.abc import Iterator

import pytest

from cormorant import AsyncSession, ConnectionConfig, Database, Mapped, Model, errors, field, generated

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
