"""What is made of a compiled statement once, and kept for all of its shape."""

from __future__ import annotations

from typing import Any, TypeAlias

from cormorant.database.shapes import shape_of
from cormorant.dialects.base import Codec, Dialect
from cormorant.hydration.hydrator import Loader, compile_loader
from cormorant.models.metadata import ModelInfo
from cormorant.models.scopes import Scopes
from cormorant.query.beside import Pick
from cormorant.query.planner import plan, refuse_parts_of_others
from cormorant.query.predicates import too_deep
from cormorant.query.prepared import PreparedWrite, picks_of, places_of
from cormorant.query.spec import WRITES, QuerySpec
from cormorant.query.write_planner import plan_write
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr, walk
from cormorant.sql.inner import has_own_text, selects_of, writes_inside
from cormorant.sql.raw_source import ANY_TABLE, RawSource
from cormorant.sql.restrictions import Owner
from cormorant.sql.selects import Select
from cormorant.sql.sources import JoinSource, TableSource
from cormorant.sql.statements import Compiled, Delete, DeleteWhere, Insert, InsertSelect, Update, UpdateWhere, Write
from cormorant.sql.types import SqlType

Parts: TypeAlias = tuple[
    str,
    tuple[int, ...] | None,
    tuple[Codec | None, ...] | None,
    Loader,
    frozenset[str],
    tuple[Owner, ...],
    tuple[Pick, ...],
    bool,
    frozenset[str] | None,
    bool,
]
"""What a PreparedQuery is made of."""


def query_parts(dialect: Dialect, spec: QuerySpec, number: int) -> Parts:
    """Gives a query's text with its encoders and its loader.

    Args:
        dialect: The database's.
        spec: The query.
        number: The database's.
    """
    try:
        made = plan_write(spec) if spec.mode in WRITES else plan(spec)
        refuse_parts_of_others(made, number, spec.info.name)
        compiled = dialect.compile(made.statement, spec.scopes)
    except RecursionError:
        raise too_deep(spec.info.name) from None
    encoders = encoders_of(dialect, compiled)
    decoder = dialect.returned_decoder if spec.mode in WRITES else dialect.decoder
    loader = compile_loader(shape_of(made), decoder)
    used = encoders if any(encoders) else None
    picks = picks_of(compiled.sent, spec.binds)
    beside = tuple((place, dialect.decoder(type_)) for place, type_ in made.beside)
    writes = isinstance(made.statement, Select) and writes_inside(made.statement)
    rests_on = tables_of_result(made.statement, made.tables) if spec.keep is not None else frozenset[str]()
    further = spec.mode == "rows" and (bool(spec.collections) or spec.loading.is_fetched)
    return compiled.sql, picks, used, loader, made.tables, compiled.owners, beside, writes, rests_on, further


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


def tables_of_result(statement: Select | UpdateWhere | DeleteWhere, tables: frozenset[str]) -> frozenset[str] | None:
    """Gives the tables whose changes may change a result: any, where a part of the query is the user's own text.

    None of a result that may not be kept: it has values that are secret, and their model does not say that they may be.
    """
    if not isinstance(statement, Select):
        return tables
    if any(_is_secret(node) for select in selects_of(statement) for part in select.columns for node in walk(part)):
        return None
    return tables | {ANY_TABLE} if has_own_text(statement) else tables


def _is_secret(node: Expr[Any]) -> bool:
    if not isinstance(node, Column):
        return False
    source = node.source
    entity = source.entity if isinstance(source, (TableSource, JoinSource, RawSource)) else None
    if not isinstance(entity, ModelInfo) or not (entity.cache is None or entity.cache is False):
        return False
    spec = entity.fields.get(node.attribute)
    return spec is not None and spec.sensitive


def encoders_of(dialect: Dialect, compiled: Compiled) -> tuple[Codec | None, ...]:
    """Gives for each parameter what makes of its value what the driver takes; None where it is that already."""
    transforms = dict(compiled.transforms)
    return tuple(_encoder(dialect, type_, transforms.get(i)) for i, type_ in enumerate(compiled.types))


def _encoder(dialect: Dialect, type_: SqlType, transform: Codec | None) -> Codec | None:
    encode = dialect.encoder(type_)
    if transform is None or encode is None:
        return transform or encode
    return lambda value: encode(transform(value))
