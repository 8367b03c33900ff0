"""Errors as responses: what a client may know of them, without SQL and without values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse

from cormorant._internal.refusals import UNSAID, reason_of
from cormorant.errors import (
    CheckViolation,
    ConnectionLost,
    CormorantError,
    DatabaseError,
    DataError,
    DeadlockError,
    ForeignKeyViolation,
    InvalidField,
    KeyConflictError,
    LockTimeout,
    ModelError,
    NotFoundError,
    NotNullViolation,
    PoolClosed,
    PoolTimeout,
    QueryTimeout,
    SerializationError,
    StaleObjectError,
    UniqueViolation,
    ValidationError,
    ValueOutOfRange,
    WrongCursor,
)
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.registry import registry

Problem: TypeAlias = dict[str, Any]

_REFUSED: dict[type[DatabaseError], tuple[int, str, str]] = {
    UniqueViolation: (409, "unique", "exists already"),
    ForeignKeyViolation: (422, "foreign_key", "points to what does not exist"),
    NotNullViolation: (422, "missing", "is required"),
    CheckViolation: (422, "check", "is refused by the database"),
    DataError: (422, "value_error", "does not fit"),
}
_CONFLICTS: dict[type[CormorantError], tuple[str, str]] = {
    StaleObjectError: ("stale", "was changed or deleted by someone else meanwhile"),
    KeyConflictError: ("unique", "exists already"),
}
_BUSY: tuple[type[DatabaseError], ...] = (
    PoolTimeout, PoolClosed, ConnectionLost, SerializationError, DeadlockError, LockTimeout, QueryTimeout,
)  # fmt: skip


def add_exception_handlers(app: FastAPI, *, retry_after: int = 1) -> None:
    """Has an application answer with 404, 409, 422 and 503 where it would answer with 500.

    NotFoundError gives 404; UniqueViolation and StaleObjectError 409; ValidationError, what the database refuses, a
    value that no column holds and a cursor that is none give 422; a database that is busy or away gives 503 with
    Retry-After. Their `detail` is a list like that of FastAPI's own 422. What is left is a mistake of the program, and
    stays a 500.

    Args:
        app: The application.
        retry_after: Seconds after which a client may ask again.

    Example:
        >>> add_exception_handlers(app)
        >>> # {"detail": [{"type": "unique", "loc": ["body", "email"], "msg": "exists already"}]}
    """

    def add(kind: type[Exception], answer: Callable[[Request, Any], JSONResponse]) -> None:
        async def handle(request: Request, error: Exception) -> JSONResponse:
            if isinstance(request, WebSocket):
                # nothing is answered there
                raise error
            return answer(request, error)

        app.add_exception_handler(kind, handle)

    add(NotFoundError, lambda request, error: JSONResponse({"detail": "Not Found"}, 404))
    add(ValidationError, lambda request, error: _answer(422, [_of_field(each) for each in error.fields]))
    add(ValueOutOfRange, lambda request, error: _answer(422, [_problem("value_error", [], "is out of range")]))
    add(WrongCursor, lambda request, error: _answer(422, [_problem("cursor", ["query"], "is no cursor of this list")]))
    for refused in _REFUSED:
        add(refused, _of_database)
    for conflict in _CONFLICTS:
        add(conflict, lambda request, error: _answer(409, [_of_conflict(error)]))
    headers = {"Retry-After": str(retry_after)}
    for busy in _BUSY:
        add(busy, lambda request, error: JSONResponse({"detail": "Service Unavailable"}, 503, headers))


def _answer(status: int, problems: Sequence[Problem]) -> JSONResponse:
    return JSONResponse({"detail": list(problems)}, status)


def _problem(kind: str, place: Sequence[str], message: str) -> Problem:
    return {"type": kind, "loc": list(place), "msg": message}


def _of_field(invalid: InvalidField) -> Problem:
    place = ["body"] if invalid.field is None else ["body", invalid.field]
    # of a row of a bulk write, and of what a hook has raised, no object tells what its words may quote
    message = reason_of(invalid.message) if isinstance(invalid.instance, Model) else UNSAID
    return _problem("value_error", place, message)


def _of_database(request: Request, error: DatabaseError) -> JSONResponse:
    kind = next(kind for kind in _REFUSED if isinstance(error, kind))
    status, name, message = _REFUSED[kind]
    if kind is ForeignKeyViolation and request.method == "DELETE":
        return _answer(409, [_problem(name, ["body"], "is still pointed to")])
    places = [["body", attribute] for attribute in _attributes(error)] or [["body"]]
    return _answer(status, [_problem(name, place, message) for place in places])


def _attributes(error: DatabaseError) -> list[str]:
    """Gives the attributes of the columns that an error names; of links, the relation to what they point to."""
    for info in registry:
        if info.table == error.table:
            names = {spec.column or name: name for name, spec in info.fields.items()}
            return [names.get(column, column) for column in error.columns]
    linking = next((name for info in registry for name in _linking(info, error)), None)
    return list(error.columns) if linking is None else [linking]


def _linking(info: ModelInfo, error: DatabaseError) -> Iterator[str]:
    """Gives the relations of a model whose links point to the other side by the columns that an error names."""
    # a model that nobody uses may point to what is not there
    with suppress(ModelError):
        for relation in info.relations.values():
            link = relation.link
            if link is not None and link.table == error.table and link.far == error.columns:
                yield relation.name


def _of_conflict(error: CormorantError) -> Problem:
    name, message = next(words for kind, words in _CONFLICTS.items() if isinstance(error, kind))
    return _problem(name, ["body"], message)
