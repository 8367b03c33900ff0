"""Finds the row that was sent for each row that came back: by value, since RETURNING promises no order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from cormorant.adapters.base import Row
from cormorant.errors import FlushError
from cormorant.models.describing import shown_key
from cormorant.models.metadata import ModelInfo
from cormorant.query.prepared import PreparedWrite
from cormorant.sql.statements import Insert


def in_order(
    statement: Insert, prepared: PreparedWrite, info: ModelInfo, rows: Sequence[Sequence[Any]], found: Sequence[Row]
) -> list[Row]:
    """Gives the rows that a batch's INSERT returned in the order in which they were sent, without what matched them.

    Args:
        statement: What was sent.
        prepared: Its decoders.
        info: The rows' model.
        rows: The values that were sent.
        found: What came back.

    Raises:
        FlushError: Rows are missing, or one came back that was not sent.
    """
    if len(found) != len(rows):
        raise FlushError(
            f"{len(rows)} rows were inserted into {statement.table!r} and {len(found)} came back",
            hint="a trigger or a rule drops rows; insert them one by one, or remove it",
        )
    return _BY_MODE[statement.mode](statement, prepared, info, rows, found)


def _by_ordinal(
    statement: Insert, prepared: PreparedWrite, info: ModelInfo, rows: Sequence[Sequence[Any]], found: Sequence[Row]
) -> list[Row]:
    return [tuple(row)[1:] for row in sorted(found, key=itemgetter(0))]


def _ascending(
    statement: Insert, prepared: PreparedWrite, info: ModelInfo, rows: Sequence[Sequence[Any]], found: Sequence[Row]
) -> list[Row]:
    # RETURNING promises no order, but an identity counts up in the order of the SELECT's ORDER BY
    # (PostgreSQL's documentation of INSERT; T. Lane on pgsql-hackers): the smallest key is the first row's.
    names = [column.name for column in statement.returning]
    return sorted(found, key=itemgetter(names.index(info.key_columns[0].name)))


def _by_key(
    statement: Insert, prepared: PreparedWrite, info: ModelInfo, rows: Sequence[Sequence[Any]], found: Sequence[Row]
) -> list[Row]:
    names = [column.name for column in statement.columns]
    places = [names.index(column.name) for column in info.key_columns]
    wanted = {tuple([row[place] for place in places]): number for number, row in enumerate(rows)}
    width = len(places)
    result: list[Row] = [()] * len(rows)
    for row in map(tuple, found):
        pairs = zip(prepared.decoders[:width], row[:width], strict=True)
        key = tuple([value if decode is None or value is None else decode(value) for decode, value in pairs])
        if key not in wanted:
            shown = shown_key(info, key)
            raise FlushError(
                f"a row inserted into {statement.table!r} came back with the key {shown}, which was not sent",
                hint="a trigger changes the key, or its type does not keep what it is given",
            )
        result[wanted[key]] = row[width:]
    return result


_BY_MODE: dict[str, Callable[..., list[Row]]] = {
    "ordinal": _by_ordinal,
    "ascending": _ascending,
    "by_key": _by_key,
}
