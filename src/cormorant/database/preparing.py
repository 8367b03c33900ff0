"""What is made of a compiled statement once, and kept for all of its shape."""

from __future__ import annotations

from cormorant.dialects.base import Codec, Dialect
from cormorant.models.scopes import Scopes
from cormorant.query.prepared import PreparedWrite, places_of
from cormorant.sql.inner import has_own_text
from cormorant.sql.raw_source import ANY_TABLE
from cormorant.sql.selects import Select
from cormorant.sql.statements import Compiled, Delete, DeleteWhere, Insert, InsertSelect, Update, UpdateWhere, Write
from cormorant.sql.types import SqlType


def prepared_write(dialect: Dialect, statement: Write, scopes: Scopes | None = None) -> PreparedWrite:
    """Gives a write's text and codecs."""
    compiled = dialect.compile(statement, scopes)
    returned = () if isinstance(statement, (Delete, InsertSelect)) else statement.returning
    encoders = encoders_of(dialect, compiled)
    return PreparedWrite(
        compiled.sql,
        encoders,
        tuple(dialect.returned_decoder(column.type) for column in returned),
        compiled.owners,
        places_of(compiled.sent, () if isinstance(statement, (Insert, Update, Delete)) else statement.binds),
        not any(encoders),
    )


def tables_of_result(statement: Select | UpdateWhere | DeleteWhere, tables: frozenset[str]) -> frozenset[str]:
    """Gives the tables whose changes may change a result: any, where a part of the query is the user's own text."""
    return tables | {ANY_TABLE} if isinstance(statement, Select) and has_own_text(statement) else tables


def encoders_of(dialect: Dialect, compiled: Compiled) -> tuple[Codec | None, ...]:
    """Gives for each parameter what makes of its value what the driver takes; None where it is that already."""
    transforms = dict(compiled.transforms)
    return tuple(_encoder(dialect, type_, transforms.get(i)) for i, type_ in enumerate(compiled.types))


def _encoder(dialect: Dialect, type_: SqlType, transform: Codec | None) -> Codec | None:
    encode = dialect.encoder(type_)
    if transform is None or encode is None:
        return transform or encode
    return lambda value: encode(transform(value))
